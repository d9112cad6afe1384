"""Rules about MX and CAA records: who takes a domain's mail, and who may issue certificates for its names."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from mailaudit.checks.dns.words import delete, doubts, lacks, no_addresses, publish, record, seen
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix
from mailaudit.findings import Exempt, Finding, Outcome
from mailaudit.models.dns.names import bare
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import Dns, Exchanger
from mailaudit.models.site import Site

_CA = "letsencrypt.org"
_Tagged = tuple[str, str]


@rule("DNS006")
def mail_comes_here(dns: Dns, site: Site) -> Iterator[Outcome]:
    """The first mail exchanger of each domain is this host, by a name that has addresses of its own."""
    for domain in dns.domains:
        reply = dns.look(domain, "MX")
        yield from doubts(reply)
        target = site.mail_host or site.host_name
        fix = publish("Publish the exchanger", record(domain, "MX", f"0 {target}.")) if target else None
        if reply.is_absent:
            yield lacks(f"{domain} has no MX record, so nothing says who takes its mail.", reply, fix, f"MX of {domain}")
        exchangers = dns.exchangers(domain)
        for exchanger in exchangers:
            if exchanger.name:
                first = exchanger.preference == exchangers[0].preference
                yield from _exchanger(dns, domain, exchanger, fix if first else None, first=first and exchanger.name != target)


def _exchanger(dns: Dns, domain: str, exchanger: Exchanger, fix: Fix | None, *, first: bool) -> Iterator[Outcome]:
    name, about = exchanger.name, f"MX {exchanger.name} of {domain}"
    mx, replies = dns.look(domain, "MX"), (dns.addresses(exchanger.name, 4), dns.addresses(exchanger.name, 6))
    instead = None if fix is None else _instead(dns, domain, exchanger, fix)
    if _is_address(name):
        message = f"The mail exchanger of {domain} is the address {name}, where a name must stand."
        yield Finding(message, seen(mx), instead, f"MX of {domain}", "address")
        return
    alias = next((bare(reply.aliases[0]) for reply in replies if reply.aliases), None)
    if alias is not None:
        message = f"{name}, the mail exchanger of {domain}, is an alias of {alias}: an exchanger must have addresses of its own."
        yield Finding(message, seen(mx, *replies), instead, about, "alias")
    elif all(reply.is_absent for reply in replies):
        message = f"{name}, the mail exchanger of {domain}, has no address, so mail cannot be delivered to it."
        yield Finding(message, seen(mx, *replies), instead, about, "no address", absence=True)
    elif not any(reply.is_there for reply in replies):
        yield from doubts(*replies)
    elif first:
        yield from _is_here(dns, domain, name, replies, fix)


def _instead(dns: Dns, domain: str, exchanger: Exchanger, fix: Fix) -> Fix:
    """Another exchanger in the place of this one; or addresses for this one, where it is the right one."""
    name = exchanger.name
    if any(each.endswith(f" {name}.") for each in fix.records):
        lines = [record(name, "AAAA" if ":" in each else "A", each) for each in dns.host.known]
        return publish(f"Give {name} addresses of its own", *lines)
    old = delete(domain, "MX", f"{exchanger.preference} {name}.")
    return publish("Publish the exchanger in place of this one", *fix.records, old)


def _is_here(dns: Dns, domain: str, name: str, replies: tuple[Reply, ...], fix: Fix | None) -> Iterator[Outcome]:
    """A first exchanger of another name than the mail host's may still be this host."""
    where = _here(dns, replies)
    if where is None:
        yield no_addresses()
    elif not where:
        message = f"Mail for {domain} goes to {name} first, which is not this host."
        yield Finding(message, seen(dns.look(domain, "MX"), *replies), fix, f"MX of {domain}", "elsewhere")


def _here(dns: Dns, replies: tuple[Reply, ...]) -> bool | None:
    """True if some address is this host's, None if that cannot be told."""
    found = {each for reply in replies for each in reply.data}
    if found & set(dns.host.known):
        return True
    unknown = any(dns.host.family(version) is None and reply.is_there for version, reply in zip((4, 6), replies, strict=True))
    return None if unknown else False


def _written(exchanger: Exchanger) -> str:
    return f"{exchanger.preference} {exchanger.name}."


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


