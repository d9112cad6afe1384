"""One finding: what is wrong and where, why it matters, how it is mended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mailaudit.edits import Fix
from mailaudit.findings import Evidence, Place, Result, Verdict
from mailaudit.reports.html.hops import ABOUT, Entry, anchor_of, of_severity
from mailaudit.reports.html.marks import worded
from mailaudit.reports.html.markup import NOTHING, Html, joined, tag
from mailaudit.reports.html.prose import inline, paragraphs
from mailaudit.reports.html.source import changed, copied, drawn
from mailaudit.reports.view import View, how
from mailaudit.rulebook import Page

MANY = 20  # findings of one rule on one host that are shown whole
MOST_PLACES = 8
SECTIONS = ("Why it matters", "What breaks", "How to mend")


@dataclass
class Told:
    """What the page has said: where each rule is explained, and how many findings of each rule a host has had."""

    pages: Mapping[str, Page]
    explained: dict[str, str] = field(default_factory=dict)
    shown: Counter[tuple[str, str]] = field(default_factory=Counter)


def finding(view: View, entry: Entry, host: str, told: Told) -> Html:
    """A finding, or a waived one."""
    result = entry.result
    told.shown[host, result.rule] += 1
    whole = told.shown[host, result.rule] <= MANY
    body = joined(
        tag("h4", tag("span", result.rule, class_="rule"), " ", result.name),
        tag("p", view.message(result), class_="message"),
        tag("p", tag("b", "Waived: "), view.clean(result.waiver)) if result.verdict is Verdict.WAIVED else NOTHING,
        _places(view, result) if whole else _briefly(view, result),
        [tag("p", tag("b", "Assumed: "), view.clean(each)) for each in result.assumed],
        _explained(result, entry.anchor, told),
        _fix(view, result.fix, whole=whole),
    )
    return tag("article", _margin(entry, host), tag("div", body), id=entry.anchor, class_="finding", **filtered(entry))


def filtered(entry: Entry) -> dict[str, str]:
    """What the filter goes by."""
    return {
        "data_verdict": str(entry.result.verdict),
        "data_severity": str(entry.result.severity),
        "data_subject": str(entry.hop),
    }


def _margin(entry: Entry, host: str) -> Html:
    waived = tag("p", "waived", class_="soft") if entry.result.verdict is Verdict.WAIVED else NOTHING
    return tag(
        "div",
        tag("p", worded(of_severity(entry.result.severity))),
        waived,
        tag("p", tag("a", ABOUT[entry.hop].name, href=f"#{anchor_of(host, entry.hop)}")),
        tag("p", f"basis: {entry.result.basis}", class_="soft"),
        class_="margin",
    )


def _places(view: View, result: Result) -> Iterator[Html]:
    answers = [each for each in result.places if isinstance(each, Evidence)]
    if answers:
        rows = [
            (tag("dt", tag("code", view.clean(each.question))), tag("dd", tag("code", view.clean(each.answer))))
            for each in answers
        ]
        yield tag("dl", rows, class_="asked")
    asked = {each.question.removeprefix("stat ") for each in answers}
    places = [each for each in result.places if isinstance(each, Place) and (each.span or each.label or each.path not in asked)]
    yield from (drawn(view, each) for each in places[:MOST_PLACES])
    if len(places) > MOST_PLACES:
        yield tag("p", f"and {len(places) - MOST_PLACES} more places", class_="soft")


def _briefly(view: View, result: Result) -> Html:
    first = result.places[0] if result.places else None
    if isinstance(first, Place):
        return drawn(view, Place(first.path) if first.span is None else first)
    return tag("p", tag("code", view.clean(f"{first.question}: {first.answer}"))) if first is not None else NOTHING


def _explained(result: Result, anchor: str, told: Told) -> Html:
    """The rule's page, once in the report."""
    page = told.pages.get(result.rule)
    where = told.explained.setdefault(result.rule, anchor)
    if page is None:
        return NOTHING
    if where != anchor:
        return tag(
            "p", tag("a", f"Why this matters, and how to mend it: at the first finding of {result.rule}", href=f"#{where}")
        )
    parts = [
        tag("div", tag("h5", f"{heading}:"), " ", *paragraphs(page.section(heading)))
        for heading in SECTIONS
        if page.section(heading)
    ]
    sources = tag("p", "Sources: ", inline("; ".join(page.sources)), ".", class_="soft") if page.sources else NOTHING
    summary = tag("summary", tag("b", "Rule: "), inline(page.title))
    return tag("details", summary, parts, sources, open=True, class_="page")


def _fix(view: View, fix: Fix | None, *, whole: bool) -> Html:
    if fix is None:
        return NOTHING
    title = tag("p", tag("b", "Fix: "), view.clean(fix.title).rstrip("."), ". ", inline(how(fix)))
    if not whole:
        return title
    changes = changed(view.diff(fix)) if fix.edits else NOTHING
    commands = [view.clean(each) for each in fix.commands]
    records = [view.clean(each) for each in fix.records]
    return tag(
        "div",
        title,
        changes,
        joined(tag("p", "Commands, on the host as root:"), copied(commands)) if commands else NOTHING,
        joined(tag("p", "Records, for the zone:"), copied(records)) if records else NOTHING,
        class_="fix",
    )
