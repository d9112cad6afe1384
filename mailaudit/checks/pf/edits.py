"""Where a port or a line belongs in pf.conf: in which rule's list, at the place where it takes effect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from mailaudit.editing import lists, statements
from mailaudit.editing.lists import Items
from mailaudit.editing.pf import STYLE, item_length, lists_of, shared_items
from mailaudit.edits import Edit
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.items import comparisons
from mailaudit.models.pf.rules import Anchor, Rule, outline
from mailaudit.models.pf.values import TCP, merged
from mailaudit.parsers.tree import Statement, Token

MOST_EDITS = 200  # of one finding; beyond that it is mended by hand


def top_rules(ruleset: Ruleset) -> list[Rule]:
    """The rules that stand in pf.conf itself, outside of anchors."""
    rules = [entry.rule if isinstance(entry, Anchor) else entry for entry in ruleset.entries]
    return [rule for rule in rules if rule.statement.text is ruleset.text]


def port_tokens(rule: Rule) -> list[tuple[Token, ...]]:
    """The tokens of each item of a rule's target ports."""
    template = rule.statement.template
    assert template is not None
    tokens = [rule.statement.seen[number] for number in outline(template).target_ports]
    return [tuple(operands) for _, operands in comparisons(tokens)]


def admitting_rule(ruleset: Ruleset, families: frozenset[int]) -> Rule | None:
    """The rule that lets connections from anywhere to most ports in: where another port belongs."""
    found = [
        rule
        for rule in top_rules(ruleset)
        if rule.action == "pass"
        and rule.direction == "in"
        and TCP in rule.protocols
        and rule.target_ports
        and not rule.source_ports
        and all(peer.kind == "any" for peer in rule.sources)
        and (not rule.family or families == {rule.family})
        and not rule.options.state_options
    ]
    return max(found, key=lambda rule: len(rule.target_ports), default=None)


def with_port(rule: Rule, port: int) -> Rule:
    """The rule as it would be with one more port."""
    return replace(rule, target_ports=merged([*rule.target_ports, (port, port)]))


def port_list(rule: Rule) -> Items:
    """The target ports of a rule as they are written, in the rule or in the macros that it takes them from."""
    template = rule.statement.template
    assert template is not None
    tokens = [rule.statement.seen[number] for number in outline(template).target_ports]
    return Items.of(STYLE, tokens, item_length, shared=True)


def add_port(ruleset: Ruleset, rule: Rule, port: int) -> tuple[Edit, ...]:
    """Write a port behind the last one of a rule, or of the macro that it takes them from."""
    listed = port_list(rule)
    near, _ = listed.around(len(listed.items) - 1)
    return lists.insert_item(near, _word(ruleset, port_tokens(rule), port)) or ()


def _word(ruleset: Ruleset, items: list[tuple[Token, ...]], port: int) -> str:
    """A port as the rule writes its others: by name or by number."""
    by_name = any(token.value[:1].isalpha() for item in items for token in item)
    name = ruleset.services.name(port) if by_name else None
    return name or str(port)


def remove_ports(rule: Rule, doomed: Iterable[Token]) -> tuple[Edit, ...]:
    """Take ports out of a rule's list: out of a macro where others of it stay, else its use out of the rule."""
    listed = port_list(rule)
    gone = set(map(id, doomed))
    kept = {item[0].via for item in listed.items if id(item[0]) not in gone}
    numbers = [number for number, item in enumerate(listed.items) if id(item[0]) in gone]
    of_macros = [number for number in numbers if listed.items[number][0].via in kept - {()}]
    starts = {_written_at(listed.items[number][0]) for number in numbers if number not in of_macros}
    leaves = (listed.opened, *(token for item in listed.items for token in item), listed.closed)
    written = Items.written(STYLE, rule.statement, [token for token in leaves if token is not None], item_length)
    edits = lists.remove_items(listed, of_macros)
    if starts and written is not None and edits is not None:
        own = [number for number, item in enumerate(written.items) if item[0].start in starts]
        more = lists.remove_items(written, own) if len(own) == len(starts) else None
        return (*edits, *more) if more is not None else ()
    return edits or ()


def _written_at(token: Token) -> int:
    """Where a token, or the macro that it came out of, stands in its statement."""
    return token.via[0].start if token.via else token.start


def remove_word(statement: Statement, token: Token) -> tuple[Edit, ...]:
    """Take an item out of whichever list of a statement it stands in."""
    for node in lists_of(statement):
        listed = shared_items(node)
        for number, item in enumerate(listed.items):
            if item[0] is token or item[-1] is token:
                return lists.remove_items(listed, [number]) or ()
    return ()


def below(statement: Statement, *lines: str) -> tuple[Edit, ...]:
    """Lines below a statement, indented alike."""
    return statements.below(statement, STYLE, *lines) or ()


def above(statement: Statement, *lines: str) -> tuple[Edit, ...]:
    """Lines above a statement and the comment that belongs to it."""
    return statements.above(statement, STYLE, *lines)


def option_line(ruleset: Ruleset, *lines: str) -> tuple[Edit, ...]:
    """A `set` line: below the others, if they stand above the rules; else above the rules."""
    tree = ruleset.trees[0]
    first = next((each for each in tree.statements if each.kind in ("rule", "anchor", "antispoof")), None)
    return statements.add(tree, STYLE, "set", *lines, use=first) or ()


def rule_line(ruleset: Ruleset, after: Rule | None, *lines: str) -> tuple[Edit, ...]:
    """Rules below another one, or above all rules."""
    if after is not None:
        return below(after.statement, *lines)
    rules = top_rules(ruleset)
    return above(rules[0].statement, *lines) if rules else option_line(ruleset, *lines)
