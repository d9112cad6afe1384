"""All formats together: each is what its reader takes, of any report; nothing breaks out of one, and no secret stands in one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import report_formats
import report_samples as samples
from markdown_it import MarkdownIt

from mailaudit import output, rulebook
from mailaudit.choices import Format, SarifProfile
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Place, Report, Severity, Verdict
from mailaudit.reports.terminal import report as terminal
from mailaudit.reports.terminal.paper import Screen
from mailaudit.reports.view import Reader
from mailaudit.text import Span, Text

LINK = "[click](https://evil.example/) ![x](https://evil.example/x.png) https://evil.example www.evil.example @admin #1 <b>&amp;"
BREAKS = (
    "\n::error::injected", "\r\n##[error]injected", "]]></failure><failure>", "```\n# heading", "| a | b |",
    '"} 1\nmailaudit_x 1', "{0} {{masked}}", "</details><script>alert(1)</script>", "'; --", LINK,
)  # fmt: skip


BOOK = rulebook.load()


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rulebook, "load", lambda: BOOK)


def rendered(report: Report, form: Format, profile: SarifProfile = SarifProfile.STANDARD) -> str:
    return output.render(report, partial(terminal.write, report, pages={}), form, Screen(), Reader(sarif_profile=profile))


def nothing() -> Report:
    """A run with one host, of which nothing is said."""
    host = replace(samples.usual().hosts[0], results=(), files=(), texts={})
    return replace(samples.usual(), hosts=(host,), exit_code=0, exit_reason="nothing found")


def twins() -> Report:
    """Two hosts of one name that say the same; live ones."""
    host = replace(samples.usual().hosts[0], live=True)
    return replace(samples.usual(), hosts=(host, host))


def breaking() -> Report:
    """A host whose message, name, place and waiver try to break out of each format."""
    report = samples.hostile()
    host = report.hosts[0]
    results = tuple(
        replace(result, message=f"says {each}", waiver=each, fingerprint=samples.fingerprint(each, result.rule))
        for result in host.results
        for each in BREAKS
    )
    return replace(report, hosts=(replace(host, name="".join(BREAKS), results=results, notes=BREAKS),), errors=BREAKS)


REPORTS: dict[str, Callable[[], Report]] = {
    "usual": samples.usual,
    "hostile": samples.hostile,
    "failed": samples.failed,
    "nothing": nothing,
    "twins": twins,
    "breaking": breaking,
}


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_any_report_is_valid_in_each_format(make: Callable[[], Report], form: Format) -> None:
    text = rendered(make(), form)
    assert report_formats.READ[form](text)
    assert all(char.isprintable() or char in "\n\t" for char in text)


@pytest.mark.parametrize("make", REPORTS.values(), ids=REPORTS)
def test_any_report_is_valid_for_github(make: Callable[[], Report]) -> None:
    data = json.loads(rendered(make(), Format.SARIF, SarifProfile.GITHUB))
    report_formats.sarif(json.dumps(data))
    for result in data["runs"][0]["results"]:
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        assert not result.keys() & {"fixes", "suppressions"}


@pytest.mark.parametrize("form", Format)
def test_no_secret_stands_in_any_format(form: Format) -> None:
    text = rendered(samples.usual(), form)
    assert samples.QUEUE_KEY not in text
    assert samples.PASSWORD_HASH not in text


@pytest.mark.parametrize("form", Format)
def test_a_secret_over_two_lines_stands_in_no_format(form: Format) -> None:
    half, other = "0123456789abcdef", "fedcba987654321"
    text = Text.of("/etc/mail/smtpd.conf", f'queue encryption key "{half}\\\n{other}"\nlisten on all\n')
    at = samples.span(text, "listen")
    fix = Fix("Listen on lo0.", Safety.SAFE, (Edit(text.path, at.end, at.end + 7, " on lo0"),))
    places = (Place.at(at), Place.at(samples.span(text, half)), Place.at(Span(text, 0, len(text.chars))))
    finding = samples.result("SMTPD001", "x", Verdict.FAIL, f"It says {half}{other}.", places=places, fix=fix)
    host = replace(
        samples.usual().hosts[0], results=(finding,), files=(), texts={text.path: text}, secrets=(("queue-key", half + other),)
    )
    told = rendered(replace(samples.usual(), hosts=(host,)), form)
    assert half not in told
    assert other not in told


def test_a_dead_host_that_is_forgiven_looks_mended_in_no_format() -> None:
    report = replace(nothing(), errors=("mx2: it does not answer",))
    (issue,) = json.loads(rendered(report, Format.GITLAB))
    assert issue["description"] == "mx2: it does not answer"
    assert '<skipped message="mx2: it does not answer"/>' in rendered(report, Format.JUNIT)
    for form in set(Format) - {Format.GITLAB, Format.JUNIT, Format.PROMETHEUS}:
        assert "mx2: it does not answer" in rendered(report, form), form


def test_nothing_breaks_out_of_annotations() -> None:
    lines = rendered(breaking(), Format.GITHUB).splitlines()
    assert lines
    for line in lines:
        assert report_formats.ANNOTATION.fullmatch(line)
        assert "\n" not in line


def test_nothing_breaks_out_of_markdown() -> None:
    text = rendered(breaking(), Format.MARKDOWN)
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    kinds = {child.type for token in tokens for child in token.children or ()}
    assert not kinds & {"link_open", "image", "html_inline"}
    blocks = [token.content for token in tokens if token.type == "html_block"]
    assert all(re.fullmatch(r"<details><summary>[A-Z][a-z ]+: \d+</summary>\n?|</details>\n?", block) for block in blocks)
    headings = [tokens[number + 1].content for number, token in enumerate(tokens) if token.type == "heading_open"]
    assert "heading" not in headings


@pytest.mark.parametrize("form", [Format.JSON, Format.JSONL, Format.SARIF, Format.GITLAB, Format.JUNIT])
def test_no_log_of_github_acts_on_what_is_printed_to_it(form: Format) -> None:
    text = rendered(breaking(), form)
    assert "##[" not in text
    assert not re.search(r"^\s*::", text, re.MULTILINE)


def test_a_single_finding_is_told_as_one_to_github() -> None:
    host = samples.usual().hosts[0]
    one = replace(host, results=tuple(each for each in host.results if each.verdict is Verdict.FAIL)[:1])
    last = rendered(replace(samples.usual(), hosts=(one,)), Format.GITHUB).splitlines()[-1]
    assert last.startswith("::notice title=mailaudit::1 finding on 1 host; ")


def test_a_log_of_github_acts_on_no_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    text = "a ##[error]x\n  ::error::x\n::stop-commands::x\n"
    output.write(text, Format.TERMINAL)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    output.write(text, Format.TERMINAL)
    output.write("::error::ours\n", Format.GITHUB)
    assert capsys.readouterr().out == (f"{text}a #\\x23[error]x\n  \\x3a:error::x\n\\x3a:stop-commands::x\n::error::ours\n")


def test_paths_are_told_from_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ci").mkdir()
    monkeypatch.chdir(tmp_path / "ci")
    for root, path in (("", "examples/corrected/etc/pf.conf"), (str(tmp_path), "ci/examples/corrected/etc/pf.conf")):
        monkeypatch.setenv("GITHUB_WORKSPACE", root)
        assert f"file={path}," in rendered(samples.usual(), Format.GITHUB)
        assert f'"{path}"' in rendered(samples.usual(), Format.SARIF)


def test_the_summary_of_a_step_keeps_within_its_bound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv(output.SUMMARY, str(summary))
    assert not output.summarize(samples.usual())
    whole = summary.read_text()
    assert whole.startswith("before\n# mailaudit\n")
    monkeypatch.setattr(output, "MOST_OF_SUMMARY", len(whole.encode()) + 1_800)
    assert not output.summarize(samples.usual())
    assert len(summary.read_bytes()) <= len(whole.encode()) + 1_800
    assert "more findings are not shown here" in summary.read_text()
    monkeypatch.setenv(output.SUMMARY, str(tmp_path / "nowhere" / "x"))
    assert "could not be written" in output.summarize(samples.usual())


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "mailaudit.prom"
    path.write_text("old")
    path.chmod(0o640)
    link = tmp_path / "link"
    link.symlink_to(path)
    assert not output.deliver("new", path)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o640)
    with path.open() as reader:  # who reads the old one reads on
        assert not output.deliver("through", link)
        assert reader.read() == "new"
    assert (path.read_text(), link.is_symlink()) == ("through", True)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link", "mailaudit.prom"]


def test_two_reports_want_two_files(tmp_path: Path) -> None:
    with pytest.raises(output.OutputError, match="another report goes there already"):
        output.outlets([f"json:{tmp_path}/x", f"sarif:{tmp_path}/x"])
    (tmp_path / "link").symlink_to(tmp_path / "x")
    with pytest.raises(output.OutputError, match="another report goes there already"):
        output.outlets([f"json:{tmp_path}/x", f"sarif:{tmp_path}/link"])
    with pytest.raises(output.OutputError, match="standard output is what --format writes to"):
        output.outlets(["json:-"])
    assert len(output.outlets(["json:/dev/null", "sarif:/dev/null"])) == 2


def test_the_documentation_names_every_format() -> None:
    page = (Path(__file__).parents[1] / "docs" / "reports.md").read_text("utf-8")
    assert {row[1] for row in re.finditer(r"^\| `(\w+)` \|", page, re.MULTILINE)} == set(Format)


def test_annotations_are_the_worst_and_the_others_are_counted() -> None:
    report = samples.usual()
    (host,) = report.hosts
    finding = next(result for result in host.results if result.rule == "PF001")
    many = tuple(replace(finding, rule=f"PF{number:03}", severity=Severity(number % 5)) for number in range(100))
    text = rendered(replace(report, hosts=(replace(host, results=many),), exit_code=1), Format.GITHUB)
    lines = text.splitlines()
    assert [sum(line.startswith(f"::{level} ") for line in lines) for level in ("error", "warning", "notice")] == [10, 10, 10]
    assert all("title=critical" in line for line in lines if line.startswith("::error "))
    assert "71 more are not shown here" in lines[-1]


def test_a_scan_to_the_terminal_pays_for_no_other_format() -> None:
    code = "import sys, mailaudit.commands.scan; print(*(name for name in sys.modules if name.startswith('mailaudit.reports.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    others = {f"mailaudit.reports.{form}" for form in Format} - {"mailaudit.reports.terminal", "mailaudit.reports.json"}
    assert not others & set(done.stdout.split())
