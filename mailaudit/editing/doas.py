"""Edits of doas.conf(5): rules and their options. The last rule that matches decides, so a new one stands last."""

from __future__ import annotations

import re

from mailaudit.editing import statements, words
from mailaudit.editing.spelling import in_quotes, only, spelled
from mailaudit.editing.style import NONE, Edits, Style, Unwritable, alone
from mailaudit.parsers import doas
from mailaudit.parsers.tree import Statement, Token, Tree

STYLE = Style(
    doas.LANGUAGE,
    re.compile(r"(?:[ \t]|\\\n)*(?:#[^\n]*)?(?:\n|\Z)"),
    joins=re.compile(r"[ \t]*[^#\s][^\n]*\\|[ \t]*\\"),
    ends=True,
)


def write(value: str) -> str:
    """A word: bare where it may be, else in double quotes. Raises Unwritable."""
    return spelled(value, [value, in_quotes(value)], _read)


def _read(written: str) -> str | None:
    read = only(STYLE.language, f"permit x as {written}")
    target = read.node.node("target") if read is not None else None
    return target.first.value if target is not None and read is not None and len(read.tokens) == 4 else None


def add(tree: Tree, line: str, below: Statement | None = None) -> Edits | None:
    """A rule below another one, or the last one."""
    alone(STYLE, [line])
    if below is None and tree.statements:
        below = tree.statements[-1]
    return statements.below(below, STYLE, line) if below is not None else statements.at_end(tree, STYLE, line)


def replace(statement: Statement, line: str) -> Edits:
    """Another rule in the place of one: only the words that differ are written."""
    return statements.replace(statement, STYLE, line)


def remove(statement: Statement) -> Edits:
    """Take a rule out; its comment lines stay."""
    return statements.remove(statement, STYLE)


def _option(statement: Statement, name: str) -> list[Token]:
    """The tokens of a rule's option, with the braces of `setenv`."""
    for node in statement.node.nodes("option"):
        if node.first.kind == name:
            at = next(number for number, token in enumerate(statement.seen) if token is node.first)
            if name != "setenv":
                return [node.first]
            end = next(number for number in range(at, len(statement.seen)) if statement.seen[number].kind == "}")
            return list(statement.seen[at : end + 1])
    return []


def set_option(statement: Statement, name: str, argument: str = "") -> Edits | None:
    """Give a rule an option: `nopass`, `persist`, `nolog`, `keepenv`, or `setenv` with `{ NAME=value }`."""
    found = _option(statement, name)
    line = f"{name} {argument}".strip()
    new = alone(STYLE, [f"permit {line} x"]).tokens[1:-1]
    if statement.node.node("action") is None or statement.seen[0].kind != "permit":
        raise Unwritable("only rules that permit have options")
    if words.says(found, new):
        return NONE
    if found:
        return words.instead(found[0], line, found[-1])
    first, *rest = (token.span.chars for token in statement.tokens)
    alone(STYLE, [" ".join([first, line, *rest])])  # nopass and persist cannot be combined
    return words.after(statement.tokens[0], line)


def remove_option(statement: Statement, name: str) -> Edits | None:
    """Take an option out of a rule; none if it is not there."""
    found = _option(statement, name)
    return words.without(statement, found) if found else NONE
