"""The report as Markdown: for a comment on a change, a ticket, the summary of a workflow's step."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mailaudit.findings import FileStatus, Report, Result, Severity, Verdict
from mailaudit.reports.terminal.coverage import status
from mailaudit.reports.terminal.prose import first_words
from mailaudit.reports.view import REASONS, Reader, View, counted, ending, errors, how, views
from mailaudit.rulebook import Page

MARKS = {Severity.CRITICAL: "🟥", Severity.HIGH: "🟥", Severity.MEDIUM: "🟨", Severity.LOW: "🟦", Severity.INFO: "⬜"}
MANY = 50  # findings of a host that are shown whole
LONGEST_DIFF = 4_000  # characters
_ACTIVE = re.compile(r"[\\`*_\[\]<>|~$^]|^[-+=#]|^[0-9]+(?=[.)])|:(?=//)|(?<=\bwww)\.|#(?=\w)|&")
_MENTION = re.compile(r"(?<!\w)@(?=\w)")


def write(report: Report, reader: Reader) -> str:
    """The whole report; if there is a bound, findings that find no room are counted, the least first."""
    most = reader.most
    for many in (MANY, 20, 5, 1, 0):
        text = "\n".join(_document(report, reader, many)) + "\n"
        if most is None or len(text.encode()) <= most:
            return text
    return "\n".join(("# mailaudit", "", plain(ending(report))))[: most or None] + "\n"


def _document(report: Report, reader: Reader, many: int) -> Iterator[str]:
    yield "# mailaudit"
    yield ""
    yield f"**{plain(ending(report))}**"
    yield ""
    for error in errors(report):
        yield f"- error: {plain(error)}"
        yield ""
    seen = views(report, reader)
    if seen:
        yield from _totals(seen)
    for view in seen:
        yield from _host(view, reader.pages, many)


def _totals(seen: list[View]) -> Iterator[str]:
    yield "| host | findings | not evaluated | waived | passed |"
    yield "|---|---|---|---|---|"
    for view in seen:
        counts = view.host.counts()
        told = ", ".join(f"{count} {severity}" for severity, count in counted(view.host.results)) or "none"
        yield f"| {plain(view.name)} | {told} | {counts['unknown']} | {counts['waived']} | {counts['pass']} |"
    yield ""


def _host(view: View, pages: Mapping[str, Page], many: int) -> Iterator[str]:
    yield f"## {plain(view.name)}"
    yield ""
    found = view.of(Verdict.FAIL)
    for result in found[:many]:
        yield from _finding(view, result, pages.get(result.rule))
    if len(found) > many:
        yield f"{len(found) - many} more findings are not shown here; the report in another format has them all."
        yield ""
    yield from _folded("Not evaluated", len(view.of(Verdict.UNKNOWN)), _unknown(view))
    waived = view.of(Verdict.WAIVED)
    yield from _folded("Waived", len(waived), [_waived(view, each) for each in waived[: many or 1]])
    yield from _folded("Waivers to look at", len(view.host.notes), [f"- {plain(view.clean(each))}" for each in view.host.notes])
    files = sorted((each for each in view.host.files if each.status is not FileStatus.MISSING), key=lambda each: each.path)
    rows = [f"- {code(view.clean(each.path))}: {plain(view.clean(status(each)))}" for each in files]
    yield from _folded("Files", len(files), rows)


def _finding(view: View, result: Result, page: Page | None) -> Iterator[str]:
    yield f"### {MARKS[result.severity]} {result.severity}: {result.rule} {plain(result.name)}"
    yield ""
    yield plain(view.message(result))
    yield ""
    for spot in view.spots(result):
        place = spot.path if spot.whole else f"{spot.path}:{spot.line}:{spot.column}"
        yield f"{code(place)}{': ' if spot.label else ''}{plain(spot.label)}"
        yield ""
        yield from fenced(spot.excerpt)
    for asked in view.asked(result):
        yield code(asked)
        yield ""
    if page is not None:
        yield first_words(page.section("Why it matters"))
        yield ""
    for assumed in result.assumed:
        yield f"Assumed: {plain(view.clean(assumed))}"
        yield ""
    yield from _fix(view, result)


def _fix(view: View, result: Result) -> Iterator[str]:
    fix = result.fix
    if fix is None:
        return
    yield f"**Fix:** {plain(view.clean(fix.title).rstrip('.'))}. {how(fix)}"
    yield ""
    diff = view.diff(fix)
    if diff:
        yield from fenced(diff if len(diff) <= LONGEST_DIFF else diff[:LONGEST_DIFF] + "\n...", "diff")
    yield from fenced("\n".join(view.by_hand(fix)))


def _unknown(view: View) -> list[str]:
    rows = [
        f"- {each.rule} {plain(each.name)} ({plain(REASONS[each.reason]) if each.reason else ''}): {plain(view.message(each))}"
        for each in view.undecided()
    ]
    return rows + [f"- {REASONS[reason]} ({reason}): {' '.join(rules)}" for reason, rules in view.not_asked().items()]


def _waived(view: View, result: Result) -> str:
    return f"- {result.rule} {plain(result.name)}: {plain(view.message(result))} Waived: {plain(view.clean(result.waiver))}"


def _folded(title: str, count: int, rows: list[str]) -> Iterator[str]:
    if rows:
        yield f"<details><summary>{title}: {count}</summary>"
        yield ""
        yield from rows
        yield ""
        yield "</details>"
        yield ""


def plain(chars: str) -> str:
    """Characters that Markdown shows as they are: no markup, no link, no mention."""
    return _MENTION.sub("@&#8203;", _ACTIVE.sub(_escaped, chars.strip()))


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    if found in "<>&":
        return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}[found]
    return f"{found}\\" if found.isdigit() else f"\\{found}"


def code(chars: str) -> str:
    """Characters as code within a line."""
    ticks = "`" * (_longest_run(chars) + 1)
    pad = " " if chars.startswith("`") or chars.endswith("`") else ""
    return f"{ticks}{pad}{chars}{pad}{ticks}" if chars else ""


def fenced(chars: str, language: str = "") -> Iterator[str]:
    """Lines as a block of code, and a blank line; nothing of nothing."""
    if chars:
        ticks = "`" * max(3, _longest_run(chars) + 1)
        yield f"{ticks}{language}"
        yield from chars.rstrip("\n").split("\n")
        yield ticks
        yield ""


def _longest_run(chars: str) -> int:
    return max(map(len, re.findall(r"`+", chars)), default=0)
