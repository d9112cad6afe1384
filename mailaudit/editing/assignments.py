"""The blanks between a name and its value, as the lines beside it have them: columns in line, `=` tight or set off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mailaudit.parsers.tree import Token

NEAREST = 40  # lines that are looked at

Pair = tuple[Token, Token]


def blanks(pairs: Sequence[Pair], written: str, default: str, indent: int | None = None, between: str = "") -> str:
    """What stands between a new first word and what follows it: blanks, and the mark `between` where there is one.

    `pairs` are the first and second tokens of the lines beside it. If most second tokens stand in one column behind first ones
    of several lengths, so does the new one; else the blanks are those that most lines have. `indent` is the column of the new
    word, that of the last pair if not given.
    """
    gaps = [(pair, gap) for pair in pairs[-NEAREST:] if (gap := _between(pair)) is not None and gap.strip(" \t") == between]
    if not gaps:
        return default
    most: str = Counter(gap for _, gap in gaps).most_common(1)[0][0]
    column, count = Counter(_column(second) for (_, second), _ in gaps).most_common(1)[0]
    lengths = {first.end - first.start for (first, second), _ in gaps if _column(second) == column}
    if count * 2 <= len(gaps) or len(lengths) < 2 or any("\t" in gap for _, gap in gaps):
        return most
    start = _column(gaps[-1][0][0]) if indent is None else indent
    led = most[: most.find(between) + len(between)] if between else ""
    return led + " " * max(column - start - len(written) - len(led), 1)


def _between(pair: Pair) -> str | None:
    """What stands between two tokens of one line, or None."""
    first, second = pair
    if first.text is not second.text or second.start < first.end:
        return None
    between = first.text.chars[first.end : second.start]
    return None if "\n" in between else between


def _column(token: Token) -> int:
    return token.start - (token.text.chars.rfind("\n", 0, token.start) + 1)
