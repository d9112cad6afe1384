"""Lines for a terminal: wrapped by cells, styled where there is colour, never more than the encoding can write."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rich.cells import cell_len

from mailaudit.findings import Evidence, Place
from mailaudit.reports.masking import Mask, visible

NARROWEST = 24
WIDEST_PROSE = 100  # longer lines of prose are hard to read, however wide the terminal is
_WORD = re.compile(r"\s*\S+")
_TYPOGRAPHIC = str.maketrans(
    {
        "–": "-", "—": "-", "‐": "-", "−": "-", "’": "'", "‘": "'", "“": '"', "”": '"', "…": "...", "→": "->", "←": "<-",
        "≥": ">=", "≤": "<=", "×": "x", "·": "-", "•": "-", "\N{NO-BREAK SPACE}": " ",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a text will be read: its width in cells, what can be written there, and whether it has colour."""

    width: int = 80
    encoding: str = "utf-8"
    color: bool = False


Part = str | tuple[str, str]  # characters, or characters and a rich style


class Paper:
    """Collects lines. Whatever is put on it is masked and made visible here, so no caller can forget to."""

    def __init__(self, screen: Screen, mask: Mask | None = None) -> None:
        self.screen = screen
        self.mask = mask or Mask()
        self.width = max(screen.width, NARROWEST)
        self._out: list[str] = []

    def clean(self, chars: str, keep: str = "") -> str:
        """Masked, and fit for this screen."""
        return visible(self.mask(chars), self.screen.encoding, keep)

    def where(self, place: Place | Evidence) -> str:
        """A place in a line: the path, line and column, or the question."""
        if isinstance(place, Evidence):
            return self.clean(place.question)
        line, column, _, _ = place.corners()
        path = self.clean(place.path)
        return path if place.span is None else f"{path}:{line}:{column}"

    def own(self, chars: str) -> str:
        """Mailaudit's own prose, fit for this screen: typographic marks have plain stand-ins."""
        if not chars.isascii():
            try:
                chars.encode(self.screen.encoding)
            except (UnicodeEncodeError, LookupError):
                chars = chars.translate(_TYPOGRAPHIC)
        return self.clean(chars, keep="\n")

    def line(self, *parts: Part, ending: str = "\n") -> None:
        """One line, as long as it is. The parts must be clean."""
        for part in parts:
            chars, style = (part, "") if isinstance(part, str) else part
            self._out.append(_colored(chars, style) if style and self.screen.color else chars)
        self._out.append(ending)

    def wrapped(self, chars: str, indent: str = "", hanging: str | None = None, style: str = "") -> None:
        """Clean characters, wrapped at blanks. `indent` stands before the first line, `hanging` before the others."""
        hanging = indent if hanging is None else hanging
        room = max(min(self.width, WIDEST_PROSE) - max(len(indent), len(hanging)), NARROWEST // 2)
        before = indent
        for line in folded(chars, room):
            self.line(before, (line, style))
            before = hanging

    def verbatim(self, text: str) -> None:
        """Lines of another paper."""
        self._out.append(text)

    def blank(self) -> None:
        """An empty line."""
        self._out.append("\n")

    def text(self) -> str:
        """All that was written."""
        return "".join(self._out)


def _colored(chars: str, style: str) -> str:
    from rich.color import ColorSystem  # noqa: PLC0415  most reports are read by programs, which pay for no colour
    from rich.style import Style  # noqa: PLC0415

    return Style.parse(style).render(chars, color_system=ColorSystem.STANDARD)


def folded(chars: str, room: int) -> Iterator[str]:
    """Lines of at most `room` cells, broken at blanks, and within a word only where it fills a line; no line is empty."""
    line = ""
    for word in _WORD.findall(chars.rstrip()):
        if cell_len(line) + cell_len(word) <= room:
            line += word
            continue
        if line:
            yield line
        line = word.lstrip()
        while cell_len(line) > room:
            end = _fitting(line, room)
            yield line[:end]
            line = line[end:]
    if line:
        yield line


def _fitting(chars: str, room: int) -> int:
    """How many characters fit into so many cells, at least one."""
    taken = 0
    for number, char in enumerate(chars):
        taken += cell_len(char)
        if taken > room:
            return max(number, 1)
    return len(chars)
