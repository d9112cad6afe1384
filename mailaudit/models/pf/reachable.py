"""What passes a ruleset between the host and others: the exact set, with the line that lets each part of it through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mailaudit.models.interfaces import LOOPBACK, Interface, driver_of
from mailaudit.models.pf.addresses import LINK_LOCAL
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.doubt import Doubt, Doubts, at_port
from mailaudit.models.pf.eval import Outcome
from mailaudit.models.pf.reader import Skip
from mailaudit.models.pf.rules import Rule, with_anchors
from mailaudit.models.pf.space import Cell, cells, whole
from mailaudit.models.pf.traffic import ALL_PORTS, Addresses, Traffic
from mailaudit.models.pf.values import ICMP, ICMP6, MAX_PORT, REPLIES, TCP, UDP, Range, merged

OWN_ICMP = {4: ICMP, 6: ICMP6}
OTHERS = 253  # a protocol that stands for all that no rule names (RFC 3692: for experiments)
REAL_PORTS: tuple[Range, ...] = ((1, MAX_PORT),)  # what is sent to port 0 is dropped before any rule
ANY_CODE = 255  # a code that stands for all that no rule names


@dataclass(frozen=True, slots=True, eq=False)
class Packets:
    """First packets of connections.

    `protocol` is None for all protocols that no rule names; `icmp` is the type, None for all types that no rule names, and the
    code, None likewise. `others` are the addresses of the other end, `own` those of the host; the same fields of `Addresses`
    as everywhere.
    """

    direction: str
    interface: Interface
    family: int
    protocol: int | None
    icmp: tuple[int | None, int | None] | None
    others: tuple[Addresses, ...]
    own: tuple[Addresses, ...]
    source_ports: tuple[Range, ...]
    ports: tuple[Range, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Region(Packets):
    """Packets that fare alike.

    `rule` lets them pass (None: no rule blocks them); what is not `sure` is in doubt for that rule, and `doubts` are the reasons.
    """

    rule: Rule | None
    sure: bool
    skip: Skip | None = None
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """Packets of one kind as traffic whose ends are still to be said, and what of them stands for several."""

    traffic: Traffic
    protocol: int | None
    icmp: tuple[int | None, int | None] | None = None


def reachable(ruleset: Ruleset, directions: Sequence[str] = ("in", "out")) -> Iterator[Region]:
    """What comes in from others to the host's own addresses, and what goes out from it."""
    doubts = Doubts(ruleset)
    for direction in directions:
        for interface in interfaces_of(ruleset):
            skip = ruleset.skipped(interface)
            for family in (4, 6):
                if skip is not None:
                    yield _skipped(direction, interface, family, skip)
                    continue
                own = own_addresses(ruleset, interface, family)
                others = whole(family, strangers=interface in ruleset.egress)
                for kind in kinds([ruleset], direction, interface, family) if own else ():
                    ends = (others, own) if direction == "in" else (own, others)
                    yield from _regions(kind, cells([ruleset.filter], kind.traffic, *ends), doubts)


def _skipped(direction: str, interface: Interface, family: int, skip: Skip) -> Region:
    own = (Addresses(own=True),)
    return Region(
        direction,
        interface,
        family,
        None,
        None,
        whole(family, strangers=False),
        own,
        ALL_PORTS,
        ALL_PORTS,
        None,
        sure=True,
        skip=skip,
    )


def interfaces_of(ruleset: Ruleset) -> list[Interface]:
    """The interfaces that others are behind: those that are recorded, else those that may lead to the Internet or are named."""
    if ruleset.interfaces.known:
        return [each for each in ruleset.interfaces.known if not each.loopback]
    names = {item.name for rule in with_anchors(ruleset.entries) for item in rule.interfaces}
    known = {each.name for each in ruleset.egress}
    named = [Interface(name) for name in sorted(names - known) if driver_of(name)]
    return [*ruleset.egress, *(each for each in named if not each.loopback)]


