"""Two reports compared: what all formats tell of it, and the JSON (`mailaudit.diff/1`, described by schema/diff.schema.json)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mailaudit import __version__
from mailaudit.comparing.differences import Comparison, Difference, HostDifference, Kind
from mailaudit.comparing.known import Known, Told
from mailaudit.findings import Verdict
from mailaudit.reports.json import dump
from mailaudit.reports.masking import Mask, visible

SCHEMA = "mailaudit.diff/1"
TITLES = {
    Kind.NEW: "new",
    Kind.NEWLY_EVALUATED: "found by rules that could not be told before",
    Kind.CHANGED: "changed",
    Kind.FIXED: "fixed",
    Kind.NOT_EVALUATED: "no longer evaluated",
    Kind.RULE_ADDED: "found by rules that were not judged before",
    Kind.RULE_REMOVED: "found by rules that are not judged any more",
    Kind.UNCHANGED: "unchanged",
}
CHANGES = (Kind.NEW, Kind.NEWLY_EVALUATED, Kind.CHANGED, Kind.FIXED, Kind.RULE_ADDED)
MOST_RULES = 400  # named in one line
_mask = Mask()


def clean(chars: str) -> str:
    """What a report says, which anybody may have written: visible, without what looks like a hash or a key."""
    return visible(_mask(chars))


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison and how the run ended; without one, what went wrong."""

    comparison: Comparison | None
    errors: tuple[str, ...] = ()
    exit_code: int = 0
    exit_reason: str = ""


def was(difference: Difference) -> str:
    """How a changed finding was before, `was medium`; and of any that it is waived."""
    before, after = difference.before, difference.after
    if difference.is_finding and difference.is_waived:
        return "waived"
    if difference.kind is not Kind.CHANGED or before is None or after is None:
        return ""
    if before.verdict is not after.verdict:
        return "was waived" if before.verdict is Verdict.WAIVED else "is waived now"
    return f"was {before.severity}" if before.severity is not after.severity else "other words"


def rules_without_findings(host: HostDifference) -> Iterator[tuple[str, list[str]]]:
    """Rules of which there is nothing to tell but that they are told no more, or now: in words, with their ids."""
    groups: dict[str, list[str]] = {}
    for each in host.differences:
        if each.is_finding:
            continue
        if each.kind is Kind.NOT_EVALUATED:
            reason = each.after.reason if each.after is not None else None
            groups.setdefault(f"no longer evaluated ({reason or each.why})", []).append(each.told.rule)
        elif each.kind in (Kind.RULE_ADDED, Kind.RULE_REMOVED):
            words = "not judged before" if each.kind is Kind.RULE_ADDED else "not judged any more"
            groups.setdefault(words, []).append(each.told.rule)
    return ((words, sorted(set(rules))[:MOST_RULES]) for words, rules in sorted(groups.items()))


def sides(comparison: Comparison) -> Iterator[str]:
    """Which two reports these are, and that other rules were judged, if so."""
    for word, each in (("before", comparison.before), ("after", comparison.after)):
        whole = "" if each.is_complete else ", not complete"
        yield clean(f"{word}: {each.origin} ({each.started}, mailaudit {each.version}, profile {each.profile}{whole})")
    one, other = comparison.before, comparison.after
    if (one.version, one.profile) != (other.version, other.profile):
        yield "The rules are not the same: what another version or profile judges is told as such, and is no drift."


def write(compared: Compared) -> str:
    """The comparison as JSON."""
    comparison = compared.comparison
    return dump(
        {
            "schema": SCHEMA,
            "tool": {"name": "mailaudit", "version": __version__},
            "before": None if comparison is None else _side(comparison.before),
            "after": None if comparison is None else _side(comparison.after),
            "hosts": [] if comparison is None else [_host(each) for each in comparison.hosts],
            "counts": {str(kind): 0 if comparison is None else _count(comparison, kind) for kind in Kind},
            "errors": [clean(each) for each in compared.errors],
            "exit_code": compared.exit_code,
            "exit_reason": clean(compared.exit_reason),
        }
    )


def _count(comparison: Comparison, kind: Kind) -> int:
    return sum(each.is_finding for each in comparison.of(kind))


def _side(report: Known) -> dict[str, Any]:
    return {
        "origin": clean(report.origin),
        "started": clean(report.started),
        "version": clean(report.version),
        "profile": clean(report.profile),
        "complete": report.is_complete,
    }


def _host(host: HostDifference) -> dict[str, Any]:
    kinds = list(Kind)
    ordered = sorted(host.differences, key=lambda each: (kinds.index(each.kind), -each.told.severity, each.told.rule))
    return {
        "name": clean(host.name),
        "before": None if host.before is None else clean(host.before.name),
        "after": None if host.after is None else clean(host.after.name),
        "differences": [_difference(each) for each in ordered],
    }


def _difference(difference: Difference) -> dict[str, Any]:
    told = difference.told
    return {
        "kind": str(difference.kind),
        "rule": clean(told.rule),
        "name": clean(told.name),
        "counts": difference.is_worse,
        "why": clean(difference.why),
        "before": _told(difference.before),
        "after": _told(difference.after),
    }


def _told(told: Told | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return {
        "verdict": str(told.verdict),
        "severity": str(told.severity),
        "message": clean(told.message),
        "reason": None if told.reason is None else str(told.reason),
        "where": clean(told.where),
        "fingerprint": clean(told.fingerprint),
    }
