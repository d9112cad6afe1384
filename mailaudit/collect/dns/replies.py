"""What a DNS message says, as the answer to a question: records in presentation text, aliases, and odd addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from mailaudit.collect.budget import Trouble
from mailaudit.questions import Reason

MOST_RECORDS = 100
_NOT_PUBLIC = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "198.18.0.0/15",  # proxies that invent an address for each name take it from here
            "240.0.0.0/4",  # or from here
            "::/128",
            "::1/128",
            "fc00::/7",
            "fe80::/10",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Told:
    """An answer without what its sender is: rcode, records in a fixed order, targets of the aliases, smallest TTL."""

    rcode: str
    records: tuple[str, ...]
    aliases: tuple[str, ...]
    ttl: int | None
    ad: bool
    aa: bool
    ra: bool = False

    @property
    def is_answer(self) -> bool:
        """True if it says what there is, or that there is nothing."""
        return self.rcode in ("NOERROR", "NXDOMAIN")


def told(message: dns.message.Message) -> Told:
    """What a message says. Raises `Trouble` for one that contradicts itself."""
    rcode = dns.rcode.to_text(message.rcode())
    ad, aa = bool(message.flags & dns.flags.AD), bool(message.flags & dns.flags.AA)
    ra = bool(message.flags & dns.flags.RA)
    if message.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Told(rcode, (), (), None, ad, aa, ra)
    assert isinstance(message, dns.message.QueryMessage)
    try:
        chain = message.resolve_chaining()
        aliases = tuple(rrset[0].target.to_text() for rrset in chain.cnames)
        records = sorted(rdata.to_text() for rdata in chain.answer) if chain.answer is not None else []
    except (dns.exception.DNSException, ValueError) as error:
        raise Trouble(Reason.PROTOCOL, f"an answer that makes no sense: {error}") from error
    return Told(rcode, tuple(records[:MOST_RECORDS]), aliases, chain.minimum_ttl if records else None, ad, aa, ra)


def not_public(type_: str, records: Iterable[str]) -> str | None:
    """The first address that the Internet cannot reach, in the answer to an A or AAAA question."""
    if type_ not in ("A", "AAAA"):
        return None
    for record in records:
        address = ip_address(record)
        if any(address.version == network.version and address in network for network in _NOT_PUBLIC):
            return record
    return None
