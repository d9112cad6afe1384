"""What can reach the host, or leave it, over one interface: over all sources, or over all ports.

"Open" is claimed of what passes whatever is not known, "nothing else is open" of what can pass in no case (law 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mailaudit.models.interfaces import Interface
from mailaudit.models.pf_addresses import AddressBook, public
from mailaudit.models.pf_eval import Filter, Lane, LaneAnchor, Outcome
from mailaudit.models.pf_rules import Rule, Table
from mailaudit.models.pf_traffic import ALL_PORTS, CLIENT_PORTS, Addresses, Axis, Traffic, everyone, partition
from mailaudit.models.pf_values import Range

FEW = 0.01  # the share of the Internet that lists of unwelcome networks may shut out, or lists of welcome ones let in
MOST_CLASSES = 20_000
MOST_WITNESSES = 64


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
    known = [each.value for each in interface.addresses or () if each.family == family and each.value >> 118 != 0xFE80 >> 6]
    return Addresses(tuple((value, value) for value in known)) if known else Addresses(own=True)


def admits(filter_: Filter, traffic: Traffic, network: Range | None = None) -> Admission:
    """What becomes of traffic whose other end (source of what comes in, target of what goes out) is all of the Internet.

    With a `network`, the other end is that instead.
    """
    end = "sources" if traffic.direction == "in" else "targets"
    internet = Addresses((network,)) if network is not None else Addresses(public(traffic.family), stranger=True)
    whole = replace(traffic, **{end: internet})  # type: ignore[arg-type]  # the name of a field
    outcome = filter_.run(whole)
    if not outcome.in_doubt:
        rule, _ = outcome.deciding(1)
        return Admission(1.0, 0.0, passing=rule) if outcome.passed else Admission(0.0, 1.0, blocking=rule)
    edges = set(_edges(filter_.lane(traffic), filter_.tables, filter_.book, end, traffic))
    if not edges or len(edges) > MOST_CLASSES:
        return Admission(0.0, 0.0, doubts=tuple(outcome.deciding(1)[1]))
    axis = Axis(partition(edges, internet.ranges))
    return _shares(filter_.run(replace(whole, axis=end, classes=axis)), axis)


def _shares(outcome: Outcome, axis: Axis) -> Admission:
    sizes = [high - low + 1 for low, high in axis.ranges]
    total = sum(sizes)
    passed = outcome.surely_passed
    blocked = outcome.surely_blocked
    doubtful = outcome.in_doubt
    doubts = outcome.deciding(_largest(doubtful, sizes))[1] if doubtful else []
    return Admission(
        _share(passed, sizes, total),
        _share(blocked, sizes, total),
        outcome.deciding(_largest(passed, sizes))[0] if passed else None,
        outcome.deciding(_largest(blocked, sizes))[0] if blocked else None,
        tuple(doubts),
    )


def _bits(mask: int) -> Iterator[int]:
    while mask:
        yield (mask & -mask).bit_length() - 1
        mask &= mask - 1


def _share(mask: int, sizes: Sequence[int], total: int) -> float:
    return sum(sizes[number] for number in _bits(mask)) / total


def _largest(mask: int, sizes: Sequence[int]) -> int:
    return 1 << max(_bits(mask), key=lambda number: sizes[number])


def _edges(path: Lane, tables: dict[str, Table] | object, book: AddressBook, end: str, traffic: Traffic) -> Iterator[Range]:
    """The networks that rules of a lane name at one end, those in tables too."""
    for rule, known in _with_tables(path, tables):
        for peer in getattr(rule, end):
            if peer.kind == "net" and peer.family == traffic.family:
                yield peer.low, peer.high
            elif peer.kind == "table":
                yield from book.pieces(known.get(peer.name), traffic.family)
            elif peer.kind == "interface":
                yield from book.addresses(peer, traffic.family) or ()


def _with_tables(path: Lane, tables: object) -> Iterator[tuple[Rule, dict[str, Table]]]:
    known = dict(tables)  # type: ignore[call-overload]  # a mapping by name
    for entry in path.entries:
        if isinstance(entry, LaneAnchor):
            yield entry.anchor.rule, known
            if entry.body is not None:
                yield from _with_tables(entry.body, {**known, **entry.anchor.tables})
        else:
            yield entry, known  # type: ignore[misc]  # a lane holds rules and anchors


def open_ports(filter_: Filter, traffic: Traffic) -> list[OpenPorts]:
    """The target ports of TCP or UDP that packets from anywhere may reach; `traffic` says over which interface, and to whom."""
    lane = filter_.lane(traffic)
    rules = [rule for rule, _ in _with_tables(lane, filter_.tables)]
    axis = Axis(partition({span for rule in rules for span in rule.target_ports}, ALL_PORTS))
    usual = replace(traffic, sources=_somebody(filter_, traffic), axis="target_ports", classes=axis)
    outcome = filter_.run(usual)
    found = list(_grouped(outcome, outcome.surely_passed, axis, sure=True))
    anything = replace(usual, sources=everyone(traffic.family), source_ports=ALL_PORTS)
    possible = filter_.run(anything)
    left = possible.passed & ~outcome.surely_passed
    for rule in _witnesses(possible, left):
        if not left:
            break
        for sources in _sources_of(rule, filter_, traffic):
            ports = rule.source_ports or CLIENT_PORTS
            seen = filter_.run(replace(usual, sources=sources, source_ports=ports[:1]))
            found += _grouped(seen, seen.surely_passed & left, axis, sure=True)
            left &= ~seen.surely_passed
    found += _grouped(possible, left, axis, sure=False)
    return found


def _somebody(filter_: Filter, traffic: Traffic) -> Addresses:
    """The largest part of the Internet that no rule names."""
    edges = set(_edges(filter_.lane(traffic), filter_.tables, filter_.book, "sources", traffic))
    classes = partition(edges, public(traffic.family))
    return Addresses((max(classes, key=lambda span: span[1] - span[0]),), stranger=True)


def _witnesses(outcome: Outcome, wanted: int) -> Iterable[Rule]:
    """The last rules that may let in what is asked about, a few of them."""
    passing = (each.rule for each in reversed(outcome.passages) if each.action == "pass" and each.maybe & wanted)
    return [rule for rule, _ in zip(passing, range(MOST_WITNESSES), strict=False)]


def _sources_of(rule: Rule, filter_: Filter, traffic: Traffic) -> Iterator[Addresses]:
    """Sources that a rule lets in, one of each kind."""
    for peer in rule.sources[:8]:
        if peer.negated or peer.kind == "any":
            yield _somebody(filter_, traffic)
        elif peer.kind == "net" and peer.family == traffic.family:
            yield Addresses(((peer.low, peer.low),))
        elif peer.kind == "interface":
            yield Addresses(neighbour=True)
        elif peer.kind == "table":
            yield from (Addresses((span,)) for span in filter_.book.pieces(filter_.tables.get(peer.name), traffic.family)[:4])
    if not rule.sources:
        yield _somebody(filter_, traffic)


def _grouped(outcome: Outcome, classes: int, axis: Axis, *, sure: bool) -> Iterator[OpenPorts]:
    """The classes by the rule that lets them in."""
    groups: dict[int, tuple[Rule | None, int]] = {}
    for number in _bits(classes):
        bit = 1 << number
        rule, doubts = outcome.deciding(bit)
        if not sure and doubts:
            rule = next((each for each in doubts if each.action != "block"), rule)
        before = groups.get(id(rule), (rule, 0))[1]
        groups[id(rule)] = (rule, before | bit)
    for rule, mask in groups.values():
        yield OpenPorts(tuple(axis.chosen(mask)), rule, sure)
