"""What became of a run on a live host, as JSON's own types; the history of a host (schema mailaudit.history/1)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from mailaudit.apply.runs import Outcome, Past
from mailaudit.apply.transaction import Transaction
from mailaudit.reports.masking import visible


def as_data(outcome: Outcome, done: Transaction) -> dict[str, Any]:
    """The key `applied` of a plan in a report."""
    return {
        "run": outcome.run,
        "end": outcome.end,
        "checks": [visible(each) for each in outcome.checks],
        "commands": [visible(each.text) for each in done.done],
    }


def history_as_json(target: str, runs: Iterable[Past] | None) -> str:
    """A host's history, oldest run first; `runs` is null where it could not be read."""
    found = (
        None
        if runs is None
        else [
            {
                "run": each.number,
                "begun": each.begun,
                "by": visible(each.by),
                "files": [visible(path) for path in each.files],
                "commands": [visible(command) for command in each.commands],
                "end": each.end,
                "ended": each.ended or None,
                "why": visible(each.why),
            }
            for each in runs
        ]
    )
    return json.dumps({"schema": "mailaudit.history/1", "target": visible(target), "runs": found}, indent=2) + "\n"
