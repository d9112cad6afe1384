"""Edits of hostname.if(5): addresses and the other lines that netstart(8) hands to ifconfig(8), in their order."""

from __future__ import annotations

import re

from mailaudit.editing import statements
from mailaudit.editing.style import Edits, Style, alone
from mailaudit.parsers import hostname_if
from mailaudit.parsers.tree import Statement, Tree

_REST = re.compile(r"(?:[ \t]|\\[ \t\n])*(?:#(?:[^\n\\]|\\[\s\S])*\\?)?(?:\n|\Z)")
STYLE = Style(hostname_if.LANGUAGE, _REST, joins=re.compile(r"[^\n]*\\"), indent="", ends=True)


def addresses(tree: Tree, family: str) -> list[Statement]:
    """The lines that give the interface an address of a family: `inet` or `inet6`."""
    return [each for each in tree.statements if each.kind == "address" and each.seen[0].value == family]


def add(tree: Tree, line: str, below: Statement | None = None) -> Edits | None:
    """A line below another one; an address below the others of its family, anything else at the end."""
    new = alone(STYLE, [line])
    if below is None and new.kind == "address":
        kin = addresses(tree, new.seen[0].value)
        below = kin[-1] if kin else None
    if below is None and tree.statements:
        below = tree.statements[-1]
    return statements.below(below, STYLE, line) if below is not None else statements.at_end(tree, STYLE, line)


def replace(statement: Statement, line: str) -> Edits:
    """Another line in the place of one: only the words that differ are written."""
    return statements.replace(statement, STYLE, line)


def remove(statement: Statement) -> Edits:
    """Take a line out; its comment lines stay."""
    return statements.remove(statement, STYLE)
