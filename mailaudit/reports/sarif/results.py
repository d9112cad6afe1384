"""Findings as SARIF's results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from mailaudit.edits import Edit, Fix
from mailaudit.findings import Result, Verdict, WaivedBy
from mailaudit.reports.sarif.places import artifact, location, message
from mailaudit.reports.view import LEVELS, Spot, View, how

MOST_LOCATIONS = 1_000  # of a result, that GitHub takes


def result(view: View, found: Result, index: Mapping[str, int], *, github: bool) -> dict[str, Any]:
    """One finding. GitHub ignores fixes, and shows what is suppressed as if it were not; it wants a place in a file."""
    spots = view.spots(found)
    data: dict[str, Any] = {
        "ruleId": found.rule,
        "ruleIndex": index[found.rule],
        "kind": "fail",
        "level": LEVELS[found.severity],
        "message": message(view.message(found)),
        "locations": [_location(view, found, github=github)],
        "relatedLocations": [location(view, each, number) for number, each in enumerate(spots[1:MOST_LOCATIONS], 1)],
        "partialFingerprints": {"mailaudit/v1": found.fingerprint},
        **({} if found.since is None else {"baselineState": str(found.since)}),
        "properties": _properties(view, found),
    }
    if not github:
        data["suppressions"] = _suppressions(view, found)
        data["fixes"] = [] if found.fix is None else _fixes(view, found.fix)
    elif view.host.live or not spots or spots[0].whole:  # no line that GitHub could compute this of, or none that matters
        data["partialFingerprints"]["primaryLocationLineHash"] = f"{found.fingerprint[:16]}:1"
    return {name: value for name, value in data.items() if value != [] or name in ("locations", "suppressions")}


def _location(view: View, found: Result, *, github: bool) -> dict[str, Any]:
    first = view.first(found)
    if first is not None or github:
        return location(view, first or Spot(view.anchor))
    asked = view.asked(found)
    host = {"logicalLocations": [{"name": view.name, "kind": "host"}]}
    return {**host, "message": message(asked[0])} if asked else host


def _properties(view: View, found: Result) -> dict[str, Any]:
    """What SARIF has no word for, and an auditor wants to know."""
    fix = found.fix
    data = {
        "host": view.name,
        "severity": str(found.severity),
        "basis": str(found.basis),
        "asked": view.asked(found),
        "assumed": [view.clean(each) for each in found.assumed],
        "byHand": [] if fix is None else view.by_hand(fix),
    }
    return {name: value for name, value in data.items() if value}


def _suppressions(view: View, found: Result) -> list[dict[str, str]]:
    if found.verdict is not Verdict.WAIVED:
        return []
    kind = "inSource" if found.waived_by is WaivedBy.INLINE else "external"
    return [{"kind": kind, "status": "accepted", "justification": view.clean(found.waiver)}]


def _fixes(view: View, fix: Fix) -> list[dict[str, Any]]:
    """The fix, unless what it writes would not stand here as it must be written: secrets are masked, and bytes are no text."""
    if not fix.edits or any(view.mask(each.text, written=True) != each.text or not _is_text(each.text) for each in fix.edits):
        return []
    changes = [_change(view, path, edits) for path, edits in groupby(sorted(fix.edits), key=lambda each: each.path)]
    return [{"description": message(f"{view.clean(fix.title).rstrip('.')}. {how(fix)}"), "artifactChanges": changes}]


def _is_text(chars: str) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in chars)


def _change(view: View, path: str, edits: Iterable[Edit]) -> dict[str, Any]:
    """What is written into one file."""
    text = view.host.texts.get(path)
    replacements = []
    for edit in edits:
        if text is None and edit.end > 0:
            raise LookupError(f"the report has no text of {path}, which a fix edits")
        line, column = (1, 1) if text is None else text.position(edit.start)
        end_line, end_column = (1, 1) if text is None else text.position(edit.end)
        deleted = {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}
        replacements.append({"deletedRegion": deleted, "insertedContent": {"text": edit.text}})
    return {"artifactLocation": artifact(view, view.path(path)), "replacements": replacements}
