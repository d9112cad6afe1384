"""The report for a terminal: each host's findings, worst first; then what was not told, and how much was read."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from mailaudit.edits import Fix, Safety
from mailaudit.exitcodes import ExitCode
from mailaudit.findings import Evidence, HostReport, Place, Report, Result, Severity, Verdict, WaivedBy
from mailaudit.questions import NOT_ASKED, OUT_OF_TIME, Reason, refusal
from mailaudit.reports.terminal import excerpt
from mailaudit.reports.terminal.coverage import files
from mailaudit.reports.terminal.paper import Paper, Screen
from mailaudit.reports.terminal.prose import first_words
from mailaudit.reports.view import REASONS, how, mask_of, names, order, worst_first
from mailaudit.rulebook import Page

MANY = 20  # findings of one rule on one host that are shown whole
STYLES = {
    Severity.CRITICAL: "bold red",
    Severity.HIGH: "red",
    Severity.MEDIUM: "yellow",
    Severity.LOW: "cyan",
    Severity.INFO: "blue",
}


class Detail(IntEnum):
    """How much is told."""

    QUIET = 0  # one line for each finding
    NORMAL = 1
    VERBOSE = 2


@dataclass
class _Told:
    """What a reader has seen: the rules that were explained, and the pages they are explained from."""

    pages: Mapping[str, Page]
    detail: Detail
    show_passed: bool
    rules: set[str] = field(default_factory=set)
    notes: set[str] = field(default_factory=set)
    alike: set[str] = field(default_factory=set)  # names that several hosts have


def write(
    report: Report, screen: Screen, pages: Mapping[str, Page], detail: Detail = Detail.NORMAL, *, show_passed: bool = False
) -> str:
    """The whole report. `pages` are the rules' pages by id, for why, what breaks and how to mend."""
    paper = Paper(screen)
    told = _Told(pages, detail, show_passed)
    told.alike.update(name for name, count in Counter(host.name for host in report.hosts).items() if count > 1)
    for host in report.hosts:
        paper.mask = mask_of([host])
        told.notes.clear()
        _host(paper, host, told)
    paper.mask = mask_of(report.hosts)
    if len(report.hosts) > 1:
        _totals(paper, report)
    for error in report.errors:
        paper.wrapped(f"error: {paper.clean(error)}", hanging="  ", style="red")
    ending(paper, report)
    return paper.text()


def _host(paper: Paper, host: HostReport, told: _Told) -> None:
    name = paper.clean(host.name)
    where = paper.clean(f"{host.target}, {'online' if host.online else 'offline'}")
    one_of_many = told.detail is Detail.QUIET and host.name in told.alike
    paper.wrapped(f"{name} ({paper.clean(host.target)})" if one_of_many else name, hanging="  ", style="bold")
    findings = sorted(_of(host, Verdict.FAIL), key=worst_first)
    if told.detail is Detail.QUIET:
        for result in findings:
            _one_line(paper, result)
        _notes(paper, host)
    else:
        paper.wrapped(where, "  ", style="dim")
        paper.blank()
        _findings(paper, findings, told)
        _unknown(paper, host, told)
        _waived(paper, host, told)
        _notes(paper, host)
        _quiet_verdicts(paper, host, told)
        files(paper, host.files, each_one=told.detail is Detail.VERBOSE)
    _counts(paper, host, findings)
    paper.blank()


def _of(host: HostReport, verdict: Verdict) -> list[Result]:
    return [result for result in host.results if result.verdict is verdict]


def _one_line(paper: Paper, result: Result) -> None:
    first = result.places[0] if result.places else None
    where = f"{paper.where(first)}: " if first is not None else ""
    paper.line(
        where, (str(result.severity), STYLES[result.severity]), f" {result.rule} {result.name}: ", paper.clean(result.message)
    )


def _findings(paper: Paper, findings: list[Result], told: _Told) -> None:
    shown: Counter[str] = Counter()
    for result in findings:
        shown[result.rule] += 1
        if shown[result.rule] <= MANY or told.detail is Detail.VERBOSE:
            _finding(paper, result, told)
    for rule, count in shown.items():
        if count > MANY and told.detail is not Detail.VERBOSE:
            paper.wrapped(f"{count - MANY} more findings of {rule} are not shown here; -v shows them.")
            paper.blank()


