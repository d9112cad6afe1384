"""What lies here is looked up when it is asked for; the verdicts are those of asking wave after wave."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options, auditor_for
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.world import World
from mailaudit.findings import HostReport
from mailaudit.questions import Absent, Question, ReadFile
from mailaudit.snapshot import AtHand

EXAMPLES = Path(__file__).parents[1] / "examples"
BOOK = rulebook.load()


class Waves:
    """A folder that is asked in waves, like a live host."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.waves = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._world, name)

    def ask(self, wave: list[Question]) -> object:
        self.waves += 1
        return self._world.ask(wave)


def examined(auditor: Auditor) -> tuple[HostReport, int]:
    snapshot, facts = auditor.learn()
    return auditor.examine(snapshot, facts), len(snapshot.answers)


@pytest.mark.parametrize("example", ["corrected", "as-published"])
def test_both_ways_of_asking_say_the_same(example: str) -> None:
    (world,) = find_worlds(str(EXAMPLES / example))
    auditor = auditor_for(world, BOOK, Options())
    waves = Waves(world)
    one, answers = examined(auditor)
    other, more = examined(auditor_for(waves, BOOK, Options()))  # type: ignore[arg-type]
    assert waves.waves > 2
    assert answers <= more
    assert [(each.rule, each.verdict, each.message, each.fingerprint) for each in one.results] == [
        (each.rule, each.verdict, each.message, each.fingerprint) for each in other.results
    ]
    assert (one.files, one.site, one.notes) == (other.files, other.site, other.notes)


def test_each_question_is_looked_up_once_and_only_if_it_is_asked() -> None:
    asked: list[Question] = []

    def look(question: Question) -> Absent:
        asked.append(question)
        return Absent()

    here = AtHand("h", "t", look=look)
    assert here.answer(ReadFile("/etc/a")) is None
    assert here.ask(ReadFile("/etc/a")) is here.ask(ReadFile("/etc/a")) is here.answer(ReadFile("/etc/a"))
    assert (asked, dict(here.answers)) == ([ReadFile("/etc/a")], {ReadFile("/etc/a"): Absent()})
