"""What passes rulesets, and where two part, for a terminal: regions put together where they differ in one field only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mailaudit.models.pf.difference import Parting
from mailaudit.models.pf.doubt import Doubt
from mailaudit.models.pf.reachable import Region
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.traffic import Addresses
from mailaudit.models.services import Services
from mailaudit.reports import pf
from mailaudit.reports.pf import HostAnswer, Told
from mailaudit.reports.terminal.paper import Paper
from mailaudit.text import Span

MOST_ADDRESSES = 6
MOST_PORTS = 24
STYLES = {"pass": "green", "block": "red", "partly": "yellow", "unknown": "bold yellow"}
_ICMP = ("icmp", "icmp6")


def place(paper: Paper, span: Span | None, indent: str, before: str = "", *, otherwise: str = "") -> None:
    """A rule with its place, on as many lines as it takes."""
    if span is None:
        paper.wrapped(f"{before}{otherwise}", indent, indent + "  ", style="dim")
        return
    where = f"{paper.clean(span.path)}:{span.line}: "
    paper.wrapped(f"{before}{where}{paper.clean(pf.on_one_line(span, paper.mask))}", indent, indent + "  ", style="dim")


def span(rule: Rule | None) -> Span | None:
    """The place of a rule; None if there is no rule."""
    return rule.statement.span if rule is not None else None


@dataclass(frozen=True, slots=True)
class _Row:
    """Regions put together: each field is what it is in words, or several of them."""

    direction: tuple[str, ...]
    interfaces: tuple[str, ...]
    protocols: tuple[str, ...]
    families: tuple[str, ...]
    kinds: tuple[str, ...]  # types of ICMP
    ports: tuple[str, ...]
    source_ports: tuple[str, ...]
    others: tuple[str, ...]
    own: tuple[str, ...]
    fates: tuple[str, ...]
    doubts: tuple[Doubt, ...]
    spans: tuple[Span | None, ...]


def _joined(rows: Iterable[_Row], *names: str) -> list[_Row]:
    """Rows that differ in one field only as one row, field by field."""
    found = list(rows)
    for name in names:
        alike: dict[_Row, list[str]] = {}
        for row in found:
            alike.setdefault(replace(row, **{name: ()}), []).extend(getattr(row, name))  # all are tuples
        found = [replace(row, **{name: tuple(dict.fromkeys(values))}) for row, values in alike.items()]  # type: ignore[arg-type]
    return found


def _rows(regions: Sequence[Region | Parting], services: Services, ends: Callable[..., tuple[object, ...]]) -> list[_Row]:
    """The rows of regions. The addresses of a host are `self` where it is all of them."""
    own: dict[tuple[str, int], set[Addresses]] = {}
    for each in regions:
        own.setdefault((pf.interface_name(each.interface), each.family), set()).update(each.own)
    rows = []
    for each in regions:
        mine = pf.addresses(each.own, each.family)
        protocol = "other protocols" if each.protocol is None else pf.protocol_name(each.protocol)
        kind = () if each.icmp is None else (_icmp(each.family, *each.icmp),)
        fate, doubts, spans = ends(each)
        rows.append(
            _Row(
                (each.direction,),
                (pf.interface_name(each.interface),),
                (protocol,),
                (pf.FAMILIES[each.family],),
                kind,
                tuple(_named(each.ports, protocol, services)),
                tuple(pf.ports(each.source_ports)),
                tuple(pf.in_short(each.others, each.family)),
                tuple(mine),
                fate,  # type: ignore[arg-type]  # what `ends` gives are the last three fields
                doubts,  # type: ignore[arg-type]
                spans,  # type: ignore[arg-type]
            )
        )
    rows = _joined(rows, "own")
    every = {
        (name, pf.FAMILIES[family]): {word for part in parts for word in pf.addresses((part,), family)}
        for (name, family), parts in own.items()
    }
    told = (replace(row, own=()) if set(row.own) == every[row.interfaces[0], row.families[0]] else row for row in rows)
    return _joined(told, "kinds", "families", "protocols", "kinds", "interfaces")


def _icmp(family: int, kind: int | None, code: int | None) -> str:
    return pf.icmp_name(family, kind) + ("" if code is None else f" code {code}")


def _named(ranges: Iterable[tuple[int, int]], protocol: str, services: Services) -> Iterator[str]:
    for word in pf.ports(ranges):
        name = services.name(int(word), protocol) if word.isdecimal() else None
        yield f"{word} ({name})" if name else word


def reachable(paper: Paper, host: HostAnswer) -> None:
    """What comes in and goes out, by interface."""
    rows = _rows(host.regions, host.services, lambda region: ((), region.doubts, (_decider(region),)))
    for direction, words in (("in", "comes in"), ("out", "goes out")):
        mine = [row for row in rows if row.direction == (direction,)]
        if not mine:
            paper.line((f"Nothing {words}.", "bold"))
        for interfaces in dict.fromkeys(row.interfaces for row in mine):
            paper.line((paper.clean(f"What {words} over {listed(interfaces)}"), "bold"))
            for row in mine:
                if row.interfaces == interfaces:
                    _row(paper, row, "from" if direction == "in" else "to")
    if any(row.doubts for row in rows):
        paper.wrapped("? marks what may pass or not, and why; all else is sure.", style="dim")


def _decider(region: Region) -> Span | None:
    return region.skip.statement.span if region.skip is not None else span(region.rule)


def _row(paper: Paper, row: _Row, far: str) -> None:
    what = listed(dict.fromkeys("icmp" if each in _ICMP else each for each in row.protocols))
    if row.kinds:
        what += f" {few(row.kinds, MOST_PORTS)}"
    if row.ports:
        what += f" port {few(row.ports, MOST_PORTS)}"
    words = [what]
    if len(row.families) == 1:
        words.append(row.families[0])
    if row.others != ("any",):
        words.append(f"{far} {few(row.others, MOST_ADDRESSES)}")
    if row.source_ports:
        words.append(f"from ports {few(row.source_ports, MOST_PORTS)}")
    if row.own and row.own != ("self",):
        words.append(f"{'to' if far == 'from' else 'from'} {few(row.own, MOST_ADDRESSES)}")
    mark = "? " if row.doubts else "  "
    paper.wrapped(paper.clean(mark + "; ".join(words)), "", "      ", style="yellow" if row.doubts else "green")
    for each in row.spans:
        place(paper, each, "      ", otherwise="no rule blocks it")
    for sentence in pf.reasons(row.doubts):
        paper.wrapped(sentence, "      ", style="yellow")


def few(words: Sequence[str], most: int) -> str:
    """The first of some words, and how many more there are."""
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more (--format json has all)"


def listed(words: Iterable[str]) -> str:
    """Words with commas and an "and"."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def differences(paper: Paper, told: Told) -> None:
    """What passes one of two rulesets and not the other."""
    if not told.differences:
        paper.line("What passes one passes the other.")
        return

    def ends(parting: Parting) -> tuple[object, ...]:
        return (parting.before, parting.after), (), (span(parting.rule_before), span(parting.rule_after))

    rows = sorted(
        _rows(told.differences, told.hosts[0].services, ends), key=lambda row: (row.direction, row.interfaces, row.fates)
    )
    for number, row in enumerate(rows):
        before, after = map(pf.fate_name, row.fates)
        heading = (row.fates, row.direction, row.interfaces)
        if not number or heading != (rows[number - 1].fates, rows[number - 1].direction, rows[number - 1].interfaces):
            over = paper.clean(f"  {row.direction[0]} over {listed(row.interfaces)}")
            paper.line((f"{before} -> {after}", STYLES[after]), over)
        _row(paper, replace(row, spans=()), "from" if row.direction == ("in",) else "to")
        for host, each in zip(told.hosts, row.spans, strict=True):
            place(paper, each, "      ", f"{paper.clean(host.target)}: ", otherwise="no rule, or not looked at (set skip)")
