"""Which questions the facts raise."""

from __future__ import annotations

from collections.abc import Iterable

from mailaudit.questions import FetchPolicy, Handshake, LookUp, Question, RunCommand, ZoneSecurity
from mailaudit.snapshot import Snapshot, still_open


def survey(wanted: Iterable[Question], snapshot: Snapshot) -> list[Question]:
    """The next wave: what reading the models asked for and nobody has answered yet.

    Models ask only with the closed list of question types, so a survey cannot invent a command (law 11).
    """
    return still_open(wanted, snapshot)


def told(wave: Iterable[Question]) -> str:
    """What a wave asks for, in a few words."""
    counts = {"files": 0, "commands": 0, "names": 0, "ports": 0}
    for question in wave:
        match question:
            case RunCommand():
                counts["commands"] += 1
            case LookUp() | ZoneSecurity():
                counts["names"] += 1
            case Handshake() | FetchPolicy():
                counts["ports"] += 1
            case _:
                counts["files"] += 1
    return ", ".join(f"{count} {what if count > 1 else what[:-1]}" for what, count in counts.items() if count)
