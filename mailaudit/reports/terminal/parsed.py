"""What was read of single files, for a terminal: how much, what not and why, or every statement with its state."""

from __future__ import annotations

from collections.abc import Sequence

from mailaudit.findings import Coverage, Place
from mailaudit.parsers.tree import Problem, Statement
from mailaudit.reports.parsed import ParsedFile
from mailaudit.reports.terminal import excerpt
from mailaudit.reports.terminal.coverage import status
from mailaudit.reports.terminal.paper import Paper, Screen

MANY = 20  # problems of one file that are shown without --annotate
LINES = 5  # lines that are named of those that have the same problem
_STYLES = {"read": "green", "irrelevant": "dim", "refused": "red", "unread": "bold yellow"}


def write(files: Sequence[ParsedFile], screen: Screen, *, annotate: bool = False) -> str:
    """One line for each file and what was not read of it; with `annotate` all of its statements."""
    paper = Paper(screen)
    for file in files:
        paper.mask = file.mask
        told = Coverage(
            file.path,
            file.language,
            file.status,
            statements=len(file.statements),
            unread=tuple((problem.span, problem.message) for _, problem in file.problems),
            detail=file.why,
        )
        style = "" if not told.unread and file.tree is not None else "yellow"
        paper.wrapped(f"{paper.clean(file.path)}: {file.language}, {paper.clean(status(told))}", hanging="  ", style=style)
        if annotate:
            _annotate(paper, file)
            continue
        _problems(paper, [problem for _, problem in file.problems])
    return paper.text()


def _problems(paper: Paper, problems: Sequence[Problem]) -> None:
    """Each thing that is wrong, with the first line that shows it; a file with Windows line ends has one, and not one a line."""
    alike: dict[tuple[str, bool], list[Problem]] = {}
    for problem in problems:
        alike.setdefault((problem.message, problem.refused), []).append(problem)
    for first, *more in list(alike.values())[:MANY]:
        _problem(paper, first, "  ")
        if more:
            lines = list(dict.fromkeys(each.span.line for each in more))
            named = ", ".join(map(str, lines[:LINES])) + (f" and {len(lines) - LINES} more" if len(lines) > LINES else "")
            paper.wrapped(f"the same in line{'s' * (len(lines) != 1)} {named}", "    ")
    if len(alike) > MANY:
        paper.wrapped(f"{len(alike) - MANY} more; --annotate shows them", "  ")


def _problem(paper: Paper, problem: Problem, indent: str) -> None:
    line, column = problem.span.text.position(problem.span.start)
    who = "the daemon refuses this" if problem.refused else "mailaudit cannot read this"
    where = f"{paper.clean(problem.span.path)}:{line}:{column}: {who}: "
    paper.wrapped(f"{where}{paper.clean(problem.message)}", indent, indent + "  ")
    excerpt.draw(paper, problem.span.text, [(Place.at(problem.span), True)], indent + "  ")


def _annotate(paper: Paper, file: ParsedFile) -> None:
    """Each statement: its state, its line, its kind, and the characters that it has on its first line."""
    kinds = max((len(statement.kind) for statement in file.statements), default=0)
    digits = len(str(file.statements[-1].span.line)) if file.statements else 1
    for statement in file.statements:
        state = file.state(statement)
        column = f"  {state:<10}  ", _STYLES[state]
        margin = f"{statement.span.line:>{digits}}  {statement.kind:<{kinds}}  "
        paper.line(column, margin, _first_line(paper, statement, paper.width - len(column[0]) - len(margin)))
        problem = file.problem_of(statement)
        if problem is not None:
            _problem(paper, problem, "    ")


def _first_line(paper: Paper, statement: Statement, room: int) -> str:
    room = max(room, 12)
    written = paper.mask.written(statement.span)[: 2 * room + 1]
    first, newline, _ = written.partition("\n")
    shown = paper.clean(first.rstrip("\r").expandtabs())
    return f"{shown[: room - 3]}..." if newline or len(shown) > room else shown
