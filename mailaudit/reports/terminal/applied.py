"""What became of a run on a live host, and of all runs that there were, in words."""

from __future__ import annotations

from collections.abc import Iterable

from mailaudit.apply.runs import BUSY, CUT_OFF, Outcome, Past
from mailaudit.apply.transaction import Transaction
from mailaudit.reports.masking import visible
from mailaudit.wording import number_of

ENDS = {
    "kept": "written",
    "restored": "taken back",
    "refused": "refused",
    "partly": "taken back in part",
    BUSY: "at work",
    CUT_OFF: "cut off",
}


def in_words(target: str, outcome: Outcome, done: Transaction) -> str:
    """What was done by a run that was kept, and how it is taken back."""
    files = len(done.files)
    lines = [f"run {outcome.run}: {number_of(files, 'file')} written; `mailaudit rollback {target} {outcome.run}` takes it back"]
    lines += [f"  {_check(each)}" for each in outcome.checks]
    lines += [f"  done: {each.text}" for each in done.done]
    return "".join(f"{visible(line)}\n" for line in (*lines, ""))


def _check(said: str) -> str:
    daemon, _, verdict = said.partition(" ")
    if verdict == "accepts":
        return f"{daemon} accepts the files"
    kind, _, why = verdict.partition(":")
    said = f": {why.strip()}" if why.strip() else ""
    if kind == "nothing":
        return f"{daemon}'s checker judged nothing{said}"
    return f"{daemon} refuses the files, as it did before{said}"


def failure(outcome: Outcome) -> str:
    """Why a run was not kept, in one line."""
    if outcome.end == "refused":
        return f"{outcome.why}; nothing was changed"
    if outcome.end == "restored":
        return f"{outcome.why}; everything was restored"
    return f"run {outcome.run} was not taken back whole: {outcome.why}"


def history(target: str, runs: Iterable[Past]) -> str:
    """All runs, oldest first."""
    lines = []
    for each in runs:
        lines.append(f"run {each.number}  {each.begun}  {ENDS.get(each.end, each.end)}  by {each.by or 'nobody knows whom'}")
        lines += [f"  {path}" for path in each.files]
        lines += [f"  {command}" for command in each.commands]
        lines += [f"  {each.why}"] if each.why else []
        if each.end == CUT_OFF:
            lines.append(f"  `mailaudit rollback {target}` restores what was there before it")
    return "".join(f"{visible(line)}\n" for line in lines) or f"nothing was written to {visible(target)} yet\n"