def own_addresses(ruleset: Ruleset, interface: Interface, family: int) -> tuple[Addresses, ...]:
    """The host's own addresses, one by one; where they are not recorded, the notion of them."""
    known = ruleset.interfaces.known
    if not known or any(each.addresses is None for each in known):
        return (Addresses(own=True),)
    values = {
        address.value
        for each in known
        if each.name != LOOPBACK.name
        for address in each.addresses or ()
        if address.family == family and (address.value >> 118 != LINK_LOCAL or each is interface)
    }
    return tuple(Addresses(((value, value),)) for value in sorted(values))


def kinds(rulesets: Sequence[Ruleset], direction: str, interface: Interface, family: int) -> Iterator[Kind]:
    """The kinds of packets that the rules tell apart over one interface."""
    rules = [rule for ruleset in rulesets for rule in with_anchors(ruleset.entries)]
    own = OWN_ICMP[family]
    named = {number for rule in rules for number in rule.protocols} - {ICMP, ICMP6, OTHERS}
    base = Traffic(direction, interface, family, OTHERS, Addresses(), Addresses(), ALL_PORTS, REAL_PORTS)
    for protocol in sorted(named | {TCP, UDP}):
        yield Kind(replace(base, protocol=protocol), protocol)
    for kind, code in _icmp(rules, family):
        number = (_unnamed(rules, family) if kind is None else kind, ANY_CODE if code is None else code)
        yield Kind(replace(base, protocol=own, icmp=number), own, (kind, code))
    yield Kind(base, None)


def _icmp(rules: Sequence[Rule], family: int) -> Iterator[tuple[int | None, int | None]]:
    """The types and codes that rules name, those that are answers, and None for all others of each."""
    named = {each for rule in rules if rule.options.icmp_family == family for each in rule.options.icmp}
    for kind in sorted({kind for kind, _ in named} | REPLIES[family]):
        yield kind, None
        yield from ((kind, code) for code in sorted({code for other, code in named if other == kind and code is not None}))
    yield None, None


def _unnamed(rules: Sequence[Rule], family: int) -> int:
    named = {kind for rule in rules if rule.options.icmp_family == family for kind, _ in rule.options.icmp} | REPLIES[family]
    return next(number for number in range(255, -1, -1) if number not in named)


def _regions(kind: Kind, found: Iterable[Cell], doubts: Doubts) -> Iterator[Region]:
    """What passes or may pass, put together where only the addresses of the other end differ."""
    about = kind.traffic
    together: dict[tuple[object, ...], tuple[Region, list[Addresses]]] = {}
    for cell in found:
        outcome = cell.outcomes[0]
        others, own = (cell.sources, cell.targets) if about.direction == "in" else (cell.targets, cell.sources)
        for rule, classes, sure in passing(outcome):
            ports = cell.ports(classes)
            key = (id(rule), sure, ports, cell.source_ports, own)
            if key not in together:
                where = (about.direction, about.interface, about.family, kind.protocol, kind.icmp)
                why = () if sure else doubts.of(rule, at_port(cell.traffic, classes))
                together[key] = Region(*where, others, own, cell.source_ports, ports, rule, sure, None, why), []
            together[key][1].extend(others)
    for region, parts in together.values():
        yield replace(region, others=joined(parts))


def passing(outcome: Outcome) -> Iterator[tuple[Rule | None, int, bool]]:
    """The rules that let classes pass, surely or perhaps."""
    for rule, classes in outcome.decisions():
        if classes & outcome.surely_passed:
            yield rule, classes & outcome.surely_passed, True
    for rule, classes in outcome.doubts():
        yield rule, classes, False


def joined(parts: Iterable[Addresses]) -> tuple[Addresses, ...]:
    """Addresses with those of one sort put together."""
    sorts: dict[tuple[bool, bool], list[Range]] = {}
    for part in parts:
        sorts.setdefault((part.own, part.neighbour), []).extend(part.ranges)
    return tuple(Addresses(merged(ranges), own, neighbour) for (own, neighbour), ranges in sorts.items())
