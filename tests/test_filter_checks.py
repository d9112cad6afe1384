"""What the pages of rspamd's, DKIM's and Sieve's rules do not show: what becomes of them where evidence is missing, and edges."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options
from mailaudit.checks.sieve.edits import fires
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.findings import Result, Verdict
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.registrable import registrable
from mailaudit.models.sieve.uses import Use
from mailaudit.questions import Reason
from mailaudit.settings import Settings

BOOK = rulebook.load()
DKIM = 'domain { example.com { path = "/etc/mail/dkim/example.com.key"; selector = "selector0"; } }\n'
DIRECTORY = {"type": "directory", "mode": "0755", "owner": "root", "group": "wheel"}
KEY = {"type": "file", "mode": "0440", "owner": "root", "group": "_rspamd"}
SCRIPT = "/usr/local/lib/dovecot/sieve/report-spam.sieve"
SIEVE = f"""protocols = imap sieve
plugin {{
  imapsieve_mailbox1_name = Junk
  imapsieve_mailbox1_causes = COPY
  imapsieve_mailbox1_before = file:{SCRIPT}
  sieve_plugins = sieve_imapsieve sieve_extprograms
  sieve_global_extensions = +vnd.dovecot.pipe
  sieve_pipe_bin_dir = /usr/local/lib/dovecot/sieve
}}
"""


def judged(rule: str, files: dict[str, str], answers: dict[str, object] | None = None) -> list[Result]:
    """A rule's results on a host of these files, recorded if there are answers."""
    record = {"/answers.json": json.dumps({"format": "mailaudit.snapshot/1", **answers})} if answers is not None else {}
    directory = MemoryDirectory.of({"/etc/": b"", **{path: text.encode() for path, text in {**files, **record}.items()}})
    auditor = Auditor(MemoryWorld(directory, "host", "host"), BOOK, Settings(), Options(), (rule,))
    return list(auditor.examine(*auditor.learn()).results)


def verdict(rule: str, files: dict[str, str], answers: dict[str, object] | None = None) -> tuple[Verdict, Reason | None]:
    first, *rest = judged(rule, files, answers)
    assert not rest
    return first.verdict, first.reason


CONF = "/etc/rspamd/local.d/dkim_signing.conf"


@pytest.mark.parametrize("rule", ["DKIM001", "DKIM002", "DKIM003", "DKIM004", "DKIM005", "DKIM006"])
def test_a_repository_says_nothing_of_keys(rule: str) -> None:
    assert verdict(rule, {CONF: DKIM}) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)


@pytest.mark.parametrize("rule", ["DKIM003", "DKIM004", "DKIM005", "DKIM006"])
def test_of_a_key_that_is_not_there_one_rule_speaks(rule: str) -> None:
    answers: dict[str, object] = {"stat": {"/etc/mail/dkim": DIRECTORY, "/etc/mail/dkim/example.com.key": None}}
    assert verdict(rule, {CONF: DKIM}, answers) == (Verdict.NOT_APPLICABLE, None)
    assert verdict("DKIM002", {CONF: DKIM}, answers) == (Verdict.FAIL, None)


@pytest.mark.parametrize("rule", ["DKIM002", "DKIM003", "DKIM006"])
def test_a_key_that_is_there_and_was_not_looked_into(rule: str) -> None:
    stat = {"/etc/mail/dkim": DIRECTORY, "/etc/mail/dkim/example.com.key": KEY, "/etc/mail/dkim/example.com.pubkey": KEY}
    assert verdict(rule, {CONF: DKIM}, {"stat": stat}) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)


def test_a_mode_that_was_not_recorded() -> None:
    stat = {"/etc/mail/dkim": DIRECTORY, "/etc/mail/dkim/example.com.key": {"type": "file"}}
    for rule in ("DKIM004", "DKIM005"):
        assert verdict(rule, {CONF: DKIM}, {"stat": stat}) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)


@pytest.mark.parametrize("line", ['sign_condition = "return true";', 'path_map = "/etc/paths";', "use_redis = true;"])
def test_a_map_or_a_script_may_know_more_domains(line: str) -> None:
    smtpd = 'action "in" maildir\nmatch from any for domain "other.example" action "in"\n'
    files = {CONF: DKIM + line + "\n", "/etc/mail/smtpd.conf": smtpd}
    assert verdict("DKIM007", files) == (Verdict.UNKNOWN, Reason.IN_DOUBT)
    assert verdict("DKIM007", {**files, CONF: DKIM}) == (Verdict.FAIL, None)


@pytest.mark.parametrize("rule", ["DKIM007", "DKIM009", "DKIM010", "DKIM011", "DKIM012"])
def test_another_signer(rule: str) -> None:
    smtpd = 'filter sign proc-exec "filter-dkimsign -d example.com"\nlisten on lo0 filter sign\naction "out" relay\n'
    files = {CONF: DKIM, "/etc/mail/smtpd.conf": f'{smtpd}match from local for any action "out"\n'}
    assert verdict(rule, files) == (Verdict.NOT_APPLICABLE, None)


def test_which_selector_is_published_is_not_known_offline() -> None:
    smtpd = 'action "in" maildir\nmatch from any for domain "example.com" action "in"\n'
    assert verdict("DKIM008", {CONF: DKIM, "/etc/mail/smtpd.conf": smtpd}) == (Verdict.UNKNOWN, Reason.OFFLINE)


