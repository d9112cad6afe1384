"""What `mailaudit init` is told, made sure of: names that DNS takes, addresses of the right family, users that are no duties."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, ip_network

LONGEST_NAME = 253
LONGEST_USER = 64
DEFAULT_USER = "mailadmin"
DUTIES = frozenset(
    {"root", "abuse", "hostmaster", "postmaster", "webmaster", "dmarcreport", "caareport", "mailer-daemon", "vmail"}
)
"""Local parts that lead to the first user, or to nobody."""
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_USER = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_INTERFACE = re.compile(r"[a-z]{1,12}[0-9]{1,4}")
_RELEASE = re.compile(r"[678]\.[0-9]")
_OLDEST = "7.0"
_NOT_ONE_WAY = "\u00df\u03c2\u200c\u200d"
"""Characters that old and new rules for names write differently."""
_DOCUMENTATION = tuple(map(ip_network, ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")))
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_POINT_TO_POINT = 31  # bits; longer networks have no addresses of their own (RFC 3021)


class WishError(Exception):
    """What was asked for cannot be; the message names the option, what it says and what is expected. Exit code 2."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The command line's words. Addresses may have the length of their network: `192.0.2.9/24`."""

    domain: str
    host: str
    ipv4: str | None = None
    ipv6: str | None = None
    users: tuple[str, ...] = ()
    interface: str | None = None
    selector: str = "selector0"
    mail_name: str = "mail"
    dovecot: str = "2.3"
    openbsd: str = "7.9"


@dataclass(frozen=True, slots=True)
class Plan:
    """The same, made sure of: whole names in lower case, addresses with their networks; what to say besides, a sentence each."""

    domain: str
    host_name: str
    mail_host: str
    ipv4: IPv4Interface | None
    ipv6: IPv6Interface | None
    users: tuple[str, ...]
    interface: str | None
    selector: str
    dovecot: str
    openbsd: str
    warnings: tuple[str, ...] = ()


def plan(wish: Wish) -> Plan:
    """Make sure of a wish. Raises `WishError`."""
    domain, told = _domain(wish.domain)
    host_name = _below("--host", wish.host, domain)
    mail_host = _below("--mail-name", wish.mail_name, domain)
    ipv4 = None if wish.ipv4 is None else _ipv4(wish.ipv4)
    ipv6 = None if wish.ipv6 is None else _ipv6(wish.ipv6)
    if ipv4 is None and ipv6 is None:
        raise WishError("a mail host needs an address: expected --ipv4, --ipv6 or both")
    users, interface = _users(wish.users), wish.interface
    if interface is not None and not _INTERFACE.fullmatch(interface):
        raise WishError(f"--interface {interface}: expected the name of a network interface like vio0")
    if not _is_label(wish.selector.lower()):
        raise WishError(f"--selector {wish.selector}: expected letters, digits and hyphens, like selector0")
    if wish.dovecot not in ("2.3", "2.4"):
        raise WishError(f"--dovecot {wish.dovecot}: expected 2.3 or 2.4")
    if not _RELEASE.fullmatch(wish.openbsd) or wish.openbsd < _OLDEST:
        raise WishError(f"--openbsd {wish.openbsd}: expected a release from {_OLDEST} on, like 7.9")
    selector = wish.selector.lower()
    longest = max(f"{selector}._domainkey.{domain}", host_name, mail_host, key=len)
    if len(longest) > LONGEST_NAME:
        raise WishError(f"{longest} would be longer than DNS takes: {LONGEST_NAME} characters")
    made = Plan(domain, host_name, mail_host, ipv4, ipv6, users, interface, selector, wish.dovecot, wish.openbsd)
    return _warned(made, (*told, *_said(made, wish)))


def _warned(made: Plan, warnings: Sequence[str]) -> Plan:
    words = {name: getattr(made, name) for name in Plan.__slots__ if name != "warnings"}
    return Plan(**words, warnings=tuple(warnings))


def _domain(written: str) -> tuple[str, tuple[str, ...]]:
    name = written.strip().lower().removesuffix(".")
    told: tuple[str, ...] = ()
    if not name.isascii():
        name = _a_label(written, name)
        told = (f"{written} is {name} in DNS and in configuration files; that is what is written.",)
    labels = name.split(".")
    if len(labels) < 2 or not all(map(_is_label, labels)) or labels[-1].isdigit():
        raise WishError(f"{written!r} is no domain: expected a name like example.org")
    return name, told


