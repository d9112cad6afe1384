"""Which POSIX extended regular expressions a compiler refuses, as glibc's regcomp() does."""

from __future__ import annotations

import re
from collections.abc import Iterator

_CLASSES = frozenset("alpha digit alnum upper lower space blank punct print graph cntrl xdigit".split())  # noqa: SIM905
_PIECE = re.compile(
    r"(?P<escape>\\[\s\S])"
    r"|(?P<bracket>\[\^?\]?(?:\[:[a-z]*:\]|\[\.[^\]]*\.\]|\[=[^\]]*=\]|[^\]\[]|\[(?![:.=]))*\])"
    r"|(?P<open>\()|(?P<close>\))|(?P<begin>[|^])|(?P<repeat>[*+?{])|(?P<other>[\s\S])"
)
_INTERVAL = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
_CLASS = re.compile(r"\[:([a-z]*):\]")
_RANGE = re.compile(r"([^\[\]-])-([^\[\]])")
MOST_REPEATS = 32767


def fault(expression: str) -> str:
    """What is wrong with an expression, or nothing."""
    return next(_faults(expression), "")


def _faults(expression: str) -> Iterator[str]:
    opened = groups = at = 0
    can_repeat = False  # is there something before, that `*` may repeat?
    while (match := _PIECE.match(expression, at)) is not None:
        piece, kind, at = match.group(), match.lastgroup, match.end()
        if kind == "repeat":
            yield from _repeat(expression, match.start(), can_repeat)
            interval = _INTERVAL.match(expression, match.start())
            at = interval.end() if interval else at
        elif kind == "bracket":
            yield from _bracket(piece[1:-1])
        elif kind == "escape" and piece[1] in "123456789" and int(piece[1]) > groups:
            yield "a reference to a group that is not there"
        elif kind == "open":
            opened += 1
        elif kind == "close" and opened:
            opened -= 1
            groups += 1
        elif piece in ("[", "\\"):
            yield 'a "[" without "]"' if piece == "[" else "a backslash at its end"
        can_repeat = kind not in ("open", "begin")
    if opened:
        yield 'a "(" without ")"'


def _repeat(expression: str, at: int, can_repeat: bool) -> Iterator[str]:
    if not can_repeat:
        yield f'a "{expression[at]}" with nothing before it'
    if expression[at] != "{":
        return
    match = _INTERVAL.match(expression, at)
    if match is None:
        yield 'a "{" without "}"' if "}" not in expression[at:] else 'no number between "{" and "}"'
        return
    least, comma, most = match.groups()
    first = int(least[-8:] or 0)
    last = int(most[-8:]) if most else first
    if last < first or max(first, last) > MOST_REPEATS or not (least or comma):
        yield 'no sensible number between "{" and "}"'


def _bracket(inside: str) -> Iterator[str]:
    for match in _CLASS.finditer(inside):
        if match[1] not in _CLASSES:
            yield f'no class of characters "{match[1]}"'
    for match in _RANGE.finditer(_CLASS.sub("", inside)):
        if match[1] > match[2]:
            yield f'a range from "{match[1]}" back to "{match[2]}"'
