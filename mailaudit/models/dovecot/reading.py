"""Dovecot's statements in the order the daemon comes to them: through includes and globs, with the sections around them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailaudit.models.sources import Sources
from mailaudit.parsers.tree import Node, Problem, Statement, Token, Tree
from mailaudit.questions import Absent, Failed, Reason
from mailaudit.text import Span

MAIN = "/etc/dovecot/dovecot.conf"
LOCAL = "/etc/dovecot/local.conf"
PACKAGED = ("conf.d/*.conf", "local.conf")  # what the packaged dovecot.conf includes, in this order
DEEPEST = 32  # files that include one another in a row
MOST = 1000  # inclusions in all
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
    """A statement as the daemon comes to it.

    `within` are the sections that are open around it, outermost first; `via` the include statements that led to its file.
    """

    statement: Statement
    within: tuple[Statement, ...] = ()
    via: tuple[Statement, ...] = ()

    @property
    def node(self) -> Node:
        """The statement's reading."""
        return self.statement.node


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """A setting's value as the daemon takes it, and the statement that decided it.

    `statement` is None for a default; `token` is the written value, None where nothing is written. `before` is what was said
    before and is overridden. `from_file` is true for `<path`: the value is then the path. `within` are the first lines of the
    sections it stands in.
    """

    name: str
    value: str
    token: Token | None = None
    statement: Statement | None = None
    from_file: bool = False
    within: tuple[Statement, ...] = ()
    before: Setting | None = field(default=None, compare=False, repr=False)

    @property
    def overridden(self) -> Iterator[Setting]:
        """What it overrides, the last first."""
        at = self.before
        while at is not None:
            yield at
            at = at.before

    @property
    def is_default(self) -> bool:
        """True if no file sets it."""
        return self.statement is None

    @property
    def span(self) -> Span:
        """The written value, or the whole setting where the value is empty; only for settings that a file sets."""
        if self.statement is None:
            raise LookupError(f"{self.name} is a default")
        return self.token.span if self.token else self.statement.span


def name_of(statement: Statement) -> tuple[str, str]:
    """A section's type and name; the name is empty if it has none."""
    key, name = statement.node.node("key"), statement.node.node("name")
    return key.first.value if key else "group", name.first.value if name else ""


def key_of(statement: Statement) -> Token:
    """The name of a setting."""
    key = statement.node.node("key")
    assert key is not None
    return key.first


def value_of(statement: Statement) -> Token | None:
    """The value of a setting or the path of an include; None where nothing is written."""
    value = statement.node.node("value")
    return value.first if value else None


def parts_of(statement: Statement) -> tuple[Token, Token | None, bool]:
    """A setting's name, its value, and whether the value is a file's path; the quick way, for there are many."""
    tokens = statement.seen
    from_file = len(tokens) > 2 and tokens[2].kind == "<"
    return tokens[0], tokens[-1] if len(tokens) > 2 + from_file else None, from_file


