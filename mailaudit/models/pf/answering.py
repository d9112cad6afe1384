"""What becomes of packets that are asked about: the verdict, the line that decides, and the rules that matched on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from mailaudit.models.interfaces import Interface
from mailaudit.models.pf.asking import Asked
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.difference import fates
from mailaudit.models.pf.doubt import Doubt, Doubts, at_port
from mailaudit.models.pf.eval import Passage
from mailaudit.models.pf.meant import Meant, meant
from mailaudit.models.pf.packet import Packet
from mailaudit.models.pf.reachable import joined
from mailaudit.models.pf.reader import Skip
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.space import Cell, cells
from mailaudit.models.pf.traffic import Addresses, Traffic
from mailaudit.models.pf.values import Range

MALFORMED = "pf drops it before any rule: its flags, its port or its family make no sense"
IP_OPTIONS = "the rule lets it pass, but not with IP options (allow-opts)"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Packets among those asked about that fare alike, over one interface and in one family.

    `fate` is `pass`, `block` or `in-doubt`; `rule` decides (None: no rule matches, or `skip` or `why` says it all). `trail` are
    the rules that one of the packets matched, in order; `doubts` those that are in doubt, each with its reasons.
    """

    interface: Interface
    family: int
    sources: tuple[Addresses, ...]
    targets: tuple[Addresses, ...]
    source_ports: tuple[Range, ...]
    ports: tuple[Range, ...]
    fate: str
    rule: Rule | None = None
    skip: Skip | None = None
    why: str = ""
    trail: tuple[Passage, ...] = ()
    doubts: tuple[tuple[Rule | None, tuple[Doubt, ...]], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """The answer: `pass` or `block` if that holds for all that was asked about, `partly` if some passes, else `unknown`."""

    asked: Asked
    value: str
    parts: tuple[Part, ...]
    doubts: tuple[Doubt, ...] = ()


def answer(ruleset: Ruleset, asked: Asked) -> Verdict:
    """What becomes of packets. Raises `BadPacketError` for packets that make no sense on the ruleset's host."""
    known = meant(asked, ruleset)
    parts = tuple(part for interface in known.interfaces for part in _over(ruleset, asked, known, interface))
    if not parts:
        return Verdict(asked, "unknown", (), (Doubt.OWN_ADDRESS,))
    by_interface = [{part.fate for part in parts if part.interface is each} for each in known.interfaces]
    every = {fate for fates_ in by_interface for fate in fates_}
    if "in-doubt" in every:
        return Verdict(asked, "unknown", parts, tuple(_reasons(parts)))
    if len(every) == 1:
        return Verdict(asked, every.pop(), parts)
    if not ruleset.interfaces.known and any(each != by_interface[0] for each in by_interface):
        return Verdict(asked, "unknown", parts, (Doubt.INTERFACE,))
    return Verdict(asked, "partly", parts)


def _reasons(parts: Iterable[Part]) -> dict[Doubt, None]:
    return dict.fromkeys(reason for part in parts for _, reasons in part.doubts for reason in reasons)


def _over(ruleset: Ruleset, asked: Asked, known: Meant, interface: Interface) -> Iterator[Part]:
    """The parts over one interface."""
    skip = ruleset.skipped(interface)
    for family in known.families:
        sources, targets = known.sources[interface, family], known.targets[interface, family]
        if not sources or not targets:
            continue  # it has no address of the family
        kind = _kind(asked, known, interface, family)
        whole = Part(interface, family, sources, targets, known.source_ports, known.ports, "pass")
        if skip is not None:
            yield replace(whole, skip=skip)
        elif Packet(interface.name, kind).malformed:
            yield replace(whole, fate="block", why=MALFORMED)
        else:
            yield from _parts(ruleset, cells([ruleset.filter], kind, sources, targets), inward=asked.direction == "in")


def _kind(asked: Asked, known: Meant, interface: Interface, family: int) -> Traffic:
    return Traffic(
        direction=asked.direction,
        interface=interface,
        family=family,
        protocol=known.protocols[family],
        sources=Addresses(),
        targets=Addresses(),
        source_ports=known.source_ports,
        target_ports=known.ports,
        icmp=known.icmp[family],
        flags=known.flags,
        user=asked.user or None,
        fragment=asked.fragment,
        ip_options=asked.ip_options,
        prio=known.prio,
    )


def _parts(ruleset: Ruleset, found: Iterable[Cell], *, inward: bool) -> Iterator[Part]:
    """What fares alike put together, where only the addresses of the other end differ."""
    together: dict[tuple[object, ...], tuple[Part, list[Addresses]]] = {}
    for cell in found:
        others, own = (cell.sources, cell.targets) if inward else (cell.targets, cell.sources)
        for classes, fate, rule in fates(cell.outcomes[0]):
            key = (fate, id(rule), cell.ports(classes), cell.source_ports, own)
            if key not in together:
                together[key] = _part(ruleset, cell, classes, fate), []
            together[key][1].extend(others)
    for part, far in together.values():
        yield replace(part, sources=joined(far)) if inward else replace(part, targets=joined(far))


def _part(ruleset: Ruleset, cell: Cell, classes: int, fate: str) -> Part:
    one = at_port(cell.traffic, classes)
    outcome = ruleset.filter.run(one)
    rule, doubtful = outcome.deciding()
    why = ""
    if fate == "pass" and one.ip_options and rule is not None and not rule.options.allow_opts:
        fate, why = "block", IP_OPTIONS
    doubts: tuple[tuple[Rule | None, tuple[Doubt, ...]], ...] = ()
    if fate == "in-doubt":
        known = Doubts(ruleset)
        lines: list[Rule | None] = [*doubtful] or [None]
        doubts = tuple((each, known.of(each, one)) for each in lines)
    return Part(
        one.interface, one.family, cell.sources, cell.targets, cell.source_ports, cell.ports(classes), fate, rule, None, why,
        tuple(outcome.trail), doubts,
    )  # fmt: skip
