"""Fixing the published set-up: minimal, convergent, without harm, and written whole or not at all (contract, section 8)."""

from __future__ import annotations

import difflib
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options, auditor_for
from mailaudit.checks import CHECKS
from mailaudit.checks.registry import Declared
from mailaudit.collect.roots import find_worlds
from mailaudit.edits import Fix, Safety, replace
from mailaudit.findings import Evidence, FileStatus, Finding, Outcome, Place, Verdict
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.repair import Plan, plan

EXAMPLES = Path(__file__).parents[1] / "examples"
SAFE = frozenset({Safety.SAFE})
ALL = frozenset({Safety.SAFE, Safety.UNSAFE})
SAFELY_MENDED = {
    "ALIAS001", "CRED013", "DKIM011", "DOVECOT052", "DOVECOT064", "DOVECOT067", "HOST060", "PF036", "RSPAMD004", "SIEVE003",
    "SMTPD019", "SMTPD025",
}  # fmt: skip


def auditor(root: Path) -> Auditor:
    (world,) = find_worlds(str(root))
    return auditor_for(world, rulebook.load(), Options())


def planned(root: Path, allowed: frozenset[Safety]) -> Plan:
    return plan(auditor(root), allowed)


def written(root: Path, done: Plan) -> None:
    for path, chars in done.files.items():
        (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / path.lstrip("/")).write_bytes(chars.encode("utf-8", "surrogateescape"))


@pytest.fixture
def published(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLES / "as-published", tmp_path / "host")
    return tmp_path / "host"


def test_what_is_left_after_all_fixes_is_for_hands(published: Path) -> None:
    done = planned(published, ALL)
    assert done.converged
    assert [(result.rule, why) for result, why in done.left] == [
        ("ACME013", "by commands on the host"),
        ("SIEVE006", "by commands on the host"),
        ("PF003", "by commands on the host"),
        ("ABUSE013", "by commands on the host"),
        ("CRED002", "by commands on the host"),
        ("DKIM002", "by commands on the host"),
        ("DNS007", "by hand"),
        ("DNS009", "by hand"),
        ("DNS011", "by hand"),
        ("DNS017", "by hand"),
        ("DNS031", "by hand"),
        ("DNS042", "by hand"),
        ("HOST036", "by commands on the host"),
        ("HOST055", "by commands on the host"),
        ("PF004", "by commands on the host"),
    ]
    assert {file.status for file in done.report.files} == {FileStatus.READ}
    failing = {result.rule for result in done.before.results if result.verdict is Verdict.FAIL}
    assert {result.rule for result in done.mended} == failing - {result.rule for result, _ in done.left}


def test_fixing_again_proposes_nothing(published: Path) -> None:
    for allowed in (SAFE, ALL):
        written(published, planned(published, allowed))
        assert not planned(published, allowed).files


def test_safe_fixes_are_fewer_and_name_what_needs_more(published: Path) -> None:
    safe, everything = planned(published, SAFE), planned(published, ALL)
    assert set(safe.files) <= set(everything.files)
    assert {why for _, why in safe.left} == {"by commands on the host", "by hand", "needs --unsafe"}
    assert {result.rule for result in safe.mended} == SAFELY_MENDED


def test_no_byte_more_than_needed_is_touched(published: Path) -> None:
    """Every comment stays, and every line that no finding is about."""
    done = planned(published, ALL)
    about = {
        (path, line)
        for result in done.mended
        for p in result.places
        if isinstance(p, Place)
        for path, line in ((p.path, line) for line in range(p.corners()[0], p.corners()[2] + 1))
    }
    for path, chars in done.files.items():
        old = (done.read[path] or b"").decode().splitlines()
        new = chars.splitlines()
        for tag, start, end, _, _ in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
            for number in range(start + 1, end + 1) if tag in ("replace", "delete") else ():
                near = any((path, line) in about for line in range(number - 2, number + 2))
                assert near, (path, number, old[number - 1])
        comments = [line for line in old if re.match(r"\s*#", line)]
        assert not [line for line in comments if line not in new]


def test_the_corrected_example_has_nothing_to_fix(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "corrected", tmp_path / "host")
    done = planned(tmp_path / "host", ALL)
    assert not done.files
    assert not done.left


def test_missing_files_are_written_from_the_reference(tmp_path: Path) -> None:
    """A record that says a file is not there: it is written with the site's own names, and the host is then clean."""
    root = tmp_path / "host"
    shutil.copytree(EXAMPLES / "corrected", root)
    answers = root / "answers.json"
    for path in ("/etc/pf.conf", "/etc/acme-client.conf", "/etc/httpd.conf", "/etc/mail/virtuals"):
        (root / path.lstrip("/")).unlink()
        answers.write_text(re.sub(rf'("{re.escape(path)}": )\{{[^}}]*\}}', r"\1null", answers.read_text()))
    done = planned(root, ALL)
    assert set(done.files) == {"/etc/pf.conf", "/etc/acme-client.conf", "/etc/httpd.conf", "/etc/mail/virtuals"}
    assert all(done.read[path] is None for path in done.files)
    assert "mail.example.com" in done.files["/etc/acme-client.conf"]
    assert "{{" not in "".join(done.files.values())
    assert not [result for result in done.report.results if result.verdict is Verdict.FAIL]


