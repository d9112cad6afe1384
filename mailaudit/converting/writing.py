"""What a conversion writes down as it goes: edits of the files, what it cannot say in 2.4, what it leaves out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

from mailaudit.converting.locations import Unsaid
from mailaudit.converting.variables import UnknownVariable, replacements
from mailaudit.editing import dovecot as editing
from mailaudit.editing.style import Unwritable, line_begin, line_end, newline_at
from mailaudit.edits import Edit, indent_of
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.parsers.tree import Statement
from mailaudit.text import Span, Text

STEP = "  "
_SPACED = re.compile(r"^(\t*[^\s={}]+) = ")
_STEP_AT = re.compile(r"^([ \t]+)[^\s#]", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Left:
    """What 2.4 cannot be told in the same place: where it stands, why, and what to do."""

    span: Span
    why: str
    todo: str

    @property
    def where(self) -> str:
        """File, line and column."""
        return where(self.span)

    def __str__(self) -> str:
        return f"{self.where}: {self.why}; {self.todo}"


@dataclass(frozen=True, slots=True)
class Note:
    """What was left out or taken for granted, and why it does no harm."""

    span: Span
    what: str

    @property
    def where(self) -> str:
        """File, line and column."""
        return where(self.span)

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def where(span: Span) -> str:
    """`/etc/dovecot/dovecot.conf:12:3`, counted from 1."""
    line, column = span.text.position(span.start)
    return f"{span.path}:{line}:{column}"


@dataclass
class Work:
    """A conversion in the making; `read` gives the text of another file, None if it is not at hand."""

    config: DovecotConfig
    read: Callable[[str], Text | None]
    edits: dict[str, list[Edit]] = field(default_factory=dict)
    left: list[Left] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    secrets: list[tuple[str, str]] = field(default_factory=list)
    allows_weak: bool = False  # passwords of weak schemes are used

    def edit(self, edits: Iterable[Edit] | None) -> None:
        """Take edits in."""
        for each in edits or ():
            self.edits.setdefault(each.path, []).append(each)

    def leave(self, span: Span, why: str, todo: str) -> None:
        """Say that something cannot be converted."""
        self.left.append(Left(span, why, todo))

    def note(self, span: Span, what: str) -> None:
        """Say what else was decided."""
        self.notes.append(Note(span, what))

    @contextmanager
    def naming(self, span: Span, todo: str) -> Iterator[None]:
        """Name what cannot be said in 2.4, where it stands, and what is to be done about it."""
        try:
            yield
        except UnknownVariable as error:
            self.leave(span, f"2.4 has no variable {error}", "write the value with variables of 2.4")
        except (Unsaid, Unwritable) as error:
            self.leave(span, str(error), todo)

    # Statements

    def rename(self, statement: Statement, new: str) -> None:
        """Write another name before the `=`."""
        key = statement.tokens[0]
        self.edit((Edit(key.text.path, key.start, key.end, new),))

    def value(self, statement: Statement, value: str, *, from_file: bool = False) -> None:
        """Write another value behind the `=`."""
        with self.naming(statement.span, "write it by hand"):
            self.edit(editing.replace_value(statement, value, from_file=from_file))

    def template(self, statement: Statement, letters: dict[str, str]) -> None:
        """Write the variables of a value anew, each in its place."""
        with self.naming(statement.span, ""):
            self.edit(
                [
                    Edit(token.text.path, token.start + start, token.start + end, new)
                    for token in statement.tokens[2:]
                    for start, end, new in replacements(token.text.chars[token.start : token.end], letters)
                ]
            )

    def lines(self, statement: Statement, lines: Sequence[str]) -> None:
        """Write lines in the place of a setting; each tab they begin with is a level of indentation."""
        if not lines:
            self.remove(statement)
            return
        span = statement.whole
        text = span.text
        newline = newline_at(text, text.line_span(span.start)[1])
        indent = indent_of(text, span.start)
        step = step_of(text)
        if is_tight(statement):
            lines = [_SPACED.sub(r"\1=", line) for line in lines]
        shown = [re.sub(r"^\t+", lambda tabs: step * len(tabs[0]), line) for line in lines]
        self.edit((Edit(text.path, span.start, span.end, (newline + indent).join([*_comments_in(statement), *shown])),))

    def remove(self, statement: Statement) -> None:
        """Take a statement out, with its line; a comment behind it stays, as a line of its own."""
        span = statement.whole
        text = span.text
        begin, end = line_begin(text, editing.STYLE, span.start), line_end(text, editing.STYLE, span.end)
        if begin is None or end is None or _comments_in(statement):
            self.edit((Edit(text.path, span.start, span.end, "\n".join(_comments_in(statement))),))
            return
        rest = text.chars[span.end : end]
        if "#" in rest:
            self.edit((Edit(text.path, span.start, span.end + rest.index("#"), ""),))
        else:
            self.edit((Edit(text.path, begin, end, ""),))

    def drop(self, statement: Statement, why: str) -> None:
        """Make a comment of a statement that says nothing in 2.4."""
        edits = editing.comment_out(statement)
        if edits is None:
            self.remove(statement)
        else:
            self.edit(edits)
        self.note(statement.span, why)


def is_tight(statement: Statement) -> bool:
    """True for a setting without a blank before its `=`."""
    return statement.kind == "setting" and statement.tokens[0].end == statement.tokens[1].start


def unwrapped(section: Statement) -> list[Edit]:
    """The edits that take a section's first line and its brace away, and the indentation of what is left."""
    text = section.text
    first, last = section.tokens[0], section.close[-1] if section.close else section.tokens[-1]
    edits: list[Edit] = []
    for start, end in ((first.start, section.tokens[-1].end), (last.start, last.end)):
        begin, stop = line_begin(text, editing.STYLE, start), line_end(text, editing.STYLE, end)
        rest = text.chars[end:stop] if stop is not None else ""
        if begin is None or stop is None:
            edits.append(Edit(text.path, start, end, ""))
        elif "#" in rest:
            edits.append(Edit(text.path, start, end + rest.index("#"), ""))
        else:
            edits.append(Edit(text.path, begin, stop, ""))
    outer = indent_of(text, first.start)
    at = text.line_span(section.tokens[-1].end)[1]
    inner = _inner(text, at, last.start, outer)
    while at < text.line_span(last.start)[0]:
        if inner and text.chars.startswith(outer + inner, at):
            edits.append(Edit(text.path, at + len(outer), at + len(outer) + len(inner), ""))
        at = text.line_span(at)[1]
    return edits


