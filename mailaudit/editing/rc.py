"""Edits of rc.conf.local(8): variables set and unset, each in the quotes that the file has."""

from __future__ import annotations

import re

from mailaudit.editing import statements
from mailaudit.editing.spelling import only, preferring, spelled
from mailaudit.editing.style import NONE, Edits, Style, Unwritable
from mailaudit.edits import Edit
from mailaudit.parsers import rc
from mailaudit.parsers.tree import Statement, Tree

STYLE = Style(rc.LANGUAGE, re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)"), indent="", ends=True)


def variable(tree: Tree, name: str) -> Statement | None:
    """The last assignment of a variable, the one that counts."""
    found = [each for each in tree.statements if each.kind == "assignment" and each.seen[0].value == name.lower()]
    return found[-1] if found else None


def write(value: str, like: str = "") -> str:
    """A value as it stands behind `=`. Raises Unwritable: there is no way to write a `#`, or blanks before a lone quote."""
    return spelled(value, preferring([value, f'"{value}"', f"'{value}'"], like), _read)


def _read(written: str) -> str | None:
    read = only(STYLE.language, f"smtpd_flags={written}")
    return None if read is None or read.kind != "assignment" else read.node.leaves()[1].value


def set_variable(tree: Tree, name: str, value: str) -> Edits | None:
    """`name=value`: in the last assignment of the variable, else below the last line of the file."""
    found = variable(tree, name)
    if found is not None:
        if found.node.leaves()[1].value == value:
            return NONE
        start, end = found.tokens[2].start, found.tokens[-1].end
        return (Edit(tree.text.path, start, end, write(value, tree.text.chars[start:end])),)
    if not rc.is_variable(name) or only(STYLE.language, f"{name}=NO") is None:
        raise Unwritable(f"no variable of rc.conf.local is called {name!r}")
    kin = [each for each in tree.statements if each.kind == "assignment"]
    like = next((each.tokens[2].span.chars for each in reversed(kin) if each.tokens[-1].value), "")
    line = f"{name}={write(value, like)}"
    return statements.below(kin[-1], STYLE, line) if kin else statements.at_end(tree, STYLE, line)


def remove_variable(tree: Tree, name: str) -> Edits:
    """Without all assignments of a variable."""
    found = [each for each in tree.statements if each.kind == "assignment" and each.seen[0].value == name.lower()]
    return tuple(edit for each in found for edit in statements.remove(each, STYLE))


def add_package_script(tree: Tree, name: str) -> Edits | None:
    """One more daemon in `pkg_scripts`, behind those that are there; it starts after them."""
    found = variable(tree, "pkg_scripts")
    words = found.node.leaves()[1].value.split() if found else []
    return NONE if name in words else set_variable(tree, "pkg_scripts", " ".join([*words, name]))


def remove_package_script(tree: Tree, name: str) -> Edits | None:
    """`pkg_scripts` without a daemon."""
    found = variable(tree, "pkg_scripts")
    words = found.node.leaves()[1].value.split() if found else []
    return set_variable(tree, "pkg_scripts", " ".join(word for word in words if word != name)) if name in words else NONE
