"""Excerpts of files: lines with their numbers, and marks that stand under the very characters they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

from mailaudit.findings import Place
from mailaudit.reports.masking import visible
from mailaudit.reports.terminal.paper import NARROWEST, Paper
from mailaudit.text import Span, Text

TAB = 8
CUT = "..."
MOST_LINES = 3  # of a place that spans many
MOST_PLACES = 8  # of one file


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on one line: columns from 0, half-open, in characters of the line."""

    line: int
    start: int
    end: int
    label: str
    primary: bool


@dataclass(frozen=True, slots=True)
class Piece:
    """Characters `start` to `end` of a line, what is shown for them, and the cell where it begins."""

    start: int
    end: int
    shown: str
    cell: int

    @property
    def end_cell(self) -> int:
        """The cell past its last."""
        return self.cell + cell_len(self.shown)


def draw(paper: Paper, text: Text, places: Sequence[tuple[Place, bool]], indent: str) -> None:
    """Draw the lines of places of one text; each place says whether it is the primary one."""
    marks = sorted(_marks(text, places[:MOST_PLACES]), key=lambda mark: (mark.line, not mark.primary, mark.start))
    digits = max(len(str(mark.line)) for mark in marks)
    last = 0
    for number in dict.fromkeys(mark.line for mark in marks):
        if last and number > last + 1:
            paper.line(indent, (" " * digits + " :", "dim"))
        last = number
        here = [mark for mark in marks if mark.line == number]
        _draw_line(paper, text, here, indent, digits)
    if len(places) > MOST_PLACES:
        paper.line(indent, f"and {len(places) - MOST_PLACES} more places")


def _marks(text: Text, places: Iterable[tuple[Place, bool]]) -> Iterator[Mark]:
    for place, primary in places:
        assert place.span is not None
        line, column, end_line, end_column = place.corners()
        last = min(end_line, line + MOST_LINES - 1)
        for number in range(line, last + 1):
            written = text.line(number).removesuffix("\r")
            start = column - 1 if number == line else len(written) - len(written.lstrip())
            end = end_column - 1 if number == end_line else len(written)
            label = place.label if number == last else ""
            if number < end_line and number == last:
                label = f"{label} (to line {end_line})".lstrip()
            yield Mark(number, start, max(min(end, len(written)), start), label, primary)


def _draw_line(paper: Paper, text: Text, marks: list[Mark], indent: str, digits: int) -> None:
    number = f"{marks[0].line:>{digits}} | "
    empty = " " * digits + " | "
    room = max(paper.width - len(indent) - len(number), NARROWEST // 2)
    pieces = list(_view(paper, text, marks, room))
    shown = "".join(piece.shown for piece in pieces).rstrip()
    paper.line(indent, (number if shown else number.rstrip(), "dim"), shown)
    for mark in marks:
        at, width = _under(pieces, mark, room)
        style = "bold red" if mark.primary else "cyan"
        line = ("^" if mark.primary else "-") * width
        label = paper.clean(mark.label)
        fits = at + width + 1 + cell_len(label) <= room
        paper.line(indent, (empty, "dim"), " " * at, (f"{line} {label}".rstrip() if fits else line, style))
        if not fits:
            paper.wrapped(label, indent + empty, style=style)


def _view(paper: Paper, text: Text, marks: list[Mark], room: int) -> Iterator[Piece]:
    """The pieces of a line that fit into so many cells, the first mark among them."""
    first = marks[0]
    written = text.line(first.line).removesuffix("\r")
    begin = max(0, first.start - 2 * room)
    end = min(len(written), first.start + 4 * room)
    offset = text.line_start(first.line)
    secrets = [
        (max(start - offset, begin), min(stop - offset, end), mask)
        for start, stop, mask in paper.mask.within(Span(text, offset + begin, offset + end))
    ]
    pieces = list(_pieces(written, begin, end, secrets, paper.screen.encoding))
    if begin == 0 and end == len(written) and (not pieces or pieces[-1].end_cell <= room):
        yield from pieces
        return
    at, width = _under(pieces, first, 10**9)
    left = 0 if begin == 0 and at + width <= room - len(CUT) else max(0, at - room // 3)
    left = left if left > 2 * len(CUT) else 0  # a cut that saves nothing
    shown = 0
    if left or begin:
        yield Piece(begin, begin, CUT, 0)
        shown = len(CUT)
    for piece in pieces:
        width = piece.end_cell - piece.cell
        if piece.cell < left:
            continue
        if shown + width > room - len(CUT):
            if len(piece.shown) > 1:  # a mask wider than the screen
                yield Piece(piece.start, piece.end, piece.shown[: room - len(CUT) - shown] + CUT, shown)
            else:
                yield Piece(piece.start, piece.start, CUT, shown)
            return
        yield Piece(piece.start, piece.end, piece.shown, shown)
        shown += width
    if end < len(written):
        yield Piece(end, end, CUT, shown)


def _pieces(written: str, begin: int, end: int, secrets: list[tuple[int, int, str]], encoding: str) -> Iterator[Piece]:
    cell = 0
    at = begin
    masks = {start: (stop, mask) for start, stop, mask in secrets}
    while at < end:
        stop, shown = masks.get(at, (at + 1, ""))
        if not shown:
            char = written[at]
            shown = " " * (TAB - cell % TAB) if char == "\t" else visible(char, encoding)
        yield Piece(at, stop, shown, cell)
        cell += cell_len(shown)
        at = stop


def _under(pieces: list[Piece], mark: Mark, room: int) -> tuple[int, int]:
    """The first cell under a mark and the number of its cells, at least one."""
    under = [piece for piece in pieces if piece.start < mark.end and mark.start < piece.end]
    if under:
        at = under[0].cell
        return at, max(1, min(under[-1].end_cell, room) - at)
    before = [piece.end_cell for piece in pieces if piece.end <= mark.start]
    at = before[-1] if before else 0
    return min(at, room - 1), 1
