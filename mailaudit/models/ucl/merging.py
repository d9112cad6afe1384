"""How libucl merges values of one name: by the including file's strategy, and by priorities.

Source: ucl_parser_process_object_element() and ucl_expand_variable() in libucl's ucl_parser.c.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from mailaudit.models.ucl.templates import by_default
from mailaudit.models.ucl.values import STRINGS, Value
from mailaudit.parsers import ucl_values
from mailaudit.parsers.tree import Problem, Statement, Token, Tree
from mailaudit.text import Span, Text

STRATEGIES = ("append", "merge", "rewrite", "error")


class Files(Protocol):
    """Where includes lead."""

    def tree(self, path: str) -> Tree | str:
        """A file's tree; a word says why there is none: `absent`, or that it could not be read."""

    def text(self, path: str) -> Text | None:
        """A file's text, for `.load`."""

    def matches(self, pattern: str) -> tuple[str, ...]:
        """The paths that match a glob, in order."""


@dataclass(slots=True)
class Chunk:
    """A file as it is included: what its values weigh, and what becomes of names that are there already."""

    path: str
    priority: int = 0
    strategy: str = "append"
    depth: int = 1


@dataclass(slots=True)
class Frame:
    """Statements that are being carried out, and the object or array that they go into."""

    statements: Iterator[Statement]
    into: Value
    chunk: Chunk


class Merging:
    """An object in the making.

    `problems` are what libucl refuses beyond grammar, and what could not be looked at; `trees` the files that went in.
    """

    def __init__(self, files: Files, variables: Mapping[str, str]) -> None:
        self.files = files
        self.variables = dict(variables)
        self.root = Value("object")
        self.problems: list[Problem] = []
        self.trees: dict[str, Tree] = {}
        self.frames: list[Frame] = []
        self.included = 0

    def refuse(self, message: str, span: Span, *, refused: bool = True) -> None:
        """Note what libucl refuses, or what could not be looked at."""
        self.problems.append(Problem(message, span, refused))

    def push(self, tree: Tree, into: Value, chunk: Chunk) -> None:
        """Carry out a file's statements next, and then go on with those that are at hand."""
        self.trees.setdefault(tree.text.path, tree)
        self.frames.append(Frame(iter(tree.statements), into, chunk))

    def make(self, value: Value, kind: str, token: Token) -> bool:
        """Make an object or an array of a value; false if it is the other one already."""
        if value.kind in ("object", "array") and value.kind != kind:
            self.refuse("an object and an array cannot be merged", token.span)
            return False
        value.kind = kind
        value.scalar = None
        value.token = value.token or token
        return True

    def place(self, into: Value, key: Token, chunk: Chunk) -> Value:
        """The value under a name, by the file's strategy and the priorities."""
        new = Value(priority=chunk.priority, key=key)
        chain, owner = _found(into, key.value)
        if chain is None:
            into.members[key.value] = new.chain
            return new
        old = chain[0]
        if chunk.strategy == "error":
            self.refuse(f'"{key.value}" is there already', key.span)
        elif chunk.strategy == "merge" and old.kind in ("object", "array"):
            return old
        elif chunk.strategy == "rewrite" or old.inherited or old.priority < new.priority:
            new.before = [*reversed(chain), *old.before]
            owner.members[key.value] = new.chain
        elif old.priority == new.priority:
            chain.append(new)
            new.chain = chain
        else:
            old.before.append(new)
        return new

    def set(self, value: Value, token: Token, chunk: Chunk) -> None:
        """Give a value a scalar."""
        if value.kind in ("object", "array"):
            value.before.insert(0, value.copy())
            value.members, value.elements = {}, []
        value.token = token
        value.templated = by_default(token.value) is None
        value.kind, value.scalar = self.meaning(token, chunk.path)

    def meaning(self, token: Token, path: str) -> tuple[str, ucl_values.Scalar]:
        """The kind and the value of a scalar."""
        if token.kind in STRINGS:
            filled = by_default(token.value)
            found = _bare(filled) if token.kind == "word" and filled not in (None, token.value) else None
            written = token.value if filled is None else filled
            quoted = token.kind == "string" and token.text.chars.startswith("'", token.start)
            return found or ("string", written if quoted else self.expand(written, path))
        return _bare(token.value) or ("string", token.value)

    def expand(self, written: str, path: str) -> str:
        """A string with its variables expanded; `$$` is a dollar sign only where a variable is, too."""
        if "$" not in written:
            return written
        variables = {"FILENAME": path, "CURDIR": posixpath.dirname(path), **self.variables}
        parts: list[str] = []
        seen = False
        at = 0
        while (found := written.find("$", at)) >= 0 and found + 1 < len(written):
            parts.append(written[at:found])
            name, end = _variable(written, found + 1, variables)
            if name is not None:
                parts.append(variables[name])
                seen = True
            else:
                parts.append("$")
                end = found + (2 if written[found + 1] == "$" else 1)
            at = end
        return "".join((*parts, written[at:])) if seen else written


def _found(into: Value, name: str) -> tuple[list[Value] | None, Value]:
    """The values of a name in an object, or in those that follow it in an implicit array."""
    chain = into.members.get(name)
    if chain is None and into.chain[-1] is not into:
        after = into.chain[into.chain.index(into) + 1 :] if into in into.chain else []
        for sibling in after:
            if sibling.kind == "object" and name in sibling.members:
                return sibling.members[name], into
    return chain, into


def _bare(written: str) -> tuple[str, ucl_values.Scalar] | None:
    """The kind and the value of a number or a word that is no string."""
    try:
        found = ucl_values.number(written, 0)
    except ucl_values.OutOfRangeError:
        return None
    return (found.kind, found.value) if found is not None and found.end == len(written) else ucl_values.keyword(written)


def _variable(written: str, at: int, variables: Mapping[str, str]) -> tuple[str | None, int]:
    """The variable named behind a dollar sign, and the offset behind its name."""
    if written[at] == "{":
        end = written.find("}", at)
        name = written[at + 1 : end] if end > 0 else ""
        return (name, end + 1) if name in variables else (None, at)
    for name in variables:
        if written.startswith(name, at):
            return name, at + len(name)
    return None, at
