"""Edits of login.conf(5): capabilities of classes set and unset, classes added, each record continued as the file has it."""

from __future__ import annotations

import re
from itertools import pairwise

from mailaudit.editing import statements
from mailaudit.editing.style import NONE, Edits, Style, Unwritable, alone, blanks_between, newline_at
from mailaudit.edits import Edit, insert
from mailaudit.parsers import login
from mailaudit.parsers.tree import Node, Statement, Tree, nothing
from mailaudit.text import Text

STYLE = Style(login.LANGUAGE, re.compile(r"(?:[ \t]|\\\n)*(?:\n|\Z)"), joins=re.compile(r"[^\n]*\\"), ends=True)
_SEPARATOR = re.compile(r":(?:\\\n)?[ \t]*:|:")


def record(tree: Tree, name: str) -> Statement | None:
    """The first record of a login class, by any of its names."""
    for each in tree.statements:
        names = each.node.node("names") if each.kind == "class" else None
        if names is not None and any(token.value == name for token in names.leaves()):
            return each
    return None


def capability(statement: Statement, name: str) -> Node | None:
    """The first capability of a name in a record, the one that counts."""
    return next((node for node in statement.node.nodes("capability") if node.first.value == name), None)


def written(name: str, value: str | None = None) -> str:
    """A capability as it stands between colons: `name=value`, or `name` alone for a boolean. Raises Unwritable."""
    words = name if value is None else f"{name}={value}"
    read = login.parse(Text.of("", f"x:\\\n\t:{words}:\n"), nothing).statements
    found = read[0].node.nodes("capability") if len(read) == 1 and read[0].kind == "class" else []
    values = [token.value for token in found[0].leaves()] if len(found) == 1 else []
    if values != ([name] if value is None else [name, "=", value]) or "\n" in words or "\\" in words[-1:]:
        raise Unwritable(f"no capability is {words!r}")
    return words


def set_capability(tree: Tree, class_name: str, name: str, value: str | None = None) -> Edits | None:
    """`name=value` in a class, or `name` alone; a new one stands above `tc`, or last. A class that lacks is made."""
    words = written(name, value)
    statement = record(tree, class_name)
    if statement is None:
        return add_class(tree, class_name, words)
    node = capability(statement, name)
    if node is None:
        return _new(statement, words)
    leaves = node.leaves()
    if [token.value for token in leaves] == ([name] if value is None else [name, "=", value]):
        return NONE
    return (Edit(tree.text.path, leaves[0].start, leaves[-1].end, words),)


def _new(statement: Statement, words: str) -> Edits:
    text = statement.span.text
    found = statement.node.nodes("capability")
    separator = _separator(statement)
    tc = next((node for node in found if node.first.value == "tc"), None)
    if tc is not None:
        return (insert(text, tc.first.start, words + separator),)
    if found:
        end = found[-1].leaves()[-1].end
        return (insert(text, end, separator + words),)
    last = statement.tokens[-1]
    if last.kind == ":":
        return (insert(text, last.end, f"{separator[1:] or ''}{words}:"),)
    return (insert(text, last.end, f"{separator}{words}:"),)


def _separator(statement: Statement) -> str:
    """What stands between two capabilities of a record: colons, a continuation and the indentation below."""
    text = statement.span.text
    found = [[*node.leaves()] for node in statement.node.nodes("capability")]
    names = statement.node.node("names")
    rows = [*([[*names.leaves()]] if names is not None else []), *found]
    for before, after in reversed(list(pairwise(rows))):
        between = text.chars[before[-1].end : after[0].start]
        if _SEPARATOR.fullmatch(between):
            return between
    newline = newline_at(text, text.line_span(statement.span.start)[1])
    return f":\\{newline}\t:"


def remove_capability(tree: Tree, class_name: str, name: str) -> Edits | None:
    """A class without a capability; none if it has none of the name."""
    statement = record(tree, class_name)
    node = capability(statement, name) if statement is not None else None
    if statement is None or node is None:
        return NONE
    first = next(number for number, token in enumerate(statement.tokens) if token is node.first)
    before = first - 1
    while before > 0 and statement.tokens[before].kind == ":":
        before -= 1
    return (Edit(tree.text.path, statement.tokens[before].end, node.leaves()[-1].end, ""),)


def add_class(tree: Tree, name: str, *capabilities: str) -> Edits | None:
    """A class at the end of the file, a capability a line."""
    lines = [f"{name}:\\", *(f"\t:{each}:\\" for each in capabilities[:-1]), *(f"\t:{each}:" for each in capabilities[-1:])]
    if not capabilities:
        lines = [f"{name}:"]
    alone(STYLE, lines)
    kin = [each for each in tree.statements if each.kind == "class"]
    if not kin:
        return statements.at_end(tree, STYLE, *lines)
    apart = len(kin) > 1 and blanks_between(kin[-2], kin[-1])
    return statements.below(kin[-1], STYLE, *lines, apart=apart, indent="")


def remove_class(statement: Statement) -> Edits:
    """Take a class out; its comment lines stay."""
    return statements.remove(statement, STYLE)
