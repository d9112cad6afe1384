"""What becomes of a model when a file that its file includes is not there, or could not be looked at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from mailaudit.models.sources import Model, Sources
from mailaudit.parsers.tree import Problem, Tree
from mailaudit.questions import Absent, Failed, Reason


@dataclass(frozen=True, eq=False)
class WithIncludes(Model):
    """A model of a language with includes; `unknown` are the includes whose files could not be looked at."""

    unknown: tuple[Problem, ...] = field(default=(), kw_only=True)

    @property
    def not_read(self) -> list[Problem]:
        """What the daemon would read and mailaudit could not."""
        return [*super().not_read, *self.unknown]


Including = TypeVar("Including", bound=WithIncludes)


def missing_includes(model: Including, sources: Sources, stock: frozenset[str] = frozenset()) -> Including:
    """The model, with a refusal for each include of a file that is not there, as the daemon has it.

    `stock` are files that the system brings along: where nothing is known of one, it is assumed to be as it was shipped.
    """
    refused: list[Problem] = []
    unknown: list[Problem] = []
    assumed: list[str] = []
    for tree in model.trees:
        for included in tree.included:
            if included.tree is not None:
                continue
            found = sources.file(included.path)
            if isinstance(found, Failed) and found.reason is Reason.NOT_RECORDED and included.path in stock:
                assumed.append(f"{included.path} as the system brings it")
            elif isinstance(found, Absent):
                refused.append(Problem(f"{included.path} is not there", included.at))
            else:
                unknown.append(Problem(f"{included.path} could not be read", included.at, refused=False))
    refusals = in_reading_order(model.trees, (*model.refusals, *refused))
    return replace(model, refusals=refusals, unknown=(*model.unknown, *unknown), assumed=(*model.assumed, *assumed))


def in_reading_order(trees: Iterable[Tree], problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """Problems by file, in the order the files were met, and by place."""
    files = {tree.text.path: number for number, tree in reversed(list(enumerate(trees)))}
    return tuple(sorted(problems, key=lambda problem: (files.get(problem.span.path, len(files)), problem.span.start)))
