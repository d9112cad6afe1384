"""What a world is: whatever can be asked about one mail host, live or saved."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from mailaudit.questions import Answer, Question
from mailaudit.snapshot import Snapshot

Layers = tuple[tuple[str, bytes], ...]
"""Files of settings: of each the name that errors give it, and its bytes; the farthest from the host first."""


class World(Protocol):
    """One host that can be asked."""

    @property
    def host(self) -> str:
        """Its name."""

    @property
    def target(self) -> str:
        """What the user called it."""

    @property
    def recorded(self) -> bool:
        """True if an `answers.json` tells what was asked."""

    @property
    def online(self) -> bool:
        """True if the network may be asked."""

    @property
    def taken(self) -> str | None:
        """The time of the record."""

    @property
    def root(self) -> Path | None:
        """The host root as a folder, if it is one."""

    @property
    def settings(self) -> Layers:
        """The files named `mailaudit.toml` that go with the host, that of the repository before its own."""

    def ask(self, wave: Collection[Question]) -> dict[Question, Answer]:
        """An answer to each question of a wave; never raises for anything that is found in the target."""


def unasked(world: World) -> Snapshot:
    """What is known of a host before anything is asked."""
    return Snapshot(world.host, world.target, {}, world.recorded, world.online, world.taken)


class TargetError(Exception):
    """A target that cannot be audited.

    `code` is the exit code: 2 there is no such target, 3 nothing to audit is in it, 4 it cannot be read.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
