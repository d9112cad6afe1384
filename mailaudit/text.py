"""Bytes as text without loss: decoding, spans, lines and columns."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True)
class Text:
    """One file's content: its path on the host and its bytes, decoded so that nothing is lost.

    Offsets count characters of `chars`; an undecodable byte is one character (a surrogate escape).
    Lines and columns count from 1; a line ends at a newline only (contract, section 4).
    """

    path: str
    data: bytes = field(repr=False)

    @cached_property
    def chars(self) -> str:
        """The characters; `chars.encode("utf-8", "surrogateescape") == data` for any bytes."""
        return self.data.decode("utf-8", "surrogateescape")

    @classmethod
    def of(cls, path: str, chars: str) -> Text:
        """A text from characters."""
        return cls(path, encode(chars))

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        chars = self.chars
        at = chars.find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = chars.find("\n", at + 1)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of a character offset, both from 1."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line_start(self, number: int) -> int:
        """The offset of the first character of line `number` (from 1)."""
        return self._line_starts[number - 1]

    def line(self, number: int) -> str:
        """The characters of line `number` (from 1) without its newline."""
        start = self._line_starts[number - 1]
        end = self.chars.find("\n", start)
        return self.chars[start:] if end < 0 else self.chars[start:end]

    def line_span(self, offset: int) -> tuple[int, int]:
        """Start and end of the line that holds `offset`; the end is past its newline, if it has one."""
        start = self._line_starts[bisect_right(self._line_starts, offset) - 1]
        end = self.chars.find("\n", start)
        return start, len(self.chars) if end < 0 else end + 1

    @property
    def lines(self) -> int:
        """The number of lines; what follows the last newline counts if it is not empty."""
        return len(self._line_starts) - (1 if self._line_starts[-1] == len(self.chars) else 0)

    def byte_offset(self, offset: int) -> int:
        """The byte offset of a character offset."""
        if len(self.data) == len(self.chars):
            return offset
        return len(encode(self.chars[:offset]))


def encode(chars: str) -> bytes:
    """The bytes of characters that `Text` decoded."""
    return chars.encode("utf-8", "surrogateescape")


def decimal(written: str) -> int | None:
    """The number that up to 19 ASCII digits write; None of anything else.

    What a host says is no matter for int(), which takes the digits of all scripts and raises where there are thousands.
    """
    return int(written) if written.isascii() and written.isdigit() and len(written) < 20 else None


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of characters of one text."""

    text: Text
    start: int
    end: int

    @property
    def path(self) -> str:
        """The path of the text."""
        return self.text.path

    @property
    def chars(self) -> str:
        """The written characters."""
        return self.text.chars[self.start : self.end]

    @property
    def line(self) -> int:
        """The line it starts on."""
        return self.text.position(self.start)[0]

    def to(self, other: Span) -> Span:
        """From the start of this one to the end of another in the same text."""
        return Span(self.text, self.start, other.end)
