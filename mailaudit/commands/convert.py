"""`mailaudit fix --to dovecot-2.4`: a folder's Dovecot configuration written anew for another release, and audited as that."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from pathlib import Path

from mailaudit import rulebook
from mailaudit.apply.folder import out_folder, write_folder
from mailaudit.auditor import Auditor, Options, auditor_for
from mailaudit.choices import Common
from mailaudit.collect.roots import find_worlds
from mailaudit.commands.choosing import options
from mailaudit.commands.level import Level
from mailaudit.commands.telling import UsageError
from mailaudit.converting.conversion import Conversion, convert
from mailaudit.converting.upgraded import upgraded
from mailaudit.exitcodes import ExitCode, settle, worst
from mailaudit.findings import HostReport, Report, Result, Verdict
from mailaudit.output import Telling
from mailaudit.questions import now
from mailaudit.repair import Plan
from mailaudit.reports.plan import as_data
from mailaudit.reports.terminal import conversions
from mailaudit.reports.terminal.conversions import Converted
from mailaudit.snapshot import Snapshot
from mailaudit.survey import learned
from mailaudit.text import encode
from mailaudit.wording import number_of


def convert_folder(common: Common, target: str, level: Level) -> tuple[Report, Telling]:
    """Convert a folder's hosts, write what was converted if asked to, and report."""
    started = now()
    chosen = options(common)
    found = find_worlds(target)
    auditors = [auditor_for(world, rulebook.load(), chosen) for world in found]
    done = [_converted(auditor) for auditor in auditors]
    refused = [each for each in done if each.conversion.left and not level.force_partial]
    wished = level.write or level.out is not None
    written = wished and not refused
    if written:
        for auditor, each in zip(auditors, done, strict=True):
            _write(auditor, each.conversion, target, level, alone=len(auditors) == 1)
    code, why = _concluded(done, chosen, level, written=written)
    if found.errors and not chosen.allow_incomplete:
        code, why = worst((code, ExitCode.INCOMPLETE)), "; ".join(found.errors)
    profile = chosen.profile or auditors[0].settings.profile
    hosts = tuple(_told(each, written=written) for each in done)
    errors = (*found.errors, *(str(left) for each in done for left in each.conversion.left))
    selected = {rule for auditor in auditors for rule in auditor.selected}
    report = Report(profile, len(selected), started, now(), hosts, errors, code, why)
    return report, partial(conversions.write, report, converted=done, diff=not level.check, written=written)


def _converted(auditor: Auditor) -> Converted:
    """A host's conversion, and what the rules say before and after it."""
    snapshot, facts = auditor.learn()
    before = auditor.examine(snapshot, facts)
    conversion, snapshot = _conversion(auditor, snapshot)
    after = before
    if conversion.files:
        files = {path: encode(chars) for path, chars in conversion.files.items()}
        after = auditor.examine(*auditor.learn(upgraded(snapshot.with_files(files))))
    secrets = conversion.secrets
    before, after = (replace(each, secrets=(*each.secrets, *secrets)) for each in (before, after))
    return Converted(conversion, before, after, _new(before, after))


def _conversion(auditor: Auditor, snapshot: Snapshot) -> tuple[Conversion, Snapshot]:
    return learned(snapshot, auditor.world.ask, lambda sources: (convert(sources), sources.snapshot), auditor.shelf)


def _new(before: HostReport, after: HostReport) -> tuple[Result, ...]:
    """The findings of rules that found less before."""
    known = Counter(result.rule for result in before.results if result.verdict is Verdict.FAIL)
    found = [result for result in after.results if result.verdict is Verdict.FAIL]
    more = Counter(result.rule for result in found) - known
    return tuple(result for result in found if more[result.rule])


def _told(done: Converted, *, written: bool) -> HostReport:
    """A host's report, with what would be or was written."""
    conversion = done.conversion
    read = {path: encode(text.chars) for path, text in conversion.read.items()}
    plan = Plan(done.before, done.after, conversion.files, read, (), ())
    return replace(done.after if written else done.before, plan=as_data(plan, written=written))


def _concluded(done: list[Converted], chosen: Options, level: Level, *, written: bool) -> tuple[ExitCode, str]:
    left = sum(len(each.conversion.left) for each in done)
    changed = any(each.conversion.files for each in done)
    if all(each.conversion.missing for each in done):
        return ExitCode.NOTHING, "no configuration of Dovecot is here"
    if left and (level.write or level.out is not None) and not written:
        rest = ", or write the rest with --force-partial" if changed else ""
        return ExitCode.FIX_FAILED, f"{_places(left)}: nothing was written; mend {'them' if left > 1 else 'it'} first{rest}"
    if not left and not changed:
        return ExitCode.OK, "the configuration of Dovecot is one of 2.4 already"
    new = "with findings that were not there before" if any(each.new for each in done) else ""
    if written and not left and not new:
        return ExitCode.OK, "the configuration of Dovecot is one of 2.4 now"
    why = _places(left) if left else f"the configuration of Dovecot {'is' if written else 'would be'} converted"
    return settle((ExitCode.FINDINGS,), exit_zero=chosen.exit_zero), ", ".join(filter(None, (why, new)))


def _places(left: int) -> str:
    return f"{number_of(left, 'place')} cannot be converted"


def _write(auditor: Auditor, conversion: Conversion, target: str, level: Level, *, alone: bool) -> None:
    """Write a conversion in place, or the whole tree elsewhere."""
    root = auditor.world.root
    if root is None:
        raise UsageError(f"{auditor.world.target} is an archive, which is not written to", "unpack it first")
    files = {path: encode(chars) for path, chars in conversion.files.items()}
    read = {path: encode(text.chars) for path, text in conversion.read.items()}
    if level.out is not None:
        out_folder(root, Path(level.out) if alone else Path(level.out) / root.relative_to(target), files, read)
    elif files:
        write_folder(root, files, read)
