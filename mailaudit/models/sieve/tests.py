"""How Sieve compares strings: match types and comparators."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence

from mailaudit.models.sieve.parts import Resolved

_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_PIECE = re.compile(r"\\[\s\S]|[*?]|[^*?\\]+|\\")
_TYPES = ("is", "contains", "matches", "regex", "count", "value", "list")


def matched(
    sources: Sequence[str | None], keys: Sequence[str | None], given: Resolved
) -> tuple[bool | None, tuple[str, ...] | None]:
    """Whether one of the strings matches one of the keys, None where that is not known; and the match values of `:matches`."""
    kind = next((tag for tag in _TYPES if tag in given.tags), "is")
    comparator = given.tag("comparator")
    name = comparator.values[0].lower() if comparator is not None else "i;ascii-casemap"
    if kind not in ("is", "contains", "matches") or name not in ("i;ascii-casemap", "i;octet"):
        return None, None
    has_unknown = False
    for source in sources:
        for key in keys:
            if source is None or key is None:
                has_unknown = True  # it may not even be there
                continue
            found, values = _one(source, key, kind, is_folded=name != "i;octet")
            if found:
                return True, None if has_unknown else values
    return (None if has_unknown else False), None


def _one(source: str, key: str, kind: str, *, is_folded: bool) -> tuple[bool, tuple[str, ...] | None]:
    if kind == "matches":
        values = wildcards(source, key, is_folded=is_folded)
        return values is not None, values
    if is_folded:
        source, key = source.translate(_FOLD), key.translate(_FOLD)
    return (source == key if kind == "is" else key in source), None


def wildcards(source: str, key: str, *, is_folded: bool = True) -> tuple[str, ...] | None:
    """The match values of `:matches`: the whole string, then what each `*` and `?` stood for; None if it does not match.

    A `*` takes as little as it can (RFC 5229, section 3.2): up to the first place where what stands before the next `*` fits.
    """
    text = source.translate(_FOLD) if is_folded else source
    spans = _spans(text, _pieces(key, is_folded=is_folded))
    return None if spans is None else (source, *(source[start:end] for start, end in spans))


def _pieces(key: str, *, is_folded: bool) -> list[list[str | None]]:
    """A key cut at its `*`: each part a row of plain strings, None for a `?`."""
    parts: list[list[str | None]] = [[]]
    for written in _PIECE.findall(key):
        if written == "*":
            parts.append([])
        elif written == "?":
            parts[-1].append(None)
        else:
            plain = written[1:] if len(written) == 2 and written[0] == "\\" else written
            parts[-1].append(plain.translate(_FOLD) if is_folded else plain)
    return parts


def _spans(text: str, parts: list[list[str | None]]) -> list[tuple[int, int]] | None:
    spans: list[tuple[int, int]] = []
    at = 0
    for number, part in enumerate(parts):
        size = sum(1 if plain is None else len(plain) for plain in part)
        last = len(text) - size
        is_last = number == len(parts) - 1
        if is_last and number:
            begin = last if last >= at and _fits(text, part, last) else None
        else:
            begin = next((start for start in (range(at, last + 1) if number else (at,)) if _fits(text, part, start)), None)
        if begin is None or (is_last and begin != last):
            return None
        if number:
            spans.append((at, begin))
        at = begin
        for plain in part:
            spans += [(at, at + 1)] if plain is None else []
            at += 1 if plain is None else len(plain)
    return spans


def _fits(text: str, part: list[str | None], at: int) -> bool:
    for plain in part:
        if plain is None:
            if at >= len(text):
                return False
        elif not text.startswith(plain, at):
            return False
        at += 1 if plain is None else len(plain)
    return True
