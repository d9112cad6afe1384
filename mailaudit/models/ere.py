"""POSIX extended regular expressions, as regex(3) finds them: patterns come from audited files, so matching is linear.

Python's `re` goes back and forth and can be made to take for ever; it also reads classes and anchors otherwise than re_format(7).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

MOST_STEPS = 4096  # what a pattern may come to when its repetitions are written out
DEEPEST = 64  # nested groups
MOST_REPEATS = 255  # RE_DUP_MAX
_INTERVAL = re.compile(r"\{([0-9]{1,3})(?:(,)([0-9]{1,3})?)?\}")
_BRACKET = re.compile(r"\[\^?\]?(?:\[:[a-z]{1,10}:\]|[^\]\[]|\[(?![:.=]))*\]")
_ITEM = re.compile(r"\[:([a-z]+):\]|([^\]])-([^\]])|([\s\S])")
_CLASSES: dict[str, Callable[[str], bool]] = {
    "alpha": str.isalpha,
    "digit": lambda char: char in "0123456789",
    "alnum": str.isalnum,
    "upper": str.isalpha,  # in any case
    "lower": str.isalpha,
    "space": str.isspace,
    "blank": lambda char: char in " \t",
    "punct": lambda char: char.isascii() and char.isprintable() and not char.isalnum() and char != " ",
    "print": str.isprintable,
    "graph": lambda char: char.isprintable() and char != " ",
    "cntrl": lambda char: ord(char) < 32 or ord(char) == 127,
    "xdigit": lambda char: char in "0123456789abcdefABCDEF",
}

Test = Callable[[str], bool]


class UnreadError(ValueError):
    """A pattern that regcomp(3) refuses, that means something else from system to system, or that is too large."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of a pattern: a test of one character, an anchor (`^`, `$`), parts in turn (`cat`), or (`alt`), or again (`rep`)."""

    kind: str
    parts: tuple[_Piece, ...] = ()
    test: Test | None = None
    least: int = 0
    most: int | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of the machine: a test of a character (`char`), an anchor, a fork to other steps (`fork`), or the `end`."""

    kind: str
    test: Test | None = None
    to: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """A pattern, ready to be looked for without regard to case. Source: re_format(7), smtpd's table(5)."""

    steps: tuple[_Step, ...]

    def found_in(self, chars: str) -> bool:
        """Whether it matches anywhere in some characters: in time of their number times that of the steps."""
        chars = chars.lower()
        now: set[int] = set()
        for at in range(len(chars) + 1):
            reached = self._reach({0, *now}, at, len(chars))
            if reached is None:
                return True
            if at < len(chars):
                now = {number + 1 for number in reached if _fits(self.steps[number], chars[at])}
        return False

    def _reach(self, start: set[int], at: int, end: int) -> set[int] | None:
        """The steps that wait for a character, once forks and anchors are gone through; None if the end is among them."""
        todo, seen = list(start), set(start)
        waiting = set()
        while todo:
            number = todo.pop()
            step = self.steps[number]
            if step.kind == "end":
                return None
            if step.kind == "char":
                waiting.add(number)
                continue
            if step.kind == "fork":
                following: tuple[int, ...] = step.to
            else:
                following = (number + 1,) if (at == 0 if step.kind == "^" else at == end) else ()
            for each in following:
                if each not in seen:
                    seen.add(each)
                    todo.append(each)
        return waiting


def _fits(step: _Step, char: str) -> bool:
    return step.test is not None and step.test(char)


@lru_cache(1024)
def compiled(pattern: str) -> Expression:
    """The expression of a pattern. Raises UnreadError."""
    piece, at = _either(pattern, 0, 0)
    if at != len(pattern):
        raise UnreadError(f"unmatched ) in {pattern!r}")
    steps: list[_Step] = []
    _emit(piece, steps)
    return Expression((*steps, _Step("end")))


def _either(pattern: str, at: int, depth: int) -> tuple[_Piece, int]:
    """Branches between bars, up to the end or a closing bracket."""
    if depth > DEEPEST:
        raise UnreadError("the groups are nested too deeply")
    branches: list[_Piece] = []
    while True:
        branch, at = _branch(pattern, at, depth)
        branches.append(branch)
        if at >= len(pattern) or pattern[at] != "|":
            return (branches[0] if len(branches) == 1 else _Piece("alt", tuple(branches))), at
        at += 1


