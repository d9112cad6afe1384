"""The words that name ports in pf's pass rules, and how one is added to a list or taken out of it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from mailaudit.checks.pf.edits import port_list
from mailaudit.editing import lists
from mailaudit.edits import Edit
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.rules import Rule, outline
from mailaudit.models.pf.values import TCP
from mailaudit.models.services import Services
from mailaudit.parsers.tree import Token

_MARKS = frozenset({"{", "}", ",", "="})


def port_tokens(rule: Rule) -> list[Token]:
    """The tokens of a rule's target ports, braces, commas and operators among them."""
    statement = rule.statement
    if statement.template is None:
        return []
    return [statement.seen[number] for number in outline(statement.template).target_ports]


def named_ports(pf: Ruleset) -> Iterator[tuple[int, int, Rule]]:
    """Each TCP port that a pass rule names by itself, not in a range: the port, and its token's number in the rule's list.

    The tokens of all rules of a long ruleset take long to make, so they are left to whoever asks for one.
    """
    for rule in _inward(pf):
        if all(test.operator in ("=", ":") for test in rule.target_tests):  # other operators name ranges
            yield from ((test.low, test.number, rule) for test in rule.target_tests if test.operator == "=")


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
    best: tuple[int, Rule | None, list[Token]] = (0, None, [])
    for rule in rules:
        words = [token for token in port_tokens(rule) if token.kind not in _MARKS]
        if len(words) > best[0] and order[id(rule)] > lowest and port not in {_port(token, services) for token in words}:
            best = len(words), rule, words
    chosen, words = best[1], best[2]
    if chosen is None:
        return ()
    listed = port_list(chosen)
    if listed.opened is None and listed.items[0][0].via:
        return ()  # a macro of one port, which others may use as such
    near, _ = listed.around(len(listed.items) - 1)
    return lists.insert_item(near, _called(services, port, words)) or ()


def _called(services: Services, port: int, words: list[Token]) -> str:
    """The port as the list would have it: by name, unless its others are numbers."""
    numbers = sum(token.value.isdigit() for token in words)
    return services.name(port) or str(port) if numbers * 2 <= len(words) else str(port)


def without(token: Token, rule: Rule) -> tuple[Edit, ...]:
    """The edits that take a word out of its list; none if it is the only one."""
    listed = port_list(rule)
    for number, item in enumerate(listed.items):
        if item[0].text is token.text and item[0].start == token.start:
            near, at = listed.around(number)
            return lists.remove_item(near, at) or ()
    return ()
