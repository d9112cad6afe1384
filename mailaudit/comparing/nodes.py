"""Reads JSON that anybody may have written, so that every mistake in it is told with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

SHOWN = 40  # characters of what was found
Member = TypeVar("Member", bound=Enum)


class ContentError(Exception):
    """A report or a baseline that is not as it must be; the message names the file and the place in it."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value in a document, and the way to it: `last.json: hosts[0].results[3].severity`."""

    origin: str
    value: Any
    place: str = ""

    def error(self, message: str) -> ContentError:
        """An error about it."""
        return ContentError(f"{self.origin}: {self.place or 'the document'}: {message}")

    def __getitem__(self, key: str) -> Node:
        """A value that an object must have."""
        found = self.get(key)
        if found is None:
            raise self.error(f"{key} is missing")
        return found

    def get(self, key: str) -> Node | None:
        """A value that an object may have; null is none."""
        value = self._of(dict, "an object").get(key)
        return None if value is None else Node(self.origin, value, f"{self.place}.{key}" if self.place else key)

    def items(self) -> Iterator[Node]:
        """The values of a list."""
        for number, each in enumerate(self._of(list, "a list")):
            yield Node(self.origin, each, f"{self.place}[{number}]")

    def text(self) -> str:
        """A string."""
        return str(self._of(str, "a string"))

    def texts(self) -> tuple[str, ...]:
        """A list of strings."""
        return tuple(each.text() for each in self.items())

    def number(self) -> int:
        """A whole number, 0 or more."""
        if type(self.value) is not int or self.value < 0:
            raise self._other("a number")
        return self.value

    def flag(self) -> bool:
        """True or false."""
        return bool(self._of(bool, "true or false"))

    def one_of(self, known: dict[str, Member]) -> Member:
        """One of these words."""
        found = known.get(self.value) if isinstance(self.value, str) else None
        if found is None:
            raise self._other(f"one of {', '.join(known)}")
        return found

    def _of(self, kind: type, words: str) -> Any:
        if not isinstance(self.value, kind):
            raise self._other(words)
        return self.value

    def _other(self, words: str) -> ContentError:
        shown = json.dumps(self.value)
        return self.error(f"expected {words}, found {shown if len(shown) <= SHOWN else f'{shown[:SHOWN]}...'}")


def document(data: bytes, origin: str, schema: str, what: str) -> Node:
    """A document of this schema. Raises `ContentError` for any other bytes."""
    try:
        node = Node(origin, json.loads(data.decode("utf-8")))
    except UnicodeDecodeError as error:
        raise ContentError(f"{origin}: it is not UTF-8 text") from error
    except json.JSONDecodeError as error:
        message = f"{origin}:{error.lineno}: it is no JSON: {error.msg[:1].lower()}{error.msg[1:]}"
        raise ContentError(message) from error
    except (ValueError, RecursionError) as error:
        raise ContentError(f"{origin}: it is nested too deeply, or holds a number that is too long") from error
    found = node.value.get("schema") if isinstance(node.value, dict) else None
    if found != schema:
        known = f", it says {json.dumps(found)[:SHOWN]}" if found is not None else ""
        raise ContentError(f'{origin}: it is no {what}: expected "schema": "{schema}"{known}')
    return node