def _branch(pattern: str, at: int, depth: int) -> tuple[_Piece, int]:
    pieces: list[_Piece] = []
    while at < len(pattern) and pattern[at] not in "|)":
        piece, at = _atom(pattern, at, depth)
        while at < len(pattern) and (repeat := _repeat(pattern, at)) is not None:
            if piece.kind in ("^", "$"):
                raise UnreadError("an anchor cannot be repeated")
            least, most, at = repeat
            piece = _Piece("rep", (piece,), None, least, most)
        pieces.append(piece)
    if not pieces:
        raise UnreadError("an empty branch means something else from system to system")
    return _Piece("cat", tuple(pieces)), at


def _repeat(pattern: str, at: int) -> tuple[int, int | None, int] | None:
    """How often the piece before is repeated: at least, at most, and where what follows begins."""
    simple = {"*": (0, None), "+": (1, None), "?": (0, 1)}.get(pattern[at])
    if simple is not None:
        return (*simple, at + 1)
    interval = _INTERVAL.match(pattern, at)
    if interval is None:
        return None
    least = int(interval[1])
    most = least if interval[2] is None else int(interval[3]) if interval[3] else None
    if max(least, most or 0) > MOST_REPEATS or (most is not None and most < least):
        raise UnreadError(f"no such repetition: {interval[0]}")
    return least, most, interval.end()


def _atom(pattern: str, at: int, depth: int) -> tuple[_Piece, int]:
    char = pattern[at]
    if char == "(":
        inner, end = _either(pattern, at + 1, depth + 1)
        if end >= len(pattern):
            raise UnreadError("unmatched (")
        return inner, end + 1
    if char == "[":
        return _bracket(pattern, at)
    if char in "^$":
        return _Piece(char), at + 1
    if char == ".":
        return _Piece("char", test=lambda _: True), at + 1
    if char == "\\":
        if at + 1 >= len(pattern) or pattern[at + 1].isalnum() or pattern[at + 1] in "<>`'":
            raise UnreadError("an escape that means something else from system to system")
        char, at = pattern[at + 1], at + 1
    elif char in "*+?":
        raise UnreadError(f"nothing stands before {char}")
    return _Piece("char", test=char.lower().__eq__), at + 1


def _bracket(pattern: str, at: int) -> tuple[_Piece, int]:
    found = _BRACKET.match(pattern, at)
    if found is None:
        raise UnreadError("unmatched [")
    inner = found[0][1:-1]
    negated = inner.startswith("^")
    tests = tuple(_items(inner[negated:]))
    return _Piece("char", test=lambda char: any(test(char) for test in tests) is not negated), found.end()


def _items(inner: str) -> Iterator[Test]:
    for name, low, high, char in _ITEM.findall(inner):
        if name and name not in _CLASSES:
            raise UnreadError(f"no class of characters: {name}")
        if name:
            yield _CLASSES[name]
        elif char:
            yield char.lower().__eq__
        elif low > high:
            raise UnreadError(f"no range: {low}-{high}")
        else:
            yield lambda each, low=low, high=high: low <= each <= high or low <= each.upper() <= high  # type: ignore[misc]


def _emit(piece: _Piece, steps: list[_Step]) -> None:
    """Append the steps of a piece; what follows it is the step behind them."""
    if len(steps) > MOST_STEPS:
        raise UnreadError("the pattern is too large")
    if piece.kind == "cat":
        for part in piece.parts:
            _emit(part, steps)
    elif piece.kind == "alt":
        _emit_branches(piece, steps)
    elif piece.kind == "rep":
        _emit_repeated(piece, steps)
    else:
        steps.append(_Step(piece.kind, piece.test))


def _emit_branches(piece: _Piece, steps: list[_Step]) -> None:
    fork = len(steps)
    steps.append(_Step("fork"))
    begins, ends = [], []
    for part in piece.parts:
        begins.append(len(steps))
        _emit(part, steps)
        ends.append(len(steps))
        steps.append(_Step("fork"))
    steps[fork] = _Step("fork", to=tuple(begins))
    for end in ends:
        steps[end] = _Step("fork", to=(len(steps),))


def _emit_repeated(piece: _Piece, steps: list[_Step]) -> None:
    (part,) = piece.parts
    for _ in range(piece.least):
        _emit(part, steps)
    if piece.most is None:
        fork = len(steps)
        steps.append(_Step("fork"))
        _emit(part, steps)
        steps.append(_Step("fork", to=(fork,)))
        steps[fork] = _Step("fork", to=(fork + 1, len(steps)))
        return
    forks = []
    for _ in range(piece.most - piece.least):
        forks.append(len(steps))
        steps.append(_Step("fork"))
        _emit(part, steps)
    for fork in forks:
        steps[fork] = _Step("fork", to=(fork + 1, len(steps)))
