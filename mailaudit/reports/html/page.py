"""The page around the hosts: its head, how the run ended, the overview of several hosts, the filter."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence

from mailaudit import __version__
from mailaudit.exitcodes import ExitCode
from mailaudit.findings import Report, Severity, Verdict
from mailaudit.reports.html.finding import Told
from mailaudit.reports.html.hops import ABOUT, Hop, of_severity
from mailaudit.reports.html.host import anchor, host, severities
from mailaudit.reports.html.marks import defined, mark
from mailaudit.reports.html.markup import NOTHING, Html, joined, listed, raw, tag
from mailaudit.reports.html.prose import inline
from mailaudit.reports.html.script import SCRIPT
from mailaudit.reports.html.style import STYLE
from mailaudit.reports.view import Reader, View, ending, errors, views

VERDICTS = {Verdict.FAIL: "found", Verdict.WAIVED: "waived", Verdict.UNKNOWN: "not evaluated"}
LEFT = {Verdict.UNKNOWN: "not evaluated", Verdict.WAIVED: "waived"}
PASSED = {Verdict.PASS: "passed", Verdict.NOT_APPLICABLE: "not applicable"}


def document(report: Report, reader: Reader) -> Iterator[str]:
    """The page in pieces, with a final newline."""
    seen = views(report, reader)
    many = len(seen) > 1
    form = _filter(reader) if any(view.host.results for view in seen) else NOTHING
    told = Told(reader.pages)
    yield f'<!DOCTYPE html>\n<html lang="en">\n{_head(seen).chars}\n<body>\n{defined().chars}\n'
    yield tag("header", tag("h1", "Mail host audit"), _ending(report), _errors(report), _run(report)).chars
    yield "\n<main>\n"
    if many:
        yield _overview(seen).chars
        yield form.chars
    for number, view in enumerate(seen, 1):
        yield host(view, number, told, NOTHING if many else form, show_passed=reader.show_passed).chars
        yield "\n"
    yield f"</main>\n{_footer().chars}\n{raw('script', SCRIPT).chars}\n</body>\n</html>\n"


def _head(seen: Sequence[View]) -> Html:
    policy = f"default-src 'none'; style-src {_hash(STYLE)}; script-src {_hash(SCRIPT)}; base-uri 'none'; form-action 'none'"
    names = ", ".join(view.name for view in seen[:3]) + (f" and {len(seen) - 3} more" if len(seen) > 3 else "")
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"Mail host audit: {names}" if names else "Mail host audit"),
        raw("style", STYLE),
    )


def _hash(chars: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(chars.encode()).digest()).decode()}'"


def _ending(report: Report) -> Html:
    told, short = ending(report), ExitCode(report.exit_code).short
    meaning = NOTHING if told.endswith(short) else tag("p", f"{short[0].upper()}{short[1:]}.", class_="soft")
    return joined(tag("p", f"{told[0].upper()}{told[1:]}", class_="ending"), meaning)


def _errors(report: Report) -> Html:
    told = errors(report)
    return tag("div", tag("h2", "What went wrong"), listed(told), class_="errors") if told else NOTHING


def _run(report: Report) -> Html:
    facts = {
        "Started": report.started,
        "Finished": report.finished,
        "Rules": f"{report.rules}, profile {report.profile}",
        "By": f"mailaudit {__version__}",
    }
    return tag("dl", [(tag("dt", key), tag("dd", value)) for key, value in facts.items()], class_="facts")


def _overview(seen: Sequence[View]) -> Html:
    head = tag("thead", tag("tr", [tag("th", each, scope="col") for each in ("host", "findings", "left")]))
    return tag(
        "section",
        tag("h2", f"{len(seen)} hosts", id="hosts"),
        tag("table", head, tag("tbody", _rows(seen))),
        aria_labelledby="hosts",
    )


def _rows(seen: Sequence[View]) -> Iterator[Html]:
    for number, view in enumerate(seen, 1):
        counts = view.host.counts()
        name = tag("th", tag("a", view.name, href=f"#{anchor(number)}"), scope="row")
        left = [tag("p", f"{counts[verdict]} {word}") for verdict, word in LEFT.items() if counts[verdict]]
        yield tag("tr", name, tag("td", severities(view)), tag("td", left))


def _filter(reader: Reader) -> Html:
    """What is shown; the script shows the form and does what it says."""
    verdicts = VERDICTS | (PASSED if reader.show_passed else {})
    chosen = tag("select", subjects(), id="subject", name="subject")
    severities_ = [
        _box("severity", str(each), joined(mark(of_severity(each)), f" {each}")) for each in sorted(Severity, reverse=True)
    ]
    return tag(
        "form",
        tag("fieldset", tag("legend", "Severity"), severities_),
        tag("fieldset", tag("legend", "Verdict"), [_box("verdict", str(each), word) for each, word in verdicts.items()]),
        tag(
            "p",
            tag("label", "Subject ", for_="subject"),
            chosen,
            tag("button", "Show all", type="reset"),
        ),
        tag("p", tag("output", for_="subject", id="shown", role="status")),
        id="filter",
        autocomplete="off",
        hidden=True,
        aria_label="What is shown",
    )


def subjects() -> Iterator[Html]:
    """What findings are about: the hops."""
    yield tag("option", "everything", value="")
    yield from (tag("option", ABOUT[hop].name, value=str(hop)) for hop in Hop)


def _box(name: str, value: str, told: Html | str) -> Html:
    return tag("label", tag("input", type="checkbox", name=name, value=value, checked=True), " ", told)


def _footer() -> Html:
    told = "Secrets are masked. Whatever the host, DNS or a banner said stands here as characters; nothing of it can act."
    again = "The same finding has the same fingerprint in the report as JSON. A rule in full: `mailaudit rules ID`."
    return tag("footer", tag("p", told), tag("p", inline(again)))
