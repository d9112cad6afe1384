"""Reads what pf.conf defines beside its rules: tables and queues; and checks what `set` is given."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from mailaudit.models.pf.items import OnInterface, Reader, Refused, interfaces, not_known
from mailaudit.models.pf.rules import Table
from mailaudit.models.pf.values import DEBUG_LEVELS, LIMITS, OPTIMIZATIONS, TIMEOUTS, Peer, strtoul
from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Node, Statement, Token

MAX_TABLE_NAME = 31
_TABLE_OPTIONS = ("const", "persist", "counters")
_NOT_IN_TABLES = {
    "table": "a table cannot hold another table",
    "no-route": '"no-route" cannot stand in a table',
    "urpf-failed": '"urpf-failed" cannot stand in a table',
    "label": "a route label cannot stand in a table",
}


def read_table(statement: Statement, reader: Reader) -> Table:
    """The table that a statement defines."""
    node = statement.node
    name = node.leaves()[2]
    if len(name.value) > MAX_TABLE_NAME:
        raise Refused(f"the name of a table cannot be longer than {MAX_TABLE_NAME} characters", name)
    entries: list[Peer] = []
    parts: list[Token | tuple[Peer, ...]] = []
    options: list[Token] = []
    for child in node:
        if not isinstance(child, Node):
            continue
        leaves = child.all_leaves()
        if child.kind == "table-option":
            if leaves[0].value not in _TABLE_OPTIONS:
                raise not_known(f'"{leaves[0].value}" is no option of a table', leaves[0], _TABLE_OPTIONS)
            options.append(leaves[0])
        if child.kind == "file":
            parts.append(leaves[1])
        elif child.kind == "entries":
            _no_ranges(leaves)
            listed = reader.peers(leaves)
            parts.append(listed)
            entries += listed
    for peer in entries:
        if peer.kind in _NOT_IN_TABLES:
            raise Refused(_NOT_IN_TABLES[peer.kind], peer.at)
        if peer.dynamic:
            raise Refused("an interface in parentheses cannot stand in a table", peer.at)
    files = tuple(part for part in parts if isinstance(part, Token))
    return Table(name.value, tuple(entries), files, name, tuple(parts), tuple(options))


def joined(first: Table, second: Table) -> Table:
    """A table that is defined twice: its entries are added up."""
    return replace(second, entries=first.entries + second.entries, files=first.files + second.files)


def _no_ranges(leaves: list[Token]) -> None:
    for token in leaves:
        if token.kind == "-":
            raise Refused("a range of addresses cannot stand in a table", token)


def check_option(name: str, leaves: list[Token], options: dict[str, list[Statement]]) -> None:
    """Raise `Refused` for a value that `set` does not take; `options` were set before."""
    last = leaves[-1]
    allowed = {
        "debug": DEBUG_LEVELS,
        "optimization": OPTIMIZATIONS,
        "ruleset-optimization": frozenset(["none", "basic", "profile"]),
    }.get(name)
    if allowed is not None and last.value not in allowed:
        raise not_known(f'"{last.value}" is not known to "set {name}": {", ".join(sorted(allowed))}', last, allowed)
    if name in ("timeout", "limit"):
        known = TIMEOUTS if name == "timeout" else LIMITS
        for token in leaves[1:]:
            if token.is_string and token.value not in known:
                raise not_known(f'there is no {name} "{token.value}"', token, known)
            if token.kind == "number" and int(token.value) < 0:
                raise Refused(f"a {name} cannot be less than 0", token)
    elif name == "reassemble" and leaves[1].value not in ("yes", "no"):
        raise not_known('"set reassemble" takes yes or no', leaves[1], ("yes", "no"))
    elif name == "hostid" and not (strtoul(last.value) if last.is_string else int(last.value)):
        raise Refused("a hostid is a number that is not 0", last)
    elif name == "state-defaults" and name in options:
        raise Refused('"set state-defaults" can be given only once', leaves[0])
    elif name == "syncookies" and leaves[1].value not in ("never", "adaptive", "always"):
        raise not_known('"set syncookies" takes never, adaptive or always', leaves[1], ("never", "adaptive", "always"))


@dataclass(frozen=True, slots=True, eq=False)
class Rate:
    """A bandwidth in bits a second, and the burst that it begins with for some milliseconds, where one is given."""

    value: int
    at: Token
    burst: int = 0
    milliseconds: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Queue:
    """A queue: on interfaces, one on each, or below a parent; what is not said is None."""

    statement: Statement
    name: Token
    interfaces: tuple[OnInterface, ...] = ()
    parent: Token | None = None
    bandwidth: Rate | None = None
    least: Rate | None = None
    most: Rate | None = None
    is_default: Token | None = None
    qlimit: Token | None = None
    flows: Token | None = None
    quantum: Token | None = None


_BANDWIDTH = re.compile(r"((?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][0-9]+)?)(b|K|M|G|%|)(?:Bit|B|bit|b)?\Z")
MOST_BITS = 2**63  # a second; pfctl keeps them in 64 bits
_UNITS = {"": 1, "b": 1, "K": 10**3, "M": 10**6, "G": 10**9}
_FIELDS = {"default": "is_default", "on": "interfaces"}
_MOST = {"qlimit": (0, 65535), "flows": (1, 32767), "quantum": (1, 65535)}


def read_queue(statement: Statement) -> Queue:
    """The queue that a statement defines."""
    node = statement.node
    found: dict[str, object] = {}
    for child in node:
        if not isinstance(child, Node):
            continue
        leaves = child.all_leaves()
        if child.kind in found or _FIELDS.get(child.kind) in found:
            raise Refused(f'"{leaves[0].value}" is said twice', leaves[0])
        if child.kind == "on":
            found["interfaces"] = interfaces(leaves[1:])
        elif child.kind == "bandwidth":
            found["bandwidth"] = _rate(child.leaves()[1:])
            for name, kind in (("least", "min"), ("most", "max")):
                curve = child.node(kind)
                found[name] = _rate(curve.leaves()[1:]) if curve is not None else None
        elif child.kind == "default":
            found["is_default"] = leaves[0]
        else:
            found[child.kind] = leaves[1]
            low, high = _MOST.get(child.kind, (0, 0))
            if high and not low <= int(leaves[1].value) <= high:
                raise Refused(f'"{child.kind}" is a number from {low} to {high}', leaves[1])
    at = node.leaves()[1]
    if not {"bandwidth", "flows"} & set(found):
        raise Refused("a queue needs a bandwidth or a number of flows", at)
    if not {"interfaces", "parent"} & set(found):
        raise Refused("a queue needs an interface or a parent", at)
    return Queue(statement, at, **found)  # type: ignore[arg-type]  # the names are those of the fields


def _rate(tokens: list[Token]) -> Rate:
    words = [token for token in tokens if token.kind not in (",", "burst", "for")]
    value = _bits(words[0])
    if len(words) < 3:
        return Rate(value, words[0])
    time = re.match(r"0*([0-9]{1,9})ms\Z", words[2].value)
    if time is None:
        raise Refused(f'the time of a burst is in milliseconds, like 100ms, not "{words[2].value}"', words[2])
    return Rate(value, words[0], _bits(words[1]), int(time[1]))


def _bits(token: Token) -> int:
    match = _BANDWIDTH.match(token.value)
    if match is None or match[2] == "%":
        what = "a bandwidth cannot be given in %" if match else f'"{token.value}" is no bandwidth, like 10M or 500K'
        raise Refused(what, token)
    bits = float(match[1]) * _UNITS[match[2]]
    if bits > MOST_BITS:
        raise Refused(f"{brief(token.value)} is more than any bandwidth", token)
    return int(bits)
