"""Answers about rulesets, for a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mailaudit.models.pf.answering import Part
from mailaudit.models.pf.asking import Asked
from mailaudit.models.pf.difference import Parting
from mailaudit.models.pf.doubt import Doubt
from mailaudit.models.pf.reachable import Region
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.traffic import Addresses
from mailaudit.models.services import Services
from mailaudit.reports import pf
from mailaudit.reports.pf import HostAnswer, Told, Tried
from mailaudit.reports.terminal.paper import Paper, Screen
from mailaudit.text import Span

MOST_ADDRESSES = 6
MOST_PORTS = 24
MOST_PARTS = 12
_STYLES = {"pass": "green", "block": "red", "partly": "yellow", "unknown": "bold yellow"}
_ICMP = ("icmp", "icmp6")


def write(told: Told, screen: Screen) -> str:
    """The answers, host by host."""
    paper = Paper(screen)
    for number, host in enumerate(told.hosts):
        paper.mask = host.mask
        if len(told.hosts) > 1 and told.question != "diff":
            if number:
                paper.blank()
            paper.line((paper.clean(f"{host.name} ({host.target})"), "bold"))
        _ANSWERS[told.question](paper, host)
        _footnotes(paper, host, host.target if told.question == "diff" else "")
    if told.question == "diff":
        _differences(paper, told)
    return paper.text()


def _footnotes(paper: Paper, host: HostAnswer, whose: str) -> None:
    of = f"{paper.clean(whose)}: " if whose else ""
    if not host.loads:
        paper.wrapped(f"{of}pfctl refuses /etc/pf.conf as it stands; this is judged as if that were mended.", style="yellow")
    for each in host.unread:
        paper.wrapped(f"{of}could not be read, and may change the answer: {paper.clean(each)}", "", "  ", style="yellow")
    for each in host.assumed:
        paper.wrapped(f"{of}assumed: {paper.clean(each)}", "", "  ", style="dim")


def _place(paper: Paper, span: Span | None, indent: str, before: str = "", *, otherwise: str = "") -> None:
    """A rule with its place, on as many lines as it takes."""
    if span is None:
        paper.wrapped(f"{before}{otherwise}", indent, indent + "  ", style="dim")
        return
    where = f"{paper.clean(span.path)}:{span.line}: "
    paper.wrapped(f"{before}{where}{paper.clean(pf.on_one_line(span, paper.mask))}", indent, indent + "  ", style="dim")


def _span(rule: Rule | None) -> Span | None:
    return rule.statement.span if rule is not None else None


# What comes in and goes out


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


def _reachable(paper: Paper, host: HostAnswer) -> None:
    rows = _rows(host.regions, host.services, lambda region: ((), region.doubts, (_decider(region),)))
    for direction, words in (("in", "comes in"), ("out", "goes out")):
        mine = [row for row in rows if row.direction == (direction,)]
        if not mine:
            paper.line((f"Nothing {words}.", "bold"))
        for interfaces in dict.fromkeys(row.interfaces for row in mine):
            paper.line((paper.clean(f"What {words} over {_and(interfaces)}"), "bold"))
            for row in mine:
                if row.interfaces == interfaces:
                    _row(paper, row, "from" if direction == "in" else "to")
    if any(row.doubts for row in rows):
        paper.wrapped("? marks what may pass or not, and why; all else is sure.", style="dim")


def _decider(region: Region) -> Span | None:
    return region.skip.statement.span if region.skip is not None else _span(region.rule)


def _row(paper: Paper, row: _Row, far: str) -> None:
    what = _and(dict.fromkeys("icmp" if each in _ICMP else each for each in row.protocols))
    if row.kinds:
        what += f" {_few(row.kinds, MOST_PORTS)}"
    if row.ports:
        what += f" port {_few(row.ports, MOST_PORTS)}"
    words = [what]
    if len(row.families) == 1:
        words.append(row.families[0])
    if row.others != ("any",):
        words.append(f"{far} {_few(row.others, MOST_ADDRESSES)}")
    if row.source_ports:
        words.append(f"from ports {_few(row.source_ports, MOST_PORTS)}")
    if row.own and row.own != ("self",):
        words.append(f"{'to' if far == 'from' else 'from'} {_few(row.own, MOST_ADDRESSES)}")
    mark = "? " if row.doubts else "  "
    paper.wrapped(paper.clean(mark + "; ".join(words)), "", "      ", style="yellow" if row.doubts else "green")
    for each in row.spans:
        _place(paper, each, "      ", otherwise="no rule blocks it")
    for sentence in pf.reasons(row.doubts):
        paper.wrapped(sentence, "      ", style="yellow")


def _few(words: Sequence[str], most: int) -> str:
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more (--format json has all)"


def _and(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


# One packet


def _tested(paper: Paper, host: HostAnswer) -> None:
    several = len(host.packets) > 1
    for each in host.packets:
        _packet(paper, each, brief=several and each.as_expected)


def _packet(paper: Paper, tried: Tried, *, brief: bool) -> None:
    verdict = tried.verdict
    expected = f"  (expected: {tried.expected})" if tried.expected and not tried.as_expected else ""
    name = f"{paper.clean(tried.name)}: " if tried.name else ""
    paper.line((f"{verdict.value:<8}", _STYLES[verdict.value]), f"{name}{paper.clean(str(verdict.asked))}", (expected, "red"))
    if brief:
        return
    told: dict[tuple[object, ...], list[Part]] = {}
    for part in verdict.parts:
        key = (part.fate, part.rule, part.skip, part.why, _matched(part), part.doubts, *_ends(part, verdict.asked), part.ports)
        told.setdefault(key, []).append(part)
    for parts in [*told.values()][:MOST_PARTS]:
        if len(told) > 1:
            _packets(paper, parts, verdict.asked)
        _part(paper, parts[0])
    if len(told) > MOST_PARTS:
        paper.line(f"  and {len(told) - MOST_PARTS} more parts (--format json has all)")
    for doubt in verdict.doubts:
        if not any(doubt in reasons for part in verdict.parts for _, reasons in part.doubts):
            paper.wrapped(doubt.sentence, "  ", style="yellow")
    if Doubt.USER in verdict.doubts and not verdict.asked.user:
        paper.wrapped('Say who sends it: "user NAME".', "  ")


def _ends(part: Part, asked: Asked) -> tuple[str, str]:
    """The two ends in words: `self` where the host's own were asked about, all of them."""
    words = [_few(pf.in_short(parts, part.family), MOST_ADDRESSES) for parts in (part.sources, part.targets)]
    near = 1 if asked.direction == "in" else 0
    said = (asked.source, asked.target)[near]
    if said in ("", "self") or part.interface.called(said):
        words[near] = "self"
    return words[0], words[1]


