"""How a fix writes into rspamd's files: a value where the host's own files say it, else in the file of local.d for it."""

from __future__ import annotations

from collections.abc import Sequence

from mailaudit.editing import statements, ucl
from mailaudit.editing.style import Unwritable, fitted
from mailaudit.edits import Edit, create, replace
from mailaudit.findings import Place
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.ucl.values import Value
from mailaudit.parsers.tree import Tree

Written = str | int | float | bool


def place_of(rspamd: RspamdConfig, value: Value | None, file: str, label: str = "") -> Place:
    """Where a value is written; the file of local.d that it belongs into, where it is a packaged or unsaid one."""
    if value is None or rspamd.is_packaged(value):
        return Place.whole(rspamd.local(file), label)
    return Place.at(value.span, label)


def own_file(rspamd: RspamdConfig, file: str) -> Tree | None:
    """A file of local.d as read."""
    return next((tree for tree in rspamd.trees if tree.text.path == rspamd.local(file)), None)


def _is_included(rspamd: RspamdConfig, file: str) -> bool:
    """True if what stands in a file of local.d counts."""
    return bool(rspamd.packaged) or any(f"local.d/{file}" in tree.text.chars for tree in rspamd.trees)


def set_to(rspamd: RspamdConfig, value: Value | None, file: str, path: Sequence[str], to: Written) -> tuple[Edit, ...]:
    """Give a setting a value: where the site says it, else in a file of local.d at a path; none where that is not plain."""
    try:
        if value is not None and (rspamd.is_own(value) or not (rspamd.is_packaged(value) or _is_included(rspamd, file))):
            token = value.token
            if token is None or token.via or value.kind in ("object", "array"):
                return ()
            return (replace(token.span, ucl.write(to, token.span.chars)),)
        tree = own_file(rspamd, file)
        if tree is not None:
            return ucl.set_value(tree, path, to) or ()
        return (create(rspamd.local(file), _nested(path[:-1], [f"{path[-1]} = {ucl.write(to)};"])),)
    except Unwritable:
        return ()


def add_section(
    rspamd: RspamdConfig, file: str, path: Sequence[str], settings: Sequence[tuple[str, Written]]
) -> tuple[Edit, ...]:
    """A new section in a file of local.d, which is written where it is not there."""
    try:
        tree = own_file(rspamd, file)
        if tree is not None:
            return ucl.add_section(tree, path, settings) or ()
        return (create(rspamd.local(file), _nested(path, [f"{key} = {ucl.write(value)};" for key, value in settings])),)
    except Unwritable:
        return ()


def add_lines(rspamd: RspamdConfig, file: str, lines: Sequence[str], whole: str | None = None) -> tuple[Edit, ...]:
    """Lines at the end of a file of local.d, each tab a level of indentation; where it is not there, they or a `whole` text."""
    tree = own_file(rspamd, file)
    if tree is not None:
        return statements.at_end(tree, fitted(tree, ucl.STYLE), *lines, apart=bool(tree.statements)) or ()
    return (create(rspamd.local(file), whole or "".join(line.replace("\t", "    ") + "\n" for line in lines)),)


def _nested(path: Sequence[str], lines: Sequence[str]) -> str:
    """Lines within sections one in another, as the reference lays them out."""
    shown = [f"{'    ' * depth}{name} {{" for depth, name in enumerate(path)]
    shown += [f"{'    ' * len(path)}{line}" for line in lines]
    shown += [f"{'    ' * depth}}}" for depth in reversed(range(len(path)))]
    return "\n".join((*shown, ""))
