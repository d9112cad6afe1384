"""How much of each file was read, for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from mailaudit.findings import Coverage, FileStatus
from mailaudit.questions import refusal
from mailaudit.reports.terminal.paper import Paper

FEW = 12  # files read to the end that are named
MANY = 5  # places of unread statements that are named


def files(paper: Paper, coverage: Sequence[Coverage], *, each_one: bool) -> None:
    """One line for each file that is there, many that were read to the end on one; then those that are not."""
    there = sorted((each for each in coverage if each.status is not FileStatus.MISSING), key=lambda each: each.path)
    missing = sorted(each.path for each in coverage if each.status is FileStatus.MISSING)
    if not coverage:
        return
    paper.line(("files", "bold"))
    read = [each for each in there if each.status is FileStatus.READ and not each.detail]
    if len(read) > FEW and not each_one:
        number = sum(each.statements for each in read)
        paper.wrapped(f"{len(read)} files with {number} statements are read to the end; -v names each", "  ", "    ")
        there = [each for each in there if each.status is not FileStatus.READ or each.detail]
    names = [paper.clean(each.path) for each in there]
    width = max((len(name) for name in names), default=0)
    narrow = width + 30 > paper.width
    for name, each in zip(names, there, strict=True):
        told = paper.clean(_beside(each.path, status(each)))
        style = "" if each.status in (FileStatus.READ, FileStatus.IGNORED) else "yellow"
        if narrow:
            paper.wrapped(f"{name}: {told}", "  ", "    ", style)
        else:
            paper.wrapped(told, f"  {name:<{width}}  ", " " * (width + 4), style)
    if missing:
        paper.wrapped(f"not there: {paper.clean(', '.join(missing))}", "  ", "    ")
    paper.blank()


def _beside(path: str, told: str) -> str:
    """What is told of a file whose path stands beside it; what would allow it to be read stands with the rules that need it."""
    return refusal(told)[0].replace(f": {path}", "", 1)


def status(coverage: Coverage) -> str:
    """How far a file was read, in words: `7/8 statements; the daemon refuses line 3`."""
    if coverage.status in (FileStatus.UNREADABLE, FileStatus.MISSING, FileStatus.IGNORED):
        return f"{coverage.status}{': ' if coverage.detail else ''}{coverage.detail}"
    read = max(coverage.statements - len(coverage.unread), 0)
    parts = [f"{read}/{coverage.statements} statements"]
    if coverage.unread:
        lines = list(dict.fromkeys(span.line for span, _ in coverage.unread))
        named = ", ".join(map(str, lines[:MANY])) + (f" and {len(lines) - MANY} more" if len(lines) > MANY else "")
        refused = "the daemon refuses" if coverage.status is FileStatus.REFUSED else "not read:"
        parts.append(f"{refused} line{'s' * (len(lines) != 1)} {named}")
    elif coverage.status is FileStatus.REFUSED:
        parts.append("the daemon refuses it")
    if coverage.detail:
        parts.append(coverage.detail)
    return "; ".join(parts)
