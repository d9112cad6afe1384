"""From every value of a pf rule back to the characters that it was written as, through macros and included files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailaudit.models.pf.rules import Rule, outline
from mailaudit.models.pf.settings import settings
from mailaudit.parsers.tree import Node, Token

_MARKS = frozenset(["newline", ",", "{", "}", "(", ")", "<", ">", "!", "/", "-", "=", "!=", "<=", ">=", "<>", "><"])
_POOLS = {
    "nat-to": "nat-to",
    "binat-to": "binat-to",
    "rdr-to": "rdr-to",
    "nat-target": "af-to from",
    "rdr-target": "af-to to",
} | {name: name for name in ("route-to", "reply-to", "dup-to")}


@dataclass(frozen=True, slots=True)
class Origin:
    """One value: what it is in the words of pf.conf(5), the value as pfctl reads it, and its token."""

    name: str
    value: str
    at: Token


def origins(rule: Rule) -> Iterator[Origin]:
    """The values of a rule in the order in which they stand: those of its lists item by item, then those of its options."""
    statement = rule.statement
    if statement.template is None or statement.kind not in ("rule", "anchor"):
        return
    plan = outline(statement.template)
    tokens = statement.seen
    for name, number in (("action", plan.action), ("direction", plan.direction), ("family", plan.family), ("anchor", plan.name)):
        if number is not None:
            yield Origin(name, tokens[number].value, tokens[number])
    yield from _listed("on", [tokens[n] for n in plan.interfaces])
    yield from _listed("proto", [tokens[n] for n in plan.protocols])
    yield from _listed("from", [tokens[n] for n in plan.sources])
    yield from _listed("from port", [tokens[n] for n in plan.source_ports])
    yield from _listed("os", [tokens[n] for n in plan.systems])
    yield from _listed("to", [tokens[n] for n in plan.targets])
    yield from _listed("to port", [tokens[n] for n in plan.target_ports])
    for template in plan.options:
        yield from _option(Node(template, tokens))
    for name, setting in settings(rule).items():
        for token in setting.at:
            yield Origin(name, token.value, token)


def _listed(name: str, tokens: Sequence[Token]) -> Iterator[Origin]:
    """The items of a list: behind a `/` stands a mask, behind a `-` the end of a range, behind `weight` a weight."""
    before = ""
    for token in tokens:
        if token.kind not in _MARKS and token.kind not in ("weight", "rdomain", "route", "code"):
            part = {"/": " mask", "-": " end", "weight": " weight", "rdomain": " rdomain", "code": " code"}.get(before, "")
            yield Origin(name + part, token.value, token)
        before = token.kind


def _option(node: Node) -> Iterator[Origin]:
    kind = node.kind
    if kind in _POOLS:
        targets, port, hashed = node.node("targets"), node.node("target-port"), node.node("source-hash")
        if targets is not None:
            yield from _listed(_POOLS[kind], targets.all_leaves())
        if port is not None:
            yield from _listed(f"{_POOLS[kind]} port", port.all_leaves()[1:])
        if hashed is not None:
            yield from _listed(f"{_POOLS[kind]} source-hash", hashed.all_leaves()[1:])
    elif kind == "af-to":
        for child in node:
            if isinstance(child, Node):
                yield from _option(child)
    elif kind in ("user", "group", "icmp-type", "icmp6-type", "received-on"):
        yield from _listed(kind, [token for token in node.all_leaves() if token.kind != kind])
