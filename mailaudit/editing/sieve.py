"""Edits of Sieve scripts: the extensions that they require, and commands as they are written."""

from __future__ import annotations

import re

from mailaudit.editing import lists, statements
from mailaudit.editing.lists import Items
from mailaudit.editing.spelling import in_quotes, only, spelled
from mailaudit.editing.style import NONE, Edits, Style, alone
from mailaudit.parsers import sieve
from mailaudit.parsers.tree import Statement, Token, Tree

STYLE = Style(sieve.LANGUAGE, re.compile(r"[ \t]*(?:#[^\n]*)?\r?(?:\n|\Z)"), indent="    ")


def write(value: str) -> str:
    """A quoted string. Raises Unwritable for one with newlines."""
    return spelled(value, [in_quotes(value)], _read)


def _read(written: str) -> str | None:
    read = only(STYLE.language, f"redirect {written};")
    return read.tokens[1].value if read is not None and len(read.tokens) == 3 else None


def requires(tree: Tree) -> list[Statement]:
    """The `require` commands."""
    found = [each for each in tree.statements if each.kind == "command" and not each.problem and len(each.tokens) > 2]
    return [each for each in found if each.tokens[0].value == "require" and each.tokens[1].kind in ("[", "string")]


def extensions(statement: Statement) -> list[Token]:
    """The strings of a `require` command."""
    return [token for token in statement.tokens if token.kind == "string"]


def add_require(tree: Tree, extension: str) -> Edits | None:
    """One more extension: in the last `require`, or in a new one above all commands."""
    found = requires(tree)
    if any(token.value == extension for each in found for token in extensions(each)):
        return NONE
    word = write(extension)
    if found:
        return lists.insert_item(_items(found[-1]), word)
    line = f"require [{word}];"
    if tree.statements and tree.statements[0].tokens:
        return statements.above(tree.statements[0], STYLE, line, apart=True)
    return statements.at_end(tree, STYLE, line)


def _items(statement: Statement) -> Items:
    opened = next((token for token in statement.tokens if token.kind == "["), None)
    closed = next((token for token in statement.tokens if token.kind == "]"), None)
    words = tuple((token,) for token in extensions(statement))
    return Items(STYLE, words, opened, closed, commas=True, brackets=("[", "]"))


def remove_require(tree: Tree, extension: str) -> Edits | None:
    """Without an extension; its `require` goes with the last one."""
    for each in requires(tree):
        found = extensions(each)
        for number, token in enumerate(found):
            if token.value == extension:
                return lists.remove_item(_items(each), number) if len(found) > 1 else statements.remove(each, STYLE)
    return NONE


def add(tree: Tree, *lines: str, below: Statement | None = None) -> Edits | None:
    """A command below another one, or at the end of the script; each tab of a line is a level of indentation."""
    alone(STYLE, lines)
    if below is not None:
        return statements.below(below, STYLE, *lines)
    if tree.statements and tree.statements[-1].problem is not None:
        return None  # it lacks its semicolon, and would go on in what is put behind it
    return statements.at_end(tree, STYLE, *lines, apart=bool(tree.statements) and len(lines) > 1)


def replace(statement: Statement, line: str) -> Edits:
    """Another command in the place of one: only the words that differ are written."""
    return statements.replace(statement, STYLE, line)


def remove(statement: Statement) -> Edits:
    """Take a command out, with its block; its comment lines stay."""
    return statements.remove(statement, STYLE)
