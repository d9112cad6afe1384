"""A defect of mailaudit that one host brings to light ends no other host's audit."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from command_line import Run

from mailaudit.models.smtpd.queue import read_queue
from mailaudit.models.sources import Sources

REPORT_SCHEMA = json.loads((Path(__file__).parents[1] / "mailaudit/reports/schema/report.schema.json").read_text())
KEY = "2f5ea1dc9b7c44d1a2f5ea1dc9b7c44d"


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two hosts, of which the reading of one fails with its own key in the error."""
    for name in ("one", "two"):
        (tmp_path / name / "etc/mail").mkdir(parents=True)
        (tmp_path / name / "etc/mail/smtpd.conf").write_text('listen on lo0\naction "a" maildir\nmatch for any action "a"\n')
        (tmp_path / name / "etc/pf.conf").write_text("pass\n")

    def failing(sources: Sources) -> object:
        if sources.snapshot.target.endswith("one"):
            raise ValueError(f"the key {KEY} is odd")
        return read_queue(sources)

    monkeypatch.setattr("mailaudit.models.facts.read_queue", failing)
    return tmp_path


def test_the_other_host_is_told_all_the_same(run: Run, hosts: Path) -> None:
    code, out, err = run("scan", hosts, "--format", "json")
    report = json.loads(out)
    jsonschema.validate(report, REPORT_SCHEMA)
    assert code == report["exit_code"] == 70
    failed, sound = report["hosts"]
    assert {(each["verdict"], each["reason"]) for each in failed["results"]} == {("unknown", "crashed")}
    assert "fail" in {each["verdict"] for each in sound["results"]}
    (told,) = report["errors"]
    assert told.endswith("one: internal error: ValueError (--debug shows where; please report it)")
    assert "Traceback" not in err


@pytest.mark.parametrize("form", ["terminal", "markdown", "sarif", "junit", "gitlab", "github", "html", "jsonl"])
def test_every_format_tells_of_it(run: Run, hosts: Path, form: str) -> None:
    code, out, err = run("scan", hosts, "--format", form)
    assert code == 70
    assert "internal error" in out + err
    assert KEY not in out + err


def test_a_traceback_is_shown_with_debug_only(run: Run, hosts: Path) -> None:
    code, _, err = run("scan", hosts / "one", "--debug")
    assert code == 70
    assert "Traceback (most recent call last)" in err
    assert "failing" in err
