"""Statements put in, taken out, replaced: whole lines, in the file's indentation, grouping and line ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailaudit.editing.style import (
    NONE,
    Edits,
    Style,
    Unwritable,
    alone,
    blank_above,
    comment_begin,
    fitted,
    has_blank_lines,
    is_blank_line,
    is_joining,
    laid_out,
    line_begin,
    line_end,
    newline_at,
    stands_apart,
)
from mailaudit.edits import Edit, indent_of, insert
from mailaudit.parsers.tree import Statement, Token, Tree, nothing
from mailaudit.text import Span, Text

BLANKS = " \t"


@dataclass(frozen=True, slots=True)
class _New:
    """Lines to put in: how the file is written, the words, whether a blank line stands above them."""

    style: Style
    lines: Sequence[str]
    apart: bool = False


def below(statement: Statement, style: Style, *lines: str, apart: bool = False, indent: str | None = None) -> Edits | None:
    """Lines below a statement and its body, indented alike, or by `indent`; `apart`: behind a blank line.

    None below a block without an end, for they would stand in it.
    """
    if statement.is_block and not statement.close:
        return None
    span = statement.whole
    indent = indent_of(span.text, span.start) if indent is None else indent
    return (_below(span.text, span.end, indent, _New(style, lines, apart)),)


def _below(text: Text, at: int, indent: str, new: _New, outer: str | None = None) -> Edit:
    """Lines below the line of the token that ends at an offset; what stands behind it on its line goes below them."""
    chars = text.chars
    end = line_end(text, new.style, at)
    newline = newline_at(text, end if end is not None else text.line_span(at)[1])
    block = laid_out(new.lines, indent, new.style.indent, newline)
    if end is None:
        rest = at
        while chars[rest : rest + 1] in BLANKS and rest < len(chars):
            rest += 1
        return Edit(text.path, at, rest, f"{newline}{block}{newline}{indent if outer is None else outer}")
    return _line_at(text, end, block, newline, new)


def _line_at(text: Text, end: int, block: str, newline: str, new: _New) -> Edit:
    """Lines at the start of a line, or at the end of a file whose last line has no newline."""
    gap = newline if new.apart else ""
    if end == len(text.chars) and is_joining(text, new.style):
        gap = newline + gap
    if end and text.chars[end - 1] != "\n":
        return insert(text, end, f"{newline}{gap}{block}{newline if new.style.ends else ''}")
    return insert(text, end, f"{gap}{block}{newline}")


def above(statement: Statement, style: Style, *lines: str, apart: bool = False) -> Edits:
    """Lines above a statement and the comment lines that belong to it, indented alike."""
    span = statement.span
    text = span.text
    indent = indent_of(text, span.start)
    newline = newline_at(text, text.line_span(span.start)[1])
    block = laid_out(lines, indent, style.indent, newline)
    begin = line_begin(text, style, span.start)
    if begin is None:
        at = span.start
        while text.chars[at - 1 : at] in BLANKS and at > 0:
            at -= 1
        edit = Edit(text.path, at, span.start, f"{newline}{block}{newline}{indent}")
        return (
            (edit,) if line_end(text, style, statement.whole.end) is not None else (edit, _line_broken(statement.whole, newline))
        )
    begin = comment_begin(text, style, begin)
    return (insert(text, begin, block + newline + (newline if apart else "")),)


def _line_broken(span: Span, newline: str) -> Edit:
    """The end of a line behind a statement that shares its line with what follows."""
    text, end = span.text, span.end
    while text.chars[end : end + 1] in BLANKS and end < len(text.chars):
        end += 1
    return Edit(text.path, span.end, end, newline + indent_of(text, span.start))


def inside(block: Statement, style: Style, *lines: str, first: bool = False) -> Edits | None:
    """Lines at the end of a block's body, or at its beginning; None if the block, or what stands last in it, is not closed."""
    if not block.is_block or not block.close or not block.tokens:
        return None
    if block.body and not first and (block.body[-1].problem is not None or _is_open(block.body[-1])):
        return None
    header = block.tokens[-1]
    indent = indent_of(header.text, block.tokens[0].start)
    on_header = bool(block.body) and block.body[-1].span.line == block.span.line
    if block.body and first:
        return above(block.body[0], style, *lines) if on_header else _first(block, style, lines)
    if block.body and not on_header:
        return below(block.body[-1], style, *lines)
    at = block.body[-1].whole.end if block.body else header.end
    return (_below(header.text, at, indent + style.indent, _New(style, lines), indent),)


