"""What was read of single files: coverage, and JSON of schema `mailaudit.parse/1`, described by schema/parse.schema.json."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mailaudit.findings import FileStatus
from mailaudit.parsers.tree import Problem, Statement, Tree
from mailaudit.reports.json import dump, unread
from mailaudit.reports.masking import Mask, visible
from mailaudit.text import Span

SCHEMA = "mailaudit.parse/1"

KEY = "key"
_KEY = re.compile(r"(?=[^0-9]*[0-9])[0-9A-Za-z+=_-]{28,}")  # no model says what it is for, but a word as long as a key may be one


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """A file as named on the command line: its tree, or why there is none. `missing` says that it is not there at all.

    `asked` tells whether some rule asks about a statement.
    """

    path: str
    language: str
    tree: Tree | None
    why: str = ""
    missing: bool = False
    asked: Callable[[Statement], bool] = lambda _statement: True

    def state(self, statement: Statement) -> str:
        """`read`, `irrelevant` (read, and no rule asks), `refused` (by the daemon too), or `unread` (by mailaudit alone)."""
        if statement.problem is not None:
            return "refused" if statement.problem.refused else "unread"
        return "read" if self.asked(statement) else "irrelevant"

    @property
    def status(self) -> FileStatus:
        """How far it was read."""
        if self.tree is None:
            return FileStatus.MISSING if self.missing else FileStatus.UNREADABLE
        return tree_status(self.tree)

    @property
    def statements(self) -> list[Statement]:
        """All its statements, blocks before their bodies."""
        return [] if self.tree is None else list(self.tree.walk())

    @property
    def mask(self) -> Mask:
        """What masks what looks like a secret in it."""
        if self.tree is None:
            return Mask()
        keys = ((KEY, token.value) for statement in self.statements for token in (*statement.tokens, *statement.seen))
        return Mask.of(((kind, value) for kind, value in keys if _KEY.fullmatch(value)), (self.tree.text,))

    @property
    def problems(self) -> list[tuple[Statement, Problem]]:
        """The statements that were not read, each with the reason."""
        return [(statement, statement.problem) for statement in self.statements if statement.problem is not None]


def tree_status(tree: Tree) -> FileStatus:
    """Read; refused, if the daemon refuses what was not read as well; else partly read."""
    problems = [statement.problem for statement in tree.unread() if statement.problem is not None]
    if any(not problem.refused for problem in problems):
        return FileStatus.PARTLY_READ
    return FileStatus.REFUSED if problems else FileStatus.READ


def write(files: Sequence[ParsedFile]) -> str:
    """All files and their trees as JSON."""
    return dump({"schema": SCHEMA, "files": [_file(file) for file in files]})


def _file(file: ParsedFile) -> dict[str, Any]:
    mask = file.mask
    return {
        "path": visible(file.path),
        "language": file.language,
        "status": str(file.status),
        "statements": len(file.statements),
        "unread": [unread(statement.span, mask) for statement, _ in file.problems],
        "tree": [] if file.tree is None else list(_statements(file, file.tree.statements, mask)),
    }


def _statements(file: ParsedFile, statements: Sequence[Statement], mask: Mask) -> Iterator[dict[str, Any]]:
    for statement in statements:
        problem = statement.problem
        yield {
            "kind": statement.kind,
            "state": file.state(statement),
            **_corners(statement.span),
            "tokens": [
                {"kind": token.kind, "text": visible(mask.written(token.span)), **_start(token.span)}
                for token in statement.tokens
            ],
            "problem": None if problem is None else _problem(problem, mask),
            "children": list(_statements(file, statement.body, mask)),
        }


def _problem(problem: Problem, mask: Mask) -> dict[str, Any]:
    return {"message": visible(mask(problem.message)), "path": visible(problem.span.path), **_corners(problem.span)}


def _start(span: Span) -> dict[str, int]:
    line, column = span.text.position(span.start)
    return {"line": line, "column": column}


def _corners(span: Span) -> dict[str, int]:
    end_line, end_column = span.text.position(span.end)
    return {**_start(span), "end_line": end_line, "end_column": end_column}
