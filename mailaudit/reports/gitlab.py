"""The findings as GitLab's code quality report, which a merge request shows beside its changes."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from mailaudit.findings import Basis, Report, Result, Severity
from mailaudit.reports.json import dump
from mailaudit.reports.view import Reader, Spot, View, ending, errors, findings, has_verdict, views

SEVERITIES = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}
CATEGORIES = {Basis.CORRECTNESS: "Bug Risk", Basis.SECURITY: "Security", Basis.HYGIENE: "Clarity"}


def write(report: Report, reader: Reader) -> str:
    """The findings of all hosts, worst first; what the run could not look at is one more, as nothing unseen must look mended."""
    seen = views(report, reader)
    data = _known_apart([_issue(view, result) for view, result in findings(seen)])
    gaps = "; ".join(errors(report)) if has_verdict(report) else ending(report)
    if gaps:
        path = seen[0].anchor if seen else "mailaudit.toml"
        data.insert(0, _entry(Spot(path), "mailaudit\0incomplete", "mailaudit", gaps))
    return dump(data)


def _issue(view: View, result: Result) -> dict[str, Any]:
    spot = view.first(result) or Spot(view.anchor)
    text = " ".join((f"{result.rule}:", view.message(result), *view.asked(result)))
    issue = _entry(spot, f"{spot.path}\0{result.fingerprint}", f"{result.rule} {result.name}", text)
    return {**issue, "categories": [CATEGORIES.get(result.basis, "Bug Risk")], "severity": SEVERITIES[result.severity]}


def _known_apart(issues: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The issues, with a number behind what is known again of one that is told twice: a host may be named twice."""
    told: Counter[str] = Counter()
    for issue in issues:
        known = issue["fingerprint"]
        told[known] += 1
        if told[known] > 1:
            issue["fingerprint"] = _digest(f"{known}\0{told[known]}")
    return issues


def _digest(identity: str) -> str:
    return hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()


def _entry(spot: Spot, identity: str, name: str, text: str) -> dict[str, Any]:
    return {
        "type": "issue",
        "check_name": name,
        "description": text,
        "categories": ["Bug Risk"],
        "severity": "blocker",
        "fingerprint": _digest(identity),
        "location": {"path": spot.path, "lines": {"begin": spot.line, "end": max(spot.line, spot.end_line)}},
    }
