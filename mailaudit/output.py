"""Where reports go: standard output and files, each in its format; hints and errors to standard error."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import TextIO

from mailaudit import rulebook
from mailaudit.choices import Color, Format
from mailaudit.findings import Report
from mailaudit.reports import json
from mailaudit.reports.masking import visible
from mailaudit.reports.terminal.paper import Screen
from mailaudit.reports.view import Reader
from mailaudit.wording import why_not


class OutputError(Exception):
    """An output that cannot be written to."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """A file that a report is written to."""

    format: Format
    path: Path


Telling = Callable[[Screen], str]  # the same in words, for a screen
SUMMARY = "GITHUB_STEP_SUMMARY"  # names the file in which a step of a workflow tells its summary
MOST_OF_SUMMARY = 1_000_000  # bytes of one step; GitHub takes 1 MiB
CHECKOUTS = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")  # name the folder that a job of GitHub's or GitLab's works in
_COMMAND = re.compile(r"^([ \t]*):(?=:)|##(?=\[)", re.MULTILINE)  # what GitHub's runner acts on in a log


def outlet(wish: str) -> Outlet:
    """An outlet from `FORMAT:PATH`. Raises `OutputError` before anything is scanned, not when the report is ready."""
    name, colon, path = wish.partition(":")
    formats = ", ".join(Format)
    if not colon or not path or name not in list(Format):
        raise OutputError(f"--output {wish}: expected FORMAT:PATH, with a format of {formats}")
    if path == "-":
        raise OutputError(f"--output {wish}: standard output is what --format writes to; a file of that name is ./-")
    where = Path(path)
    try:
        is_folder, has_parent = where.is_dir(), where.parent.is_dir()
    except OSError as error:
        raise OutputError(f"--output {wish}: it cannot be written: {why_not(error)}") from error
    if is_folder or not has_parent:
        raise OutputError(f"--output {wish}: {'that is a directory' if is_folder else f'there is no {where.parent}'}")
    return Outlet(Format(name), where)


def outlets(wishes: Sequence[str]) -> list[Outlet]:
    """All outlets that are wished for. Raises `OutputError` too where two would write one file."""
    found = [outlet(wish) for wish in wishes]
    for number, each in enumerate(found):
        if any(is_same(each.path, other.path) for other in found[:number]) and (each.path.is_file() or not each.path.exists()):
            raise OutputError(f"--output {each.format}:{each.path}: another report goes there already")
    return found


def is_same(one: Path | str, other: Path | str) -> bool:
    """True if two names lead to one file, be it there or not."""
    try:
        return str(one) == str(other) or os.path.realpath(one) == os.path.realpath(other)
    except OSError:  # relative names in a working directory that is gone
        return False


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


def render(report: Report, tell: Telling, form: Format, where: Screen, reader: Reader | None = None) -> str:
    """A report as text in a format; of each but the usual ones the module is imported when it is wished for."""
    if form is Format.TERMINAL:
        return tell(where)
    if form is Format.JSON:
        return json.write(report)
    text: str = import_module(f"mailaudit.reports.{form}").write(report, _reader(report, reader or Reader()))
    return text


def _reader(report: Report, wishes: Reader) -> Reader:
    """Who reads: paths are told from the checkout that a CI job works in, or else from the working directory."""
    try:
        here = os.getcwd()  # noqa: PTH109  a path as text
    except OSError:
        here = ""
    return replace(wishes, pages=rulebook.load().pages if report.hosts else {}, here=here, roots=_roots(here))


def _roots(here: str) -> tuple[str, ...]:
    """The folders from which paths are told: in a CI job that of the checkout, over whatever links it works there."""
    found = []
    for folder in filter(None, (os.environ.get(name) for name in CHECKOUTS)):
        real = os.path.realpath(folder)
        top = here if f"{here}/".startswith(f"{real.rstrip('/')}/") else real
        while top != real and not os.path.lexists(f"{top}/.git"):  # a job may check out below its folder
            top = os.path.dirname(top)  # noqa: PTH120  the same
        found += [top, folder + top.removeprefix(real), real, folder]
    return tuple(filter(None, (*found, here)))


def deliver(text: str, path: Path) -> str:
    """Write a report to a file. Returns why that failed, or nothing."""
    try:
        _replace(path, text.encode())
    except OSError as error:
        return f"{path} could not be written: {why_not(error)}"
    return ""


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that nobody reads half of it, through links too; what is no plain file is written to as it is."""
    if path.is_symlink() and path.is_file():
        path = path.resolve()
    if path.is_symlink() or (path.exists() and not path.is_file()):
        path.write_bytes(data)
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("xb") as file:
            file.write(data)
        if path.exists():
            shutil.copymode(path, beside)
        beside.replace(path)
    except PermissionError:  # a folder that takes no other file
        path.write_bytes(data)
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)


def summarize(report: Report) -> str:
    """Add a report to the summary of the workflow's step that this is. Returns why that failed, or nothing."""
    path = os.environ.get(SUMMARY)
    if not path:
        return ""
    markdown = import_module("mailaudit.reports.markdown")
    try:
        with Path(path).open("ab") as file:
            text: str = markdown.write(report, _reader(report, Reader(most=max(MOST_OF_SUMMARY - file.tell(), 0))))
            file.write(text.encode())
    except OSError as error:
        return f"{SUMMARY} {path} could not be written: {why_not(error)}"
    return ""


def write(text: str, form: Format | None = None) -> str:
    """Write to standard output. Returns why that failed, or nothing; a reader that went away is no failure."""
    if sys.stdout is None:
        return "standard output is closed"
    try:
        _put(sys.stdout, text if form is Format.GITHUB else _inert(text), form in (None, Format.TERMINAL))
    except BrokenPipeError:
        _forget_stdout()
    except OSError as error:
        return lost(error)
    return ""


def lost(error: OSError) -> str:
    """What to say of standard output when it takes no more; it is forgotten."""
    _forget_stdout()
    return f"standard output could not be written: {why_not(error)}"


def _inert(text: str) -> str:
    """In a log of GitHub's, a text without the commands that its runner would take for this program's own."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return text
    return _COMMAND.sub(lambda found: r"#\x23" if found[1] is None else rf"{found[1]}\x3a", text)


def _put(stream: TextIO, text: str, for_people: bool) -> None:
    """Write to a stream; what programs read is UTF-8, wherever it goes."""
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.write(text)
    else:
        buffer.write(text.encode((for_people and stream.encoding) or "utf-8", "backslashreplace"))
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
