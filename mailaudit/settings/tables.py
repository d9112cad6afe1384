"""Reads a TOML document so that every mistake in it is told with its line, its key and the nearest key that is known."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from itertools import islice
from typing import Any

LONGEST = 60  # characters of a key or a value, in a message
MOST_DOTS = 100  # outside of quotes in one line: the time for a dotted key is the square of its names
DEEPEST = 8  # names of a key that leads to something
MAX_SETTINGS = 1024 * 1024  # bytes
_HEADER = re.compile(r"[ \t]*(\[\[?)[ \t]*([^\[\]\n]+?)[ \t]*\]")
_NAME = r"(?:\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[A-Za-z0-9_-]+)"
_KEY = re.compile(rf"[ \t]*({_NAME}(?:[ \t]*\.[ \t]*{_NAME})*)[ \t]*=")
_QUOTED = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|#.*")
_PART = re.compile(_NAME)


class SettingsError(Exception):
    """A mailaudit.toml that is not as it must be; the message names the file, the line and the key."""


class TwiceError(ValueError):
    """A name that stands in a table already, in other letters."""

    def __init__(self, again: str, first: str) -> None:
        super().__init__(again)
        self.again = again
        self.first = first


@dataclass(frozen=True, slots=True)
class Expected:
    """What a value must be: the words for an error, and the reader, which raises ValueError."""

    words: str
    read: Callable[[Any], Any]


class Lines:
    """Where the tables and keys of a document stand, as far as that can be told without reading TOML a second time."""

    def __init__(self, source: str) -> None:
        self._headers: dict[tuple[str, ...], int] = {}
        self._keys: dict[tuple[str, ...], int] = {}
        table: tuple[str, ...] = ()
        arrays: dict[str, int] = {}
        for number, line in enumerate(source.split("\n"), 1):
            if match := _HEADER.match(line):
                table = _parts(match[2])
                if match[1] == "[[":
                    name = ".".join(table)
                    arrays[name] = arrays.get(name, 0) + 1
                    self._keys.setdefault(table, number)
                    table = (*table[:-1], f"{table[-1]}[{arrays[name]}]") if table else ()
                self._headers.setdefault(table, number)
                for depth in range(1, len(table)):
                    self._keys.setdefault(table[:depth], number)
            elif match := _KEY.match(line):
                parts = _parts(match[1])
                for depth in range(1, len(parts) + 1):
                    self._keys.setdefault((*table, *parts[:depth]), number)

    def of(self, keys: tuple[str, ...]) -> int | None:
        """The line of what these keys lead to; what stands in an inline table has the line of that table."""
        while keys:
            found = self._keys.get(keys) or self._headers.get(keys)
            if found is not None:
                return found
            keys = (*keys[:-1], keys[-1].partition("[")[0]) if keys[-1].endswith("]") else keys[:-1]
        return None


def _parts(written: str) -> tuple[str, ...]:
    """The names of a dotted key; no key that is known has so many."""
    return tuple(each[0].strip("\"'") for each in islice(_PART.finditer(written), DEEPEST))


@dataclass(frozen=True, slots=True)
class Said:
    """Where something is said: a file of settings, and the line, as far as that can be told."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.line else self.file


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a document, and the keys that lead to it."""

    origin: str
    lines: Lines
    keys: tuple[str, ...]
    content: Mapping[str, Any]

    def below(self, key: str, content: Mapping[str, Any]) -> Table:
        """A table in this one."""
        return Table(self.origin, self.lines, (*self.keys, key), content)

    def read(self, known: Mapping[str, Expected], needs: tuple[str, ...] = ()) -> dict[str, Any]:
        """The values of a table whose keys must all be known, those that it `needs` among them."""
        found = {}
        for key, value in self.content.items():
            if key not in known:
                raise self.error(key, f"is no known key; {_nearest(key, known)}")
            try:
                found[key] = known[key].read(value)
            except TwiceError as error:
                words = f"is {_short(error.first)} again: upper and lower case are one"
                raise self.below(key, value).error(error.again, words) from None
            except ValueError:
                raise self.error(key, f"expected {known[key].words}, found {_shown(value)}", mark=":") from None
        for key in needs:
            if key not in self.content:
                raise self.error(key, f"is missing: expected {known[key].words}")
        return found

    def error(self, key: str, message: str, mark: str = "") -> SettingsError:
        """An error about one of its keys."""
        return SettingsError(f"{self.said(key)}: {'.'.join(map(_short, (*self.keys, key)))}{mark} {message}")

    def said(self, *keys: str) -> Said:
        """Where one of its keys stands, or else itself."""
        return Said(self.origin, self.lines.of((*self.keys, *keys)))


def _nearest(key: str, known: Mapping[str, Expected]) -> str:
    near = get_close_matches(_short(key), known, n=1, cutoff=0.5)
    return f"the nearest is {near[0]}" if near else f"known are {', '.join(known)}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table" if value else "an empty table"
    written = json.dumps(value, default=lambda each: each.isoformat() if isinstance(each, date | time) else str(each))
    return _short(written)


def _short(written: str) -> str:
    return written if len(written) <= LONGEST else f"{written[: LONGEST - 3]}..."


def read_toml(data: bytes, origin: str) -> tuple[str, dict[str, Any]]:
    """A TOML document as text and as values."""
    if len(data) > MAX_SETTINGS:
        raise SettingsError(f"{origin}: it is over {MAX_SETTINGS // 1024} KiB, the most that mailaudit reads")
    try:
        source = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{origin}:{line}: it is not UTF-8 text") from None
    if source.startswith("\ufeff"):
        raise SettingsError(f"{origin}:1: it begins with a byte order mark, which TOML has none of: save it as UTF-8 without one")
    for number, written in enumerate(source.split("\n"), 1):
        if written.count(".") > MOST_DOTS and _QUOTED.sub("", written).count(".") > MOST_DOTS:
            raise SettingsError(f"{origin}:{number}: a key of more than {MOST_DOTS} names is none")
    try:
        return source, tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", str(error))
        if where is None:
            raise SettingsError(f"{origin}: {error}") from None
        message = str(error)[: where.start()]
        place = f"{where[1]}:{where[2]}" if where[1] else str(source.count("\n") + 1)
        raise SettingsError(f"{origin}:{place}: {message[:1].lower()}{message[1:]}") from None
    except (RecursionError, ValueError):
        raise SettingsError(f"{origin}: it is nested too deeply, or holds a number that is too long") from None
