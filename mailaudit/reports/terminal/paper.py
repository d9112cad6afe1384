"""Lines for a terminal: wrapped by cells, styled where there is colour, never more than the encoding can write."""

from __future__ import annotations

from dataclasses import dataclass

from rich.cells import cell_len
from rich.color import ColorSystem
from rich.console import Console
from rich.style import Style
from rich.text import Text as Styled

from mailaudit.reports.masking import Mask, visible

NARROWEST = 24
WIDEST_PROSE = 100  # longer lines of prose are hard to read, however wide the terminal is
_WRAPPER = Console(width=NARROWEST)  # wraps, never writes
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
            colored = style and self.screen.color
            self._out.append(Style.parse(style).render(chars, color_system=ColorSystem.STANDARD) if colored else chars)
        self._out.append(ending)

    def wrapped(self, chars: str, indent: str = "", hanging: str | None = None, style: str = "") -> None:
        """Clean characters, wrapped at blanks. `indent` stands before the first line, `hanging` before the others."""
        hanging = indent if hanging is None else hanging
        room = max(min(self.width, WIDEST_PROSE) - max(len(indent), len(hanging)), NARROWEST // 2)
        before = indent
        for line in Styled(chars).wrap(_WRAPPER, room) if cell_len(chars) > room else [Styled(chars)]:
            words = line.plain.rstrip()
            if words:
                self.line(before, (words, style))
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
