"""The report as HTML: its structure, that it is whole and needs nothing else, and that nothing said in it can act."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree.ElementTree import Element

import html5lib
import pytest
import report_formats
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit import rulebook
from mailaudit.audit import audit
from mailaudit.auditor import Options
from mailaudit.edits import Edit, Fix, Safety, apply
from mailaudit.findings import Evidence, Place, Report, Result, Severity, Verdict
from mailaudit.questions import Reason
from mailaudit.reports import html
from mailaudit.reports.changes import diff_of
from mailaudit.reports.html.hops import ABOUT, PATHS, RULES, Hop, Shape, entries, of_result, of_rule, standings
from mailaudit.reports.html.markup import joined, tag
from mailaudit.reports.masking import Mask
from mailaudit.reports.view import Reader, views
from mailaudit.text import Span, Text

BOOK = rulebook.load()
READER = Reader(BOOK.pages)
EXAMPLES = Path(__file__).parents[1] / "examples"
NETWORK = re.compile(r"(?:url\(|@import|src=|srcset=|action=|poster=|data=)(?!#head\))")


def page(report: Report, reader: Reader = READER) -> Element:
    """The page, as a browser reads it; it is whole, and every link in it leads somewhere."""
    text = html.write(report, reader)
    report_formats.html(text)
    root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    return root


def words(element: Element) -> str:
    return " ".join("".join(element.itertext()).split())


def by_class(root: Element, name: str) -> list[Element]:
    return [each for each in root.iter() if name in (each.attrib.get("class") or "").split()]


def only(report: Report, *results: Result, **more: object) -> Report:
    return replace(report, hosts=(replace(report.hosts[0], results=results, **more),))  # type: ignore[arg-type]


def test_every_rule_belongs_to_a_hop_by_the_table() -> None:
    for identity in BOOK.pages:
        assert any(identity.startswith(begin) for begin in RULES), identity
    for begin, hop in RULES.items():
        assert any(of_rule(identity) is hop for identity in BOOK.pages if identity.startswith(begin)), begin
        shorter = next((RULES[begin[:size]] for size in range(len(begin) - 1, 0, -1) if begin[:size] in RULES), None)
        assert shorter is not hop, f"{begin} says what a shorter one says already"
    assert set(RULES.values()) == set(ABOUT) == set(Hop)
    assert set(PATHS.values()) <= set(Hop)


def test_a_rule_about_several_daemons_belongs_where_its_place_is() -> None:
    result = samples.result("CROSS020", "x", Verdict.FAIL, "x", places=(Place.whole("/etc/pf.conf"),))
    assert of_result(result) is Hop.PF
    assert of_result(replace(result, places=(Place.whole("/etc/dovecot/local.conf"),))) is Hop.DOVECOT
    assert of_result(replace(result, places=(Place.whole("/etc/mail/smtpd.conf"),))) is Hop.SMTPD
    assert of_result(replace(result, places=(Evidence.stat("/var/vmail/example.com", None),))) is Hop.MAILDIR
    assert of_result(replace(result, rule="PF040", places=(Place.whole("/etc/dovecot/local.conf"),))) is Hop.PF


def test_a_hop_of_which_a_part_was_not_asked_is_not_in_order() -> None:
    asked = samples.result("DNS010", "x", Verdict.PASS, "x")
    left = replace(samples.result("DNS011", "y", Verdict.UNKNOWN, "y"), reason=Reason.OFFLINE)
    for results, shape in (((asked, left), Shape.PARTLY), ((asked,), Shape.FINE), ((left,), Shape.UNASKED)):
        (view,) = views(only(samples.usual(), *results), READER)
        assert standings(entries(view, "h"))[Hop.DNS].shape is shape


def test_the_page_asks_nobody_and_forbids_it() -> None:
    text = html.write(samples.usual(), READER)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    for kind in ("style", "script"):
        (inline,) = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{kind}-src &#x27;sha256-{digest}&#x27;" in policy[1]
    assert policy[1].startswith("default-src &#x27;none&#x27;;")
    assert not NETWORK.search(text)
    assert not re.search(r"(?:href|src)=\"(?!#)", text)
    assert 'style="' not in text


@pytest.mark.parametrize("make", [samples.usual, samples.hostile, samples.failed])
def test_the_same_report_is_the_same_page(make: object) -> None:
    assert callable(make)
    assert html.write(make(), READER) == html.write(make(), READER)


def test_each_hop_tells_its_worst_and_leads_to_its_findings() -> None:
    root = page(samples.usual())
    nodes = {each.attrib["aria-label"]: each for each in by_class(root, "node")}
    assert "pf: critical, 2 findings" in nodes
    assert "OpenSMTPD: critical, 2 findings" in nodes
    assert "DNS: low, 1 finding" in nodes
    assert "Dovecot: not audited" in nodes
    at = {each.attrib["id"]: each for each in root.iter() if "id" in each.attrib}
    row = at[nodes["pf: critical, 2 findings"].attrib["href"].removeprefix("#")]
    links = list(row.iter("a"))
    assert [words(each) for each in links] == ["PF001", "PF044"]
    assert "pfctl refuses the file" in words(at[links[0].attrib["href"].removeprefix("#")])
    svg = by_class(root, "flow")[0]
    assert words(at[svg.attrib["aria-labelledby"]]) == "The mail flow of host7.example.com"


def test_a_finding_has_its_excerpt_its_rule_and_its_fix() -> None:
    root = page(samples.usual())
    finding = next(each for each in by_class(root, "finding") if "PF001" in words(each))
    assert [words(each) for each in finding.iter("mark")] == ["sshd", "$tcp_services"]
    assert [words(each) for each in by_class(finding, "no")] == ["2", "3", "4", "9", "10", "11"]
    assert "Why it matters" in words(finding)
    assert words(by_class(finding, "removed")[0]) == '-tcp_services = "{ sshd, smtp, http }"'
    assert words(by_class(finding, "added")[0]) == '+tcp_services = "{ ssh, smtp, http }"'
    assert "mailaudit fix does this (safe)" in words(finding)
    assert finding.attrib["data-subject"] == "pf"


def test_what_was_not_told_stands_by_reason_and_waived_findings_with_theirs() -> None:
    told = words(page(samples.usual()))
    assert "the network was not asked (offline): 2 rules" in told
    assert "depends on a statement that was not read (not-read): 1 rule" in told
    assert "Waived: the disk is small, until 2027-03-31" in told
    assert "service names as OpenBSD ships them (1 rule)PF044" in told
    assert "line 7: frobnicate the queue" in told
    assert "Exit code 4 (incomplete): not read: host7.example.com: /etc/mail/smtpd.conf" in told
    assert "Incomplete: something could not be evaluated." in told


def test_passed_rules_are_told_when_they_are_wished_for() -> None:
    assert "PF020" not in words(page(samples.usual()))
    told = page(samples.usual(), replace(READER, show_passed=True))
    assert "PF020" in words(told)
    assert "nothing of dovecot is in the target" in words(told)
    assert {each.attrib["value"] for each in told.iter("input") if each.attrib["name"] == "verdict"} >= {"pass", "fail"}


def test_certificates_stand_on_a_line_of_time() -> None:
    root = page(samples.usual())
    (rows,) = by_class(root, "lifetimes")
    assert "expired 23 days ago" in words(rows[0])
    assert "56 days left" in words(rows[1])
    assert "2026-10-20 to 2027-01-18, at /etc/ssl/mail.example.com.crt" in words(rows[1])
    for bar in by_class(root, "life"):
        if bar.tag == "rect":
            assert 0 <= float(bar.attrib["x"].rstrip("%")) <= float(bar.attrib["x"].rstrip("%")) + 0.5 <= 100.5


@pytest.mark.parametrize("years", [(1950, 1951), (2026, 9999), (1, 9999), (9998, 9999)])
@pytest.mark.parametrize("now", [None, datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_any_lifetime_can_be_drawn(years: tuple[int, int], now: datetime | None) -> None:
    first, last = (datetime(year, 6, 1, tzinfo=UTC) for year in years)
    lifetime = replace(samples.lifetime("/x", "2026-10-20", "2027-01-18"), not_before=first, not_after=last)
    html.write(only(samples.usual(), certificates=(lifetime,), now=now), Reader())


def test_several_hosts_are_told_in_a_table_first() -> None:
    report = samples.usual()
    root = page(replace(report, hosts=(report.hosts[0], replace(report.hosts[0], name="mx2.example.com"))))
    (table,) = root.iter("table")
    assert [words(each) for each in table.iter("a")] == ["host7.example.com", "mx2.example.com"]
    assert len([each for each in root.iter() if each.attrib.get("id") == "filter"]) == 1


def test_nothing_acts() -> None:
    report = samples.hostile()
    text = html.write(report, READER)
    assert "<script>" not in text.replace('<script>\n"use strict"', "")
    assert "&lt;script&gt;" in text
    assert all(char.isprintable() or char in "\n\t" for char in text)
    assert "\\u202e" in text


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_characters_are_text(said: str, name: str) -> None:
    made = joined(tag("p", said, title=name))
    (paragraph,) = html5lib.parse(made.chars, namespaceHTMLElements=False).iter("p")
    assert not list(paragraph)
    assert set(paragraph.attrib) == {"title"}
    assert all(char.isprintable() or char in "\n\t" for char in made.chars)


@settings(max_examples=8, deadline=None)
@given(st.text(max_size=40), st.text(alphabet="<>&\"'\\/\x00\x1b\u202e` abc-={}[]\n", max_size=60))
def test_a_host_that_says_anything_makes_a_whole_page(name: str, said: str) -> None:
    text = Text.of(f"/etc/{name}", f"{said}\nx {said}")
    result = samples.result(
        "PF020", "default-deny", Verdict.FAIL, said, places=(Place.at(Span(text, 0, len(text.chars)), said),),
        fix=Fix(said, Safety.SAFE, (Edit(text.path, 0, 0, said),), (said,), (said,)), assumed=(said,), waiver=said, note=said,
    )  # fmt: skip
    waived = replace(result, verdict=Verdict.WAIVED)
    unknown = replace(result, verdict=Verdict.UNKNOWN, reason=Reason.TIMEOUT, fingerprint="")
    report = only(samples.usual(), result, waived, unknown, name=name, target=said, texts={text.path: text}, notes=(said,))
    page(replace(report, errors=(said,), exit_reason=said), Reader())


def test_no_secret_stands_in_the_page() -> None:
    text = html.write(samples.usual(), READER)
    assert samples.QUEUE_KEY not in text
    assert samples.PASSWORD_HASH not in text
    assert "{{masked:queue-key}}" in text


def many(count: int) -> Report:
    lines = [f"pass in on em0 proto tcp from 198.51.100.{number % 250} to port {number % 60000}" for number in range(count)]
    text = Text.of("/etc/pf.conf", "\n".join(lines) + "\n")
    results = []
    for number in range(count):
        at = Span(text, text.line_start(number + 1), text.line_start(number + 1) + 4)
        fix = Fix("Block it.", Safety.SAFE, (Edit(text.path, at.start, at.end, "block"),))
        result = samples.result(f"PF{number % 7 + 40:03}", "x", Verdict.FAIL, f"It is {number}.", places=(Place.at(at),), fix=fix)
        results.append(replace(result, severity=Severity(number % 5)))
    return only(samples.usual(), *results, texts={text.path: text}, files=())


def test_thousands_of_findings_are_told_in_linear_time() -> None:
    def cost(count: int) -> float:
        report = many(count)
        start = time.process_time()
        text = html.write(report, READER)
        assert len(text) < 120_000 + 1_500 * count
        return time.process_time() - start

    cost(100)
    assert cost(3200) < 10 * cost(800) + 0.2


def test_marks_differ_in_shape_and_word() -> None:
    text = html.write(samples.usual(), READER)
    drawn = dict(re.findall(r'<symbol id="m-(\w+)"[^>]*><path d="([^"]+)"', text))
    assert set(drawn) == {shape.name.lower() for shape in Shape}
    assert len(set(drawn.values())) == len(drawn)


def test_a_corrected_host_is_in_order_everywhere() -> None:
    root = page(audit([str(EXAMPLES / "corrected")], Options()))
    for each in by_class(root, "node"):
        assert each.attrib["aria-label"].endswith((": in order", ": not audited")), each.attrib["aria-label"]


def test_what_is_masked_is_masked_once() -> None:
    told = html.write(samples.usual(), READER)
    assert '-queue encryption key "{{masked:queue-key}}"' in told
    assert '+queue encryption key "{{generate:hex16}}"' in told
    assert "masked:queue-encryption" not in told


def applied(before: str, diff: str) -> str:
    """What a unified diff makes of a text."""
    old, new, at = before.splitlines(keepends=True), [], 0
    for hunk in re.split(r"^(?=@@ )", diff, flags=re.MULTILINE)[1:]:
        head, *lines = hunk.splitlines(keepends=True)
        found = re.match(r"@@ -(\d+)(?:,(\d+))? \+(\d+)", head)
        assert found is not None
        start = int(found[1]) - (found[2] != "0")
        new += old[at:start]
        at = start
        assert len(new) + 1 == int(found[3]) + (not any(line[0] in " +" for line in lines)) or not new
        for number, line in enumerate(lines):
            bare = number + 1 < len(lines) and lines[number + 1].startswith("\\")
            if line[0] in " -":
                assert old[at].rstrip("\n") == line[1:].rstrip("\n")
                at += 1
            if line[0] in " +":
                new.append(line[1:-1] if bare else line[1:])
    return "".join([*new, *old[at:]])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_change_is_the_lines_around_its_edits(data: st.DataObject) -> None:
    chars = data.draw(st.text(alphabet="ab\n", max_size=60))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(chars)), max_size=6, unique=True)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    edits = tuple(Edit("/x", start, end, data.draw(st.text(alphabet="cd\n", max_size=5))) for start, end in pairs)
    host = replace(samples.usual().hosts[0], texts={"/x": Text.of("/x", chars)})
    diff = diff_of(Fix("x", Safety.SAFE, edits), host, Mask())
    assert applied(chars, diff) == apply(chars, edits)


def test_a_change_next_to_a_secret_shows_none_of_it() -> None:
    lines = [f"# {number}" for number in range(40)]
    key = ["-----BEGIN RSA PRIVATE KEY-----", *(f"canary{number}canary" for number in range(30)), "-----END RSA PRIVATE KEY-----"]
    text = Text.of("/x", "\n".join([*lines, *key, "listen on all", *lines]) + "\n")
    at = samples.span(text, "listen")
    host = replace(samples.usual().hosts[0], texts={"/x": text})
    fix = Fix("x", Safety.SAFE, (Edit("/x", at.start, at.end, "LISTEN"),))
    diff = diff_of(fix, host, Mask())
    assert "canary" not in diff
    assert "+LISTEN on all" in diff
