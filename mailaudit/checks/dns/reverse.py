"""Rules about the names of addresses: a name, which leads back, is no alias, does not look made up, and is said in HELO."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address

from mailaudit.checks.dns.words import delete, doubts, host_names, lacks, no_addresses, pointer, publish, record, seen
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome
from mailaudit.models.dns.names import askable, bare, is_below
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.site import Site
from mailaudit.questions import Reason

_MADE_UP = re.compile(
    r"(?:^|[^a-z])(?:dyn(?:amic)?(?:ip)?|pool|dhcp|dial(?:up|in)?|ppp(?:oe)?|a?dsl|cable|generic|unassigned|customer)(?:[^a-z]|$)"
)


@rule("DNS014")
def address_has_a_name(dns: Dns, site: Site) -> Iterator[Outcome]:
    """Each IPv4 address that mail leaves by has a name of this host's."""
    yield from _named(dns, site, 4)


@rule("DNS015")
def ipv6_address_has_a_name(dns: Dns, site: Site) -> Iterator[Outcome]:
    """Each IPv6 address that mail leaves by has a name of this host's."""
    yield from _named(dns, site, 6)


def _named(dns: Dns, site: Site, version: int) -> Iterator[Outcome]:
    addresses = _addresses(dns, version)
    if not addresses:
        known = dns.sending.smarthost or version not in dns.sending.open_families
        yield Exempt(f"mail does not leave by IPv{version} from here") if known else no_addresses()
    ours = host_names(dns, site)
    for address in addresses:
        reply = dns.pointer(address)
        yield from doubts(reply)
        fix = publish("Ask whoever gives you the address to set its name", *(pointer(address, name) for name in ours[:1]))
        if reply.is_absent:
            refusal = "550-5.7.1" if version == 6 else "550-5.7.25"
            message = f"{address} has no name in DNS: Gmail refuses mail from it ({refusal}), and others do."
            yield lacks(message, reply, fix, f"PTR of an IPv{version} address")
        elif reply.is_there and not any(_is_ours(name, ours, dns) for name in _names(dns, address)):
            called = _names(dns, address)
            back = any(address in dns.addresses(name, version).data for name in called)
            usual = ", and such as customers' lines are by default" if any(is_made_up(name, address) for name in called) else ""
            enough = " It leads back to the address, which Gmail is content with; GMX and filters compare it with HELO."
            message = f"{address} is called {' and '.join(called)}, which is no name of this host{usual}.{enough if back else ''}"
            yield Finding(message, seen(reply), fix, f"PTR of an IPv{version} address", "strange name")


def _addresses(dns: Dns, version: int) -> tuple[str, ...]:
    return tuple(each for each in dns.sending.addresses if (":" in each) == (version == 6))


def _names(dns: Dns, address: str) -> tuple[str, ...]:
    return tuple(bare(each) for each in dns.pointer(address).data)


def _is_ours(name: str, ours: tuple[str, ...], dns: Dns) -> bool:
    return name in ours or (askable(name) is not None and any(is_below(name, each) and name != each for each in dns.domains))


@rule("DNS016")
def name_leads_back(dns: Dns) -> Iterator[Outcome]:
    """The name of an address has that address."""
    for address in dns.sending.addresses:
        yield from doubts(dns.pointer(address))
        version = ip_address(address).version
        replies = {name: dns.addresses(name, version) for name in _names(dns, address)}
        if not replies or any(address in reply.data for reply in replies.values()):
            continue
        unknown = list(doubts(*replies.values()))
        if unknown:
            yield from unknown
            continue
        name, reply = next(iter(replies.items()))
        found = f"leads to {' and '.join(reply.data)}" if reply.is_there else f"has no IPv{version} address"
        message = f"{address} is called {name}, and {name} {found}: receivers take that for no name at all."
        fix = publish("Publish the address", record(name, reply.type, address))
        yield Finding(message, seen(dns.pointer(address), reply), fix, f"{reply.type} of {name}", "not confirmed")


