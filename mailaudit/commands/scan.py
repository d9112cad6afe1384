"""`mailaudit scan`: collect, judge, report."""

from __future__ import annotations

from collections.abc import Sequence

from mailaudit import rulebook
from mailaudit.audit import audit
from mailaudit.choices import Common
from mailaudit.commands.choosing import chosen_targets, detail, options
from mailaudit.commands.telling import reported
from mailaudit.findings import Report
from mailaudit.output import Telling
from mailaudit.reports.terminal import report as terminal


def scan(common: Common, targets: Sequence[str], targets_file: str | None) -> int:
    """Audit all targets and tell."""

    def make() -> tuple[Report, Telling]:
        book = rulebook.load()
        report = audit(chosen_targets(targets, targets_file), options(common), book)
        told = detail(common)
        return report, lambda screen: terminal.write(report, screen, book.pages, told, show_passed=common.show_passed)

    return reported(common, make)
