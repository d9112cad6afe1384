"""Reads a TOML document so that every mistake in it is told with its line, its key and the nearest key that is known."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, time
from difflib import get_close_matches
from typing import Any

MAX_SETTINGS = 1024 * 1024  # bytes
_HEADER = re.compile(r"[ \t]*(\[\[?)[ \t]*([^\[\]\n]+?)[ \t]*\]")
_KEY = re.compile(r"[ \t]*(\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[A-Za-z0-9_-]+)[ \t]*[.=]")


class SettingsError(Exception):
    """A mailaudit.toml that is not as it must be; the message names the file, the line and the key."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a value must be: the words for an error, and the reader, which raises ValueError."""

    words: str
    read: Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Table:
    """A table of a document, and the keys that lead to it."""

    origin: str
    source: str
    keys: tuple[str, ...]
    content: Mapping[str, Any]

    def below(self, key: str, content: Mapping[str, Any]) -> Table:
        """A table in this one."""
        return Table(self.origin, self.source, (*self.keys, key), content)

    def read(self, known: Mapping[str, Expected], needs: tuple[str, ...] = ()) -> dict[str, Any]:
        """The values of a table whose keys must all be known, those that it `needs` among them."""
        found = {}
        for key, value in self.content.items():
            if key not in known:
                raise self.error(key, f"is no known key; {_nearest(key, known)}")
            try:
                found[key] = known[key].read(value)
            except ValueError:
                raise self.error(key, f"expected {known[key].words}, found {_shown(value)}", mark=":") from None
        for key in needs:
            if key not in self.content:
                raise self.error(key, f"is missing: expected {known[key].words}")
        return found

    def error(self, key: str, message: str, mark: str = "") -> SettingsError:
        """An error about one of its keys."""
        line = self.line(key)
        place = f"{self.origin}:{line}" if line else self.origin
        return SettingsError(f"{place}: {'.'.join((*self.keys, key))}{mark} {message}")

    def line(self, key: str | None = None) -> int | None:
        """The line of a key, as far as it can be found, else that of the table's header."""
        return _line(self.source, self.keys, key)


def _nearest(key: str, known: Mapping[str, Expected]) -> str:
    near = get_close_matches(key, known, n=1, cutoff=0.5)
    return f"the nearest is {near[0]}" if near else f"known are {', '.join(known)}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "a table" if value else "an empty table"
    written = json.dumps(value, default=lambda each: each.isoformat() if isinstance(each, date | time) else str(each))
    return written if len(written) <= 60 else f"{written[:57]}..."


def _line(source: str, keys: tuple[str, ...], key: str | None) -> int | None:
    """Where a key stands. Keys that stand in an inline table have the line of that table."""
    header: str | None = ""
    headed: int | None = None
    waivers = 0
    table, path = ".".join(keys), (*keys, *([] if key is None else [key]))
    for number, line in enumerate(source.split("\n"), 1):
        if match := _HEADER.match(line):
            header = re.sub(r"[ \t\"']", "", match[2])
            if match[1] == "[[":
                waivers += 1
                header = f"{header}[{waivers}]"
            if key is not None and f"{header}.".startswith(f"{'.'.join(path)}."):
                return number
            if header == table:
                headed = number
        elif match := _KEY.match(line):
            written = match[1].strip("\"'")
            if any(header == ".".join(path[:depth]) and written == name for depth, name in enumerate(path)):
                return number
    return headed


def read_toml(data: bytes, origin: str) -> tuple[str, dict[str, Any]]:
    """A TOML document as text and as values."""
    if len(data) > MAX_SETTINGS:
        raise SettingsError(f"{origin}: it is over {MAX_SETTINGS // 1024} KiB, the most that mailaudit reads")
    try:
        source = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SettingsError(f"{origin}:{line}: it is not UTF-8 text") from None
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
