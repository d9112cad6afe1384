"""Rules about the zone and the addresses in it: where names lead, name servers, wildcards, TTLs."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.dns.words import TTL, delete, doubts, lacks, no_addresses, own_domains, publish, record, seen, txt
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome
from mailaudit.models.dns.names import bare
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import RANDOM, Dns
from mailaudit.models.site import Site
from mailaudit.questions import Reason

LONGEST_TTL = 3600
_TIMED = ("A", "AAAA", "MX", "TXT", "CAA")
_COMPARED = ("SOA", "MX", "TXT")
_AT_LEAST = 2


@rule("DNS002")
def domain_leads_here(dns: Dns, site: Site) -> Iterator[Outcome]:
    """The domain's own IPv4 address is this host's."""
    for domain in own_domains(dns, site):
        yield from _leads_here(dns, domain, 4)


@rule("DNS003")
def domain_leads_here_by_ipv6(dns: Dns, site: Site) -> Iterator[Outcome]:
    """The domain's own IPv6 address is this host's."""
    for domain in own_domains(dns, site):
        yield from _leads_here(dns, domain, 6)


@rule("DNS004")
def mail_host_leads_here(dns: Dns, site: Site) -> Iterator[Outcome]:
    """The mail host's IPv4 address is this host's."""
    yield from _leads_here(dns, site.mail_host, 4) if site.mail_host else [Exempt("the mail host has no name")]


@rule("DNS005")
def mail_host_leads_here_by_ipv6(dns: Dns, site: Site) -> Iterator[Outcome]:
    """The mail host's IPv6 address is this host's."""
    yield from _leads_here(dns, site.mail_host, 6) if site.mail_host else [Exempt("the mail host has no name")]


def _leads_here(dns: Dns, name: str, version: int) -> Iterator[Outcome]:
    reply, ours = dns.addresses(name, version), dns.host.family(version)
    yield from doubts(reply)
    if reply.failed is not None:
        return
    if ours is None:
        yield no_addresses()
    elif reply.is_absent and not ours:
        yield Exempt(f"this host has no IPv{version} address")
    elif reply.is_absent:
        message = f"{name} has no IPv{version} address, and this host is {' and '.join(ours)}."
        fix = publish(f"Publish the IPv{version} address", *(record(name, reply.type, each) for each in ours))
        yield lacks(message, reply, fix, f"{reply.type} of {name}")
    else:
        yield from _strange(reply, name, version, ours)


def _strange(reply: Reply, name: str, version: int, ours: tuple[str, ...]) -> Iterator[Outcome]:
    others = [each for each in reply.data if each not in ours]
    if others:
        here = f"This host is {' and '.join(ours)}." if ours else f"This host has no IPv{version} address."
        message = f"{name} leads to {' and '.join(others)}, which is not this host. {here}"
        lines = [record(name, reply.type, each) for each in ours]
        lines += [delete(name, reply.type, each) for each in others]
        fix = publish("Publish this host's address alone" if ours else "Delete the record", *lines)
        yield Finding(message, seen(reply), fix, f"{reply.type} of {name}", "elsewhere")


@rule("DNS011")
def no_wildcard(dns: Dns, site: Site) -> Iterator[Outcome]:
    """A name that nobody wrote down does not exist."""
    for domain in dns.domains:
        replies = [dns.random(domain, type_) for type_ in RANDOM]
        found = next((reply for reply in replies if reply.is_there), None)
        if found is None:
            yield from doubts(*replies)
            continue
        target = f", an alias of {bare(found.aliases[0])}" if found.aliases else ""
        message = f"Every name in {domain} exists by a wildcard{target}: whoever asks for a policy or a key gets something else."
        names = [name for name in (site.host_name, site.mail_host) if name and name.endswith(f".{domain}")]
        names = list(dict.fromkeys(names))
        lines = [record(name, "A" if ":" not in each else "AAAA", each) for name in names for each in dns.host.known]
        lines += [txt(name, "v=spf1 a -all") for name in names if dns.is_from_wildcard(dns.look(name, "TXT"))]
        at = f"*.{domain}"
        gone = [("CNAME", bare(found.aliases[0]) + ".")] if found.aliases else [(found.type, each) for each in found.data]
        lines += [delete(at, *each) for each in gone]
        fix = publish("Delete the wildcard; give the names that are used records of their own", *lines)
        yield Finding(message, seen(found), fix, f"wildcard of {domain}", "there")


@rule("DNS012")
def name_servers_agree(dns: Dns) -> Iterator[Outcome]:
    """At least two name servers answer for each domain, and all say the same."""
    for domain in dns.domains:
        reply = dns.look(domain, "NS")
        yield from doubts(reply)
        if reply.is_absent and reply.rcode == "NXDOMAIN":
            message = f"{domain} does not exist in DNS: nobody can send mail to it, and mail from it is refused."
            fix = Fix("Register the domain, and have it delegated to two name servers", Safety.MANUAL)
            yield lacks(message, reply, fix, domain)
        elif reply.is_there:
            yield from _count(dns, domain, reply)
            yield from _agreement(dns, domain)


def _count(dns: Dns, domain: str, reply: Reply) -> Iterator[Outcome]:
    if len(reply.data) < _AT_LEAST:
        message = f"{domain} has one name server, {bare(reply.data[0])}: while it is away, the domain is."
        fix = Fix("Add a second name server, in another network", Safety.MANUAL)
        yield Finding(message, seen(reply), fix, f"name servers of {domain}", "one")
        return
    addresses = [dns.look(server, "A") for server in reply.data]
    known = {each for found in addresses for each in found.data}
    if len(known) == 1 and all(found.is_there for found in addresses):
        message = f"All name servers of {domain} are {known.pop()}: they fail together."
        fix = Fix("Add a name server in another network", Safety.MANUAL)
        yield Finding(message, seen(reply, *addresses), fix, f"name servers of {domain}", "one address")


def _agreement(dns: Dns, domain: str) -> Iterator[Outcome]:
    replies = [dns.look(domain, type_) for type_ in _COMPARED]
    asked = [reply for reply in replies if reply.servers]
    if not asked:
        yield Doubt(Reason.NOT_RECORDED, f"The name servers of {domain} were not asked one by one.")
    lame: dict[str, list[Evidence]] = {}
    for reply in asked:
        for each in (each for each in reply.servers if each.lame):
            said = "no authority" if each.authoritative is False and each.rcode in ("", "NOERROR") else each.rcode
            lame.setdefault(each.server, []).append(Evidence(f"{reply.question} of {each.server}", said))
    names = {data: bare(server) for server in dns.look(domain, "NS").data for data in _addresses_of(dns, server)}
    for server, refusals in lame.items():
        who = f"{names[server]} ({server})" if server in names else server
        message = f"The name server {who} does not have the zone {domain}, though the domain is delegated to it."
        fix = Fix("Set the zone up on this server, or take it out of the delegation", Safety.MANUAL)
        yield Finding(message, tuple(refusals), fix, f"lame name server of {domain}", "lame")
    yield from _tcp(domain, dns.look(domain, "SOA"))
    for reply in asked:
        for silent in [each for each in reply.servers if each.failed is not None][:1]:
            said = f"answered {silent.rcode}" if silent.rcode else "did not answer"
            message = f"The name server {silent.server} {said} when it was asked about {domain}."
            yield Doubt(silent.failed or Reason.PROTOCOL, message, seen(reply))
        told = {tuple(sorted(each.records)) for each in reply.servers if each.failed is None and not each.lame}
        if len(told) > 1:
            message = f"The name servers of {domain} differ about its {reply.type} records: some are not up to date."
            places = (Evidence(reply.question, "; ".join(", ".join(each) or "nothing" for each in sorted(told))),)
            fix = Fix("Raise the serial number, and look why the zone is not transferred", Safety.MANUAL)
            yield Finding(message, places, fix, f"{reply.type} of {domain}", "different")


def _addresses_of(dns: Dns, server: str) -> tuple[str, ...]:
    return tuple(address for type_ in ("A", "AAAA") for address in dns.look(server, type_).data)


def _tcp(domain: str, reply: Reply) -> Iterator[Outcome]:
    """Servers that answer by UDP must answer by TCP as well (RFC 7766, section 5): what does not fit goes there."""
    for server in reply.servers:
        if server.lame or server.failed is not None or server.tcp in ("", server.rcode, Reason.OFFLINE):
            continue
        place = Evidence(f"{reply.question} of {server.server} by TCP", server.tcp)
        if server.tcp != Reason.REFUSED:
            message = f"The name server {server.server} answers for {domain} by UDP; what it does by TCP could not be told."
            yield Doubt(Reason(server.tcp) if server.tcp in list(Reason) else Reason.PROTOCOL, message, (place,))
            continue
        message = f"The name server {server.server} answers for {domain} by UDP alone: what does not fit, such as a key, is lost."
        fix = Fix("Let the server answer by TCP on port 53, and the firewall let it in", Safety.MANUAL)
        yield Finding(message, (place,), fix, f"TCP of a name server of {domain}", "refused")


@rule("DNS013")
def changes_are_seen_soon(dns: Dns) -> Iterator[Outcome]:
    """What may have to be changed is not kept for longer than an hour."""
    for domain in dns.domains:
        replies = [dns.look(domain, type_) for type_ in _TIMED]
        slow = [reply for reply in replies if reply.is_there and reply.ttl is not None and reply.ttl > LONGEST_TTL]
        if slow:
            longest = max(reply.ttl or 0 for reply in slow)
            types = ", ".join(reply.type for reply in slow)
            message = f"Resolvers keep the {types} records of {domain} for {longest} seconds: a change is seen that late."
            lines = [record(domain, reply.type, data) for reply in slow for data in reply.data]
            fix = publish(f"Set the TTL to {TTL}, at most {LONGEST_TTL} seconds", *lines)
            places = tuple(Evidence(reply.question, f"TTL {reply.ttl}") for reply in slow)
            yield Finding(message, places, fix, f"TTL of {domain}", "long")
        else:
            yield from doubts(*replies)