def _finding(paper: Paper, result: Result, told: _Told) -> None:
    style = STYLES[result.severity]
    paper.wrapped(f"{result.severity}  {result.rule} {result.name}", hanging="  ", style=style)
    paper.wrapped(paper.clean(result.message), "  ")
    paper.blank()
    _places(paper, [_unsaid(place, result.message) for place in result.places])
    _explained(paper, result, told)
    for note in filter(None, result.note.removeprefix("(").removesuffix(")").split(") (")):
        if note not in told.notes:
            told.notes.add(note)
            _labelled(paper, "note", paper.clean(note))
    for assumed in result.assumed:
        _labelled(paper, "assumed", paper.clean(assumed))
    _fix(paper, result.fix)
    paper.blank()


def _unsaid(place: Place | Evidence, message: str) -> Place | Evidence:
    """The place without a label that the message has said already."""
    return replace(place, label="") if isinstance(place, Place) and place.label in message else place


def _places(paper: Paper, places: Sequence[Place | Evidence]) -> None:
    numbered = [(place, number == 0) for number, place in enumerate(places)]
    for place, _ in numbered:
        if isinstance(place, Evidence):
            paper.wrapped(f"{paper.clean(place.question)}: {paper.clean(place.answer)}", "  ", "    ")
    for path in dict.fromkeys(place.path for place in places if isinstance(place, Place)):
        here = [(place, primary) for place, primary in numbered if isinstance(place, Place) and place.path == path]
        spans = [(place, primary) for place, primary in here if place.span is not None]
        first = (spans or here)[0][0]
        paper.line("  ", (paper.where(first), "bold"))
        if first.span is not None:
            excerpt.draw(paper, first.span.text, spans, "  ")
        elif first.label:
            paper.wrapped(paper.clean(first.label), "    ")
    if places:
        paper.blank()


def _explained(paper: Paper, result: Result, told: _Told) -> None:
    """Why, what breaks and how to mend, from the rule's page; once in a report."""
    _labelled(paper, "rule", paper.own(result.title))
    page = told.pages.get(result.rule)
    if page is None or result.rule in told.rules:
        return
    told.rules.add(result.rule)
    for label, heading in (("why", "Why it matters"), ("breaks", "What breaks"), ("mend", "How to mend")):
        _labelled(paper, label, paper.own(first_words(page.section(heading))))


def _labelled(paper: Paper, label: str, chars: str) -> None:
    hanging = _hanging(paper)
    for number, paragraph in enumerate(filter(None, chars.split("\n"))):
        first = f"  {label}: " if paper.width < 60 else f"  {label:<9}"
        paper.wrapped(paragraph, hanging if number else first, hanging)


def _hanging(paper: Paper) -> str:
    return "    " if paper.width < 60 else " " * 11


def _fix(paper: Paper, fix: Fix | None) -> None:
    if fix is None:
        return
    _labelled(paper, "fix", f"{paper.clean(fix.title).rstrip('.')}. {how(fix)}")
    for copied in (*fix.commands, *fix.records):
        paper.line(_hanging(paper), (paper.clean(copied), "bold"))


def _unknown(paper: Paper, host: HostReport, told: _Told) -> None:
    """What could not be told: what was never asked in one line for each reason, the rest with its message."""
    unknown = _of(host, Verdict.UNKNOWN)
    if not unknown:
        return
    paper.line((f"not evaluated: {_plural(len(unknown), 'rule')}", "bold"))
    groups: dict[tuple[Reason, str], list[Result]] = {}
    for result in unknown:
        assert result.reason is not None
        told_apart = result.reason not in NOT_ASKED or told.detail is Detail.VERBOSE
        groups.setdefault((result.reason, result.message if told_apart else ""), []).append(result)
    for (reason, message), results in sorted(groups.items(), key=lambda each: (each[0][0] in NOT_ASKED, each[0])):
        rules = " ".join(dict.fromkeys(result.rule for result in results))
        more = "; -v says what" if reason is Reason.NOT_RECORDED and not message else ""
        paper.wrapped(f"{REASONS[reason]} ({reason}{more}): {rules}", "  ", "    ")
        if message:
            paper.wrapped(paper.clean(message), "    ")
    for file in sorted({refusal(result.message)[1] for result in unknown} - {""}):
        target = host.target if host.target.startswith("ssh://") or "/" not in host.target else "HOST"
        paper.wrapped(f"`mailaudit doctor {paper.clean(target)}` prints all lines that {file} lacks.", "  ", "    ", "bold")
    if host.online and any(words in result.message for result in unknown for words in OUT_OF_TIME):
        paper.wrapped("`--timeout SECONDS` gives the host longer; it has 60 unless you say so.", "  ", "    ", "bold")
    paper.blank()


