"""pf.conf: what is said of the whole space of packets, beside the verdicts of single packets at every boundary in it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mailaudit.models.interfaces import Interface
from mailaudit.models.pf.addresses import public
from mailaudit.models.pf.config import Decision, Ruleset
from mailaudit.models.pf.difference import Parting, difference
from mailaudit.models.pf.packet import Packet
from mailaudit.models.pf.reachable import Region, interfaces_of, own_addresses, reachable
from mailaudit.models.pf.rules import Anchor, Entry, Rule, Table
from mailaudit.models.pf.traffic import Addresses, Traffic
from mailaudit.models.pf.values import ICMP, ICMP6, MAX_PORT, REPLIES, TCP, UDP, WIDTH, Range

OPEN = frozenset(["pass", "skip", "default"])
OTHER_PROTOCOLS = (2, 132, 253)
PORTS = (TCP, UDP)


@dataclass(frozen=True, slots=True)
class Ends:
    """The boundaries of some rulesets, one beside each on both sides: addresses by family, and ports."""

    addresses: dict[int, list[int]]
    source_ports: list[int]
    ports: list[int]
    protocols: list[int]
    icmp: dict[int, list[tuple[int, int]]]


def conditions(entries: Iterable[Entry]) -> Iterator[Rule]:
    """All rules, and the conditions of anchors."""
    for entry in entries:
        if isinstance(entry, Anchor):
            yield entry.rule
            yield from conditions(entry.body or ())
        else:
            yield entry


def _tables(entries: Iterable[Entry]) -> Iterator[Table]:
    for entry in entries:
        if isinstance(entry, Anchor):
            yield from entry.tables.values()
            yield from _tables(entry.body or ())


def _beside(spans: Iterable[Range], least: int, most: int) -> list[int]:
    edges = {each for low, high in spans for each in (low - 1, low, low + 1, high - 1, high, high + 1)}
    return sorted(each for each in edges if least <= each <= most)


def ends(rulesets: Sequence[Ruleset]) -> Ends:
    """What the rules, tables and interfaces of rulesets tell apart, read from them anew."""
    rules = [rule for ruleset in rulesets for rule in conditions(ruleset.entries)]
    tables = [table for each in rulesets for table in (*each.tables.values(), *_tables(each.entries))]
    peers = [peer for rule in rules for peer in (*rule.sources, *rule.targets)]
    peers += [peer for rule in rules for way in (rule.options.nat, rule.options.rdr) if way is not None for peer in way.targets]
    peers += [peer for table in tables for peer in table.entries]
    spans: dict[int, list[Range]] = {family: [*public(family), (0, (1 << WIDTH[family]) - 1)] for family in (4, 6)}
    for peer in peers:
        if peer.kind == "net":
            spans[peer.family].append((peer.low, peer.high))
    for ruleset in rulesets:
        for interface in ruleset.interfaces.known:
            for address in interface.addresses or ():
                spans[address.family] += [(address.value, address.value), address.network()]
    named = {(kind, code or 0) for rule in rules for kind, code in rule.options.icmp}
    types = {each for kind, _ in named for each in (kind - 1, kind, kind + 1)} | {0, 3, 8, 9, 11, 128, 129, 135, 136, 254, 255}
    codes = {code for _, code in named} | {0, 1, 255}
    every = {(kind, code) for kind in types for code in codes if 0 <= kind <= MAX_PORT >> 8} | named
    return Ends(
        {family: _beside(each, 0, (1 << WIDTH[family]) - 1) for family, each in spans.items()},
        _beside({(0, MAX_PORT), (1024, MAX_PORT), *(span for rule in rules for span in rule.source_ports)}, 0, MAX_PORT),
        _beside({(1, MAX_PORT), *(span for rule in rules for span in rule.target_ports)}, 1, MAX_PORT),
        sorted(({number for rule in rules for number in rule.protocols} | {TCP, UDP, *OTHER_PROTOCOLS}) - {ICMP, ICMP6}),
        {4: sorted(every), 6: sorted(every)},
    )


@dataclass(frozen=True, slots=True)
class Way:
    """Packets of one direction over one interface in one family."""

    ruleset: Ruleset
    direction: str
    interface: Interface
    family: int

    def traffic(self, protocol: int, other: int, own: Addresses) -> Traffic:
        """Packets between another address and one of the host's."""
        strange = self.interface in self.ruleset.egress and any(low <= other <= high for low, high in public(self.family))
        far = Addresses(((other, other),), stranger=strange)
        sources, targets = (far, own) if self.direction == "in" else (own, far)
        return Traffic(self.direction, self.interface, self.family, protocol, sources, targets)


