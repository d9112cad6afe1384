"""How a fix writes into Dovecot's files: values in place, what is new at the end of the site's own file."""

from __future__ import annotations

import re

from mailaudit.edits import Edit, create, indent_of, insert, insert_line, newline_of, replace
from mailaudit.findings import Place
from mailaudit.models.dovecot import DovecotConfig
from mailaudit.models.dovecot_reading import Setting
from mailaudit.parsers.tree import Statement
from mailaudit.text import Span

_EQUALS = re.compile(r"^[ \t]*\w+([ \t]*)=", re.MULTILINE)


def place_of(dovecot: DovecotConfig, label: str = "") -> Place:
    """Where a finding about something missing stands: the site's own file; the root file where that is still to be written."""
    if isinstance(dovecot.own, str) and dovecot.trees and not dovecot.packaged:
        return Place.whole(dovecot.trees[0].text, label)
    return Place.whole(dovecot.own, label)


def set_to(dovecot: DovecotConfig, setting: Setting, name: str, value: str) -> tuple[Edit, ...]:
    """Give a setting a value: where a file sets it, else at the end of the site's own file."""
    if setting.statement is None:
        return append(dovecot, f"{name} = {value}")
    return (replace_value(setting.statement, value),)


def replace_value(statement: Statement, value: str) -> Edit:
    """Put another value behind the `=` of a setting."""
    equals, *written = statement.tokens[1:]
    if not written:
        return insert(equals.text, equals.end, " " + value)
    return replace(Span(equals.text, written[0].start, written[-1].end), value)


def append(dovecot: DovecotConfig, *lines: str) -> tuple[Edit, ...]:
    """Lines at the end of the site's own file, in its style."""
    if isinstance(dovecot.own, str):
        return (create(dovecot.own, "\n".join((*lines, ""))),)
    text = dovecot.own
    blanks = _EQUALS.findall(text.chars)
    tight = bool(blanks) and not any(blanks)
    written = [line.replace(" = ", "=", 1) if tight else line for line in lines]
    if len(lines) > 1 and text.chars and not text.chars.endswith(("\n\n", "\n\r\n")):
        written.insert(0, "")
    return (insert_line(text, len(text.chars), newline_of(text).join(written)),)


def insert_below(header: Statement, *lines: str) -> tuple[Edit, ...]:
    """Lines at the top of a section, indented below its first line."""
    text = header.tokens[0].text
    indent = indent_of(text, header.tokens[0].start) + "  "
    return (insert_line(text, header.tokens[-1].start, newline_of(text).join(indent + line for line in lines)),)


def comment_out(statement: Statement) -> tuple[Edit, ...]:
    """Make comments of all the lines of a statement, of its body and of its end."""
    whole = statement.whole
    text = whole.text
    edits: list[Edit] = []
    at = text.line_span(whole.start)[0]
    while at < whole.end:
        end = text.line_span(at)[1]
        line = text.chars[at:end]
        first = at + len(line) - len(line.lstrip(" \t"))
        if line.strip() and not line.lstrip(" \t").startswith("#"):
            edits.append(insert(text, first, "#"))
        at = end
    return tuple(edits)
