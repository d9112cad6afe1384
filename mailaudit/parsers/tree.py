"""The lossless tree: tokens, statements and nodes are spans into unchanged text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

from mailaudit.text import Span, Text, encode


class Token:
    """One token: its kind, its value as the daemon sees it, and the characters it was written as.

    `kind` is `word`, `string`, `number`, `macro`, `bad`, a punctuation mark or a bare keyword itself. A token that came out of
    a macro has the span of its characters in the macro's definition, and in `via` the places where macros were used, outermost
    first.
    """

    __slots__ = ("end", "kind", "start", "text", "value", "via")

    def __init__(  # noqa: PLR0913, PLR0917  made by the hundred thousand: no builder, no dataclass
        self, kind: str, value: str, text: Text, start: int, end: int, via: tuple[Span, ...] = ()
    ) -> None:
        self.kind = kind
        self.value = value
        self.text = text
        self.start = start
        self.end = end
        self.via = via

    @property
    def span(self) -> Span:
        """Its written characters."""
        return Span(self.text, self.start, self.end)

    @property
    def place(self) -> Span:
        """Where the daemon meets it: where the macro is used that it came out of, else its written characters."""
        return self.via[0] if self.via else self.span

    @property
    def is_string(self) -> bool:
        """True for a bare word or a quoted string: what parse.y calls STRING."""
        return self.kind in ("word", "string")

    def __repr__(self) -> str:
        return f"Token({self.kind!r}, {self.value!r}, {self.start}, {self.end})"


class Template:
    """What a grammar made of a shape: a kind, and children that are token numbers or further templates."""

    __slots__ = ("kind", "parts")

    def __init__(self, kind: str, parts: tuple[int | range | Template, ...]) -> None:
        self.kind = kind
        self.parts = parts


class Node:
    """A reading of a statement: a template laid over its tokens. Children are found by kind, never by position."""

    __slots__ = ("template", "tokens")

    def __init__(self, template: Template, tokens: tuple[Token, ...]) -> None:
        self.template = template
        self.tokens = tokens

    @property
    def kind(self) -> str:
        """The kind, as the grammar named it."""
        return self.template.kind

    def __iter__(self) -> Iterator[Node | Token]:
        for part in self.template.parts:
            if isinstance(part, int):
                yield self.tokens[part]
            elif isinstance(part, Template):
                yield Node(part, self.tokens)
            else:
                yield from (self.tokens[number] for number in part)

    def nodes(self, kind: str) -> list[Node]:
        """The children of a kind, in order."""
        return [Node(part, self.tokens) for part in self.template.parts if isinstance(part, Template) and part.kind == kind]

    def node(self, kind: str) -> Node | None:
        """The first child of a kind."""
        for part in self.template.parts:
            if isinstance(part, Template) and part.kind == kind:
                return Node(part, self.tokens)
        return None

    def leaves(self) -> list[Token]:
        """The tokens directly below, in order."""
        return [child for child in self if isinstance(child, Token)]

    def all_leaves(self) -> list[Token]:
        """All tokens below, in order."""
        found: list[Token] = []
        for child in self:
            if isinstance(child, Token):
                found.append(child)
            else:
                found += child.all_leaves()
        return found

    @property
    def first(self) -> Token:
        """The first token directly below."""
        return self.leaves()[0]

    def has(self, kind: str) -> bool:
        """True if a token of this kind is directly below."""
        return any(token.kind == kind for token in self.leaves())

    def __repr__(self) -> str:
        return f"Node({self.kind!r}, {list(self)!r})"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a statement was not read: a message for people, the place, and whether the daemon refuses it too.

    `mend`, where it is plain what was meant, is the text that would stand at `span`. `swallows` is a quote or a bracket that is
    never closed: where its statement was to end, and so what the lines behind it mean, is not known.
    """

    message: str
    span: Span
    refused: bool = True
    mend: str | None = None
    swallows: bool = False

    @property
    def hides(self) -> bool:
        """True if something may be there that was not read."""
        return self.swallows or not self.refused


def has_open_quote(tokens: Iterable[Token]) -> bool:
    """True if a quote is never closed, or only by the one that was to open the next string, lines below."""
    return any(_is_open_quote(token) for token in tokens)


