"""Whether addresses are among those of a rule: networks, tables, interfaces; in three values, for not all is known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mailaudit.models.interfaces import LOOPBACK, Interface
from mailaudit.models.pf.rules import Table
from mailaudit.models.pf.traffic import Addresses
from mailaudit.models.pf.values import WIDTH, Peer, Range

Told = tuple[bool, bool]  # all of them match, some of them may
NEVER: Told = (False, False)
SURELY: Told = (True, True)
MAYBE: Told = (False, True)
LINK_LOCAL = 0xFE80 >> 6  # the first ten bits
_PRIVATE = {
    4: ((0x0A000000, 0x0AFFFFFF), (0xAC100000, 0xAC1FFFFF), (0xC0A80000, 0xC0A8FFFF), (0x64400000, 0x647FFFFF)),
    6: ((0xFC << 120, (0xFE << 120) - 1),),
}
_ODD = {  # networks that send nothing over the Internet: this host, loopback, link-local, benchmarks, multicast, reserved
    4: ((0, 0x00FFFFFF), (0x7F000000, 0x7FFFFFFF), (0xA9FE0000, 0xA9FEFFFF), (0xC6120000, 0xC613FFFF), (0xE0000000, 0xFFFFFFFF)),
    6: (),
}


def public(family: int) -> tuple[Range, ...]:
    """The addresses that packets from the Internet come from; those kept for documentation count as such."""
    if family == 6:
        return ((0x2 << 124, (0x4 << 124) - 1),)
    holes = sorted((*_PRIVATE[4], *_ODD[4]))
    found: list[Range] = []
    at = 0
    for low, high in holes:
        if at < low:
            found.append((at, low - 1))
        at = high + 1
    return tuple(found)


def is_private(family: int, value: int) -> bool:
    """True for addresses of private networks and of this link."""
    return any(low <= value <= high for low, high in (*_PRIVATE[family], *_ODD[family])) or (
        family == 6 and value >> 118 == LINK_LOCAL
    )


class Members:
    """The members of a table in one family: the most specific entry decides for an address."""

    def __init__(self, nets: Sequence[tuple[int, int, bool]]) -> None:
        pieces: list[tuple[int, int, bool]] = []
        open_nets: list[tuple[int, bool]] = []
        at = 0
        for low, high, member in sorted(nets, key=lambda net: (net[0], -net[1])):
            while open_nets and open_nets[-1][0] < low:
                end, before = open_nets.pop()
                at = _piece(pieces, at, end, member=before)
            if open_nets:
                _piece(pieces, at, low - 1, member=open_nets[-1][1])
            at = low
            open_nets.append((high, member))
        while open_nets:
            end, before = open_nets.pop()
            at = _piece(pieces, at, end, member=before)
        self.pieces = [(low, high) for low, high, member in pieces if member]
        self._lows = [low for low, _ in self.pieces]

    def against(self, addresses: Addresses) -> Told:
        """Whether all, and whether some, of the addresses are members."""
        inside, some = True, False
        for low, high in addresses.ranges:
            at = bisect_right(self._lows, low) - 1
            if at >= 0 and self.pieces[at][1] >= low:
                some = True
                inside = inside and self._covers(at, high)
                continue
            inside = False
            some = some or (at + 1 < len(self.pieces) and self.pieces[at + 1][0] <= high)
        return (inside and some), some

    def within(self, low: int, high: int) -> Sequence[Range]:
        """Those that meet a range."""
        first = bisect_right(self._lows, low) - 1
        if first < 0 or self.pieces[first][1] < low:
            first += 1
        return self.pieces[first : bisect_right(self._lows, high)]

    def _covers(self, at: int, high: int) -> bool:
        reached = self.pieces[at][1]
        while reached < high and at + 1 < len(self.pieces) and self.pieces[at + 1][0] == reached + 1:
            at += 1
            reached = self.pieces[at][1]
        return reached >= high


def _piece(pieces: list[tuple[int, int, bool]], low: int, high: int, *, member: bool) -> int:
    if low <= high:
        pieces.append((low, high, member))
    return max(low, high + 1)


@dataclass(frozen=True)
class KnownTable:
    """A table's members by family, and whether there may be more that are not known."""

    members: Mapping[int, Members]
    complete: bool


