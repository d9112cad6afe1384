"""What `fix` plans or did, for a terminal: the diff, what it mends, and what is left to be done and by whom."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mailaudit.edits import Fix, Safety
from mailaudit.findings import Place, Report, Result
from mailaudit.repair import Plan
from mailaudit.reports.changes import diff_of
from mailaudit.reports.terminal.diff import show
from mailaudit.reports.terminal.paper import Paper, Screen
from mailaudit.reports.terminal.report import STYLES, Detail, ending
from mailaudit.reports.view import mask_of, worst_first
from mailaudit.worklist import Kind

MOST_LINES = 20  # of what a person decides about


def write(  # noqa: PLR0913  each is one thing the reader asked for
    report: Report, screen: Screen, plans: Sequence[Plan], *, diff: bool, written: bool, detail: Detail
) -> str:
    """All plans. `diff` says whether the differences are shown, `written` whether they were written."""
    paper = Paper(screen)
    for plan in plans:
        paper.mask = mask_of([plan.before, plan.report])
        if len(plans) > 1:
            paper.wrapped(paper.clean(f"{plan.before.name} ({plan.before.target})"), hanging="  ", style="bold")
            paper.blank()
        if diff and plan.files:
            paper.verbatim(show(plan.diff, paper.mask, screen))
            paper.blank()
        _mended(paper, plan, written=written, detail=detail)
        _failed(paper, plan)
        _left(paper, plan, detail)
        _todo(paper, plan, written=written)
        if not plan.converged:
            paper.wrapped(
                "The corrections were stopped before all were tried; look at the result, and run fix again.", style="yellow"
            )
            paper.blank()
    paper.mask = mask_of(report.hosts)
    if not written and any(plan.files for plan in plans):
        paper.wrapped("Nothing was written; --write does that.")
    ending(paper, report)
    return paper.text()


def _mended(paper: Paper, plan: Plan, *, written: bool, detail: Detail) -> None:
    if not plan.mended:
        return
    paper.line((f"{'mended' if written else 'would be mended'}: {len(plan.mended)}", "bold green"))
    for result in sorted(plan.mended, key=worst_first):
        _name(paper, result)
        if detail is Detail.VERBOSE and result.fix is not None:
            paper.wrapped(paper.clean(result.fix.title), "    ")
    paper.blank()


def _failed(paper: Paper, plan: Plan) -> None:
    if not plan.failed:
        return
    paper.line((f"still failing, though their fixes were written: {len(plan.failed)}", "bold red"))
    for result in sorted(plan.failed, key=worst_first):
        _name(paper, result)
        paper.wrapped(paper.clean(result.message), "    ")
    paper.blank()


def _todo(paper: Paper, plan: Plan, *, written: bool) -> None:
    """What is to be done once the files are written: each line of it can be copied."""
    if not plan.todo:
        return
    heading = "to do, in this order" if written or not plan.files else "to do once the files are written, in this order"
    paper.line((f"{heading}:", "bold"))
    for number, deed in enumerate(plan.todo, 1):
        check = f"{deed.check} && " if deed.check else ""
        if deed.kind is Kind.WAIT:
            paper.wrapped(paper.clean(deed.text), f"{number:4}  ", "      ")
        else:
            paper.line(f"{number:4}  ", (paper.clean(check + deed.text), "bold"))
    paper.blank()


def _left(paper: Paper, plan: Plan, detail: Detail) -> None:
    """What is left, by the reason; commands and records stand ready to be copied, here or in the list of what is to do."""
    planned = {deed.text for deed in plan.todo} | {deed.check for deed in plan.todo}
    for why in dict.fromkeys(why for _, why in plan.left):
        results = sorted((result for result, each in plan.left if each == why), key=worst_first)
        paper.wrapped(f"{paper.clean(why)}: {len(results)}", style="bold")
        for result in results:
            _name(paper, result)
            if detail is Detail.QUIET:
                continue
            paper.wrapped(paper.clean(result.message), "    ")
            if result.fix is not None:
                paper.wrapped(f"-> {paper.clean(result.fix.title)}", "    ", "       ")
                _copied(paper, result.fix, planned)
                _written(paper, plan, result.fix)
        paper.blank()


def _copied(paper: Paper, fix: Fix, planned: Collection[str]) -> None:
    for line in (*fix.commands, *fix.records):
        if line not in planned:
            paper.line("       ", (paper.clean(line), "bold"))


def _written(paper: Paper, plan: Plan, fix: Fix) -> None:
    """The lines that a fix would change, if a person decides so: nothing else shows them."""
    if fix.safety is not Safety.MANUAL:
        return
    heads = {"--- /dev/null", *(f"{head}{edit.path}" for edit in fix.edits for head in ("--- a", "+++ b"))}
    lines = diff_of(fix, plan.report, paper.mask).split("\n")
    for line in [each for each in lines if each.startswith(("-", "+")) and each not in heads][:MOST_LINES]:
        paper.line("       ", (paper.clean(line, keep="\t"), "bold"))


def _name(paper: Paper, result: Result) -> None:
    first = result.places[0] if result.places else None
    where = ""
    if isinstance(first, Place):
        line, column, _, _ = first.corners()
        where = f" {first.path}" if first.span is None else f" {first.path}:{line}:{column}"
    paper.wrapped(f"{result.severity} {result.rule} {result.name}{paper.clean(where)}", "  ", "    ", STYLES[result.severity])
