"""Gives a check its inputs and turns what it yields into one verdict; a missing input is a verdict too (laws 7 and 10)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailaudit.checks.registry import Declared
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place, Verdict
from mailaudit.models.sources import Known, Lacking, Missing, Model, NotHere, Slot
from mailaudit.questions import NOT_ASKED, Reason
from mailaudit.text import Span

STATES: tuple[type, ...] = (Missing, Lacking, NotHere)


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of one rule: findings or a message, what was assumed, and where the daemons refuse the files, by path."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    message: str = ""
    reason: Reason | None = None
    places: tuple[Place | Evidence, ...] = ()
    assumed: tuple[str, ...] = ()
    refused: Mapping[str, frozenset[Span]] = field(default_factory=dict)
    crash: Exception | None = field(default=None, compare=False)


def judge(declared: Declared, slots: Mapping[type, Slot[object]]) -> Judged:
    """Run one check on the facts."""
    arguments: dict[str, object] = {}
    models: list[Model] = []
    refused: dict[str, frozenset[Span]] = {}
    for name, kinds in declared.inputs().items():
        slot = next(slots[kind] for kind in kinds if kind not in STATES)
        if isinstance(slot, Known):
            arguments[name] = slot.value
            if isinstance(slot.value, Model):
                models.append(slot.value)
                if Missing not in kinds:  # a rule that asks whether a file is there and loads tells its mistakes itself
                    for path, spans in slot.value.refused_at.items():
                        refused[path] = refused[path] | spans if path in refused else spans
        elif type(slot) in kinds:
            arguments[name] = slot
        else:
            return _without(slot)
    try:
        outcomes = list(declared.function(**arguments))
    except Exception as error:  # noqa: BLE001  a crashing rule must not harm the others (contract, section 2)
        message = f"the rule itself failed: {type(error).__name__}"
        return Judged(Verdict.UNKNOWN, message=message, reason=Reason.CRASHED, crash=error)
    return _verdict(outcomes, models, refused)


def _without(slot: Slot[object]) -> Judged:
    if isinstance(slot, Missing):
        return Judged(Verdict.NOT_APPLICABLE, message=f"{slot.path} is not there")
    if isinstance(slot, Lacking):
        detail = slot.detail or f"{slot.path} could not be looked at"
        return Judged(Verdict.UNKNOWN, message=detail, reason=slot.reason)
    assert isinstance(slot, NotHere)
    return Judged(Verdict.NOT_APPLICABLE, message=slot.why)


def _verdict(outcomes: list[Outcome], models: list[Model], refused: Mapping[str, frozenset[Span]]) -> Judged:
    assumed = tuple(dict.fromkeys(text for model in models for text in model.assumed))
    not_read = [problem for model in models for problem in model.not_read]
    findings = [each for each in outcomes if isinstance(each, Finding)]
    if not_read:  # what was not read may be what seems to be missing, so nothing is claimed of it
        findings = [finding for finding in findings if not finding.absence]
    if findings:
        return Judged(Verdict.FAIL, tuple(findings), assumed=assumed, refused=refused)
    if not_read:
        problem = not_read[0]
        message = f"{problem.span.path}:{problem.span.line}: {problem.message}; so this could not be told"
        return Judged(Verdict.UNKNOWN, message=message, reason=Reason.NOT_READ, places=(Place.at(problem.span),))
    doubts = [each for each in outcomes if isinstance(each, Doubt)]
    if doubts:
        first = min(doubts, key=lambda doubt: doubt.reason in NOT_ASKED)  # what was asked in vain says more
        return Judged(Verdict.UNKNOWN, message=first.message, reason=first.reason, places=first.places, assumed=assumed)
    for each in outcomes:
        if isinstance(each, Exempt):
            return Judged(Verdict.NOT_APPLICABLE, message=each.why)
    return Judged(Verdict.PASS, assumed=assumed, refused=refused)
