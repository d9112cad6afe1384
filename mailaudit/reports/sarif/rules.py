"""The rules of a report as SARIF describes them, with their pages as help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from mailaudit.findings import Result, Severity
from mailaudit.reports.sarif.places import message
from mailaudit.reports.view import LEVELS, View, explanation, in_words
from mailaudit.rulebook import Page

SECURITY_SEVERITY = {  # GitHub reads more than 9.0 as critical, from 7.0 as high, from 4.0 as medium, else as low
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.5",
}


def rules(seen: Iterable[View], pages: Mapping[str, Page]) -> tuple[list[dict[str, Any]], dict[str, int]]:
    """All rules that a report speaks of, in the order of their ids, and the index of each.

    Where hosts' settings give a rule different severities it has the worst.
    """
    worst: dict[str, Result] = {}
    for result in (result for view in seen for result in view.host.results):
        if result.rule not in worst or result.severity > worst[result.rule].severity:
            worst[result.rule] = result
    known = sorted(worst)
    return [_rule(worst[each], pages.get(each)) for each in known], {each: number for number, each in enumerate(known)}


def _rule(result: Result, page: Page | None) -> dict[str, Any]:
    help_ = explanation(page) if page is not None else result.title
    words = in_words(help_)
    severity = SECURITY_SEVERITY.get(result.severity)
    area = result.rule.rstrip("0123456789").lower()
    tags = dict.fromkeys((area, str(result.basis), *(() if severity is None else ("security",))))
    return {
        "id": result.rule,
        "name": result.name,
        "shortDescription": message(result.title),
        "fullDescription": message(words.split("\n", 1)[0]),
        "help": {**message(words), "markdown": f"# {result.title}\n\n{help_}\n"},
        "defaultConfiguration": {"level": LEVELS[result.severity]},
        "properties": {
            "tags": list(tags),
            "precision": "high",
            "problem.severity": {"note": "recommendation"}.get(LEVELS[result.severity], LEVELS[result.severity]),
            **({} if severity is None else {"security-severity": severity}),
            **({"also": list(result.also)} if result.also else {}),
        },
    }
