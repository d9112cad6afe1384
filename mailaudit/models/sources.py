"""What models are read from: a snapshot's answers as texts and trees, and the questions that reading them raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from operator import is_
from typing import Concatenate, Generic, ParamSpec, TypeVar, cast

from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import Problem, Tree
from mailaudit.questions import (
    Absent,
    Answer,
    Failed,
    Found,
    ListFiles,
    Question,
    ReadFile,
    Reason,
    Stat,
    StatFile,
)
from mailaudit.snapshot import Snapshot
from mailaudit.text import Span, Text

P = ParamSpec("P")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Known(Generic[T_co]):
    """A model that could be read."""

    value: T_co


@dataclass(frozen=True, slots=True)
class Missing:
    """The file that a model is made of is not there, though other files of its daemon are, or a record says so."""

    path: str


@dataclass(frozen=True, slots=True)
class Lacking:
    """A model could not be made, and why."""

    reason: Reason
    detail: str
    path: str = ""


@dataclass(frozen=True, slots=True)
class NotHere:
    """Nothing of this daemon is in the target."""

    why: str


Slot = Known[T_co] | Missing | Lacking | NotHere


@dataclass(frozen=True, eq=False)
class Model:
    """What every model that is read from files has.

    `refusals` are the places that the daemon itself refuses, by grammar or by meaning, in reading order; `assumed` names the
    stock values that stood in for missing evidence; `secrets` are pairs of kind and value that no report may show.
    """

    trees: tuple[Tree, ...] = field(default=(), kw_only=True, repr=False)
    refusals: tuple[Problem, ...] = field(default=(), kw_only=True)
    assumed: tuple[str, ...] = field(default=(), kw_only=True)
    secrets: tuple[tuple[str, str], ...] = field(default=(), kw_only=True, repr=False)

    @cached_property
    def refused_at(self) -> Mapping[str, frozenset[Span]]:
        """The places of the refusals, by path."""
        places: dict[str, set[Span]] = {}
        for problem in self.refusals:
            places.setdefault(problem.span.path, set()).add(problem.span)
        return {path: frozenset(spans) for path, spans in places.items()}

    @cached_property
    def not_read(self) -> list[Problem]:
        """What the daemon would read and mailaudit could not, and what an open quote or bracket may have swallowed."""
        problems = (statement.problem for tree in self.trees for statement in tree.unread())
        return [problem for problem in problems if problem is not None and problem.hides]


def refused_statements(trees: Iterable[Tree]) -> tuple[Problem, ...]:
    """The problems of statements that the daemon refuses, in reading order."""
    problems = (statement.problem for tree in trees for statement in tree.unread())
    return tuple(problem for problem in problems if problem is not None and problem.refused)


def all_trees(tree: Tree) -> tuple[Tree, ...]:
    """A tree and all those it includes."""
    found = [tree]
    for included in tree.included:
        if included.tree is not None:
            found += all_trees(included.tree)
    return tuple(found)


@dataclass(frozen=True, eq=False)
class Remembered:
    """A model, the arguments and answers it was made from, and what its reading found out on the way."""

    model: object
    arguments: tuple[object, ...]
    answers: Mapping[Question, Answer | None]
    wanted: frozenset[Question]
    read: Mapping[str, tuple[str, Tree | Answer]]

    def still_holds(self, snapshot: Snapshot, arguments: tuple[object, ...]) -> bool:
        """True if the snapshot answers all that was asked as before."""
        return all(map(is_, self.arguments, arguments)) and all(
            snapshot.answer(question) is answer for question, answer in self.answers.items()
        )


@dataclass
class Shelf:
    """What has been read so far: over all waves and rounds a file is parsed once, and a model made anew only for new answers."""

    trees: dict[tuple[str, Text], Tree] = field(default_factory=dict)
    models: dict[str, Remembered] = field(default_factory=dict)


@dataclass
class Sources:
    """A snapshot as models read it. Whatever a model asks for and the snapshot has no answer to is noted in `wanted`."""

    snapshot: Snapshot
    shelf: Shelf = field(default_factory=Shelf)
    wanted: set[Question] = field(default_factory=set)
    read: dict[str, tuple[str, Tree | Answer]] = field(default_factory=dict)
    asked: dict[Question, Answer | None] = field(default_factory=dict)

    def make(self, reader: Callable[Concatenate[Sources, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The model that a reader makes of the sources, or the one it made before if all answers to it are the same."""
        arguments = (*args, *kwargs.values())
        known = self.shelf.models.get(reader.__name__)
        if known is None or not known.still_holds(self.snapshot, arguments):
            inner = Sources(self.snapshot, self.shelf)
            model: object = reader(inner, *args, **kwargs)
            known = Remembered(model, arguments, inner.asked, frozenset(inner.wanted), inner.read)
            self.shelf.models[reader.__name__] = known
        self.asked.update(known.answers)
        self.wanted.update(known.wanted)
        self.read.update(known.read)
        return cast("T", known.model)

    def ask(self, question: Question) -> Answer:
        """The answer to any question; `not-recorded` where it is still to be asked."""
        answer = self.asked[question] = self.snapshot.ask(question)
        if answer is None:
            self.wanted.add(question)
            return Failed(Reason.NOT_RECORDED, f"{question} was not recorded")
        return answer

    def file(self, path: str) -> Text | Absent | Failed:
        """A file's text."""
        answer = self.ask(ReadFile(path))
        if isinstance(answer, Found):
            assert isinstance(answer.value, bytes)
            return Text(path, answer.value)
        return answer

    def tree(self, path: str, language: str) -> Tree | Absent | Failed:
        """A file's tree, files it includes too. What was read, or not, is remembered for the report's coverage."""
        text = self.file(path)
        if not isinstance(text, Text):
            self.read[path] = (language, text)
            return text
        before = len(self.wanted)
        known = self.shelf.trees.get((language, text))
        if known is not None and not known.included:
            tree = known
        else:
            tree = LANGUAGES[language].parse(text, self.include)
            if len(self.wanted) == before:
                self.shelf.trees[language, text] = tree
        for each in all_trees(tree):
            self.read[each.text.path] = (language, each)
        return tree

    def include(self, path: str) -> Text | None:
        """The text of an included file, asked for if it is not known yet; None where there is none."""
        text = self.file(path)
        return text if isinstance(text, Text) else None

    def stat(self, path: str) -> Stat | Absent | Failed:
        """A path's metadata."""
        answer = self.ask(StatFile(path))
        if isinstance(answer, Found):
            assert isinstance(answer.value, Stat)
            return answer.value
        return answer

    def list(self, pattern: str) -> tuple[str, ...] | Failed:
        """The paths that match a glob."""
        answer = self.ask(ListFiles(pattern))
        if isinstance(answer, Found):
            assert isinstance(answer.value, tuple)
            return answer.value
        return answer if isinstance(answer, Failed) else ()

    def slot(self, path: str, found: Tree | Absent | Failed, daemon_files: tuple[str, ...]) -> Slot[Tree]:
        """What stands for a model's root file: its tree, or why there is none (contract, section 3, "absent or not recorded")."""
        if isinstance(found, Tree):
            return Known(found)
        if isinstance(found, Failed):
            return Lacking(found.reason, found.detail, path)
        if self.snapshot.recorded or any(self.list(pattern) for pattern in daemon_files):
            return Missing(path)
        return NotHere(f"nothing of {path} and its kin is in the target")
