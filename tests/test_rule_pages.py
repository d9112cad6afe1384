"""Law 9: every rule's page proves it. Wrong fails exactly at the marked lines, Right passes, and the fix of Wrong mends it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.mending import touched
from mailaudit import rulebook, settings
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.folder import FolderWorld
from mailaudit.edits import Safety
from mailaudit.findings import HostReport, Place, Verdict
from mailaudit.repair import plan
from mailaudit.rulebook import Case, Page

BOOK = rulebook.load()
ALLOWED = frozenset({Safety.SAFE, Safety.UNSAFE})
CASES = [
    pytest.param(page, case, id=f"{page.id}-{'wrong' if case.wrong else 'right'}-{number}")
    for page in BOOK.pages.values()
    for number, case in enumerate(page.cases)
]


def lay(case: Case, root: Path) -> None:
    for path, text in case.files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())
    (root / "etc").mkdir(exist_ok=True)


def auditor(page: Page, root: Path) -> Auditor:
    world = FolderWorld(root)
    return Auditor(world, BOOK, settings.load(world.settings), Options(), (page.id,))


def audit(page: Page, root: Path) -> HostReport:
    host = auditor(page, root)
    report = host.examine(*host.learn())
    if host.crashes:
        raise host.crashes[0]
    return report


def verdicts(report: HostReport) -> set[Verdict]:
    return {result.verdict for result in report.results}


@pytest.mark.parametrize(("page", "case"), CASES)
def test_case(page: Page, case: Case, tmp_path: Path) -> None:
    lay(case, tmp_path)
    report = audit(page, tmp_path)
    shown = [(r.verdict, r.message, r.places) for r in report.results]
    if not case.wrong:
        assert verdicts(report) == {Verdict.PASS}, shown
        return
    assert verdicts(report) == {Verdict.FAIL}, shown
    marked = {(path, line) for path, lines in case.marks.items() for line in lines if path.startswith("/")}
    found = {
        (place.path, place.corners()[0])
        for result in report.results
        for place in result.places[:1]
        if isinstance(place, Place) and place.span is not None
    }
    assert found == marked, shown
    for fix in [result.fix for result in report.results if result.fix is not None]:  # the rest is for a person, and says so
        assert fix.safety is Safety.MANUAL or fix.edits or fix.commands, fix.title
    mends(page, tmp_path, report)


def mends(page: Page, root: Path, report: HostReport) -> None:
    """Its fixes leave nothing wrong that could be mended, touch nothing else, and propose nothing a second time."""
    mendable = [r for r in report.results if r.fix is not None and r.fix.edits and r.fix.safety is not Safety.MANUAL]
    if not mendable:
        return
    mended = plan(auditor(page, root), ALLOWED)
    assert mended.converged
    assert mended.files, [why for _, why in mended.left]
    assert not list(touched(mended)), mended.diff
    for path, chars in mended.files.items():
        (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / path.lstrip("/")).write_bytes(chars.encode("utf-8", "surrogateescape"))
    after = audit(page, root)
    left = [r for r in after.results if r.verdict is Verdict.FAIL]
    typed = [r for r in left if r.fix is not None and r.fix.commands and not r.fix.edits]  # the files are ready for commands
    unmendable = len(report.results) - len(mendable)
    assert len(left) - len(typed) <= unmendable, (mended.diff, [r.message for r in left])
    if not unmendable and not typed:
        assert verdicts(after) == {Verdict.PASS}, (mended.diff, [(r.verdict, r.message) for r in after.results])
    again = plan(auditor(page, root), ALLOWED)
    assert not again.files, again.diff


@pytest.mark.parametrize("page", BOOK.pages.values(), ids=lambda page: page.id)
def test_page_is_whole(page: Page) -> None:
    assert [case for case in page.cases if case.wrong], "a page shows what is wrong"
    assert [case for case in page.cases if not case.wrong], "a page shows what is right"
    for heading in ("Why it matters", "What breaks", "How to mend"):
        assert page.section(heading), f"{heading} is missing"
    assert page.sources
    assert page.evidence
