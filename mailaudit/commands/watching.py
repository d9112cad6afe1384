"""Whether somebody watches a scan, on a terminal that shows nothing else meanwhile."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mailaudit.auditor import Options
from mailaudit.choices import Common, Format


@contextmanager
def watched(common: Common, chosen: Options) -> Iterator[Options]:
    """The options with a progress display, where somebody can see one; it is gone when the block ends."""
    if not is_watched(common):
        yield chosen
        return
    from mailaudit.reports.terminal.progress import Progress  # noqa: PLC0415  paid for on a terminal only

    with Progress() as progress:
        yield replace(chosen, login=replace(chosen.login, watch=progress.tell))


def is_watched(common: Common) -> bool:
    """True on a terminal that can move its cursor, unless it gets a report for programs, or quiet is wished for."""
    if common.quiet or sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM", "dumb") == "dumb":
        return False
    return common.form is Format.TERMINAL or sys.stdout is None or not sys.stdout.isatty()
