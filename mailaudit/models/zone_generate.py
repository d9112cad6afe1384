"""BIND's $GENERATE: one entry that stands for a row of records."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

MOST = 65_536  # records of one entry
_USE = re.compile(r"\\\$|\$\$|\$(?:\{([^}]*)\})?")
_MODIFIER = re.compile(r"(-?[0-9]{1,9})(?:,([0-9]{1,3})(?:,([doxXnN]))?)?")


def generated(span: str, owner: str, fields: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The owner and the fields for each number of a range like `1-9` or `0-255/2`."""
    numbers, _, step = span.partition("/")
    first, _, last = numbers.partition("-")
    for count, number in enumerate(range(int(first), int(last) + 1, max(int(step or 1), 1))):
        if count >= MOST:
            return
        yield _put(owner, number), tuple(_put(each, number) for each in fields)


def _put(template: str, number: int) -> str:
    def value(match: re.Match[str]) -> str:
        if match.group() in ("\\$", "$$"):
            return "$"
        modifier = _MODIFIER.fullmatch(match[1] or "0")
        if modifier is None:
            return match.group()
        return _number(number + int(modifier[1]), int(modifier[2] or 0), modifier[3] or "d")

    return _USE.sub(value, template)


def _number(number: int, width: int, base: str) -> str:
    if base in "nN":
        digits = format(number & 0xFFFFFFFF, "x" if base == "n" else "X")[::-1]
        return ".".join(digits.ljust((width + 1) // 2, "0"))
    return format(number, f"0{width}{base}" if width else base)
