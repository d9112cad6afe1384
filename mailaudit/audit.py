"""The assembly line: the hosts of all targets, each with an auditor of its own, and what all of it comes to: the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options, auditor_for, prepared
from mailaudit.collect.login import Login
from mailaudit.collect.online import OnlineWorld, Outside
from mailaudit.collect.targets import Opened, open_targets
from mailaudit.collect.world import World
from mailaudit.concluding import conclude, first_of
from mailaudit.exitcodes import ExitCode, worst
from mailaudit.findings import HostReport, Report
from mailaudit.models.facts import Facts
from mailaudit.models.sources import Shelf
from mailaudit.questions import now
from mailaudit.rulebook import Rulebook
from mailaudit.settings import Waiver, told_once
from mailaudit.snapshot import Snapshot
from mailaudit.wording import number_of

Keep = Callable[[Auditor, Snapshot, Facts], None]
"""Takes what was learned of a host, before it is judged."""
Learned = tuple[Snapshot, Facts]
DEFECTS = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What no host, file or user can be the reason of: mailaudit's own."""


def audit(targets: Sequence[str], options: Options, book: Rulebook | None = None, keep: Keep | None = None) -> Report:
    """Audit all hosts of all targets; `keep` gets what was learned of each.

    Raises `TargetError`, `RecordingError`, `SettingsError` or `SelectionError` before anything is audited if a target, a record,
    a setting or a selection is not as it must be. Of several targets, one in which there is nothing to audit harms no other.
    """
    started = now()
    book = book or rulebook.load()
    errors: list[str] = []
    codes: list[int] = []
    auditors: list[Auditor] = []
    every: list[Auditor] = []
    gone: list[str] = []
    with opened(targets, prepared(options, book)) as all_opened:
        for each in all_opened:
            errors += each.errors
            if each.failure is not None:
                errors.append(each.failure.message)
                codes.append(each.failure.code)
            codes += [ExitCode.INCOMPLETE] * bool(each.errors)
            outside = None if each.live else options.outside
            made = [auditor_for(_connected(world, outside), book, options) for world in each.worlds]
            made = [replace(auditor, live=each.live) for auditor in made]
            every += made
            auditors += made if options.since is None or not made else _touched(each.target, made, options, gone)
        live = sum(each.live for each in all_opened)
        hosts = _examined(auditors, min(options.login.jobs, live), keep)
        for host in hosts:
            if host.defect:
                errors.append(host.defect)
                codes.append(ExitCode.INTERNAL)
    hosts = _told_once(hosts, auditors, every)
    if options.accept is not None:
        hosts = options.accept(hosts, not errors and len(every) == len(auditors))
    rules = {identity for auditor in every for identity in auditor.selected}
    code, why = conclude(hosts, options, selected=bool(rules))
    profile = options.profile or next((auditor.settings.profile for auditor in every), "recommended")
    if left := len(every) - len(auditors):
        gone.insert(0, f"{number_of(left, 'host')} not touched since {options.since} and not scanned")
        code, why = (code, why) if hosts or not rules else (ExitCode.OK, "nothing to do")
    if gone:
        why = f"{why}; {first_of(gone, '; ')}"
    if options.allow_incomplete and hosts:  # where nothing was audited, there is no rest that could tell the code
        codes = [each for each in codes if each != ExitCode.INCOMPLETE]
    if worst((code, *codes)) != code:
        code, why = worst((code, *codes)), "; ".join(errors)
    return Report(profile, len(rules), started, now(), hosts, tuple(errors), code, why)


def _told_once(hosts: Sequence[HostReport], auditors: Sequence[Auditor], every: Sequence[Auditor]) -> tuple[HostReport, ...]:
    """The hosts, with what is to be said of waivers that they share told once, and only if none of all of them needs it."""
    scanned = set(map(id, auditors))
    needed = [each for auditor in every for each in (auditor.needed if id(auditor) in scanned else auditor.settings.waivers)]
    notes = told_once([host.notes for host in hosts], [auditor.settings.waivers for auditor in auditors], needed)
    nobody = _for_nobody(every)
    done = []
    for host, auditor, told in zip(hosts, auditors, notes, strict=True):
        here = [each for each in auditor.settings.waivers if each in nobody]
        nobody.difference_update(here)
        done.append(replace(host, notes=(*told, *(each.for_nobody for each in here))))
    return tuple(done)


