"""What packets that are asked about are on a host: its interfaces, its addresses, the numbers of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from mailaudit.models.interfaces import NEVER_EGRESS, Interface, driver_of
from mailaudit.models.pf.addresses import LINK_LOCAL
from mailaudit.models.pf.asking import Asked
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.packet import BadPacketError
from mailaudit.models.pf.reachable import own_addresses
from mailaudit.models.pf.rules import FLAGS, SYN
from mailaudit.models.pf.space import whole
from mailaudit.models.pf.traffic import ALL_PORTS, CLIENT_PORTS, Addresses
from mailaudit.models.pf.values import ICMP, ICMP6, ICMP_TYPES, MAX_PORT, PROTOCOLS, TCP, UDP, WIDTH, Range, address4, address6

ECHO = {4: 8, 6: 128}
NUMBERS = {**PROTOCOLS, "icmpv6": ICMP6}
USUAL = ("tcp", "udp", "icmp", "icmp6", "esp", "gre")  # the first that a slip is taken for
USUAL_SERVICES = ("ssh", "smtp", "domain", "http", "https", "imap", "submission", "submissions", "imaps", "sieve")


@dataclass(frozen=True, slots=True)
class Meant:
    """What is asked about, resolved on a host; addresses are of each family."""

    interfaces: tuple[Interface, ...]
    families: tuple[int, ...]
    protocols: Mapping[int, int]  # by family: ICMP has two numbers
    sources: Mapping[tuple[Interface, int], tuple[Addresses, ...]]
    targets: Mapping[tuple[Interface, int], tuple[Addresses, ...]]
    source_ports: tuple[Range, ...]
    ports: tuple[Range, ...]
    icmp: Mapping[int, tuple[int, int] | None]
    flags: int
    prio: int | None


def meant(asked: Asked, ruleset: Ruleset) -> Meant:
    """What is asked about, on a ruleset's host. Raises `BadPacketError` for what makes no sense there."""
    interfaces = _interfaces(asked.interface, ruleset)
    families = _families(asked)
    protocols = {family: _protocol(asked, family) for family in families}
    ends: list[dict[tuple[Interface, int], tuple[Addresses, ...]]] = []
    for written, is_other in ((asked.source, asked.direction == "in"), (asked.target, asked.direction == "out")):
        ends.append(
            {
                (interface, family): _addresses(written, ruleset, interface, family, is_other=is_other)
                for interface in interfaces
                for family in families
            }
        )
    has_ports = protocols[families[0]] in (TCP, UDP)
    if not has_ports and (asked.port or asked.source_port):
        raise BadPacketError(f'"{asked.protocol}" has no ports; say "proto tcp" or "proto udp"')
    return Meant(
        interfaces,
        families,
        protocols,
        ends[0],
        ends[1],
        _ports(asked.source_port, protocols[families[0]], ruleset) or CLIENT_PORTS,
        _ports(asked.port, protocols[families[0]], ruleset) or ALL_PORTS,
        {family: _icmp(asked, family) for family in families},
        _flags(asked.flags),
        _prio(asked.prio),
    )


def _interfaces(name: str, ruleset: Ruleset) -> tuple[Interface, ...]:
    """The interfaces that a name stands for; where nothing is recorded, one may or may not be that to the Internet."""
    known = ruleset.interfaces.known
    if not name or name == "egress":
        found = tuple(each for each in known if "egress" in each.groups) or ruleset.egress
    elif known:
        found = tuple(ruleset.interfaces.named(name))
        if not found:
            names = ", ".join(each.name for each in known)
            raise BadPacketError(f'"{name}" is no interface or group of the host; it has {names}')
    else:
        found = tuple(each for each in ruleset.egress if each.called(name)) or _maybe(name, ruleset)
    if not found:
        raise BadPacketError('no interface of the host is in the group egress; name one with "on"')
    return found


def _maybe(name: str, ruleset: Ruleset) -> tuple[Interface, ...]:
    driver = driver_of(name)
    if not driver:
        return (Interface("", frozenset([name])),)
    nameless = [each for each in ruleset.egress if not each.name] if driver not in NEVER_EGRESS else []
    return (Interface(name), *(replace(each, name=name) for each in nameless))


def _families(asked: Asked) -> tuple[int, ...]:
    said = {asked.family} - {0}
    for written in (asked.source, asked.target):
        value = written.partition("/")[0]
        if address4(value, short="/" in written) is not None:
            said.add(4)
        elif address6(value) is not None:
            said.add(6)
    if asked.protocol in ("icmp6", "icmpv6", "ipv6-icmp", "58"):
        said.add(6)
    if len(said) > 1:
        raise BadPacketError("inet and inet6 are mixed: a packet's addresses and protocol are of one family")
    return tuple(said) or ((4,) if asked.protocol == "icmp" and asked.icmp_type else (4, 6))


def _protocol(asked: Asked, family: int) -> int:
    name = asked.protocol or ("icmp" if asked.icmp_type else "tcp")
    number = int(name) if name.isdecimal() and name.isascii() and len(name) < 4 else NUMBERS.get(name.lower())
    if number is None or number > 255:
        near = get_close_matches(name, USUAL, n=1) or get_close_matches(name, NUMBERS, n=1)
        raise BadPacketError(f'"{name}" is no protocol{f"; did you mean {near[0]}?" if near else ""}')
    return ICMP6 if number == ICMP and family == 6 and name == "icmp" else number


