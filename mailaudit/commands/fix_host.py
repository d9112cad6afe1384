"""What `mailaudit fix` does with a live host: plan the corrections, write them as one transaction, look at the host anew."""

from __future__ import annotations

import getpass
import socket
from dataclasses import dataclass, replace
from functools import partial

from mailaudit import rulebook
from mailaudit.apply.folder import ApplyError
from mailaudit.apply.host import Heard, HostWriter
from mailaudit.apply.passage import objection
from mailaudit.apply.runs import Outcome
from mailaudit.apply.transaction import Seconds, Transaction, transaction
from mailaudit.auditor import Options
from mailaudit.choices import Common, Looking
from mailaudit.commands.choosing import detail, options
from mailaudit.commands.entering import entered, progress
from mailaudit.commands.fix_folder import Judged, concluded, judged
from mailaudit.commands.level import Level
from mailaudit.commands.telling import UsageError
from mailaudit.findings import HostReport, Report, Result
from mailaudit.models.facts import Facts
from mailaudit.output import Telling
from mailaudit.questions import now
from mailaudit.repair import Plan, plan, verified
from mailaudit.reports import applied as applied_as_data
from mailaudit.reports import plan as plans_as_data
from mailaudit.reports.terminal import applied, fixes
from mailaudit.snapshot import Snapshot
from mailaudit.text import encode

OF_FILES = frozenset({"F", "E"})  # the evidence that is seen without the daemons having taken it up
SINCE = "since the files were written"


@dataclass(frozen=True, slots=True)
class Mended:
    """A host's plan, and what was done with it, if anything was."""

    plan: Plan
    done: Transaction | None = None
    outcome: Outcome | None = None


def mend_host(common: Common, target: str, level: Level, looking: Looking) -> tuple[Report, Telling]:
    """Plan the corrections of a live host, write them if asked to, and report.

    Raises `ApplyError` where they were not written, or taken back.
    """
    started = now()
    chosen = options(common, looking)
    if level.out is not None:
        raise UsageError("--out is for folders", f"mailaudit snapshot {target} -o DIR, then mailaudit fix DIR --out DIR")
    with entered(target, chosen.login) as (world, writer):
        if level.write:
            writer.prepare()
        (host,) = judged([world], rulebook.load(), chosen)
        planned = plan(host.auditor, level.allowed, rules=frozenset(host.rules), partly_read=level.force_partial)
        mending = _Mending(target, chosen, host, writer, progress(common))
        mended = mending.carry_out(planned, reload=level.reload) if level.write else Mended(planned)
    planned = mended.plan
    code, why = concluded([planned], chosen, written=level.write, selected=bool(host.rules))
    profile = chosen.profile or host.auditor.settings.profile
    data = plans_as_data.as_data(planned, written=level.write)
    if mended.outcome is not None and mended.done is not None:
        data["applied"] = applied_as_data.as_data(mended.outcome, mended.done)
    told = replace(planned.report if level.write else planned.before, plan=data)
    report = Report(profile, len(host.rules), started, now(), (told,), (), code, why)
    shown = partial(fixes.write, report, plans=[planned], diff=not level.check, written=level.write, detail=detail(common))
    if mended.outcome is None or mended.done is None:
        return report, shown
    head = applied.in_words(target, mended.outcome, mended.done)
    return report, lambda screen: head + shown(screen)


@dataclass(frozen=True, slots=True)
class _Mending:
    """Writes to one host, and looks at it anew."""

    target: str
    chosen: Options
    host: Judged
    writer: HostWriter
    heard: Heard

    def carry_out(self, planned: Plan, *, reload: bool) -> Mended:
        """The plan carried out, beside what a new look at the host says."""
        known, before = self.host.auditor.learn()
        patience = self.chosen.login.seconds
        seconds = Seconds(int(min(60, max(5, patience))), int(60 + 4 * patience))
        made = transaction(planned, known, f"{getpass.getuser()}@{socket.gethostname()}", seconds, reload=reload)
        if not made.steps:
            return Mended(planned)
        self._object(planned, known, before)
        seen: list[HostReport] = []

        def is_well() -> str:
            seen.append(self._seen_anew())
            return _worse(planned, seen[-1], self.host)

        outcome = self.writer.write(made.plan, seconds, self.heard, is_well)
        if outcome.end != "kept" or not seen:
            raise ApplyError(f"{self.target}: {applied.failure(outcome)}")
        left = tuple(deed for deed in made.done if deed.text in outcome.left)
        made = replace(made, done=tuple(deed for deed in made.done if deed not in left), by_hand=(*left, *made.by_hand))
        return Mended(replace(_compared(planned, seen[-1], self.host), todo=made.by_hand), made, outcome)

    def _object(self, planned: Plan, known: Snapshot, before: Facts) -> None:
        """Raise `ApplyError` for a ruleset of pf that would cut the connection in use."""
        if self.writer.passage is None or not any(path.startswith("/etc/pf") for path in planned.files):
            return
        changed = known.with_files({path: encode(chars) for path, chars in planned.files.items()})
        against = objection(before, self.host.auditor.learn(changed)[1], self.writer.passage)
        if against:
            raise ApplyError(f"{self.target}: {against}; nothing was changed")

    def _seen_anew(self) -> HostReport:
        """An audit of the host over a connection of its own."""
        with entered(self.target, self.chosen.login) as (world, _):
            again = self.host.auditor.anew(world)
            return again.examine(*again.learn())


def _worse(planned: Plan, after: HostReport, host: Judged) -> str:
    """What is worse than the plan promised; empty if nothing is. What hangs on daemons that were not told yet does not count."""
    unread = {file.path: len(file.unread) for file in planned.report.files}
    for file in after.files:
        if len(file.unread) > unread.get(file.path, 0):
            return f"{file.path} is not read whole any more"
    new = [result.rule for result in _compared(planned, after, host).failed if _is_new(planned, result)]
    return f"a new look at the host finds {', '.join(sorted(set(new)))}" if new else ""


def _compared(planned: Plan, after: HostReport, host: Judged) -> Plan:
    """The plan beside a new look at the host. What is new and hangs on daemons that were not told is no failure."""
    pages = host.auditor.book.pages
    done = verified(planned, after)
    later = [each for each in done.failed if _is_new(planned, each) and not OF_FILES.issuperset(pages[each.rule].evidence)]
    failed = tuple(each for each in done.failed if each not in later)
    return replace(done, failed=failed, left=(*done.left, *((each, SINCE) for each in later)))


def _is_new(planned: Plan, result: Result) -> bool:
    return result.fingerprint not in {each.fingerprint for each in planned.before.results}
