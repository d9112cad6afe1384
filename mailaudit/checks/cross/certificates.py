"""Rules about names in DNS and on certificates: exchangers, the services that users are sent to, what acme-client asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from mailaudit.checks.acme.config import covering
from mailaudit.checks.dns.words import delete, doubts, no_addresses, own_domains, publish, record, seen
from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.checks.tls.certificates import Chain, chains
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.dns.names import bare
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import SERVICES, Dns, is_ours
from mailaudit.models.pem import PemFiles
from mailaudit.models.shown import ShownCertificates
from mailaudit.models.site import Site
from mailaudit.models.sources import Lacking, Missing, NotHere

SHOWN_BY = dict(zip(SERVICES, ("smtpd", "Dovecot", "Dovecot"), strict=True))
Acme = AcmeConfig | Missing | NotHere | Lacking
MEANT = {"_submissions._tcp": "sending mail", "_imaps._tcp": "reading mail", "_sieve._tcp": "editing filters"}


@rule("CROSS003")
def certificate_covers_the_exchangers(
    dns: Dns, shown: ShownCertificates, pem: PemFiles, site: Site, acme: Acme
) -> Iterator[Outcome]:
    """What smtpd shows is good for each name by which DNS sends other servers here."""
    yield from _gaps(shown, "smtpd")
    known = list(_shown_by("smtpd", shown, pem))
    yield from (each for each in known if not isinstance(each, Chain))
    for domain in dns.domains:
        reply = dns.look(domain, "MX")
        yield from doubts(reply)
        for number, exchanger in enumerate(dns.exchangers(domain)):
            name = exchanger.name
            is_told = name == site.mail_host or (number > 0 and name not in dns.certificate_names)  # TLS003, DNS007
            if not name or is_told:
                continue
            here = leads_here(dns, name)
            if any(dns.addresses(name, version).aliases for version in (4, 6)):
                yield Exempt(f"{name} is an alias, which no exchanger may be: DNS006 tells of that")
            elif here is None:
                yield no_addresses()
            elif here:
                what = f"an exchanger of {domain}"
                yield from _uncovered("smtpd", name, what, known, reply, partial(covering, acme, shown))


def _gaps(shown: ShownCertificates, *daemons: str) -> Iterator[Outcome]:
    """What is to be said where a configuration could not be read, or none of some daemons shows a certificate."""
    yield from unread(*shown.lacking)
    if not any(each.daemon in daemons for each in shown.mail):
        yield Exempt(f"{' and '.join(dict.fromkeys(daemons))} shows no certificate")


def leads_here(dns: Dns, name: str) -> bool | None:
    """True if a name has an address of this host, None if that cannot be told."""
    replies = (dns.addresses(name, 4), dns.addresses(name, 6))
    if any(set(reply.data) & set(dns.host.known) for reply in replies):
        return True
    unsure = any(reply.failed is not None for reply in replies)
    unknown = any(dns.host.family(version) is None and reply.is_there for version, reply in zip((4, 6), replies, strict=True))
    return None if unsure or unknown else False


def _shown_by(daemon: str, shown: ShownCertificates, pem: PemFiles) -> Iterator[Chain | Doubt | Exempt]:
    """The chains of a daemon, and what stands for those that could not be read."""
    paths = {each.certificate for each in shown.mail if each.daemon == daemon}
    for each in chains(shown, pem):
        if not isinstance(each, Chain) or each.path in paths:
            yield each


def _uncovered(  # noqa: PLR0913, PLR0917  each is told of or looked at
    daemon: str,
    name: str,
    what: str,
    known: list[Chain | Doubt | Exempt],
    reply: Reply,
    covered: Callable[[str, str], Fix | None],
) -> Iterator[Finding]:
    mine = [each for each in known if isinstance(each, Chain)]
    if not mine or len(mine) < len(known) or any(chain.leaf.covers(name) for chain in mine):
        return
    names = ", ".join(mine[0].leaf.names[:5]) or "no name at all"
    message = f"{name} is {what} and leads to this host, but what {daemon} shows is not for that name; it is for {names}."
    by_hand = Fix(f"Get a certificate that is for {name} as well, or take it out of DNS", Safety.MANUAL)
    fix = covered(mine[0].path, name) or by_hand
    yield Finding(message, (*mine[0].places(f"not for {name}"), *seen(reply)), fix, f"{what} shown by {daemon}", name)


@rule("CROSS004")
def certificate_covers_the_services(
    dns: Dns, shown: ShownCertificates, pem: PemFiles, site: Site, acme: Acme
) -> Iterator[Outcome]:
    """What the daemons show is good for each name to which SRV records send mail programs."""
    yield from _gaps(shown, *SHOWN_BY.values())
    for domain in dns.domains:
        for service in SERVICES:
            reply = dns.look(f"{service}.{domain}", "SRV")
            yield from doubts(reply)
            if dns.is_from_wildcard(reply):
                continue
            for target in dict.fromkeys(bare(data.rpartition(" ")[2]) for data in reply.data):
                if not target or target == site.mail_host or not is_ours(target, site):  # TLS003 speaks of the mail host
                    continue
                known = list(_shown_by(SHOWN_BY[service], shown, pem))
                yield from (each for each in known if not isinstance(each, Chain))
                what = f"the name for {MEANT[service]} of {domain}"
                if leads_here(dns, target) is not False:
                    fixed = partial(covering, acme, shown)
                    yield from _uncovered(SHOWN_BY[service], target, what, known, reply, fixed)


@rule("CROSS006")
def names_of_certificates_lead_here(acme: AcmeConfig, dns: Dns, site: Site) -> Iterator[Outcome]:
    """Each name that acme-client asks a certificate for leads to this host, and to no other."""
    if not acme.domains:
        yield Exempt("no certificate is got")
    told = {*own_domains(dns, site), site.mail_host}  # DNS002 to DNS005
    for domain in acme.domains:
        for name in domain.names:
            if bare(name) not in told:
                replies = (dns.addresses(name, 4), dns.addresses(name, 6))
                place = Place.at(domain.handle.span, "its certificate")
                yield from _leads_here(dns, bare(name), replies, place)


def _leads_here(dns: Dns, name: str, replies: tuple[Reply, Reply], place: Place) -> Iterator[Outcome]:
    yield from doubts(*replies)
    if all(reply.is_absent for reply in replies):
        message = f"{name} is to be on the certificate, and DNS has no address for it: the authority refuses all the names."
        ours = (record(name, "AAAA" if ":" in each else "A", each) for each in dns.host.known)
        fix = publish(f"Publish an address for {name}, or take it out of acme-client.conf", *ours)
        yield Finding(message, (place, *seen(*replies)), fix, f"name {name}", "no address", absence=True)
        return
    for version, reply in zip((4, 6), replies, strict=True):
        own = dns.host.family(version)
        if own is None:
            yield from [no_addresses()] if reply.is_there else []
            continue
        strange = [each for each in reply.data if each not in own]
        if strange:
            message = f"{name} is to be on the certificate, and leads to {' and '.join(strange)}, which is not this host."
            lines = [record(name, reply.type, each) for each in own]
            lines += [delete(name, reply.type, each) for each in strange]
            fix = publish(f"Let {name} lead here, or take it out of acme-client.conf", *lines)
            yield Finding(message, (place, *seen(reply)), fix, f"name {name}", f"elsewhere over IPv{version}")
