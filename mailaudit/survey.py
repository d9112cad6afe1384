"""Which questions the facts raise."""

from __future__ import annotations

from collections.abc import Iterable

from mailaudit.questions import Question
from mailaudit.snapshot import Snapshot, still_open


def survey(wanted: Iterable[Question], snapshot: Snapshot) -> list[Question]:
    """The next wave: what reading the models asked for and nobody has answered yet.

    Models ask only with the closed list of question types, so a survey cannot invent a command (law 11).
    """
    return still_open(wanted, snapshot)
