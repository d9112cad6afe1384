"""Edits of redis.conf: directives set, added, removed."""

from __future__ import annotations

from collections.abc import Sequence

from mailaudit.editing import statements
from mailaudit.editing.assignments import blanks
from mailaudit.editing.spelling import in_quotes, only, spelled
from mailaudit.editing.style import LINE_REST, NONE, Edits, Style, alone
from mailaudit.edits import Edit
from mailaudit.parsers import redis
from mailaudit.parsers.tree import Statement, Tree

STYLE = Style(redis.LANGUAGE, LINE_REST, indent="")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\0": "\\x00"}


def write(value: str) -> str:
    """An argument: bare where it may be, else in double quotes with escapes, which can hold anything."""
    escaped = in_quotes(value)
    for char, written in _NAMED.items():
        escaped = escaped.replace(char, written)
    bare = [value] if value[:1] not in ("#", "") else []
    return spelled(value, [*bare, escaped], _read)


def _read(written: str) -> str | None:
    read = only(STYLE.language, f"requirepass {written}")
    return read.seen[1].value if read is not None and len(read.seen) == 2 else None


def directives(tree: Tree, name: str) -> list[Statement]:
    """The statements of a directive, in order; of most the last one counts."""
    return [each for each in tree.statements if each.kind == "setting" and each.seen[0].value == name]


def set_directive(tree: Tree, name: str, *arguments: str) -> Edits | None:
    """`name argument ...`: in the last statement of the directive, else in a new one below the others."""
    found = directives(tree, name)
    if not found:
        return add_directive(tree, name, *arguments)
    old = found[-1].seen[1:]
    if [token.value for token in old] == list(arguments):
        return NONE
    words = " ".join(write(argument) for argument in arguments)
    alone(STYLE, [f"{name} {words}"])
    return (Edit(tree.text.path, old[0].start, old[-1].end, words),)


def add_directive(tree: Tree, name: str, *arguments: str) -> Edits | None:
    """One more statement of a directive, below those that the file has of it."""
    words = " ".join(write(argument) for argument in arguments)
    kin = directives(tree, name) or [each for each in tree.statements if each.kind == "setting"]
    line = f"{name}{_blanks(kin, name)}{words}"
    alone(STYLE, [line])
    return statements.below(kin[-1], STYLE, line) if kin else statements.at_end(tree, STYLE, line)


def _blanks(kin: Sequence[Statement], name: str) -> str:
    return blanks([(each.tokens[0], each.tokens[1]) for each in kin if len(each.tokens) > 1], name, " ")


def remove_directive(tree: Tree, name: str) -> Edits:
    """Without all statements of a directive."""
    return tuple(edit for each in directives(tree, name) for edit in statements.remove(each, STYLE))


def remove(statement: Statement) -> Edits:
    """Take a statement out; its comment lines stay."""
    return statements.remove(statement, STYLE)
