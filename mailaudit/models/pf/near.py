"""The rules that may match some of the packets between two ends, found in an index without a look at all the others."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailaudit.models.pf.addresses import AddressBook
from mailaudit.models.pf.rules import Anchor, Entry, Rule, Translation
from mailaudit.models.pf.values import MAX_PORT, WIDTH, Peer, Range, merged

Spans = tuple[Range, ...] | None  # in order and apart; None: any
AXES = ("sources", "targets", "ports")


@dataclass(frozen=True, slots=True)
class Box:
    """Packets by their source, their target and their target port."""

    sources: Spans = None
    targets: Spans = None
    ports: Spans = None


class Overlaps:
    """Ranges and whose they are: finds those that meet a range, in time for the logarithm of all and for what is found."""

    def __init__(self, items: list[tuple[int, int, int]]) -> None:
        items.sort()
        self._lows = [low for low, _, _ in items]
        self.owners = [owner for _, _, owner in items]
        self._size = 1 << max(len(items) - 1, 0).bit_length()
        highs = [high for _, high, _ in items]
        self._most = [-1] * self._size + highs + [-1] * (self._size - len(items))  # a tree: the highest end below each node
        for node in range(self._size - 1, 0, -1):
            self._most[node] = max(self._most[2 * node], self._most[2 * node + 1])

    def meeting(self, low: int, high: int) -> Iterator[int]:
        """Whose ranges meet one, some perhaps more than once."""
        end = bisect_right(self._lows, high)
        nodes = [(1, 0, self._size)]
        while nodes:
            node, first, last = nodes.pop()
            if first >= end or self._most[node] < low:
                continue
            if last - first == 1:
                yield self.owners[first]
                continue
            middle = (first + last) // 2
            nodes += ((2 * node, first, middle), (2 * node + 1, middle, last))


class Near:
    """The rules about one direction and family, each indexed by what it is narrowest in: source, target or port."""

    def __init__(self, entries: Sequence[Entry], direction: str, family: int, book: AddressBook) -> None:
        self.family = family
        self.book = book
        self._entries: list[Entry] = []
        self._ends: dict[int, int] = {}  # of anchors: the number after the last rule in them
        self._boxes: dict[int, Box] = {}
        self._wide: list[int] = []
        items: dict[str, list[tuple[int, int, int]]] = {axis: [] for axis in AXES}
        self._add(entries, direction, items)
        self._found = {axis: Overlaps(found) for axis, found in items.items()}

    def _add(self, entries: Sequence[Entry], direction: str, items: dict[str, list[tuple[int, int, int]]]) -> None:
        for entry in entries:
            rule = entry.rule if isinstance(entry, Anchor) else entry
            if (rule.direction or direction) != direction or (rule.family or self.family) != self.family:
                continue
            number = len(self._entries)
            self._entries.append(entry)
            if isinstance(entry, Anchor):
                self._boxes[number] = Box()
                self._wide.append(number)
                self._add(entry.body or (), direction, items)
                self._ends[number] = len(self._entries)
                continue
            box = self._boxes[number] = self._box(rule)
            axis = min(AXES, key=lambda each: self._share(each, getattr(box, each)))
            spans = getattr(box, axis)
            if spans is None:
                self._wide.append(number)
            else:
                items[axis] += ((low, high, number) for low, high in spans)

    def _box(self, rule: Rule) -> Box:
        return Box(
            self._spans(rule.sources), self._spans(rule.targets), merged(list(rule.target_ports)) if rule.target_ports else None
        )

    def _spans(self, peers: tuple[Peer, ...]) -> Spans:
        if not peers or any(peer.kind != "net" or peer.negated for peer in peers):
            return None
        return merged([(peer.low, peer.high) for peer in peers if peer.family == self.family])

    def _share(self, axis: str, spans: Spans) -> float:
        whole = MAX_PORT + 1 if axis == "ports" else 1 << WIDTH[self.family]
        return 2.0 if spans is None else sum(high - low + 1 for low, high in spans) / whole

    def rules(self, box: Box) -> tuple[Entry, ...]:
        """All entries that may match some of the packets, in order: rules, and anchors with those of their rules."""
        found: set[int] = set()
        while True:
            new = self._meeting(box) - found
            found |= new
            wider = box
            for number in new:
                entry = self._entries[number]
                if isinstance(entry, Rule) and entry.action == "match":
                    wider = self._translated(wider, entry)
            if wider == box:
                break
            box = wider
        return self._nested(sorted(found), 0)

    def _meeting(self, box: Box) -> set[int]:
        numbers = set(self._wide)
        for axis, index in self._found.items():
            spans = getattr(box, axis)
            if spans is None:
                numbers.update(index.owners)
            else:
                numbers.update(*(index.meeting(low, high) for low, high in spans))
        return {number for number in numbers if self._meets(self._boxes[number], box)}

    def _meets(self, one: Box, other: Box) -> bool:
        return _meet(one.sources, other.sources) and _meet(one.targets, other.targets) and _meet(one.ports, other.ports)

    def _translated(self, box: Box, rule: Rule) -> Box:
        """Packets as they are and as a `match` rule translates them: the rules below it see the new ends."""
        nat, rdr = rule.options.nat, rule.options.rdr
        sources = _both(box.sources, self._targets(nat)) if nat is not None else box.sources
        targets = _both(box.targets, self._targets(rdr)) if rdr is not None else box.targets
        ports = _both(box.ports, rdr.ports) if rdr is not None and rdr.ports else box.ports
        return Box(sources, targets, ports)

    def _targets(self, translation: Translation) -> Spans:
        found: list[Range] = []
        for peer in translation.targets:
            if peer.kind != "net":
                known = self.book.addresses(peer, self.family)
                if known is None:
                    return None
                found += known
            elif peer.family == self.family:
                found.append((peer.low, peer.high))
        return merged(found)

    def _nested(self, numbers: Sequence[int], at: int) -> tuple[Entry, ...]:
        """The entries of numbers in order, those of anchors within them."""
        entries: list[Entry] = []
        while at < len(numbers):
            number = numbers[at]
            entry = self._entries[number]
            at += 1
            if isinstance(entry, Anchor) and entry.body is not None:
                after = bisect_left(numbers, self._ends[number], at)
                entry = Anchor(entry.rule, entry.name, self._nested(numbers[at:after], 0), entry.tables)
                at = after
            entries.append(entry)
        return tuple(entries)


def _meet(one: Spans, other: Spans) -> bool:
    """True if some value is in both."""
    if one is None or other is None:
        return True
    few, many = (one, other) if len(one) < len(other) else (other, one)
    if len(many) == 1:
        return bool(few) and few[0][0] <= many[0][1] and many[0][0] <= few[0][1]
    for low, high in few:
        at = bisect_left(many, (low, low))
        if (at and many[at - 1][1] >= low) or (at < len(many) and many[at][0] <= high):
            return True
    return False


def _both(one: Spans, other: Spans) -> Spans:
    return None if one is None or other is None else merged([*one, *other])
