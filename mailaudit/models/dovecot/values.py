"""Dovecot's types of values: what each family takes for them, and what a value comes to.

Source: get_bool() and its kin of src/lib-settings/settings-parser.c, settings_get_time(), settings_get_size(), 2.3.19 and 2.4.1.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailaudit.models.dovecot.catalogue import Definition
from mailaudit.parsers.nearest import nearest

_TRUE = frozenset(("on", "true", "t", "enable", "enabled", "yes", "y", "1"))
_FALSE = frozenset(("off", "false", "f", "n", "0", "disable", "disabled", "none", "no"))
_AMOUNT = re.compile(r"(\d+) *([A-Za-z]*)")
_LIST_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"|[^ ,"]+')
_SIZES = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_SIZE_UNIT = re.compile(r"B|[KMGT]I?B?", re.IGNORECASE)
_UNITS = (
    ("secs", 1000),
    ("seconds", 1000),
    ("mins", 60_000),
    ("minutes", 60_000),
    ("msecs", 1),
    ("mseconds", 1),
    ("millisecs", 1),
    ("milliseconds", 1),
    ("hours", 3_600_000),
    ("days", 86_400_000),
    ("weeks", 604_800_000),
)
_UINT_MAX = 2**32 - 1
_UINTMAX_MAX = 2**64 - 1
UNLIMITED = frozenset(("unlimited", "infinite"))
_LIMITS = frozenset(("uint", "octal", "time", "msecs", "size"))


def is_true(value: str) -> bool:
    """True for what both families take for yes."""
    return value == "1" or value.lower() in ("yes", "y")


def list_words(value: str) -> list[str]:
    """The words of a list of 2.4 that is written in one line; quotes go, and blanks and commas between them."""
    return [match[1] if match[1] is not None else match[0] for match in _LIST_WORD.finditer(value)]


def meant_by(value: str) -> str | None:
    """`yes` or `no` for what plainly says so in another program's words."""
    return "yes" if value.lower() in _TRUE else "no" if value.lower() in _FALSE else None


def comes_to(definition: Definition, value: str, *, is_new: bool) -> object:
    """What a value is to the daemon: a truth, a number (bytes, milliseconds), or text; None where it refuses it."""
    kind = definition.kind
    if is_new and kind in _LIMITS and value in UNLIMITED:
        return "unlimited"
    if kind in _READERS:
        return _READERS[kind](value)
    return value if kind != "enum" or value in definition.members else None


def _truth(value: str) -> bool | None:
    return True if is_true(value) else False if value.lower() == "no" else None


def _number(value: str, most: int) -> int | None:
    """A number; in a long row of zeros too, and never by int() of a text without end."""
    digits = value.lstrip("0")
    if not (value.isascii() and value.isdigit()) or len(digits) > 20:
        return None
    number = int(digits or "0")
    return number if number <= most else None


def _octal(value: str) -> int | None:
    if not value.startswith("0"):
        return _number(value, _UINT_MAX)
    return int(value, 8) if len(value) < 23 and re.fullmatch("[0-7]+", value) else None


def _size(value: str) -> int | None:
    amount = _AMOUNT.fullmatch(value)
    number = _number(amount[1], _UINTMAX_MAX) if amount else None
    if amount is None or number is None or (amount[2] and _SIZE_UNIT.fullmatch(amount[2]) is None):
        return None
    size = number * _SIZES[amount[2][:1].upper()]
    return size if size <= _UINTMAX_MAX else None


def _time(value: str, unit_of: int) -> int | None:
    """Milliseconds, in whole units of so many; a number without a unit is a time only where it is 0."""
    amount = _AMOUNT.fullmatch(value)
    number = _number(amount[1], _UINTMAX_MAX) if amount else None
    if amount is None or number is None:
        return None
    unit = amount[2].lower()
    if not unit:
        return 0 if number == 0 else None
    factor = next((factor for name, factor in _UNITS if name.startswith(unit)), None)
    if factor is None:
        return None
    time = number * factor
    return time if time % unit_of == 0 and time // unit_of <= _UINT_MAX else None


_READERS: dict[str, Callable[[str], object]] = {
    "bool": _truth,
    "uint": lambda value: _number(value, _UINT_MAX),
    "uintmax": lambda value: _number(value, _UINTMAX_MAX),
    "port": lambda value: _number(value, 65535),
    "octal": _octal,
    "size": _size,
    "time": lambda value: _time(value, 1000),
    "msecs": lambda value: _time(value, 1),
}


def expected(definition: Definition, value: str) -> tuple[str, str | None]:
    """What should stand in the place of a refused value, and the value that was plainly meant, if it is plain."""
    kind = definition.kind
    if kind == "bool":
        return '"yes" or "no"', meant_by(value)
    if kind == "enum":
        return _choice(definition.members), _member(value.lower(), definition.members)
    if kind == "port":
        return ("a port from 0 to 65535" if value.isdigit() else "a number"), None
    if kind == "size":
        return "a size, as 10 M,", None
    if kind in ("time", "msecs"):
        is_bare = value.isascii() and value.isdigit()
        return "a time with its unit, as 30 secs,", f"{value} secs" if is_bare and kind == "time" and len(value) < 10 else None
    return ("an octal number, as 0600," if kind == "octal" else "a number"), None


def _choice(members: tuple[str, ...]) -> str:
    quoted = [f'"{each}"' for each in members]
    return " or ".join((", ".join(quoted[:-1]), quoted[-1])) if len(quoted) > 1 else quoted[0]


def _member(value: str, members: tuple[str, ...]) -> str | None:
    for each in members:
        if each.lower() == value:
            return each
    meant = meant_by(value)
    return meant if meant in members else nearest(value, members)
