"""What `mailaudit fix` does with a folder: plan the corrections, write them if asked to, audit anew what was written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mailaudit import rulebook
from mailaudit.apply.folder import out_folder, write_folder
from mailaudit.auditor import Auditor, Options, auditor_for, select
from mailaudit.choices import Common
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.world import World
from mailaudit.commands.choosing import detail, options
from mailaudit.commands.level import Level
from mailaudit.commands.telling import UsageError
from mailaudit.concluding import conclude
from mailaudit.exitcodes import ExitCode, settle, worst
from mailaudit.findings import Report
from mailaudit.models.sources import Shelf
from mailaudit.output import Telling
from mailaudit.questions import Found, ReadFile, now
from mailaudit.repair import Plan, plan, verified
from mailaudit.reports import plan as plans_as_data
from mailaudit.reports.terminal import fixes
from mailaudit.rulebook import Rulebook
from mailaudit.text import encode
from mailaudit.wording import number_of


@dataclass(frozen=True, slots=True)
class Judged:
    """A host of the folder: who audits it, and the rules whose findings are mended; the others are judged as well."""

    auditor: Auditor
    rules: tuple[str, ...]


def mend(common: Common, target: str, level: Level) -> tuple[Report, Telling]:
    """Plan the corrections of a folder's hosts, write them if asked to, and report."""
    started = now()
    chosen = options(common)
    found = find_worlds(target)
    hosts = list(judged(found, rulebook.load(), chosen))
    plans = [plan(host.auditor, level.allowed, rules=frozenset(host.rules), partly_read=level.force_partial) for host in hosts]
    written = level.write or level.out is not None
    if written:
        places = [_place(host.auditor.world, target, level, alone=len(hosts) == 1) for host in hosts]
        for host, planned, place in zip(hosts, plans, places, strict=True):
            _write(host.auditor.world, planned, place, level)
        plans = [_seen_anew(host.auditor, each, place) for host, each, place in zip(hosts, plans, places, strict=True)]
    selected = {rule for host in hosts for rule in host.rules}
    code, why = concluded(plans, chosen, written=written, selected=bool(selected))
    if found.errors and not chosen.allow_incomplete:
        code, why = worst((code, ExitCode.INCOMPLETE)), "; ".join(found.errors)
    profile = chosen.profile or hosts[0].auditor.settings.profile
    told = tuple(
        replace(each.report if written else each.before, plan=plans_as_data.as_data(each, written=written)) for each in plans
    )
    report = Report(profile, len(selected), started, now(), told, tuple(found.errors), code, why)
    return report, partial(fixes.write, report, plans=plans, diff=not level.check, written=written, detail=detail(common))


def judged(found: Iterable[World], book: Rulebook, chosen: Options) -> Iterator[Judged]:
    """The hosts with the rules that are chosen for them; all others of their profile are judged as well."""
    for world in found:
        auditor = auditor_for(world, book, replace(chosen, select=()))
        rules = select(book, auditor.settings, chosen)
        every = tuple(identity for identity in book.pages if identity in {*auditor.selected, *rules})
        yield Judged(replace(auditor, selected=every, options=chosen), rules)


def concluded(plans: list[Plan], chosen: Options, *, written: bool, selected: bool) -> tuple[ExitCode, str]:
    """The exit code of plans, written or not, and its reason."""
    code, why = conclude([each.report for each in plans], chosen, selected=selected)
    failed = sorted({result.rule for each in plans for result in each.failed})
    if failed:
        return worst((code, ExitCode.FIX_FAILED)), f"still failing, though their fixes were written: {', '.join(failed)}"
    if not written and any(each.files for each in plans):
        code = settle((code, ExitCode.FINDINGS), exit_zero=chosen.exit_zero)
        changes = sum(len(each.mended) for each in plans)
        why = f"{number_of(changes, 'finding')} would be mended" if code is ExitCode.FINDINGS else why
    return code, why


def _place(world: World, target: str, level: Level, *, alone: bool) -> Path:
    """Where a host is written to: where it lies, or its place below another folder."""
    if world.root is None:
        raise UsageError(f"{world.target} is an archive, which is not written to", "unpack it first")
    if level.out is None:
        return world.root
    return Path(level.out) if alone else Path(level.out) / world.root.relative_to(target)


def _write(world: World, planned: Plan, place: Path, level: Level) -> None:
    """Write a plan in place, or its whole tree elsewhere: where that is, is for `out_folder` to judge."""
    assert world.root is not None
    files = {path: encode(chars) for path, chars in planned.files.items()}
    private = {path: 0o600 for path, data in files.items() if b"{{generate:" in data}
    if level.out is not None:
        out_folder(world.root, place, files, planned.read, private)
    elif files:
        write_folder(place, files, planned.read, private)


def _seen_anew(auditor: Auditor, planned: Plan, place: Path) -> Plan:
    """The plan beside an audit of what lies there now."""
    if not planned.files:
        return planned
    (world,) = find_worlds(str(place))
    again = replace(auditor, world=world, shelf=Shelf(), crashes=[])
    known, _ = again.learn()
    there = {path: known.answer(ReadFile(path)) for path in planned.files}
    written = {path: each.value for path, each in there.items() if isinstance(each, Found) and isinstance(each.value, bytes)}
    return verified(planned, again.examine(*again.learn(known.with_files(written))))  # what checkers said was of those before