@dataclass
class Reading:
    """All visits, the trees in the order they were met, and what is wrong with the includes.

    `refused` are includes that the daemon refuses, `unknown` those whose files could not be looked at. `absent` are the paths
    that `!include_try` named in vain.
    """

    sources: Sources
    visits: list[Visit] = field(default_factory=list)
    trees: dict[str, Tree] = field(default_factory=dict)
    refused: list[Problem] = field(default_factory=list)
    unknown: list[Problem] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    unrecorded: list[str] = field(default_factory=list)
    inclusions: int = 0
    waiting: list[tuple[dict[str, int], int]] = field(default_factory=list)  # files that are still to come, by their places

    def tree(self, tree: Tree, within: tuple[Statement, ...] = (), via: tuple[Statement, ...] = ()) -> None:
        """Come to all statements of a file."""
        self.trees.setdefault(tree.text.path, tree)
        self._statements(tree.statements, within, via)

    def packaged(self) -> None:
        """Come to the files that the packaged dovecot.conf includes, where that file itself is not at hand."""
        for pattern in PACKAGED:
            found = self._matches(posixpath.join(posixpath.dirname(MAIN), pattern))
            for path in found if isinstance(found, list) else ():
                tree = self.sources.tree(path, "dovecot")
                if isinstance(tree, Tree):
                    self.tree(tree)

    def _statements(self, statements: tuple[Statement, ...], within: tuple[Statement, ...], via: tuple[Statement, ...]) -> None:
        for statement in statements:
            if statement.template is None:
                continue
            if statement.kind == "include":
                self._include(statement, within, via)
                continue
            self.visits.append(Visit(statement, within, via))
            if statement.is_block:
                self._statements(statement.body, (*within, statement), via)

    def _include(self, statement: Statement, within: tuple[Statement, ...], via: tuple[Statement, ...]) -> None:
        path = value_of(statement)
        if path is None:  # the daemon opens the directory, and reads nothing of it
            return
        must = statement.node.has("!include")
        here = statement.tokens[0].text.path
        pattern = posixpath.normpath(posixpath.join(posixpath.dirname(here), path.value))
        found = self._matches(pattern)
        if isinstance(found, Failed) and not must and found.reason is Reason.NOT_RECORDED and not pattern.startswith("/etc/"):
            self.unrecorded.append(pattern)
            return
        if isinstance(found, Failed):
            self.unknown.append(Problem(f"what {pattern} matches could not be looked at", path.span, refused=False))
            return
        if not found:
            if must:
                self.refused.append(Problem(f"no file is there that {pattern} matches", path.span))
            else:
                self.absent.append(pattern)
        places = {each: number for number, each in enumerate(found)}
        for number, each in enumerate(found):
            self.waiting.append((places, number))
            self._file(each, path, within, (*via, statement))
            self.waiting.pop()

    def _file(self, path: str, at: Token, within: tuple[Statement, ...], via: tuple[Statement, ...]) -> None:
        self.inclusions += 1
        if path in {statement.tokens[0].text.path for statement in via}:
            self.refused.append(Problem(f"{path} includes itself", at.span))
        elif any(places.get(path, number) > number for places, number in self.waiting):
            self.refused.append(
                Problem(f"{path} is included as one of several files already, and its turn is still to come", at.span)
            )
        elif self.inclusions > MOST or len(via) > DEEPEST:
            self.unknown.append(Problem(f"{path} is not read: too many files are included", at.span, refused=False))
        else:
            tree = self.sources.tree(path, "dovecot")
            if isinstance(tree, Tree):
                self.tree(tree, within, via)
            elif isinstance(tree, Failed):
                self.unknown.append(Problem(f"{path} could not be read", at.span, refused=False))

    def _matches(self, pattern: str) -> list[str] | Failed:
        """The files that an include's pattern matches, as glob(3) with braces sorts them."""
        found: list[str] = []
        for each in _without_braces(pattern):
            if any(mark in each for mark in "*?["):
                listed = self.sources.list(each)
                if isinstance(listed, Failed):
                    return listed
                found += sorted(path for path in listed if _visible(path, each))
            else:
                text = self.sources.file(each)
                if isinstance(text, Failed):
                    self.sources.read[each] = ("dovecot", text)
                    return text
                if not isinstance(text, Absent):
                    found.append(each)
        return found


def _visible(path: str, pattern: str) -> bool:
    """A glob's star does not match a leading dot."""
    return not posixpath.basename(path).startswith(".") or posixpath.basename(pattern).startswith(".")


def _without_braces(pattern: str) -> Iterator[str]:
    braces = _BRACES.search(pattern)
    if braces is None or pattern.count("{") > 3:
        yield pattern
        return
    for each in braces[1].split(","):
        yield from _without_braces(pattern[: braces.start()] + each + pattern[braces.end() :])
