"""What daemons' own checkers say against their configuration, where they were asked: `smtpd -n` and its like on the host itself.

It holds for the release that runs and for what the host has (addresses, interfaces, plugins), which files alone do not tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailaudit.models.sources import Model, Sources
from mailaudit.questions import CHECKERS, Command, CommandOutput, Found, RunCommand

_SHELL = 126  # statuses from here on are the shell's: the checker was not run, or was killed
_LONGEST = 300  # characters of a line that are told
_WARNING = re.compile(r"warn(?:ing)?:", re.IGNORECASE)
_PREFIX = re.compile(r"\A(?:smtpd|doveconf|pfctl): (?:Fatal: )?")
_PLACE = re.compile(r"(/[^\s:]+)(?::| line )(\d{1,9})\b")


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a checker said: its line, and the file and the number of the line in it; empty and 0 where it names none."""

    said: str
    path: str = ""
    line: int = 0


@dataclass(frozen=True)
class Verdicts(Model):
    """What each checker said against the configuration, and which take it as it is now; one that was not asked is in neither."""

    refused: Mapping[Command, Refusal] = field(default_factory=dict)
    taken: frozenset[Command] = frozenset()


def read_verdicts(sources: Sources) -> Verdicts:
    """The recorded outcomes."""
    answers = {command: sources.ask(RunCommand(command)) for command in CHECKERS}
    found = {command: answer.value for command, answer in answers.items() if isinstance(answer, Found)}
    said = {command: each for command, each in found.items() if isinstance(each, CommandOutput)}
    return Verdicts(
        refused={command: _refusal(each.stdout) for command, each in said.items() if 0 < each.status < _SHELL},
        taken=frozenset(command for command, each in said.items() if each.status == 0 and not each.of_before),
    )


def _refusal(printed: str) -> Refusal:
    """The first line that names a place and is no warning, else the last one."""
    lines = [_PREFIX.sub("", line.strip(), count=1) for line in printed.splitlines() if line.strip()]
    for line in lines:
        if (match := _PLACE.search(line)) is not None and not _WARNING.match(line):
            return Refusal(_short(line), match[1], int(match[2]))
    return Refusal(_short(lines[-1]) if lines else "")


def _short(line: str) -> str:
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."