def _inner(text: Text, start: int, end: int, outer: str) -> str:
    """The blanks by which the first line in a section is further in than the section."""
    for line in text.chars[start:end].splitlines():
        bare = line.lstrip(" \t")
        if bare:
            return line[len(outer) : len(line) - len(bare)] if line.startswith(outer) else ""
    return ""


@lru_cache(maxsize=64)
def step_of(text: Text) -> str:
    """One level of indentation, as the file has it."""
    depths = [match[1] for match in _STEP_AT.finditer(text.chars)]
    return min(depths, key=len) if depths else STEP


def _comments_in(statement: Statement) -> list[str]:
    """The comments between the first and the last token of a statement."""
    span = statement.whole
    text = span.text
    tokens = [token for each in statement.walk() for token in (*each.tokens, *each.close)]
    tokens.sort(key=lambda token: token.start)
    found = []
    at = span.start
    for token in tokens:
        found += [line[line.index("#") :].rstrip() for line in text.chars[at : token.start].split("\n") if "#" in line]
        at = max(at, token.end)
        if token.text is text and "\n" in text.chars[token.start : token.end] and token.kind not in ("heredoc", "string"):
            for line in text.chars[token.start : token.end].split("\n")[1:]:
                found += [line.strip()] if line.lstrip().startswith("#") else []
    return found


def in_inbox(work: Work, mailboxes: Iterable[tuple[str, Sequence[str]]]) -> list[str]:
    """Settings of mailboxes, in the namespace of the inbox; they are named whole, with the namespace's prefix."""
    inbox = work.config.inbox
    prefix = inbox.settings["prefix"].value if inbox is not None and "prefix" in inbox.settings else ""
    name = inbox.name if inbox is not None and inbox.name else "inbox"
    sections = [line for mailbox, lines in mailboxes for line in block(named("mailbox", mailbox.removeprefix(prefix)), lines)]
    return block(named("namespace", name), sections if inbox is not None else ["inbox = yes", *sections])


def assign(key: str, value: str) -> str:
    """`key = value`, in quotes where it must be. Raises `Unwritable`."""
    return f"{key} = {editing.write(value)}" if value else f"{key} ="


def block(header: str, lines: Iterable[str]) -> list[str]:
    """A section's lines."""
    return [f"{header} {{", *(f"\t{line}" for line in lines), "}"]


@dataclass
class Names:
    """Names that were given: each only once."""

    taken: set[str] = field(default_factory=set)
    last: dict[str, int] = field(default_factory=dict)

    def give(self, wanted: str) -> str:
        """A name that was not given yet: the wanted one, or that with a number behind it."""
        number = self.last.get(wanted, 0) + 1
        name = wanted if number == 1 else f"{wanted}{number}"
        while name in self.taken:
            number += 1
            name = f"{wanted}{number}"
        self.last[wanted] = number
        self.taken.add(name)
        return name


def named(type_: str, name: str) -> str:
    """A section's first words, its name in quotes where it needs them."""
    return (
        f"{type_} {name}"
        if re.fullmatch(r"[^\s={}\"#'<\\]+", name)
        else '{} "{}"'.format(type_, name.replace("\\", "\\\\").replace('"', '\\"'))
    )
