"""The runner: inputs by annotation, and a verdict of its own for whatever is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mailaudit.checks.registry import Declared
from mailaudit.checks.runner import judge
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place, Verdict
from mailaudit.models.sources import Known, Lacking, Missing, Model, NotHere, Slot
from mailaudit.parsers.tree import Problem, Statement, Token, Tree
from mailaudit.questions import Reason
from mailaudit.text import Span, Text

TEXT = Text.of("/etc/box.conf", "lid open\n")
SPAN = Span(TEXT, 0, 3)


@dataclass(frozen=True)
class Box(Model):
    lid: str = "shut"


@dataclass(frozen=True)
class Shelf(Model):
    pass


def lid_is_shut(box: Box) -> Iterator[Outcome]:
    if box.lid != "shut":
        yield Finding("The lid is open.", (Place.at(SPAN),))
    if box.lid == "gone":
        yield Finding("There is no lid.", (Place.whole(TEXT),), absence=True)


def box_is_there(box: Box | Missing) -> Iterator[Outcome]:
    if isinstance(box, Missing):
        yield Finding(f"{box.path} is not there.", (Place.whole(box.path),))


def stands_on(box: Box, shelf: Shelf) -> Iterator[Outcome]:
    assert box.lid
    assert shelf is not None
    yield Doubt(Reason.NOT_RECORDED, "nobody looked")


def doubts(box: Box) -> Iterator[Outcome]:
    assert box.lid
    yield Doubt(Reason.OFFLINE, "there is no way")
    yield Doubt(Reason.TIMEOUT, "the first in vain")
    yield Doubt(Reason.PROTOCOL, "the second")


def raises(box: Box) -> Iterator[Outcome]:
    yield Exempt(box.lid * (1 // 0))


def spares(box: Box) -> Iterator[Outcome]:
    yield Exempt(f"a lid that is {box.lid}")


def partly_read(refused: bool) -> tuple[Tree, ...]:
    problem = Problem("what is this?", SPAN, refused=refused)
    return (Tree("box", TEXT, (Statement("unread", (Token("bad", "lid", TEXT, 0, 3),), problem=problem),)),)


def test_known_models_are_given() -> None:
    assert judge(Declared("B1", lid_is_shut), {Box: Known(Box())}).verdict is Verdict.PASS
    judged = judge(Declared("B1", lid_is_shut), {Box: Known(Box(lid="open", assumed=("a stock lid",)))})
    assert (judged.verdict, len(judged.findings), judged.assumed) == (Verdict.FAIL, 1, ("a stock lid",))


def test_what_could_not_be_looked_at_is_unknown() -> None:
    judged = judge(Declared("B1", lid_is_shut), {Box: Lacking(Reason.UNREADABLE, "it is a FIFO", "/etc/box.conf")})
    assert (judged.verdict, judged.reason, judged.message) == (Verdict.UNKNOWN, Reason.UNREADABLE, "it is a FIFO")


def test_what_is_not_here_does_not_apply() -> None:
    assert judge(Declared("B1", lid_is_shut), {Box: NotHere("no boxes")}).verdict is Verdict.NOT_APPLICABLE
    assert judge(Declared("B1", lid_is_shut), {Box: Missing("/etc/box.conf")}).verdict is Verdict.NOT_APPLICABLE


def test_a_rule_can_ask_for_the_missing_file_itself() -> None:
    assert judge(Declared("B2", box_is_there), {Box: Missing("/etc/box.conf")}).verdict is Verdict.FAIL
    assert judge(Declared("B2", box_is_there), {Box: Known(Box())}).verdict is Verdict.PASS
    assert judge(Declared("B2", box_is_there), {Box: NotHere("no boxes")}).verdict is Verdict.NOT_APPLICABLE


def test_every_input_must_be_there() -> None:
    slots: dict[type, Slot[object]] = {Box: Known(Box()), Shelf: Lacking(Reason.TIMEOUT, "slow")}
    assert judge(Declared("B3", stands_on), slots).reason is Reason.TIMEOUT
    both: dict[type, Slot[object]] = {Box: Known(Box()), Shelf: Known(Shelf())}
    assert judge(Declared("B3", stands_on), both).reason is Reason.NOT_RECORDED


def test_a_crash_is_unknown_and_harms_nobody() -> None:
    judged = judge(Declared("B4", raises), {Box: Known(Box())})
    assert (judged.verdict, judged.reason) == (Verdict.UNKNOWN, Reason.CRASHED)
    assert isinstance(judged.crash, ZeroDivisionError)


def test_what_was_asked_in_vain_is_told_before_what_was_not_asked() -> None:
    judged = judge(Declared("X1", doubts), {Box: Known(Box())})
    assert (judged.verdict, judged.reason, judged.message) == (Verdict.UNKNOWN, Reason.TIMEOUT, "the first in vain")


def test_exempt_is_not_applicable() -> None:
    assert judge(Declared("B5", spares), {Box: Known(Box())}).verdict is Verdict.NOT_APPLICABLE


def test_a_partly_read_model_lets_nothing_pass_and_claims_no_absence() -> None:
    partly = partly_read(refused=False)
    assert judge(Declared("B1", lid_is_shut), {Box: Known(Box(trees=partly))}).reason is Reason.NOT_READ
    gone = judge(Declared("B1", lid_is_shut), {Box: Known(Box(lid="gone", trees=partly))})
    assert (gone.verdict, [f.absence for f in gone.findings]) == (Verdict.FAIL, [False])


def test_a_refused_statement_is_judged_as_mended_and_named() -> None:
    refused = partly_read(refused=True)
    box = Box(trees=refused, refusals=(Problem("what is this?", SPAN),))
    judged = judge(Declared("B1", lid_is_shut), {Box: Known(box)})
    assert (judged.verdict, list(judged.refused)) == (Verdict.PASS, ["/etc/box.conf"])
    assert judge(Declared("B2", box_is_there), {Box: Known(box)}).refused == {}


def test_the_rule_that_a_file_loads_spares_only_the_note_about_that_file() -> None:
    """A rule may ask for one file that is missing and be judged on another that does not load."""

    def both(box: Box, shelf: Shelf | Missing) -> Iterator[Outcome]:
        assert shelf is not None
        yield Finding(f"The box is {box.lid}.", (Place.whole(TEXT),))

    both.__annotations__ = {"box": Box, "shelf": Shelf | Missing}
    problem = Problem("what is this?", SPAN)
    slots: dict[type, Slot[object]] = {Box: Known(Box(refusals=(problem,))), Shelf: Known(Shelf(refusals=(problem,)))}
    assert judge(Declared("B6", both), slots).refused == {SPAN.path: {SPAN}}
    slots[Box] = Known(Box())
    assert judge(Declared("B6", both), slots).refused == {}
