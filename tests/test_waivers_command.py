"""What waivers promise, from the command line: a reason, an end, a rule that there is; what is missing can be waived too."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from command_line import Run

from mailaudit import rulebook
from mailaudit.choices import Format

PF = "block log all\npass out all\n"  # PF010: "set skip on lo" is missing
TODAY = datetime.now(UTC).date()
ONLY = ("--select", "PF010")


@pytest.fixture
def scan(tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Scans a host with this pf.conf and these settings: code, JSON, and what is said of waivers."""
    book = rulebook.load()
    monkeypatch.setattr(rulebook, "load", lambda: book)
    (tmp_path / "etc").mkdir()

    def call(pf: str = PF, settings: str = "", *options: str) -> tuple[int, dict[str, Any], str]:
        (tmp_path / "etc" / "pf.conf").write_text(pf)
        (tmp_path / "mailaudit.toml").write_text(settings)
        code, out, _ = run("scan", tmp_path, *ONLY, *options, "--format", Format.JSON)
        data = json.loads(out)
        return code, data, "\n".join(data["errors"])

    return call


def waiver(**more: object) -> str:
    lines = [f"{name} = {value}" for name, value in {"rule": '"PF010"', "reason": '"a test"', **more}.items()]
    return "\n".join(("[[waiver]]", *lines, ""))


def verdicts(data: dict[str, Any]) -> list[str]:
    return [each["verdict"] for each in data["hosts"][0]["results"]]


@pytest.mark.parametrize(("days", "code"), [(-1, 1), (0, 0), (1, 0)])
@pytest.mark.parametrize("is_inline", [True, False])
def test_what_is_missing_is_waived_until_the_end_of_a_day_in_utc(scan: Any, days: int, code: int, is_inline: bool) -> None:
    last = TODAY + timedelta(days=days)
    pf = f"# mailaudit: ignore[PF010] until={last} a test\n{PF}" if is_inline else PF
    got, data, said = scan(pf, "" if is_inline else waiver(expires=last))
    assert (got, verdicts(data)) == (code, ["fail" if code else "waived"])
    assert (f"has expired ({last})" in said) is bool(code)
    if not code:
        (result,) = data["hosts"][0]["results"]
        by = "inline" if is_inline else "settings"
        assert result["waived"] == {"by": by, "reason": f"a test (until {last})"}
        assert result["fingerprint"]


def test_the_clock_counts_and_not_now(scan: Any) -> None:
    assert scan(PF, waiver(expires=TODAY), "--now", "2099-01-01T00:00:00Z")[0] == 0
    assert scan(PF, waiver(expires=TODAY - timedelta(days=1)), "--now", "2001-01-01T00:00:00Z")[0] == 1


def test_a_waiver_without_a_reason_is_none(scan: Any) -> None:
    code, _, said = scan(f"# mailaudit: ignore[PF010]\n{PF}")
    assert code == 1
    assert "/etc/pf.conf:1: a waiver needs a reason, in words" in said
    assert scan(PF, '[[waiver]]\nrule = "PF010"\n')[0] == 2
    assert scan(PF, waiver(reason='" "'))[0] == 2


def test_a_waiver_of_a_rule_that_is_none_is_told(scan: Any) -> None:
    code, _, said = scan(f"# mailaudit: ignore[PF999] a test\n{PF}")
    assert code == 1
    assert "/etc/pf.conf:1: the waiver of PF999 waives nothing: no rule is called so" in said
    assert scan(PF, waiver(rule='"PF999"'))[0] == 2


@pytest.mark.parametrize(
    "settings",
    [waiver(expires=TODAY - timedelta(days=1)), waiver(match=f'"{"0" * 64}"'), waiver()],
    ids=["expired", "of another finding", "of a finding that is gone"],
)
def test_expired_and_unused_waivers_are_told_and_strictly_counted(scan: Any, settings: str) -> None:
    pf = f"set skip on lo\n{PF}" if settings == waiver() else PF
    code, _, said = scan(pf, settings)
    assert code == (0 if settings == waiver() else 1)
    assert "the waiver of PF010" in said
    assert scan(f"set skip on lo\n{PF}", settings, "--strict-waivers")[0] == 1


def test_the_audited_party_does_not_grade_itself(scan: Any) -> None:
    pf = f"# mailaudit: ignore[PF010] a test\n{PF}"
    assert scan(pf)[0] == 0
    code, data, said = scan(pf, "", "--no-inline-ignores")
    assert (code, verdicts(data), said) == (1, ["fail"], "")
    assert scan(pf, waiver(), "--no-inline-ignores")[0] == 0


@pytest.mark.parametrize(("host", "code"), [('"*"', 0), ('"MX1.*"', 0), ('"mx2.*"', 1)])
def test_a_waiver_of_some_hosts(scan: Any, host: str, code: int, tmp_path: Path) -> None:
    (tmp_path / "etc" / "myname").write_text("mx1.example.com\n")
    got, _, said = scan(PF, waiver(host=host))
    assert got == code
    assert ("the waiver of PF010 is for hosts like mx2.*, and there is none" in said) == bool(code)
    assert scan(f"set skip on lo\n{PF}", waiver(host=host), "--strict-waivers")[0] == 1


def test_a_waiver_in_a_file_that_is_named_may_be_for_hosts_that_are_scanned_another_time(scan: Any, tmp_path: Path) -> None:
    (tmp_path / "named.toml").write_text(waiver(host='"mx2.*"'))
    assert scan(PF, "", "--config", str(tmp_path / "named.toml"))[2] == ""
