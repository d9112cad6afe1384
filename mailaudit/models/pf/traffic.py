"""Traffic as pf is asked about it: packets of one kind, one of whose fields may run over many classes at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from mailaudit.models.interfaces import Interface
from mailaudit.models.pf.rules import SYN
from mailaudit.models.pf.values import MAX_PORT, WIDTH, Range

Masks = tuple[int, int]  # bit sets of classes: those that surely match, those that may


@dataclass(frozen=True, slots=True)
class Addresses:
    """A set of addresses of one family: ranges of numbers in order, or what is known by its part in the network only.

    `own` is an address of the interface itself, `neighbour` one of its network (with ranges, a
    link-local one); `stranger` is any address out in the Internet, neither of this host nor of a network that it is in.
    """

    ranges: tuple[Range, ...] = ()
    own: bool = False
    neighbour: bool = False
    stranger: bool = False

    def against(self, low: int, high: int) -> tuple[bool, bool]:
        """Whether all of it, and whether some of it, lies in a range."""
        some = any(first <= high and last >= low for first, last in self.ranges)
        return some and all(low <= first and last <= high for first, last in self.ranges), some


def everyone(family: int) -> Addresses:
    """All addresses of a family."""
    return Addresses(((0, (1 << WIDTH[family]) - 1),))


ALL_PORTS: tuple[Range, ...] = ((0, MAX_PORT),)
CLIENT_PORTS: tuple[Range, ...] = ((1024, MAX_PORT),)


class Axis:
    """Disjoint ranges in order: the classes of one field. A bit set has a bit for each, the first the lowest."""

    def __init__(self, ranges: Sequence[Range]) -> None:
        self.ranges = ranges
        self._lows = [low for low, _ in ranges]
        self._highs = [high for _, high in ranges]
        self.all = (1 << len(ranges)) - 1

    def masks(self, low: int, high: int) -> Masks:
        """The classes that lie in a range, and those that touch it."""
        first, after, inner_first, inner_after = self._reach(low, high)
        return (1 << inner_after) - (1 << inner_first), (1 << after) - (1 << first)

    def masks_of_all(self, ranges: Iterable[Range]) -> Masks:
        """As `masks`, for those that lie in one of many ranges and those that touch one; each costs as much as is in it."""
        count = len(self.ranges)
        inside, some = bytearray(b"0") * count, bytearray(b"0") * count  # digits
        for low, high in ranges:
            first, after, inner_first, inner_after = self._reach(low, high)
            some[first:after] = b"1" * (after - first)
            inside[inner_first:inner_after] = b"1" * (inner_after - inner_first)
        return int(inside[::-1], 2), int(some[::-1], 2)

    def _reach(self, low: int, high: int) -> tuple[int, int, int, int]:
        """The first class that touches a range and the one after the last, and likewise of those that lie in it."""
        first = bisect_left(self._highs, low)
        after = bisect_right(self._lows, high)
        if first >= after:
            return 0, 0, 0, 0
        inner_first = first + (self._lows[first] < low)
        return first, after, inner_first, max(inner_first, after - (self._highs[after - 1] > high))

    def chosen(self, mask: int) -> list[Range]:
        """The ranges of a bit set, those that touch joined."""
        joined: list[Range] = []
        while mask:
            low, high = self.ranges[(mask & -mask).bit_length() - 1]
            if joined and joined[-1][1] + 1 == low:
                joined[-1] = (joined[-1][0], high)
            else:
                joined.append((low, high))
            mask &= mask - 1
        return joined


def partition(edges: Iterable[Range], over: Sequence[Range]) -> list[Range]:
    """Cuts ranges in order at the edges of others, so that each of those is made of whole classes."""
    cuts = {low for low, _ in edges} | {high + 1 for _, high in edges}
    ordered = sorted(cuts)
    pieces: list[Range] = []
    for low, high in over:
        at = low
        for number in range(bisect_right(ordered, low), bisect_right(ordered, high)):
            pieces.append((at, ordered[number] - 1))
            at = ordered[number]
        pieces.append((at, high))
    return pieces


ONE = Axis([(0, 0)])  # a single class, where no field runs over more


@dataclass(frozen=True, slots=True)
class Traffic:
    """Packets of one kind.

    `axis` names the field, `sources`, `targets`, `source_ports` or `target_ports`, that runs over the classes of `classes`; the
    other fields are one set each. `user` is the name or number of the socket's owner, `other` for one that no ruleset names,
    None if it is not known.
    """

    direction: str
    interface: Interface
    family: int
    protocol: int
    sources: Addresses
    targets: Addresses
    source_ports: tuple[Range, ...] = CLIENT_PORTS
    target_ports: tuple[Range, ...] = ALL_PORTS
    icmp: tuple[int, int] | None = None
    flags: int = SYN
    user: str | None = None
    fragment: bool = False
    ip_options: bool = False
    prio: int | None = None
    axis: str = ""
    classes: Axis = field(default=ONE, compare=False, hash=False)
