"""The picture at the top of the README: a real scan of examples/as-published as SVG, one finding of it and the summary."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import unescape
from io import StringIO

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from bench.site.navigation import ROOT

PICTURE = ROOT / "docs" / "report.svg"
COMMAND = ("mailaudit", "scan", "examples/as-published")
SHOWN = "PF001"
WIDTH = 92
_DARK, _LIGHT, _GREY = (22, 27, 34), (214, 221, 228), (139, 148, 158)
_COLORS = [(255, 123, 114), (86, 211, 100), (227, 179, 65), (121, 192, 255), (210, 168, 255), (86, 212, 221)]
_THEME = TerminalTheme(_DARK, _LIGHT, [_DARK, *_COLORS, _LIGHT], [_GREY, *_COLORS, (255, 255, 255)])
_HEAD = re.compile(r"(?:critical|high|medium|low|info)  (\S+)|\d+ findings? \(|files$")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def made() -> str:
    """The picture as it is today. No font is fetched: each run of characters has its length, so that any monospaced one fits."""
    console = Console(
        width=WIDTH, record=True, file=StringIO(), force_terminal=True, color_system="truecolor", legacy_windows=False
    )
    console.print(Text.from_ansi(f"$ {' '.join(COMMAND)}\n" + _cut(_report())), highlight=False)
    svg = console.export_svg(title=" ".join(COMMAND), theme=_THEME, unique_id="report")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL).replace(
        "Fira Code, monospace", "ui-monospace, Menlo, Consolas, monospace"
    )


def words(svg: str) -> str:
    """What a picture says, whichever release of rich drew it."""
    return " ".join(unescape("".join(re.findall(r"<text [^>]*>([^<]*)</text>", svg))).replace("\xa0", " ").split())


def _report() -> str:
    """What the command prints to a terminal with colours; it ends with code 1, as there are findings."""
    environment = {**os.environ, "COLUMNS": str(WIDTH), "PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-m", *COMMAND, "--color", "always"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 1, done.stderr
    return done.stdout


def _cut(report: str) -> str:
    """The host, one finding, the last lines; a line of dots stands for what is left out."""
    lines = report.splitlines()
    heads = [(at, found) for at, line in enumerate(lines) if (found := _HEAD.match(_ESCAPE.sub("", line)))]
    first, last = heads[0][0], heads[-1][0]
    shown = next(number for number, (_, found) in enumerate(heads) if found[1] == SHOWN)
    return "\n".join((*lines[:first], "  ...", "", *lines[heads[shown][0] : heads[shown + 1][0]], "  ...", "", *lines[last:]))
