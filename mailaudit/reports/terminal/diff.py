"""A unified diff for a terminal: secrets masked, control characters shown."""

from __future__ import annotations

from mailaudit.reports.masking import Mask
from mailaudit.reports.terminal.paper import Paper, Screen

_STYLES = {"---": "bold", "+++": "bold", "@@ ": "cyan", "-": "red", "+": "green"}


def show(diff: str, mask: Mask, screen: Screen) -> str:
    """The diff, line for line. A carriage return before a newline stays, so that it can be applied to such files."""
    if not diff:
        return ""
    paper = Paper(screen)
    for line in mask(diff, written=True, diff=True).removesuffix("\n").split("\n"):
        ending = "\r\n" if line.endswith("\r") else "\n"
        style = next((style for start, style in _STYLES.items() if line.startswith(start)), "")
        paper.line((paper.clean(line.removesuffix("\r"), keep="\t"), style), ending=ending)
    return paper.text()
