"""The statements of a configuration with includes, in the order in which its daemon comes to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mailaudit.models.sources import Sources
from mailaudit.parsers.tree import Problem, Statement, Token, Tree
from mailaudit.questions import Absent, Failed

_DEEPEST = 16  # files that include one another in a row
_MOST = 256  # files in all
_WILD = frozenset("*?[")


@dataclass
class Visits:
    """The trees in the order they were met, and what is wrong with the includes.

    `whole` gives the path or pattern that an include's word means; `must` is true where a file that is not there is
    refused, patterns excepted. `refused` are the includes that the daemon refuses, `unknown` those that could not be looked at.
    """

    sources: Sources
    language: str
    whole: Callable[[str], str]
    must: bool
    trees: list[Tree] = field(default_factory=list)
    refused: list[Problem] = field(default_factory=list)
    unknown: list[Problem] = field(default_factory=list)

    def of(self, tree: Tree, depth: int = 0) -> Iterator[tuple[Statement, tuple[Statement, ...]]]:
        """Each statement that is no include, with the blocks that are open around it, outermost first."""
        self.trees.append(tree)
        yield from self._of(tree.statements, (), depth)

    def _of(
        self, statements: tuple[Statement, ...], within: tuple[Statement, ...], depth: int
    ) -> Iterator[tuple[Statement, tuple[Statement, ...]]]:
        for statement in statements:
            if statement.kind == "include":
                for word in statement.node.leaves()[1:]:
                    yield from self._include(word, within, depth)
                continue
            yield statement, within
            if statement.is_block:
                yield from self._of(statement.body, (*within, statement), depth)

    def _include(
        self, word: Token, within: tuple[Statement, ...], depth: int
    ) -> Iterator[tuple[Statement, tuple[Statement, ...]]]:
        if depth >= _DEEPEST:
            self.refused.append(Problem("files include one another too deeply", word.span))
            return
        path = self.whole(word.value)
        if not path.startswith("/") or len(self.trees) >= _MOST:
            why = "too many files are included" if path.startswith("/") else "it is relative to where the daemon is started"
            self.unknown.append(Problem(f"{path} is not read: {why}", word.span, refused=False))
            return
        paths: tuple[str, ...] | Failed = (path,)
        if _WILD & set(path):
            paths = self.sources.list(path)
        if isinstance(paths, Failed):
            self.unknown.append(Problem(f"which files {path} matches is not known", word.span, refused=False))
            return
        for each in paths:
            found = self.sources.tree(each, self.language)
            if isinstance(found, Tree):
                self.trees.append(found)
                yield from self._of(found.statements, within, depth + 1)
            elif isinstance(found, Absent):
                if self.must:
                    self.refused.append(Problem(f"{each} is not there", word.span))
            else:
                self.unknown.append(Problem(f"{each} could not be read", word.span, refused=False))
