"""Law 12: the corrected example audits clean, the published guide yields exactly its known errata."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.audit import Options, audit
from mailaudit.findings import FileStatus, HostReport, Place, Result, Verdict

EXAMPLES = Path(__file__).parents[1] / "examples"

# Rule and the line its primary place starts on, in the published set-up; None where the place is no line of a file.
ERRATA: dict[str, set[tuple[str, str]]] = {
    "PF001": {("/etc/pf.conf", "sshd")},
}


def report(name: str, profile: str) -> HostReport:
    found = audit([str(EXAMPLES / name)], Options(profile=profile))
    assert len(found.hosts) == 1
    return found.hosts[0]


def where(result: Result) -> tuple[str, str]:
    first = result.places[0]
    if isinstance(first, Place):
        return first.path, first.span.chars if first.span is not None else ""
    return first.question, ""


@pytest.mark.parametrize("profile", rulebook.PROFILES)
def test_the_corrected_example_is_clean(profile: str) -> None:
    host = report("corrected", profile)
    bad = [(r.rule, r.verdict, r.reason, r.message) for r in host.results if r.verdict in (Verdict.FAIL, Verdict.UNKNOWN)]
    assert not bad
    assert {file.status for file in host.files} == {FileStatus.READ}


def test_the_corrected_example_exits_with_0() -> None:
    assert audit([str(EXAMPLES / "corrected")], Options()).exit_code == 0


def test_the_published_guide_yields_its_errata() -> None:
    host = report("as-published", "strict")
    found: dict[str, set[tuple[str, str]]] = {}
    for result in host.results:
        assert result.verdict is not Verdict.UNKNOWN, result
        if result.verdict is Verdict.FAIL:
            found.setdefault(result.rule, set()).add(where(result))
    assert found == ERRATA


def test_each_erratum_names_its_trap() -> None:
    pages = rulebook.load().pages
    assert not [rule for rule in ERRATA if not pages[rule].traps]
