"""What a run ends with: the exit code, and its reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from mailaudit.exitcodes import ExitCode
from mailaudit.findings import UNFINISHED, HostReport, Severity, Verdict
from mailaudit.questions import NOT_ASKED
from mailaudit.wording import number_of

MOST_NAMES = 8  # in the reason of an exit code
STRICT = "waivers that are not right, and --strict-waivers"


class Judging(Protocol):
    """What was chosen of it."""

    @property
    def fail_on(self) -> Severity:
        """The least severity that gives code 1."""

    @property
    def strict_waivers(self) -> bool:
        """True if waivers that are not right give code 1."""

    @property
    def exit_zero(self) -> bool:
        """True if code 0 stands in place of 1."""

    @property
    def allow_incomplete(self) -> bool:
        """True if code 4 is what the rest gives."""


def first_of(names: Iterable[str], between: str = ", ") -> str:
    """So many names as one reads at the end of a report, in which all of them stand."""
    each = list(dict.fromkeys(names))
    return between.join(each[:MOST_NAMES]) + (f" and {len(each) - MOST_NAMES} more" if len(each) > MOST_NAMES else "")


def conclude(hosts: Sequence[HostReport], options: Judging, *, selected: bool) -> tuple[ExitCode, str]:
    """The exit code and its reason; the worst wins (contract, section 2)."""
    if not hosts or not selected:
        return ExitCode.NOTHING, "no rule was selected" if hosts else "nothing to audit"
    results = [result for host in hosts for result in host.results]
    gaps_ = [file.path for host in hosts for file in host.files if file.status in UNFINISHED]
    open_ = [result.rule for result in results if result.verdict is Verdict.UNKNOWN and result.reason not in NOT_ASKED]
    failed = [result for result in results if result.verdict is Verdict.FAIL and result.severity >= options.fail_on]
    found = f"{number_of(len(failed), 'finding')} at or above {options.fail_on}"
    if (gaps_ or open_) and not options.allow_incomplete:
        what = [found] if failed else []
        what += [f"not read whole: {first_of(gaps_)}"] if gaps_ else []
        what += [f"could not tell: {first_of(open_)}"] if open_ else []
        return ExitCode.INCOMPLETE, "; ".join(what)
    notes = [note for host in hosts for note in host.notes] if options.strict_waivers else []
    if not failed and not notes:
        quiet = sum(result.verdict is Verdict.UNKNOWN for result in results)
        left = f"; {number_of(quiet, 'rule')} not evaluated for want of evidence" if quiet else ""
        return ExitCode.OK, f"nothing found at or above {options.fail_on}{left}"
    if options.exit_zero:
        return ExitCode.OK, "findings, and --exit-zero"
    if not failed:
        return ExitCode.FINDINGS, STRICT
    return ExitCode.FINDINGS, found