@rule("DNS017")
def name_is_no_alias(dns: Dns) -> Iterator[Outcome]:
    """The name of an address has records of its own."""
    told: set[str] = set()
    for address in dns.sending.addresses:
        yield from doubts(dns.pointer(address))
        for name in _names(dns, address):
            reply = dns.addresses(name, ip_address(address).version)
            yield from doubts(reply)
            if reply.aliases and name not in told:
                told.add(name)
                alias = bare(reply.aliases[0])
                message = f"{address} is called {name}, which is an alias of {alias}; the name of an address must be none."
                lines = (record(name, "AAAA" if ":" in each else "A", each) for each in dns.sending.addresses)
                yield Finding(
                    message,
                    seen(dns.pointer(address), reply),
                    publish("Give the name records of its own", *lines, delete(name, "CNAME", f"{alias}.")),
                    f"PTR target {name}",
                    "alias",
                )


@rule("DNS018")
def name_does_not_look_made_up(dns: Dns, site: Site) -> Iterator[Outcome]:
    """The name of an address is none that a provider gives by default."""
    ours = host_names(dns, site)
    for address in dns.sending.addresses:
        yield from doubts(dns.pointer(address))
        names = _names(dns, address)
        if names and not any(_is_ours(name, ours, dns) for name in names):
            rule_ = "DNS015" if ":" in address else "DNS014"
            yield Exempt(f"{address} is called by a name that is not this host's: {rule_} tells of that")
            continue
        for name in names:
            if is_made_up(name, address):
                message = f"{address} is called {name}, as customers' lines are by default: filters take it for one of those."
                fix = publish(
                    "Ask whoever gives you the address to set its name",
                    *(pointer(address, each) for each in ours[:1]),
                )
                yield Finding(
                    message,
                    seen(dns.pointer(address)),
                    fix,
                    f"PTR of an IPv{ip_address(address).version} address",
                    "generic name",
                )


def is_made_up(name: str, address: str) -> bool:
    """True for a name with the address in it, or with the words of dialled and leased lines."""
    if _MADE_UP.search(name):
        return True
    if ":" in address:
        digits = ip_address(address).exploded.replace(":", "")
        flat = re.sub(r"[^0-9a-f]", "", name.partition(".")[0])
        return digits in flat or digits in re.sub(r"[^0-9a-f]", "", name)
    numbers = address.split(".")
    found = re.findall(r"[0-9]+", name)
    plain = [number.lstrip("0") or "0" for number in found]
    rows = [plain[at : at + len(numbers)] for at in range(len(plain))]
    joined = {"".join(number.zfill(3) for number in numbers), "".join(f"{int(number):02x}" for number in numbers)}
    return any(row in (numbers, numbers[::-1]) for row in rows) or any(each in name for each in joined)


@rule("CROSS091")
def hello_is_the_name_of_the_address(dns: Dns, site: Site) -> Iterator[Outcome]:
    """What is said in HELO is the name of the address that it is said from."""
    if dns.sending.smarthost:
        yield Exempt("all mail goes through another server")
    elif not dns.sending.senders:
        yield no_addresses()
    ours = host_names(dns, site)
    told: set[tuple[str, str]] = set()
    for sender in dns.sending.senders:
        reply = dns.pointer(sender.address)
        yield from doubts(reply)
        if sender.helo is None:
            yield Doubt(Reason.NOT_RECORDED, f"What is said in HELO from {sender.address} is not known.")
            continue
        names = _names(dns, sender.address)
        key = (sender.helo, names[0] if names else "")
        if not any(_is_ours(name, ours, dns) for name in names) or sender.helo in names or key in told:
            continue
        told.add(key)
        message = f"From {sender.address} this host says HELO {sender.helo}, and the address is called {names[0]}."
        alias = dns.addresses(names[0], ip_address(sender.address).version).aliases
        other = "" if alias else f', or say its name in HELO: `relay helo "{names[0]}"`'
        title = f"Ask whoever gives you the address to call it {sender.helo}{other}"
        fix = Fix(title, Safety.MANUAL, records=(pointer(sender.address, sender.helo),))
        yield Finding(message, seen(reply), fix, f"HELO {sender.helo}", "not the address's name")
