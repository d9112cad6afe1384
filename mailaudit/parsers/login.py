r"""login.conf(5) and the files of login.conf.d: a capability database, as cgetent(3) reads it.

A *record* is a line, or several of which all but the last end in a backslash. Its fields stand between colons: the names of a
login class first, then its capabilities. A record that begins with `#` is a comment, continued by a backslash like any other.

Statements, and the nodes of their readings:

* `class`: a record that can be looked up. Its node has
  - one node `names`, whose leaves are the names between `|` (token kind `name`): the class's own first, then further ones;
  - for each capability a node `capability`: the leaf `capability` is its name; then nothing (a boolean), or the leaf `@` (it is
    taken away), or the leaf `=` or `#` and the leaf `value` (which may be empty). `tc` is a capability like the others;
  - for each field that no lookup can find a node `ignored` with one leaf `ignored`: blanks or a backslash in its name, blanks
    before it, or no name at all.
* `ignored`: a record that is never found: no name of it can be looked up, mostly because the backslash is missing on the line
  before, or it is the last one and the file ends without the newline that would end it. Its node `ignored` has the same
  children as that of a class.

The tokens between them are `|` and `:`. Blanks and backslash-newlines before a field's first character are trivia; inside a
name or value they belong to the token, whose value is without the backslash-newlines.

Source: getcap.c 1.37 of OpenBSD's libc, getent() and cgetcap().
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.parsers import lines
from mailaudit.parsers.tree import Include, Language, Statement, Template, Token, Tree
from mailaudit.text import Text

TRIVIA = re.compile(r"(?:[ \t]|\n|\\\n|#(?:[^\n\\]|\\+(?!\\)\n*(?!\n))*(?:\n|\Z))*")
NO_NEWLINE = "the file ends before the record does: cgetent(3) never finds it"
NO_NAME = "no login class is called that: is the backslash missing at the end of the line before?"
_BLANKS = re.compile(r"(?:[ \t]|\\\n)*")
_CONTINUED = re.compile(r"(?<!\\)(\\+)(\n+)")
_NAME = re.compile(r"[^=#@:]*")
_ODD = re.compile(r"[\s\\]")
_FINDABLE = re.compile(r"[^\s/|:]+\Z")


def parse(text: Text, _include: Include) -> Tree:
    """The tree of such a file."""
    return Tree("login", text, tuple(_statements(text)))


LANGUAGE = Language("login", parse, TRIVIA, ("/etc/login.conf", "/etc/login.conf.d/*"))


def why_ignored(statement: Statement) -> str:
    """Why an `ignored` record is never found."""
    chars = statement.tokens[0].text.chars
    end, closed = _end_of_record(chars, statement.tokens[-1].end)
    return NO_NAME if closed or end < len(chars) else NO_NEWLINE


def _statements(text: Text) -> Iterator[Statement]:
    chars = text.chars
    at = 0
    while at < len(chars):
        end, closed = _end_of_record(chars, at)
        start = _end(_BLANKS.match(chars, at, end))
        if start < end and chars[at] != "#":
            yield _record(text, at, end, closed)
        at = end + 1


def _end_of_record(chars: str, at: int) -> tuple[int, bool]:
    """Where a record ends, and whether a newline ends it: one that follows no backslash which is still to be used up."""
    slashes = 0
    while True:
        eol = chars.find("\n", at)
        if eol < 0:
            return len(chars), False
        line = chars[at:eol]
        last = len(line) - len(line.rstrip("\\"))
        slashes = last if last < len(line) else slashes + last
        if not slashes:
            return eol, True
        slashes -= 1
        at = eol + 1


def _record(text: Text, start: int, end: int, closed: bool) -> Statement:
    chars = text.chars
    if chars.find("\0", start, end) >= 0:
        first = _end(_BLANKS.match(chars, start, end))
        return lines.unread(text, first, end, "the record holds a NUL byte", refused=False)
    tokens: list[Token] = []
    colon = chars.find(":", start, end)
    names = _names(text, start, end if colon < 0 else colon, tokens)
    parts = [Template("names", tuple(names))]
    while colon >= 0:
        tokens.append(Token(":", ":", text, colon, colon + 1))
        at = colon + 1
        colon = chars.find(":", at, end)
        parts += _field(text, at, end if colon < 0 else colon, tokens)
    found = closed and any(_FINDABLE.match(tokens[number].value) for number in names)
    kind = "class" if found else "ignored"
    seen = tuple(tokens)
    return Statement(kind, seen, seen, Template(kind, tuple(parts)))


def _names(text: Text, at: int, end: int, tokens: list[Token]) -> list[int]:
    """The names of a record up to its first colon."""
    found: list[int] = []
    while True:
        bar = text.chars.find("|", at, end)
        stop = end if bar < 0 else bar
        if _end(_BLANKS.match(text.chars, at, stop)) < stop:
            found.append(len(tokens))
            tokens.append(_token("name", text, at, stop))
        if bar < 0:
            return found
        tokens.append(Token("|", "|", text, bar, bar + 1))
        at = bar + 1


def _field(text: Text, at: int, end: int, tokens: list[Token]) -> list[Template]:
    """A field after the names, blanks before it left out."""
    chars = text.chars
    start = _end(_BLANKS.match(chars, at, end))
    if start == end:
        return []
    number = len(tokens)
    name = _end(_NAME.match(chars, start, end))
    if name == start or " " in chars[at:start] or "\t" in chars[at:start] or _ODD.search(_joined(chars[start:name])):
        tokens.append(_token("ignored", text, start, end))
        return [Template("ignored", (number,))]
    tokens.append(_token("capability", text, start, name))
    if name < end:
        tokens.append(Token(chars[name], chars[name], text, name, name + 1))
        if chars[name] != "@" or name + 1 < end:
            tokens.append(_token("value", text, name + 1, end))
    return [Template("capability", tuple(range(number, len(tokens))))]


def _token(kind: str, text: Text, start: int, end: int) -> Token:
    return Token(kind, _joined(text.chars[start:end]), text, start, end)


def _joined(written: str) -> str:
    """Characters without the backslash-newlines in them."""
    if "\n" not in written:
        return written
    return _CONTINUED.sub(lambda match: "\\" * (len(match[1]) - len(match[2])), written)


def _end(match: re.Match[str] | None) -> int:
    assert match is not None  # the pattern matches nothing as well
    return match.end()
