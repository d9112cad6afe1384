"""Which zone a name is in, and at which addresses its authoritative servers are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

import dns.message
import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from mailaudit.collect.budget import Trouble
from mailaudit.collect.dns.resolvers import Resolvers
from mailaudit.collect.dns.wire import Server
from mailaudit.collect.trips import together

MOST_NAMES = 8  # name servers of a zone
MOST_SERVERS = 8  # addresses of all of them
MOST_STEPS = 6  # labels that are climbed in search of a zone; answers tell the zone earlier
LEAST_LABELS = 3  # the final dot counted: registries' servers are not asked


@dataclass
class Authorities:
    """Zones and their servers, as the resolvers know them."""

    resolvers: Resolvers
    port: int = 53
    zones: dict[dns.name.Name, dns.name.Name | None] = field(default_factory=dict)
    servers: dict[dns.name.Name, tuple[Server, ...]] = field(default_factory=dict)

    async def of(self, name: dns.name.Name) -> tuple[Server, ...]:
        """The servers of the zone that a name is in; none where that cannot be found out."""
        if name not in self.zones:
            try:
                self.zones[name] = await self._zone(name)
            except Trouble:
                return ()
        zone = self.zones[name]
        if zone is None:
            return ()
        if zone not in self.servers:
            try:
                self.servers[zone] = await self._servers(zone)
            except Trouble:
                return ()
        return self.servers[zone]

    async def _zone(self, name: dns.name.Name) -> dns.name.Name | None:
        at = name
        for _ in range(MOST_STEPS):
            if len(at) < LEAST_LABELS:
                return None
            found = await self.resolvers.ask(at, dns.rdatatype.NS)
            if _rrset(found.answer, at, dns.rdatatype.NS) is not None:
                return at
            told = [each.name for each in found.authority if each.rdtype == dns.rdatatype.SOA and name.is_subdomain(each.name)]
            if told:
                return told[0] if len(told[0]) >= LEAST_LABELS else None
            at = at.parent()
        return None

    async def _servers(self, zone: dns.name.Name) -> tuple[Server, ...]:
        found = await self.resolvers.ask(zone, dns.rdatatype.NS)
        rrset = _rrset(found.answer, zone, dns.rdatatype.NS)
        names = sorted({rdata.target for rdata in rrset})[:MOST_NAMES] if rrset is not None else []
        types = (dns.rdatatype.A, dns.rdatatype.AAAA)
        asked = [self._addresses(name, type_) for name in names for type_ in types]
        addresses = [address for found_ in await together(*asked) for address in found_]
        return tuple(Server(address, self.port) for address in dict.fromkeys(addresses))[:MOST_SERVERS]

    async def _addresses(self, name: dns.name.Name, type_: dns.rdatatype.RdataType) -> list[str]:
        try:
            found = await self.resolvers.ask(name, type_)
        except Trouble:
            return []
        return [address for address in _data(found.answer, type_) if self._may_be_asked(ip_address(address))]

    def _may_be_asked(self, address: IPv4Address | IPv6Address) -> bool:
        """A name server that is said to be on loopback is this machine's own: it is asked if the resolver is here as well."""
        if address.is_multicast or address.is_unspecified or address.is_link_local:
            return False
        return self.resolvers.are_here or not address.is_loopback


def _rrset(section: Iterable[dns.rrset.RRset], name: dns.name.Name, type_: dns.rdatatype.RdataType) -> dns.rrset.RRset | None:
    return next((each for each in section if each.name == name and each.rdtype == type_), None)


def _data(section: Iterable[dns.rrset.RRset], type_: dns.rdatatype.RdataType) -> Iterator[str]:
    for each in section:
        if each.rdtype == type_ and each.rdclass == dns.rdataclass.IN:
            yield from (rdata.to_text() for rdata in each)
