"""The whole space of packets that rulesets can tell apart, cut into cells within which all packets fare alike.

A field's values are put together where the same rules match them, so that there are as many cells as there are differences,
not as many as there are addresses and ports: nothing is sampled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailaudit.models.pf.addresses import public
from mailaudit.models.pf.eval import Evaluation, Filter, Lane, LaneAnchor, Outcome
from mailaudit.models.pf.match import Matcher
from mailaudit.models.pf.rules import Rule, Table
from mailaudit.models.pf.traffic import ALL_PORTS, Addresses, Axis, Traffic, everyone, partition
from mailaudit.models.pf.values import TCP, UDP, Range, merged

WITH_PORTS = frozenset((TCP, UDP))


@dataclass(frozen=True, slots=True)
class Cell:
    """Packets that fare alike but for their target ports: what they are, and what becomes of them in each ruleset.

    `traffic` stands for all of them, its target ports the classes of its axis.
    """

    traffic: Traffic
    sources: tuple[Addresses, ...]
    targets: tuple[Addresses, ...]
    source_ports: tuple[Range, ...]
    outcomes: tuple[Outcome, ...]

    def ports(self, classes: int) -> tuple[Range, ...]:
        """The target ports of some classes; none for protocols without ports."""
        return tuple(self.traffic.classes.chosen(classes)) if self.traffic.axis else ()


@dataclass(frozen=True, slots=True)
class _Group:
    """Values of one field that the same rules match: one that stands for them, all of them, and who may match."""

    like: Addresses
    all: tuple[Addresses, ...]
    keeps: tuple[frozenset[int] | None, ...]  # for each ruleset the entries that may match beside those in `always`; None: all


@dataclass(frozen=True, slots=True)
class _Cut:
    """One field cut into groups; `always` are for each ruleset the entries that may match anything."""

    groups: tuple[_Group, ...]
    always: tuple[frozenset[int], ...]


@dataclass
class _Lanes:
    """The rulesets' lanes for packets of one kind, and the rules in them with the number of the entry that they stand in."""

    filters: Sequence[Filter]
    lanes: Sequence[Lane]
    rules: list[list[tuple[int, Rule, Mapping[str, Table]]]] = field(default_factory=list)

    @classmethod
    def of(cls, filters: Sequence[Filter], traffic: Traffic) -> _Lanes:
        made = cls(filters, [each.lane(replace(traffic, axis="target_ports")) for each in filters])
        for filter_, path in zip(filters, made.lanes, strict=True):
            made.rules.append(list(_numbered(path, filter_.tables)))
        return made

    def translates(self, what: str) -> bool:
        """True if a `match` rule translates a packet's addresses or ports on the way: `nat` its source, `rdr` its target."""
        return any(
            rule.action == "match" and getattr(rule.options, what) is not None for each in self.rules for _, rule, _ in each
        )

    def edges(self, side: str, family: int, within: Sequence[Range]) -> set[Range]:
        """The networks that the rules name at one end; of tables those that meet some ranges."""
        found: set[Range] = set()
        for filter_, rules in zip(self.filters, self.rules, strict=True):
            book = filter_.book
            for _, rule, tables in rules:
                for peer in getattr(rule, side):
                    if peer.kind == "net" and peer.family == family:
                        found.add((peer.low, peer.high))
                    elif peer.kind == "table":
                        found.update(book.pieces_in(within, tables.get(peer.name), family))
                    else:
                        found.update(book.edges(peer, family))
        return found


def _numbered(path: Lane, tables: Mapping[str, Table], at: int | None = None) -> Iterator[tuple[int, Rule, Mapping[str, Table]]]:
    for number, entry in enumerate(path.entries):
        own = number if at is None else at
        if isinstance(entry, LaneAnchor):
            yield own, entry.anchor.rule, tables
            if entry.body is not None:
                yield from _numbered(entry.body, {**tables, **entry.anchor.tables}, own)
        else:
            yield own, entry, tables


def whole(family: int, *, strangers: bool) -> tuple[Addresses, ...]:
    """All addresses of a family; with `strangers` those of the Internet are told to be such."""
    if not strangers:
        return (everyone(family),)
    rest: list[Range] = []
    at = 0
    for low, high in public(family):
        if at < low:
            rest.append((at, low - 1))
        at = high + 1
    last = everyone(family).ranges[0][1]
    if at <= last:
        rest.append((at, last))
    return Addresses(public(family), stranger=True), Addresses(tuple(rest))


def cells(
    filters: Sequence[Filter],
    kind: Traffic,
    sources: Sequence[Addresses],
    targets: Sequence[Addresses],
    tags: Iterable[str] = (),
) -> Iterator[Cell]:
    """The cells of packets of one kind (direction, interface, family, protocol, ICMP type, flags) between two sets of ends.

    Ends that are one notion, as the interface's own addresses, stay in one piece. `tags` are those that packets may bring along.
    """
    lanes = _Lanes.of(filters, kind)
    has_ports = kind.protocol in WITH_PORTS
    axis = Axis(partition(_spans(lanes, "target_ports"), kind.target_ports if has_ports else ALL_PORTS))
    near = _cut(lanes, kind, "targets", targets)
    ports = list(_source_ports(lanes, kind.source_ports)) if has_ports else [ALL_PORTS]
    narrow = (not lanes.translates("nat"), not lanes.translates("rdr"))
    far = _cut(lanes, kind, "sources", sources)
    for source in far.groups:
        for target in near.groups:
            ends = ((far, source, narrow[0]), (near, target, narrow[1]))
            kept = [_kept(path, ends, number) for number, path in enumerate(lanes.lanes)]
            for own in ports:
                traffic = replace(kind, sources=source.like, targets=target.like, source_ports=own)
                if has_ports:
                    traffic = replace(traffic, axis="target_ports", classes=axis)
                outcomes = [
                    Evaluation(traffic, each.book, logs=True, tags=tags).run(path, each.tables)
                    for each, path in zip(filters, kept, strict=True)
                ]
                yield Cell(traffic, source.all, target.all, own if has_ports else (), tuple(outcomes))


