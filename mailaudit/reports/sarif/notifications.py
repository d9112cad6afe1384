"""What a run says of itself: what went wrong, what was not evaluated, which waivers want a look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mailaudit.exitcodes import ExitCode
from mailaudit.findings import Coverage, Place, Report, Result
from mailaudit.reports.sarif.places import location, message
from mailaudit.reports.terminal.coverage import status
from mailaudit.reports.view import REASONS, View, ending, errors, has_verdict

MOST_PLACES = 20  # of statements of one file that were not read


def of_execution(report: Report, seen: Iterable[View], index: Mapping[str, int], left: int) -> list[dict[str, Any]]:
    """Errors, files that were not read, rules that could not be told; `left` results have no room."""
    found = [] if report.exit_code == ExitCode.USAGE else [_notification("error", each) for each in errors(report)]
    for view in seen:
        found += [_unread(view, each) for each in view.unread()]
        found += [_undecided(view, each, index) for each in view.undecided()]
        for reason, rules in view.not_asked().items():
            text = f"{view.name}: not evaluated, {REASONS[reason]} ({reason}): {' '.join(rules)}"
            found.append(_notification("note", text))
    if not (found or report.errors or has_verdict(report)):
        found.append(_notification("error", ending(report)))
    if left:
        found.append(_notification("error", f"{left} findings, the least of all, are left out: GitHub takes no more"))
    return found


def of_configuration(report: Report, seen: Iterable[View]) -> list[dict[str, Any]]:
    """What is wrong with the command line, the settings, and waivers."""
    found = [_notification("error", each) for each in errors(report)] if report.exit_code == ExitCode.USAGE else []
    return found + [_notification("warning", f"{view.name}: {view.clean(note)}") for view in seen for note in view.host.notes]


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": message(text)}


def _unread(view: View, file: Coverage) -> dict[str, Any]:
    places = [Place.at(span, reason) for span, reason in file.unread[:MOST_PLACES]] or [Place.whole(file.path)]
    text = f"{view.name}: {file.path} was not read whole: {status(file)}"
    return {**_notification("error", view.clean(text)), "locations": [location(view, view.spot(each)) for each in places]}


def _undecided(view: View, result: Result, index: Mapping[str, int]) -> dict[str, Any]:
    assert result.reason is not None
    text = f"{view.name}: {result.rule} could not be told ({REASONS[result.reason]}): {view.message(result)}"
    rule = {"id": result.rule, "index": index[result.rule]}
    return {
        **_notification("warning", text),
        "associatedRule": rule,
        **({"locations": [location(view, each) for each in view.spots(result)]} if view.spots(result) else {}),
    }
