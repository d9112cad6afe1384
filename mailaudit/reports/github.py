"""The findings as GitHub's workflow commands, which annotate the files of a change; the worst, as it shows but a few."""

from __future__ import annotations

from collections import Counter

from mailaudit.findings import Report, Result
from mailaudit.reports.view import LEVELS, Reader, View, ending, errors, findings, has_verdict, views
from mailaudit.wording import number_of

MOST = 10  # annotations of a level that one step may make
COMMANDS = {"error": "error", "warning": "warning", "note": "notice"}
_DATA = {ord("%"): "%25", ord("\r"): "%0D", ord("\n"): "%0A"}
_PROPERTY = {**_DATA, ord(":"): "%3A", ord(","): "%2C"}


def write(report: Report, reader: Reader) -> str:
    """One command a line; the last says how the run ended."""
    seen = views(report, reader)
    lines: list[tuple[str, str]] = []
    if not has_verdict(report):
        lines.append(("error", command("error", ending(report), title="mailaudit")))
    lines += [("error", command("error", each, title="mailaudit")) for each in errors(report) if each not in ending(report)]
    lines += [(LEVELS[result.severity], _annotation(view, result)) for view, result in findings(seen)]
    shown: Counter[str] = Counter()
    out = []
    for level, line in lines:
        shown[level] += 1
        if shown[level] <= MOST - (level == "note"):  # the last notice is that of how it ended
            out.append(line)
    left = len(lines) - len(out)
    more = f" {left} more are not shown here: the report in another format has them all." if left else ""
    counts = f"{number_of(len(findings(seen)), 'finding')} on {number_of(len(seen), 'host')}"
    out.append(command("notice", f"{counts}; {ending(report)}.{more}", title="mailaudit"))
    return "".join(f"{line}\n" for line in out)


def _annotation(view: View, result: Result) -> str:
    """A finding where it stands, or without a place if it stands in no file."""
    properties = {}
    first = view.first(result)
    if first is not None:
        properties["file"] = first.path
        if not first.whole:
            properties |= {"line": str(first.line), "endLine": str(first.end_line)}
            if first.line == first.end_line:  # columns are taken of one line only
                properties |= {"col": str(first.column), "endColumn": str(first.end_column)}
        else:
            properties["line"] = "1"
    title = f"{result.severity}: {result.rule} {result.name} ({view.name})"
    text = "\n".join((view.message(result), *view.asked(result)))
    return command(COMMANDS[LEVELS[result.severity]], text, **properties, title=title)


def command(name: str, text: str, **properties: str) -> str:
    """A workflow command, from which nothing in its words can break out."""
    named = ",".join(f"{key}={value.translate(_PROPERTY)}" for key, value in properties.items())
    return f"::{name} {named}::{text.translate(_DATA)}"
