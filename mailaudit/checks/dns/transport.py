"""Rules about what is optional, where it is there: MTA-STS, reports of TLS, DANE, services found by DNS."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.checks.dns.words import delete, doubts, instead, new_mta_sts, publish, record, seen, tlsa, txt
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix
from mailaudit.findings import Exempt, Finding, Outcome
from mailaudit.models.clock import Clock
from mailaudit.models.dns.names import bare
from mailaudit.models.dns.policies import is_mta_sts, mailboxes, tags
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import SERVICES, Dns
from mailaudit.models.pem import PemFiles
from mailaudit.models.shown import ShownCertificates
from mailaudit.models.site import REFERENCE_TCP, Site
from mailaudit.questions import Failed, KeyFacts

PORTS = dict(zip(SERVICES, (465, 993, 4190), strict=True))
_ID = re.compile(r"[A-Za-z0-9]{1,32}")


@rule("DNS050")
def mta_sts_record_is_right(dns: Dns, clock: Clock) -> Iterator[Outcome]:
    """Where there is an MTA-STS record, there is one, and it has an id."""
    replies = [(domain, dns.look(f"_mta-sts.{domain}", "TXT")) for domain in dns.domains]
    found = {domain: [text for text in reply.texts if is_mta_sts(text)] for domain, reply in replies}
    if not any(found.values()):
        yield Exempt("no domain has MTA-STS, which is optional")
    for domain, reply in replies:
        yield from doubts(reply)
        fix = new_mta_sts("Publish one, with a new id", reply, clock.now)
        if len(found[domain]) > 1:
            message = f"{domain} has {len(found[domain])} MTA-STS records: senders take it to have none."
            yield Finding(message, seen(reply), fix, f"MTA-STS of {domain}", "several")
        elif found[domain] and not _ID.fullmatch(tags(found[domain][0]).get("id", "")):
            message = f"The MTA-STS record of {domain} has no id of 1 to 32 letters and digits: senders do not use the policy."
            yield Finding(message, seen(reply), fix, f"MTA-STS of {domain}", "no id")


@rule("DNS051")
def tls_reports_have_an_address(dns: Dns) -> Iterator[Outcome]:
    """Where reports of TLS are asked for, they are asked for once, and to an address."""
    replies = [(domain, dns.look(f"_smtp._tls.{domain}", "TXT")) for domain in dns.domains]
    found = {domain: [text for text in reply.texts if text.startswith("v=TLSRPTv1")] for domain, reply in replies}
    if not any(found.values()):
        yield Exempt("no domain asks for reports of TLS, which is optional")
    for domain, reply in replies:
        yield from doubts(reply)
        new = txt(reply.owner, f"v=TLSRPTv1; rua=mailto:tlsreport@{domain}")
        fix = instead("Publish one", new, reply, lambda text: text.startswith("v=TLSRPTv1"))
        if len(found[domain]) > 1:
            message = f"{domain} has {len(found[domain])} records for reports of TLS: senders take none of them."
            yield Finding(message, seen(reply), fix, f"TLS reports of {domain}", "several")
        elif found[domain] and not _has_address(tags(found[domain][0]).get("rua", "")):
            message = f"The record for reports of TLS of {domain} names no address: no report is sent."
            yield Finding(message, seen(reply), fix, f"TLS reports of {domain}", "no address")


def _has_address(rua: str) -> bool:
    return bool(mailboxes(rua)) or any(part.strip().lower().startswith("https://") for part in rua.split(","))


@rule("DNS052")
def dane_can_be_used(dns: Dns, shown: ShownCertificates, pem: PemFiles) -> Iterator[Outcome]:
    """Where there are TLSA records, senders can use them: the zone is signed, and they are of the kinds for mail."""
    asked = [(domain, each.name) for domain in dns.domains for each in dns.exchangers(domain) if each.name]
    replies = {name: (domain, dns.look(f"_25._tcp.{name}", "TLSA")) for domain, name in asked}
    if not any(reply.is_there for _, reply in replies.values()):
        for _, reply in replies.values():
            yield from doubts(reply)
        yield Exempt("no mail exchanger has TLSA records, which are optional")
    for name, (domain, reply) in replies.items():
        state = dns.security(domain)
        if reply.is_there and not isinstance(state, Failed) and state == "insecure" and name.endswith(domain):
            message = f"{name} has TLSA records, and {domain} is not signed: no sender takes notice of them."
            fix = publish("Sign the zone, or delete the records", *_old(reply))
            yield Finding(message, seen(reply), fix, f"TLSA of {name}", "not signed")
        yield from _unusable(name, reply, _key(shown, pem))


def _old(reply: Reply) -> tuple[str, ...]:
    return tuple(delete(reply.owner, reply.type, data) for data in reply.data)


def _instead(reply: Reply, old: str, new: str, title: str) -> Fix:
    return publish(title, record(reply.owner, reply.type, new), delete(reply.owner, reply.type, old))


def _key(shown: ShownCertificates, pem: PemFiles) -> KeyFacts | None:
    """The key of the certificate that smtpd shows, as far as its file is at hand."""
    chains = (pem.chain(each.certificate) for each in shown.mail if each.daemon == "smtpd")
    return next((chain[0].key for chain in chains if isinstance(chain, tuple) and chain), None)


def _unusable(name: str, reply: Reply, key: KeyFacts | None) -> Iterator[Outcome]:
    rows = [data.split(None, 3) for data in reply.data]
    bad = [row for row in rows if not _is_usable(*row)]
    if bad and len(bad) == len(rows):
        message = f"No TLSA record of {name} is one that mail servers use (3 1 1 with a SHA-256 digest, for one)."
        new = (tlsa(name, key),) if key is not None else ()
        fix = publish("Publish `3 1 1` with the digest of the certificate's key", *new, *_old(reply))
        yield Finding(message, seen(reply), fix, f"TLSA of {name}", "unusable")


def _is_usable(usage: str, selector: str, matching: str, _digest: str) -> bool:
    """RFC 7672, section 3.1: usages 2 and 3. That a digest is as long as its type has it, dnspython sees to."""
    return usage in "23" and selector in "01" and matching in "012"


@rule("DNS053")
def services_are_found(dns: Dns, site: Site) -> Iterator[Outcome]:
    """Where SRV records say where clients find a service, it is there: a host with an address, a port that is open."""
    replies = [dns.look(f"{service}.{domain}", "SRV") for domain in dns.domains for service in SERVICES]
    if not any(reply.is_there for reply in replies):
        yield Exempt("no SRV record is published, which is optional")
    for reply in replies:
        yield from doubts(reply)
        for data in reply.data:
            _, _, port, target = data.split(None, 3)
            if target == ".":  # not offered (RFC 6186, section 3.4)
                continue
            addresses = (dns.addresses(target, 4), dns.addresses(target, 6))
            about, fix = f"SRV {bare(reply.owner)}", _instead(reply, data, f"0 1 {port} {site.mail_host}.", "Publish it")
            if all(each.is_absent for each in addresses):
                message = f"{bare(reply.owner)} leads clients to {bare(target)}, which has no address."
                yield Finding(message, seen(reply, *addresses), fix, about, "no address", absence=True)
            elif any(each.aliases for each in addresses):
                message = (
                    f"{bare(reply.owner)} leads clients to {bare(target)}, which is an alias; it must not be one (RFC 2782)."
                )
                yield Finding(message, seen(reply, *addresses), fix, about, "alias")
            elif int(port) not in REFERENCE_TCP | site.open_tcp:
                message = f"{bare(reply.owner)} leads clients to port {port}, which this host does not mean to open."
                usual = next(port for service, port in PORTS.items() if reply.owner.startswith(f"{service}."))
                fix = _instead(reply, data, f"0 1 {usual} {target}", "Name the port of the service")
                yield Finding(message, seen(reply), fix, about, port)
