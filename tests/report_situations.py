"""The ways in which a scan ends, and the table of them in docs/exit-codes.md: what comes out of each, in every format."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import get_type_hints

import pytest

from mailaudit import cli
from mailaudit.checks import CHECKS
from mailaudit.commands import scan
from mailaudit.exitcodes import Terminated
from mailaudit.findings import Outcome, Report
from mailaudit.reports import jsonl
from mailaudit.reports.view import Reader

PF = "set skip on lo\nblock log all\npass out all\n"
SKIPS_NOTHING = "block log all\npass out all\n"
WAIVED = "# mailaudit: ignore[PF010] nothing talks to itself here\nblock log all\npass out all\n"
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
    patch.setenv("GIT_CONFIG_GLOBAL", os.devnull)  # a developer may sign what he commits
    patch.delenv("GIT_DIR", raising=False)
    for words in (("init", "-q"), ("add", "host"), ("commit", "-q", "-m", "all")):
        subprocess.run(["git", *words], cwd=folder, check=True)
    return targets


def and_a_dead_host(folder: Path, patch: pytest.MonkeyPatch) -> Sequence[str]:
    """A host with findings, and one that does not answer."""
    return [*host(SKIPS_NOTHING)(folder, patch), DEAD]


def beside(file: str, content: str | None, before: str = SKIPS_NOTHING) -> Callable[[Path, pytest.MonkeyPatch], Sequence[str]]:
    """A host with findings, and a file in the working directory: a baseline or a report of what it was, or what is none."""

    def made(folder: Path, patch: pytest.MonkeyPatch) -> Sequence[str]:
        patch.chdir(folder)
        host(before)(folder, patch)
        if content is not None:
            (folder / file).write_text(content)
        elif file == "baseline.json":
            cli.run(["baseline", "create", "host", "--select", "PF010", "--baseline", file])
        else:
            cli.run(["scan", "host", "--select", "PF010", "--output", f"json:{file}"])
        (folder / "host" / "etc" / "pf.conf").write_text(SKIPS_NOTHING)
        return ["host"]

    return made


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
    Situation("findings, all of them in the baseline", ("--baseline", "baseline.json"), 0, beside("baseline.json", None)),
    Situation("a finding that is not in the baseline", ("--baseline", "baseline.json"), 1, beside("baseline.json", None, PF)),
    Situation("the baseline is none", ("--baseline", "baseline.json"), 2, beside("baseline.json", "{}")),
    Situation("findings that were there before", ("--changed-since", "last.json"), 0, beside("last.json", None)),
    Situation("a finding that was not there before", ("--changed-since", "last.json"), 1, beside("last.json", None, PF)),
    Situation("the earlier report is none", ("--changed-since", "last.json"), 2, beside("last.json", "{}")),
    Situation("findings, and a file that cannot be read", (), 4, with_a_fifo),
    Situation("findings, and a file that cannot be read", ("--exit-zero",), 4, with_a_fifo),
    Situation("findings, and a file that cannot be read", ("--allow-incomplete",), 1, with_a_fifo),
    Situation("findings, and a file that cannot be read", ("--allow-incomplete", "--exit-zero"), 0, with_a_fifo),
    Situation("a rule crashed", (), 4, with_a_defect),
    Situation("the host is dead", ("--offline",), 4, lambda *_: [DEAD]),
    Situation("the host is dead", ("--offline", "--allow-incomplete"), 4, lambda *_: [DEAD]),
    Situation("one of two hosts is dead, the other has findings", ("--offline",), 4, and_a_dead_host),
    Situation("one of two hosts is dead, the other has findings", ("--offline", "--allow-incomplete"), 1, and_a_dead_host),
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


@dataclass(frozen=True)
class Difference:
    """One way in which `mailaudit diff A B` ends: what A and B are, options, the exit code."""

    found: str
    options: tuple[str, ...]
    code: int
    before: Callable[[Path, pytest.MonkeyPatch], Sequence[str]] = field(default_factory=lambda: host(PF, "a"))
    after: Callable[[Path, pytest.MonkeyPatch], Sequence[str]] = field(default_factory=lambda: host(SKIPS_NOTHING, "b"))

    def arguments(self, folder: Path, patch: pytest.MonkeyPatch) -> list[str]:
        """The command line."""
        return ["diff", *self.before(folder, patch), *self.after(folder, patch), *self.options, "--select", "PF010"]


def failed(folder: Path, _patch: pytest.MonkeyPatch) -> Sequence[str]:
    """The report of a run that audited nothing."""
    cli.run(["scan", "./nowhere", "--output", f"json:{folder / 'failed.json'}"])
    return [str(folder / "failed.json")]


DIFFERENCES = (
    Difference("nothing is new", (), 0, after=host(PF, "b")),
    Difference("something is new", (), 1),
    Difference("something is new", ("--exit-zero",), 0),
    Difference("something is new, below the threshold", ("--fail-on", "critical"), 0),
    Difference("something is fixed", (), 0, host(SKIPS_NOTHING, "a"), host(PF, "b")),
    Difference("B is not complete", (), 4, after=with_a_fifo),
    Difference("B is not complete", ("--allow-incomplete",), 1, after=with_a_fifo),
    Difference("A is not complete", (), 0, before=with_a_fifo),
    Difference("B is the report of a run that audited nothing", (), 4, after=failed),
    Difference("A is the report of a run that audited nothing", (), 2, before=failed),
    Difference("A is not there", (), 2, before=lambda *_: ["./nowhere"]),
    Difference("B holds nothing to audit", (), 3, after=empty),
    Difference("A is a live host", (), 2, before=lambda *_: [DEAD]),
)


def differences_table() -> str:
    """The table of those."""
    rows = [
        f"| {each.found} | {f'`{chr(32).join(each.options)}`' if each.options else ''} | {each.code} |" for each in DIFFERENCES
    ]
    return "\n".join(("| situation | options | code |", "|---|---|---|", *rows)) + "\n"


def table(said: Sequence[tuple[Situation, Mapping[str, str]]]) -> str:
    """The table: a row for each situation, with what each format says of it."""
    rows = []
    for each, told in said:
        options = f"`{' '.join(each.options)}`" if each.options else ""
        rows.append(" | ".join((each.found, options, str(each.code), *(told[form] for form in SHOWN))))
    head = " | ".join(("situation", "options", "code", *SHOWN))
    return "\n".join((f"| {head} |", f"|{'---|' * (3 + len(SHOWN))}", *(f"| {row} |" for row in rows))) + "\n"
