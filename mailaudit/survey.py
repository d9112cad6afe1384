"""Which questions the facts raise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from mailaudit.models.sources import Shelf, Sources
from mailaudit.questions import Answer, FetchPolicy, Handshake, LookUp, Question, RunCommand, ZoneFault, ZoneSecurity
from mailaudit.snapshot import Snapshot

MAX_WAVES = 32  # include chains are the deepest thing that waves follow; the parsers bound those at less
Made = TypeVar("Made")
Ask = Callable[[list[Question]], Mapping[Question, Answer]]


def survey(wanted: Iterable[Question], snapshot: Snapshot) -> list[Question]:
    """The next wave, in a stable order: what reading the models asked for and nobody has answered yet.

    Models ask only with the closed list of question types, so a survey cannot invent a command (law 11).
    """
    return sorted({each for each in wanted if each not in snapshot.answers}, key=lambda each: (type(each).__name__, str(each)))


def learned(snapshot: Snapshot, ask: Ask, make: Callable[[Sources], Made], shelf: Shelf | None = None) -> Made:
    """What is made of a host's sources once all that this asks for has been asked; the `shelf` has what was read before."""
    shelf = shelf or Shelf()
    for _ in range(MAX_WAVES):
        sources = Sources(snapshot, shelf)
        made = make(sources)
        wave = survey(sources.wanted, snapshot)
        if not wave:
            break
        snapshot = snapshot.with_answers(ask(wave))
    return made


def told(wave: Iterable[Question]) -> str:
    """What a wave asks for, in a few words."""
    counts = {"files": 0, "commands": 0, "names": 0, "ports": 0}
    for question in wave:
        match question:
            case RunCommand():
                counts["commands"] += 1
            case LookUp() | ZoneSecurity() | ZoneFault():
                counts["names"] += 1
            case Handshake() | FetchPolicy():
                counts["ports"] += 1
            case _:
                counts["files"] += 1
    return ", ".join(f"{count} {what if count > 1 else what[:-1]}" for what, count in counts.items() if count)
