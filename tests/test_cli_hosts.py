"""The command line on whole hosts: the examples, corrections written, hostile files, secrets that must not show."""

from __future__ import annotations

import json
import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from command_line import Run

from mailaudit.apply import ApplyError
from mailaudit.checks import CHECKS
from mailaudit.checks.registry import Declared
from mailaudit.commands import fix_folder
from mailaudit.findings import Exempt, Outcome
from mailaudit.models.pf.config import Ruleset

ROOT = Path(__file__).parents[1]
PUBLISHED = ROOT / "examples" / "as-published"
CORRECTED = ROOT / "examples" / "corrected"
SCHEMA = json.loads((ROOT / "mailaudit/reports/schema/report.schema.json").read_text())
KEY = "feedfacefeedfacefeedfacefeedface"
HASHED = "$2b$10$canarycanarycanarycanuJ1nVJq4bGmGZ0RbLfUjzYp1d8Zb8dWe"


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A copy of the published set-up that may be written to."""
    return Path(shutil.copytree(PUBLISHED, tmp_path / "host"))


def tree(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def report(out: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(out)
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data


@pytest.mark.parametrize(("example", "code"), [(PUBLISHED, 1), (CORRECTED, 0)])
def test_the_examples_are_reported(run: Run, example: Path, code: int) -> None:
    found, out, err = run("scan", example)
    assert (found, err) == (code, "")
    assert out.rstrip().splitlines()[-1].startswith(f"exit code {code} (")
    found, out, err = run("scan", example, "--format", "json")
    assert (found, err) == (code, "")
    assert report(out)["exit_code"] == code
    again = run("scan", example, "--format", "json")[1]
    times = re.compile(r'"(started|finished|now)": "[^"]+"')
    assert times.sub("", again) == times.sub("", out)


def test_a_fix_shows_a_diff_and_writes_nothing(run: Run, published: Path) -> None:
    before = tree(published)
    code, out, err = run("fix", published)
    assert (code, err) == (1, "")
    assert out.startswith("--- a/etc/")
    assert "Nothing was written; --write does that." in out
    assert tree(published) == before
    code, checked, _ = run("fix", published, "--check")
    assert code == 1
    assert "--- a/" not in checked
    code, out, _ = run("fix", published, "--format", "json")
    assert code == report(out)["exit_code"] == 1
    assert tree(published) == before


def test_a_fix_is_written_and_a_second_one_proposes_nothing(run: Run, published: Path) -> None:
    safe = run("fix", published, "--check")[1].count("\n  ")
    code, out, err = run("fix", published, "--write")
    assert err == ""
    assert "\nmended: " in out
    _, again, _ = run("fix", published)
    assert "would be mended" not in again
    assert "--- a/" not in again
    assert safe
    code, out, _ = run("fix", published, "--write", "--unsafe")
    assert code in (0, 1)  # 1 while something is left to be done by hand
    assert "would be mended" not in run("fix", published, "--unsafe")[1]


def test_the_corrected_tree_is_written_elsewhere(run: Run, published: Path, tmp_path: Path) -> None:
    before = tree(published)
    run("fix", published, "--out", tmp_path / "out")
    assert tree(published) == before
    changed = tree(tmp_path / "out")
    assert set(changed) >= set(before)
    assert changed != before
    assert run("fix", published, "--out", tmp_path / "out")[0] == 2  # it is not empty any more


def test_the_corrected_example_has_nothing_to_fix(run: Run) -> None:
    code, out, _ = run("fix", CORRECTED)
    assert code == 0
    assert out.startswith("exit code 0 (ok): ")


def test_an_archive_is_not_written_to(run: Run, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "host.tar", "w") as archive:
        archive.add(PUBLISHED / "etc", "etc")
    code, out, err = run("fix", tmp_path / "host.tar", "--write")
    assert (code, out) == (2, "")
    assert "is an archive, which is not written to" in err
    assert run("fix", tmp_path / "host.tar")[0] in (1, 4)


def test_a_fix_that_fails_has_its_code(run: Run, published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_folder(*_: object) -> None:
        raise ApplyError("/etc/pf.conf was changed since it was read; nothing was changed")

    monkeypatch.setattr(fix_folder, "write_folder", write_folder)
    code, out, err = run("fix", published, "--write", "--format", "json")
    assert code == report(out)["exit_code"] == 5
    assert err == "mailaudit: /etc/pf.conf was changed since it was read; nothing was changed\n"


@pytest.mark.parametrize(
    ("statement", "quick"),
    [('queue encryption "{}"', False), ("queue encryption {}", True), ("queue encryption {} x y", True)],
)
def test_secrets_show_nowhere(run: Run, published: Path, tmp_path: Path, statement: str, quick: bool) -> None:
    smtpd = published / "etc/mail/smtpd.conf"
    lines = [line for line in smtpd.read_text().splitlines() if not line.startswith("queue encryption")]
    smtpd.write_text("\n".join((*lines, statement.format(KEY[:-1]), f"# {KEY[:-1]}", "")))
    (published / "etc/mail/credentials").write_text(f"a@example.com:{HASHED}:vmail:2000:2000:/x\nb:{HASHED}\n")
    told = ""
    at_length: tuple[tuple[object, ...], ...] = (
        ("scan", published, "-v", "--show-passed"),
        ("scan", published, "-q"),
        ("fix", published, "--unsafe", "--format", "json"),
        ("fix", published, "--unsafe", "-v"),
    )
    for arguments in (
        *(() if quick else at_length),
        ("scan", published, "--format", "json", "--output", f"terminal:{tmp_path / 'file'}"),
        ("parse", smtpd, published / "etc/mail/credentials"),
        ("parse", "--annotate", smtpd, published / "etc/mail/credentials"),
        ("parse", "--json", smtpd, published / "etc/mail/credentials"),
    ):
        _, out, err = run(*arguments)
        told += out + err
    told += (tmp_path / "file").read_text()
    assert KEY[:-1] not in told
    assert HASHED not in told
    assert "canary" not in told


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "nul": b"\0\0\0",
    "latin-1": b"# caf\xe9\nblock log \xe9\n",
    "bom": b"\xef\xbb\xbfblock\n",
    "crlf": b"block\r\npass \x1b[2J\r\n",
    "unclosed": b'tcp = "{ 22\npass in {{{ (\n',
    "long line": b"pass in proto tcp to port" + b" " * 2**18 + b"sshd\n",
    "line of words": b"frobnicate " + b"x " * 2**14 + b"\n",
    "escapes": b"# \x1b]0;x\x07 [bold]x[/bold] \xe2\x80\xae\npass \x1b[31m [red] \xc2\x9b2J\n",
    "deep": b"anchor a {\n" * 1500,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_told_and_never_fine(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / "etc/mail").mkdir(parents=True)
    (tmp_path / "etc/pf.conf").write_bytes(HOSTILE[name])
    (tmp_path / "etc/mail/smtpd.conf").write_bytes(HOSTILE[name])
    code, out, err = run("scan", tmp_path, "--output", f"json:{tmp_path / 'told'}")
    assert code in (1, 4), (out, err)
    told = (tmp_path / "told").read_text()
    assert all(char.isprintable() or char == "\n" for char in out + told)
    assert len(report(told)["hosts"][0]["files"]) >= 2
    code, out, _ = run("fix", tmp_path, "--unsafe")
    assert code in (1, 4)
    assert "\x1b" not in out


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 * 2**20)


@pytest.mark.parametrize("make", [Path.mkdir, make_fifo, make_large, lambda path: path.symlink_to("../../../passwd")])
def test_what_is_no_file_is_told_and_the_rest_is_audited(run: Run, published: Path, make: Callable[[Path], Any]) -> None:
    (published / "etc/pf.conf").unlink()
    make(published / "etc/pf.conf")
    code, out, _ = run("scan", published)
    assert code == 4
    assert "unreadable: " in out
    assert "SMTPD" in out
    assert "/etc/pf.conf" in out.rstrip().rpartition("exit code")[2]


def test_a_rule_that_is_not_known_names_the_nearest(run: Run) -> None:
    code, out, err = run("scan", CORRECTED, "--select", "queue-key-has-32-character")
    assert (code, out) == (2, "")
    assert "did you mean" in err


def test_an_empty_selection_has_its_code(run: Run) -> None:
    code, out, _ = run("scan", CORRECTED, "--select", "CRED", "--ignore", "CRED", "--format", "json")
    assert code == report(out)["exit_code"] == 3


@pytest.mark.parametrize("domain", ["", "exa mple.com", "a..b", "-x", "a" * 300, "\x1b[2J"])
def test_a_domain_that_is_none_is_refused(run: Run, domain: str) -> None:
    code, out, err = run("scan", CORRECTED, "--domain", domain)
    assert (code, out) == (2, "")
    assert "expected a domain like example.com" in err
    assert "\x1b" not in err


def test_settings_that_cannot_be_read_are_a_usage_error(run: Run, published: Path) -> None:
    (published / "mailaudit.toml").unlink(missing_ok=True)
    make_fifo(published / "mailaudit.toml")
    code, out, err = run("scan", published)
    assert (code, out) == (2, "")
    assert "mailaudit.toml is a FIFO" in err
    code, out, err = run("scan", CORRECTED, "--config", published / "mailaudit.toml")
    assert (code, out) == (2, "")
    assert "mailaudit.toml is a FIFO" in err


def test_links_in_a_circle_are_no_target(run: Run, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")
    for arguments in (["scan"], ["fix"], ["diff", CORRECTED], ["pf", "reachable"]):
        code, _, err = run(*arguments, tmp_path / "loop")
        assert (code, "neither a directory nor a tar archive" in err) == (2, True), err
    code, _, err = run("scan", CORRECTED, "--config", tmp_path / "loop")
    assert (code, err) == (2, f"mailaudit: --config {tmp_path}/loop cannot be read: its links lead in a circle\n")


def test_a_working_directory_that_is_gone_is_no_defect(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for arguments in (["scan", "."], ["scan", "../host"], ["baseline", "create", CORRECTED], ["parse", "pf.conf"]):
        code, _, err = run(*arguments)
        assert (code in (2, 4), "internal error" in err) == (True, False), err
    assert run("scan", CORRECTED, "--format", "html")[0] == 0


def test_a_folder_without_a_host_has_its_code(run: Run, tmp_path: Path) -> None:
    code, out, err = run("scan", tmp_path, "--format", "json")
    assert code == report(out)["exit_code"] == 3
    assert "nothing to audit" in err


def crashes(pf: Ruleset) -> Iterator[Outcome]:
    """A rule with a defect."""
    yield Exempt(str(len(pf.trees) // 0))


def test_a_crashed_rule_is_unknown_and_debug_shows_where(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHECKS, "PF050", Declared("PF050", crashes))
    code, out, err = run("scan", CORRECTED, "--profile", "strict", "--format", "json")
    data = report(out)
    assert (code, err) == (4, "")
    assert "PF050" in data["exit_reason"]
    verdicts = {result["rule"]: (result["verdict"], result["reason"]) for result in data["hosts"][0]["results"]}
    assert verdicts.pop("PF050") == ("unknown", "crashed")
    assert {verdict for verdict, _ in verdicts.values()} <= {"pass", "not-applicable"}
    code, _, err = run("scan", CORRECTED, "--profile", "strict", "--debug")
    assert code == 4
    assert "in crashes" in err
    assert "ZeroDivisionError" in err