def _is_open_quote(token: Token) -> bool:
    if token.via or token.kind not in ("bad", "string") or token.text.chars[token.start : token.start + 1] not in ("'", '"'):
        return False
    return token.kind == "bad" or "\n" in token.span.chars.replace("\\\n", "")


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as written. A block has a body of statements and the tokens that close it.

    `tokens` are the written tokens. `seen` are those the grammar read: the same ones, or what macros made of them.
    `template` is what the grammar made of `seen`; without it the statement is `unread` and `problem` says why.
    """

    kind: str
    tokens: tuple[Token, ...]
    seen: tuple[Token, ...] = ()
    template: Template | None = None
    problem: Problem | None = None
    body: tuple[Statement, ...] = ()
    close: tuple[Token, ...] = ()
    is_block: bool = False

    @property
    def node(self) -> Node:
        """The reading; only for statements that were read."""
        if self.template is None:
            raise LookupError(f"statement was not read: {self.span.chars!r}")
        return Node(self.template, self.seen)

    @property
    def is_written(self) -> bool:
        """True if it has tokens of its own."""
        return bool(self.tokens)

    @property
    def text(self) -> Text:
        """The file that it stands in."""
        return self.tokens[0].text

    @property
    def span(self) -> Span:
        """From its first to its last written token, body and close not counted."""
        return Span(self.tokens[0].text, self.tokens[0].start, self.tokens[-1].end)

    @property
    def whole(self) -> Span:
        """From its first token to the last of its body and close."""
        last = self.close[-1] if self.close else (self.body[-1].whole if self.body else self.tokens[-1])
        return Span(self.tokens[0].text, self.tokens[0].start, last.end)

    @property
    def end(self) -> Span:
        """Where the daemon is done with it: the token that closes its body, else all of it."""
        return self.close[-1].span if self.close else self.span

    @property
    def unread(self) -> bool:
        """True if no grammar read it."""
        return self.kind == "unread"

    def walk(self) -> Iterator[Statement]:
        """Itself and all statements below."""
        yield self
        for child in self.body:
            yield from child.walk()


@dataclass(frozen=True)
class Tree:
    """One file as read. `included` holds the trees of files that its include statements named, in the order met."""

    language: str
    text: Text
    statements: tuple[Statement, ...]
    included: tuple[Included, ...] = ()

    def walk(self) -> Iterator[Statement]:
        """All statements, blocks before their bodies; included files are not entered."""
        for statement in self.statements:
            yield from statement.walk()

    def unread(self) -> tuple[Statement, ...]:
        """The statements that were not read, those that the daemon refuses too among them."""
        return self._unread

    @cached_property
    def _unread(self) -> tuple[Statement, ...]:  # every rule asks
        return tuple(statement for statement in self.walk() if statement.problem is not None)


@dataclass(frozen=True, slots=True)
class Included:
    """An include statement's file: its tree, or why there is none."""

    path: str
    at: Span
    tree: Tree | None = None
    why: str = ""


Include = Callable[[str], Text | None]
"""Gives the text of an included file by its path on the host, or None if it is not (yet) known."""


def nothing(_path: str) -> Text | None:
    """An `Include` that knows no file."""
    return None


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its name, its parser, what may stand between tokens, and the files that are written in it."""

    name: str
    parse: Callable[[Text, Include], Tree]
    trivia: re.Pattern[str]
    paths: tuple[str, ...] = field(default=())


def written(tree: Tree) -> Iterator[Token]:
    """All written tokens of a file in order."""

    def of(statement: Statement) -> Iterator[Token]:
        yield from statement.tokens
        for child in statement.body:
            yield from of(child)
        yield from statement.close

    for statement in tree.statements:
        yield from of(statement)


def gaps(tree: Tree) -> Iterator[Span]:
    """What stands between the tokens: blanks, comments and continuations, nothing else (law 3)."""
    at = 0
    for token in written(tree):
        if token.start < at:
            raise ValueError(f"tokens overlap at character {token.start} of {tree.text.path}")
        yield Span(tree.text, at, token.start)
        at = token.end
    yield Span(tree.text, at, len(tree.text.chars))


def render(tree: Tree) -> bytes:
    """The bytes of the file again, from tokens and gaps."""
    chars = tree.text.chars
    parts: list[str] = []
    at = 0
    for token in written(tree):
        parts += (chars[at : token.start], chars[token.start : token.end])
        at = token.end
    return encode("".join((*parts, chars[at:])))
