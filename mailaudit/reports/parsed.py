"""What was read of single files: coverage, and JSON of schema `mailaudit.parse/1`, described by schema/parse.schema.json."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from mailaudit.findings import FileStatus
from mailaudit.parsers.tree import Problem, Statement, Tree
from mailaudit.reports.json import dump, unread
from mailaudit.reports.masking import Mask, visible
from mailaudit.text import Span

SCHEMA = "mailaudit.parse/1"

KEY = "key"
_KEY = re.compile(r"(?=[^0-9]*[0-9])[0-9A-Za-z+=_-]{28,}")  # no model says what it is for, but a word as long as a key may be one


@dataclass(frozen=True)
class ParsedFile:
    """A file as named on the command line: its tree, or why there is none. `missing` says that it is not there at all.

    `asked` tells whether some rule asks about a statement. `refusals` are what the daemon refuses beyond the grammar, and
    `secrets` pairs of kind and value that are not to be shown, both as the file's model knows them.
    """

    path: str
    language: str
    tree: Tree | None
    why: str = ""
    missing: bool = False
    asked: Callable[[Statement], bool] = lambda _statement: True
    refusals: tuple[Problem, ...] = ()
    secrets: tuple[tuple[str, str], ...] = ()

    @cached_property
    def _refused(self) -> dict[int, Problem]:
        """The first refusal beyond the grammar of each statement, by the id of the innermost one that it stands in."""
        found: dict[int, Problem] = {}
        for problem in self.refusals:
            at = problem.span.start
            around = [each for each in self.statements if each.span.start <= at < max(each.span.end, each.span.start + 1)]
            if around and around[-1].problem is None:
                found.setdefault(id(around[-1]), problem)
        return found

    def problem_of(self, statement: Statement) -> Problem | None:
        """Why a statement was not read, or what the daemon refuses in it all the same."""
        return statement.problem or self._refused.get(id(statement))

    def state(self, statement: Statement) -> str:
        """`read`, `irrelevant` (read, and no rule asks), `refused` (by the daemon too), or `unread` (by mailaudit alone)."""
        problem = self.problem_of(statement)
        if problem is not None:
            return "refused" if problem.refused else "unread"
        return "read" if self.asked(statement) else "irrelevant"

    @property
    def status(self) -> FileStatus:
        """How far it was read."""
        if self.tree is None:
            return FileStatus.MISSING if self.missing else FileStatus.UNREADABLE
        status = tree_status(self.tree)
        return FileStatus.REFUSED if self._refused and status is FileStatus.READ else status

    @cached_property
    def statements(self) -> list[Statement]:
        """All its statements, blocks before their bodies."""
        return [] if self.tree is None else list(self.tree.walk())

    @cached_property
    def mask(self) -> Mask:
        """What masks what looks like a secret in it."""
        if self.tree is None:
            return Mask()
        tokens = (token.value for statement in self.statements for token in (*statement.tokens, *statement.seen))
        keys = [(KEY, value) for value in tokens if _KEY.fullmatch(value)]
        return Mask.of((*self.secrets, *keys), (self.tree.text,))

    @property
    def problems(self) -> list[tuple[Statement, Problem]]:
        """The statements that were not read or are refused, each with the reason."""
        told = ((statement, self.problem_of(statement)) for statement in self.statements)
        return [(statement, problem) for statement, problem in told if problem is not None]


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
        problem = file.problem_of(statement)
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
