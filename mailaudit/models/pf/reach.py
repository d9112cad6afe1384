"""What can reach the host, or leave it, over one interface: over all sources, or over all ports.

"Open" is claimed of what passes whatever is not known, "nothing else is open" of what can pass in no case (law 8).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from mailaudit.models.interfaces import Interface
from mailaudit.models.pf.addresses import LINK_LOCAL, public
from mailaudit.models.pf.eval import Filter, Lane, LaneAnchor, Outcome
from mailaudit.models.pf.rules import Rule, Table
from mailaudit.models.pf.traffic import ALL_PORTS, CLIENT_PORTS, ONE, Addresses, Axis, Traffic, everyone, partition
from mailaudit.models.pf.values import Range, merged

FEW = 0.01  # the share of the Internet that lists of unwelcome networks may shut out, or lists of welcome ones let in
MOST_CLASSES = 20_000
MOST_WITNESSES = 16
MOST_GROUPS = 16


@dataclass(frozen=True, slots=True)
class Admission:
    """What becomes of traffic from or to all of the Internet: the shares that pass and that are blocked, the rest is in doubt.

    `passing` and `blocking` are the rules that decide for the largest class that passes and that is blocked (None: no rule
    does), `doubts` the rules that are in doubt.
    """

    passed: float
    blocked: float
    passing: Rule | None = None
    blocking: Rule | None = None
    doubts: tuple[Rule, ...] = ()

    @property
    def value(self) -> str:
        """`yes`, `no`, `partly` (some sources are shut out, others not) or `doubt`."""
        if self.blocked <= FEW and self.passed >= 1 - FEW:
            return "yes"
        if self.passed <= FEW and self.blocked >= 1 - FEW:
            return "no"
        if self.passed + self.blocked >= 1 - FEW or self.blocked > FEW:
            return "partly" if self.passed > FEW else "doubt"
        return "doubt"


@dataclass(frozen=True, slots=True)
class OpenPorts:
    """Ports that packets can reach: the rule that lets them in (None: no rule blocks them); in doubt if not `sure`."""

    ranges: tuple[Range, ...]
    rule: Rule | None
    sure: bool


def own_address(interface: Interface, family: int) -> Addresses:
    """The interface's own addresses, or the notion of them where they are not recorded."""
    known = [each.value for each in interface.addresses or () if each.family == family and each.value >> 118 != LINK_LOCAL]
    return Addresses(tuple((value, value) for value in known)) if known else Addresses(own=True)


def admits(filter_: Filter, traffic: Traffic, network: Range | None = None) -> Admission:
    """What becomes of traffic whose other end (source of what comes in, target of what goes out) is all of the Internet.

    With a `network`, the other end is that instead.
    """
    end = "sources" if traffic.direction == "in" else "targets"
    internet = Addresses((network,)) if network is not None else Addresses(public(traffic.family), stranger=True)
    whole = _with_end(traffic, end, internet)
    outcome = filter_.run(whole)
    if not outcome.in_doubt:
        return _alike(outcome)
    edges = _edges(filter_, traffic, end)
    named = merged(list(edges))
    unnamed = max(_outside(named, internet.ranges), key=_size, default=None)
    total = sum(_size(span) for span in internet.ranges)
    if unnamed is not None and sum(map(_size, named)) <= FEW * total:  # no rule tells all the others apart
        most = _alike(filter_.run(_with_end(traffic, end, replace(internet, ranges=(unnamed,)))))
        some = next((each for each in reversed(outcome.deciding()[1]) if each.action == "pass"), None)
        return replace(most, passing=some) if most.blocked else most
    classes = partition(edges, internet.ranges)
    if len(classes) > MOST_CLASSES or len(classes) == 1:
        return Admission(0.0, 0.0, doubts=tuple(outcome.deciding()[1]))
    return _shares(filter_, whole, end, Axis(classes))


def _with_end(traffic: Traffic, end: str, addresses: Addresses) -> Traffic:
    return replace(traffic, sources=addresses) if end == "sources" else replace(traffic, targets=addresses)


def _size(span: Range) -> int:
    return span[1] - span[0] + 1


def _outside(named: Iterable[Range], over: Iterable[Range]) -> Iterator[Range]:
    """What of some ranges in order lies in none of others in order."""
    holes = [(-1, -1), *named]
    for low, high in over:
        at = low
        for first, last in holes[bisect_right(holes, (low, -1)) - 1 :]:
            if first > high:
                break
            if last < at:
                continue
            if at < first:
                yield at, first - 1
            at = last + 1
        if at <= high:
            yield at, high


def _alike(outcome: Outcome) -> Admission:
    rule, doubts = outcome.deciding()
    if outcome.in_doubt:
        return Admission(0.0, 0.0, doubts=tuple(doubts))
    return Admission(1.0, 0.0, passing=rule) if outcome.passed else Admission(0.0, 1.0, blocking=rule)


def _shares(filter_: Filter, traffic: Traffic, end: str, axis: Axis) -> Admission:
    outcome = filter_.run(replace(traffic, axis=end, classes=axis))
    sizes = [_size(span) for span in axis.ranges]
    total = sum(sizes)

    def largest(mask: int) -> tuple[Rule | None, list[Rule]]:
        if not mask:
            return None, []
        span = axis.ranges[max(_bits(mask), key=lambda number: sizes[number])]
        kept = traffic.sources if end == "sources" else traffic.targets
        return filter_.run(_with_end(traffic, end, replace(kept, ranges=(span,)))).deciding()

    return Admission(
        sum(sizes[number] for number in _bits(outcome.surely_passed)) / total,
        sum(sizes[number] for number in _bits(outcome.surely_blocked)) / total,
        largest(outcome.surely_passed)[0],
        largest(outcome.surely_blocked)[0],
        tuple(largest(outcome.in_doubt)[1]),
    )


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1


