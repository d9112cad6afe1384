"""A rule may go by several ids of the catalogue: each one chooses, shows, ignores and waives it (decision 7)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.audit import audit
from mailaudit.auditor import Options, select
from mailaudit.choices import Color
from mailaudit.commands.rules import rules
from mailaudit.findings import Severity, Verdict
from mailaudit.reports.json import as_data
from mailaudit.rulebook import Page, PageError, read_page
from mailaudit.settings import Settings

BOOK = rulebook.load()
WRONG = """mail_location = maildir:/var/vmail/%d/%n
passdb {
  driver = passwd-file
  args = scheme=blf-crypt /etc/mail/credentials
}
passdb {
  driver = bsdauth
}
"""


def page(filename: str, also: str) -> Page:
    front = f'severity = "low"\nbasis = "guide"\nevidence = ["F"]\nsources = []\nsince = "0.1"\nalso = {also}\n'
    return read_page(filename, f"+++\n{front}+++\n# All is well\n")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "etc/dovecot").mkdir(parents=True)
    (tmp_path / "etc/dovecot/dovecot.conf").write_text(WRONG)
    return tmp_path


def test_another_id_and_its_prefix_select_the_rule() -> None:
    assert BOOK.matching("ABUSE006") == BOOK.matching("abuse006") == ["DOVECOT024"]
    assert {"DOVECOT024", "SIEVE010", "SMTPD018"} <= set(BOOK.matching("ABUSE"))
    assert "ABUSE006" in BOOK.called
    assert select(BOOK, Settings(), Options(select=("ABUSE006",))) == ("DOVECOT024",)
    assert "DOVECOT024" not in select(BOOK, Settings(), Options(ignore=("ABUSE006",)))
    assert "DOVECOT024" not in select(BOOK, Settings(ignore=("ABUSE006",)), Options())


@pytest.mark.parametrize(
    ("also", "message"),
    [
        ('["abuse006"]', "A001: also names 'abuse006', which is no id such as ABUSE006"),
        ('["ABUSE6"]', "A001: also names 'ABUSE6', which is no id such as ABUSE006"),
        ('["B001"]', "A001: also names B001, which has a page of its own"),
        ('["A001"]', "A001: also names A001, which has a page of its own"),
        ('["C001", "C001"]', "A001: also names C001, which A001 names too"),
        ('["C002"]', "B001: also names C002, which A001 names too"),
    ],
)
def test_ids_that_name_no_rule_or_two_are_refused(
    also: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/A001-first.md").write_text(page("A001-first.md", also).source)
    (tmp_path / "a/B001-second.md").write_text(page("B001-second.md", '["C002"]').source)
    monkeypatch.setattr(rulebook, "root", lambda: tmp_path)
    with pytest.raises(PageError) as error:
        rulebook.load()
    assert str(error.value) == message


def test_the_page_is_shown_by_either_id(capsys: pytest.CaptureFixture[str]) -> None:
    shown = []
    for identity in ("DOVECOT024", "ABUSE006"):
        assert rules(identity, Color.NEVER) == 0
        shown.append(capsys.readouterr().out)
    assert shown[0] == shown[1]
    assert "  also      ABUSE006" in shown[0]


def test_a_finding_is_told_once_and_names_its_other_ids(host: Path) -> None:
    report = audit([str(host)], Options(select=("ABUSE006", "DOVECOT024")))
    (result,) = (each for each in report.hosts[0].results if each.verdict is Verdict.FAIL)
    assert (result.rule, result.also) == ("DOVECOT024", ("ABUSE006",))
    assert [each["also"] for each in as_data(report)["hosts"][0]["results"]] == [["ABUSE006"]]
    json.dumps(as_data(report))


@pytest.mark.parametrize("comment", ["ignore[ABUSE006] known", "ignore[abuse006] known", "ignore[DOVECOT024] known"])
def test_a_comment_waives_by_either_id(host: Path, comment: str) -> None:
    (host / "etc/dovecot/dovecot.conf").write_text(
        WRONG.replace("passdb {\n  driver = bsdauth", f"# mailaudit: {comment}\npassdb {{\n  driver = bsdauth")
    )
    (result,) = audit([str(host)], Options(select=("DOVECOT024",))).hosts[0].results
    assert result.verdict is Verdict.WAIVED


@pytest.mark.parametrize("named", ["ABUSE006", "DOVECOT024", "system-users-cannot-log-in"])
def test_settings_name_a_rule_by_any_of_its_names(host: Path, named: str) -> None:
    (host / "mailaudit.toml").write_text(
        f'[rules.severity]\nDOVECOT = "medium"\n"{named}" = "info"\n[[waiver]]\nrule = "{named}"\nreason = "known"\n'
    )
    (result,) = audit([str(host)], Options(select=(named,))).hosts[0].results
    assert (result.verdict, result.severity) == (Verdict.WAIVED, Severity.INFO)
