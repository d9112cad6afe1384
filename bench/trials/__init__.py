"""Edits tried on real files: what each was to change is all that may change when the file is read again."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mailaudit.edits import Edit, apply
from mailaudit.parsers.tree import Language, Statement, Tree, gaps, nothing
from mailaudit.text import Text

Edits = tuple[Edit, ...]
Row = tuple[int, str, tuple[str, ...]]
"""A statement as compared: how deep it stands, its kind, the values of its written tokens."""
Again = Callable[[Tree], Edits | None]


@dataclass(frozen=True)
class Trial:
    """One edit of a file, and what it was to do: these statements go, those come in their place.

    `again` must find nothing to do afterwards; `undo` must give back the bytes of the file. With `cuts`, comments that stand
    on the lines of what goes may go as well.
    """

    what: str
    edits: Edits | None
    gone: tuple[Row, ...]
    come: tuple[Row, ...]
    again: Again | None = None
    undo: Again | None = None
    cuts: bool = False
    holds: Callable[[Tree], bool] | None = None  # in place of comparing statements, what must be so afterwards
    marks: str = ""  # punctuation that comes and goes with items and values, and is not compared


Trials = Callable[[Tree, random.Random], Iterator[Trial]]


def row(statement: Statement, depth: int, values: tuple[str, ...] | None = None) -> Row:
    """A statement alone, without its body."""
    found = tuple(token.value for token in statement.tokens if token.value not in ("\r", "\n")) if values is None else values
    return depth, statement.kind, found


def rows_of(statements: tuple[Statement, ...], depth: int = 0) -> Iterator[Row]:
    """Statements with their bodies; the end of a body is a row as well."""
    for statement in statements:
        if statement.kind != "empty":
            yield row(statement, depth)
        yield from rows_of(statement.body, depth + 1)
        if statement.is_block:
            yield depth, "end", tuple(token.value for token in statement.close)


def depths(tree: Tree) -> dict[int, int]:
    """How deep each statement stands, by its identity."""
    found: dict[int, int] = {}

    def walk(statements: tuple[Statement, ...], depth: int) -> None:
        for statement in statements:
            found[id(statement)] = depth
            walk(statement.body, depth + 1)

    walk(tree.statements, 0)
    return found


def without_marks(rows: Iterable[Row], marks: str) -> list[Row]:
    """Rows without some punctuation marks."""
    return [(depth, kind, tuple(value for value in values if value not in tuple(marks))) for depth, kind, values in rows]


def difference(before: list[Row], after: list[Row]) -> tuple[list[Row], list[Row]]:
    """What went and what came, between the first row that differs and the last."""
    head = _alike(before, after)
    tail = min(_alike(before[::-1], after[::-1]), len(before) - head, len(after) - head)
    return before[head : len(before) - tail], after[head : len(after) - tail]


def _alike(one: list[Row], other: list[Row]) -> int:
    return next(
        (number for number, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other))
    )


def is_that_edit(before: list[Row], after: list[Row], gone: list[Row], come: list[Row]) -> bool:
    """True if the rows after are those before, but for the ones that were to go and to come in their place."""
    if before == after:
        return gone == come
    head = _alike(before, after)
    size = max(len(gone), len(come))
    for at in range(head, max(head - size, 0) - 1, -1):
        if before[at : at + len(gone)] == gone and before[:at] + come + before[at + len(gone) :] == after:
            return True
    return False


def fault(language: Language, tree: Tree, trial: Trial) -> str | None:
    """What an edit did wrong, or None. An edit that is refused or has nothing to do must not be asked about here."""
    assert trial.edits
    try:
        chars = apply(tree.text.chars, trial.edits)
    except ValueError as error:
        return str(error)
    after = language.parse(Text.of(tree.text.path, chars), nothing)

    if trial.holds is not None:
        return None if trial.holds(after) and len(_unread(after)) <= len(_unread(tree)) else f"became {after.text.chars!r}"

    def shown(rows: Iterable[Row]) -> list[Row]:
        return without_marks(rows, trial.marks) if trial.marks else list(rows)

    was, now = shown(rows_of(tree.statements)), shown(rows_of(after.statements))
    if not is_that_edit(was, now, shown(trial.gone), shown(trial.come)):
        return f"changed {difference(was, now)} instead of {trial.gone, trial.come}"
    if len(_unread(after)) > len(_unread(tree)):
        return f"left unread: {_unread(after)}"
    return _trivia(tree, after, trial) or _repeated(tree, after, trial)


def _unread(tree: Tree) -> list[str]:
    """What is wrong with a file; that its lines end as its daemon does not like is left out, for new lines end alike."""
    problems = [each.problem for each in tree.unread() if each.problem is not None]
    return [problem.message for problem in problems if problem.span.chars != "\r"]


def _trivia(before: Tree, after: Tree, trial: Trial) -> str | None:
    if _newlines(before) and len(_newlines(before)) == 1 and _newlines(after) - _newlines(before):
        return "the newline style is another one"
    lost = _comments(before) - _comments(after)
    if lost and not trial.cuts:
        return f"comments are lost: {list(lost)}"
    return None


def _newlines(tree: Tree) -> set[str]:
    chars = tree.text.chars
    crlf = chars.count("\r\n")
    return {style for style, count in (("\r\n", crlf), ("\n", chars.count("\n") - crlf)) if count}


def _comments(tree: Tree) -> Counter[str]:
    """The words of all comments."""
    return Counter(word for gap in gaps(tree) for word in gap.chars.replace("#", " ").replace("\\", " ").split())


def _repeated(before: Tree, after: Tree, trial: Trial) -> str | None:
    if trial.again is not None:
        again = trial.again(after)
        if again != ():
            return f"done again it edits: {again}"
    if trial.undo is not None:
        undone = trial.undo(after)
        if undone is None or apply(after.text.chars, undone) != before.text.chars:
            return f"undone it is not what it was: {undone}"
    return None


@dataclass
class Tally:
    """Edits tried on one language's files."""

    tried: int = 0
    held: int = 0
    refused: int = 0
    wrong: list[str] | None = None

    def add(self, language: Language, tree: Tree, trial: Trial) -> None:
        """Try one."""
        if not trial.edits:
            self.refused += trial.edits is None
            return
        self.tried += 1
        found = fault(language, tree, trial)
        if found is None:
            self.held += 1
        else:
            self.wrong = self.wrong or []
            self.wrong.append(f"{tree.text.path}: {trial.what}: {found}: {trial.edits}")