def _edges(filter_: Filter, traffic: Traffic, end: str) -> set[Range]:
    """The networks that the rules for some traffic name at one end, those in tables too."""
    found: set[Range] = set()
    book = filter_.book
    for rule, known in _with_tables(filter_.lane(traffic), filter_.tables):
        for peer in rule.sources if end == "sources" else rule.targets:
            if peer.kind == "net" and peer.family == traffic.family:
                found.add((peer.low, peer.high))
            elif peer.kind == "table":
                found.update(book.pieces(known.get(peer.name), traffic.family))
            elif peer.kind == "interface":
                found.update(book.addresses(peer, traffic.family) or ())
    return found


def _with_tables(path: Lane, tables: Mapping[str, Table]) -> Iterator[tuple[Rule, Mapping[str, Table]]]:
    for entry in path.entries:
        if isinstance(entry, LaneAnchor):
            yield entry.anchor.rule, tables
            if entry.body is not None:
                yield from _with_tables(entry.body, {**tables, **entry.anchor.tables})
        else:
            yield entry, tables


def open_ports(filter_: Filter, traffic: Traffic) -> list[OpenPorts]:
    """The target ports of TCP or UDP that packets from anywhere may reach; `traffic` says over which interface, and to whom."""
    rules, axis = _ports_told_apart(filter_, traffic)
    somebody = _somebody(filter_, traffic)
    usual = replace(traffic, sources=somebody, axis="target_ports", classes=axis)
    reached = filter_.run(usual).surely_passed
    found = list(_grouped(filter_, usual, reached, sure=True))
    anything = replace(usual, sources=everyone(traffic.family), source_ports=ALL_PORTS)
    left = filter_.run(anything).passed & ~reached
    for rule in _witnesses(rules, axis, left):
        for sources in _sources_of(rule, filter_, traffic, somebody):
            numbers = list(islice(_bits(left & _port_mask(rule, axis)), MOST_CLASSES))
            if not numbers:
                break
            own = Axis([axis.ranges[number] for number in numbers])
            seen = replace(usual, sources=sources, source_ports=(rule.source_ports or CLIENT_PORTS)[:1], classes=own)
            reached = filter_.run(seen).surely_passed
            found += _grouped(filter_, seen, reached, sure=True)
            left &= ~sum(1 << numbers[number] for number in _bits(reached))
    found += _grouped(filter_, anything, left, sure=False)
    return found


def open_to_strangers(filter_: Filter, traffic: Traffic) -> tuple[Range, ...]:
    """The target ports that surely anybody can reach whom no rule names."""
    _, axis = _ports_told_apart(filter_, traffic)
    usual = replace(traffic, sources=_somebody(filter_, traffic), axis="target_ports", classes=axis)
    return tuple(axis.chosen(filter_.run(usual).surely_passed))


def _ports_told_apart(filter_: Filter, traffic: Traffic) -> tuple[list[Rule], Axis]:
    rules = [rule for rule, _ in _with_tables(filter_.lane(replace(traffic, axis="target_ports")), filter_.tables)]
    return rules, Axis(partition({span for rule in rules for span in rule.target_ports}, ALL_PORTS))


def _somebody(filter_: Filter, traffic: Traffic) -> Addresses:
    """A part of the Internet that no rule names, the largest."""
    named = merged(list(_edges(filter_, replace(traffic, axis="target_ports"), "sources")))
    unnamed = max(_outside(named, public(traffic.family)), key=_size, default=public(traffic.family)[0])
    return Addresses((unnamed,), stranger=True)


def _port_mask(rule: Rule, axis: Axis) -> int:
    if not rule.target_ports:
        return axis.all
    mask = 0
    for low, high in rule.target_ports:
        mask |= axis.masks(low, high)[1]
    return mask


def _witnesses(rules: Sequence[Rule], axis: Axis, wanted: int) -> list[Rule]:
    """The last rules that may let in what is asked about, a few of them."""
    if not wanted:
        return []
    passing = (rule for rule in reversed(rules) if rule.action == "pass" and _port_mask(rule, axis) & wanted)
    return list(islice(passing, MOST_WITNESSES))


def _sources_of(rule: Rule, filter_: Filter, traffic: Traffic, somebody: Addresses) -> Iterator[Addresses]:
    """Sources that a rule lets in, one of each kind."""
    for peer in rule.sources[:8]:
        if peer.negated or peer.kind == "any":
            yield somebody
        elif peer.kind == "net" and peer.family == traffic.family:
            yield Addresses(((peer.low, peer.low),))
        elif peer.kind == "interface":
            yield Addresses(neighbour=True)
        elif peer.kind == "table":
            yield from (Addresses((span,)) for span in filter_.book.pieces(filter_.tables.get(peer.name), traffic.family)[:4])
    if not rule.sources:
        yield somebody


def _grouped(filter_: Filter, traffic: Traffic, classes: int, *, sure: bool) -> Iterator[OpenPorts]:
    """The classes of ports by the rule that lets them in, for the first few rules; the rest go with the last one."""
    axis = traffic.classes
    for _ in range(MOST_GROUPS):
        if not classes:
            return
        span = axis.ranges[next(_bits(classes))]
        rule, doubts = filter_.run(replace(traffic, axis="", classes=ONE, target_ports=(span,))).deciding()
        if not sure and doubts:
            rule = next((each for each in doubts if each.action != "block"), rule)
        mine = classes & (_port_mask(rule, axis) if rule is not None else axis.all)
        mine = mine or classes & -classes
        yield OpenPorts(tuple(axis.chosen(mine)), rule, sure)
        classes &= ~mine
    if classes:
        yield OpenPorts(tuple(axis.chosen(classes)), None, sure)
