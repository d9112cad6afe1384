"""Runs of the applier, as they end and as a host remembers them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailaudit.questions import mtime

BUSY, CUT_OFF = "busy", "cut-off"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: its number (0: there was none), `kept`, `restored`, `refused` or `partly`, why, and what was said."""

    run: int
    end: str
    why: str
    said: tuple[str, ...]

    @property
    def checks(self) -> tuple[str, ...]:
        """What the daemons' own checkers said: `smtpd accepts`, `pf nothing: ...`, `dovecot as-before: ...`."""
        return tuple(line.removeprefix("check ") for line in self.said if line.startswith("check "))

    @property
    def left(self) -> frozenset[str]:
        """The commands that were not run, for their programs are not there."""
        return frozenset(line.removeprefix("left ") for line in self.said if line.startswith("left "))


def outcome(number: int, lines: Iterable[str], objection: str = "") -> Outcome | None:
    """How a run ended that said these lines; None if it has no end. `objection` is what the auditor had against it."""
    said = tuple(lines)
    ends = [line.split(" ", 2) for line in said if line.startswith("end ")]
    if not ends:
        return None
    end, why = ends[0][1], ends[0][2] if len(ends[0]) > 2 else ""
    return Outcome(number, end, f"{objection} ({why})" if end != "kept" and objection else why, said)


@dataclass(frozen=True, slots=True)
class Past:
    """A run as its host remembers it: when (UTC), by whom, which files, which commands, and how it ended, and why.

    `end` is as in `Outcome`, or `busy` for one that is at work, `cut-off` for one that has no end and is to be rolled back.
    """

    number: int
    begun: str
    by: str
    files: tuple[str, ...]
    commands: tuple[str, ...]
    end: str
    ended: str
    why: str
    said: tuple[str, ...]


def past(lines: Iterable[str]) -> Iterator[Past]:
    """The runs of a history, oldest first."""
    run: list[str] = []
    number = 0
    for line in (*lines, "run 0"):
        begun = re.fullmatch(r"run ([0-9]{1,9})", line)
        if begun is None:
            run.append(line)
            continue
        if number:
            yield _past(number, run)
        run, number = [], int(begun[1])


def _past(number: int, lines: list[str]) -> Past:
    steps = [line.split(" ", 2)[1:] for line in lines if line.startswith("path ")]
    log = [line.split(" ", 2)[1:] for line in lines if line.startswith("log ") and line.count(" ") > 1]
    said = tuple(text for _, text in log)
    ends = [(time, *text.split(" ", 2)[1:]) for time, text in log if text.startswith("end ")]
    open_ = [line.split(" ", 1)[1] for line in lines if line.startswith("open ")]
    begun = re.match(r"begin [0-9]+ by (.*)", said[0]) if said else None
    last = ends[-1] if ends and not open_ else ("", *(open_ or [CUT_OFF]))
    return Past(
        number=number,
        begun=_time(log[0][0]) if log else "",
        by=begun[1] if begun else "",
        files=tuple(dict.fromkeys(text for kind, text in steps if kind in ("file", "remove"))),
        commands=tuple(text for kind, text in steps if kind == "run"),
        end=last[1],
        ended=_time(last[0]),
        why=last[2] if len(last) > 2 else "",
        said=said,
    )


def _time(seconds: str) -> str:
    return mtime(int(seconds)) or "" if re.fullmatch("[0-9]{1,20}", seconds) else ""
