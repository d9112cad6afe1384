"""Reads the options that follow a rule's addresses."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from typing import Any

from mailaudit.models.pf.items import Reader, Refused, compared, interfaces, not_known, peer_of
from mailaudit.models.pf.rules import FLAGS, Options, Translation, flat
from mailaudit.models.pf.values import MAX_PORT, TIMEOUTS, TOS, UNREACHABLE, Peer, strtoul
from mailaudit.parsers.tree import Node, Template, Token

_ONLY_ONCE = frozenset(
    ["flags", "state", "label", "icmp-type", "icmp6-type", "prio", "tos", "queue", "received-on", "max-pkt-rate"]
)
_NAT = frozenset(["nat-to", "binat-to", "af-to"])
_ROUTES = frozenset(["route-to", "reply-to", "dup-to"])
_DIVERTS = frozenset(["divert-to", "divert-reply", "divert-packet"])
_HEX_KEY = re.compile(r"0x[0-9A-Fa-f]{32}\Z")
_PFLOG = re.compile(r"pflog(?:[01]?[0-9]?[0-9]|2[0-4][0-9]|25[0-5])\Z")
MAX_TTL = 255
MAX_RTABLE = 255
MAX_LABEL = 63
MAX_PRIO = 7


def read_options(templates: tuple[Template, ...], tokens: tuple[Token, ...], reader: Reader, queues: Container[str]) -> Options:
    """The options of a rule."""
    found: dict[str, Any] = {}
    seen: set[str] = set()
    for template in templates:
        node = Node(template, tokens)
        values = [tokens[number] for number in flat(template)]
        _once(template.kind, values[0], seen)
        before = found.get("users", ()), found.get("groups", ())
        _read_one(node, values, found, reader, queues)
        if template.kind in ("user", "group"):  # those that are written last are looked at first
            found[f"{template.kind}s"] += before[template.kind == "group"]
    return Options(**found)


def _once(kind: str, token: Token, seen: set[str]) -> None:
    for group, name in ((_NAT, "nat-to, binat-to and af-to"), (_ROUTES, "route-to, reply-to and dup-to"), (_DIVERTS, "divert")):
        if kind in group:
            if seen & group:
                raise Refused(f"a rule can have only one of {name}", token)
            seen.add(kind)
            return
    if kind in _ONLY_ONCE or kind == "rdr-to":
        same = "icmp-type" if kind == "icmp6-type" else kind
        if same in seen:
            raise Refused(f'a rule can have "{token.value}" only once', token)
        seen.add(same)


def _read_one(node: Node, values: list[Token], found: dict[str, Any], reader: Reader, queues: Container[str]) -> None:
    kind = node.kind
    if kind in _SIMPLE:
        found.update(_SIMPLE[kind](values))
    elif kind in ("icmp-type", "icmp6-type"):
        family = 4 if kind == "icmp-type" else 6
        found.update(icmp=reader.icmp(values[1:], family), icmp_family=family)
    elif kind == "state":
        _state(node, values, found)
    elif kind in ("nat-to", "binat-to"):
        found.update(nat=_translation(node, reader), binat=kind == "binat-to")
        _take_on(found, found["nat"].targets)
    elif kind == "rdr-to":
        found["rdr"] = _translation(node, reader)
        _take_on(found, found["rdr"].targets)
    elif kind == "af-to":
        _af_to(node, found, reader)
    elif kind in _ROUTES:
        found.update(route=kind, route_to=_translation(node, reader))
        _take_on(found, found["route_to"].targets)
    elif kind == "divert-to":
        found["divert_to"] = peer_of(values[1])
        _take_on(found, (found["divert_to"],))
        found.update(divert=kind, divert_port=_divert_port(reader, values[-1]))
    elif kind == "divert-packet":
        found.update(divert=kind, divert_port=_divert_port(reader, values[-1]))
    elif kind in ("queue", "set-in-rule"):
        _settings(node, queues)
    elif kind == "scrub":
        _scrub(node)


def check_answer(node: Node, reader: Reader) -> None:
    """Raise `Refused` for what cannot stand in the parentheses of `return-rst`, `return-icmp` and `log`."""
    action, log = node.node("action"), node.node("log")
    how = action.node("how") if action is not None else None
    if how is not None:
        words = [token for token in how.leaves() if token.is_string or token.kind == "number"]
        kind = how.first.kind
        if kind == "return-rst" and words and not 0 <= int(words[0].value) <= MAX_TTL:
            raise Refused(f"a ttl is a number from 0 to {MAX_TTL}", words[0])
        if kind in ("return-icmp", "return-icmp6"):
            for word, family in zip(words, (6,) if kind == "return-icmp6" else (4, 6), strict=False):
                reader.icmp_code(word, family, UNREACHABLE[family])
    for word in log.leaves() if log is not None else ():
        if word.is_string and not _PFLOG.match(word.value):
            raise Refused(f'"{word.value}" is no pflog interface, like pflog1', word)


def _flags(values: list[Token]) -> dict[str, Any]:
    if values[1].kind == "any":
        return {"flags": (0, 0)}
    words = [value for value in values[1:] if value.kind != "/"]
    bits = []
    for word in words:
        unknown = [letter for letter in word.value if letter not in FLAGS]
        if unknown:
            upper = word.value.upper()
            mend = upper if set(upper) <= set(FLAGS) else None
            raise Refused(f'"{word.value}" are no TCP flags, they are letters of FSRPAUEW', word, mend)
        bits.append(sum(FLAGS[letter] for letter in set(word.value)))
    want, looked_at = (bits[0], bits[1]) if len(bits) == 2 else (0, bits[0])
    if want & looked_at != want:
        raise Refused("these flags can never be set: those before the / must be among those after it", words[0])
    return {"flags": (want, looked_at)}


def _label(values: list[Token]) -> dict[str, Any]:
    if len(values[1].value.encode("utf-8", "surrogateescape")) > MAX_LABEL:
        raise Refused(f"a label of more than {MAX_LABEL} characters", values[1])
    return {"label": values[1].value}


def _words(values: Sequence[Token]) -> str:
    text = " ".join(value.value for value in values)
    if len(text.encode("utf-8", "surrogateescape")) > MAX_LABEL:
        raise Refused(f"a tag of more than {MAX_LABEL} characters", values[0])
    return text


def _tagged(values: list[Token]) -> dict[str, Any]:
    negated = values[0].kind == "!"
    return {"tagged": _words(values[2:] if negated else values[1:]), "not_tagged": negated}


def _received_on(values: list[Token]) -> dict[str, Any]:
    negated = values[0].kind == "!"
    names = interfaces([*values[:1], *values[2:]] if negated else values[1:])
    return {"received_on": names[0]}


def _tos(values: list[Token]) -> dict[str, Any]:
    value = values[1]
    number = int(value.value) if value.kind == "number" else None
    if number is None and value.value[:2] == "0x":
        number = strtoul(value.value)
    if value.value.lower() not in TOS and (number is None or not 0 <= number <= 255):
        raise Refused(f'"{value.value}" is no type of service', value)
    return {"tos": value.value.lower()}


def _probability(values: list[Token]) -> dict[str, Any]:
    text = values[1].value
    try:
        chance = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        raise Refused(f'"{text}" is no probability', values[1]) from None
    if not 0 <= chance <= 1:
        raise Refused(f"a probability of {text} is not between 0 and 1", values[1])
    return {"probability": text}


def _prio(values: list[Token]) -> dict[str, Any]:
    numbers = [value for value in values if value.kind == "number"]
    for value in numbers:
        if not 0 <= int(value.value) <= MAX_PRIO:
            raise Refused(f"a prio is a number from 0 to {MAX_PRIO}", value)
    return {"prio": int(numbers[0].value)}


def _rtable(values: list[Token]) -> dict[str, Any]:
    if not 0 <= int(values[1].value) <= MAX_RTABLE:
        raise Refused(f"a routing table is a number from 0 to {MAX_RTABLE}", values[1])
    return {}


_SIMPLE: dict[str, Any] = {
    "flags": _flags,
    "label": _label,
    "tag": lambda values: {"tag": _words(values[1:])},
    "tagged": _tagged,
    "received-on": _received_on,
    "tos": _tos,
    "prio": _prio,
    "probability": _probability,
    "user": lambda values: {"users": _identities(values)},
    "group": lambda values: {"groups": _identities(values)},
    "rtable": _rtable,
    "fragment": lambda _values: {"fragment": True},
    "allow-opts": lambda _values: {"allow_opts": True},
    "once": lambda _values: {"once": True},
    "divert-reply": lambda _values: {"divert": "divert-reply"},
}


_NUMBER = re.compile(r"(-?)0*([0-9]+)")


def _identities(values: list[Token]) -> tuple[Any, ...]:
    items = compared(values[1:])
    for item in items:
        if "unknown" in item.values and item.operator not in ("=", "!="):
            raise Refused('"unknown" can only be compared by = or !=', item.at)
        for value in item.values:
            number = _NUMBER.fullmatch(value)
            if number is not None and not 0 <= int(number[1] + number[2][:11]) < 2**32 - 1:
                raise Refused(f"{value} is no user or group number", item.at)
    return items


def _state(node: Node, values: list[Token], found: dict[str, Any]) -> None:
    names: list[str] = []
    for option in node:
        if not isinstance(option, Node):
            continue
        kind = option.kind
        tokens = option.all_leaves()
        name = tokens[0].value if kind == "timeout" else "lock" if kind in ("if-bound", "floating") else kind
        if kind == "timeout" and (name not in TIMEOUTS or "." not in name):
            raise not_known(f'"{name}" is no option or timeout of a state', tokens[0], TIMEOUTS)
        if name in names:
            raise Refused(f'"{tokens[0].value}" is set twice', tokens[0])
        if kind.startswith("max-src-") and any(t.kind == "number" and int(t.value) <= 0 for t in tokens):
            raise Refused(f'"{kind}" must be more than 0', tokens[-1])
        if kind == "overload":
            found["overload"] = tokens[2].value
        names.append(name)
        if kind == "source-track":
            names += [token.kind for token in tokens[1:]]
    found["state"] = values[0].kind
    found["state_options"] = tuple(names)
    _state_consistent(values[0], names)


def _state_consistent(token: Token, names: list[str]) -> None:
    if "overload" in names and not {"max-src-conn", "max-src-conn-rate"} & set(names):
        raise Refused('"overload" needs "max-src-conn" or "max-src-conn-rate"', token)
    if "global" in names and {"max-src-nodes", "max-src-conn", "max-src-conn-rate"} & set(names):
        raise Refused('"source-track global" cannot be combined with limits for each source', token)
    if "sloppy" in names and token.kind in ("modulate", "synproxy"):
        raise Refused(f'"sloppy" cannot be used with "{token.kind} state"', token)


def _translation(node: Node, reader: Reader) -> Translation:
    targets = node.node("targets")
    assert targets is not None
    leaves = targets.all_leaves()
    peers = reader.peers(leaves)
    if leaves[0].kind == "{" and peers[0].kind not in ("net", "interface", "name"):
        raise Refused("only addresses can be listed as targets", leaves[1])
    port = node.node("target-port")
    ports = _target_port(reader, port.all_leaves()[-1]) if port is not None else ()
    kinds = [child.kind for child in node if isinstance(child, Node)]
    types = [kind for kind in kinds if kind in ("bitmask", "random", "source-hash", "round-robin", "least-states")]
    if len(types) > 1 or len(set(kinds)) < len(kinds):
        raise Refused("only one way to choose among targets can be given", leaves[0])
    return Translation(
        peers,
        ports,
        "static-port" in kinds,
        types[0] if types else "",
        _hash_key(node),
        "sticky-address" in kinds,
        port is not None and port.all_leaves()[-1].value.endswith(":*"),
    )


def _hash_key(node: Node) -> str:
    hashed = node.node("source-hash")
    words = hashed.all_leaves()[1:] if hashed is not None else []
    key = " ".join(word.value for word in words)
    if key.startswith("0x") and not _HEX_KEY.match(key):
        raise Refused("a key in hex must be of 128 bits, that is 32 digits", words[0])
    return key


def _target_port(reader: Reader, token: Token) -> tuple[tuple[int, int], ...]:
    if token.kind == "number" or ":" not in token.value:
        port = reader.port(token)
        return ((port, port),)
    first, _, last = token.value.partition(":")
    if last == "*":
        low = reader.port(Token("word", first, token.text, token.start, token.end, token.via))
        return ((low, MAX_PORT),)
    low, high = reader.port_pair(token)
    if low > high:
        raise Refused(f'the range of ports "{token.value}" ends before it begins', token)
    return ((low, high),)


def _divert_port(reader: Reader, token: Token) -> int:
    if token.kind != "number" and ":" in token.value:
        raise Refused(f'"{token.value}" is not one port', token)
    port = reader.port(token)
    if port == 0:
        raise Refused("port 0 cannot be diverted to", token)
    return port


def _take_on(found: dict[str, Any], targets: tuple[Peer, ...]) -> None:
    families = {peer.family for peer in targets}
    if len(families) == 1:
        found["family"] = found.get("family") or families.pop()


def _af_to(node: Node, found: dict[str, Any], reader: Reader) -> None:
    family = node.node("family")
    nat = node.node("nat-target")
    rdr = node.node("rdr-target")
    assert family is not None
    assert nat is not None
    found["af_to"] = 4 if family.first.kind == "inet" else 6
    found["family"] = 10 - found["af_to"]
    found["nat"] = _translation(nat, reader)
    if rdr is not None:
        found["rdr"] = _translation(rdr, reader)
        for peer in (*found["nat"].targets, *found["rdr"].targets):
            if peer.family not in (0, found["af_to"]):
                raise Refused("the addresses of af-to must be of the family it names", peer.at)


def _settings(node: Node, queues: Container[str]) -> None:
    for child in (node, *(each for each in node if isinstance(each, Node))):
        names = child.node("queue-names")
        if names is not None:
            for token in names.all_leaves():
                if token.is_string and token.value not in queues:
                    raise Refused(f'the queue "{token.value}" is not defined', token)
        leaves = child.all_leaves()
        if child.kind == "set-prio":
            _prio(leaves)
        elif child.kind == "set-tos":
            _tos(leaves)
        elif child.kind == "delay" and not 0 <= int(leaves[1].value) <= MAX_PORT:
            raise Refused(f"a delay is a number from 0 to {MAX_PORT}", leaves[1])


def _scrub(node: Node) -> None:
    seen: set[str] = set()
    for child in node:
        if not isinstance(child, Node):
            continue
        leaves = child.all_leaves()
        if child.kind in seen:
            raise Refused(f'"{child.kind}" is set twice', leaves[0])
        seen.add(child.kind)
        most = {"min-ttl": 255, "max-mss": MAX_PORT}.get(child.kind)
        if most is not None and not 0 <= int(leaves[1].value) <= most:
            raise Refused(f'"{child.kind}" is a number up to {most}', leaves[1])
        if child.kind == "reassemble" and leaves[1].value.lower() != "tcp":
            raise Refused('only "reassemble tcp" is known', leaves[1])
