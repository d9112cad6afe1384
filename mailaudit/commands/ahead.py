"""`mailaudit scan` as it begins: live hosts are logged in to before what reads and judges is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mailaudit.choices import Common, Looking
from mailaudit.collect.login import begun
from mailaudit.collect.ssh.commands import told
from mailaudit.collect.ssh.target import is_path
from mailaudit.commands.looking import chosen_targets, entering, trusting
from mailaudit.commands.new_folder import vacant
from mailaudit.commands.telling import UsageError, reported, shown
from mailaudit.findings import Report
from mailaudit.output import Telling, is_same, outlets

if TYPE_CHECKING:
    from mailaudit.auditor import Accept
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
    baseline = wish.baseline
    over = [each for each in common.output or () if baseline is not None and is_same(each.partition(":")[2], baseline)]
    common = replace(common, output=[each for each in common.output or () if each not in over])

    def make() -> tuple[Report, Telling]:
        if over:
            raise UsageError(f"--output {over[0]}: the baseline lies there")
        chosen = chosen_targets(wish.targets, wish.targets_file, live=True)
        way = entering(looking)
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
        accept = _accepting(baseline) if baseline is not None else None
        way = begun(chosen, way)
        from mailaudit.commands.choosing import options  # noqa: PLC0415  hosts answer while this is imported
        from mailaudit.commands.scan import audited  # noqa: PLC0415  as above

        way = trusting(way, looking)
        settled = replace(options(common, looking, way), since=since, accept=accept)
        return audited(common, chosen, settled, save, nightly)

    return reported(common, make, nightly)


def _nightly(wish: Wish) -> Nightly | None:
    """What goes on from an earlier report, where one is named."""
    if wish.changed_since is None:
        return None
    from mailaudit.commands.nightly import Nightly  # noqa: PLC0415  most scans compare with nothing

    return Nightly(wish.changed_since)


def _accepting(path: str) -> Accept:
    """What waives the findings of a baseline."""
    from mailaudit.commands.earlier import baseline_in  # noqa: PLC0415  as above
    from mailaudit.comparing.baseline import accepted  # noqa: PLC0415  as above

    baseline = baseline_in(path, "--baseline")
    return lambda hosts, all_of_them: accepted(hosts, baseline, renamed=all_of_them)
