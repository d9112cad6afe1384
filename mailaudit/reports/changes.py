"""What a fix changes, as a unified diff of the lines around its edits: however long the file is, it is quickly made."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from mailaudit.edits import Edit, Fix, apply, unified_diff
from mailaudit.findings import HostReport
from mailaudit.reports.masking import Mask
from mailaudit.text import Span, Text

AROUND = 3  # lines that a diff shows before and after what changes
_HUNK = re.compile(r"^@@ -(\d+)(,\d+)? \+(\d+)(,\d+)? @@$", re.MULTILINE)


def diff_of(fix: Fix, host: HostReport, mask: Mask) -> str:
    """The diff of all files, masked."""
    by_path = groupby(sorted(set(fix.edits), key=lambda edit: (edit.path, edit)), key=lambda edit: edit.path)
    return "".join(part for path, edits in by_path for part in _of_file(path, host.texts.get(path), list(edits), mask))


def _of_file(path: str, text: Text | None, edits: Sequence[Edit], mask: Mask) -> Iterator[str]:
    if text is None:
        yield mask(unified_diff({path: None}, {path: apply("", edits)}), written=True, diff=True)
        return
    headed = False
    grown = 0
    for window, inside in _windows(text, edits, mask):
        before, after = _sides(window, inside, mask)
        diff = unified_diff({path: before}, {path: after})
        skipped = window.line - 1
        diff = _HUNK.sub(lambda found: _shifted(found, skipped, skipped + grown), diff)  # noqa: B023  it is called at once
        grown += after.count("\n") - before.count("\n")
        head, _, rest = mask(diff, written=True, diff=True).partition("\n@@ ")
        if rest:
            yield f"@@ {rest}" if headed else f"{head}\n@@ {rest}"
            headed = True


def _sides(window: Span, edits: Sequence[Edit], mask: Mask) -> tuple[str, str]:
    """The lines before and after the edits, masked: of a secret over several lines a diff may show some alone."""
    before: list[str] = []
    after: list[str] = []
    at = window.start
    for edit in edits:
        kept = _masked(Span(window.text, at, edit.start), mask)
        before += (kept, _masked(Span(window.text, edit.start, edit.end), mask))
        after += (kept, mask(edit.text, written=True))
        at = edit.end
    rest = _masked(Span(window.text, at, window.end), mask)
    return "".join((*before, rest)), "".join((*after, rest))


def _masked(span: Span, mask: Mask) -> str:
    """A span's characters with each line of a secret masked, so that there are as many lines."""
    out: list[str] = []
    chars, at = span.text.chars, span.start
    for start, end, masked in mask.within(span):
        first, last = max(start, at), min(end, span.end)
        out += (chars[at:first], "\n".join([masked] * (chars.count("\n", first, last) + 1)))
        at = last
    return "".join((*out, chars[at : span.end]))


def _windows(text: Text, edits: Sequence[Edit], mask: Mask) -> Iterator[tuple[Span, list[Edit]]]:
    """The lines around edits that lie near one another. No secret begins outside of them and ends inside."""
    window, inside = _window(text, edits[0], mask), [edits[0]]
    for edit in edits[1:]:
        other = _window(text, edit, mask)
        if other.start <= window.end:
            window, inside = Span(text, min(window.start, other.start), max(window.end, other.end)), [*inside, edit]
        else:
            yield window, inside
            window, inside = other, [edit]
    yield window, inside


def _window(text: Text, edit: Edit, mask: Mask) -> Span:
    start, end = text.line_start(max(text.position(edit.start)[0] - AROUND, 1)), edit.end
    for _ in range(AROUND + 1):
        end = text.line_span(end)[1]
    cut = True
    while cut:
        secrets = mask.within(Span(text, start, end))
        whole = min((start, *(each[0] for each in secrets))), max((end, *(each[1] for each in secrets)))
        cut = whole != (start, end)
        start, end = (text.line_span(whole[0])[0], text.line_span(whole[1])[1]) if cut else whole
    return Span(text, start, end)


def _shifted(found: re.Match[str], old: int, new: int) -> str:
    return f"@@ -{int(found[1]) + old}{found[2] or ''} +{int(found[3]) + new}{found[4] or ''} @@"
