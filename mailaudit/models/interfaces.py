"""Network interfaces: what is recorded of them, and what is assumed where nothing is."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv4Address, ip_address, ip_network

from mailaudit.models.sources import Model, Sources
from mailaudit.questions import Command, CommandOutput, Found, RunCommand

_CLONED = """
aggr bpe bridge carp egre enc eoip etherip gif gre lo mgre mpe nvgre pair pflog pflow pfsync ppp pppoe sec svlan tap tpmr trunk
tun veb vether vlan vport vxlan wg
"""
CLONED = frozenset(_CLONED.split())
"""Drivers whose interfaces are made by ifconfig(8): their names are groups too."""
NEVER_EGRESS = CLONED - {"aggr", "carp", "ppp", "pppoe", "svlan", "trunk", "vlan", "vport"}
_NAME = re.compile(r"([a-z]+)([0-9]+)\Z")
_HEADER = re.compile(r"^([a-z]+[0-9]+): flags=", re.MULTILINE)
_GROUPS = re.compile(r"^[ \t]+groups: (.+)$", re.MULTILINE)
_INET = re.compile(r"^[ \t]+inet ([0-9.]+)(?: --> ([0-9.]+))? netmask (0x[0-9a-f]{8})(?: broadcast ([0-9.]+))?", re.MULTILINE)
_INET6 = re.compile(r"^[ \t]+inet6 ([0-9a-f:.]+)(?:%\w+)?(?: --> ([0-9a-f:]+))? prefixlen ([0-9]+)", re.MULTILINE)


def driver_of(name: str) -> str:
    """The driver of an interface's name, or an empty text if it is the name of a group."""
    match = _NAME.match(name)
    return match[1] if match else ""


@dataclass(frozen=True, slots=True)
class Address:
    """One address of an interface, as numbers; `peer` and `broadcast` where it has them."""

    family: int
    value: int
    bits: int
    peer: int | None = None
    broadcast: int | None = None

    def network(self) -> tuple[int, int]:
        """The first and the last address of its network."""
        width = 32 if self.family == 4 else 128
        size = 1 << (width - self.bits)
        low = self.value // size * size
        return low, low + size - 1


@dataclass(frozen=True, slots=True)
class Interface:
    """An interface as pf sees it: its name (empty if not known), its groups, its addresses (None if not known)."""

    name: str
    groups: frozenset[str] = frozenset()
    addresses: tuple[Address, ...] | None = None

    @property
    def loopback(self) -> bool:
        """True for lo0 and its like."""
        return driver_of(self.name) == "lo" or "lo" in self.groups

    def called(self, name: str) -> bool:
        """True if `on NAME` is about this interface; the groups that every interface of a cloned driver is in count."""
        if name == self.name or name in self.groups or name == "all":
            return True
        return bool(name) and name in CLONED and driver_of(self.name) == name


LOOPBACK = Interface(
    "lo0",
    frozenset(["lo"]),
    (Address(4, int(IPv4Address("127.0.0.1")), 8), Address(6, 1, 128), Address(6, (0xFE80 << 112) + 1, 64)),
)


@dataclass(frozen=True)
class Interfaces(Model):
    """The recorded interfaces; empty where there is no record."""

    known: tuple[Interface, ...] = field(default=())

    def named(self, name: str) -> list[Interface]:
        """The interfaces that a name or group stands for."""
        return [interface for interface in self.known if interface.called(name)]

    @property
    def egress(self) -> list[Interface]:
        """Those that carry a default route."""
        return [interface for interface in self.known if "egress" in interface.groups]


def read_interfaces(sources: Sources) -> Interfaces:
    """What `ifconfig` said."""
    answer = sources.ask(RunCommand(Command.IFCONFIG))
    if isinstance(answer, Found) and isinstance(answer.value, CommandOutput) and answer.value.status == 0:
        return Interfaces(known=tuple(_ifconfig(answer.value.stdout)))
    return Interfaces()


def _ifconfig(output: str) -> Iterable[Interface]:
    starts = [*_HEADER.finditer(output)]
    ends = [*(match.start() for match in starts[1:]), len(output)]
    for match, end in zip(starts, ends, strict=False):  # without any interface there is one end too many
        part = output[match.start() : end]
        groups = _GROUPS.search(part)
        addresses = [*_addresses(_INET.finditer(part), _address4), *_addresses(_INET6.finditer(part), _address6)]
        yield Interface(match[1], frozenset(groups[1].split() if groups else ()), tuple(addresses))


def _addresses(found: Iterable[re.Match[str]], address: Callable[[re.Match[str]], Address]) -> Iterator[Address]:
    """The addresses of an interface; what only looks like one is none."""
    for each in found:
        with suppress(ValueError):
            yield address(each)


def _address4(found: re.Match[str]) -> Address:
    address, peer, netmask, broadcast = found.groups()
    bits = ip_network(f"0.0.0.0/{IPv4Address(int(netmask, 16))}").prefixlen
    return Address(
        4,
        int(ip_address(address)),
        bits,
        int(ip_address(peer)) if peer else None,
        int(ip_address(broadcast)) if broadcast else None,
    )


def _address6(found: re.Match[str]) -> Address:
    address, peer, bits = found.groups()
    return Address(6, int(ip_address(address)), int(bits), int(ip_address(peer)) if peer else None)
