"""Which OpenBSD release the host runs: a daemon of the base system reads its file as that release does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailaudit.models.sources import Model, Sources
from mailaudit.questions import Command, CommandOutput, Found, RunCommand

Number = tuple[int, int]
NEWEST: Number = (7, 9)
_UNAME = re.compile(r"OpenBSD (?:\S+ )?(\d{1,9})\.(\d{1,9})\b")


@dataclass(frozen=True)
class Release(Model):
    """The release as two numbers: what uname(1) said, else the newest that mailaudit knows."""

    number: Number = NEWEST

    def before(self, number: Number) -> bool:
        """True if the host's release is older."""
        return self.number < number


def read_release(sources: Sources) -> Release:
    """The release that `uname` tells; of another system, where OpenSMTPD is the portable one, nothing is known."""
    answer = sources.ask(RunCommand(Command.UNAME))
    if isinstance(answer, Found) and isinstance(answer.value, CommandOutput) and answer.value.status == 0:
        match = _UNAME.match(answer.value.stdout)
        if match is not None:
            return Release(number=(int(match[1]), int(match[2])))
    return Release()


def shown(number: Number) -> str:
    """A release as it is written: 7.5."""
    return f"{number[0]}.{number[1]}"
