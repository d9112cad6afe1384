"""Which regular expressions a script may not hold: what Pigeonhole's compiler of them refuses.

That is regcomp() of the host's C library up to 2.4.1, and PCRE2 since 2.4.2. Sources: the answers of sievec with glibc and with
PCRE2 10.47, OpenBSD's regcomp.c, pcre2pattern(3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from enum import StrEnum

from mailaudit.models.sieve.pcre import faults as pcre_faults


class Dialect(StrEnum):
    """Who compiles an expression; `POSIX` is any of the C libraries, so that what one of them takes is no fault."""

    GLIBC = "glibc"
    POSIX = "posix"
    PCRE = "pcre"


ANY = (Dialect.POSIX, Dialect.PCRE)
"""Where it is not known who does."""
PCRE_SINCE = (2, 4, 2)
MOST_REPEATS = 32767
_CLASSES = frozenset("alpha digit alnum upper lower space blank punct print graph cntrl xdigit".split())  # noqa: SIM905
_PIECE = re.compile(
    r"(?P<word>\[\[:[<>]:\]\])"
    r"|(?P<anchor>\\[bB<>`'])|(?P<escape>\\[\s\S])"
    r"|(?P<bracket>\[\^?\]?(?:\[:[a-z]*:\]|\[\.[^\]]*\.\]|\[=[^\]]*=\]|[^\]\[]|\[(?![:.=]))*\])"
    r"|(?P<open>\()|(?P<close>\))|(?P<begin>[|^])|(?P<end>\$)|(?P<repeat>[*+?{])|(?P<other>[\s\S])"
)
_INTERVAL = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
_CLASS = re.compile(r"\[:([a-z]*):\]")
_RANGE = re.compile(r"([^\[\]-])-([^\[\]])")


def dialects(release: tuple[int, ...] | None, *, is_new: bool) -> tuple[Dialect, ...]:
    """Who may compile the expressions of a host: of this release, where it is known, and if not, of 2.4 or of 2.3."""
    if release is None:
        return ANY if is_new else (Dialect.POSIX,)
    return (Dialect.PCRE,) if release >= PCRE_SINCE else (Dialect.POSIX,)


def fault(expression: str, by: Iterable[Dialect] = ANY) -> str:
    """What is wrong with an expression for all who may compile it, or nothing."""
    found = [next(_faults(expression, dialect), "") for dialect in by]
    return found[0] if all(found) else ""


def _faults(expression: str, dialect: Dialect) -> Iterator[str]:
    if dialect is Dialect.PCRE:
        return pcre_faults(expression)
    return _posix(expression, strict=dialect is Dialect.GLIBC)


def _posix(expression: str, *, strict: bool) -> Iterator[str]:
    """`strict` tells what glibc refuses, and else what OpenBSD's refuses too."""
    opened = groups = at = 0
    can_repeat = False  # is there something before, that `*` may repeat?
    while (match := _PIECE.match(expression, at)) is not None:
        piece, kind, at = match.group(), match.lastgroup, match.end()
        if kind == "repeat":
            interval = _INTERVAL.match(expression, match.start())
            if strict or piece != "{" or expression[at : at + 1].isdigit():
                yield from _repeat(expression, match.start(), can_repeat)
                at = interval.end() if interval else at
        elif kind == "bracket":
            yield from _bracket(piece[1:-1].removeprefix("^"))
        elif kind == "word" and strict:
            yield 'no class of characters "<" or ">"'
        elif kind == "escape" and strict and piece[1] in "123456789" and int(piece[1]) > groups:
            yield "a reference to a group that is not there"
        elif kind == "open":
            opened += 1
        elif kind == "close" and opened:
            opened -= 1
            groups += 1
        elif piece in ("[", "\\"):
            yield 'a "[" without "]"' if piece == "[" else "a backslash at its end"
        can_repeat = kind not in ("open", "begin") and not (strict and kind in ("anchor", "end"))
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
        first, last = match.groups()
        if first > last and first.lower() > last.lower() and first.upper() > last.upper():  # capitals count as small letters
            yield f'a range from "{first}" back to "{last}"'
