"""OpenSMTPD's file tables: aliases(5), virtuals, and any other `file:` table of table(5).

Source: parse_table_line() of smtpd 7.8 for the lines, expand_line_split() for the comma lists of an alias.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from mailaudit.parsers import lines
from mailaudit.parsers.tree import Include, Language, Statement, Template, Token, Tree
from mailaudit.text import Text

_KEY_END = re.compile(r"[ \t:]")
_BLANKS = re.compile(r"[ \t]*")
_LIST = re.compile(r"#[ \t\r\v\f]*@list")
_ITEM = re.compile(r"""(?:\\[\s\S]|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|[^,\\"'])*""")
_ESCAPE = re.compile(r"\\([\s\S])")


class _Table:
    """One table while it is read: a list of keys, or a hash of keys with values, as its first line or `# @list` decides."""

    def __init__(self) -> None:
        self.is_list: bool | None = None

    def line(self, text: Text, start: int, end: int) -> Statement | None:
        chars = text.chars
        if chars[start] == "#":
            if self.is_list is None and _LIST.fullmatch(chars, start, end):
                self.is_list = True
            return None
        if "\0" in chars[start:end]:
            return lines.unread(text, start, end, "the line holds a NUL byte", refused=False)
        key_end = _key_end(chars, start, end)
        if key_end is None:
            return lines.unread(text, start, end, 'expected "]" after the address in brackets, found the end of the line')
        if self.is_list is None:
            self.is_list = key_end == end
        if self.is_list:
            key = Token("key", chars[start:end], text, start, end)
            return Statement("key", (key,), (key,), Template("key", (0,)))
        value = _BLANKS.match(chars, min(key_end + 1, end), end)
        if value is None or value.end() == end:
            return lines.unread(text, start, end, "expected a value after the key, found the end of the line")
        return _entry(text, start, key_end, value.end(), end)


def _key_end(chars: str, start: int, end: int) -> int | None:
    if chars[start] == "[":
        bracket = chars.find("]", start, end)
        return None if bracket < 0 else bracket + 1
    found = _KEY_END.search(chars, start, end)
    return end if found is None else found.start()


def _entry(text: Text, start: int, key_end: int, value: int, end: int) -> Statement:
    chars = text.chars
    tokens = [Token("key", chars[start:key_end], text, start, key_end)]
    if chars[key_end] not in " \t":
        tokens.append(Token(":", chars[key_end], text, key_end, key_end + 1))
    first = len(tokens)
    tokens += items(text, value, end)
    targets = [number for number in range(first, len(tokens)) if tokens[number].kind == "word"]
    row = tuple(tokens)
    return Statement("entry", row, row, Template("entry", (0, Template("targets", tuple(targets)))))


def items(text: Text, start: int, end: int) -> Iterator[Token]:
    """The targets of a comma list as words, and the commas between them; a range of blanks is no target."""
    chars = text.chars
    at = start
    while at < end:
        if chars[at] == ",":
            yield Token(",", ",", text, at, at + 1)
            at += 1
            continue
        match = _ITEM.match(chars, at, end)
        stop = match.end() if match else at
        if stop < end and chars[stop] != ",":
            stop = end  # a quote or an escape that is never closed takes the rest of the line
        written = chars[at:stop]
        first = at + len(written) - len(written.lstrip(" \t"))
        last = at + len(written.rstrip(" \t"))
        if first < last:
            yield Token("word", _value(chars[first:last]), text, first, last)
        at = stop


def _value(written: str) -> str:
    """What smtpd makes of a target: escapes go, and so do the quotes around it."""
    value = _ESCAPE.sub(r"\1", written)
    if len(value) > 1 and value[0] in "\"'" and value[-1] == value[0]:
        return value[1:-1]
    return value


def parse(text: Text, _include: Include, name: str = "table") -> Tree:
    """The tree of a file table: `entry` statements with a key and a node of `targets`, or `key` statements in a list."""
    return lines.read_lines(text, name, _Table().line)


LANGUAGE = Language("aliases", partial(parse, name="aliases"), lines.TRIVIA, ("/etc/mail/aliases",))
VIRTUALS = Language("virtuals", partial(parse, name="virtuals"), lines.TRIVIA, ("/etc/mail/virtuals",))
TABLE = Language("table", parse, lines.TRIVIA, ())
