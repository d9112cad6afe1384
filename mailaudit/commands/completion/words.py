"""What can be typed after `mailaudit`: commands, their options and arguments, and what a value may be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Takes(StrEnum):
    """What a value is, as far as a shell can help with it."""

    NOTHING = "nothing"  # a flag
    PATH = "path"
    FOLDER = "folder"
    HOST = "host"
    PLACE = "place"  # a path or a host
    OUTLET = "outlet"  # FORMAT:PATH
    WORDS = "words"  # one of some words
    TEXT = "text"  # whatever somebody types


@dataclass(frozen=True, slots=True)
class Value:
    """What an option or an argument takes; `words` are those to choose among, and of an outlet its formats."""

    takes: Takes
    words: tuple[str, ...] = ()
    called: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """An option by all its names; `told` is one line about it."""

    names: tuple[str, ...]
    value: Value
    told: str
    many: bool = False
    needed: bool = False


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument that is known by its place; `many` is true of a last one that may be given again."""

    value: Value
    told: str
    needed: bool
    many: bool = False


@dataclass(frozen=True, slots=True)
class Verb:
    """A command: `path` are its words behind `mailaudit`, none for itself; what has verbs `below` is only a name for them."""

    path: tuple[str, ...]
    told: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...] = ()
    below: tuple[Verb, ...] = ()

    @property
    def name(self) -> str:
        """Its last word."""
        return self.path[-1] if self.path else "mailaudit"

    def all(self) -> Iterator[Verb]:
        """It and all that is below it."""
        yield self
        for each in self.below:
            yield from each.all()
