"""Dovecot's logical lines and their tokens: comments, continuations, quotes, values to the end of the line.

Source: config_parse_line() of src/config/config-parser.c, 2.3.19 and 2.4, each rule tried on doveconf.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cached_property

from mailaudit.parsers.tree import Token
from mailaudit.text import Text

TRIVIA = re.compile(r"(?:[ \t\n]|\r(?=\n|\Z)|\\[ \t]*(?:#[^\n]*)?(?:\r?(?:\n|\Z))|#[^\n]*)*")

# Quotes hide a "#" anywhere in a line; a quote that is never closed hides all the rest of it.
_LINE = re.compile(r"[ \t]*(?P<body>(?:[^'\"#\n]+|\"(?:[^\"\\\n]+|\\[^\n]?)*\"?|'(?:[^'\\\n]+|\\[^\n]?)*'?)*)(?:#[^\n]*)?\n?")
_KEY = re.compile(r"[^ \t=]*")
_QUOTED_KEY = re.compile(r'"(?:[^"\\]|\\.)*"(?=[ \t=]|\Z)')
_BLANKS = re.compile(r"[ \t]*")
_NAME = re.compile(r"[^ \t]+")
_QUOTED_NAME = re.compile(r'"[^"]*"')
_ESCAPE = re.compile(r"\\(.|\Z)", re.DOTALL)
_INCLUDES = ("!include", "!include_try")


def unescape(quoted: str) -> str:
    """What stands between quotes: a backslash goes, and the character after it stays (str_unescape())."""
    return _ESCAPE.sub(r"\1", quoted) if "\\" in quoted else quoted


@dataclass(frozen=True, slots=True)
class Line:
    """A logical line: the characters that the daemon reads, and the written pieces that single blanks join to them.

    `starts` are the offsets of the pieces in `chars`; `following` is where the next line begins in the text. A line is
    `dropped` by the daemon if it is to go on in a line that is blank, a comment, or not there.
    """

    text: Text
    chars: str
    pieces: tuple[tuple[int, int], ...]
    starts: tuple[int, ...]
    following: int
    dropped: bool

    def token(self, kind: str, start: int, end: int, value: str | None = None) -> Token:
        """A token over characters of the line; `value` where it differs from them."""
        if value is None:
            value = self.chars[start:end]
        return Token(kind, value, self.text, self._written(start), self._written(end - 1) + 1)

    def part(self, start: int, end: int) -> Line:
        """A part of a line that was written in one piece."""
        origin = self.pieces[0][0]
        return Line(self.text, self.chars[start:end], ((origin + start, origin + end),), (0,), self.following, self.dropped)

    def _written(self, at: int) -> int:
        number = bisect_right(self.starts, at) - 1 if len(self.starts) > 1 else 0
        start, end = self.pieces[number]
        return min(start + at - self.starts[number], end)


def next_line(text: Text, at: int) -> Line | None:
    """The first logical line at or after an offset, or None if only blanks and comments are left."""
    chars = text.chars
    pieces: list[tuple[int, int]] = []
    while at < len(chars):
        match = _LINE.match(chars, at)
        assert match is not None  # the pattern matches anything
        at = match.end()
        start, end = match.span("body")
        if end > start and chars.startswith("\r\n", end - 1):
            end -= 1
        end = start + len(chars[start:end].rstrip(" \t"))
        if start == end:
            if pieces:
                return _joined(text, pieces, at, dropped=True)
        elif chars[end - 1] == "\\":
            end = start + len(chars[start : end - 1].rstrip(" \t"))
            if end > start:
                pieces.append((start, end))
        else:
            pieces.append((start, end))
            return _joined(text, pieces, at, dropped=False)
    return _joined(text, pieces, at, dropped=True) if pieces else None


def _joined(text: Text, pieces: list[tuple[int, int]], following: int, *, dropped: bool) -> Line:
    if len(pieces) == 1:
        start, end = pieces[0]
        return Line(text, text.chars[start:end], (pieces[0],), (0,), following, dropped)
    starts: list[int] = []
    size = 0
    for start, end in pieces:
        starts.append(size)
        size += end - start + 1
    chars = " ".join(text.chars[start:end] for start, end in pieces)
    return Line(text, chars, tuple(pieces), tuple(starts), following, dropped)


def tokens_of(line: Line) -> tuple[Token, ...]:
    """The tokens of a logical line, at least one.

    Kinds: `word`, `string`, `=`, `<`, `{`, `}`, `!include`, `!include_try`, `group`. A setting's value is one token, to the
    end of the line; so is the path of an include.
    """
    chars = line.chars
    quoted = _QUOTED_KEY.match(chars)
    end = quoted.end() if quoted else _skip(_KEY, chars, 0)
    if end == 0:  # the line begins with "="
        return (line.token("=", 0, 1), *_value(line, _skip(_BLANKS, chars, 1)))
    key = line.token("string", 0, end, unescape(chars[1 : end - 1])) if quoted else line.token("word", 0, end)
    rest = _skip(_BLANKS, chars, end)
    size = len(chars)
    if key.value in _INCLUDES and not quoted and chars[end : end + 1] != "=":
        key.kind = key.value
        return (key, line.token("word", rest, size)) if rest < size else (key,)
    if chars[rest : rest + 1] == "=":
        return (key, line.token("=", rest, rest + 1), *_value(line, _skip(_BLANKS, chars, rest + 1)))
    if key.value in ("{", "}") and rest == size:
        key.kind = key.value
        return (key,)
    if key.value == "group" and rest < size and chars[rest] != "{":
        key.kind = "group"
    return (key, *_names(line, rest))


def _skip(pattern: re.Pattern[str], chars: str, at: int) -> int:
    match = pattern.match(chars, at)
    return match.end() if match else at


def _value(line: Line, at: int) -> list[Token]:
    chars = line.chars
    size = len(chars)
    if at == size:
        return []
    first = chars[at]
    if first == "<":
        path = _skip(_BLANKS, chars, at + 1)
        mark = line.token("<", at, at + 1)
        return [mark, line.token("word", path, size)] if path < size else [mark]
    if first in "\"'" and chars[-1] == first:
        return [line.token("string", at, size, unescape(chars[at + 1 : size - 1]))]
    return [line.token("word", at, size)]


def _names(line: Line, at: int) -> list[Token]:
    """What follows a section's type: its name or names, the brace, and whatever should not be there."""
    chars = line.chars
    found: list[Token] = []
    braced = False
    while at < len(chars):
        quoted = None if found else _QUOTED_NAME.match(chars, at)
        if chars[at] == "{" and not braced:
            end = at + 1
            braced = True
            found.append(line.token("{", at, end))
        elif quoted:
            end = quoted.end()
            found.append(line.token("string", at, end, unescape(chars[at + 1 : end - 1])))
        elif not found and chars[at] == '"':  # never closed: the brace is a part of the name
            end = len(chars)
            found.append(line.token("word", at, end))
        else:
            end = _skip(_NAME, chars, at)
            found.append(line.token("word", at, end))
        at = _skip(_BLANKS, chars, end)
    return found


class HereDocuments:
    """Where the here-documents (2.4) of a text end. All lines are looked at once, however many documents begin."""

    def __init__(self, text: Text) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> dict[str, list[tuple[int, int]]]:
        lines: dict[str, list[tuple[int, int]]] = {}
        at = 0
        for line in self._text.chars.split("\n"):
            lines.setdefault(line.strip(" \t\r"), []).append((at, len(line)))
            at += len(line) + 1
        return lines

    def token(self, mark: Token, word: Token, at: int) -> tuple[Token, int] | None:
        """The token from `<<` to the closing line, and where the next line begins; None if no line closes it.

        `mark` is the first `<`, `word` what follows it, `at` where the line below begins.
        """
        closing = word.value[1:].strip(" \t")
        if not closing or word.start != mark.end or not word.value.startswith("<"):
            return None
        places = self._lines.get(closing, [])
        number = bisect_left(places, (at, 0))
        if number == len(places):
            return None
        start, size = places[number]
        end = start + len(self._text.chars[start : start + size].rstrip(" \t\r"))
        token = Token("heredoc", self._text.chars[at:start], self._text, mark.start, end)
        return token, min(start + size + 1, len(self._text.chars))
