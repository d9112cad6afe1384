"""What a conversion to another release does, for a terminal: the diff, what it cannot say, what it leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailaudit.converting.conversion import Conversion
from mailaudit.edits import unified_diff
from mailaudit.findings import HostReport, Report, Result
from mailaudit.reports.terminal.diff import show
from mailaudit.reports.terminal.paper import Paper, Screen
from mailaudit.reports.terminal.report import ending
from mailaudit.reports.view import mask_of

STEPS = (
    "install Dovecot 2.4 and Pigeonhole 2.4 in the place of 2.3, and keep these files where the package would bring its own",
    "doveconf -n must be silent on standard error",
    "compile the Sieve scripts that root compiles anew: sievec FILE",
    "restart Dovecot, log in as one user, send that user a message, and look at the log",
)


@dataclass(frozen=True, slots=True)
class Converted:
    """A host's conversion, the audits before and after it, and the findings that came up with it."""

    conversion: Conversion
    before: HostReport
    after: HostReport
    new: tuple[Result, ...] = ()


def write(report: Report, screen: Screen, converted: Sequence[Converted], *, diff: bool, written: bool) -> str:
    """All hosts. `diff` says whether the differences are shown, `written` whether they were written."""
    paper = Paper(screen)
    for each in converted:
        paper.mask = mask_of([each.before, each.after])
        if len(converted) > 1:
            paper.wrapped(paper.clean(f"{each.before.name} ({each.before.target})"), hanging="  ", style="bold")
            paper.blank()
        conversion = each.conversion
        if diff and conversion.files:
            old = {path: text.chars for path, text in conversion.read.items()}
            paper.verbatim(show(unified_diff(old, conversion.files), paper.mask, screen))
            paper.blank()
        _listed(paper, "cannot be converted", [(left.where, f"{left.why}; {left.todo}") for left in conversion.left])
        _listed(paper, "to be known", [(note.where, note.what) for note in conversion.notes])
        _listed(paper, "findings that were not there before", [(result.rule, result.message) for result in each.new])
    if any(each.conversion.files for each in converted):
        paper.line(("to do once the files are written, in this order:", "bold"))
        for number, step in enumerate(STEPS, 1):
            paper.wrapped(step, f"{number:4}  ", "      ")
        paper.blank()
    paper.mask = mask_of(report.hosts)
    if not written and any(each.conversion.files for each in converted):
        paper.wrapped("Nothing was written; --write does that.")
    ending(paper, report)
    return paper.text()


def _listed(paper: Paper, heading: str, lines: Sequence[tuple[str, str]]) -> None:
    if not lines:
        return
    paper.line((f"{heading}: {len(lines)}", "bold"))
    for where, text in lines:
        paper.wrapped(paper.clean(f"{where}: {text}"), "  ", "    ")
    paper.blank()
