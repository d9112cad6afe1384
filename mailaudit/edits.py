"""Edits as data: spans and new text; applying them without overlap; the unified diff."""

from __future__ import annotations

import difflib
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from mailaudit.text import Span, Text


class Safety(StrEnum):
    """Who may apply a fix (contract, section 8)."""

    SAFE = "safe"  # `fix --write` applies it
    UNSAFE = "unsafe"  # needs `--unsafe` as well: mail flow, access or restart may change
    MANUAL = "manual"  # printed as a copy-ready record or command


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Replace characters `start` to `end` (half-open) of the file at `path` by `text`."""

    path: str
    start: int
    end: int
    text: str

    def touches(self, other: Edit) -> bool:
        """True if both cannot be applied: they overlap, or insert different text at one place."""
        if self.path != other.path or self == other:
            return False
        if self.start == self.end == other.start == other.end:
            return True
        return self.start < other.end and other.start < self.end


@dataclass(frozen=True, slots=True)
class Fix:
    """How to mend a finding: edits of files, commands to type, DNS records to publish."""

    title: str
    safety: Safety
    edits: tuple[Edit, ...] = ()
    commands: tuple[str, ...] = ()
    records: tuple[str, ...] = ()


def replace(span: Span, text: str) -> Edit:
    """Replace the characters of a span."""
    return Edit(span.path, span.start, span.end, text)


def insert(text: Text, offset: int, new: str) -> Edit:
    """Insert characters at an offset."""
    return Edit(text.path, offset, offset, new)


def create(path: str, chars: str) -> Edit:
    """Write a file that is not there: an edit of an empty text."""
    return Edit(path, 0, 0, chars)


def newline_of(text: Text) -> str:
    """The newline style of a file: that of its first line."""
    at = text.chars.find("\n")
    return "\r\n" if at > 0 and text.chars[at - 1] == "\r" else "\n"


def indent_of(text: Text, offset: int) -> str:
    """The blanks at the start of the line that holds `offset`."""
    start, end = text.line_span(offset)
    line = text.chars[start:end]
    return line[: len(line) - len(line.lstrip(" \t"))]


def apply(chars: str, edits: Iterable[Edit]) -> str:
    """The characters after all edits, which must not touch one another."""
    out: list[str] = []
    at = 0
    for edit in sorted(set(edits)):
        if edit.start < at:
            raise ValueError(f"edits overlap at character {edit.start} of {edit.path}")
        out += (chars[at : edit.start], edit.text)
        at = edit.end
    return "".join((*out, chars[at:]))


def compatible(fixes: Iterable[Fix]) -> tuple[list[Fix], list[Fix]]:
    """Those fixes, in order, whose edits touch neither one another nor an earlier fix's; and the rest, for the next round."""
    taken: list[Fix] = []
    left: list[Fix] = []
    placed: dict[str, list[Edit]] = {}
    for fix in fixes:
        (taken if _place(placed, fix.edits) else left).append(fix)
    return taken, left


def _place(placed: dict[str, list[Edit]], edits: Iterable[Edit]) -> bool:
    """Put edits among those of their files, in order; False, and nothing is put, if two cannot both be applied.

    The same edit twice can.
    """
    new: list[Edit] = []
    for edit in edits:
        row = placed.setdefault(edit.path, [])
        at = bisect_left(row, edit)
        if edit in row[at : at + 1]:
            continue
        if any(each.touches(edit) for each in row[max(at - 1, 0) : at + 1]):
            for each in new:
                del placed[each.path][bisect_left(placed[each.path], each)]
            return False
        row.insert(at, edit)
        new.append(edit)
    return True


def unified_diff(before: Mapping[str, str | None], after: Mapping[str, str]) -> str:
    """A unified diff of files by path; `None` before means that the file is new."""
    parts: list[str] = []
    for path in sorted(after):
        old = before.get(path)
        if old == after[path]:
            continue
        lines = difflib.unified_diff(
            _diff_lines(old or ""),
            _diff_lines(after[path]),
            "/dev/null" if old is None else f"a{path}",
            f"b{path}",
        )
        for line in lines:
            parts.append(line)
            if not line.endswith("\n"):
                parts.append("\n\\ No newline at end of file\n")
    return "".join(parts)


def _diff_lines(chars: str) -> list[str]:
    lines = [line + "\n" for line in chars.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]
