"""The command line, called in this process: options, messages, codes, and JSON on every way out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import report_samples as samples

from mailaudit import __version__, cli, rulebook
from mailaudit.auditor import Options
from mailaudit.choices import Color, Common, Profile, Threshold
from mailaudit.collect.login import Login
from mailaudit.collect.online import Outside
from mailaudit.collect.world import TargetError
from mailaudit.commands import scan
from mailaudit.exitcodes import ExitCode, Terminated
from mailaudit.findings import Report, Severity
from mailaudit.output import screen
from mailaudit.recording import RecordingError
from mailaudit.rulebook import SelectionError
from mailaudit.settings import SettingsError

ROOT = Path(__file__).parents[1]
REPORT_SCHEMA = json.loads((ROOT / "mailaudit/reports/schema/report.schema.json").read_text())
PARSE_SCHEMA = json.loads((ROOT / "mailaudit/reports/schema/parse.schema.json").read_text())
COMMON = {
    "--domain", "--profile", "--select", "--ignore", "--fail-on", "--config", "--format", "--output", "--now",
    "--show-passed", "--sarif-profile", "--no-inline-ignores", "--strict-waivers", "--exit-zero", "--allow-incomplete",
    "--quiet", "-q", "--verbose", "-v", "--color", "--debug",
}  # fmt: skip

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = cli.run(list(arguments))
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


@pytest.fixture
def audited(monkeypatch: pytest.MonkeyPatch) -> list[Options]:
    """Scans give the usual report; the options they were called with."""
    called: list[Options] = []

    def audit(_targets: object, options: Options, *_: object) -> Report:
        called.append(options)
        return samples.usual()

    monkeypatch.setattr(scan, "audit", audit)
    return called


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def audit(*_: object) -> Report:
        raise error

    monkeypatch.setattr(scan, "audit", audit)


def test_the_options_are_those_of_the_contract() -> None:
    assert {name for each in fields(Common) for name in each.metadata["names"]} == COMMON
    assert {str(each) for each in Profile} == set(rulebook.PROFILES)
    assert [str(each) for each in Threshold] == [str(each) for each in Severity]


@pytest.mark.parametrize("command", ["scan", "fix", "rules", "parse", "version"])
def test_every_command_has_help(run: Run, command: str) -> None:
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert out.startswith("Usage: mailaudit")


def test_the_version_is_told(run: Run) -> None:
    assert run("version") == run("--version") == (0, f"mailaudit {__version__}\n", "")


def test_without_a_command_there_is_help_and_code_2(run: Run) -> None:
    code, out, _ = run()
    assert code == 2
    assert "143  ended by SIGTERM" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--foo"], "No such option: --foo"),
        (["scna"], "No such command 'scna'"),
        (["scan", "--formt", "json"], "No such option: --formt"),
        (["scan", "--format", "xml", "."], "'xml' is not one of"),
        (["scan", "--format", "json", ".", "--format", "sarif"], "--format is given 2 times: it takes one value"),
        (["scan", "-j", "2", "--jobs=3", "."], "--jobs is given 2 times"),
        (["init", "example.org", "--host", "h1", "--ipv4", "192.0.2.9", "--ipv4", "192.0.2.8"], "--ipv4 is given 2 times"),
        (["fix"], "Missing argument"),
        (["scan"], "no TARGET is named"),
        (["fix", "./nowhere"], "./nowhere does not exist"),
        (["fix", ".", "--write", "--reload"], "--reload is for live hosts"),
        (["scan", "no where"], "no where: neither a path that exists nor the name of a host"),
        (["scan", "ssh://host:99999"], "ssh://host:99999: neither a path that exists nor the name of a host"),
        (["scan", "-j", "0", "."], "-j 0: expected a number from 1 to 256"),
        (["doctor", "."], ". is a path; doctor tries the way to a live host"),
        (["snapshot", ".", "-o", "."], "-o .: it is there already"),
        (["snapshot", ".", "-o", "x" * 300], "x: it cannot be written: file name too long"),
        (["policy", "new", "--from", ".", "-o", "x" * 300], "x: it cannot be written: file name too long"),
        (["init", "example.org", "--host", "h1", "--ipv4", "192.0.2.9", "-o", "x" * 300], "x: it cannot be written: file name"),
        (["scan", "./nowhere"], "./nowhere does not exist"),
        (["scan", "-T", "/nowhere/x"], "-T /nowhere/x: no such file or directory"),
        (["scan", "-T", "/dev/zero"], "-T /dev/zero: over 1024 KiB"),
        (["diff", "old.json", "."], "old.json: there is no such file, and a live host is recorded first"),
        (["scan", ".", "--now", "yesterday"], "--now yesterday: expected a time"),
        (["scan", ".", "--now", "9999-12-31T23:59:59-01:00"], "--now 9999-12-31T23:59:59-01:00: expected a time"),
        (["scan", ".", "--output", "xml:/x"], "--output xml:/x: expected FORMAT:PATH"),
        (["scan", ".", "--output", "json:/nowhere/x"], "there is no /nowhere"),
        (["scan", ".", "--output", "json:/"], "that is a directory"),
        (["scan", ".", "--output", "json:-"], "standard output is what --format writes to"),
        (["scan", ".", "--output", "json:" + "x" * 300], "it cannot be written: file name too long"),
        (["scan", ".", "--output", "json:/dev/shm/x", "--output", "html:/dev/shm/./x"], "another report goes there already"),
        (["scan", ".", "--online", "--trust-anchor", "/dev/null"], "is a device; mailaudit reads regular files only"),
        (["baseline", "create", ".", "--baseline", "-"], "--baseline -: expected the name of a file"),
        (["baseline", "create", ".", "--baseline", "x" * 300], "it cannot be written: file name too long"),
        (["parse", "README.md"], "README.md: its path does not tell its language"),
        (["parse", "--language", "smtp", "x.conf"], "no language is called smtp"),
        (["rules", "NO999"], "no rule is called NO999"),
        (["scan", "examples/corrected", "--select", "NO999"], "--select: no rule is called 'NO999'"),
        (["scan", "examples/corrected", "--ignore", "NO999"], "--ignore: no rule is called 'NO999'"),
        (["scan", "examples/corrected", "--config", "none.toml"], "--config none.toml: there is no such file"),
    ],
)
def test_usage_errors_are_one_clear_line_and_code_2(run: Run, arguments: list[str], message: str) -> None:
    code, out, err = run(*arguments)
    first, *hints = err.splitlines()
    assert (code, out) == (2, "")
    assert first.startswith("mailaudit: ")
    assert message in first
    assert all(hint.startswith("hint: ") for hint in hints)


def test_an_unknown_rule_names_the_nearest(run: Run) -> None:
    first = next(iter(rulebook.load().pages.values()))
    _, _, err = run("rules", first.name[:-1] + "q")
    assert f"hint: did you mean {first.name}?" in err


def test_the_report_goes_to_standard_output_and_to_files(run: Run, audited: list[Options], tmp_path: Path) -> None:
    code, out, err = run("scan", ".", "--output", f"json:{tmp_path / 'r.json'}", "--output", f"terminal:{tmp_path / 'r.txt'}")
    assert (code, err) == (4, "")
    assert out == (tmp_path / "r.txt").read_text()
    jsonschema.validate(json.loads((tmp_path / "r.json").read_text()), REPORT_SCHEMA)
    assert len(audited) == 1


def test_the_format_never_changes_the_code(run: Run, audited: list[Options]) -> None:
    assert run("scan", ".", "--format", "json")[0] == run("scan", ".")[0] == run("scan", ".", "-q")[0] == 4
    assert audited


def test_options_come_to_the_audit(run: Run, audited: list[Options]) -> None:
    run(
        "scan", ".", "--profile", "strict", "--select", "PF,DNS0", "--select", "default-deny", "--ignore", "PF001", "--fail-on",
        "high", "--config", "x.toml", "--domain", "a.example", "--domain", "b.example", "--now", "2026-11-22T12:00:00+01:00",
        "--no-inline-ignores", "--strict-waivers", "--exit-zero", "--allow-incomplete",
    )  # fmt: skip
    assert audited == [
        Options(
            profile="strict",
            select=("PF", "DNS0", "default-deny"),
            ignore=("PF001",),
            fail_on=Severity.HIGH,
            config="x.toml",
            domain=("a.example", "b.example"),
            now=datetime(2026, 11, 22, 11, tzinfo=UTC),
            inline_ignores=False,
            strict_waivers=True,
            exit_zero=True,
            allow_incomplete=True,
            login=Login(outside=Outside()),
        )
    ]


def test_targets_are_read_from_a_file(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: list[object] = []

    def audit(targets: object, *_: object) -> Report:
        seen.append(targets)
        return samples.usual()

    monkeypatch.setattr(scan, "audit", audit)
    (tmp_path / "targets").write_text("# all of them\n./a\n\n  ./b  \n")
    run("scan", "./c", "-T", str(tmp_path / "targets"))
    assert seen == [["./c", "./a", "./b"]]


@pytest.mark.parametrize(
    "arguments",
    [
        "config show",
        "trace {} inbound a@example.com",
        "pf reachable",
        "pf shadowed",
        "parse",
        "diff . {}",
        "fix",
        "scan",
        "history",
    ],
)
def test_an_answer_in_json_is_json_when_it_fails_too(run: Run, arguments: str) -> None:
    form = ["--json"] if arguments == "parse" else ["--format", "json"]
    words = (arguments if "{}" in arguments else f"{arguments} {{}}").format("./nowhere").split()
    code, out, _ = run(*words, *form)
    assert code == 2
    assert json.loads(out)["schema"].startswith("mailaudit.")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TargetError("it is gone", 2), 2),
        (TargetError("it is locked", 4), 4),
        (TargetError("it is empty", 3), 3),
        (SelectionError("no such rule"), 2),
        (SettingsError("no such key"), 2),
        (RecordingError("no such type"), 2),
        (KeyboardInterrupt(), 130),
        (Terminated(), 143),
        (ZeroDivisionError("oh\x1b[31m\nno"), 70),
        (RecursionError("deep"), 70),
        (MemoryError(), 70),
    ],
)
def test_json_is_valid_on_every_way_out(run: Run, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int) -> None:
    failing(monkeypatch, error)
    found, out, err = run("scan", ".", "--format", "json")
    data = json.loads(out)
    jsonschema.validate(data, REPORT_SCHEMA)
    assert found == data["exit_code"] == code
    assert data["hosts"] == []
    assert len(data["errors"]) == 1
    assert err.startswith("mailaudit: ")
    assert "\x1b" not in err
    assert "Traceback" not in err


def test_an_error_is_told_on_standard_error_alone(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    failing(monkeypatch, ZeroDivisionError("oh no"))
    code, out, err = run("scan", ".", "--output", f"json:{tmp_path / 'r.json'}")
    assert (code, out) == (70, "")
    assert err == "mailaudit: internal error: ZeroDivisionError: oh no\nhint: --debug shows where; please report it\n"
    assert json.loads((tmp_path / "r.json").read_text())["exit_code"] == 70


def test_a_traceback_is_shown_with_debug_only(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ZeroDivisionError("oh no"))
    code, out, err = run("scan", ".", "--debug", "--format", "json")
    assert code == json.loads(out)["exit_code"] == 70
    assert "Traceback (most recent call last)" in err


def test_a_report_that_cannot_be_written_is_incomplete(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "audit", lambda *_: replace(samples.usual(), exit_code=0))
    code, _, err = run("scan", ".", "--output", "json:/dev/full")
    assert code == 4
    assert err == "mailaudit: /dev/full could not be written: no space left on device\n"


def test_colour(run: Run, audited: list[Options], monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[" not in run("scan", ".")[1]
    assert "\x1b[" in run("scan", ".", "--color", "always")[1]
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" in run("scan", ".")[1]
    assert "\x1b[" not in run("scan", ".", "--color", "never")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run("scan", ".")[1]
    assert "\x1b[" in run("scan", ".", "--color", "always")[1]
    assert audited


@pytest.mark.parametrize(("term", "colored"), [("xterm", True), ("dumb", False)])
def test_a_dumb_terminal_has_no_colour(monkeypatch: pytest.MonkeyPatch, term: str, colored: bool) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.setenv("TERM", term)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert screen(Color.AUTO).color is colored


def test_the_width_is_the_terminals(run: Run, audited: list[Options], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    assert "smtpd\n  takes exactly 32." in run("scan", ".")[1]
    assert audited


def test_rules_are_listed_and_shown(run: Run) -> None:
    pages = rulebook.load().pages
    code, out, err = run("rules")
    assert (code, err) == (0, "")
    assert all(page.id in out and page.name in out for page in pages.values())
    for page in list(pages.values())[::60]:
        by_id = run("rules", page.id)
        assert by_id == run("rules", page.name) == run("explain", page.id)
        assert by_id[0] == 0
        assert "Why it matters" in by_id[1]


SMTPD = """listen on all
queue encryption "0123456789abcdef0123456789abcdef"
action "local" mbox
match for local action "local"
"""


def test_a_file_is_parsed(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "etc/mail/smtpd.conf"
    path.parent.mkdir(parents=True)
    path.write_text(SMTPD)
    code, out, err = run("parse", str(path), "--color", "never")
    assert (code, err) == (0, "")
    assert "4/4 statements" in " ".join(out.split())
    _, annotated, _ = run("parse", "--annotate", str(path))
    assert annotated.count("  read ") == 4
    code, out, err = run("parse", "--json", str(path))
    jsonschema.validate(json.loads(out), PARSE_SCHEMA)
    assert (code, err) == (0, "")
    assert "0123456789abcdef" not in out + annotated


def test_a_file_that_is_not_read_whole_gives_code_4(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("smtpd.conf").write_text(SMTPD + "frobnicate\n")
    code, out, _ = run("parse", "smtpd.conf")
    assert code == 4
    assert "smtpd.conf:5:1: the daemon refuses this: " in out


@pytest.mark.parametrize(
    ("name", "chars", "message"),
    [
        ("pf.conf", "pass in proto tcp to port sshd\n", "the port name"),
        ("dovecot.conf", "ssl = requird\n", "found"),
        ("smtpd.conf", "listen on all tls pki nowhere\n", "is not defined above"),
        ("login.conf", "a:\\\n\t:openfiles=1024x:\n", "openfiles"),
    ],
)
def test_what_only_the_meaning_shows_to_be_refused_is_told(run: Run, tmp_path: Path, name: str, chars: str, message: str) -> None:
    (tmp_path / name).write_text(chars)
    language = name.removesuffix(".conf")
    code, out, _ = run("parse", "--language", language, str(tmp_path / name))
    assert code == 4
    assert message in " ".join(out.split())
    code, out, _ = run("parse", "--json", "--language", language, str(tmp_path / name))
    data = json.loads(out)
    jsonschema.validate(data, PARSE_SCHEMA)
    assert data["files"][0]["status"] == "refused"


@pytest.mark.parametrize(
    ("language", "chars"),
    [
        ("redis", 'requirepass hunter2secret\nrequirpass "hunter2secret"\nmasterauth hunter2secret\n'),
        ("hostname", 'inet 192.0.2.1 255.255.255.0\nwpakey "hunter2secret"\n'),
        ("dovecot", "doveadm_password = hunter2secret\nssl_key_password = hunter2secret\nauth_token = hunter2secret\n"),
        ("dovecot", "ssl_key = -----BEGIN PRIVATE KEY-----hunter2secret\n"),
        ("ucl", '"password" = "hunter2secret";\nsecret_key: hunter2secret;\nurl = "http://u:hunter2secret@h/";\n'),
        ("credentials", "joe@example.com:hunter2secret:2000:2000::/x::\n"),
        ("smtpd", 'action "r" relay host smtp+tls://user:hunter2secret@mail.example.net\n'),
    ],
)
def test_no_secret_of_any_language_is_shown(run: Run, tmp_path: Path, language: str, chars: str) -> None:
    path = tmp_path / "file"
    path.write_text(chars)
    for how in ((), ("--annotate",), ("--json",)):
        _, out, err = run("parse", "--language", language, *how, str(path))
        assert "hunter2secret" not in out + err


def test_the_language_can_be_named(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "some.file"
    path.write_text(SMTPD)
    assert run("parse", "--language", "smtpd", str(path))[0] == 0


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 * 2**20)


@pytest.mark.parametrize(
    ("make", "code", "message"),
    [
        (lambda _path: None, 2, "it does not exist"),
        (Path.mkdir, 4, "it is a directory"),
        (make_fifo, 4, "it is a FIFO"),
        (make_large, 4, "it is 20 MiB"),
        (lambda path: path.symlink_to(path), 4, "cannot be read"),
    ],
)
def test_what_is_no_file_to_parse_is_named(
    run: Run, tmp_path: Path, make: Callable[[Path], Any], code: int, message: str
) -> None:
    path = tmp_path / "smtpd.conf"
    make(path)
    found, out, _ = run("parse", str(path))
    assert found == code
    assert message in " ".join(out.split())
    found, out, err = run("parse", "--json", str(path))
    jsonschema.validate(json.loads(out), PARSE_SCHEMA)
    assert found == code
    assert message in err


def test_json_of_parse_is_valid_when_the_language_is_not_known(run: Run) -> None:
    code, out, _ = run("parse", "--json", "x.conf")
    assert code == 2
    assert json.loads(out) == {"schema": "mailaudit.parse/1", "files": []}


@pytest.mark.parametrize(
    "data", [b"", b"\0", b"\xff\xfe", b"\xef\xbb\xbflisten on all\n", b"listen on all\r\n", b'queue encryption "x', b"\x1b[2J"]
)
@pytest.mark.parametrize("name", ["smtpd.conf", "acme-client.conf", "httpd.conf", "credentials", "dovecot/dovecot.conf"])
def test_bad_input_is_told(run: Run, tmp_path: Path, data: bytes, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    for extra in ([], ["--annotate"], ["--json"]):
        code, out, _ = run("parse", str(path), *extra)
        assert code in (ExitCode.OK, ExitCode.INCOMPLETE)
        assert "\x1b" not in out
