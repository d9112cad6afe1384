"""The terminal report: its looks, its width, its marks, and what hostile files cannot do to it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import report_samples as samples
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from mailaudit.collect.budget import Budget
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Coverage, Evidence, FileStatus, HostReport, Place, Report, Severity, Verdict
from mailaudit.questions import LATE, Reason
from mailaudit.repair import Plan
from mailaudit.reports.masking import Mask
from mailaudit.reports.terminal import diff, excerpt, fixes, pages
from mailaudit.reports.terminal.paper import Paper, Screen, folded
from mailaudit.reports.terminal.prose import first_words
from mailaudit.reports.terminal.report import Detail, write
from mailaudit.reports.view import worst_first
from mailaudit.rulebook import Page, read_page
from mailaudit.text import Span, Text

GOLDEN = Path(__file__).parent / "fixtures" / "reports"
ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
PAGE = read_page("SMTPD023-submission-requires-tls.md", (GOLDEN / "SMTPD023-submission-requires-tls.md").read_text())


def pages_of() -> dict[str, Page]:
    return {PAGE.id: PAGE}


@pytest.mark.parametrize("width", [80, 40])
def test_the_usual_report_is_as_it_was(width: int) -> None:
    assert write(samples.usual(), Screen(width), pages_of()) == (GOLDEN / f"usual-{width}.txt").read_text()


def test_the_page_of_a_rule_is_as_it_was() -> None:
    assert pages.one(PAGE, Screen(80)) == (GOLDEN / "page-80.txt").read_text()


def test_that_a_host_was_out_of_time_is_told_once_with_the_option_that_gives_it_longer() -> None:
    late = [
        replace(samples.result(rule, "x", Verdict.UNKNOWN, why), reason=Reason.TIMEOUT)
        for rule, why in (("DNS001", Budget(7).over.detail), ("PF021", f"{LATE}: /etc/pf.conf"), ("TLS001", "nothing"))
    ]
    host = HostReport("mx1", "mx1", online=True, site={}, files=(), results=tuple(late))
    shown = write(Report("strict", 1, "", "", (host,), exit_code=4), Screen(), {})
    assert shown.count("  `--timeout SECONDS` gives the host longer; it has 60 unless you say so.") == 1
    for quiet in (replace(host, results=(late[2],)), replace(host, online=False)):
        assert "--timeout" not in write(Report("strict", 1, "", "", (quiet,), exit_code=4), Screen(), {})


@pytest.mark.parametrize("detail", list(Detail))
@pytest.mark.parametrize("width", [1, 24, 40, 80, 300])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_every_report_can_be_written_anywhere(width: int, encoding: str, detail: Detail) -> None:
    for report in (samples.usual(), samples.hostile(), samples.failed()):
        shown = write(report, Screen(width, encoding), pages_of(), detail, show_passed=True)
        shown.encode(encoding)
        assert all(char.isprintable() or char == "\n" for char in shown)
        assert not any(line != line.rstrip() for line in shown.split("\n"))


def test_colour_changes_nothing_but_colour() -> None:
    for report in (samples.usual(), samples.hostile()):
        plain = write(report, Screen(80), pages_of())
        coloured = write(report, Screen(80, color=True), pages_of())
        assert "\x1b[" in coloured
        assert ESCAPE.sub("", coloured) == plain


@pytest.mark.parametrize("width", [40, 80, 120])
def test_prose_and_excerpts_keep_to_the_width(width: int) -> None:
    copied = ("chown", "chmod", "example.com. 3600", "exit code")
    for line in write(samples.usual(), Screen(width), pages_of()).splitlines():
        assert cell_len(line) <= width or line.strip().startswith(copied), line


def test_worst_comes_first_and_the_exit_code_last() -> None:
    shown = write(samples.usual(), Screen(), pages_of())
    heads = re.findall(r"^(critical|high|medium|low|info)  ", shown, re.MULTILINE)
    ranks = [Severity[head.upper()] for head in heads]
    assert ranks == sorted(ranks, reverse=True)
    assert len(ranks) == 6
    assert shown.index("7/8 statements; the daemon refuses line 3") < shown.index("6 findings (2 critical")
    assert shown.rstrip().split("\n\n")[-1].startswith("exit code 4 (incomplete): ")


def test_a_refused_line_comes_before_what_its_file_misses() -> None:
    text = Text("/etc/dovecot/local.conf", b"userdb {\n")
    missing = replace(samples.usual().hosts[0].results[0], severity=Severity.CRITICAL, places=(Place(text.path),))
    refused = replace(missing, places=(Place.at(samples.span(text, "userdb")),))
    assert sorted((missing, refused), key=worst_first) == [refused, missing]


def test_quiet_is_a_line_for_each_finding() -> None:
    shown = write(samples.usual(), Screen(40), pages_of(), Detail.QUIET)
    assert "/etc/pf.conf:3:19: critical PF001 pf-conf-loads: pfctl refuses the file" in shown
    assert "why" not in shown


def test_passed_rules_are_named_when_asked_for() -> None:
    assert "loopback-skipped" not in write(samples.usual(), Screen(), {})
    assert "loopback-skipped" in write(samples.usual(), Screen(), {}, show_passed=True)


def test_a_rule_is_explained_once() -> None:
    usual = samples.usual()
    twice = Report(usual.profile, 13, usual.started, usual.finished, (usual.hosts[0], usual.hosts[0]), exit_code=1)
    shown = write(twice, Screen(), pages_of())
    assert shown.count("submission-requires-tls") == 2
    assert shown.count("  why ") == 1
    assert "2 hosts" in shown


def test_hosts_of_one_name_are_told_apart() -> None:
    usual = samples.usual()
    other = replace(usual.hosts[0], target="hosts/mx2")
    shown = write(replace(usual, hosts=(usual.hosts[0], other)), Screen(), {})
    assert f"{other.name} (hosts/mx2): " in shown
    assert "(hosts/mx2): " not in write(replace(usual, hosts=(usual.hosts[0], replace(other, name="mx2"))), Screen(), {})


def test_many_findings_of_one_rule_are_counted() -> None:
    findings = tuple(samples.result("PF020", "default-deny", Verdict.FAIL, f"wrong {number}") for number in range(100))
    host = HostReport("h", "t", online=False, site={}, files=(), results=findings)
    report = Report("strict", 1, "", "", (host,), exit_code=1)
    shown = write(report, Screen(), {})
    assert "80 more findings of PF020 are not shown here; -v shows them." in shown
    assert "100 findings (100 high)" in shown
    assert write(report, Screen(), {}, Detail.VERBOSE).count("default-deny") == 100


def test_nothing_found_is_said() -> None:
    host = HostReport("h", "t", online=False, site={}, files=(), results=(samples.result("PF020", "x", Verdict.PASS),))
    assert "no findings, 1 passed" in write(Report("strict", 1, "", "", (host,)), Screen(), {})


def test_what_was_not_read_is_not_lost_among_what_was() -> None:
    asked = "/etc/redis/redis.conf: doas: Operation not permitted; this line of doas.conf would allow it: permit"
    late = "the host did not answer in time: /etc/login.conf"
    read = tuple(Coverage(f"/etc/rspamd/modules.d/{each}.conf", "ucl", FileStatus.READ, statements=4) for each in range(90))
    files = (
        *read,
        Coverage("/etc/redis/redis.conf", "redis", FileStatus.UNREADABLE, detail=asked),
        Coverage("/etc/login.conf", "login", FileStatus.UNREADABLE, detail=late),
    )
    report = Report("strict", 1, "", "", (HostReport("h", "t", online=False, site={}, files=files, results=()),))
    shown = write(report, Screen(), {}).split("\n\n")[1].splitlines()
    assert shown == [
        "files",
        "  90 files with 360 statements are read to the end; -v names each",
        "  /etc/login.conf        unreadable: the host did not answer in time",
        "  /etc/redis/redis.conf  unreadable: doas: Operation not permitted",
    ]
    assert "  /etc/rspamd/modules.d/89.conf  4/4 statements" in write(report, Screen(), {}, Detail.VERBOSE)


def test_who_was_refused_is_told_how_to_get_all_lines() -> None:
    why = "/etc/pf.conf: doas: no; this line of doas.conf would allow it: permit"
    refused = replace(samples.result("PF020", "x", Verdict.UNKNOWN, why), reason=Reason.UNREADABLE)
    quiet = replace(samples.result("PF021", "y", Verdict.UNKNOWN, "nobody knows"), reason=Reason.NOT_RECORDED)
    for target, named in (("mx1.example.com", "mx1.example.com"), ("./snap", "HOST"), ("ssh://a@mx1:2222", "ssh://a@mx1:2222")):
        host = HostReport("mx1", target, online=True, site={}, files=(), results=(refused, quiet))
        shown = write(Report("strict", 1, "", "", (host,), exit_code=4), Screen(), {})
        assert f"`mailaudit doctor {named}` prints all lines that doas.conf lacks." in shown
        by_sudo = replace(host, results=(replace(refused, message=why.replace("doas.conf", "sudoers")),))
        assert "prints all lines that sudoers lacks." in write(Report("strict", 1, "", "", (by_sudo,), exit_code=4), Screen(), {})
        assert "(not-recorded; -v says what): PF021" in shown
        host = replace(host, results=(quiet,))
        assert "doctor" not in write(Report("strict", 1, "", "", (host,)), Screen(), {})


@pytest.mark.parametrize("detail", list(Detail))
def test_secrets_stand_nowhere(detail: Detail) -> None:
    shown = write(samples.usual(), Screen(300), {}, detail, show_passed=True)
    assert samples.QUEUE_KEY not in shown
    assert samples.PASSWORD_HASH not in shown
    if detail:
        assert 'queue encryption key "{{masked:queue-key}}"' in shown


def drawn(text: Text, *places: Place, width: int = 60, mask: Mask | None = None) -> list[str]:
    paper = Paper(Screen(width), mask)
    excerpt.draw(paper, text, [(place, number == 0) for number, place in enumerate(places)], "")
    return paper.text().splitlines()


def marked(lines: list[str]) -> str:
    """What the first line of carets stands under."""
    line, under = lines[0], lines[1]
    first, last = under.index("^"), under.rindex("^") + 1
    cells: list[str] = []
    for char in line:
        cells += [char, ""][: cell_len(char)]
    return "".join(cells[first:last])


@pytest.mark.parametrize(
    "line",
    [
        "pass in quick all",
        "\tpass\tin quick\tall",
        "日本 quick 語",
        "Zürich quick",
        "e\u0301 quick",
        "\x1b[31m quick",
        "caf\udce9 quick",
    ],
)
def test_the_caret_stands_under_the_word(line: str) -> None:
    text = Text.of("/x", f"{line}\r\n")
    assert marked(drawn(text, Place.at(samples.span(text, "quick")))) == "quick"


@given(st.text(alphabet="ab\t日é\x1b ", max_size=300), st.text(alphabet="ab\t日 ", max_size=300), st.integers(24, 90))
def test_the_caret_stands_under_the_word_in_any_line(before: str, after: str, width: int) -> None:
    text = Text.of("/x", f"{before}quick{after}")
    lines = drawn(text, Place.at(Span(text, len(before), len(before) + 5)), width=width)
    assert marked(lines) == "quick"
    assert all(cell_len(line) <= width for line in lines)


def test_a_line_of_a_mebibyte_is_clipped_around_the_caret() -> None:
    text = Text.of("/x", "y " * 2**18 + "quick" + " z" * 2**18)
    lines = drawn(text, Place.at(samples.span(text, "quick"), "here"))
    assert marked(lines) == "quick"
    assert max(map(len, lines)) <= 60
    assert lines[0].startswith("1 | ...")
    assert lines[0].endswith("...")


def test_a_span_over_many_lines_is_shown_in_part() -> None:
    text = Text.of("/x", "pass {\n\ta\n\tb\n\tc\n}\n")
    lines = drawn(text, Place.at(Span(text, 5, len(text.chars) - 1), "list"))
    assert lines == [
        "1 | pass {",
        "  |      ^",
        "2 |         a",
        "  |         ^",
        "3 |         b",
        "  |         ^ list (to line 5)",
    ]


def test_an_empty_span_at_the_end_has_a_caret() -> None:
    text = Text.of("/x", "abc\n")
    assert drawn(text, Place.at(Span(text, 4, 4), "end")) == ["2 |", "  | ^ end"]
    assert drawn(text, Place.at(Span(text, 3, 3), "end")) == ["1 | abc", "  |    ^ end"]


def test_places_apart_are_drawn_in_the_order_of_lines() -> None:
    text = Text.of("/x", "a = 1\nb\nc\npass $a\n")
    lines = drawn(text, Place.at(samples.span(text, "$a"), "used"), Place.at(samples.span(text, "1"), "set"))
    assert lines == ["1 | a = 1", "  |     - set", "  :", "4 | pass $a", "  |      ^^ used"]


def test_a_secret_over_two_lines_is_masked_on_both() -> None:
    text = Text.of("/x", 'key "abcdef\\\nghijkl" end\n')
    mask = Mask([("key", "abcdefghijkl")])
    lines = drawn(text, Place.at(Span(text, 0, len(text.chars) - 1)), mask=mask)
    assert lines[0] == '1 | key "{{masked:key}}'
    assert lines[2] == '2 | {{masked:key}}" end'


@settings(max_examples=200)
@given(st.data())
def test_any_text_can_be_excerpted(data: st.DataObject) -> None:
    text = Text.of("/x", data.draw(st.text(alphabet="a\n\t\r 日\x00\\\"'", max_size=200)))
    start = data.draw(st.integers(0, len(text.chars)))
    end = data.draw(st.integers(start, len(text.chars)))
    width = data.draw(st.integers(1, 100))
    mask = Mask([("k", data.draw(st.text(alphabet="a\n日", max_size=3)))])
    lines = drawn(text, Place.at(Span(text, start, end), "label"), Place.at(Span(text, 0, start)), width=width, mask=mask)
    assert any("^" in line for line in lines)


@given(st.text(alphabet="ab 日\u0301", max_size=100), st.integers(2, 30))
def test_lines_are_folded_without_loss(chars: str, room: int) -> None:
    lines = list(folded(chars, room))
    assert "".join(lines).replace(" ", "") == chars.replace(" ", "")
    assert all(line.strip() and cell_len(line) <= room for line in lines)


def test_words_are_kept_whole() -> None:
    assert list(folded("  one two  three", 9)) == ["  one two", "three"]
    assert list(folded("abcdefghij klm", 4)) == ["abcd", "efgh", "ij", "klm"]


def test_a_diff_is_masked_and_shown() -> None:
    written = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-key 0123456789\r\n+key \x1b[31m\tx\r\n"
    shown = diff.show(written, Mask([("key", "0123456789")]), Screen())
    assert shown == "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-key {{masked:key}}\r\n+key \\x1b[31m\tx\r\n"
    assert diff.show("", Mask(), Screen()) == ""


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ("One **two**\nthree.\n\nFour.", "One two three."),
        ("- a\n- b\n  c\n\nd", "- a\n- b c"),
        ("Write:\n\n```/etc/x\na  b\n```\nThen", "Write:\n  a  b"),
        ("Either:\n\n- a\n- b", "Either:\n- a\n- b"),
        ("See [the page](https://example.com/).", "See the page (https://example.com/)."),
        ("", ""),
    ],
)
def test_the_first_words_of_a_section(section: str, words: str) -> None:
    assert first_words(section) == words


def test_the_catalogue_names_every_rule() -> None:
    wide = pages.catalogue([PAGE], Screen(120)).splitlines()[0]
    assert wide == "SMTPD023  high      guide  submission-requires-tls  Submission requires TLS"
    narrow = pages.catalogue([PAGE], Screen(40)).splitlines()
    assert narrow[1] == "    Submission requires TLS"


def test_files_are_told_in_words() -> None:
    missing = Coverage("/etc/a", "pf", FileStatus.MISSING)
    unreadable = Coverage("/etc/b", "pf", FileStatus.UNREADABLE, detail="it is a FIFO")
    host = HostReport("h", "t", online=False, site={}, files=(missing, unreadable), results=())
    shown = write(Report("strict", 1, "", "", (host,)), Screen(), {})
    assert "not there: /etc/a" in shown
    assert "/etc/b  unreadable: it is a FIFO" in shown


def test_evidence_without_a_file_is_told() -> None:
    finding = samples.result("DNS001", "mx", Verdict.FAIL, "no MX", places=(Evidence("example.com. MX", "NXDOMAIN"),))
    host = HostReport("h", "t", online=False, site={}, files=(), results=(finding,))
    assert "  example.com. MX: NXDOMAIN\n" in write(Report("strict", 1, "", "", (host,)), Screen(), {})


def test_the_lines_that_a_person_decides_about_are_masked_as_one_piece() -> None:
    half, other = "0123456789abcdef", "fedcba987654321"
    text = Text.of("/etc/mail/smtpd.conf", f'-- one\nqueue encryption key "{half}\\\n{other}"\nlisten on all\n')
    at = samples.span(text, "-- one")
    fix = Fix("Drop all.", Safety.MANUAL, (Edit(text.path, at.start, len(text.chars), "++ two\n"),))
    left = samples.result("SMTPD001", "x", Verdict.FAIL, "It says too much.", places=(Place.at(at),), fix=fix)
    report = samples.usual()
    secrets = (("queue-key", half + other),)
    host = replace(report.hosts[0], results=(left,), files=(), texts={text.path: text}, secrets=secrets)
    plan = Plan(host, host, {}, {}, (), ((left, "by hand"),))
    told = fixes.write(report, Screen(), [plan], diff=True, written=False, detail=Detail.NORMAL)
    assert half not in told
    assert other not in told
    assert "       --- one\n" in told
    assert "       +++ two\n" in told
    assert "/etc/mail/smtpd.conf\n       " not in told


def test_a_live_host_is_mended_by_its_name() -> None:
    report = samples.usual()
    told = write(replace(report, hosts=(replace(report.hosts[0], target="mx1.example.com", live=True),)), Screen(), pages_of())
    assert "See what would be changed: mailaudit fix mx1.example.com\n" in told
