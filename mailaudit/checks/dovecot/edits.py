"""Into which of Dovecot's files a fix writes: where a value is set, else the site's own file."""

from __future__ import annotations

from mailaudit.editing import dovecot as editing
from mailaudit.editing import statements
from mailaudit.editing.style import fitted
from mailaudit.edits import Edit, create, insert
from mailaudit.findings import Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.settings import NEW
from mailaudit.parsers.tree import Statement, Tree, nothing


def place_of(dovecot: DovecotConfig, label: str = "") -> Place:
    """Where a finding about something missing stands: the site's own file; the root file where that is still to be written."""
    if isinstance(dovecot.own, str) and dovecot.trees and not dovecot.packaged:
        return Place.whole(dovecot.trees[0].text, label)
    return Place.whole(dovecot.own, label)


def _own(dovecot: DovecotConfig) -> Tree | None:
    """The site's own file as read; None where it is still to be written."""
    own = dovecot.own
    if isinstance(own, str):
        return None
    read = next((tree for tree in dovecot.trees if tree.text is own), None)
    return read or editing.STYLE.language.parse(own, nothing)


def set_to(dovecot: DovecotConfig, setting: Setting, name: str, value: str, *, from_file: bool = False) -> tuple[Edit, ...]:
    """Give a setting a value: where a file sets it, else at the end of the site's own file."""
    if setting.statement is not None:
        return editing.replace_value(setting.statement, value, from_file=from_file)
    tree = _own(dovecot)
    if tree is None:
        return append(dovecot, f"{name} = {'<' if from_file else ''}{editing.write(value)}")
    return editing.set_value(tree, name, value, from_file=from_file) or ()


def append(dovecot: DovecotConfig, *lines: str) -> tuple[Edit, ...]:
    """Lines at the end of the site's own file, in its style; each tab that they begin with is a level of indentation."""
    tree = _own(dovecot)
    if tree is not None:
        return editing.add_lines(tree, (), lines) or ()
    assert isinstance(dovecot.own, str)
    return (create(dovecot.own, "".join(line.replace("\t", "  ") + "\n" for line in lines)),)


def insert_below(dovecot: DovecotConfig, header: Statement, *lines: str) -> tuple[Edit, ...]:
    """Lines at the top of a section, indented below its first line; tabs as above."""
    tree = next((tree for tree in dovecot.trees if tree.text is header.span.text), None)
    style = fitted(tree, editing.STYLE) if tree is not None else editing.STYLE
    return statements.inside(header, style, *lines, first=True) or ()


def comment_out(statement: Statement) -> tuple[Edit, ...]:
    """Make comments of all the lines of a statement, of its body and of its end."""
    return statements.comment_out(statement, editing.STYLE) or ()


def plugin_setting(dovecot: DovecotConfig, protocol: str) -> Setting | None:
    """The setting that says in so many words which plugins a protocol has; None where it has those of all."""
    section = dovecot.root.named("protocol", protocol)
    setting = section.get("mail_plugins") if section is not None else None
    return setting if setting is not None and setting.statement is not None else None


def add_plugin(dovecot: DovecotConfig, protocol: str, plugin: str) -> tuple[Edit, ...]:
    """One more plugin for a protocol, beside those that it has and those that all have."""
    setting = plugin_setting(dovecot, protocol)
    if setting is not None and setting.token is not None and setting.statement is not None:
        token = setting.token
        return (insert(token.text, token.end - (token.kind == "string"), f" {plugin}"),)
    if setting is not None and setting.statement is not None:
        return editing.replace_value(setting.statement, plugin)
    tree = _own(dovecot)
    if tree is None:
        return append(dovecot, *plugin_lines(dovecot, protocol, plugin))
    if dovecot.family == NEW:
        return editing.set_value(tree, plugin, "yes", (f"protocol {protocol}", "mail_plugins")) or ()
    return editing.set_value(tree, "mail_plugins", f"$mail_plugins {plugin}", (f"protocol {protocol}",)) or ()


def plugin_lines(dovecot: DovecotConfig, protocol: str, plugin: str) -> tuple[str, ...]:
    """A section that gives a protocol one more plugin."""
    if dovecot.family == NEW:
        return (f"protocol {protocol} {{", "\tmail_plugins {", f"\t\t{plugin} = yes", "\t}", "}")
    return (f"protocol {protocol} {{", f"\tmail_plugins = $mail_plugins {plugin}", "}")
