"""The ways in which a scan ends, and the table of them in docs/exit-codes.md: what comes out of each, in every format."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import get_type_hints

import pytest

from mailaudit.checks import CHECKS
from mailaudit.commands import scan
from mailaudit.exitcodes import Terminated
from mailaudit.findings import Outcome, Report
from mailaudit.reports import jsonl
from mailaudit.reports.view import Reader

PF = "set skip on lo\nblock log all\npass out all\n"
SKIPS_NOTHING = "block log all\npass out all\n"
WAIVED = "# mailaudit: ignore[PF010] nothing talks to itself here\nblock log all\npass out all\n"
EXPIRED = WAIVED.replace("PF010]", "PF010] until=2020-01-01")
DEAD = "ssh://127.0.0.1:1"  # nobody listens there
SHOWN = ("sarif", "github", "junit", "gitlab", "prometheus")


@dataclass(frozen=True)
class Situation:
    """One way to end: what is found, the options that matter, the exit code. `made` prepares it and names the targets."""

    found: str
    options: tuple[str, ...]
    code: int
    made: Callable[[Path, pytest.MonkeyPatch], Sequence[str]]
    select: str = "PF010"

    def arguments(self, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
        """The command line."""
        select = ("--select", self.select) if self.select else ()
        return ["scan", *self.made(folder, patch), *self.options, *select]


def host(pf: str = PF, name: str = "host") -> Callable[[Path, pytest.MonkeyPatch], Sequence[str]]:
    """A folder with one host's pf.conf."""

    def made(folder: Path, _patch: pytest.MonkeyPatch) -> Sequence[str]:
        etc = folder / name / "etc"
        etc.mkdir(parents=True)
        (etc / "pf.conf").write_text(pf)
        return [str(folder / name)]

    return made


def with_a_fifo(folder: Path, patch: pytest.MonkeyPatch) -> Sequence[str]:
    """A host with findings, of whose files one cannot be read."""
    targets = host(SKIPS_NOTHING)(folder, patch)
    (folder / "host" / "etc" / "mail").mkdir()
    os.mkfifo(folder / "host" / "etc" / "mail" / "smtpd.conf")
    return targets


def with_a_defect(folder: Path, patch: pytest.MonkeyPatch) -> Sequence[str]:
    """A host that a rule crashes at."""

    def crash(**_inputs: object) -> Iterator[Outcome]:
        raise ZeroDivisionError("oh no")

    crash.__annotations__ = get_type_hints(CHECKS["PF010"].function)
    patch.setitem(CHECKS, "PF010", replace(CHECKS["PF010"], function=crash))
    return host()(folder, patch)


def with_bad_settings(folder: Path, patch: pytest.MonkeyPatch) -> Sequence[str]:
    """A host whose settings have an unknown key."""
    targets = host()(folder, patch)
    (folder / "host" / "mailaudit.toml").write_text("[site]\nfrob = 1\n")
    return targets


def ending_with(error: BaseException) -> Callable[[Path, pytest.MonkeyPatch], Sequence[str]]:
    """A scan in the middle of which something comes."""

    def made(folder: Path, patch: pytest.MonkeyPatch) -> Sequence[str]:
        def audit(*_: object) -> None:
            raise error

        patch.setattr(scan, "audit", audit)
        return host()(folder, patch)

    return made


def without_a_format(folder: Path, patch: pytest.MonkeyPatch) -> Sequence[str]:
    """A scan whose report fails in one format."""
    write, calls = jsonl.write, count()

    def defective(report: Report, reader: Reader) -> str:
        if not next(calls):
            raise ZeroDivisionError("oh no")
        return write(report, reader)

    patch.setattr(jsonl, "write", defective)
    return host()(folder, patch)


def empty(folder: Path, _patch: pytest.MonkeyPatch) -> Sequence[str]:
    """A folder with nothing in it."""
    (folder / "host").mkdir()
    return [str(folder / "host")]


