"""Every option of a pf rule by its name in pf.conf(5), with its value and the tokens that it was written as.

What packets are judged by is in `Options`; this is the rest as well, worked out when somebody asks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from mailaudit.models.pf.rules import Rule, outline
from mailaudit.models.pf.values import ICMP_CODES, TOS, UNREACHABLE, strtoul
from mailaudit.parsers.tree import Node, Token


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of one option: a number, or a text (empty for an option that is only there or not); and its tokens."""

    value: int | str
    at: tuple[Token, ...]


Settings = Mapping[str, Setting]
Named = Iterator[tuple[str, Setting]]


def settings(rule: Rule) -> Settings:
    """The options of a rule; the last of those that may be said twice."""
    statement = rule.statement
    if statement.template is None:
        return {}
    found: dict[str, Setting] = {}
    tokens = statement.seen
    node = Node(statement.template, tokens)
    if statement.kind == "antispoof":
        for child in _nodes(node):
            if child.kind in _READERS:
                found.update(_READERS[child.kind](child))
    else:
        for template in outline(statement.template).options:
            if template.kind in _READERS:
                found.update(_READERS[template.kind](Node(template, tokens)))
    action, log = node.node("action"), node.node("log")
    if action is not None:
        found.update(_answer(action))
    if log is not None:
        found.update(_log(log))
    return found


def state_settings(node: Node) -> Settings:
    """The options of a state: those in parentheses, or those of `set state-defaults`."""
    return {name: setting for child in _nodes(node) for name, setting in _STATES[child.kind](child)}


def _nodes(node: Node) -> list[Node]:
    return [child for child in node if isinstance(child, Node)]


def number(token: Token) -> int:
    """A number, as NUMBER or as a word that strtoul(3) reads."""
    return int(token.value) if token.kind == "number" else strtoul(token.value) or 0


def _flag(node: Node) -> Named:
    yield node.kind, Setting("", (node.first,))


def _number(node: Node) -> Named:
    at = node.leaves()[1]
    yield node.kind, Setting(number(at), (at,))


def _words(node: Node) -> Named:
    at = tuple(token for token in node.leaves() if token.is_string)
    yield node.kind, Setting(" ".join(token.value for token in at), at)


def _rate(node: Node) -> Named:
    limit, seconds = (token for token in node.leaves() if token.kind == "number")
    yield node.kind, Setting(int(limit.value), (limit,))
    yield f"{node.kind} seconds", Setting(int(seconds.value), (seconds,))


def _tos(node: Node) -> Named:
    at = node.leaves()[1]
    value = TOS.get(at.value.lower())
    yield node.kind.replace("-", " "), Setting(number(at) if value is None else value, (at,))


def _flags(node: Node) -> Named:
    at = tuple(token for token in node.leaves()[1:] if token.kind != "/")
    yield "flags", Setting("".join(token.value for token in node.leaves()[1:]), at)


def _state(node: Node) -> Named:
    yield "state", Setting(node.first.kind, (node.first,))
    yield from state_settings(node).items()


def _overload(node: Node) -> Named:
    name = node.leaves()[2]
    yield "overload", Setting(name.value, (name,))
    flush = node.node("flush")
    if flush is not None:
        at = tuple(flush.leaves())
        yield "flush", Setting(" ".join(token.kind for token in at[1:]), at)


def _track(node: Node) -> Named:
    at = tuple(node.leaves())
    yield "source-track", Setting(at[-1].kind if len(at) > 1 else "", at)


def _lock(node: Node) -> Named:
    yield "state-policy", Setting(node.kind, (node.first,))


def _timeout(node: Node) -> Named:
    name, seconds = node.leaves()
    yield name.value, Setting(int(seconds.value), (seconds,))


_STATES: Mapping[str, Callable[[Node], Named]] = {
    "max": _number,
    "no-sync": _flag,
    "max-src-states": _number,
    "max-src-conn": _number,
    "max-src-conn-rate": _rate,
    "max-src-nodes": _number,
    "overload": _overload,
    "source-track": _track,
    "if-bound": _lock,
    "floating": _lock,
    "sloppy": _flag,
    "pflow": _flag,
    "timeout": _timeout,
}


