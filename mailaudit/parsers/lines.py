"""Files of one entry a line: cut into lines, fields between colons, and the blanks and comments around them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mailaudit.parsers.tree import Problem, Statement, Template, Token, Tree
from mailaudit.text import Text

BLANKS = " \t\r\v\f"
TRIVIA = re.compile(r"(?:[ \t\r\v\f\n]|#[^\n]*(?:\n|\Z))*")
_PLACEHOLDER = r"\{\{(?:masked|generate):[^{}\n]*\}\}"  # a masked secret holds colons and is one value all the same
_FIELD = re.compile(rf"(?:{_PLACEHOLDER}|[^:])*")
_REST = re.compile(r"[\s\S]*")

ReadLine = Callable[[Text, int, int], Statement | None]


def read_lines(text: Text, language: str, read: ReadLine, blank: ReadLine | None = None) -> Tree:
    """A tree with a statement for each line of which `read` makes one; it is given the line's ends without blanks around it.

    A line of blanks alone says nothing, or what `blank` makes of it.
    """
    return Tree(language, text, tuple(_statements(text, read, blank)))


def _statements(text: Text, read: ReadLine, blank: ReadLine | None) -> Iterator[Statement]:
    chars = text.chars
    at = 0
    while at < len(chars):
        found = chars.find("\n", at)
        eol = len(chars) if found < 0 else found
        line = chars[at:eol]
        end = at + len(line.rstrip(BLANKS))
        start = at + len(line) - len(line.lstrip(BLANKS))
        statement = None
        if start < end:
            statement = read(text, start, end)
        elif line and blank is not None:
            statement = blank(text, at, eol)
        if statement is not None:
            yield statement
        at = eol + 1


def fields(text: Text, start: int, end: int, most: int) -> tuple[Token, ...]:
    """The fields between colons, and the colons; what follows the last colon that counts is one field. Fields may be empty."""
    tokens: list[Token] = []
    chars = text.chars
    while True:
        scan = _REST if len(tokens) == 2 * (most - 1) else _FIELD
        match = scan.match(chars, start, end)
        if match is None:
            raise AssertionError(start)
        tokens.append(Token("field", match.group(), text, start, match.end()))
        start = match.end()
        if start >= end:
            return tuple(tokens)
        tokens.append(Token(":", ":", text, start, start + 1))
        start += 1


def entry(tokens: tuple[Token, ...], problem: Problem | None = None) -> Statement:
    """A statement whose node has the fields as its leaves."""
    return Statement("entry", tokens, tokens, _template(len(tokens)), problem)


_TEMPLATES: dict[int, Template] = {}


def _template(size: int) -> Template:
    known = _TEMPLATES.get(size)
    if known is None:
        known = _TEMPLATES[size] = Template("entry", tuple(range(0, size, 2)))
    return known


def unread(text: Text, start: int, end: int, message: str, refused: bool = True) -> Statement:
    """A line that cannot be read."""
    token = Token("bad", text.chars[start:end], text, start, end)
    return Statement("unread", (token,), (token,), None, Problem(message, token.span, refused))
