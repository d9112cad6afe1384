"""`fix` on folders: what is chosen, what is refused, what is written and looked at anew, and what JSON says of it."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from mailaudit import cli, repair
from mailaudit.apply import write_folder
from mailaudit.commands import fix_folder
from mailaudit.edits import Fix

SMTPD = """\
table aliases file:/etc/mail/aliases
listen on socket
action "local" mbox alias <aliases>
match from local for local action "local"
"""
PF = "set skip on lo\nblock all\npass out\npass in on egress proto tcp to port 25\n"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    def done(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["mailaudit", *map(str, arguments)])
        out = io.StringIO()
        with redirect_stdout(out), redirect_stderr(io.StringIO()), pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), out.getvalue()

    return done


@pytest.fixture
def host(tmp_path: Path) -> Path:
    (tmp_path / "host/etc/mail").mkdir(parents=True)
    (tmp_path / "host/etc/mail/smtpd.conf").write_text(SMTPD)
    (tmp_path / "host/etc/mail/aliases").write_text("root: user@example.com\n")
    (tmp_path / "host/etc/pf.conf").write_text(PF)
    return tmp_path / "host"


def test_only_chosen_rules_are_mended(run: Run, host: Path) -> None:
    code, out = run("fix", host, "--select", "PF052", "--write", "--format", "json")
    (found,) = json.loads(out)["hosts"]
    assert code == 0
    assert {each["rule"] for each in found["results"]} == {"PF052"}
    assert found["plan"]["written"]
    assert [each["rule"] for each in found["plan"]["mended"]] == ["PF052"]
    assert [(each["check"], each["text"]) for each in found["plan"]["todo"]] == [
        ("pfctl -nf /etc/pf.conf", "pfctl -f /etc/pf.conf")
    ]
    assert (host / "etc/pf.conf").read_text() == PF.replace("block all", "block log all")
    assert (host / "etc/mail/smtpd.conf").read_text() == SMTPD


def test_an_ignored_rule_is_not_mended(run: Run, host: Path) -> None:
    _, out = run("fix", host, "--select", "PF05", "--ignore", "PF052", "--unsafe", "--format", "json")
    (found,) = json.loads(out)["hosts"]
    assert "block log" not in found["plan"]["diff"]
    assert "PF052" not in {each["rule"] for each in found["results"]}


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        ("etc/pf.conf", 'pass in proto tcp to port 25\nblock all\nports = "{ 25 }\n', ("PF001", "PF052")),
        ("etc/pf.conf", 'a = "{ 1 }\nb = "{ 2 }"\npass in proto tcp to port 25\nblock all\n', ("PF001", "")),
        ("etc/dovecot/dovecot.conf", "protocols = imap\npassdb {\n  driver = pam\nssl = no\nuserdb {\n}\n", ("DOVECOT001", "")),
        ("etc/rspamd/local.d/dkim_signing.conf", "domain {\n  example.com {\n  }\ncheck_pubkey = true;\n", ("RSPAMD001", "")),
    ],
)
def test_behind_an_open_quote_or_bracket_nothing_is_edited(
    run: Run, host: Path, path: str, content: str, expected: tuple[str, str]
) -> None:
    """What seems not to be there may be what was swallowed; the mistake itself is told, once where it begins."""
    rule, edited = expected
    (host / path).parent.mkdir(parents=True, exist_ok=True)
    (host / path).write_text(content)
    code, out = run("fix", host, "--unsafe", "--write", "--format", "json")
    left = json.loads(out)["hosts"][0]["results"]
    assert code == 4
    assert (host / path).read_text() == content
    found = [each for each in left if each["rule"] == rule and each["verdict"] == "fail"]
    assert len(found) == 1
    assert found[0]["places"][0]["path"] == "/" + path
    if edited:
        why = f"/{path} was only partly read, so it is not edited; --force-partial edits it"
        assert why in " ".join(run("fix", host, "--select", edited)[1].split())


def test_a_file_that_was_partly_read_is_edited_only_if_forced(run: Run, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_pf(fix: Fix, wish: repair.Wish, _: object) -> list[str]:
        return [] if wish.partly_read else sorted({edit.path for edit in fix.edits} & {"/etc/pf.conf"})

    monkeypatch.setattr(repair, "_partly_read", of_pf)
    code, out = run("fix", host, "--select", "PF052", "--write")
    assert code == 1
    assert "/etc/pf.conf was only partly read, so it is not edited; --force-partial edits it: 1" in " ".join(out.split())
    assert (host / "etc/pf.conf").read_text() == PF
    assert run("fix", host, "--select", "PF052", "--write", "--force-partial")[0] == 0
    assert (host / "etc/pf.conf").read_text() != PF


def test_what_is_found_again_after_writing_is_said(run: Run, host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fix_folder, "write_folder", lambda *_: None)
    code, out = run("fix", host, "--select", "PF052", "--write")
    assert code == 5
    assert "still failing, though their fixes were written: 1\n" in out
    monkeypatch.setattr(fix_folder, "write_folder", write_folder)
    code, out = run("fix", host, "--select", "PF052", "--write")
    assert code == 0
    assert "\nmended: 1\n" in out
    assert "to do, in this order:\n   1  pfctl -nf /etc/pf.conf && pfctl -f /etc/pf.conf\n" in out


def test_several_hosts_are_written_elsewhere_each_in_its_place(run: Run, host: Path, tmp_path: Path) -> None:
    (host.parent / "repository").mkdir()
    for name in ("one", "two"):
        (host.parent / "repository" / name / "etc").mkdir(parents=True)
        (host.parent / "repository" / name / "etc/pf.conf").write_text(PF)
    code, _ = run("fix", host.parent / "repository", "--select", "PF052", "--out", tmp_path / "out")
    assert code == 0
    for name in ("one", "two"):
        assert "block log all" in (tmp_path / "out" / name / "etc/pf.conf").read_text()
        assert (host.parent / "repository" / name / "etc/pf.conf").read_text() == PF


def test_elsewhere_is_not_the_place_itself(run: Run, host: Path) -> None:
    code, _ = run("fix", host, "--out", host)
    assert code == 2
    assert (host / "etc/pf.conf").read_text() == PF


def test_elsewhere_too_a_made_secret_is_its_owners_alone(run: Run, tmp_path: Path) -> None:
    published = Path(__file__).parent.parent / "examples/as-published"
    run("fix", published, "--select", "RSPAMD004", "--out", tmp_path / "out")
    assert (tmp_path / "out/etc/rspamd/local.d/worker-controller.inc").stat().st_mode & 0o777 == 0o600


def test_what_a_person_decides_is_shown_line_by_line(run: Run, host: Path) -> None:
    (host / "etc/mail/virtuals").write_text("user@example.com: vmail\ntickets@example.com: |/usr/local/bin/ticket\n")
    (host / "etc/mail/credentials").write_text(f"user@example.com:$2b$10${'a' * 53}:2000:2000::/var/vmail/example.com/user::\n")
    (host / "etc/mail/smtpd.conf").write_text(
        'table virtuals file:/etc/mail/virtuals\naction "in" maildir virtual <virtuals>\n'
        'listen on all\nmatch from any for domain "example.com" action "in"\n'
    )
    _, out = run("fix", host, "--select", "VIRT006")
    assert "       -tickets@example.com: |/usr/local/bin/ticket\n       +tickets@example.com: user@example.com\n" in out