def ways(ruleset: Ruleset, interfaces: Sequence[Interface]) -> Iterator[tuple[Way, tuple[Addresses, ...]]]:
    """All ways to and from the host, with its own addresses."""
    for direction in ("in", "out"):
        for interface in interfaces:
            for family in (4, 6):
                own = own_addresses(ruleset, interface, family)
                if own:
                    yield Way(ruleset, direction, interface, family), own


def points(way: Way, own: Sequence[Addresses], at: Ends, chance: random.Random, share: float = 1.0) -> Iterator[Traffic]:
    """One packet for each address, protocol, and port or ICMP type; the host's addresses and the source ports by turns.

    A `share` of them, if less than 1.
    """
    family = way.family
    for other in at.addresses[family]:
        for protocol in at.protocols:
            base = way.traffic(protocol, other, own[0])
            for port in at.ports if protocol in PORTS else (0,):
                if share == 1 or chance.random() < share:
                    yield _at(way, base, chance.choice(own), chance.choice(at.source_ports) if port else 0, port)
        base = way.traffic(ICMP if family == 4 else ICMP6, other, own[0])
        for kind in at.icmp[family]:
            if share == 1 or chance.random() < share:
                yield replace(_at(way, base, chance.choice(own)), icmp=kind)
    for mine in own:
        for source_port in at.source_ports:
            for protocol in PORTS:
                base = way.traffic(protocol, chance.choice(at.addresses[family]), mine)
                yield _at(way, base, mine, source_port, chance.choice(at.ports))


def every_port(way: Way, own: Sequence[Addresses], at: Ends, chance: random.Random, _share: float = 1.0) -> Iterator[Traffic]:
    """A packet to each port there is, of TCP and of UDP, from and to some address."""
    for protocol in PORTS:
        mine = chance.choice(own)
        base = way.traffic(protocol, chance.choice(at.addresses[way.family]), mine)
        source_port = chance.choice(at.source_ports)
        for port in range(1, MAX_PORT + 1):
            yield _at(way, base, mine, source_port, port)


def _at(way: Way, base: Traffic, own: Addresses, source_port: int = 0, port: int = 0) -> Traffic:
    sources, targets = (base.sources, own) if way.direction == "in" else (own, base.targets)
    ports = ((source_port, source_port),), ((port, port),)
    return replace(base, sources=sources, targets=targets, source_ports=ports[0], target_ports=ports[1])


def verdict(ruleset: Ruleset, traffic: Traffic) -> Decision:
    """The verdict of one packet, as the evaluator of packets has it."""
    return ruleset.verdict(Packet(traffic.interface.name, traffic))


class Regions:
    """Regions or partings, found by what a packet is."""

    def __init__(self, rulesets: Sequence[Ruleset], found: Iterable[Region | Parting]) -> None:
        rules = [rule for ruleset in rulesets for rule in conditions(ruleset.entries)]
        self.protocols = {number for rule in rules for number in rule.protocols} | {TCP, UDP}
        self.icmp: dict[int, set[tuple[int, int | None]]] = {
            family: {(kind, None) for kind in REPLIES[family]} for family in (4, 6)
        }
        for rule in rules:
            for kind, code in rule.options.icmp:
                self.icmp[rule.options.icmp_family] |= {(kind, code), (kind, None)}
        self._ways: dict[tuple[object, ...], dict[object, list[Region | Parting]]] = {}
        for each in found:
            way = self._ways.setdefault((each.direction, each.interface.name, each.interface.groups, each.family), {})
            way.setdefault((each.protocol, each.icmp), []).append(each)

    def of(self, at: Traffic) -> list[Region | Parting]:
        """Those that a packet lies in."""
        way = self._ways.get((at.direction, at.interface.name, at.interface.groups, at.family), {})
        skipped = [each for each in way.get((None, None), ()) if isinstance(each, Region) and each.skip is not None]
        return [*skipped] or [each for each in way.get(self._kind(at), ()) if _holds(each, at)]

    def _kind(self, at: Traffic) -> tuple[int | None, tuple[int | None, int | None] | None]:
        """The kind that names a packet most closely; None for what no rule names."""
        if at.icmp is None:
            return (at.protocol if at.protocol in self.protocols else None), None
        kind, code = at.icmp
        if (kind, code) in self.icmp[at.family]:
            return at.protocol, (kind, code)
        return at.protocol, (kind if (kind, None) in self.icmp[at.family] else None, None)