def _a_label(written: str, name: str) -> str:
    if any(each in name for each in _NOT_ONE_WAY):
        raise WishError(f"{written!r} is not written in one way alone in DNS; give its A-label, which begins with xn--")
    if not all(name.split(".")):
        raise WishError(f"{written!r} is no domain: nothing stands between two of its dots")
    try:
        return ".".join(label.encode("idna").decode("ascii").lower() for label in name.split("."))
    except UnicodeError:
        why = "a part of it is longer than the 63 characters that DNS takes, or holds a character that no name has"
        raise WishError(f"{written!r} is no domain: {why}") from None


def _is_label(label: str) -> bool:
    return _LABEL.fullmatch(label) is not None


def _below(option: str, written: str, domain: str) -> str:
    """A name below the domain, by its first labels or whole."""
    name = written.strip().lower().removesuffix(".")
    name = name.removesuffix(f".{domain}")
    if name == domain or not all(map(_is_label, name.split("."))):
        raise WishError(f"{option} {written}: expected a name below {domain}, like {'mail' if 'mail' in option else 'h1'}")
    if name.count(".") and not written.strip().lower().removesuffix(".").endswith(f".{domain}"):
        raise WishError(f"{option} {written}: expected a name below {domain}; the records of another domain are not written here")
    return f"{name}.{domain}"


def _ipv4(written: str) -> IPv4Interface:
    try:
        found = IPv4Interface(written.strip())
    except ValueError:
        hint = "; this is one of IPv6" if ":" in written else ""
        raise WishError(f"--ipv4 {written}: expected an IPv4 address like 192.0.2.9 or 192.0.2.9/24{hint}") from None
    network = found.network
    if network.prefixlen < _POINT_TO_POINT and found.ip in (network.network_address, network.broadcast_address):
        raise WishError(f"--ipv4 {written}: expected the host's own address, not that of its whole network {network}")
    _reachable("--ipv4", written, found.ip)
    return found


def _ipv6(written: str) -> IPv6Interface:
    try:
        found = IPv6Interface(written.strip())
    except ValueError:
        hint = "; this is one of IPv4" if re.fullmatch(r"[0-9./ ]+", written) else ""
        raise WishError(f"--ipv6 {written}: expected an IPv6 address like 2001:db8::9 or 2001:db8::9/64{hint}") from None
    if "%" in written or found.ip.ipv4_mapped:
        raise WishError(f"--ipv6 {written}: expected an address that the whole Internet can use")
    _reachable("--ipv6", written, found.ip)
    return found


def _reachable(option: str, written: str, address: IPv4Address | IPv6Address) -> None:
    """Refuse an address that can never be a mail server's; a private one may be, behind a router that translates."""
    kinds = {
        "leads a host to itself": address.is_loopback,
        "is no host's": address.is_unspecified or address in _THIS_NETWORK,
        "is that of a group of hosts": address.is_multicast,
        "is of one link alone": address.is_link_local,
        "is reserved": address.is_reserved,
    }
    for what, is_so in kinds.items():
        if is_so:
            raise WishError(f"{option} {written}: expected an address that other mail servers reach; this one {what}")


def _users(written: Sequence[str]) -> tuple[str, ...]:
    found = []
    for each in written or (DEFAULT_USER,):
        name = each.strip().lower()
        if not _USER.fullmatch(name) or ".." in name or len(name) > LONGEST_USER:
            raise WishError(f"--user {each}: expected the part before the @ in lower case: letters, digits, dots, hyphens")
        if name in DUTIES:
            raise WishError(f"--user {each}: mail for {name} goes to the first user; give a person's name")
        found.append(name)
    return tuple(dict.fromkeys(found))


def _said(made: Plan, wish: Wish) -> Iterator[str]:
    for address in (made.ipv4, made.ipv6):
        if address is not None and (kind := _unusual(address)):
            yield f"{address.ip} is {kind}: no mail comes to it from the Internet."
    if made.ipv4 is None:
        yield "Without an IPv4 address many mail servers can neither reach this host nor take mail from it."
    if not wish.users:
        yield f"No --user is named: the first mailbox is {DEFAULT_USER}@{made.domain}."
    if made.host_name == made.mail_host:
        yield f"{made.host_name} is the host's name and that of mail: mail cannot move to another host without it."
    if made.interface is not None:
        bare = [word for word in (wish.ipv4, wish.ipv6) if word is not None and "/" not in word]
        if bare:
            yield f"The network of {' and '.join(bare)} was not given; /24 and /64 are written to hostname.{made.interface}."


def _unusual(address: IPv4Interface | IPv6Interface) -> str:
    if any(address.ip in network for network in _DOCUMENTATION if network.version == address.version):
        return "an address for documentation"
    return "a private address" if not address.ip.is_global else ""
