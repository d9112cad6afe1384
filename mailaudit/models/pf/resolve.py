"""Names in rules as pfctl resolves them when it loads: interfaces and groups to addresses, hosts to theirs.

Source: host(), ifa_lookup() and ifa_grouplookup() of pfctl_parser.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailaudit.models.interfaces import Address, Interface, Interfaces
from mailaudit.models.pf.addresses import LINK_LOCAL
from mailaudit.models.pf.values import GROUPS, USERS, WIDTH, Compared, Peer

HOSTS: Mapping[str, tuple[tuple[int, int], ...]] = {"localhost": ((4, 0x7F000001), (6, 1))}


@dataclass
class Resolver:
    """Resolves the names of a ruleset on a host with these interfaces, users and groups.

    `hosts` are others and their addresses (family and number). What is not known stays a name. Without any interfaces all names
    of interfaces stay; with some, one of no interface is none.
    """

    interfaces: Interfaces
    hosts: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=lambda: HOSTS)
    users: Mapping[str, int] = field(default_factory=lambda: USERS)
    groups: Mapping[str, int] = field(default_factory=lambda: GROUPS)

    def peers(self, peers: Sequence[Peer]) -> tuple[Peer, ...]:
        """A list of addresses with its names resolved."""
        for peer in peers:
            if peer.kind == "name" or (peer.kind == "interface" and not peer.dynamic):
                return tuple(each for peer in peers for each in self.peer(peer))
        return tuple(peers)

    def peer(self, peer: Peer) -> tuple[Peer, ...]:
        """What one item stands for."""
        if peer.kind == "interface" and not peer.dynamic and self.interfaces.known:
            return tuple(self._interface(peer))
        if peer.kind == "name" and peer.name in self.hosts:
            return tuple(_net(peer, family, value, peer.bits) for family, value in self.hosts[peer.name])
        return (peer,)

    def index(self, name: str) -> str:
        """An interface by its own name; a group, which has no index, is the empty text."""
        return name if any(each.name == name for each in self.interfaces.known) else ""

    def owner(self, item: Compared | None, *, group: bool = False) -> Compared | None:
        """A comparison with users or groups, as numbers where they are known; `unknown` is the owner of what is forwarded."""
        names = self.groups if group else self.users
        if item is None or not any(value in names for value in item.values if value != "unknown"):
            return item
        return replace(item, values=tuple(str(names[value]) if value in names else value for value in item.values))

    def _interface(self, peer: Peer) -> Iterator[Peer]:
        for interface in self.interfaces.known:
            if peer.name == "self" or interface.called(peer.name):
                yield from _addresses(interface, peer)


def _addresses(interface: Interface, peer: Peer) -> Iterator[Peer]:
    """The addresses of an interface that a name with modifiers stands for, in their order."""
    kinds = peer.modifiers
    seen: set[int] = set()
    for address in interface.addresses or ():
        local = address.family == 6 and address.value >> 118 == LINK_LOCAL
        if "0" in kinds and (address.family in seen or local):
            continue
        found = _one(address, peer, local=local, scope=interface.name if local else "")
        if found is not None:
            seen.add(address.family)
            yield found


def _one(address: Address, peer: Peer, *, local: bool, scope: str) -> Peer | None:
    kinds = peer.modifiers
    if "network" in kinds:
        if local:
            return None
        low, high = address.network()
        return replace(peer, kind="net", family=address.family, low=low, high=high, name="", modifiers=())
    value: int | None = address.value
    if "broadcast" in kinds:
        value = address.broadcast
    elif "peer" in kinds:
        value = address.peer
    return None if value is None else replace(_net(peer, address.family, value, peer.bits), name=scope)


def _net(peer: Peer, family: int, value: int, bits: int | None) -> Peer:
    """A network of this address; the name of what is resolved is gone, for a resolved item's name is its scope."""
    size = 1 << (WIDTH[family] - min(bits, WIDTH[family]) if bits is not None else 0)
    low = value // size * size
    return replace(peer, kind="net", family=family, low=low, high=low + size - 1, name="", modifiers=(), bits=None)
