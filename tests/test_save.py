"""`scan --save DIR` keeps what was asked: a scan of it says the same, and no secret is in it."""

from __future__ import annotations

import json
import shutil
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from mailaudit.cli import run
from mailaudit.collect.authorities import read_authorities
from mailaudit.commands.saving import _authorities, _folder
from mailaudit.settings import Said

if TYPE_CHECKING:
    from mailaudit.auditor import Auditor

EXAMPLE = Path(__file__).parents[1] / "examples" / "corrected"
CANARY = "c0ffee00c0ffee00c0ffee00c0ffee00"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / "config"))
    return Path(shutil.copytree(EXAMPLE, tmp_path / "host"))


def verdicts(target: Path, capsys: pytest.CaptureFixture[str], *more: str) -> list[tuple[Any, ...]]:
    run(["scan", str(target), "--format", "json", *more])
    told = json.loads(capsys.readouterr().out)
    return [(r["rule"], r["verdict"], r["message"]) for each in told["hosts"] for r in each["results"]]


def test_a_scan_of_what_was_saved_says_the_same(host: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    first = verdicts(host, capsys, "--save", str(kept))
    assert first == verdicts(kept, capsys)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700
    assert (kept / "mailaudit.toml").read_bytes() == (host / "mailaudit.toml").read_bytes()
    assert read_authorities(str(kept / "ca.pem")) == read_authorities(str(host / "ca.pem"))


@pytest.mark.parametrize("ca_file", ["etc/ca.pem", "../ca.pem", "..", "key.pem", "nothing.pem", None])
def test_of_authorities_only_certificates_beside_the_settings_are_saved(tmp_path: Path, ca_file: str | None) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    said = {("site", "ca_file"): Said(str(tmp_path / "mailaudit.toml"))}
    settings = SimpleNamespace(said=said, site=SimpleNamespace(ca_file=ca_file))
    assert _authorities(cast("Auditor", SimpleNamespace(settings=settings))) == {}


def test_it_is_told_where_it_is_and_holds_no_secret(host: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    smtpd = host / "etc/mail/smtpd.conf"
    smtpd.write_text(smtpd.read_text().replace("queue encryption", f'queue encryption "{CANARY}" #'))
    kept = tmp_path / "kept"
    run(["scan", str(host), "--save", str(kept)])
    assert f"are in {kept}" in capsys.readouterr().err
    assert not [path for path in kept.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]


def test_several_hosts_have_a_folder_each(host: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = Path(shutil.copytree(host, tmp_path / "other"))
    kept = tmp_path / "kept"
    run(["scan", str(host), str(other), "--save", str(kept), "-q"])
    assert capsys.readouterr().err == ""
    assert sorted(path.name for path in kept.iterdir()) == ["host7.example.com", "host7.example.com-2"]
    assert run(["scan", str(kept)]) in (0, 1)


def test_what_is_there_is_not_written_over(host: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine").touch()
    assert run(["scan", str(host), "--save", str(tmp_path / "kept")]) == 2
    assert "--save" in capsys.readouterr().err


def test_a_report_survives_a_snapshot_that_cannot_be_written(
    host: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mailaudit.commands.saving.write_new", full)
    assert run(["scan", str(host), "--save", str(tmp_path / "kept"), "--format", "json"]) == 4
    told = json.loads(capsys.readouterr().out)
    assert told["exit_code"] == 4
    assert "no space left" in told["errors"][-1]
    assert told["hosts"]


@pytest.mark.parametrize(("name", "folder"), [("../../etc", "_.._etc"), ("a/b", "a_b"), ("...", "host"), ("MX", "MX")])
def test_a_hosts_name_leads_nowhere(name: str, folder: str) -> None:
    assert _folder(name, set()) == folder
    assert _folder(name, {folder.lower()}) == f"{folder}-2"