def _matched(part: Part) -> tuple[tuple[int, bool], ...]:
    return tuple((id(each.rule), bool(each.sure)) for each in part.trail)


def _packets(paper: Paper, parts: Sequence[Part], asked: Asked) -> None:
    """Which packets a part is about, where there are several."""
    part = parts[0]
    fate = pf.fate_name(part.fate)
    words = [_and(dict.fromkeys(pf.FAMILIES[each.family] for each in parts))]
    words.append(f"on {_and(dict.fromkeys(pf.interface_name(each.interface) or 'another interface' for each in parts))}")
    listed = pf.ports(part.ports)
    source, target = _ends(part, asked)
    words += [f"port {_few(listed, MOST_PORTS)}"] if listed else []
    paper.wrapped(
        paper.clean(f"{fate}: {'; '.join((*words, f'from {source}', f'to {target}'))}"), "  ", "    ", style=_STYLES[fate]
    )


def _part(paper: Paper, part: Part) -> None:
    """One part in full: the deciding line, the doubts, the rules that matched before."""
    if part.skip is not None:
        _place(paper, part.skip.statement.span, "  ", "pf looks at nothing there: ")
        return
    if part.why:
        paper.wrapped(part.why, "  ")
    elif part.fate != "in-doubt":
        _place(paper, _span(part.rule), "  ", "decides: ", otherwise="no rule matches, and what no rule matches passes")
    for rule, reasons in part.doubts:
        _place(paper, _span(rule), "  ", "in doubt: ", otherwise="rules before the last")
        for sentence in pf.reasons(reasons):
            paper.wrapped(sentence, "    ", style="yellow")
    if part.fate == "in-doubt" and part.rule is not None:
        _place(paper, _span(part.rule), "  ", f"if it does not match: {part.rule.action} by ")
    before = [each for each in part.trail if each.rule is not part.rule and each.rule not in [rule for rule, _ in part.doubts]]
    for each in before:
        _place(paper, _span(each.rule), "  ", "matched: " if each.sure else "perhaps matched: ")


# Rules that never decide, and differences


def _shadowed(paper: Paper, host: HostAnswer) -> None:
    if not host.shadowed:
        paper.line("Every rule decides over some packet, or may.")
    for each in host.shadowed:
        _place(paper, each.rule.statement.span, "", "never decides: ")
        if each.skip is not None:
            _place(paper, each.skip.statement.span, "  ", "pf looks at nothing there: ")
        elif not each.killers:
            paper.wrapped("It can match no packet.", "  ")
        for killer in each.killers:
            _place(paper, killer.statement.span, "  ", "decides in its place: ")


def _nothing(_paper: Paper, _host: HostAnswer) -> None:
    """Of the hosts that are compared there is nothing to tell but the difference."""


def _differences(paper: Paper, told: Told) -> None:
    if not told.differences:
        paper.line("What passes one passes the other.")
        return

    def ends(parting: Parting) -> tuple[object, ...]:
        return (parting.before, parting.after), (), (_span(parting.rule_before), _span(parting.rule_after))

    rows = sorted(
        _rows(told.differences, told.hosts[0].services, ends), key=lambda row: (row.direction, row.interfaces, row.fates)
    )
    for number, row in enumerate(rows):
        before, after = map(pf.fate_name, row.fates)
        heading = (row.fates, row.direction, row.interfaces)
        if not number or heading != (rows[number - 1].fates, rows[number - 1].direction, rows[number - 1].interfaces):
            over = paper.clean(f"  {row.direction[0]} over {_and(row.interfaces)}")
            paper.line((f"{before} -> {after}", _STYLES[after]), over)
        _row(paper, replace(row, spans=()), "from" if row.direction == ("in",) else "to")
        for host, each in zip(told.hosts, row.spans, strict=True):
            _place(paper, each, "      ", f"{paper.clean(host.target)}: ", otherwise="no rule, or not looked at (set skip)")


_ANSWERS: dict[str, Callable[[Paper, HostAnswer], None]] = {
    "reachable": _reachable,
    "test": _tested,
    "shadowed": _shadowed,
    "diff": _nothing,
}
