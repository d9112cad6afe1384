"""Typographic quotes, as word processors and web pages write them: no daemon reads them, and what was meant is plain."""

from __future__ import annotations

import re

from mailaudit.parsers.tree import Problem, Token
from mailaudit.text import Span

TYPOGRAPHIC = frozenset("\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb")
_PAIR = re.compile(
    r"[\u201c-\u201f\u00ab\u00bb]([^\u201c-\u201f\u00ab\u00bb\"\\\n]*)[\u201c-\u201f\u00ab\u00bb]|[\u2018-\u201b]([^\u2018-\u201b'\"\\\n]*)[\u2018-\u201b]"
)


def straightened(row: tuple[Token, ...]) -> tuple[tuple[Token, ...], Problem] | None:
    """A row whose words in typographic quotes are strings, and the problem that they were not; None if it has none."""
    first = next((token for token in row if is_typographic(token)), None)
    if first is None or any(token.via or token.text is not first.text for token in row):
        return None
    chars, over = first.text.chars, 0
    made: list[Token] = []
    strings: list[Token] = []
    for token in row:
        if token.start < over:
            continue  # inside the quotes
        found = _PAIR.match(chars, token.start, row[-1].end) if is_typographic(token) else None
        if found is None:
            made.append(token)
            continue
        over = found.end()
        start, words = found.start(), found[1] if found[1] is not None else found[2]
        if made and made[-1].kind == "word" and made[-1].end == start:  # file:“/etc/mail/aliases”
            start, words = made[-1].start, f"{made.pop().value}{words}"
        strings.append(Token("string", words, token.text, start, over))
        made.append(strings[-1])
    if not strings:
        return None
    at, mend = strings[0].start, ""
    for string in strings:
        mend, at = f'{mend}{chars[at : string.start]}"{string.value}"', string.end
    span = Span(first.text, strings[0].start, at)
    return tuple(made), Problem(f"typographic quotes are no quotes here: {mend} is meant", span, mend=mend)


def is_typographic(token: Token) -> bool:
    """True for a token that begins with a typographic quote, where it is written."""
    return token.kind == "bad" and token.value[:1] in TYPOGRAPHIC and not token.via
