"""The rule about blocklists: asked only of those that the site names."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from mailaudit.checks.dns.words import doubts, no_addresses, seen
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome
from mailaudit.models.dns.names import listing
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.site import Site
from mailaudit.questions import Reason

_CODES = ip_network("127.0.0.0/8")  # RFC 5782, section 2.3
_NO_ANSWER = ip_network("127.255.255.0/24")  # that the question was not taken: asked wrongly, through an open resolver, too often


@rule("DNS054")
def address_is_on_no_blocklist(dns: Dns, site: Site) -> Iterator[Outcome]:
    """The host's addresses are on none of the blocklists that the site has asked."""
    if not site.declared.blocklists:
        yield Exempt("no blocklist is asked: [site] blocklists of mailaudit.toml names those that are to be")
    elif not dns.host.known:
        yield no_addresses()
    for blocklist in site.declared.blocklists:
        for address in dns.host.known:
            yield from _listed(dns.look(listing(address, blocklist), "A"), blocklist, address)


def _listed(reply: Reply, blocklist: str, address: str) -> Iterator[Outcome]:
    yield from doubts(reply)
    codes = [ip_address(each) for each in reply.data]
    odd = next((each for each in codes if each in _NO_ANSWER or each not in _CODES), None)
    if odd is not None:
        why = (
            "does not answer whoever asks like this (a public resolver, too often)"
            if odd in _CODES
            else "is no code of a blocklist"
        )
        yield Doubt(
            Reason.REFUSED if odd in _CODES else Reason.IN_DOUBT,
            f"{blocklist} says {odd} of {address}, which {why}.",
            seen(reply),
        )
    elif codes:
        message = (
            f"{address} is on the blocklist {blocklist} ({', '.join(map(str, codes))}): whoever asks it refuses mail from here."
        )
        fix = Fix(f"Find out what was sent from here, then ask {blocklist} to take the address off", Safety.MANUAL)
        version = ip_address(address).version
        yield Finding(message, seen(reply), fix, f"IPv{version} on {blocklist}", "listed")
