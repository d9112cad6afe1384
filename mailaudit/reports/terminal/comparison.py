"""Two reports compared, for a terminal: `mailaudit diff`, and the changes since an earlier report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mailaudit.comparing.carrying import Night
from mailaudit.comparing.differences import HostDifference, Kind
from mailaudit.comparing.known import Told
from mailaudit.exitcodes import ExitCode
from mailaudit.findings import Report
from mailaudit.reports.comparison import CHANGES, TITLES, Compared, rules_without_findings, sides, was
from mailaudit.reports.terminal.paper import Paper, Screen
from mailaudit.reports.terminal.report import STYLES
from mailaudit.reports.view import REASONS, errors, names
from mailaudit.wording import number_of


def write(compared: Compared, screen: Screen, *, quiet: bool = False, verbose: bool = False) -> str:
    """The whole comparison; with `quiet` a line for each finding that is not as it was, with `verbose` the unchanged as well."""
    paper = Paper(screen)
    hosts = compared.comparison.hosts if compared.comparison is not None else ()
    for host, name in zip(hosts, names(hosts), strict=True):
        kinds = (*CHANGES, Kind.NOT_EVALUATED, Kind.RULE_REMOVED)
        if quiet:
            _lines(paper, host, name, kinds)
            continue
        _name(paper, host, name)
        _findings(paper, host, (*kinds, *((Kind.UNCHANGED,) if verbose else ())))
        for words, rules in rules_without_findings(host):
            paper.wrapped(paper.clean(f"{words}: {' '.join(rules)}"), "  ", "    ")
        paper.wrapped(_counted(host), "  ")
        paper.blank()
    if compared.comparison is not None and not quiet:
        for line in sides(compared.comparison):
            paper.wrapped(paper.clean(line), hanging="  ")
    _ending(paper, compared.errors, compared.exit_code, compared.exit_reason)
    return paper.text()


def write_night(night: Night, report: Report, screen: Screen, *, quiet: bool = False, waivers: bool = False) -> str:
    """What changed since an earlier report, and with `waivers` what is wrong with those; nothing at all if there is nothing."""
    paper = Paper(screen)
    for host, name in zip(night.comparison.hosts, names(night.comparison.hosts), strict=True):
        persisting = [told for of, told in night.persisting if of is host.after]
        host = replace(host, differences=tuple(each for each in host.differences if not (each.is_waived or each.is_reworded)))  # noqa: PLW2901
        changed = [each for each in host.of(*CHANGES) if each.is_finding]
        if host.before is not None and host.after is None:
            count = len(host.differences)
            text = f"{name}: the host is gone; it had {number_of(count, 'finding')}"
            paper.wrapped(paper.clean(text), hanging="  ")
            paper.blank()
        if not changed and not persisting:
            continue
        if quiet:
            _lines(paper, host, name, CHANGES)
        else:
            _name(paper, host, name)
            _findings(paper, host, CHANGES)
        _persisting(paper, persisting, f"{name}: " if quiet else "", "" if quiet else "  ")
        paper.blank()
    for note in (f"{host.name}: {note}" for host in report.hosts for note in host.notes if waivers):
        paper.wrapped(paper.clean(note), hanging="  ")
    failures = errors(report)
    if not paper.text() and not failures:
        return ""
    if not quiet:
        earlier = night.comparison.before
        paper.wrapped(paper.clean(f"changes since {earlier.origin} ({earlier.started})"), hanging="  ")
    _ending(paper, failures, report.exit_code, report.exit_reason)
    return paper.text()


def _persisting(paper: Paper, rules: Sequence[Told], before: str, indent: str) -> None:
    """Rules that could not be told twice in a row, with the words of one for each reason: a resolver that is down fails many."""
    for reason in dict.fromkeys(each.reason for each in rules):
        alike = [each for each in rules if each.reason is reason]
        names = f"{alike[0].rule} {alike[0].name}" if len(alike) == 1 else " ".join(each.rule for each in alike)
        why = REASONS[reason] if reason is not None else ""
        text = f"{names} could not be told twice in a row ({why}): {alike[0].message}"
        paper.wrapped(paper.clean(f"{before}{text}"), indent, "    ")


def _name(paper: Paper, host: HostDifference, name: str) -> None:
    name = paper.clean(name)
    if host.before is None or host.after is None:
        name = f"{name} ({'new' if host.before is None else 'gone'})"
    elif host.before.name != host.after.name:
        name = f"{name} (before: {paper.clean(host.before.name)})"
    paper.wrapped(name, hanging="  ", style="bold")


def _findings(paper: Paper, host: HostDifference, kinds: Sequence[Kind]) -> None:
    for kind in kinds:
        found = [each for each in host.of(kind) if each.is_finding]
        if not found:
            continue
        paper.line("  ", (f"{TITLES[kind]}: {len(found)}", "bold"))
        for each in found:
            told = each.told
            note = f" ({was(each)})" if was(each) else ""
            style = "" if kind is Kind.FIXED else STYLES[told.severity]
            where = f" {paper.clean(told.where)}" if told.where else ""
            paper.line("    ", (str(told.severity), style), f"{note} {paper.clean(f'{told.rule} {told.name}')}{where}")
            paper.wrapped(paper.clean(told.message), "      ")
            if each.why:
                paper.wrapped(paper.clean(f"({each.why})"), "      ")


def _lines(paper: Paper, host: HostDifference, name: str, kinds: Sequence[Kind]) -> None:
    for each in (one for kind in kinds for one in host.of(kind) if one.is_finding):
        told = each.told
        where = f"{told.where}: " if told.where else ""
        note = f" ({was(each)})" if was(each) else ""
        head = paper.clean(f"{name}: {each.kind}: {where}")
        paper.line(
            head, (str(told.severity), STYLES[told.severity]), paper.clean(f"{note} {told.rule} {told.name}: {told.message}")
        )


def _counted(host: HostDifference) -> str:
    counts = [(kind, sum(each.is_finding for each in host.of(kind))) for kind in Kind]
    return ", ".join(f"{count} {str(kind).replace('-', ' ')}" for kind, count in counts if count) or "no findings"


def _ending(paper: Paper, failures: Sequence[str], code: int, reason: str) -> None:
    for error in failures:
        paper.wrapped(f"error: {paper.clean(error)}", hanging="  ", style="red")
    told = ExitCode(code)
    style = "green" if told is ExitCode.OK else "bold"
    paper.wrapped(f"exit code {code} ({told.word}): {paper.clean(reason)}", hanging="  ", style=style)
