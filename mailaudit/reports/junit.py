"""The report as JUnit's XML, which CI servers show as tests: a suite for each host, a case for each rule or finding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from mailaudit.findings import Report, Result, Verdict
from mailaudit.questions import NOT_ASKED
from mailaudit.reports.view import REASONS, Reader, View, ending, errors, has_verdict, order, views

_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"}
)


def write(report: Report, reader: Reader) -> str:
    """The whole report as XML; control characters are shown in words, as XML has none."""
    suites = [_suite(view.name, _cases(view), report, view.name) for view in views(report, reader)]
    suites.append(_suite("mailaudit", _run(report), report))
    totals = Counter(dict.fromkeys(("tests", "failures", "errors", "skipped"), 0))
    for counts, _ in suites:
        totals.update(counts)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', _tag("testsuites", name="mailaudit", **_numbers(totals))]
    lines += [line for _, suite in suites for line in suite]
    return "\n".join((*lines, "</testsuites>")).replace("##[", "#&#35;[") + "\n"


def _numbers(counts: Counter[str]) -> dict[str, str]:
    return {name: str(number) for name, number in counts.items()}


def _suite(name: str, cases: Iterable[tuple[str, list[str]]], report: Report, host: str = "") -> tuple[Counter[str], list[str]]:
    """A suite's counts, and its lines."""
    counts = Counter(dict.fromkeys(("tests", "failures", "errors", "skipped"), 0))
    body: list[str] = []
    for kind, lines in cases:
        counts["tests"] += 1
        counts[kind] += bool(kind)
        body += lines
    counts.pop("", None)
    named = {"hostname": host} if host else {}
    head = _tag("testsuite", name=name, **named, timestamp=report.started.rstrip("Z"), time="0", **_numbers(counts))
    return counts, [f"  {head}", *body, "  </testsuite>"]


def _run(report: Report) -> Iterator[tuple[str, list[str]]]:
    """A case of the run itself: it fails without a verdict (code 0 or 1), and is skipped if --allow-incomplete made it one."""
    if has_verdict(report):
        gaps = "\n".join(errors(report))
        yield _case("skipped" if gaps else "", "the audit is complete", "mailaudit", gaps)
    else:
        yield _case("errors", "the audit is complete", "mailaudit", "\n".join((ending(report), *errors(report))))


def _cases(view: View) -> Iterator[tuple[str, list[str]]]:
    seen: Counter[str] = Counter()
    for result in sorted(view.host.results, key=lambda each: (each.rule, order(each))):
        name = f"{result.rule} {result.name}"
        seen[name] += 1
        again = f" ({seen[name]})" if seen[name] > 1 else ""
        yield _case(_kind(result), f"{name}{again}", f"{view.name}.{result.rule.rstrip('0123456789')}", _text(view, result))


def _kind(result: Result) -> str:
    """What became of a case."""
    if result.verdict is Verdict.UNKNOWN:
        return "skipped" if result.reason in NOT_ASKED else "errors"
    return {Verdict.PASS: "", Verdict.FAIL: "failures"}.get(result.verdict, "skipped")


def _text(view: View, result: Result) -> str:
    if result.verdict is Verdict.PASS:
        return ""
    lines = [view.message(result) or str(result.verdict)]
    if result.reason is not None:
        lines[0] = f"{REASONS[result.reason]}: {lines[0]}"
    if result.verdict is Verdict.WAIVED:
        lines[0] = f"{lines[0]} Waived: {view.clean(result.waiver)}"
    for spot in view.spots(result):
        lines.append(spot.path if spot.whole else f"{spot.path}:{spot.line}:{spot.column}")
        lines += [f"    {line}" for line in spot.excerpt.split("\n") if line]
    return "\n".join((*lines, *view.asked(result)))


def _case(kind: str, name: str, group: str, text: str) -> tuple[str, list[str]]:
    head = _tag("testcase", name=name, classname=group, time="0")
    if not kind:
        return kind, [f"    {head[:-1]}/>"]
    element = {"failures": "failure", "errors": "error", "skipped": "skipped"}[kind]
    first = text.split("\n", 1)[0]
    if element == "skipped":
        return kind, [f"    {head}", f"      {_tag(element, message=first)[:-1]}/>", "    </testcase>"]
    body = text.translate({**_ESCAPES, ord("\n"): "\n", ord("\t"): "\t"})
    return kind, [f"    {head}", f"      {_tag(element, message=first, type=element)}{body}</{element}>", "    </testcase>"]


def _tag(element: str, **attributes: str) -> str:
    written = [f'{name}="{value.translate(_ESCAPES)}"' for name, value in attributes.items()]
    return f"<{' '.join((element, *written))}>"
