"""What a world is: whatever can be asked about one mail host, live or saved."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from mailaudit.questions import Answer, Question


class World(Protocol):
    """One host that can be asked.

    `recorded` says that an `answers.json` tells what was asked; `online` that the network may be asked; `taken` is the time of
    the record; `root` the host root as a folder, if it is one; `settings` the origin and bytes of the `mailaudit.toml` that
    goes with the host, if there is one.
    """

    host: str
    target: str
    recorded: bool
    online: bool
    taken: str | None
    root: Path | None
    settings: tuple[str, bytes] | None

    def ask(self, wave: Collection[Question]) -> dict[Question, Answer]:
        """An answer to each question of a wave; never raises for anything that is found in the target."""


class TargetError(Exception):
    """A target that cannot be audited.

    `code` is the exit code: 2 there is no such target, 3 nothing to audit is in it, 4 it cannot be read.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