def _queue(node: Node) -> Named:
    names = node.node("queue-names")
    at = tuple(token for token in names.leaves() if token.is_string) if names is not None else ()
    yield "set queue", Setting(at[0].value, at[:1])
    if len(at) > 1:
        yield "set queue for acks", Setting(at[1].value, at[1:])


def _set(node: Node) -> Named:
    for child in _nodes(node):
        leaves = child.leaves()
        if child.kind == "queue":
            yield from _queue(child)
        elif child.kind == "set-prio":
            numbers = [token for token in leaves if token.kind == "number"]
            yield "set prio", Setting(int(numbers[0].value), (numbers[0],))
            yield "set prio for acks", Setting(int(numbers[-1].value), (numbers[-1],))
        elif child.kind == "set-tos":
            yield from _tos(child)
        else:
            yield "set delay", Setting(int(leaves[1].value), (leaves[1],))


def _divert(node: Node) -> Named:
    leaves = node.leaves()
    if node.kind == "divert-to":
        yield "divert-to", Setting(leaves[1].value, (leaves[1],))
        yield "divert-to port", Setting(leaves[-1].value, (leaves[-1],))
    elif node.kind == "divert-packet":
        yield "divert-packet", Setting(leaves[-1].value, (leaves[-1],))
    else:
        yield "divert-reply", Setting("", (leaves[0],))


def _scrub(node: Node) -> Named:
    for child in _nodes(node):
        leaves = child.leaves()
        value: int | str = int(leaves[1].value) if len(leaves) > 1 and leaves[1].kind == "number" else ""
        yield child.kind, Setting(value, (leaves[-1],))


def _tagged(node: Node) -> Named:
    leaves = node.leaves()
    at = tuple(token for token in leaves if token.is_string)
    yield "tagged", Setting(" ".join(token.value for token in at), at)
    if leaves[0].kind == "!":
        yield "! tagged", Setting("", (leaves[0],))


def _probability(node: Node) -> Named:
    at = node.leaves()[1]
    yield "probability", Setting(at.value, (at,))


_READERS: Mapping[str, Callable[[Node], Named]] = {
    "fragment": _flag,
    "flags": _flags,
    "state": _state,
    "label": _words,
    "allow-opts": _flag,
    "queue": _queue,
    "tag": _words,
    "tagged": _tagged,
    "probability": _probability,
    "rtable": _number,
    "prio": _number,
    "tos": _tos,
    "divert-to": _divert,
    "divert-reply": _divert,
    "divert-packet": _divert,
    "scrub": _scrub,
    "once": _flag,
    "max-pkt-rate": _rate,
    "set-in-rule": _set,
}


def _log(node: Node) -> Named:
    leaves = node.leaves()
    yield "log", Setting("", (leaves[0],))
    to: list[Token] = []
    for at, token in enumerate(leaves[1:], 1):
        if token.kind in ("all", "matches", "user"):
            yield f"log {token.kind}", Setting("", (token,))
        elif token.is_string and (leaves[at - 1].kind == "to" or to):
            to.append(token)
    if to:
        yield "log to", Setting(" ".join(token.value for token in to), tuple(to))


def _answer(action: Node) -> Named:
    how = action.node("how")
    if how is None:
        return
    leaves = [token for token in how.leaves() if token.kind not in ("(", ")", ",")]
    if how.first.kind == "return-rst" and len(leaves) > 2:
        yield "return-rst ttl", Setting(int(leaves[2].value), (leaves[2],))
    elif how.first.kind in ("return-icmp", "return-icmp6"):
        families = (6,) if how.first.kind == "return-icmp6" else (4, 6)
        for family, at in zip(families, leaves[1:], strict=False):
            code = ICMP_CODES[family, UNREACHABLE[family]].get(at.value)
            name = "return-icmp" if family == 4 else "return-icmp6"
            yield f"{name} code", Setting(number(at) if code is None else code, (at,))