def test_the_packages_own_files_may_name_redis() -> None:
    assert verdict("RSPAMD003", {CONF: DKIM}) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)


def test_rspamd_on_another_host() -> None:
    smtpd = 'filter rspamd proc-exec "filter-rspamd -url http://192.0.2.7:11333"\nlisten on lo0 filter rspamd\n'
    assert verdict("RSPAMD006", {CONF: DKIM, "/etc/mail/smtpd.conf": smtpd}) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("worker-normal.inc", 'bind_socket = "{{ env.ADDRESS }}";'),
        ("worker-controller.inc", 'password = "{{ env.PASSWORD }}";'),
        ("actions.conf", 'reject = "{{ env.REJECT }}";'),
        ("spf.conf", 'enabled = "{{ env.SPF }}";'),
    ],
)
def test_a_template_decides(name: str, content: str) -> None:
    rule = {"w": "RSPAMD002", "a": "RSPAMD008", "s": "RSPAMD009"}[name[0]] if "password" not in content else "RSPAMD004"
    found = verdict(rule, {f"/etc/rspamd/local.d/{name}": content + "\n"})
    assert found == (Verdict.UNKNOWN, Reason.IN_DOUBT)


@pytest.mark.parametrize("rule", ["SIEVE003", "SIEVE006"])
def test_a_repository_without_usr_says_nothing_of_scripts(rule: str) -> None:
    assert verdict(rule, {"/etc/dovecot/dovecot.conf": SIEVE}) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)


def test_a_repository_keeps_scripts_and_no_binaries() -> None:
    files = {"/etc/dovecot/dovecot.conf": SIEVE, SCRIPT: 'require "copy";\n'}
    assert verdict("SIEVE003", files) == (Verdict.PASS, None)
    assert verdict("SIEVE004", files) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)


def test_times_are_known_to_the_second() -> None:
    same = {"type": "file", "mode": "0644", "owner": "root", "group": "wheel", "mtime": "2026-11-20T08:20:00Z"}
    stat = {"/usr/local/lib/dovecot/sieve": DIRECTORY, SCRIPT: same, SCRIPT.replace(".sieve", ".svbin"): same}
    files = {"/etc/dovecot/dovecot.conf": SIEVE, SCRIPT: 'require "copy";\n'}
    assert verdict("SIEVE004", files, {"stat": stat}) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)


def test_a_script_that_may_learn_deleted_mail() -> None:
    script = 'require ["vnd.dovecot.pipe", "copy"];\nif header :contains "subject" "x" { pipe :copy "learn-ham.sh"; }\n'
    files = {
        "/etc/dovecot/dovecot.conf": SIEVE.replace("_name = Junk", "_name = *\n  imapsieve_mailbox1_from = Junk"),
        SCRIPT: script,
    }
    assert verdict("SIEVE008", files) == (Verdict.UNKNOWN, Reason.IN_DOUBT)


@pytest.mark.parametrize("program", ["\x7fELF\x02", "#!/bin/sh\nrspamc learn_$1\n"])
def test_a_program_that_cannot_be_told(program: str) -> None:
    script = 'require ["vnd.dovecot.pipe", "copy"];\npipe :copy "learn";\n'
    files = {"/etc/dovecot/dovecot.conf": SIEVE, SCRIPT: script, "/usr/local/lib/dovecot/sieve/learn": program}
    assert verdict("SIEVE009", files) == (Verdict.UNKNOWN, Reason.IN_DOUBT)


@pytest.mark.parametrize(
    ("domain", "registered"),
    [
        ("example.com", "example.com"),
        ("Mail.Example.com", "example.com"),
        ("example.co.uk", "example.co.uk"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("corp.example.de", "example.de"),
        ("corp.abc.de", None),
        ("localhost", "localhost"),
    ],
)
def test_what_is_registered(domain: str, registered: str | None) -> None:
    assert registrable(domain) == registered


@pytest.mark.parametrize(
    ("mailbox", "source", "causes", "way", "runs"),
    [
        ("Junk", None, None, ("INBOX", "Junk"), True),
        ("Junk", None, (), ("INBOX", "Junk"), False),
        ("Junk", None, ("COPY",), ("INBOX", "Junk"), True),
        ("Junk", None, ("APPEND", "FLAG"), ("INBOX", "Junk"), False),
        ("junk", None, None, ("INBOX", "Junk"), False),
        ("inbox", "Junk", None, ("Junk", "INBOX"), True),
        ("*", "Junk", ("COPY",), ("Junk", "a/b"), True),
        ("%", "Junk", ("COPY",), ("Junk", "a/b"), False),
        ("A.*", "Ju%", ("COPY",), ("Junk", "A.b"), True),
        ("A.*", None, ("COPY",), ("Junk", "Axb"), False),
    ],
)
def test_when_a_rule_of_imapsieve_runs(
    mailbox: str, source: str | None, causes: tuple[str, ...] | None, way: tuple[str, str], runs: bool
) -> None:
    use = Use("imap before", Setting("imapsieve_mailbox1_before", SCRIPT), SCRIPT, (), mailbox, source, causes)
    assert fires(use, *way) is runs


def test_the_reference_has_what_fixes_write() -> None:
    below = Path(BOOK.root) / "reference" / "usr/local/lib/dovecot/sieve"
    assert {f"{kind}-{what}" for kind in ("report", "learn") for what in ("spam", "ham")} <= {
        path.stem for path in below.iterdir()
    }