def breaks_a_listener(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """A rule with a bad fix."""
    first = smtpd.listeners[0].statement.span
    yield Finding("Wrong.", (Place.at(first),), Fix("Break it", Safety.SAFE, (replace(first, "this is no statement"),)))


def test_a_fix_that_would_do_harm_is_taken_back(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHECKS, "SMTPD025", Declared("SMTPD025", breaks_a_listener))
    done = planned(published, SAFE)
    assert {result.rule for result in done.mended} == SAFELY_MENDED - {"SMTPD025"}
    assert "this is no statement" not in "".join(done.files.values())
    assert [why for result, why in done.left if result.rule == "SMTPD025"] == [
        "its fix was taken back: /etc/mail/smtpd.conf would no longer be read whole"
    ]


@pytest.mark.parametrize("seen", [True, False])
def test_what_daemons_show_that_have_not_read_the_new_file_is_no_harm(
    published: Path, monkeypatch: pytest.MonkeyPatch, *, seen: bool
) -> None:
    """TLS011 says here that a port is not what the file says, once the file is another; a finding of the file alone is harm."""
    old = (published / "etc/mail/smtpd.conf").read_text()

    def shows_the_old(smtpd: SmtpdConfig) -> Iterator[Outcome]:
        first = smtpd.listeners[0].statement.span
        if first.text.chars != old:
            yield Finding("Old.", (Place.at(first), *((Evidence("smtp://192.0.2.1:25", "250 AUTH"),) if seen else ())))

    monkeypatch.setitem(CHECKS, "TLS011", Declared("TLS011", shows_the_old))
    done = planned(published, SAFE)
    assert ("SMTPD025" in {result.rule for result in done.mended}) is seen
    assert not [result for result, _ in done.left if result.rule == "TLS011"]
    taken_back = "its fix was taken back: it would bring up a finding of TLS011"
    assert ([why for result, why in done.left if result.rule == "SMTPD025"] == [taken_back]) is not seen


def test_no_name_in_a_file_becomes_a_command(tmp_path: Path) -> None:
    """What is to be typed is copied into a root's shell: whatever stands in a file or a record is one word there."""
    evil = "/etc/ssl/private/a;id $(id).key"
    (tmp_path / "etc/mail").mkdir(parents=True)
    (tmp_path / "etc/ssl/private").mkdir(parents=True)
    (tmp_path / "etc/mail/smtpd.conf").write_text(
        f'pki mail.example.com cert "{evil}.pem"\npki mail.example.com key "{evil}"\n'
        f'table credentials "passwd:{evil}"\ntable aliases "file:{evil}.aliases"\nfilter f proc-exec "{evil}"\n'
        "listen on all tls pki mail.example.com auth <credentials> filter f\n"
        "action l mbox alias <aliases>\nmatch for local action l\n"
    )
    (tmp_path / "etc/acme-client.conf").write_text(
        'authority a {\n\tapi url "https://acme-v02.api.letsencrypt.org/directory"\n'
        f'\taccount key "{evil}.account"\n}}\ndomain "mail;id" {{\n'
        f'\tdomain key "{evil}"\n\tdomain full chain certificate "{evil}.pem"\n}}\n'
    )
    stat = '{"type": "file", "mode": "0666", "owner": "www", "group": "www", "size": 9, "mtime": "2026-01-01T00:00:00Z"}'
    named = (evil, f"{evil}.pem", f"{evil}.aliases", f"{evil}.account", "/etc/mail/smtpd.conf")
    (tmp_path / f"etc/ssl/private/{evil.rpartition('/')[2]}").write_text("")
    stats = ", ".join(f'"{path}": {stat}' for path in named)
    (tmp_path / "answers.json").write_text(
        f'{{"format": "mailaudit.snapshot/1", "taken": "2026-11-22T12:00:00Z", "host": "h", "stat": {{{stats}}}}}'
    )
    host = auditor(tmp_path)
    found = [each.fix for each in host.examine(*host.learn()).results if each.fix is not None]
    commands = [command for fix in found for command in fix.commands if "id" in command]
    assert commands
    for command in commands:
        words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
        assert ";" not in words, command
        assert "$(id)" not in re.sub(r"'[^']*'", "", command), command
        assert "'\"'\"'" not in command, f"quoted twice: {command}"
    assert f"chown _smtpd:_dovecot '{evil}'" in commands


def test_a_job_that_is_to_be_typed_is_one_word_for_the_shell_and_whole_for_cron(tmp_path: Path) -> None:
    """Where root's table was listed and not read, the job goes through a shell on its way there."""
    (tmp_path / "etc/mail").mkdir(parents=True)
    (tmp_path / "etc/mail/smtpd.conf").write_text('pki m cert "/x.pem"\npki m key "/x.key"\nlisten on all tls pki m\n')
    (tmp_path / "etc/acme-client.conf").write_text(
        'authority a {\n\tapi url "https://acme-v02.api.letsencrypt.org/directory"\n\taccount key "/k"\n}\n'
        'domain "mail;%id" {\n\tsign with a\n\tdomain key "/x.key"\n\tdomain full chain certificate "/x.pem"\n}\n'
    )
    for name in ("crontab", "daily.local", "weekly.local", "monthly.local"):
        (tmp_path / "etc" / name).write_text("")
    (tmp_path / "answers.json").write_text(
        '{"format": "mailaudit.snapshot/1", "host": "h", "commands": {"crontab-l-root": {"status": 0, "stdout": ""}}}'
    )
    host = auditor(tmp_path)
    [found] = [each for each in host.examine(*host.learn()).results if each.rule == "ACME013"]
    assert found.fix is not None, found.message
    [command] = found.fix.commands
    words = list(shlex.shlex(command, posix=True, punctuation_chars=True))
    assert words[words.index("echo") + 1] == r"~ ~ * * * acme-client 'mail;\%id' && rcctl restart smtpd"
