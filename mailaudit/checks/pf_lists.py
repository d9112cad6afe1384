"""The words that name ports in pf's pass rules, and how one is added to a list or taken out of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import pairwise

from mailaudit.edits import Edit, insert, replace
from mailaudit.models.pf import Ruleset
from mailaudit.models.pf_rules import Rule, outline
from mailaudit.models.pf_values import TCP
from mailaudit.models.services import Services
from mailaudit.parsers.tree import Token
from mailaudit.text import Span

_MARKS = frozenset({"{", "}", ",", "="})


def port_tokens(rule: Rule) -> list[Token]:
    """The tokens of a rule's target ports, braces, commas and operators among them."""
    statement = rule.statement
    if statement.template is None:
        return []
    return [statement.seen[number] for number in outline(statement.template).target_ports]


def named_ports(pf: Ruleset, services: Services) -> Iterator[tuple[int, Token, Rule]]:
    """Each TCP port that a pass rule names by itself, not in a range, with the token that names it."""
    for rule in _inward(pf):
        tokens = port_tokens(rule)
        if any(token.kind not in _MARKS and not token.is_string and token.kind != "number" for token in tokens):
            continue  # other operators than `=` name ranges
        for token in tokens:
            port = _port(token, services) if token.kind not in _MARKS else None
            if port is not None:
                yield port, token, rule


def _inward(pf: Ruleset) -> Iterator[Rule]:
    for rule in pf.rules:
        if rule.action == "pass" and rule.direction != "out" and (not rule.protocols or TCP in rule.protocols):
            yield rule


def _port(token: Token, services: Services) -> int | None:
    value = token.value
    if value.isascii() and value.isdigit():
        return int(value) if len(value) < 6 else None
    return services.port(value, "tcp")


def add_port(
    pf: Ruleset, services: Services, port: int, families: Collection[int], blocking: Collection[Rule]
) -> tuple[Edit, ...]:
    """Edits that let a port in beside those of the pass rule that names most; none if no such rule would do.

    The rule must hold for all of these families, and stand below the rules that block the port now.
    """
    rules = [rule for rule in _inward(pf) if not rule.sources and not rule.options.overload and rule.family in (0, *families)]
    if len(families) > 1:
        rules = [rule for rule in rules if not rule.family]
    if any(rule.quick for rule in blocking):
        return ()
    order = {id(rule): number for number, rule in enumerate(pf.rules)}
    lowest = max((order.get(id(rule), 0) for rule in blocking), default=-1)
    best: tuple[int, list[Token]] = (0, [])
    for rule in rules:
        words = [token for token in port_tokens(rule) if token.kind not in _MARKS]
        if len(words) > best[0] and order[id(rule)] > lowest and port not in {_port(token, services) for token in words}:
            best = len(words), words
    words = best[1]
    if not words:
        return ()
    last = words[-1]
    word = _called(services, port, words)
    if len(words) == 1 and not _is_listed(rules, last):
        return () if last.via else (replace(last.span, f"{{ {last.span.chars} {word} }}"),)
    return (insert(last.text, last.end, f"{_separator(words)}{word}"),)


def _called(services: Services, port: int, words: list[Token]) -> str:
    """The port as the list would have it: by name, unless its others are numbers."""
    numbers = sum(token.value.isdigit() for token in words)
    return services.name(port) or str(port) if numbers * 2 <= len(words) else str(port)


def _is_listed(rules: list[Rule], word: Token) -> bool:
    rows = (port_tokens(rule) for rule in rules)
    return any(any(token is word for token in row) and row[0].kind == "{" for row in rows if row)


def _separator(words: list[Token]) -> str:
    """What stands between the last two words of a list."""
    for left, right in reversed(list(pairwise(words))):
        if left.text is right.text and left.end <= right.start:
            between = Span(left.text, left.end, right.start).chars
            if "\n" not in between and "#" not in between:
                return between
    return " "


def without(token: Token, rule: Rule) -> Edit | None:
    """The edit that takes a word out of its list; None if it is the only one."""
    row = [each for each in port_tokens(rule) if each.text is token.text]
    words = [each for each in row if each.kind not in _MARKS]
    at = next((number for number, each in enumerate(words) if each.start == token.start), None)
    if at is None or len(words) < 2:
        return None
    if at > 0:
        return Edit(token.text.path, words[at - 1].end, token.end, "")
    return Edit(token.text.path, token.start, words[1].start, "")
