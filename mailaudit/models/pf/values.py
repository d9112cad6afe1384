"""The values that pf rules compare packets with: addresses, ports, identities, and the names that pfctl knows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv6Address

from mailaudit.parsers.tree import Token

Range = tuple[int, int]  # both ends inclusive
MAX_PORT = 65535
WIDTH = {4: 32, 6: 128}
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58

PROTOCOLS = {
    "icmp": 1, "igmp": 2, "ggp": 3, "ipencap": 4, "ipv4": 4, "st2": 5, "tcp": 6, "cbt": 7, "egp": 8, "igp": 9, "pup": 12,
    "udp": 17, "hmp": 20, "xns-idp": 22, "rdp": 27, "iso-tp4": 29, "dccp": 33, "xtp": 36, "ddp": 37, "idpr-cmtp": 38, "ipv6": 41,
    "ipv6-route": 43, "ipv6-frag": 44, "idrp": 45, "rsvp": 46, "gre": 47, "esp": 50, "ah": 51, "swipe": 53, "mobile": 55,
    "tlsp": 56, "skip": 57, "ipv6-icmp": 58, "icmp6": 58, "ipv6-nonxt": 59, "ipv6-opts": 60, "rspf": 73, "vmtp": 81,
    "eigrp": 88, "ospf": 89, "ospfigp": 89, "mtp": 92, "ax.25": 93, "ipip": 94, "etherip": 97, "encap": 98, "pim": 103,
    "ipcomp": 108, "compaq-peer": 110, "carp": 112, "vrrp": 112, "pgm": 113, "l2tp": 115, "stp": 118, "isis": 124, "sctp": 132,
    "fc": 133, "mobility-header": 135, "udplite": 136, "mpls-in-ip": 137, "manet": 138, "shim6": 139, "wesp": 141, "rohc": 142,
    "pfsync": 240,
}  # fmt: skip
ICMP_TYPES = {
    4: {
        "echoreq": 8, "echorep": 0, "unreach": 3, "squench": 4, "redir": 5, "althost": 6, "routeradv": 9, "routersol": 10,
        "timex": 11, "paramprob": 12, "timereq": 13, "timerep": 14, "inforeq": 15, "inforep": 16, "maskreq": 17, "maskrep": 18,
        "trace": 30, "dataconv": 31, "mobredir": 32, "ipv6-where": 33, "ipv6-here": 34, "mobregreq": 35, "mobregrep": 36,
        "skip": 39, "photuris": 40,
    },
    6: {
        "unreach": 1, "toobig": 2, "timex": 3, "paramprob": 4, "echoreq": 128, "echorep": 129, "groupqry": 130, "listqry": 130,
        "grouprep": 131, "listenrep": 131, "groupterm": 132, "listendone": 132, "routersol": 133, "routeradv": 134,
        "neighbrsol": 135, "neighbradv": 136, "redir": 137, "routrrenum": 138, "wrureq": 139, "wrurep": 140, "fqdnreq": 139,
        "fqdnrep": 140, "niqry": 139, "nirep": 140, "listenrepv2": 143, "mtraceresp": 200, "mtrace": 201,
    },
}  # fmt: skip
ICMP_CODES: dict[tuple[int, int], dict[str, int]] = {
    (4, 3): {
        "net-unr": 0, "host-unr": 1, "proto-unr": 2, "port-unr": 3, "needfrag": 4, "srcfail": 5, "net-unk": 6, "host-unk": 7,
        "isolate": 8, "net-prohib": 9, "host-prohib": 10, "net-tos": 11, "host-tos": 12, "filter-prohib": 13, "host-preced": 14,
        "cutoff-preced": 15,
    },
    (4, 5): {"redir-net": 0, "redir-host": 1, "redir-tos-net": 2, "redir-tos-host": 3},
    (4, 9): {"normal-adv": 0, "common-adv": 16},
    (4, 11): {"transit": 0, "reassemb": 1},
    (4, 12): {"badhead": 0, "optmiss": 1, "badlen": 2},
    (4, 40): {"unknown-ind": 1, "auth-fail": 2, "decrypt-fail": 3},
    (6, 1): {"noroute-unr": 0, "admin-unr": 1, "beyond-unr": 2, "notnbr-unr": 2, "addr-unr": 3, "port-unr": 4},
    (6, 3): {"transit": 0, "reassemb": 1},
    (6, 4): {"badhead": 0, "nxthdr": 1},
    (6, 137): {"redironlink": 0, "redirrouter": 1},
}  # fmt: skip
UNREACHABLE = {4: 3, 6: 1}  # the ICMP types whose codes `block return-icmp` names
REPLIES = {  # answers: a rule that keeps state does not match them, for their state was made by the question
    4: frozenset([0, 9, 14, 16, 18, 34, 36]),
    6: frozenset([129, 140, 200]),
}
USERS = {
    "root": 0, "daemon": 1, "operator": 2, "bin": 3, "build": 21, "sshd": 27, "_portmap": 28, "_identd": 29, "_rstatd": 30,
    "_rusersd": 32, "_fingerd": 33, "_x11": 35, "_unbound": 53, "_pbuild": 55, "_pfetch": 56, "_pkgfetch": 57, "_spamd": 62,
    "uucp": 66, "www": 67, "_isakmpd": 68, "_rpki-client": 70, "_syslogd": 73, "_pflogd": 74, "_bgpd": 75, "_tcpdump": 76,
    "_dhcp": 77, "_mopd": 78, "_tftpd": 79, "_rbootd": 80, "_ppp": 82, "_ntp": 83, "_ftp": 84, "_ospfd": 85, "_hostapd": 86,
    "_dvmrpd": 87, "_ripd": 88, "_relayd": 89, "_ospf6d": 90, "_snmpd": 91, "_ypldap": 93, "_rad": 94, "_smtpd": 95,
    "_rwalld": 96, "_nsd": 97, "_ldpd": 98, "_sndio": 99, "_ldapd": 100, "_iked": 101, "_iscsid": 102, "_smtpq": 103,
    "_file": 104, "_radiusd": 105, "_eigrpd": 106, "_vmd": 107, "_tftp_proxy": 108, "_ftp_proxy": 109, "_sndiop": 110,
    "_syspatch": 112, "_slaacd": 115, "nobody": 32767,
}  # fmt: skip
GROUPS = {
    "wheel": 0, "daemon": 1, "kmem": 2, "sys": 3, "tty": 4, "operator": 5, "bin": 7, "wsrc": 9, "users": 10, "auth": 11,
    "games": 13, "staff": 20, "wobj": 21, "sshd": 27, "guest": 31, "utmp": 45, "_shadow": 65, "network": 69, "_sndio": 99,
    "_smtpq": 103, "dialer": 117, "nogroup": 32766,
} | {name: number for name, number in USERS.items() if number > 27}  # fmt: skip
TIMEOUTS = frozenset(
    f"{group}.{each}"
    for group, each in (
        *(("tcp", each) for each in ("first", "opening", "established", "closing", "finwait", "closed", "tsdiff")),
        *((group, each) for group in ("udp", "other") for each in ("first", "single", "multiple")),
        *(("icmp", each) for each in ("first", "error")),
        *(("adaptive", each) for each in ("start", "end")),
        ("src", "track"),
    )
) | {"frag", "interval"}
LIMITS = frozenset(["states", "src-nodes", "frags", "tables", "table-entries", "pktdelay-pkts", "anchors"])
DEBUG_LEVELS = frozenset(["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"])
OPTIMIZATIONS = frozenset(["default", "normal", "high-latency", "satellite", "aggressive", "conservative"])
TOS = {
    "critical": 0xA0,
    "ef": 0xB8,
    "inetcontrol": 0xC0,
    "lowdelay": 0x10,
    "netcontrol": 0xE0,
    "reliability": 0x04,
    "throughput": 0x08,
    **{f"af{number}{drop}": number << 5 | drop << 3 for number in range(1, 5) for drop in range(1, 4)},
    **{f"cs{number}": number << 5 for number in range(8)},
}


@dataclass(frozen=True, slots=True)
class Peer:
    """One item of `from` or `to`.

    `kind` is `any`, `net` (the addresses `low` to `high` of a family), `table`, `interface` (with `modifiers`, and `bits` if a
    mask was given), `no-route`, `urpf-failed`, `label` (a route's) or `name` (a host's name). Without a family it is of both.
    """

    kind: str
    at: Token
    negated: bool = False
    family: int = 0
    low: int = 0
    high: int = 0
    name: str = ""
    modifiers: tuple[str, ...] = ()
    dynamic: bool = False
    bits: int | None = None
    is_range: bool = False  # written as a range of two addresses
    weight: int = 0  # of an address to translate or route to


@dataclass(frozen=True, slots=True)
class PortTest:
    """One item of a list of ports: `=`, `!=`, `<`, `<=`, `>`, `>=`, `:` (from, to), `><` or `<>`, and its ports.

    `number` is that of its first operand among the list's tokens, by which the written characters are found.
    """

    operator: str
    low: int
    high: int
    number: int


@dataclass(frozen=True, slots=True)
class Ports:
    """A list of ports: what it says, item by item, and the ports that match one of them."""

    tests: tuple[PortTest, ...] = ()
    ranges: tuple[Range, ...] = ()


NO_PORTS = Ports()


@dataclass(frozen=True, slots=True)
class Compared:
    """A user, group or the like compared with an operator: `=`, `!=`, `<`, `<=`, `>`, `>=`, `<>` or `><`."""

    operator: str
    values: tuple[str, ...]
    at: Token


_ADDRESS4 = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,3})(?:\.([0-9]{1,3})(?:\.([0-9]{1,3}))?)?)?\Z")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?\Z")


def address4(text: str, *, short: bool = False) -> int | None:
    """An IPv4 address as a number; `short` allows 10.1 for 10.1.0.0, as pfctl does where a mask follows."""
    match = _ADDRESS4.match(text)
    if match is None or (not short and match[4] is None):
        return None
    a, b, c, d = map(int, match.groups("0"))
    return None if a > 255 or b > 255 or c > 255 or d > 255 else a << 24 | b << 16 | c << 8 | d


def address6(text: str) -> int | None:
    """An IPv6 address as a number, a scope left out."""
    if ":" not in text:
        return None
    try:
        return int(IPv6Address(text.split("%", 1)[0]))
    except AddressValueError:
        return None


def strtoul(text: str) -> int | None:
    """The number that C reads in a text, base 0: 0x50 is 80 and 022 is 18."""
    try:
        if text[:2].lower() == "0x":
            return int(text, 16)
        if len(text) > 1 and text[0] == "0":
            return int(text, 8)
        return int(text) if text.isascii() and text.isdigit() else None
    except ValueError:
        return None


def can_be_a_host(text: str) -> bool:
    """True if a resolver could know a name like this one: no top-level domain is a number."""
    if not _HOST.match(text) or len(text) > 255 or ".." in text:
        return False
    return not text.rstrip(".").rsplit(".", 1)[-1].isdigit()


def port_range(operator: str, first: int, second: int) -> tuple[Range, ...]:
    """The ports that a comparison admits."""
    spans: dict[str, tuple[Range, ...]] = {
        "=": ((first, first),),
        "!=": ((0, first - 1), (first + 1, MAX_PORT)),
        "<": ((0, first - 1),),
        "<=": ((0, first),),
        ">": ((first + 1, MAX_PORT),),
        ">=": ((first, MAX_PORT),),
        ":": ((first, second),),
        "><": ((first + 1, second - 1),),
        "<>": ((0, first - 1), (second + 1, MAX_PORT)),
    }
    return tuple((low, high) for low, high in spans[operator] if low <= high)


def merged(ranges: list[Range]) -> tuple[Range, ...]:
    """Ranges in order, those that touch joined."""
    joined: list[Range] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)
