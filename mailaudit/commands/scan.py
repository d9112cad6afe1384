"""`mailaudit scan` once the command line is understood: collect, judge, report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mailaudit import rulebook
from mailaudit.audit import audit
from mailaudit.auditor import Options
from mailaudit.choices import Common
from mailaudit.collect.trips import journey_of
from mailaudit.commands import critical_path
from mailaudit.commands.choosing import detail
from mailaudit.commands.saving import Learned, save_all
from mailaudit.commands.watching import watched
from mailaudit.exitcodes import ExitCode, worst
from mailaudit.findings import Report
from mailaudit.output import Telling, complain, mention
from mailaudit.reports.terminal import report as terminal
from mailaudit.wording import why_not

if TYPE_CHECKING:
    from mailaudit.commands.nightly import Nightly


def audited(
    common: Common, chosen: Sequence[str], settled: Options, save: str | None, nightly: Nightly | None
) -> tuple[Report, Telling]:
    """Audit all targets; what there is to tell, and how a person reads it."""
    book = rulebook.load()
    learned: list[Learned] = []
    with watched(common, settled) as seen:
        wanted = save is not None or common.verbose
        keep = (lambda *known: learned.append(Learned(*known))) if wanted else None
        report = audit(chosen, seen, book, keep)
    if save is not None and learned:
        report = _saved(report, learned, Path(save), quiet=common.quiet)
    for each in learned if common.verbose else ():
        mention("".join(critical_path.lines(each.known.target, journey_of(each.auditor.world))))
    told = detail(common)
    tell = partial(terminal.write, report, pages=book.pages, detail=told, show_passed=common.show_passed)
    return (report, tell) if nightly is None else nightly.compared(report, tell, settled, quiet=common.quiet)


def _saved(report: Report, learned: Sequence[Learned], place: Path, *, quiet: bool) -> Report:
    """The report, once snapshots are written; where they could not be, it says so."""
    try:
        told = save_all(learned, place)
    except OSError as error:
        message = f"--save {place}: it could not be written: {why_not(error)}"
        code = worst((report.exit_code, ExitCode.INCOMPLETE))
        return replace(report, errors=(*report.errors, message), exit_code=code)
    for line in told if not quiet else ():
        complain(line)
    return report
