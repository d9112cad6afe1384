"""The operators of a site's policy: how a value that was measured is compared with one that is expected."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

Scalar = str | int | float
Value = Scalar | tuple[Scalar, ...]


class Kind(StrEnum):
    """What a measure gives: a number, a word of a scale, a version, or words and numbers without an order."""

    NUMBER = "a number"
    LEVEL = "a word"
    VERSION = 'a version like "7.9"'
    LIST = "words or numbers"


@dataclass(frozen=True, slots=True)
class Scale:
    """A kind, and for levels the words from the weakest to the strictest; `words` is empty for all other kinds."""

    kind: Kind
    words: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What is expected, in words."""
        return f"one of {', '.join(self.words)}" if self.words else str(self.kind)

    def read(self, value: object) -> Scalar:
        """A single value of this kind; raises ValueError for any other."""
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError  # noqa: TRY004 - one kind of error says that a value is none
        if self.kind is Kind.NUMBER and isinstance(value, str):
            raise ValueError
        if self.kind is Kind.VERSION and not (isinstance(value, str) and re.fullmatch(r"\d{1,6}(\.\d{1,6}){0,5}", value)):
            raise ValueError
        if self.words and value not in self.words:
            raise ValueError
        return value

    def rank(self, value: Scalar) -> tuple[float, ...]:
        """Where a value stands on its scale."""
        if self.words:
            return (self.words.index(str(value)),)
        if isinstance(value, str):
            return tuple(map(float, re.findall(r"\d+", value)))
        return (value,)


NUMBER, VERSION, LIST = Scale(Kind.NUMBER), Scale(Kind.VERSION), Scale(Kind.LIST)


def level(*words: str) -> Scale:
    """A scale of words, the weakest first."""
    return Scale(Kind.LEVEL, words)


def _all(value: Value) -> frozenset[Scalar]:
    return frozenset(value if isinstance(value, tuple) else (value,))


def _at_least(scale: Scale, found: Value, expected: Value) -> bool:
    if isinstance(found, tuple):
        return _all(found) >= _all(expected)
    assert not isinstance(expected, tuple)
    return scale.rank(found) >= scale.rank(expected)


def _at_most(scale: Scale, found: Value, expected: Value) -> bool:
    assert not isinstance(found, tuple)
    assert not isinstance(expected, tuple)
    return scale.rank(found) <= scale.rank(expected)


OPERATORS: Mapping[str, Callable[[Scale, Value, Value], bool]] = {
    "equals": lambda _, found, expected: _all(found) == _all(expected),
    "at_least": _at_least,
    "at_most": _at_most,
    "one_of": lambda _, found, expected: found in _all(expected),
    "subset": lambda _, found, expected: _all(found) <= _all(expected),
}
"""`equals` and `subset` take lists without their order; `at_least` of a list wants each of its members there."""
_OF_LISTS = ("equals", "at_least", "subset")
_ON_SCALES = ("equals", "at_least", "at_most", "one_of")


def operators_for(scale: Scale) -> tuple[str, ...]:
    """The operators that a kind of value can be compared by."""
    return _OF_LISTS if scale.kind is Kind.LIST else _ON_SCALES


def expected_words(scale: Scale, operator: str) -> str:
    """What an operator is given, in words."""
    if scale.kind is Kind.LIST or operator == "one_of":
        return f"a list of {scale.told}" if scale.kind is not Kind.LIST else f"a list of {scale.kind}"
    return scale.told


def read_expected(scale: Scale, operator: str, value: object) -> Value:
    """What an operator is given; raises ValueError for what it cannot be."""
    if scale.kind is Kind.LIST or operator == "one_of":
        if not isinstance(value, list):
            raise ValueError
        return tuple(scale.read(each) for each in value)
    return scale.read(value)


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line of a policy: the measure by subject and name, an operator and its value, and the line that says so."""

    subject: str
    name: str
    operator: str
    value: Value
    origin: str = ""
