"""Edits of pf.conf in the file's own style: an item into a list or out of it, a line at the place where it takes effect."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from mailaudit.edits import Edit, indent_of, insert, insert_line, insert_line_before
from mailaudit.edits import replace as put
from mailaudit.models.pf import Ruleset
from mailaudit.models.pf_items import comparisons
from mailaudit.models.pf_rules import Anchor, Rule, outline
from mailaudit.models.pf_values import TCP, merged
from mailaudit.parsers.tree import Statement, Token
from mailaudit.text import Span

MOST_EDITS = 200  # of one finding; beyond that it is mended by hand
_BETWEEN = re.compile(r"[ \t]*,?[ \t]*\Z")


def top_rules(ruleset: Ruleset) -> list[Rule]:
    """The rules that stand in pf.conf itself, outside of anchors."""
    rules = [entry.rule if isinstance(entry, Anchor) else entry for entry in ruleset.entries]
    return [rule for rule in rules if rule.statement.span.text is ruleset.text]


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


def add_port(ruleset: Ruleset, rule: Rule, port: int) -> Edit:
    """Write a port behind the last one of a rule, or of the macro that it takes them from."""
    items = port_tokens(rule)
    last = items[-1][-1]
    word = _word(ruleset, items, port)
    template = rule.statement.template
    assert template is not None
    numbers = outline(template).target_ports
    if rule.statement.seen[numbers[0]].kind == "{":
        return insert(last.text, last.end, _separator(items) + word)
    first = items[0][0]
    span = first.span.to(last.span) if first.text is last.text else last.span
    text = f"{{ {span.chars} {word} }}"
    bare = bool(last.via) and not _in_quotes(last)
    return put(span, f'"{text}"' if bare else text)


def _word(ruleset: Ruleset, items: list[tuple[Token, ...]], port: int) -> str:
    """A port as the rule writes its others: by name or by number."""
    by_name = any(token.value[:1].isalpha() for item in items for token in item)
    name = ruleset.services.name(port) if by_name else None
    return name or str(port)


def _separator(items: list[tuple[Token, ...]]) -> str:
    if len(items) < 2:
        return " "
    before, last = items[-2][-1], items[-1][0]
    if before.text is not last.text or before.end > last.start:
        return " "
    between = before.text.chars[before.end : last.start]
    return between if _BETWEEN.match(between) and between else " "


def _in_quotes(token: Token) -> bool:
    line = token.text.chars[token.text.line_span(token.start)[0] : token.start]
    return line.count('"') % 2 == 1 or line.count("'") % 2 == 1


def remove_items(tokens: Iterable[Token]) -> tuple[Edit, ...]:
    """Take items out of their lists, those that stand side by side together."""
    spans: list[Span] = []
    for token in sorted(tokens, key=lambda token: (token.text.path, token.start)):
        last = spans[-1] if spans else None
        if (
            last is None
            or last.text is not token.text
            or not _BETWEEN.match(token.text.chars, last.end, max(last.end, token.start))
        ):
            spans.append(token.span)
        else:
            spans[-1] = Span(last.text, last.start, max(last.end, token.end))
    return tuple(remove_item(span) for span in spans)


def disjoint(edits: Iterable[Edit]) -> bool:
    """True if no two edits overlap."""
    ordered = sorted(edits, key=lambda edit: (edit.path, edit.start))
    return all(one.path != other.path or one.end <= other.start for one, other in pairwise(ordered))


def remove_item(token: Token | Span) -> Edit:
    """Take an item out of a list, with the blanks or the comma that set it off."""
    chars = token.text.chars
    start, end = token.start, token.end
    before = start
    while before > 0 and chars[before - 1] in " \t":
        before -= 1
    after = end
    while after < len(chars) and chars[after] in " \t":
        after += 1
    if chars[before - 1 : before] == ",":
        return put(Span(token.text, before - 1, end), "")
    if chars[after : after + 1] == ",":
        after += 1
        while after < len(chars) and chars[after] in " \t":
            after += 1
        return put(Span(token.text, start, after), "")
    if chars[before - 1 : before] in ("{", "") or before == start:
        return put(Span(token.text, start, after), "")
    return put(Span(token.text, before, end), "")


def remove_statement(statement: Statement) -> Edit:
    """Take a statement out, with its line if nothing else stands there."""
    span = statement.whole
    text = span.text
    start, _ = text.line_span(span.start)
    _, end = text.line_span(span.end)
    if text.chars[start : span.start].strip(" \t") or text.chars[span.end : end].strip(" \t\n"):
        return put(span, "")
    return put(Span(text, start, end), "")


def below(statement: Statement, line: str) -> Edit:
    """A line below a statement, indented alike."""
    span = statement.whole
    return insert_line(span.text, span.end, indent_of(span.text, span.start) + line)


def above(statement: Statement, line: str) -> Edit:
    """A line above a statement and the comment that belongs to it."""
    span = statement.whole
    text = span.text
    start, _ = text.line_span(span.start)
    while start > 0:
        previous, _ = text.line_span(start - 1)
        if not text.chars[previous:start].lstrip(" \t").startswith("#"):
            break
        start = previous
    return insert_line_before(text, start, indent_of(text, span.start) + line)


def option_line(ruleset: Ruleset, line: str) -> Edit:
    """A `set` line: below the others, if they stand above the rules; else above the rules."""
    own = [each for each in ruleset.trees[0].statements if each.tokens]
    rules = [each for each in own if each.kind in ("rule", "anchor", "antispoof")]
    first = rules[0].span.start if rules else len(ruleset.text.chars)
    options = [each for each in own if each.kind == "set" and each.span.start < first]
    if options:
        return below(options[-1], line)
    if rules:
        return above(rules[0], line)
    return below(own[-1], line) if own else insert(ruleset.text, len(ruleset.text.chars), line + "\n")


def rule_line(ruleset: Ruleset, line: str, after: Rule | None) -> Edit:
    """A rule below another one, or above all rules."""
    if after is not None:
        return below(after.statement, line)
    rules = top_rules(ruleset)
    if rules:
        return above(rules[0].statement, line)
    return option_line(ruleset, line)