def _waived(paper: Paper, host: HostReport, told: _Told) -> None:
    """Each waived finding; those of a baseline, which may be many, with `verbose` alone: the counts have them."""
    waived = [each for each in _of(host, Verdict.WAIVED) if told.detail is Detail.VERBOSE or not _is_baselined(each)]
    if not waived:
        return
    paper.line((f"waived: {_plural(len(waived), 'finding')}", "bold"))
    for result in sorted(waived, key=order):
        where = f" {paper.where(result.places[0])}" if result.places else ""
        paper.wrapped(f"{result.rule} {result.name}{where}", "  ", "    ")
        paper.wrapped(f"{paper.clean(result.message)} Waived: {paper.clean(result.waiver)}", "    ")
    paper.blank()


def _notes(paper: Paper, host: HostReport) -> None:
    """Waivers that are expired, not needed or not right."""
    if host.notes:
        paper.line(("waivers to look at", "bold yellow"))
        for note in host.notes:
            paper.wrapped(paper.clean(note), "  ", "    ")
        paper.blank()


def _quiet_verdicts(paper: Paper, host: HostReport, told: _Told) -> None:
    passed = _of(host, Verdict.PASS)
    if passed and told.show_passed:
        paper.line((f"passed: {_plural(len(passed), 'rule')}", "bold"))
        for result in sorted(passed, key=lambda each: each.rule):
            note = f" (assumed: {paper.clean(', '.join(result.assumed))})" if result.assumed else ""
            paper.wrapped(f"{result.rule} {result.name}: {paper.own(result.title)}{note}", "  ", "    ")
        paper.blank()
    exempt = _of(host, Verdict.NOT_APPLICABLE)
    if exempt and (told.show_passed or told.detail is Detail.VERBOSE):
        paper.line((f"not applicable: {_plural(len(exempt), 'rule')}", "bold"))
        for why in dict.fromkeys(result.message for result in exempt):
            rules = " ".join(result.rule for result in exempt if result.message == why)
            paper.wrapped(f"{paper.clean(why)}: {rules}", "  ", "    ")
        paper.blank()


def _counts(paper: Paper, host: HostReport, findings: list[Result]) -> None:
    counts = host.counts()
    severities = Counter(result.severity for result in findings)
    worst = ", ".join(f"{severities[each]} {each}" for each in sorted(severities, reverse=True))
    parts = [f"{_plural(counts['fail'], 'finding')}" + (f" ({worst})" if worst else "")]
    words = {"pass": "passed", "unknown": "not evaluated", "waived": "waived", "not-applicable": "not applicable"}
    baselined = sum(map(_is_baselined, host.results))
    counts["waived"] -= baselined
    parts += [f"{counts[verdict]} {word}" for verdict, word in words.items() if counts[verdict]]
    parts += [f"{baselined} in the baseline"] if baselined else []
    paper.wrapped(", ".join(parts), hanging="  ", style="bold")
    if findings:
        _mendable(paper, host, findings)


def _is_baselined(result: Result) -> bool:
    return result.waived_by is WaivedBy.BASELINE


def _mendable(paper: Paper, host: HostReport, findings: list[Result]) -> None:
    """How many of the findings `fix` mends, and how to call it."""
    kinds = Counter(r.fix.safety if r.fix is not None and r.fix.edits else Safety.MANUAL for r in findings)
    told = {Safety.SAFE: "mended by `mailaudit fix`", Safety.UNSAFE: "by `mailaudit fix --unsafe`", Safety.MANUAL: "by hand"}
    parts = [f"{kinds[safety]} {words}" for safety, words in told.items() if kinds[safety]]
    paper.wrapped(", ".join(parts), hanging="  ")
    if kinds[Safety.SAFE] or kinds[Safety.UNSAFE]:
        paper.wrapped(f"See what would be changed: mailaudit fix {shlex.quote(paper.clean(host.target))}", hanging="  ")


def _totals(paper: Paper, report: Report) -> None:
    paper.line((f"{len(report.hosts)} hosts", "bold"))
    for host, name in zip(report.hosts, names(report.hosts), strict=True):
        counts = host.counts()
        told = f"{_plural(counts['fail'], 'finding')}, {counts['unknown']} not evaluated"
        paper.wrapped(f"{paper.clean(name)}: {told}", "  ", "    ")
    paper.blank()


def ending(paper: Paper, report: Report) -> None:
    """The last line: the exit code, and what it means."""
    code = ExitCode(report.exit_code)
    reason = paper.clean(report.exit_reason) or code.short
    style = "green" if code is ExitCode.OK else "bold"
    paper.wrapped(f"exit code {int(code)} ({code.word}): {reason}", hanging="  ", style=style)


def _plural(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'s' * (number != 1)}"
