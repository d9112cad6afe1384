"""Reads a JSON document so that every mistake in it is told with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

MAX_DOCUMENT = 16 * 1024 * 1024  # bytes
MAX_DEPTH = 64  # objects and lists, one in another; a real record has five

Extra = tuple[tuple[str, ...], Any]
"""An unknown field: the keys that lead to it, and its value."""


class RecordingError(Exception):
    """An answers.json that is not as it must be; the message names the file, the place, what was expected and what was found."""


@dataclass(frozen=True, slots=True)
class Reader:
    """A value of a document and the keys that lead to it. Unknown fields are noted in `extra`, which all readers share."""

    origin: str
    keys: tuple[str, ...]
    value: Any
    extra: list[Extra]

    @property
    def place(self) -> str:
        """The origin and the keys, as an error names them."""
        return f"{self.origin}: {'.'.join(self.keys) or 'the document'}"

    def wrong(self, expected: str) -> RecordingError:
        """The error that something else was expected here."""
        return RecordingError(f"{self.place}: expected {expected}, found {_shown(self.value)}")

    def entries(self) -> dict[str, Reader]:
        """The entries of an object whose keys are data."""
        if not isinstance(self.value, dict):
            raise self.wrong("an object")
        return {key: Reader(self.origin, (*self.keys, key), value, self.extra) for key, value in self.value.items()}

    def fields(self, *known: str, needs: tuple[str, ...] = ()) -> dict[str, Reader]:
        """The known fields of an object, as far as they are there; those it `needs` must be. The others are noted."""
        entries = self.entries()
        for name in needs:
            if name not in entries:
                raise RecordingError(f"{self.place}: {name} is missing")
        self.extra.extend((entry.keys, entry.value) for key, entry in entries.items() if key not in known)
        return {key: entry for key, entry in entries.items() if key in known}

    def text(self, example: str) -> str:
        """A string; `example` stands in the error."""
        if not isinstance(self.value, str):
            raise self.wrong(f"a string like {example}")
        return self.value

    def any_text(self) -> str:
        """A string of any kind."""
        if not isinstance(self.value, str):
            raise self.wrong("a string")
        return self.value

    def matching(self, pattern: str, expected: str) -> str:
        """A string of a form."""
        if not isinstance(self.value, str) or not re.fullmatch(pattern, self.value):
            raise self.wrong(expected)
        return self.value

    def choice(self, choices: list[str]) -> str:
        """One of some strings."""
        if not isinstance(self.value, str) or self.value not in choices:
            raise self.wrong(f"one of {', '.join(choices)}")
        return self.value

    def time(self) -> str:
        """A time of RFC 3339, as it is written."""
        try:
            datetime.fromisoformat(self.any_text())
        except ValueError:
            raise self.wrong('a time like "2026-11-22T12:00:00Z"') from None
        return self.any_text()

    def number(self, *, negative: bool = False) -> int:
        """A whole number."""
        if not isinstance(self.value, int) or isinstance(self.value, bool) or (self.value < 0 and not negative):
            raise self.wrong("a whole number")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        if not isinstance(self.value, bool):
            raise self.wrong("true or false")
        return self.value

    def texts(self) -> tuple[str, ...]:
        """A list of strings."""
        if not isinstance(self.value, list):
            raise self.wrong("a list of strings")
        for number, each in enumerate(self.value):
            if not isinstance(each, str):
                raise Reader(self.origin, (*self.keys, str(number)), each, self.extra).wrong("a string")
        return tuple(self.value)

    def optional(self, fields: dict[str, Reader], name: str, read: Callable[[Reader], Any]) -> Any:
        """A field's value, or None where it is not there."""
        return read(fields[name]) if name in fields else None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    written = json.dumps(value)
    return written if len(written) <= 60 else f"{written[:57]}..."


def read_document(data: bytes, origin: str) -> Any:
    """The document of some bytes: UTF-8 JSON of bounded size and depth, no key twice in one object."""
    if len(data) > MAX_DOCUMENT:
        raise RecordingError(f"{origin}: it is over {MAX_DOCUMENT // 1024**2} MiB, the most that mailaudit reads")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            seen: set[str] = set()
            twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
            raise RecordingError(f"{origin}: {json.dumps(twice)} stands twice in one object")
        return found

    def refuse(constant: str) -> NoReturn:
        raise RecordingError(f"{origin}: {constant} is no JSON value")

    try:
        document = json.loads(data.decode("utf-8-sig"), object_pairs_hook=unique, parse_constant=refuse)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise RecordingError(f"{origin}:{line}: it is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise RecordingError(f"{origin}:{error.lineno}:{error.colno}: {error.msg[:1].lower()}{error.msg[1:]}") from None
    except ValueError as error:  # a number of thousands of digits
        raise RecordingError(f"{origin}: {_TOO_LONG if 'digits' in str(error) else error}") from None
    except RecursionError:
        raise RecordingError(f"{origin}: {_TOO_DEEP}") from None
    if _is_deep(document):
        raise RecordingError(f"{origin}: {_TOO_DEEP}")
    if _ESCAPED_HALF.search(data) and (half := _HALF.search(json.dumps(document, ensure_ascii=False))):
        raise RecordingError(f"{origin}: \\u{ord(half[0]):x} is half of a character")
    return document


_ESCAPED_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_HALF = re.compile("[\ud800-\udc7f\udd00-\udfff]")  # those between stand for bytes that are no text
_TOO_LONG = "a number has more digits than any answer needs"
_TOO_DEEP = f"objects and lists are nested more than {MAX_DEPTH} deep"


def _is_deep(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for value in level
            if isinstance(value, dict | list)
            for child in (value.values() if isinstance(value, dict) else value)
        ]
        if not level:
            return False
    return True
