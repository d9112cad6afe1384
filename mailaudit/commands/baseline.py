"""`mailaudit baseline`: what is accepted, kept in a file: made, added to, cleared of what is gone, shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mailaudit import output
from mailaudit.choices import AnswerFormat, Common, Looking
from mailaudit.commands.diff import audited, chosen_report, only_reports
from mailaudit.commands.earlier import baseline_in, is_report, is_there
from mailaudit.commands.looking import chosen_targets
from mailaudit.commands.new_folder import writable
from mailaudit.commands.telling import UsageError, shown
from mailaudit.comparing.baseline import Baseline, Entry, Upkeep, pruned, updated, written
from mailaudit.comparing.known import Known
from mailaudit.exitcodes import ExitCode
from mailaudit.reports.comparison import clean
from mailaudit.reports.terminal.paper import Paper, Screen
from mailaudit.wording import number_of

OPTION = "--baseline"
Keep = Callable[[Known], Upkeep]
MOST_TOLD = 20  # entries that each command names


def create(common: Common, looking: Looking, targets: Sequence[str], file: str, *, force: bool) -> int:
    """Write a new baseline."""

    def begin() -> Keep:
        if is_there(file) and not force:
            raise UsageError(f"{OPTION} {file}: it is there already", "mailaudit baseline update adds to it; --force replaces it")
        return partial(updated, Baseline("", "", (), (), file))

    return _kept(common, looking, targets, file, begin)


def update(common: Common, looking: Looking, targets: Sequence[str], file: str) -> int:
    """Add what is new or worse."""
    return _kept(common, looking, targets, file, lambda: partial(updated, baseline_in(file, OPTION)))


def prune(common: Common, looking: Looking, targets: Sequence[str], file: str) -> int:
    """Take out what is gone."""
    return _kept(common, looking, targets, file, lambda: partial(pruned, baseline_in(file, OPTION)))


def _kept(common: Common, looking: Looking, targets: Sequence[str], file: str, begin: Callable[[], Keep]) -> int:
    """Keep what a report tells in a baseline, which is read, and told if it cannot be, before anything is scanned."""
    code = ExitCode.OK

    def make() -> str:
        nonlocal code
        keep = begin()
        _check(file)
        report = _audited(common, looking, targets)
        kept = keep(report)
        failure = output.deliver(written(kept.baseline), Path(file))
        if failure:
            raise UsageError(f"{OPTION} {failure}")
        if not report.is_complete and not common.allow_incomplete:
            code = ExitCode.INCOMPLETE
        return "".join(f"{line}\n" for line in _told(kept, report, file))

    return shown(make, debug=common.debug) or code


def _check(file: str) -> None:
    """Raise `UsageError` where a file cannot be, before anything is scanned."""
    place = Path(file)
    if file == "-":
        raise UsageError(f"{OPTION} {file}: expected the name of a file")
    with writable(f"{OPTION} {file}"):
        if place.is_dir():
            raise UsageError(f"{OPTION} {file}: that is a folder")
        if not place.absolute().parent.is_dir():
            raise UsageError(f"{OPTION} {file}: there is no {place.absolute().parent}")


def _audited(common: Common, looking: Looking, targets: Sequence[str]) -> Known:
    """All targets as one report: those that are reports are read, the others audited together."""
    others = [each for each in targets if not is_report(each)]
    if not others:
        only_reports(common)
    sides = [chosen_report(common, each) for each in targets if is_report(each)]
    if others:
        sides.append(audited(common, chosen_targets(others, None, live=True), looking))
    empty = next((each for each in sides if not each.hosts), None)
    if empty is not None:
        raise UsageError(f"{empty.origin}: no host was audited: {empty.exit_reason}")
    bad = next((each for each in sides if not each.is_complete), sides[0])
    return replace(bad, hosts=tuple(host for each in sides for host in each.hosts))


def _told(kept: Upkeep, report: Known, file: str) -> Iterable[str]:
    entries = kept.baseline.entries
    hosts = len(kept.baseline.hosts)
    yield clean(f"{number_of(len(entries), 'finding')} on {number_of(hosts, 'host')} in {file}")
    for words, changed in (("added", kept.added), ("taken out", kept.removed)):
        if changed:
            yield f"{len(changed)} {words}"
            yield from (f"  {_line(each)}" for each in changed[:MOST_TOLD])
            yield from ([f"  and {len(changed) - MOST_TOLD} more"] if len(changed) > MOST_TOLD else [])
    whys = Counter(why for _, why in kept.kept)
    for why, count in whys.most_common(MOST_TOLD):
        yield clean(f"{count} stay{'s' * (count == 1)}, as it could not be told whether the finding is gone: {why}")
    if len(whys) > MOST_TOLD:
        yield f"and {sum(count for _, count in whys.most_common()[MOST_TOLD:])} more stay"
    if not report.is_complete:
        yield clean(f"not complete: {'; '.join(report.failures) or report.exit_reason}")


def _line(entry: Entry) -> str:
    return clean(f"{entry.host}: {entry.path}: {entry.severity} {entry.rule} {entry.name}")


def show(common: Common, file: str, form: AnswerFormat) -> int:
    """Show a baseline."""

    def make() -> str:
        baseline = baseline_in(file, OPTION)
        return written(baseline) if form is AnswerFormat.JSON else _page(baseline, output.screen(common.color))

    otherwise = f"{json.dumps({'schema': None, 'entries': []})}\n" if form is AnswerFormat.JSON else ""
    return shown(make, debug=common.debug, otherwise=otherwise)


def _page(baseline: Baseline, screen: Screen) -> str:
    paper = Paper(screen)
    for host in baseline.hosts:
        entries = sorted((each for each in baseline.entries if each.host == host), key=lambda each: (-each.severity, each))
        paper.wrapped(paper.clean(clean(host)), hanging="  ", style="bold")
        for each in entries:
            paper.line(
                "  ", (str(each.severity), "bold"), paper.clean(f" {clean(each.rule)} {clean(each.name)} {clean(each.path)}")
            )
            paper.wrapped(paper.clean(clean(each.message)), "    ")
        if not entries:
            paper.wrapped("nothing", "  ")
        paper.blank()
    count = len(baseline.entries)
    made = f"mailaudit {baseline.version}, profile {baseline.profile}"
    paper.wrapped(paper.clean(clean(f"{number_of(count, 'finding')}, {made}")))
    return paper.text()
