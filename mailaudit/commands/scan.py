"""`mailaudit scan`: collect, judge, report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mailaudit import rulebook
from mailaudit.audit import audit
from mailaudit.choices import Common, Looking
from mailaudit.collect.ssh.commands import told
from mailaudit.collect.ssh.target import is_path
from mailaudit.collect.trips import journey_of
from mailaudit.commands import critical_path
from mailaudit.commands.choosing import detail, options
from mailaudit.commands.looking import chosen_targets
from mailaudit.commands.new_folder import vacant
from mailaudit.commands.saving import Learned, save_all
from mailaudit.commands.telling import UsageError, reported, shown
from mailaudit.commands.watching import watched
from mailaudit.exitcodes import ExitCode, worst
from mailaudit.findings import HostReport, Report
from mailaudit.output import Telling, complain, mention, outlets
from mailaudit.reports.terminal import report as terminal

if TYPE_CHECKING:
    from mailaudit.commands.nightly import Nightly


def show_what_is_asked() -> int:
    """Print the files and commands that a live host is asked for; nothing is asked."""
    return shown(told, debug=False)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is scanned, and what is done with it.

    `targets` and those listed in a file; with `since` the hosts alone that were touched since that revision of git; with `save`
    what was asked is kept in that folder; findings of the `baseline` do not count; of `changed_since` see `nightly`.
    """

    targets: Sequence[str]
    targets_file: str | None = None
    save: str | None = None
    since: str | None = None
    baseline: str | None = None
    changed_since: str | None = None


def scan(common: Common, wish: Wish, looking: Looking) -> int:
    """Audit all targets and tell."""
    save, since = wish.save, wish.since
    nightly = _nightly(wish)

    def make() -> tuple[Report, Telling]:
        book = rulebook.load()
        chosen = chosen_targets(wish.targets, wish.targets_file, live=True)
        if looking.probe_relay and not looking.online and all(map(is_path, chosen)):
            raise UsageError("--probe-relay asks port 25 over the network", "with a path it wants --online")
        if since is not None and not all(map(is_path, chosen)):
            raise UsageError("--since compares folders in a git repository; a live host has no revisions")
        if since is not None and nightly is not None:
            raise UsageError("--since leaves out hosts, which --changed-since would take for gone")
        if save is not None:
            vacant(save, "--save")
        if nightly is not None:
            nightly.read(outlets(common.output or ()))
        accept = _accepting(wish.baseline) if wish.baseline is not None else None
        learned: list[Learned] = []
        with watched(common, replace(options(common, looking), since=since, accept=accept)) as settled:
            wanted = save is not None or common.verbose
            keep = (lambda *known: learned.append(Learned(*known))) if wanted else None
            report = audit(chosen, settled, book, keep)
        if save is not None and learned:
            report = _saved(report, learned, Path(save), quiet=common.quiet)
        for each in learned if common.verbose else ():
            mention("".join(critical_path.lines(each.known.target, journey_of(each.auditor.world))))
        told = detail(common)
        tell = partial(terminal.write, report, pages=book.pages, detail=told, show_passed=common.show_passed)
        return (report, tell) if nightly is None else nightly.compared(report, tell, settled, quiet=common.quiet)

    return reported(common, make, nightly)


def _nightly(wish: Wish) -> Nightly | None:
    """What goes on from an earlier report, where one is named."""
    if wish.changed_since is None:
        return None
    from mailaudit.commands.nightly import Nightly  # noqa: PLC0415  most scans compare with nothing

    return Nightly(wish.changed_since)


def _accepting(path: str) -> Callable[[Sequence[HostReport]], tuple[HostReport, ...]]:
    """What waives the findings of a baseline."""
    from mailaudit.commands.earlier import baseline_in  # noqa: PLC0415  as above
    from mailaudit.comparing.baseline import accepted  # noqa: PLC0415  as above

    return partial(accepted, baseline=baseline_in(path, "--baseline"))


def _saved(report: Report, learned: Sequence[Learned], place: Path, *, quiet: bool) -> Report:
    """The report, once snapshots are written; where they could not be, it says so."""
    try:
        told = save_all(learned, place)
    except OSError as error:
        message = f"--save {place}: it could not be written: {(error.strerror or str(error)).lower()}"
        code = worst((report.exit_code, ExitCode.INCOMPLETE))
        return replace(report, errors=(*report.errors, message), exit_code=code)
    for line in told if not quiet else ():
        complain(line)
    return report
