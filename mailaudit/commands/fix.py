"""`mailaudit fix`: plan the corrections, show them, write them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mailaudit import rulebook
from mailaudit.apply import out_folder, write_folder
from mailaudit.audit import auditor_for, conclude
from mailaudit.choices import Common
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.world import World
from mailaudit.commands.choosing import chosen_targets, detail, options
from mailaudit.commands.telling import UsageError, now, reported
from mailaudit.edits import Safety
from mailaudit.exitcodes import ExitCode, settle, worst
from mailaudit.findings import Report
from mailaudit.output import Telling
from mailaudit.repair import Plan, plan
from mailaudit.reports.terminal import fixes
from mailaudit.text import encode


@dataclass(frozen=True, slots=True)
class Level:
    """How far `fix` goes."""

    write: bool = False
    unsafe: bool = False
    check: bool = False
    out: str | None = None

    @property
    def allowed(self) -> frozenset[Safety]:
        """The levels of safety that are applied (contract, section 8)."""
        return frozenset({Safety.SAFE, Safety.UNSAFE} if self.unsafe else {Safety.SAFE})


def fix(common: Common, target: str, level: Level) -> int:
    """Plan the corrections of a target's hosts, write them if asked to, and tell."""

    def make() -> tuple[Report, Telling]:
        started = now()
        chosen = options(common)
        chosen_targets([target], None)
        found = find_worlds(target)
        book = rulebook.load()
        auditors = [auditor_for(world, book, chosen) for world in found]
        plans = [plan(auditor, level.allowed) for auditor in auditors]
        written = level.write or level.out is not None
        if written:
            for auditor, planned in zip(auditors, plans, strict=True):
                _write(auditor.world, planned, level)
        selected = {rule for auditor in auditors for rule in auditor.selected}
        code, why = conclude([each.report for each in plans], chosen, selected=bool(selected))
        changes = sum(len(each.mended) for each in plans)
        if not written and any(each.files for each in plans):
            code = settle((code, ExitCode.FINDINGS), exit_zero=chosen.exit_zero)
            why = f"{changes} finding{'s' * (changes != 1)} would be mended" if code is ExitCode.FINDINGS else why
        hosts = tuple(each.report if written else each.before for each in plans)
        if found.errors and not chosen.allow_incomplete:
            code, why = worst((code, ExitCode.INCOMPLETE)), "; ".join(found.errors)
        profile = chosen.profile or auditors[0].settings.profile
        report = Report(profile, len(selected), started, now(), hosts, tuple(found.errors), code, why)
        shown = partial(fixes.write, report, plans=plans, diff=not level.check, written=written, detail=detail(common))
        return report, shown

    return reported(common, make)


def _write(world: World, planned: Plan, level: Level) -> None:
    """Write a plan in place, or its whole tree elsewhere."""
    if world.root is None:
        raise UsageError(f"{world.target} is an archive, which is not written to", "unpack it first")
    files = {path: encode(chars) for path, chars in planned.files.items()}
    if level.out is not None:
        out_folder(world.root, Path(level.out), files, planned.read)
    elif files:
        private = {path: 0o600 for path, data in files.items() if b"{{generate:" in data}
        write_folder(world.root, files, planned.read, private)