@rule("DNS007")
def one_name_for_one_exchanger(dns: Dns) -> Iterator[Outcome]:
    """A further mail exchanger is another host, or one whose name is on the certificate."""
    for domain in dns.domains:
        yield from doubts(dns.look(domain, "MX"))
        for exchanger in dns.exchangers(domain)[1:]:
            replies = (dns.addresses(exchanger.name, 4), dns.addresses(exchanger.name, 6))
            if not exchanger.name or exchanger.name in dns.certificate_names:
                continue
            if _here(dns, replies):
                message = (
                    f"{exchanger.name}, a further mail exchanger of {domain}, is this host as well: it helps nobody when the "
                    "host is away, and the certificate is not for that name."
                )
                fix = publish(f"Delete the MX record for {exchanger.name}", delete(domain, "MX", _written(exchanger)))
                yield Finding(
                    message, seen(dns.look(domain, "MX"), *replies), fix, f"MX {exchanger.name} of {domain}", "same host"
                )


@rule("DNS008")
def no_other_exchanger(dns: Dns) -> Iterator[Outcome]:
    """No other host takes the domain's mail, and nothing says that it takes none."""
    for domain in dns.domains:
        reply = dns.look(domain, "MX")
        yield from doubts(reply)
        for number, exchanger in enumerate(dns.exchangers(domain)):
            if not exchanger.name:
                message = f"The null MX of {domain} says that it takes no mail; Yahoo refuses mail from such a domain, too."
                fix = publish('Delete the MX record with the target "."', delete(domain, "MX", _written(exchanger)))
                yield Finding(message, seen(reply), fix, f"null MX of {domain}", "null MX")
            elif number:
                replies = (dns.addresses(exchanger.name, 4), dns.addresses(exchanger.name, 6))
                where = _here(dns, replies) if any(each.is_there for each in replies) else True
                if where is None:
                    yield no_addresses()
                elif not where:
                    message = f"{exchanger.name}, which is not this host, takes mail for {domain} as well."
                    fix = publish(f"Delete the MX record for {exchanger.name}", delete(domain, "MX", _written(exchanger)))
                    yield Finding(message, seen(reply, *replies), fix, f"MX {exchanger.name} of {domain}", "elsewhere")


@rule("DNS009")
def issuers_are_named(dns: Dns) -> Iterator[Outcome]:
    """CAA records say who may issue certificates for each name."""
    if not dns.certificate_names:
        yield Exempt("no certificate is got")
    for name in dns.certificate_names:
        reply = dns.climb(name)
        yield from doubts(reply)
        tags = {tag for tag, _ in tagged(reply)}
        if reply.failed is None and "issue" not in tags:
            said = "The CAA records name no issuer" if reply.is_there else "No CAA record says who may issue"
            message = f"{said} for {name}: any certification authority may give a certificate for it."
            domain = next((each for each in dns.domains if name.endswith(each)), name)
            fix = publish("Name the issuer", *_caa(domain, reply))
            yield lacks(message, reply, fix, f"CAA of {name}")


def _caa(domain: str, reply: Reply) -> list[str]:
    """Who may issue; where nothing is said yet, also that nobody may for all names at once, and where refusals are reported."""
    said = ['0 issuewild ";"', f'0 iodef "mailto:caareport@{domain}"'] if not reply.is_there else []
    return [record(domain, "CAA", data) for data in (f'0 issue "{_CA}"', *said)]


@rule("DNS010")
def other_issues_are_closed(dns: Dns) -> Iterator[Outcome]:
    """CAA records forbid certificates for wildcards, and say where breaches are reported."""
    replies = {domain: dns.climb(domain) for domain in dns.domains}
    if all(reply.is_absent for reply in replies.values()):
        yield Exempt("there is no CAA record, which is DNS009's to tell")
    for domain, reply in replies.items():
        yield from doubts(reply)
        tags = {tag for tag, _ in tagged(reply)}
        if reply.is_there and "issuewild" not in tags:
            message = f"The CAA records of {domain} allow certificates for *.{domain} to whoever may issue any."
            fix = publish("Forbid them", record(domain, "CAA", '0 issuewild ";"'))
            yield lacks(message, reply, fix, f"issuewild of {domain}")
        if reply.is_there and "iodef" not in tags:
            message = f"The CAA records of {domain} do not say where a refused request is reported."
            fix = publish("Name an address", record(domain, "CAA", f'0 iodef "mailto:caareport@{domain}"'))
            yield lacks(message, reply, fix, f"iodef of {domain}")


def tagged(reply: Reply) -> tuple[_Tagged, ...]:
    """Tags in lower case and values of CAA records."""
    found = (data.split(None, 2) for data in reply.data)
    return tuple((tag.lower(), value.strip('"')) for _, tag, value in found)
