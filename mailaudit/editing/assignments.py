"""The blanks between a name and its value, as the lines beside it have them: columns in line, `=` tight or set off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mailaudit.parsers.tree import Token

NEAREST = 40  # lines that are looked at

Pair = tuple[Token, Token]


def blanks(pairs: Sequence[Pair], written: str, default: str, indent: int | None = None) -> str:
    """What stands between a new first word and what follows it.

    `pairs` are the first and second tokens of the lines beside it. If those second tokens stand in one column below first ones
    of several lengths, so does the new one; else the blanks are those that most lines have. `indent` is the column of the new
    word, that of the last pair if not given.
    """
    pairs = [pair for pair in pairs[-NEAREST:] if _between(pair) is not None]
    if not pairs:
        return default
    columns = {_column(second) for _, second in pairs}
    lengths = {first.end - first.start for first, _ in pairs}
    if len(columns) == 1 and len(lengths) > 1:
        start = _column(pairs[-1][0]) if indent is None else indent
        gap = columns.pop() - start - len(written)
        between = _between(pairs[-1]) or ""
        if "\t" in between:
            return _most(pairs)
        return " " * max(gap, 1)
    return _most(pairs)


def _most(pairs: Sequence[Pair]) -> str:
    return Counter(_between(pair) or "" for pair in pairs).most_common(1)[0][0]


def _between(pair: Pair) -> str | None:
    """The blanks between two tokens of one line, or None."""
    first, second = pair
    if first.text is not second.text or second.start < first.end:
        return None
    between = first.text.chars[first.end : second.start]
    return None if between.strip(" \t") else between


def _column(token: Token) -> int:
    return token.start - (token.text.chars.rfind("\n", 0, token.start) + 1)
