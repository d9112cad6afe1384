"""Where reports go: standard output and files, each in its format; hints and errors to standard error."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from mailaudit.choices import Color, Format
from mailaudit.findings import Report
from mailaudit.reports import json
from mailaudit.reports.masking import visible
from mailaudit.reports.terminal.paper import Screen


class OutputError(Exception):
    """An output that cannot be written to."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """A file that a report is written to."""

    format: Format
    path: Path


Telling = Callable[[Screen], str]  # the same in words, for a screen


def outlet(wish: str) -> Outlet:
    """An outlet from `FORMAT:PATH`. Raises `OutputError` before anything is scanned, not when the report is ready."""
    name, colon, path = wish.partition(":")
    formats = ", ".join(Format)
    if not colon or not path or name not in list(Format):
        raise OutputError(f"--output {wish}: expected FORMAT:PATH, with a format of {formats}")
    where = Path(path)
    if where.is_dir() or not where.parent.is_dir():
        raise OutputError(f"--output {wish}: {'that is a directory' if where.is_dir() else f'there is no {where.parent}'}")
    return Outlet(Format(name), where)


def screen(color: Color = Color.AUTO) -> Screen:
    """What standard output is: its width, its encoding, whether it is coloured."""
    width = shutil.get_terminal_size((80, 24)).columns
    return Screen(width, getattr(sys.stdout, "encoding", None) or "utf-8", _colored(color))


def _colored(color: Color) -> bool:
    """`--color` wins, then NO_COLOR, then FORCE_COLOR; else a terminal that is not dumb."""
    if color is not Color.AUTO:
        return color is Color.ALWAYS
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return sys.stdout is not None and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def deliver(report: Report, tell: Telling, outlets: Sequence[Outlet]) -> list[str]:
    """Write a report to files. Returns what could not be written, a sentence each."""
    failures = []
    for each in outlets:
        try:
            each.path.write_text(render(report, tell, each.format, Screen()), "utf-8")
        except OSError as error:
            failures.append(f"{each.path} could not be written: {(error.strerror or str(error)).lower()}")
    return failures


def render(report: Report, tell: Telling, form: Format, where: Screen) -> str:
    """A report as text in a format."""
    return json.write(report) if form is Format.JSON else tell(where)


def write(text: str) -> str:
    """Write to standard output. Returns why that failed, or nothing; a reader that went away is no failure."""
    if sys.stdout is None:
        return "standard output is closed"
    try:
        _put(sys.stdout, text)
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        _forget_stdout()
        return f"standard output could not be written: {(error.strerror or str(error)).lower()}"
    return ""


def _put(stream: TextIO, text: str) -> None:
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.write(text)
    else:
        buffer.write(text.encode(stream.encoding or "utf-8", "backslashreplace"))
    stream.flush()


def _forget_stdout() -> None:
    """What is still buffered must not fail again when Python ends."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def mention(text: str) -> None:
    """Lines to standard error, for whoever wants to know more."""
    if sys.stderr is not None and text:
        with contextlib.suppress(OSError):
            sys.stderr.write(visible(text, sys.stderr.encoding or "ascii", keep="\n"))
            sys.stderr.flush()


def complain(message: str, hints: Sequence[str] = ()) -> None:
    """One line to standard error, and a line for each hint."""
    if sys.stderr is None:
        return
    encoding = sys.stderr.encoding or "ascii"
    with contextlib.suppress(OSError):
        sys.stderr.write(f"mailaudit: {visible(message, encoding)}\n")
        sys.stderr.writelines(f"hint: {visible(hint, encoding)}\n" for hint in hints)
        sys.stderr.flush()