class AddressBook:
    """Knows the tables of a ruleset and the interfaces of the host."""

    def __init__(self, interfaces: Sequence[Interface], read_table: Callable[[Table], tuple[list[Peer], bool]]) -> None:
        self.interfaces = interfaces
        self._read_table = read_table
        self._tables: dict[int, tuple[Table, KnownTable]] = {}  # with the table itself, lest another one get its id

    def told(self, addresses: Addresses, peer: Peer, family: int, on: Interface, tables: Mapping[str, Table]) -> Told:
        """Whether all, and whether some, of the addresses match an item of `from` or `to`."""
        if peer.kind == "any":
            return SURELY
        if peer.family and peer.family != family:
            return NEVER
        every, some = self._plain(addresses, peer, family, on, tables)
        return (not some, not every) if peer.negated else (every, some)

    def addresses(self, peer: Peer, family: int) -> list[Range] | None:
        """The addresses of an interface or group that a packet is translated to, or None if they are not known."""
        named = [each for each in self.interfaces if peer.name == "self" or each.called(peer.name)]
        if peer.kind != "interface" or not named or any(each.addresses is None for each in named):
            return None
        return [span for each in named for span in _ranges(each, peer, family)]

    def edges(self, peer: Peer, family: int) -> list[Range]:
        """The addresses that an interface's name, or `localhost`, may stand for on any interface, as far as they are known."""
        if peer.kind == "name" and peer.name == "localhost":
            return [(each.value, each.value) for each in LOOPBACK.addresses or () if each.family == family]
        if peer.kind != "interface":
            return []
        named = [each for each in self.interfaces if peer.name == "self" or each.called(peer.name)]
        return [span for each in named for span in _ranges(each, peer, family, each)]

    def pieces(self, table: Table | None, family: int) -> list[Range]:
        """The members of a table, as far as they are known."""
        members = self._members(table).members.get(family) if table is not None else None
        return members.pieces if members is not None else []

    def pieces_in(self, spans: Sequence[Range], table: Table | None, family: int) -> Iterator[Range]:
        """The members of a table that meet some ranges, as far as they are known."""
        members = self._members(table).members.get(family) if table is not None else None
        if members is not None:
            for low, high in spans:
                yield from members.within(low, high)

    def complete(self, table: Table | None) -> bool:
        """True if all members of a table are known."""
        return table is not None and self._members(table).complete

    def _members(self, table: Table) -> KnownTable:
        known = self._tables.get(id(table))
        if known is None:
            known = self._tables[id(table)] = table, self._known(table)
        return known[1]

    def _plain(self, addresses: Addresses, peer: Peer, family: int, on: Interface, tables: Mapping[str, Table]) -> Told:
        kind = peer.kind
        if kind == "net":
            return self._net(addresses, peer, family)
        if kind == "table":
            return self._table(addresses, tables.get(peer.name), family)
        if kind == "interface":
            return self._interface(addresses, peer, family, on)
        if kind == "name" and peer.name == "localhost":
            return self._among(addresses, [(a.value, a.value) for a in LOOPBACK.addresses or () if a.family == family])
        if kind in ("no-route", "urpf-failed") and (addresses.stranger or addresses.own or addresses.neighbour):
            return (
                NEVER  # a stranger's packets come over the default route, and so would the answers go; a neighbour is on the link
            )
        return MAYBE

    def _net(self, addresses: Addresses, peer: Peer, family: int) -> Told:
        if peer.low == 0 and peer.high == (1 << WIDTH[family]) - 1:
            return SURELY
        if addresses.own:  # where nothing is recorded, a public address that the file names as a target is the host's own
            single = peer.low == peer.high and not is_private(family, peer.low)
            return SURELY if single else MAYBE
        if addresses.neighbour and not addresses.ranges:
            return MAYBE
        return addresses.against(peer.low, peer.high)

    def _among(self, addresses: Addresses, ranges: Sequence[Range]) -> Told:
        if addresses.own or addresses.neighbour:
            return NEVER
        found = [addresses.against(low, high) for low, high in ranges]
        return any(every for every, _ in found), any(some for _, some in found)

    def _interface(self, addresses: Addresses, peer: Peer, family: int, on: Interface) -> Told:
        kinds = set(peer.modifiers) - {"0"}
        named = [each for each in self.interfaces if peer.name == "self" or each.called(peer.name)]
        if addresses.neighbour and addresses.ranges:  # link-local: neither the host's own nor in what `:network` stands for
            return NEVER if peer.bits is None else MAYBE
        if addresses.own or addresses.neighbour:
            same = peer.name == "self" or on.called(peer.name)
            wanted = not kinds or "network" in kinds if addresses.own else "network" in kinds or peer.bits is not None
            return SURELY if same and wanted else NEVER
        known = [each for each in named if each.addresses is not None]
        ranges = [span for each in known for span in _ranges(each, peer, family, on)]
        every, some = self._among(addresses, ranges)
        if len(known) < len(named) or not named:
            return every, some or not addresses.stranger
        return every, some

    def _table(self, addresses: Addresses, table: Table | None, family: int) -> Told:
        if table is None:
            return NEVER
        known = self._members(table)
        members = known.members.get(family)
        if addresses.own or (addresses.neighbour and not addresses.ranges):
            return MAYBE if (members is not None and members.pieces) or not known.complete else NEVER
        every, some = members.against(addresses) if members is not None else NEVER
        return every, some or not known.complete

    def _known(self, table: Table) -> KnownTable:
        peers, complete = self._read_table(table)
        nets: dict[int, list[tuple[int, int, bool]]] = {4: [], 6: []}
        for peer in peers:
            if peer.kind == "net":
                nets[peer.family].append((peer.low, peer.high, not peer.negated))
                continue
            named = [each for each in self.interfaces if peer.name == "self" or each.called(peer.name)]
            if peer.kind != "interface" or not named or any(each.addresses is None for each in named):
                complete = False
                continue
            for family in (4, 6):
                for each in named:
                    nets[family] += [(low, high, not peer.negated) for low, high in _ranges(each, peer, family)]
        return KnownTable({family: Members(found) for family, found in nets.items() if found}, complete)


def _ranges(interface: Interface, peer: Peer, family: int, on: Interface | None = None) -> list[Range]:
    """What an interface's name stands for. Its link-local address counts for a static name on that interface alone."""
    kinds = set(peer.modifiers) - {"0"}
    bits = peer.bits
    found: list[Range] = []
    for address in interface.addresses or ():
        if address.family != family:
            continue
        elsewhere = bool(kinds) or peer.dynamic or on is None or on.name != interface.name
        if family == 6 and address.value >> 118 == LINK_LOCAL and elsewhere:
            continue
        if "network" in kinds:
            found.append(address.network())
        elif "broadcast" in kinds:
            found += [(address.broadcast, address.broadcast)] if address.broadcast is not None else []
        elif "peer" in kinds:
            found += [(address.peer, address.peer)] if address.peer is not None else []
        elif bits is not None and bits <= WIDTH[family]:
            size = 1 << (WIDTH[family] - bits)
            low = address.value // size * size
            found.append((low, low + size - 1))
        else:
            found.append((address.value, address.value))
    return found