def _addresses(written: str, ruleset: Ruleset, interface: Interface, family: int, *, is_other: bool) -> tuple[Addresses, ...]:
    """The addresses of one end: those of others are anybody's, those of this host its own, unless said."""
    everybody = whole(family, strangers=interface in ruleset.egress or "egress" in interface.groups)
    if not written:
        return everybody[:1] if is_other else own_addresses(ruleset, interface, family)  # the first part is the Internet
    if written == "any":
        return everybody
    value, slash, bits = written.partition("/")
    number = address4(value, short=bool(slash)) if family == 4 else address6(value)
    if number is None:
        return _named(written, ruleset, interface, family)
    if slash and not (bits.isdecimal() and bits.isascii() and len(bits) < 4 and int(bits) <= WIDTH[family]):
        raise BadPacketError(f'"{written}" is no network: the mask is a number of bits up to {WIDTH[family]}')
    size = 1 << (WIDTH[family] - int(bits)) if slash else 1
    low = number // size * size
    return _within(everybody, (low, low + size - 1))


def _within(parts: Sequence[Addresses], span: Range) -> tuple[Addresses, ...]:
    """What of some addresses lies in a network."""
    found = []
    for part in parts:
        ranges = tuple((max(low, span[0]), min(high, span[1])) for low, high in part.ranges)
        ranges = tuple((low, high) for low, high in ranges if low <= high)
        if ranges:
            found.append(replace(part, ranges=ranges))
    return tuple(found)


def _named(name: str, ruleset: Ruleset, interface: Interface, family: int) -> tuple[Addresses, ...]:
    """The addresses that `self`, an interface or a group stands for; `<table>` for its members."""
    if name == "self" or interface.called(name):
        return own_addresses(ruleset, interface, family)
    if name.startswith("<") and name.endswith(">") and name[1:-1] in ruleset.tables:
        table = ruleset.tables[name[1:-1]]
        pieces = tuple(ruleset.book.pieces(table, family))
        if not pieces and not any(ruleset.book.pieces(table, each) for each in (4, 6)):
            raise BadPacketError(f"the table {name} has no addresses in the file")
        return (Addresses(pieces),) if pieces else ()
    if name == "localhost":
        return (Addresses(((0x7F000001, 0x7F000001) if family == 4 else (1, 1),)),)
    values = [
        (each.value, each.value)
        for known in ruleset.interfaces.known
        if known.called(name)
        for each in known.addresses or ()
        if each.family == family and each.value >> 118 != LINK_LOCAL
    ]
    if not values and not ruleset.interfaces.named(name):
        raise BadPacketError(f'"{name}" is no address; say one such as 192.0.2.1 or 2001:db8::1, a network, any, or self')
    return (Addresses(tuple(sorted(values))),) if values else ()


def _ports(written: str, protocol: int, ruleset: Ruleset) -> tuple[Range, ...]:
    if not written:
        return ()
    first, colon, last = written.partition(":")
    low = _port(first, protocol, ruleset)
    high = _port(last, protocol, ruleset) if colon else low
    if low > high:
        raise BadPacketError(f'"{written}" is no range of ports: it ends before it begins')
    return ((low, high),)


def _port(written: str, protocol: int, ruleset: Ruleset) -> int:
    if written.isdecimal() and written.isascii():
        if len(written) <= len(str(MAX_PORT)) and int(written) <= MAX_PORT:
            return int(written)
        raise BadPacketError(f'"{written}" is no port: the last one is {MAX_PORT}')
    number = ruleset.services.port(written, "udp" if protocol == UDP else "tcp")
    if number is None:
        names = {name for name, _ in ruleset.services.ports}
        near = get_close_matches(written, USUAL_SERVICES, n=1) or get_close_matches(written, names, n=1)
        raise BadPacketError(f'"{written}" is no port or service{f"; did you mean {near[0]}?" if near else ""}')
    return number


def _icmp(asked: Asked, family: int) -> tuple[int, int] | None:
    if asked.protocol and NUMBERS.get(asked.protocol) not in (ICMP, ICMP6) and asked.protocol not in ("1", "58"):
        if asked.icmp_type:
            raise BadPacketError(f'"{asked.protocol}" has no icmp-type; say "proto icmp" or "proto icmp6"')
        return None
    if not asked.icmp_type and not asked.protocol:
        return None
    name = asked.icmp_type
    number = ECHO[family] if not name else _byte(name, ICMP_TYPES[family])
    if number is None:
        near = get_close_matches(name, ICMP_TYPES[family], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise BadPacketError(f'"{name}" is no type of {"ICMP" if family == 4 else "ICMPv6"}{hint}')
    code = _byte(asked.code or "0", {})
    if code is None:
        raise BadPacketError(f'"{asked.code}" is no code: it is a number up to 255')
    return number, code


def _byte(written: str, names: Mapping[str, int]) -> int | None:
    if written.isdecimal() and written.isascii() and len(written) < 4 and int(written) < 256:
        return int(written)
    return names.get(written)


def _flags(written: str) -> int:
    letters = written.partition("/")[0].upper() if written != "none" else ""
    if not written:
        return SYN
    if any(letter not in FLAGS for letter in letters):
        raise BadPacketError(f'"{written}" are no TCP flags: the letters are {"".join(FLAGS)}, or none')
    flags = sum(FLAGS[letter] for letter in set(letters))
    return flags & ~FLAGS["F"] if flags & SYN else flags


def _prio(written: str) -> int | None:
    if not written:
        return None
    if written not in set("01234567"):
        raise BadPacketError(f'"{written}" is no priority: it is a number from 0 to 7')
    return int(written)