def _holds(each: Region | Parting, at: Traffic) -> bool:
    far, near = (at.sources, at.targets) if at.direction == "in" else (at.targets, at.sources)
    value = far.ranges[0][0]
    if not any(low <= value <= high for part in each.others for low, high in part.ranges):
        return False
    if near.own:
        inside = any(part.own for part in each.own)
    else:
        inside = any(low <= near.ranges[0][0] <= high for part in each.own for low, high in part.ranges)
    if not inside or at.protocol not in PORTS:
        return inside
    pairs = ((each.source_ports, at.source_ports), (each.ports, at.target_ports))
    return all(any(low <= port[0][0] <= high for low, high in ports) for ports, port in pairs)


def not_as_said(ruleset: Ruleset, regions: Regions, at: Traffic) -> str:
    """What is wrong with the region of a packet, by the packet's own verdict."""
    decision = verdict(ruleset, at)
    found = regions.of(at)
    said = [each for each in found if isinstance(each, Region)]
    if decision.action in OPEN:
        right = len(said) == 1 and said[0].sure and (said[0].skip is not None or said[0].rule is decision.rule)
    elif decision.action == "in-doubt":
        right = len(said) == 1 and not said[0].sure and bool(said[0].doubts)
        right = right and (said[0].rule is None or said[0].rule in decision.doubts)
    else:
        right = not said
    told = [("sure" if each.sure else "in doubt", _line(each.rule)) for each in said]
    return "" if right else f"{decision.action} by line {_line(decision.rule)}, but {told}: {in_words(at)}"


def not_parted(before: Ruleset, after: Ruleset, partings: Regions, at: Traffic) -> str:
    """What is wrong with the difference of two rulesets at a packet."""
    fates = [_fate(verdict(each, at)) for each in (before, after)]
    found = [(each.before, each.after) for each in partings.of(at) if isinstance(each, Parting)]
    expected = [(fates[0], fates[1])] if fates[0] != fates[1] else []
    return "" if found == expected else f"{fates}, but {found}: {in_words(at)}"


def _fate(decision: Decision) -> str:
    return "pass" if decision.action in OPEN else decision.action


def _line(rule: Rule | None) -> int:
    return rule.statement.span.line if rule is not None else 0


def in_words(at: Traffic) -> str:
    """A packet in words, for the one who looks why."""
    ends_ = [f"{each.ranges[0][0]:x}" if each.ranges else "self" for each in (at.sources, at.targets)]
    where = f"{at.direction} on {at.interface.name or set(at.interface.groups)} {at.family} proto {at.protocol}"
    return f"{where} {ends_[0]} port {at.source_ports[0][0]} to {ends_[1]} port {at.target_ports[0][0]} icmp {at.icmp}"


def compared(ruleset: Ruleset, seed: str, *, all_ports: bool = False, share: float = 1.0) -> tuple[int, list[str]]:
    """How many packets were compared with `reachable()`, and what was wrong; a `share` of them, if less than 1."""
    chance = random.Random(seed)
    regions = Regions([ruleset], reachable(ruleset))
    at = ends([ruleset])
    tried = 0
    wrong: list[str] = []
    for way, own in ways(ruleset, interfaces_of(ruleset)):
        if all_ports:
            ruleset.__dict__.pop("filter", None)  # it remembers a lane for each port
        for packet in (every_port if all_ports else points)(way, own, at, chance, share):
            tried += 1
            why = not_as_said(ruleset, regions, packet)
            if why:
                wrong.append(why)
    return tried, wrong


def parted(before: Ruleset, after: Ruleset, seed: str, share: float = 1.0) -> tuple[int, list[str]]:
    """As `compared`, for `difference()`."""
    chance = random.Random(seed)
    partings = Regions([before, after], difference(before, after))
    at = ends([before, after])
    tried = 0
    wrong: list[str] = []
    for way, own in ways(before, interfaces_of(before)):
        for packet in points(way, own, at, chance, share):
            tried += 1
            why = not_parted(before, after, partings, packet)
            if why:
                wrong.append(why)
    return tried, wrong