def _for_nobody(auditors: Sequence[Auditor]) -> set[Waiver]:
    """The waivers that are for none of the hosts; not those of a named file or of live hosts, which may be for another run's."""
    names = {auditor.world.host for auditor in auditors}
    own = [auditor for auditor in auditors if not auditor.live and auditor.options.config is None]
    waivers = {each for auditor in own for each in auditor.settings.waivers if each.host is not None}
    return {each for each in waivers if not any(map(each.concerns, names))}


def _touched(target: str, auditors: Sequence[Auditor], options: Options, told: list[str]) -> list[Auditor]:
    """The auditors of the hosts that were touched since a revision; `told` gets what is to be said of those that are gone."""
    from mailaudit.collect.since import Since  # noqa: PLC0415  only who compares with a revision runs git

    assert options.since is not None
    since = Since.of(target, options.since)
    roots = {auditor.world.root: auditor for auditor in auditors if auditor.world.root is not None}
    told += since.gone(roots)
    return [auditor for root, auditor in roots.items() if since.touches(root, _shared(auditor))]


def _shared(auditor: Auditor) -> Iterator[Path]:
    """The files beside a host's own, and the settings above it, that its verdicts hang on."""
    if auditor.options.config is not None:
        yield Path(auditor.options.config)
    if auditor.settings.site.ca_file is not None:
        yield Path(auditor.settings.said["site", "ca_file"].file).parent / auditor.settings.site.ca_file


@contextmanager
def opened(targets: Sequence[str], login: Login) -> Iterator[list[Opened]]:
    """All targets, opened; live hosts are left when it is done.

    Raises `TargetError` for a target that is none, and for the only one if it cannot be opened.
    """
    found = open_targets(targets, login)
    try:
        for each in found:
            if each.failure is not None and (each.failure.code == ExitCode.USAGE or len(targets) == 1):
                raise each.failure
        yield found
    finally:
        for each in found:
            each.close()


def _examined(auditors: Sequence[Auditor], jobs: int, keep: Keep | None) -> tuple[HostReport, ...]:
    """The reports of all hosts; with `jobs`, so many are asked at once. Else what is known of one is let go before the next."""
    learned = map(_learned, auditors) if jobs < 2 else _at_once(auditors, jobs)
    hosts = []
    for auditor, known in zip(auditors, learned, strict=True):
        if isinstance(known, Exception):
            hosts.append(auditor.failed(known))
            continue
        if keep is not None:
            keep(auditor, *known)
        hosts.append(auditor.examine(*known))
        auditor.shelf = Shelf()
    return tuple(hosts)


def _learned(auditor: Auditor) -> Learned | Exception:
    """What is learned of a host, or the defect of ours that it brought to light, which ends no other host's audit."""
    try:
        return auditor.learn()
    except DEFECTS as error:
        return error


def _at_once(auditors: Sequence[Auditor], jobs: int) -> list[Learned | Exception]:
    """What is learned of many hosts; an interrupt waits for none of them."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  a scan of files pays for no threads

    from mailaudit.collect.ssh.host import HostWorld  # noqa: PLC0415  nor for asyncssh

    with ThreadPoolExecutor(jobs) as pool:
        learning = [pool.submit(_learned, auditor) for auditor in auditors]
        try:
            return [each.result() for each in learning]
        except BaseException:
            for each in learning:
                each.cancel()
            for world in (auditor.world for auditor in auditors):
                if isinstance(world, OnlineWorld | HostWorld):
                    world.lose()
            raise


def _connected(world: World, outside: Outside | None) -> World:
    return world if outside is None else OnlineWorld.of(world, outside)
