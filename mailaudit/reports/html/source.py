"""What stands in a file: the lines of a place with their numbers and its characters marked; and the lines of a diff."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.findings import Place
from mailaudit.reports.html.markup import NOTHING, Child, Html, tag
from mailaudit.reports.view import View
from mailaudit.text import Span, Text

AROUND = 1  # lines before and after a place
MOST_LINES = 8  # of a place
WIDEST = 400  # characters of a line
BEFORE = 120  # of them, before what is marked
LONGEST_DIFF = 240  # lines
FOLDED_DIFF = 40  # lines, from which on a diff is folded
CUT = "…"


def drawn(view: View, place: Place) -> Html:
    """A place with its lines; a file as a whole is named alone."""
    line, column, _, _ = place.corners()
    where = place.path if place.span is None else f"{place.path}:{line}:{column}"
    label = view.clean(place.label)
    caption = tag("figcaption", tag("code", view.clean(where)), f" {label}" if label else "")
    if place.span is None:
        return tag("figure", caption, class_="source")
    return tag("figure", caption, tag("pre", tag("code", _lines(view, place.span))), class_="source")


def _lines(view: View, span: Span) -> Iterator[Html]:
    text = span.text
    first, last = span.line, text.position(max(span.start, span.end - 1))[0]
    shown = min(last, first + MOST_LINES - 1)
    for number in range(max(first - AROUND, 1), min(shown + AROUND, max(text.lines, last)) + 1):
        yield _line(view, text, number, span if first <= number <= shown else None)
    if shown < last:
        yield tag("span", tag("span", "", class_="no"), f"{CUT} to line {last}", class_="line")


def _line(view: View, text: Text, number: int, marked: Span | None) -> Html:
    start = text.line_start(number)
    end = start + len(text.line(number).removesuffix("\r"))
    if marked is None:
        parts: list[Child] = [_written(view, text, start, min(end, start + WIDEST)), CUT if end > start + WIDEST else ""]
    else:
        on, off = min(max(marked.start, start), end), min(marked.end, end)
        begin = start if on - start <= BEFORE else on - BEFORE
        stop = min(end, begin + WIDEST)
        off = max(min(off, stop), on)
        parts = [
            CUT if begin > start else "",
            _written(view, text, begin, on),
            tag("mark", _written(view, text, on, off)) if off > on else tag("mark", " ", class_="here"),
            _written(view, text, off, stop),
            CUT if stop < end else "",
        ]
    return tag("span", tag("span", str(number), class_="no"), *parts, "\n", class_="line" if marked is None else "line told")


def _written(view: View, text: Text, start: int, end: int) -> str:
    return view.mask.written(Span(text, start, end)) if end > start else ""


def changed(chars: str) -> Html:
    """A diff, each line by what it does; a long one is folded, and of a very long one the first lines are there."""
    lines = chars.rstrip("\n").split("\n") if chars else []
    if not lines:
        return NOTHING
    shown = [_changed(line) for line in lines[:LONGEST_DIFF]]
    left = len(lines) - len(shown)
    more = tag("p", f"{left} more lines; mailaudit fix shows all of them.", class_="soft") if left else NOTHING
    change = tag("pre", tag("code", shown), class_="diff")
    if len(lines) <= FOLDED_DIFF:
        return change
    return tag("details", tag("summary", f"The change: {len(lines)} lines"), change, more)


def _changed(line: str) -> Html:
    kinds = {"+++": "file", "---": "file", "@@ ": "hunk"}
    kind = kinds.get(line[:3]) or {"+": "added", "-": "removed"}.get(line[:1], "")
    return tag("span", line, "\n", class_=f"line {kind}".rstrip())


def copied(lines: list[str]) -> Html:
    """Commands or records, to be copied."""
    return tag("pre", tag("code", [tag("span", f"{line}\n", class_="line") for line in lines]), class_="copied")
