"""What netstart(8) sets up at boot: interfaces and their addresses by hostname.if(5), gateways, the host's name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from itertools import pairwise

from mailaudit.models.included import WithIncludes
from mailaudit.models.interfaces import Address
from mailaudit.models.sources import Known, Lacking, NotHere, Slot, Sources, refused_statements
from mailaudit.parsers import hostname_if
from mailaudit.parsers.tree import Node, Problem, Statement, Token, Tree
from mailaudit.questions import Failed, Reason
from mailaudit.text import Span, Text

FILES = "/etc/hostname.*"
PREFIX = "/etc/hostname."
MYGATE = "/etc/mygate"
MYNAME = "/etc/myname"
_NAME = re.compile(r"[A-Za-z]+[0-9]+\Z")
_LLADDR = re.compile(r"(?:[0-9A-Fa-f]{1,2}:){5}[0-9A-Fa-f]{1,2}\Z")
_SECRETS = {
    "authkey": "ppp-password",
    "nwkey": "wireless-key",
    "pass": "carp-password",
    "wgkey": "wireguard-key",
    "wgpsk": "wireguard-key",
    "wpakey": "wireless-key",
}
"""The words of ifconfig(8) behind which a secret stands, and what it is."""


@dataclass(frozen=True, slots=True, eq=False)
class StaticAddress:
    """An address that a line gives an interface, and the word it is written as.

    `address` is None where the word is a host's name, or the low half is made of the hardware address (`eui64`). Its `bits`
    are those of the netmask or prefix length; without them 64 for IPv6, and those of the old class for IPv4.
    """

    family: int
    host: Token
    address: Address | None
    is_alias: bool


@dataclass(frozen=True, slots=True, eq=False)
class Configured:
    """An interface by its file: its name, or its hardware address where the file is called so.

    `autoconf` are the words that ask for an address, each with its family: 4 for DHCP, 6 for router advertisements. `rdomain` is
    the routing domain's number as written. `commands` are run by the shell, `others` by ifconfig: they may add addresses too.
    """

    name: str
    path: str
    addresses: tuple[StaticAddress, ...] = ()
    autoconf: tuple[tuple[int, Token], ...] = ()
    rdomain: Token | None = None
    commands: tuple[Token, ...] = ()
    others: tuple[Statement, ...] = ()

    def is_autoconfigured(self, family: int) -> bool:
        """True if an address of the family is asked for."""
        return any(each == family for each, _ in self.autoconf)


@dataclass(frozen=True, eq=False)
class HostnameIf(WithIncludes):
    """The interfaces by file, in the order of their names; gateways; `name` is the first word of /etc/myname."""

    interfaces: tuple[Configured, ...] = ()
    gateways: tuple[Token, ...] = ()
    name: Token | None = None
    ignored: tuple[Problem, ...] = ()

    def interface(self, name: str) -> Configured | None:
        """The interface of a name."""
        return next((each for each in self.interfaces if each.name == name), None)

    def addresses(self, family: int) -> tuple[StaticAddress, ...]:
        """All static addresses of a family, but those of a routing domain of their own."""
        ours = [each for each in self.interfaces if each.rdomain is None or each.rdomain.value == "0"]
        return tuple(address for each in ours for address in each.addresses if address.family == family)

    def is_autoconfigured(self, family: int) -> bool:
        """True if some interface asks for an address of the family."""
        return any(each.is_autoconfigured(family) for each in self.interfaces)


def read_hostname_if(sources: Sources) -> Slot[HostnameIf]:
    """What is configured. Files that are not called by an interface, such as copies, are not read: netstart does not either."""
    listed = sources.list(FILES)
    paths = listed if isinstance(listed, tuple) else ()
    found = {path: sources.tree(path, "hostname") for path in paths if is_interface(path.removeprefix(PREFIX))}
    gate, name = sources.tree(MYGATE, "mygate"), sources.tree(MYNAME, "myname")
    trees = {path: tree for path, tree in found.items() if isinstance(tree, Tree)}
    if isinstance(listed, Failed) and (sources.snapshot.recorded or listed.reason is not Reason.NOT_RECORDED):
        return Lacking(listed.reason, listed.detail, FILES)
    if not found and not isinstance(name, Tree) and not isinstance(gate, Tree):
        return NotHere(f"no {FILES} is in the target")
    plain = [tree for tree in (gate, name) if isinstance(tree, Tree)]
    return Known(
        HostnameIf(
            trees=(*trees.values(), *plain),
            refusals=refused_statements(trees.values()),
            secrets=tuple(secret for tree in trees.values() for secret in _secrets(tree)),
            interfaces=tuple(_configured(path.removeprefix(PREFIX), tree) for path, tree in trees.items()),
            gateways=tuple(word for word in _first_words(gate) if not word.value.startswith("!")),
            name=next(iter(_first_words(name)), None),
            ignored=tuple(problem for tree in (*trees.values(), *plain) for problem in _ignored(tree)),
            unknown=tuple(_unread(path, tree) for path, tree in found.items() if isinstance(tree, Failed)),
        )
    )


def _unread(path: str, why: Failed) -> Problem:
    return Problem(f"the file could not be read ({why.detail})", Span(Text(path, b""), 0, 0), refused=False)


def is_interface(name: str) -> bool:
    """True for letters and digits, as in `vio0`, and for a hardware address."""
    return _NAME.match(name) is not None or _LLADDR.match(name) is not None


def _configured(name: str, tree: Tree) -> Configured:
    read = [statement for statement in tree.statements if statement.template is not None]
    others = tuple(statement for statement in read if statement.kind == "ifconfig")
    domains = [word for statement in others for word in _behind(statement, "rdomain")]
    return Configured(
        name,
        tree.text.path,
        addresses=tuple(_static(statement.node) for statement in read if statement.kind == "address"),
        autoconf=tuple(_autoconf(statement) for statement in read if statement.kind == "autoconf"),
        rdomain=domains[-1] if domains else None,
        commands=tuple(statement.node.first for statement in read if statement.kind == "command"),
        others=others,
    )


def _autoconf(statement: Statement) -> tuple[int, Token]:
    words = statement.node.leaves()
    return (6, words[1]) if words[0].value == "inet6" else (4, words[0] if words[0].value == "dhcp" else words[1])


def _static(node: Node) -> StaticAddress:
    host = _only(node, "host")
    assert host is not None  # the parser makes no such node without one
    family = 6 if node.nodes("family")[0].first.value == "inet6" else 4
    return StaticAddress(family, host, _ipv6(node, host) if family == 6 else _ipv4(node, host), node.node("alias") is not None)


def _ipv4(node: Node, host: Token) -> Address | None:
    written, _, length = host.value.partition("/")
    mask = _only(node, "netmask")
    try:
        address = IPv4Address(written)
        if length:
            bits = ip_network(f"0.0.0.0/{length}").prefixlen
        elif mask is not None:
            number = int(mask.value, 16) if mask.value[:2] in ("0x", "0X") else int(IPv4Address(mask.value))
            bits = ip_network(f"0.0.0.0/{IPv4Address(number)}").prefixlen
        else:
            bits = 8 if int(address) < 128 << 24 else 16 if int(address) < 192 << 24 else 24
    except ValueError:
        return None
    return Address(4, int(address), bits)


def _ipv6(node: Node, host: Token) -> Address | None:
    written, _, length = host.value.partition("/")
    prefix = _only(node, "prefixlen")
    options = node.node("options")
    if options is not None and any(word.value == "eui64" for word in options.leaves()):
        return None
    try:
        address = IPv6Address(written.partition("%")[0])
        bits = int(length or (prefix.value if prefix is not None else "64"))
    except ValueError:
        return None
    return Address(6, int(address), bits) if 0 <= bits <= 128 else None


def _only(node: Node, kind: str) -> Token | None:
    found = node.node(kind)
    return None if found is None else found.first


def _behind(statement: Statement, word: str) -> Iterator[Token]:
    """The words behind a word."""
    tokens = statement.tokens
    return (after for before, after in pairwise(tokens) if before.value == word)


def _secrets(tree: Tree) -> Iterator[tuple[str, str]]:
    for statement in tree.statements:
        for word, kind in _SECRETS.items():
            yield from ((kind, found.value) for found in _behind(statement, word) if found.value)


def _first_words(tree: object) -> Iterable[Token]:
    statements = tree.statements if isinstance(tree, Tree) else ()
    return [statement.tokens[0] for statement in statements if statement.kind == "line"]


def _ignored(tree: Tree) -> Iterator[Problem]:
    for statement in tree.statements:
        if statement.kind == "ignored":
            yield Problem(hostname_if.why_ignored(statement), statement.span)
