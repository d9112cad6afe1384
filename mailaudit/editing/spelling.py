"""The spelling of a value that its language reads as that value and as nothing else: tried, not computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mailaudit.editing.style import Unwritable
from mailaudit.parsers.tree import Language, Statement, nothing
from mailaudit.text import Text


def only(language: Language, line: str) -> Statement | None:
    """The statement that a line is, if it is one that was read, and the whole line."""
    if "\n" in line or "\r" in line or "\0" in line:
        return None
    found = language.parse(Text.of("", line + "\n"), nothing).statements
    if len(found) != 1 or found[0].problem is not None or found[0].template is None or found[0].span.chars != line:
        return None
    return found[0]


def spelled(value: str, candidates: Iterable[str], read: Callable[[str], str | None]) -> str:
    """The first candidate that is read as the value; raises Unwritable if none is."""
    for written in candidates:
        if read(written) == value:
            return written
    raise Unwritable(f"this language has no spelling for {value!r}")


def in_quotes(value: str, quote: str = '"') -> str:
    """A value in quotes, with a backslash before quotes and backslashes."""
    escaped = value.replace("\\", "\\\\").replace(quote, f"\\{quote}")
    return f"{quote}{escaped}{quote}"


def preferring(candidates: list[str], like: str) -> list[str]:
    """The candidates with those first that begin with the quote that another value begins with."""
    mark = like[:1] if like[:1] in ('"', "'") else ""
    return sorted(candidates, key=lambda written: not (mark and written.startswith(mark)))
