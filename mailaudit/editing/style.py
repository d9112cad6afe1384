"""How the files of a language are written: comments, line ends, indentation, the order of statements."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from mailaudit.edits import Edit, indent_of, newline_of
from mailaudit.parsers.tokens import BLANK, COMMENT
from mailaudit.parsers.tree import Language, Statement, Tree, nothing
from mailaudit.text import Text

Edits = tuple[Edit, ...]
NONE: Edits = ()
_BLANK_LINE = re.compile(r"\n[ \t\r]*\n")


class Unwritable(ValueError):  # noqa: N818  it says what the value is, not that something went wrong
    """A value that a language has no way to write, or words that are not one statement of it."""


@dataclass(frozen=True)
class Style:
    """What all files of a language have in common.

    `rest` matches what may stand behind a statement's last token: blanks, a comment, the end of the line; nothing else stands
    on that line then. `comments` begin a comment line. `joins` matches a line, without its newline, to which the next one is
    joined. `order` has the kinds of statements in the order in which they stand in a file. Where a last line without a newline
    is not read, the style `ends` every line that it writes.
    """

    language: Language
    rest: re.Pattern[str]
    comments: tuple[str, ...] = ("#",)
    joins: re.Pattern[str] | None = None
    indent: str = "\t"
    order: tuple[str, ...] = ()
    ends: bool = False


# The family of parse.y: a backslash joins lines even in a comment.
PARSE_Y_JOINS = re.compile(r"[^\n]*\\")
PARSE_Y_REST = re.compile(rf"{BLANK}*(?:{COMMENT})?(?:\n|\Z)")
# Files of one entry a line.
LINE_REST = re.compile(r"[ \t\r\v\f]*(?:#[^\n]*)?(?:\n|\Z)")


def line_end(text: Text, style: Style, at: int) -> int | None:
    """Where the line ends whose last token ends at an offset, behind its newline; None if another token stands on it."""
    found = style.rest.match(text.chars, at)
    return found.end() if found else None


def line_begin(text: Text, style: Style, at: int) -> int | None:
    """Where the line begins whose first token begins at an offset; None if another token stands before it, or a joined line."""
    start = text.chars.rfind("\n", 0, at) + 1
    if text.chars[start:at].strip(" \t\r\v\f") or is_joined(text, style, start):
        return None
    return start


def is_joined(text: Text, style: Style, start: int) -> bool:
    """True if the line that begins at an offset belongs to the line above it."""
    if style.joins is None or start == 0:
        return False
    above = text.chars.rfind("\n", 0, start - 1) + 1
    return style.joins.fullmatch(text.chars, above, start - 1) is not None


def is_joining(text: Text, style: Style) -> bool:
    """True if the last line of a file would be joined to one that came behind it."""
    chars = text.chars
    if chars.endswith("\n"):
        return is_joined(text, style, len(chars))
    return style.joins is not None and style.joins.fullmatch(chars, chars.rfind("\n") + 1) is not None


def comment_begin(text: Text, style: Style, start: int) -> int:
    """The start of the comment lines right above the line that begins at an offset; the same offset if there are none."""
    while start > 0:
        above = text.chars.rfind("\n", 0, start - 1) + 1
        if not text.chars[above:start].lstrip(" \t").startswith(style.comments) or is_joined(text, style, above):
            return start
        start = above
    return start


def newline_at(text: Text, end: int) -> str:
    """The newline style of the line that ends before an offset; that of the file if no newline ends it."""
    if text.chars[end - 1 : end] != "\n":
        return newline_of(text)
    return "\r\n" if text.chars[end - 2 : end - 1] == "\r" else "\n"


def is_blank_line(text: Text, start: int) -> bool:
    """True if the line that begins at an offset is there and holds only blanks."""
    end = text.chars.find("\n", start)
    return end >= 0 and not text.chars[start:end].strip(" \t\r")


def blank_above(text: Text, start: int) -> int | None:
    """The start of the blank line right above the line that begins at an offset, or None."""
    if start == 0:
        return None
    above = text.chars.rfind("\n", 0, start - 1) + 1
    return above if is_blank_line(text, above) else None


def has_blank_lines(text: Text) -> bool:
    """True if a blank line stands anywhere in a file."""
    return _BLANK_LINE.search(text.chars) is not None


def blanks_between(one: Statement, other: Statement) -> bool:
    """True if a blank line stands between two statements of one file."""
    before, after = one.whole, other.span
    return _BLANK_LINE.search(before.text.chars, before.end, after.start) is not None


def siblings(tree: Tree, statement: Statement) -> Sequence[Statement]:
    """The statements of the block that a statement stands in, itself among them."""
    return _siblings(tree.statements, statement) or tree.statements


def _siblings(among: tuple[Statement, ...], statement: Statement) -> tuple[Statement, ...] | None:
    for each in among:
        if each is statement:
            return among
        if each.body and each.span.start <= statement.span.start < each.whole.end:
            return _siblings(each.body, statement)
    return None


def stands_apart(among: Sequence[Statement], kind: str, neighbour: str) -> bool:
    """True if the file sets a statement of a kind off from such a neighbour by a blank line, as most of its like do."""
    pairs = [
        (one, other)
        for one, other in pairwise(among)
        if one.is_written and other.is_written and (one.kind == other.kind) == (kind == neighbour)
    ]
    like = [pair for pair in pairs if kind in (pair[0].kind, pair[1].kind)] or pairs
    count = sum(blanks_between(*pair) for pair in like)
    return count * 2 > len(like)


def step(tree: Tree, style: Style) -> str:
    """What one level of indentation is in a file: what most of its blocks add to it."""
    steps: Counter[str] = Counter()
    for block in tree.walk():
        if not block.body:
            continue
        outer = indent_of(tree.text, block.span.start)
        inner = indent_of(tree.text, block.body[0].span.start)
        if inner.startswith(outer) and inner != outer and block.body[0].span.line != block.span.line:
            steps[inner[len(outer) :]] += 1
    return steps.most_common(1)[0][0] if steps else style.indent


def fitted(tree: Tree, style: Style) -> Style:
    """A style with the level of indentation that a file has."""
    return replace(style, indent=step(tree, style))


def laid_out(lines: Iterable[str], indent: str, level: str, newline: str) -> str:
    """Lines below one another; each tab that a line begins with is one level of indentation."""
    shown = []
    for line in lines:
        bare = line.lstrip("\t")
        shown.append(f"{indent}{level * (len(line) - len(bare))}{bare}" if bare else "")
    return newline.join(shown)


def alone(style: Style, lines: Sequence[str], around: tuple[str, str] = ("", "")) -> Statement:
    """The one statement that lines are; `around` are the lines of a block that they may stand in. Raises Unwritable."""
    head, tail = around
    parts = [part for part in (head, *lines, tail) if part]
    chars = "\n".join(parts) + "\n"
    tree = style.language.parse(Text.of("", chars), nothing)
    statements = tree.statements
    if head:
        if len(statements) != 1 or not statements[0].is_block or not statements[0].close or statements[0].problem:
            raise Unwritable(f"these words break the block they stand in: {lines[0]!r}")
        statements = statements[0].body
    if len(statements) != 1:
        raise Unwritable(f"these words are no single statement: {lines[0]!r}")
    statement = statements[0]
    within = chars[len(head) + bool(head) : len(chars) - len(tail) - bool(tail) - 1]
    if statement.whole.chars != within.strip() or "\r" in within:
        raise Unwritable(f"these words hold more than a statement: {lines[0]!r}")
    if any(token.kind == "macro" for each in statement.walk() for token in each.tokens):
        return statement  # whether it is defined is for the file to say
    for each in statement.walk():
        if each.problem is not None:
            raise Unwritable(each.problem.message)
    return statement