def committed(folder: Path, patch: pytest.MonkeyPatch) -> Sequence[str]:
    """A host with findings in a repository of git, as it was committed."""
    targets = host(SKIPS_NOTHING)(folder, patch)
    for name in ("AUTHOR_NAME", "AUTHOR_EMAIL", "COMMITTER_NAME", "COMMITTER_EMAIL"):
        patch.setenv(f"GIT_{name}", "a@example.com")
    for words in (("init", "-q"), ("add", "host"), ("commit", "-q", "-m", "all")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return targets


def and_a_dead_host(folder: Path, patch: pytest.MonkeyPatch) -> Sequence[str]:
    """A host with findings, and one that does not answer."""
    return [*host(SKIPS_NOTHING)(folder, patch), DEAD]


SITUATIONS = (
    Situation("all was evaluated, nothing found", (), 0, host()),
    Situation("nothing found; the network was not asked", (), 0, host(), select="PF010,DNS001"),
    Situation("findings", (), 1, host(SKIPS_NOTHING)),
    Situation("findings", ("--exit-zero",), 0, host(SKIPS_NOTHING)),
    Situation("findings below the threshold", ("--fail-on", "critical"), 0, host(SKIPS_NOTHING)),
    Situation("findings, all of them waived", (), 0, host(WAIVED)),
    Situation("findings, all of them waived", ("--no-inline-ignores",), 1, host(WAIVED)),
    Situation("a waiver that nothing needs", (), 0, host(PF + WAIVED.splitlines()[0] + "\n")),
    Situation("a waiver that nothing needs", ("--strict-waivers",), 1, host(PF + WAIVED.splitlines()[0] + "\n")),
    Situation("findings, and a file that cannot be read", (), 4, with_a_fifo),
    Situation("findings, and a file that cannot be read", ("--exit-zero",), 4, with_a_fifo),
    Situation("findings, and a file that cannot be read", ("--allow-incomplete",), 1, with_a_fifo),
    Situation("findings, and a file that cannot be read", ("--allow-incomplete", "--exit-zero"), 0, with_a_fifo),
    Situation("a rule crashed", (), 4, with_a_defect),
    Situation("the host is dead", ("--offline",), 4, lambda *_: [DEAD]),
    Situation("one of two hosts is dead, the other has findings", ("--offline",), 4, and_a_dead_host),
    Situation("nothing to audit in the target", (), 3, empty),
    Situation("no host was touched since a revision", ("--since", "HEAD"), 0, committed),
    Situation("there is no such revision", ("--since", "nowhere"), 2, committed),
    Situation("no rule is selected", ("--ignore", "PF"), 3, host()),
    Situation("no rule has that id", (), 2, host(), select="PF999"),
    Situation("the target is not there", (), 2, lambda *_: ["./nowhere"]),
    Situation("the settings are not as they must be", (), 2, with_bad_settings),
    Situation("interrupted", (), 130, ending_with(KeyboardInterrupt())),
    Situation("ended by SIGTERM", (), 143, ending_with(Terminated())),
    Situation("a defect of mailaudit", (), 70, ending_with(ZeroDivisionError("oh no"))),
    Situation("a defect of one format", (), 70, without_a_format),
    Situation("a report cannot be written", ("--output", "json:/dev/full"), 4, host()),
)


def table(said: Sequence[tuple[Situation, Mapping[str, str]]]) -> str:
    """The table: a row for each situation, with what each format says of it."""
    rows = []
    for each, told in said:
        options = f"`{' '.join(each.options)}`" if each.options else ""
        rows.append(" | ".join((each.found, options, str(each.code), *(told[form] for form in SHOWN))))
    head = " | ".join(("situation", "options", "code", *SHOWN))
    return "\n".join((f"| {head} |", f"|{'---|' * (3 + len(SHOWN))}", *(f"| {row} |" for row in rows))) + "\n"