def _first(block: Statement, style: Style, lines: Sequence[str]) -> Edits:
    """Lines right below the first line of a block, indented as what stands there."""
    header = block.tokens[-1]
    if block.body[0].span.line == block.span.line:
        return above(block.body[0], style, *lines)
    inner = indent_of(header.text, block.body[0].span.start)
    return (_below(header.text, header.end, inner, _New(style, lines)),)


def at_end(tree: Tree, style: Style, *lines: str, apart: bool = False) -> Edits | None:
    """Lines at the end of a file, behind all that stands there; None if its last statement may not be at its end."""
    text = tree.text
    if tree.statements and _is_open(tree.statements[-1]):
        return None
    end = len(text.chars)
    newline = newline_at(text, end)
    begin = text.line_span(end - 1)[0] if end else 0
    apart = apart and end > 0 and not is_blank_line(text, begin)
    block = laid_out(lines, "", style.indent, newline)
    return (_line_at(text, end, block, newline, _New(style, lines, apart)),)


def _is_open(statement: Statement) -> bool:
    """True if what is put behind a statement might be read as a part of it: a block without an end, a quote never closed."""
    return statement.unread or (statement.is_block and not statement.close)


def add(tree: Tree, style: Style, kind: str, *lines: str, use: Statement | None = None) -> Edits | None:
    """Lines of a kind: below the last statement of the kind, above `use`; else above what comes later in the style's order."""
    style = fitted(tree, style)
    own = [each for each in tree.statements if each.is_written]
    if use is not None and use.span.text is not tree.text:
        use = None
    limit = use.span.start if use is not None else len(tree.text.chars)
    kin = [each for each in own if each.kind == kind and each.whole.end <= limit]
    if kin:
        return below(kin[-1], style, *lines, apart=stands_apart(own, kind, kind))
    later = style.order[style.order.index(kind) + 1 :] if kind in style.order else ()
    neighbour = next((each for each in own if each.kind in later and each.span.start <= limit), use)
    if neighbour is not None:
        apart = stands_apart(own, kind, neighbour.kind) or _has_own_comment(neighbour, style)
        return above(neighbour, style, *lines, apart=apart)
    if not own:
        return at_end(tree, style, *lines)
    if _is_open(own[-1]):
        return None
    return below(own[-1], style, *lines, apart=stands_apart(own, kind, own[-1].kind))


def _has_own_comment(statement: Statement, style: Style) -> bool:
    """True if comment lines stand right above a statement and a blank line above them, or the file's first line."""
    text = statement.span.text
    begin = line_begin(text, style, statement.span.start)
    if begin is None:
        return False
    start = comment_begin(text, style, begin)
    if start == begin:
        return False
    return has_blank_lines(text) if start == 0 else blank_above(text, start) is not None


def remove(statement: Statement, style: Style, *, comment: bool = False) -> Edits:
    """Take a statement out, with its lines and the comment behind it if nothing else stands on them.

    Comment lines above it stay, for a person wrote them; with `comment` those go that are about this statement alone: no
    other statement follows them before the next blank line. Where a blank line stands on both sides, one of them goes too.
    """
    span = statement.whole
    text = span.text
    begin = line_begin(text, style, span.start)
    end = line_end(text, style, span.end)
    if begin is None or end is None:
        return (_out_of_line(text, span, whole_line=end is not None),)
    if comment and (end == len(text.chars) or is_blank_line(text, end)):
        begin = comment_begin(text, style, begin)
    begin, end = _with_blank_line(text, begin, end)
    if begin and end == len(text.chars) and not text.chars.endswith("\n") and not style.ends:
        begin -= len(newline_at(text, begin))
    return (Edit(text.path, begin, end, ""),)