def _kept(path: Lane, ends: Sequence[tuple[_Cut, _Group, bool]], number: int) -> Lane:
    """The lane without the entries that do not match at one end; where translations change an end, it tells nothing."""
    left: frozenset[int] | None = None
    for cut, group, narrows in ends:
        keeps = group.keeps[number]
        if narrows and keeps is not None:
            own = keeps | cut.always[number]
            left = own if left is None else left & own
    if left is None or len(left) == len(path.entries):
        return path
    return Lane(tuple(path.entries[each] for each in sorted(left)))


def _spans(lanes: _Lanes, name: str) -> set[Range]:
    return {span for rules in lanes.rules for _, rule, _ in rules for span in getattr(rule, name)}


def _source_ports(lanes: _Lanes, over: Sequence[Range]) -> Iterator[tuple[Range, ...]]:
    """The source ports that the same rules match."""
    axis = Axis(partition(_spans(lanes, "source_ports"), over))
    listed = {rule.source_ports for rules in lanes.rules for _, rule, _ in rules if rule.source_ports}
    alike: dict[tuple[int, ...], list[Range]] = {}
    masks = [_ports_mask(axis, ranges) for ranges in listed]
    for number, span in enumerate(axis.ranges):
        alike.setdefault(tuple(mask >> number & 1 for mask in masks), []).append(span)
    yield from (merged(spans) for spans in alike.values())


def _ports_mask(axis: Axis, ranges: Iterable[Range]) -> int:
    mask = 0
    for low, high in ranges:
        mask |= axis.masks(low, high)[0]
    return mask


_LAST: dict[tuple[object, ...], _Cut] = {}
MOST_REMEMBERED = 4


def _cut(lanes: _Lanes, kind: Traffic, side: str, parts: Sequence[Addresses]) -> _Cut:
    """Addresses in groups that the same rules match. The last ones are kept: many kinds of packets have the same rules."""
    key = (kind.interface, kind.family, side, *parts, *(path.entries for path in lanes.lanes))
    known = _LAST.get(key)
    if known is None:
        known = _cut_anew(lanes, kind, side, parts)
        while len(_LAST) >= MOST_REMEMBERED:
            del _LAST[next(iter(_LAST))]
        _LAST[key] = known
    return known


def _cut_anew(lanes: _Lanes, kind: Traffic, side: str, parts: Sequence[Addresses]) -> _Cut:
    edges = lanes.edges(side, kind.family, [span for part in parts for span in part.ranges])
    groups: list[_Group] = []
    always = tuple(
        frozenset(number for number, rule, _ in rules if not getattr(rule, side)) | _anchors(path)
        for path, rules in zip(lanes.lanes, lanes.rules, strict=True)
    )
    for part in parts:
        if not part.ranges:
            groups.append(_Group(part, (part,), tuple(None for _ in lanes.lanes)))
            continue
        axis = Axis(partition(edges, part.ranges))
        seen = replace(kind, axis=side, classes=axis, sources=part, targets=part)
        groups += _alike(lanes, seen, side, part)
    return _Cut(tuple(groups), always)


def _anchors(path: Lane) -> frozenset[int]:
    return frozenset(number for number, entry in enumerate(path.entries) if isinstance(entry, LaneAnchor))


def _alike(lanes: _Lanes, seen: Traffic, side: str, part: Addresses) -> Iterator[_Group]:
    axis = seen.classes
    half = len(axis.ranges) // 2
    codes: dict[tuple[int, bool], int] = {}
    classes: list[list[int]] = [[] for _ in axis.ranges]
    entries: list[dict[int, list[int]]] = [{} for _ in lanes.lanes]  # of each ruleset by code; those that match most have none
    dense: list[set[int]] = [set() for _ in lanes.lanes]
    for which, (filter_, rules) in enumerate(zip(lanes.filters, lanes.rules, strict=True)):
        matcher = Matcher(seen, filter_.book)
        for number, rule, tables in rules:
            peers = getattr(rule, side)
            if not peers:
                continue
            for mask, is_maybe in zip(matcher.peers(side, peers, tables), (False, True), strict=True):
                inverted = mask.bit_count() > half
                code = codes.get((mask, is_maybe))
                if code is None:
                    code = codes[mask, is_maybe] = len(codes)
                    for each in bits(axis.all & ~mask if inverted else mask):
                        classes[each].append(code)
                if is_maybe and inverted:
                    dense[which].add(number)
                elif is_maybe:
                    entries[which].setdefault(code, []).append(number)
    alike: dict[tuple[int, ...], list[Range]] = {}
    for own, span in zip(classes, axis.ranges, strict=True):
        alike.setdefault(tuple(own), []).append(span)
    for own_codes, spans in alike.items():
        keeps = tuple(
            frozenset(dense[which].union(*(entries[which].get(code, ()) for code in own_codes)))
            for which in range(len(lanes.lanes))
        )
        yield _Group(replace(part, ranges=(spans[0],)), (replace(part, ranges=merged(spans)),), keeps)


def bits(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, the lowest first."""
    text = bin(mask)[:1:-1]
    at = text.find("1")
    while at >= 0:
        yield at
        at = text.find("1", at + 1)
