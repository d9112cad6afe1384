"""services(5): a service a line, its port and protocol, and further names for it."""

from __future__ import annotations

import re

from mailaudit.parsers import lines
from mailaudit.parsers.tree import Include, Language, Statement, Template, Token, Tree
from mailaudit.text import Text, decimal

_WORD = re.compile(r"[^ \t\r\v\f#]+")
_PORT = re.compile(r"([0-9]+)([/,])([^/,]+)\Z")
_IGNORED = Template("ignored", ())  # getservent(3) passes over a line that it cannot make sense of
_SERVICES: dict[int, Template] = {}


def parse(text: Text, _include: Include) -> Tree:
    """The tree of such a file: `service` statements whose leaves are name, port, protocol and further names."""
    return lines.read_lines(text, "services", _line)


LANGUAGE = Language("services", parse, lines.TRIVIA, ("/etc/services",))


def _line(text: Text, start: int, end: int) -> Statement | None:
    chars = text.chars
    comment = chars.find("#", start, end)
    words = list(_WORD.finditer(chars, start, comment if comment >= 0 else end))
    if not words:
        return None
    port = _PORT.match(words[1].group()) if len(words) > 1 else None
    number = None if port is None else decimal(port[1])
    if port is None or number is None or number > 65535:
        tokens = tuple(Token("word", word.group(), text, word.start(), word.end()) for word in words)
        return Statement("ignored", tokens, tokens, _IGNORED)
    at = words[1].start()
    tokens = (
        Token("word", words[0].group(), text, words[0].start(), words[0].end()),
        Token("number", port[1], text, at, at + port.end(1)),
        Token(port[2], port[2], text, at + port.end(1), at + port.end(2)),
        Token("word", port[3], text, at + port.end(2), at + port.end(3)),
        *(Token("word", word.group(), text, word.start(), word.end()) for word in words[2:]),
    )
    return Statement("service", tokens, tokens, _service(len(tokens)))


def _service(size: int) -> Template:
    if size not in _SERVICES:
        _SERVICES[size] = Template("service", (0, 1, *range(3, size)))
    return _SERVICES[size]