def _out_of_line(text: Text, span: Span, *, whole_line: bool) -> Edit:
    """Without a statement that shares its line with others, and without the blanks that set it off."""
    start, end = span.start, span.end
    if whole_line:
        line = text.line_span(start)[0]
        while start > line and text.chars[start - 1] in BLANKS:
            start -= 1
        if start == line:  # the line is joined to the one above it, and goes on being so
            start = span.start
    else:
        while text.chars[end : end + 1] in BLANKS and end < len(text.chars):
            end += 1
    return Edit(text.path, start, end, "")


def _with_blank_line(text: Text, begin: int, end: int) -> tuple[int, int]:
    """Lines to take out, and one blank line with them where two would meet, or where one would begin or end the file."""
    over = blank_above(text, begin)
    at_end = end == len(text.chars)
    if over is not None and (at_end or is_blank_line(text, end)):
        return over, end
    if begin == 0 and is_blank_line(text, end):
        return begin, text.line_span(end)[1]
    return begin, end


def replace(statement: Statement, style: Style, *lines: str, around: tuple[str, str] = ("", "")) -> Edits:
    """Write a statement anew: only the words that differ, so that what stands between the others stays.

    Of a block it is the first line that is written, with its brace. Raises Unwritable if the lines are no one statement.
    """
    new = alone(style, (*lines, "}") if statement.is_block else lines, around)
    if around == ("", "") and not statement.is_block:
        _check_comment(statement, style, lines)
    return rewrite(without_return(statement.tokens), new.tokens)


def _check_comment(statement: Statement, style: Style, lines: Sequence[str]) -> None:
    """Raise Unwritable for a statement that would take the comment behind the old one for its own words."""
    text, end = statement.span.text, statement.span.end
    if style.comments[0] not in text.chars[end : line_end(text, style, end) or end]:
        return
    chars = "\n".join(lines)
    read = style.language.parse(Text.of("", f"{chars} {style.comments[0]} x\n"), nothing).statements
    if len(read) != 1 or read[0].span.chars != chars:
        raise Unwritable(f"what stands behind these words on their line would belong to them: {lines[0]!r}")


def rewrite(old: Sequence[Token], new: Sequence[Token]) -> Edits:
    """The edit that makes a row of tokens of a file into the tokens of another text, from the first that differs to the last."""
    head = 0
    while head < min(len(old), len(new)) and same(old[head], new[head]):
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and same(old[-1 - tail], new[-1 - tail]):
        tail += 1
    gone, come = old[head : len(old) - tail], new[head : len(new) - tail]
    if not gone and not come:
        return NONE
    path = old[0].text.path
    if not come:
        start = old[head - 1].end if head else gone[0].start
        end = gone[-1].end if head else old[len(gone)].start
        return (Edit(path, start, end, ""),)
    if gone:
        return (Edit(path, gone[0].start, gone[-1].end, Span(come[0].text, come[0].start, come[-1].end).chars),)
    if head:
        words = Span(come[0].text, new[head - 1].end, come[-1].end).chars
        return (Edit(path, old[head - 1].end, old[head - 1].end, words),)
    words = Span(come[0].text, come[0].start, new[len(come)].start).chars
    return (Edit(path, old[0].start, old[0].start, words),)


def same(one: Token, other: Token) -> bool:
    """True if two tokens say the same, however they are quoted."""
    return one.value == other.value and (one.kind == other.kind or (one.is_string and other.is_string))


def without_return(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """A statement's tokens without the carriage return of a line end that its daemon takes for a word."""
    return tokens[:-1] if len(tokens) > 1 and tokens[-1].kind == "bad" and tokens[-1].value == "\r" else tokens


def comment_out(statement: Statement, style: Style) -> Edits | None:
    """Make comments of all the lines of a statement, of its body and of its end; None if it shares a line with another."""
    whole = statement.whole
    text = whole.text
    at = line_begin(text, style, whole.start)
    if at is None or line_end(text, style, whole.end) is None:
        return None
    mark = style.comments[0]
    edits: list[Edit] = []
    while at < whole.end:
        end = text.line_span(at)[1]
        line = text.chars[at:end]
        bare = line.lstrip(BLANKS)
        if bare.strip() and not bare.startswith(style.comments):
            edits.append(insert(text, at + len(line) - len(bare), mark))
        at = end
    return tuple(edits)
