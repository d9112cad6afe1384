"""`mailaudit scan`: collect, judge, report."""

from __future__ import annotations

from collections.abc import Sequence

from mailaudit import rulebook
from mailaudit.audit import audit
from mailaudit.choices import Common, Looking
from mailaudit.collect.ssh.commands import told
from mailaudit.commands.choosing import chosen_targets, detail, options
from mailaudit.commands.telling import reported, shown
from mailaudit.commands.watching import watched
from mailaudit.findings import Report
from mailaudit.output import Telling
from mailaudit.reports.terminal import report as terminal


def show_what_is_asked() -> int:
    """Print the files and commands that a live host is asked for; nothing is asked."""
    return shown(told, debug=False)


def scan(common: Common, targets: Sequence[str], targets_file: str | None, looking: Looking) -> int:
    """Audit all targets and tell."""

    def make() -> tuple[Report, Telling]:
        book = rulebook.load()
        chosen = chosen_targets(targets, targets_file, live=True)
        with watched(common, options(common, looking)) as settled:
            report = audit(chosen, settled, book)
        told = detail(common)
        return report, lambda screen: terminal.write(report, screen, book.pages, told, show_passed=common.show_passed)

    return reported(common, make)
