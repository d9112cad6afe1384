"""How every command ends: a report or a text where it was wished, an exit code, and what went wrong in one line."""

from __future__ import annotations

import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Protocol

from mailaudit import output
from mailaudit.choices import Common, Format
from mailaudit.exitcodes import ExitCode, Terminated, worst
from mailaudit.findings import Report
from mailaudit.output import Outlet, Telling
from mailaudit.questions import now
from mailaudit.reports.masking import Mask, visible
from mailaudit.reports.terminal import report as terminal
from mailaudit.reports.terminal.paper import Screen
from mailaudit.reports.view import Reader


class UsageError(Exception):
    """What the command line asks for cannot be had; the hints say what can."""

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.hints = hints


class Keeper(Protocol):
    """What earlier reports knew, which a run that fails must not lose."""

    def spares(self, outlet: Outlet) -> bool:
        """True for a file that what failed does not replace."""

    def failed(self, report: Report) -> Report:
        """The report of a run that failed, with what is known."""


def reported(common: Common, make: Callable[[], tuple[Report, Telling]], keeper: Keeper | None = None) -> int:
    """Make a report and deliver it. Whatever goes wrong is told on standard error, and in reports for programs and files."""
    with ExitStack() as ending:
        outlets: list[Outlet] = []
        try:
            outlets = output.outlets(common.output or ())
            report, tell = make()
            if common.debug:
                for host in report.hosts:
                    mask = Mask.of(host.secrets, host.texts.values())
                    for crash in host.crashes:
                        _trace(crash, mask)
            text, copies = _rendered(common, report, tell, outlets)
        except BaseException as error:  # noqa: BLE001  the report must be valid on every way out (contract, section 4)
            ending.enter_context(_undisturbed())
            code, message = explained(error, debug=common.debug)
            report = _failure(code, message, common.profile or "recommended")
            if keeper is not None:
                report = keeper.failed(report)
                outlets = [each for each in outlets if not keeper.spares(each)]
            text, copies = _rendered(common, report, partial(terminal.write, report, pages={}), outlets)
            text = "" if common.form is Format.TERMINAL else text
        failures = [output.deliver(copy, each.path) for each, copy in zip(outlets, copies, strict=True)]
        failures.append(output.write(text, common.form) if text else "")
        failures.append(output.summarize(report) if common.form is Format.GITHUB else "")
        for failure in filter(None, failures):
            output.complain(failure)
            report = replace(report, exit_code=worst((report.exit_code, ExitCode.INCOMPLETE)))
        return report.exit_code


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Signals do not cut off what a run that failed has to say; it is little."""
    heeded = {each: signal.signal(each, signal.SIG_IGN) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for each, handler in heeded.items():
            signal.signal(each, handler)


def _rendered(common: Common, report: Report, tell: Telling, outlets: Sequence[Outlet]) -> tuple[str, list[str]]:
    """What standard output carries, and what each outlet does: all of it before any is written, as a defect may yet turn up."""
    reader = Reader(sarif_profile=common.sarif_profile, show_passed=common.show_passed)
    copies = [output.render(report, tell, each.format, Screen(), reader) for each in outlets]
    return output.render(report, tell, common.form, output.screen(common.color), reader), copies


def shown(make: Callable[[], str], *, debug: bool, otherwise: str = "") -> int:
    """Write a text to standard output, or tell what went wrong on standard error."""
    code = ExitCode.OK
    try:
        text = make()
    except BaseException as error:  # noqa: BLE001  JSON must be valid on every way out
        code, _ = explained(error, debug=debug)
        text = otherwise
    failure = output.write(text) if text else ""
    if failure:
        output.complain(failure)
        code = worst((code, ExitCode.INCOMPLETE))
    return code


def explained(error: BaseException, *, debug: bool) -> tuple[ExitCode, str]:
    """The exit code of what went wrong, and a sentence, which is told on standard error."""
    hints: tuple[str, ...] = ()
    match error:
        case KeyboardInterrupt():
            code, message = ExitCode.INTERRUPTED, "interrupted"
        case Terminated():
            code, message = ExitCode.TERMINATED, "terminated"
        case _ if (expected := expected_code(error)) is not None:
            code, message, hints = expected, str(error), getattr(error, "hints", ())
        case _:
            said = Mask()(" ".join(f"{type(error).__name__}: {error}".split()))
            code, message = ExitCode.INTERNAL, f"internal error: {said[:300]}"
            hints = () if debug else ("--debug shows where; please report it",)
    output.complain(message, hints)
    if debug:
        _trace(error, Mask())
    return code, message


def _trace(error: BaseException, mask: Mask) -> None:
    """Write a traceback to standard error. The message of an error can hold what a file does."""
    sys.stderr.write(visible(mask("".join(traceback.format_exception(error))), keep="\n"))


def expected_code(error: BaseException) -> ExitCode | None:
    """The exit code of an error that is no defect of mailaudit; None if it is one."""
    from mailaudit.apply import ApplyError, OutPlaceError  # noqa: PLC0415  paid for only when something went wrong
    from mailaudit.collect.directory import RefusedError  # noqa: PLC0415
    from mailaudit.collect.world import TargetError  # noqa: PLC0415
    from mailaudit.recording import RecordingError  # noqa: PLC0415
    from mailaudit.rulebook import SelectionError  # noqa: PLC0415
    from mailaudit.settings import SettingsError  # noqa: PLC0415

    match error:
        case TargetError():
            return ExitCode(error.code)
        case RefusedError():
            return ExitCode.INCOMPLETE
        case OutPlaceError():
            return ExitCode.USAGE
        case ApplyError():
            return ExitCode.FIX_FAILED
        case UsageError() | output.OutputError() | SelectionError() | SettingsError() | RecordingError():
            return ExitCode.USAGE
    return None


def _failure(code: ExitCode, message: str, profile: str) -> Report:
    return Report(profile, 0, now(), now(), (), (message,), code, code.short)
