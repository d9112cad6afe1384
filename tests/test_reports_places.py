"""Where CI services look for a finding: the path in the repository and the line in it, whatever its folders are called."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import pytest
import report_samples as samples
from command_line import Run

from mailaudit import output, rulebook
from mailaudit.choices import Format, SarifProfile
from mailaudit.findings import Place, Report
from mailaudit.reports import gitlab, sarif
from mailaudit.reports.view import Reader, explanation, in_words

BOOK = rulebook.load()
PF = "\n# a comment\nblock log all\npass out all\n"
LINES = {3, 4}  # of PF010 and of PF022
HOSTS = ("hosts/mx1", "hosts/two words, 100%#1", "hosts/größe:x", "other/mx1")
FORMS = (Format.GITHUB, Format.SARIF, Format.GITLAB)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of several hosts, in which a job works."""
    monkeypatch.setattr(rulebook, "load", lambda: BOOK)
    for variable in (*output.CHECKOUTS, output.SUMMARY):
        monkeypatch.delenv(variable, raising=False)
    checkout = tmp_path / "work" / "checkout"
    for host in HOSTS:
        etc = checkout / host / "etc"
        etc.mkdir(parents=True)
        (etc / "pf.conf").write_text(PF)
    (checkout / ".git").mkdir()
    monkeypatch.chdir(checkout)
    return checkout


def places(form: Format, text: str) -> set[tuple[str, int]]:
    """The path and line of every finding in a report."""
    if form is Format.GITHUB:
        found = re.findall(r"^::[a-z]+ file=([^,]*),line=([0-9]+)", text, re.MULTILINE)
        return {(unquote(path), int(line)) for path, line in found}
    data = json.loads(text)
    if form is Format.GITLAB:
        return {(each["location"]["path"], each["location"]["lines"]["begin"]) for each in data}
    physical = [each["locations"][0]["physicalLocation"] for each in data["runs"][0]["results"]]
    assert all(each["artifactLocation"]["uriBaseId"] == "SRCROOT" for each in physical)
    assert all(re.fullmatch(r"[A-Za-z0-9._~/%-]+", each["artifactLocation"]["uri"]) for each in physical)
    return {(unquote(each["artifactLocation"]["uri"]), each["region"]["startLine"]) for each in physical}


def told(run: Run, folder: Path, *targets: object) -> dict[Format, set[tuple[str, int]]]:
    """The places of the findings of rules PF010 and PF022 in each format."""
    files = {form: folder / form for form in FORMS}
    outputs = (part for form, file in files.items() for part in ("--output", f"{form}:{file}"))
    code, _, _ = run("scan", *targets, "--select", "PF010,PF022", *outputs)
    assert code == 1
    return {form: places(form, file.read_text("utf-8")) for form, file in files.items()}


@pytest.mark.parametrize("variable", ["", *output.CHECKOUTS])
def test_paths_are_those_of_the_repository(
    repository: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    if variable:
        monkeypatch.setenv(variable, str(repository))
        monkeypatch.chdir(repository / "hosts")
    for form, found in told(run, tmp_path, "../" if variable else ".").items():
        assert found == {(f"{host}/etc/pf.conf", line) for host in HOSTS for line in LINES}, form


@pytest.mark.parametrize("where", ["within", "outside"])
def test_links_on_the_way_to_the_checkout_change_nothing(
    repository: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    link = tmp_path / "link"
    link.symlink_to(repository.parent)
    monkeypatch.setenv("GITHUB_WORKSPACE", f"{link}/checkout/")
    monkeypatch.chdir(f"{link}/checkout" if where == "within" else tmp_path)
    for target in (f"{link}/checkout/hosts", repository / "hosts"):
        for found in told(run, tmp_path, target).values():
            assert {path for path, _ in found} == {f"{host}/etc/pf.conf" for host in HOSTS[:3]}


def test_a_checkout_below_the_folder_of_the_job_has_its_own_paths(
    repository: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_WORKSPACE", str(repository.parent))
    monkeypatch.chdir(repository / "other")
    for found in told(run, tmp_path, ".").values():
        assert {path for path, _ in found} == {"other/mx1/etc/pf.conf"}


@pytest.mark.usefixtures("repository")
def test_an_issue_of_gitlabs_is_known_again_whatever_else_is_scanned(tmp_path: Path, run: Run) -> None:
    known = []
    for number, targets in enumerate((["other"], ["hosts", "other"], ["other", "./other"])):
        file = tmp_path / str(number)
        run("scan", *targets, "--select", "PF010", "--output", f"gitlab:{file}")
        issues = [each for each in json.loads(file.read_text()) if each["location"]["path"].startswith("other/")]
        known.append([each["fingerprint"] for each in issues])
    assert known[0] == known[1]
    assert len(set(known[2])) == 2
    assert known[0][0] in known[2]


def github(report: Report) -> dict[str, dict[str, object]]:
    run = json.loads(sarif.write(report, Reader(BOOK.pages, sarif_profile=SarifProfile.GITHUB)))["runs"][0]
    assert "automationDetails" not in run, "upload-sarif gives its category only where there is none"
    return {each["ruleId"]: each for each in run["results"]}


def test_of_more_than_code_scanning_takes_the_worst_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MOST_RESULTS", 2)
    run = json.loads(sarif.write(samples.usual(), Reader(BOOK.pages, sarif_profile=SarifProfile.GITHUB)))["runs"][0]
    assert [each["level"] for each in run["results"]] == ["error", "error"]
    told = [each["message"]["text"] for each in run["invocations"][0]["toolExecutionNotifications"]]
    assert "4 findings, the least of all, are left out: GitHub takes no more" in told
    assert len(json.loads(sarif.write(samples.usual(), Reader(BOOK.pages)))["runs"][0]["results"]) == 7


def test_an_alert_of_a_whole_file_survives_an_edit_of_its_first_line() -> None:
    report = samples.usual()
    (host,) = report.hosts
    places = [tuple(Place.whole(place.path) for place in each.places if isinstance(place, Place)) for each in host.results]
    whole = tuple(replace(each, places=of_files) for each, of_files in zip(host.results, places, strict=True))
    told_of_files = github(replace(report, hosts=(replace(host, results=whole),)))
    assert all("primaryLocationLineHash" in str(each["partialFingerprints"]) for each in told_of_files.values())


@pytest.mark.parametrize(
    ("what", "most"),
    [
        (lambda page: page.name, 255),
        (lambda page: page.title, 1024),
        (lambda page: in_words(explanation(page)).split("\n")[0], 1024),
    ],
)
def test_no_page_is_longer_than_code_scanning_shows(what: Callable[[rulebook.Page], str], most: int) -> None:
    assert max(len(what(page)) for page in BOOK.pages.values()) <= most


def test_twins_are_told_apart() -> None:
    report = samples.usual()
    data = json.loads(gitlab.write(replace(report, hosts=report.hosts * 3), Reader(BOOK.pages)))
    assert len({each["fingerprint"] for each in data}) == len(data)
