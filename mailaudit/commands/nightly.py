"""`scan --changed-since REPORT`: tells changes alone, and writes a report that the next night can go on from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mailaudit.auditor import Options
from mailaudit.choices import Format
from mailaudit.commands.earlier import earlier_report, is_there, known
from mailaudit.commands.telling import UsageError
from mailaudit.comparing.carrying import Night, first, kept, since
from mailaudit.comparing.differences import HostDifference, Kind
from mailaudit.comparing.known import Known, carried_data
from mailaudit.concluding import STRICT
from mailaudit.exitcodes import ExitCode
from mailaudit.findings import HostReport, Report, Result, Since
from mailaudit.output import Outlet, Telling, is_same
from mailaudit.reports.terminal import comparison as terminal

OPTION = "--changed-since"
_SINCE = {
    Kind.NEW: Since.NEW,
    Kind.NEWLY_EVALUATED: Since.NEW,
    Kind.RULE_ADDED: Since.NEW,
    Kind.CHANGED: Since.UPDATED,
    Kind.UNCHANGED: Since.UNCHANGED,
}


@dataclass
class Nightly:
    """The earlier report, None in the first night; `is_read` once it is known whether there is one."""

    path: str
    earlier: Known | None = None
    is_read: bool = False

    def read(self, outlets: Sequence[Outlet]) -> None:
        """Read the earlier report, before anything is scanned or written.

        Raises `UsageError` unless it is one that says something of a host. In the first night there is none yet: that is taken so
        only where this very run is to write it.
        """
        is_written = any(each.format is Format.JSON and is_same(each.path, self.path) for each in outlets)
        if is_there(self.path) or not is_written:
            self.earlier = earlier_report(self.path, OPTION)
            if not self.earlier.hosts and not self.earlier.carried:
                raise UsageError(
                    f"{OPTION} {self.path}: it is the report of a run that audited no host: {self.earlier.exit_reason}",
                    f"for a new beginning, take it away and add --output json:{self.path}",
                )
        self.is_read = True

    def spares(self, outlet: Outlet) -> bool:
        """True for the file of an earlier report that was not understood: what failed does not replace it."""
        return not self.is_read and is_same(outlet.path, self.path)

    def failed(self, report: Report) -> Report:
        """The report of a run that audited nothing, with all that is known of the hosts by earlier ones."""
        if not self.is_read:
            return report
        return replace(report, carried=() if self.earlier is None else carried_data(kept(self.earlier)))

    def compared(self, report: Report, tell: Telling, options: Options, *, quiet: bool) -> tuple[Report, Telling]:
        """The report with what the next one needs, and what there is to tell: all of it in the first night."""
        now = known(report, "")
        if self.earlier is None:
            return replace(report, carried=carried_data(first(now))), tell
        night = since(self.earlier, now)
        code, why = _concluded(report, night, options, self.path)
        by_host = {id(host.after): host for host in night.comparison.hosts}
        hosts = tuple(_marked(host, by_host.get(id(told))) for host, told in zip(report.hosts, now.hosts, strict=True))
        done = replace(report, hosts=hosts, carried=carried_data(night.carried), exit_code=code, exit_reason=why)
        strict = options.strict_waivers
        return done, lambda screen: terminal.write_night(night, done, screen, quiet=quiet, waivers=strict)


def _concluded(report: Report, night: Night, options: Options, path: str) -> tuple[int, str]:
    """Findings count if they are new or worse; nothing else of the exit code changes."""
    told = f"{night.comparison.drift(options.fail_on)} since {path}"
    if report.exit_code != ExitCode.FINDINGS:
        return report.exit_code, report.exit_reason
    if night.comparison.worse(options.fail_on):
        return report.exit_code, told
    if options.strict_waivers and any(host.notes for host in report.hosts):
        return report.exit_code, STRICT
    return ExitCode.OK, told


def _marked(host: HostReport, difference: HostDifference | None) -> HostReport:
    """The host's findings with what became of each."""
    kinds = {each.after.fingerprint: each.kind for each in difference.differences if each.after} if difference is not None else {}

    def mark(result: Result) -> Result:
        kind = kinds.get(result.fingerprint) if result.fingerprint else None
        return result if kind is None else replace(result, since=_SINCE.get(kind))

    return replace(host, results=tuple(map(mark, host.results)))
