"""Progress is for people at a terminal, says what is asked of whom, and leaves nothing behind."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from mailaudit.choices import Common, Format
from mailaudit.commands.watching import is_watched
from mailaudit.questions import Command, Handshake, LookUp, Question, ReadFile, RunCommand, ZoneSecurity
from mailaudit.reports.terminal.progress import Progress
from mailaudit.survey import told

EXAMPLE = Path(__file__).parents[1] / "examples" / "corrected"


def on_screen(height: int = 25, width: int = 60) -> Progress:
    return Progress(Console(file=io.StringIO(), force_terminal=True, width=width, height=height, legacy_windows=False))


def test_each_host_has_a_line_as_long_as_it_is_asked() -> None:
    with on_screen() as progress:
        progress.tell("mx1.example.com", "logging in")
        progress.tell("mx2.example.com", "wave 1: 3 files")
        progress.tell("mx1.example.com", "wave 2: 9 names")
        lines = progress.shown().plain.split("\n")
        assert [line.split("  ")[0] for line in lines] == ["mx1.example.com", "mx2.example.com"]
        assert lines[0].endswith("wave 2: 9 names")
        progress.tell("mx1.example.com", "")
        assert progress.shown().plain.split("\n")[-1] == "1 done, 1 are being asked"


def test_more_hosts_than_lines_and_names_longer_than_those() -> None:
    with on_screen(height=6, width=50) as progress:
        for number in range(50):
            progress.tell(f"{'long' * 12}{number}.example.com", "logging in")
        lines = progress.shown().plain.split("\n")
        assert len(lines) == 5
        assert all(len(line) <= 50 for line in lines)
        assert lines[-1] == "0 done, 50 are being asked"


def test_it_vanishes_and_a_hosts_name_moves_no_cursor() -> None:
    file = io.StringIO()
    progress = Progress(Console(file=file, force_terminal=True, width=60, height=9, legacy_windows=False))
    with progress:
        progress.tell("evil\x1b[2J[red]", "logging in")
    shown = file.getvalue()
    assert "\x1b[2J[red]" not in shown
    assert r"evil\x1b[2J[red]" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is hidden, and back again
    assert shown.rstrip().endswith("\x1b[2K")  # the line is wiped


def test_hosts_that_speak_at_once_have_one_display(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Progress] = []

    def begin(progress: Progress) -> None:
        begun.append(progress)
        time.sleep(0.02)
        original(progress)

    original = Progress._begin  # noqa: SLF001  what must happen once
    monkeypatch.setattr(Progress, "_begin", begin)
    with on_screen() as progress, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: progress.tell(f"mx{number}.example.com", "logging in"), range(8)))
    assert len(begun) == 1


def test_nobody_who_says_nothing_is_shown() -> None:
    with Progress() as progress:
        pass
    assert progress.console is None


def test_a_wave_in_a_few_words() -> None:
    wave: list[Question] = [
        ReadFile("/etc/a"),
        LookUp("a.", "A"),
        ZoneSecurity("a."),
        Handshake("192.0.2.1", 25, "smtp"),
        RunCommand(Command.PS),
    ]
    assert told(wave) == "1 file, 1 command, 2 names, 1 port"


@pytest.mark.parametrize(
    ("common", "errors", "output", "shown"),
    [
        (Common(), True, True, True),
        (Common(), True, False, True),
        (Common(), False, True, False),
        (Common(quiet=True), True, True, False),
        (Common(form=Format.JSON), True, True, False),
        (Common(form=Format.JSON), True, False, True),
    ],
)
def test_who_sees_it(common: Common, errors: bool, output: bool, shown: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Stream(errors))
    monkeypatch.setattr(sys, "stdout", _Stream(output))
    monkeypatch.setenv("TERM", "xterm")
    assert is_watched(common) is shown
    monkeypatch.setenv("TERM", "dumb")
    assert not is_watched(common)


class _Stream(io.StringIO):
    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def _on_a_terminal(*arguments: str) -> str:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    command = [sys.executable, "-m", "mailaudit", *arguments]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, stdin=theirs, env=environment) as process:
        os.close(theirs)
        said = bytearray()
        while True:
            try:
                chunk = os.read(ours, 4096)
            except OSError:  # Linux says so at the end
                break
            if not chunk:
                break
            said += chunk
    os.close(ours)
    assert process.returncode in (0, 1, 4)
    return said.decode()


def test_a_real_terminal_sees_it_and_is_left_clean() -> None:
    shown = _on_a_terminal("scan", str(EXAMPLE), "--online", "--resolver", "127.0.0.1:1", "--timeout", "2")
    assert "wave " in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")


def test_a_scan_that_asks_nobody_shows_none() -> None:
    assert _on_a_terminal("scan", str(EXAMPLE)) == ""
