"""Rules about what DNS promises and the host shows: the key that TLSA records name, and mail by IPv6."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.dns.words import doubts, publish, seen, tlsa
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome
from mailaudit.models.certificates import Certificate
from mailaudit.models.dns.host import canonical
from mailaudit.models.dns.names import is_below
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.endpoints import Endpoints, Seen
from mailaudit.questions import Failed, Reason

SMTP = 25
_SHA256 = "1"


@rule("CROSS072")
def shown_key_is_the_announced_one(dns: Dns, endpoints: Endpoints) -> Iterator[Outcome]:
    """The certificate on port 25 is one that the TLSA records name."""
    names = {each.name for domain in dns.domains for each in dns.exchangers(domain) if each.name and _is_here(dns, each.name)}
    replies = {name: dns.look(f"_25._tcp.{name}", "TLSA") for name in sorted(names)}
    if not any(reply.is_there for reply in replies.values()):
        for reply in replies.values():
            yield from doubts(reply)
        yield Exempt("no mail exchanger of this host has TLSA records, which are optional")
        return
    for name, reply in replies.items():
        rows = [data.split(None, 3) for data in reply.data]
        usable = [row for row in rows if row[0] in "23" and row[2] == _SHA256]
        for question, found in endpoints.on(SMTP) if reply.is_there else ():
            if not isinstance(found, Seen) or not isinstance(found.chain, tuple):
                reason = found.reason if isinstance(found, Failed) else Reason.NOT_RECORDED
                yield Doubt(reason, f"Which certificate is shown at {question} could not be told.")
            elif len(usable) < len(rows) and not any(_fits(row, found.chain) for row in usable):
                yield Doubt(Reason.IN_DOUBT, f"{name} has TLSA records of kinds that are not compared.", seen(reply))
            elif not any(_fits(row, found.chain) for row in usable):
                message = (
                    f"No TLSA record of {name} is for the certificate that port 25 shows: senders with DANE keep their mail."
                )
                title = "Publish `3 1 1` with the digest of the key that is shown; keep the old one for two TTLs"
                fix = publish(title, tlsa(name, found.chain[0].key))
                places = (*seen(reply), Evidence(str(question), f"key {found.chain[0].key.spki}"))
                yield Finding(message, places, fix, f"TLSA of {name}", "another key")
                break


def _is_here(dns: Dns, name: str) -> bool:
    return any(each in dns.host.known for version in (4, 6) for each in dns.addresses(name, version).data)


def _fits(row: list[str], chain: tuple[Certificate, ...]) -> bool:
    """RFC 6698, section 2.1: usage 3 is about the server's own certificate, usage 2 about one above it."""
    usage, selector, _, digest = row
    wanted = digest.replace(" ", "").lower()
    candidates = chain[:1] if usage == "3" else chain[1:]
    return any((each.digest if selector == "0" else each.key.spki).rpartition(":")[2].lower() == wanted for each in candidates)


@rule("CROSS092")
def mail_arrives_by_ipv6(dns: Dns, endpoints: Endpoints) -> Iterator[Outcome]:
    """Where the mail exchanger has an IPv6 address, port 25 is open there too."""
    said = {canonical(question.address): (question, found) for question, found in endpoints.on(SMTP)}
    names = {each.name for domain in dns.domains for each in dns.exchangers(domain) if each.name}
    yield from doubts(*(dns.look(domain, "MX") for domain in dns.domains))
    replies = [dns.addresses(name, 6) for name in sorted(names)]
    published = {address: reply for reply in replies for address in reply.data if address in (dns.host.ipv6 or ())}
    if not published:
        for reply in replies:
            yield from doubts(reply)
        yield Exempt("no mail exchanger has an IPv6 address of this host")
    by_ipv4 = any(isinstance(found, Seen) for question, found in said.values() if ":" not in question.address)
    for address, reply in published.items():
        if address not in said:
            yield Doubt(Reason.NOT_RECORDED, f"Port 25 at {address} was not asked.")
            continue
        question, found = said[address]
        if not isinstance(found, Failed):
            continue
        if found.reason is not Reason.REFUSED:
            yield Doubt(found.reason, found.detail or f"Port 25 at {address} could not be told.")
        elif by_ipv4:
            owner = next(name for name in sorted(names) if is_below(reply.owner, name))
            message = f"{owner} is published with {address}, and port 25 is closed there, though it is open by IPv4."
            title = "Have smtpd listen on the address and pf let it in, or delete the AAAA record"
            fix = Fix(title, Safety.MANUAL, commands=("netstat -ln -f inet6", "pfctl -sr"))
            yield Finding(message, (*seen(reply), Evidence(str(question), "refused")), fix, f"IPv6 of {owner}", "refused")
