"""What was plainly meant by a statement that acme-client or httpd refuses: paths without quotes, semicolons."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mailaudit.parsers.quotes import straightened
from mailaudit.parsers.tree import Problem, Token
from mailaudit.text import Span

_PATH = re.compile(r"/[A-Za-z0-9_./*%@:+~-]*")

Mended = tuple[tuple[Token, ...], Problem]


def readings(seen: Sequence[Token], at: int) -> Iterator[Mended]:
    """Other rows of tokens to read in place of one that does not fit at token `at`, each with what it says was wrong."""
    if at < len(seen) and seen[at].kind == "/":
        yield from _quoted(seen, at)
    if seen[-1].kind == ";":
        yield _without_semicolon(seen)
    straight = straightened(tuple(seen))
    if straight is not None:
        yield straight


def _quoted(seen: Sequence[Token], at: int) -> Iterator[Mended]:
    """A path that lacks its quotes, as one string."""
    first = seen[at]
    match = _PATH.match(first.text.chars, first.start)
    if match is None:
        return
    after = [number for number in range(at, len(seen)) if seen[number].start >= match.end()]
    rest = seen[after[0] :] if after else ()
    if first.via or any(token.end > match.end() for token in seen[at : after[0] if after else len(seen)]):
        return
    path = Token("string", match.group(), first.text, first.start, match.end())
    problem = Problem(f'a path must stand in quotes: "{path.value}"', path.span, mend=f'"{path.value}"')
    yield (*seen[:at], path, *rest), problem


def _without_semicolon(seen: Sequence[Token]) -> Mended:
    """The statement without the semicolon at its end; digits before it are a number then."""
    last = seen[-1]
    kept = list(seen[:-1])
    if kept and kept[-1].kind == "word" and kept[-1].value.isascii() and kept[-1].value.isdigit() and not kept[-1].via:
        number = kept[-1]
        kept[-1] = Token("number", number.value, number.text, number.start, number.end)
    problem = Problem('a statement ends with its line, not with ";"', Span(last.text, last.start, last.end), mend="")
    return tuple(kept), problem
