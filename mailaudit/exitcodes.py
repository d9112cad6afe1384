"""The exit codes: their meaning, and which of several wins (contract, section 2)."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Self


class ExitCode(IntEnum):
    """How a run ended. Members stand in the order of precedence, worst first."""

    short: str  # for the help's epilog and the report's last line
    meaning: str  # for the documentation

    TERMINATED = 143, "ended by SIGTERM", "ended by SIGTERM or SIGHUP, after cleaning up"
    INTERRUPTED = 130, "interrupted", "interrupted from the keyboard (SIGINT), after cleaning up"
    INTERNAL = 70, "internal error", "internal error: a defect of mailaudit (traceback with `--debug` only)"
    USAGE = (
        2,
        "usage or configuration error",
        "usage or configuration error: unknown option, rule id, key or path; nothing was scanned",
    )
    FIX_FAILED = 5, "a fix failed", "a fix failed, or was rolled back; the report says which"
    INCOMPLETE = (
        4,
        "incomplete: something could not be evaluated",
        (
            "incomplete: host unreachable, login or doas refused, a file that exists unreadable or not fully read by mailaudit "
            "though its daemon would read it, a rule crashed, a live question undecided; findings are still in the report"
        ),
    )
    NOTHING = 3, "nothing to audit", "nothing to audit: no known file in TARGET, or an empty selection"
    FINDINGS = (
        1,
        "findings at or above --fail-on",
        (
            "findings at or above `--fail-on`; `fix` that would change something, or that wrote all it was allowed to "
            "and left findings (unsafe, manual) behind; `diff` with new ones; `trace` that breaks"
        ),
    )
    OK = (
        0,
        "all was evaluated, nothing found",
        (
            "all that was selected was evaluated, and nothing at or above `--fail-on` was found "
            "(waived and baselined findings do not count)"
        ),
    )

    def __new__(cls, value: int, short: str = "", meaning: str = "") -> Self:
        """Make a member of its number; the words are attributes."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.short = short
        member.meaning = meaning
        return member

    @property
    def word(self) -> str:
        """Its name in words."""
        return self.name.lower().replace("_", " ")


class Terminated(BaseException):
    """SIGTERM came: what `KeyboardInterrupt` is for SIGINT."""


def worst(codes: Iterable[int]) -> ExitCode:
    """The code that wins; `OK` if there is none."""
    found = set(codes)
    return next((code for code in ExitCode if code in found), ExitCode.OK)


def settle(codes: Iterable[int], *, exit_zero: bool = False, allow_incomplete: bool = False) -> ExitCode:
    """The code that wins after `--allow-incomplete` (4 becomes what the rest says) and `--exit-zero` (1 becomes 0)."""
    found = set(codes)
    if allow_incomplete:
        found.discard(ExitCode.INCOMPLETE)
    if exit_zero:
        found.discard(ExitCode.FINDINGS)
    return worst(found)


def table() -> str:
    """The codes as a Markdown table, for the documentation; generated so that it cannot drift."""
    rows = [f"| {int(code)} | {code.meaning} |" for code in sorted(ExitCode)]
    return "\n".join(("| code | meaning |", "|---|---|", *rows)) + "\n"


def epilog(*without: ExitCode, ok: str = "", findings: str = "") -> str:
    """The codes as lines, for `--help`; the first character keeps them from being filled into a paragraph.

    A command leaves out those that it never ends with, and may have words of its own for 0 and 1.
    """
    own = {ExitCode.OK: ok, ExitCode.FINDINGS: findings}
    lines = (f"{int(code):>5}  {own.get(code) or code.short}" for code in sorted(ExitCode) if code not in without)
    return "\n".join(("\b", "Exit codes:", *lines))
