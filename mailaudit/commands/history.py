"""`mailaudit history HOST`, `mailaudit rollback HOST`: what was written to a live host, and taking it back."""

from __future__ import annotations

from dataclasses import replace

from mailaudit.apply.folder import ApplyError
from mailaudit.apply.runs import past
from mailaudit.choices import AnswerFormat, Common, Looking
from mailaudit.commands.entering import entered, progress
from mailaudit.commands.looking import login
from mailaudit.commands.telling import UsageError, shown
from mailaudit.reports.applied import history_as_json
from mailaudit.reports.masking import visible
from mailaudit.reports.terminal import applied


def history(common: Common, target: str, looking: Looking, form: AnswerFormat = AnswerFormat.TERMINAL) -> int:
    """List the runs of a host, oldest first."""

    def make() -> str:
        with entered(target, replace(login(looking), outside=None)) as (_, writer):
            writer.prepare()
            found = list(past(writer.history()))
        return history_as_json(target, found) if form is AnswerFormat.JSON else applied.history(target, found)

    return shown(make, debug=common.debug, otherwise=history_as_json(target, None) if form is AnswerFormat.JSON else "")


def rollback(common: Common, target: str, number: int | None, looking: Looking) -> int:
    """Restore what was there before a run: the one that was cut off, else the one named, else the last that was kept."""

    def make() -> str:
        with entered(target, replace(login(looking), outside=None)) as (_, writer):
            writer.prepare()
            outcome = writer.rollback(number, progress(common))
        if outcome.end == "refused" and not outcome.run:
            raise UsageError(f"{target}: {outcome.why}", f"mailaudit history {target}")
        if outcome.end != "restored":
            raise ApplyError(f"{target}: {applied.failure(outcome)}")
        return f"run {outcome.run} was taken back: everything is as it was before it ({visible(outcome.why)})\n"

    return shown(make, debug=common.debug)
