"""What the rules of Dovecot's ports, sockets and delivery say where something is declared, another's, or not known."""

from __future__ import annotations

import pytest

from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.edits import Safety
from mailaudit.findings import HostReport, Verdict
from mailaudit.models.site import Declared
from mailaudit.questions import Reason
from mailaudit.repair import plan
from mailaudit.settings import Settings

BOOK = rulebook.load()
LOCAL, SMTPD = "/etc/dovecot/local.conf", "/etc/mail/smtpd.conf"
OLD = "service managesieve-login {\n  inet_listener sieve_deprecated {\n    port = 2000\n  }\n}\n"
MATCH = 'match from any for domain "example.com" action "in"\n'


def auditor(files: dict[str, str], rule: str, declared: Declared) -> Auditor:
    directory = MemoryDirectory.of({path: text.encode() for path, text in files.items()})
    return Auditor(MemoryWorld(directory, "h.example.com", "t"), BOOK, Settings(site=declared), Options(), (rule,))


def audit(files: dict[str, str], rule: str, declared: Declared | None = None) -> HostReport:
    host = auditor(files, rule, declared or Declared())
    report = host.examine(*host.learn())
    assert not host.crashes
    return report


def verdict(files: dict[str, str], rule: str, declared: Declared | None = None) -> Verdict:
    return audit(files, rule, declared).results[0].verdict


def delivering(action: str) -> dict[str, str]:
    return {LOCAL: "protocols = imap sieve\n", SMTPD: f'action "in" {action} virtual {{ "a@example.com" = vmail }}\n{MATCH}'}


def test_managesieve_that_is_for_this_host_does_not_listen_for_others() -> None:
    local = Declared(managesieve="local")
    files = {LOCAL: "protocols = imap sieve\n"}
    assert verdict(files, "DOVECOT063") is Verdict.PASS
    assert verdict(files, "DOVECOT063", local) is Verdict.FAIL
    made = plan(auditor(files, "DOVECOT063", local), frozenset({Safety.UNSAFE}))
    assert "address = 127.0.0.1, ::1" in made.files[LOCAL]
    assert not made.left


@pytest.mark.parametrize("protocols", ["imap", "imap sieve"])
def test_managesieve_that_is_off_has_no_port(protocols: str) -> None:
    files = {LOCAL: f"protocols = {protocols}\n"}
    assert verdict(files, "DOVECOT063", Declared(managesieve="off")) is Verdict.NOT_APPLICABLE


def test_the_old_port_may_be_declared() -> None:
    files = {LOCAL: f"protocols = imap sieve\n{OLD}"}
    assert verdict(files, "DOVECOT064") is Verdict.FAIL
    assert verdict(files, "DOVECOT064", Declared(open_tcp=(2000,))) is Verdict.PASS


def test_one_port_is_told_by_one_rule() -> None:
    files = {LOCAL: "protocols = imap sieve\n" + OLD.replace("sieve_deprecated", "sieve")}
    assert verdict(files, "DOVECOT063") is Verdict.FAIL
    assert verdict(files, "DOVECOT064") is Verdict.NOT_APPLICABLE


@pytest.mark.parametrize("action", ['mda "/usr/local/bin/fdm -m -a stdin fetch"', 'lmtp "/var/run/cyrus/lmtp" rcpt-to'])
def test_what_another_program_does_with_the_mail_is_not_known(action: str) -> None:
    (result,) = audit(delivering(action), "DOVECOT070").results
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, Reason.IN_DOUBT)


def test_without_managesieve_users_have_no_scripts() -> None:
    files = delivering("maildir")
    assert verdict(files, "DOVECOT070") is Verdict.FAIL
    assert verdict({**files, LOCAL: "protocols = imap\n"}, "DOVECOT070") is Verdict.NOT_APPLICABLE


def test_delivery_by_lmtp_files_marked_mail_all_the_same() -> None:
    made = plan(auditor(delivering('maildir "/var/vmail/x/%{dest.user}" junk'), "DOVECOT070", Declared()), frozenset(Safety))
    assert 'action "in" lmtp "/var/dovecot/lmtp" rcpt-to virtual' in made.files[SMTPD]
    assert "spam-to-junk.sieve" in made.files[LOCAL]
    assert "protocols = imap sieve lmtp" in made.files[LOCAL]


def test_whose_the_users_mail_is_may_not_be_known() -> None:
    files = delivering('lmtp "/var/dovecot/lmtp" rcpt-to')
    socket = "protocols = imap lmtp\nservice lmtp {\n  unix_listener lmtp {\n    mode = 0600\n    user = mail\n  }\n}\n"
    (result,) = audit({**files, LOCAL: socket}, "DOVECOT071").results
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)
    assert verdict({**files, LOCAL: socket.replace("= mail", "= _smtpd")}, "DOVECOT071") is Verdict.FAIL
    named = files[SMTPD].replace("rcpt-to", "rcpt-to user mail")
    assert verdict({SMTPD: named, LOCAL: socket}, "DOVECOT071") is Verdict.PASS


def test_a_login_class_that_is_not_recorded_is_not_enough_and_not_too_few() -> None:
    (result,) = audit({LOCAL: "protocols = imap\ndefault_client_limit = 5000\n"}, "CROSS062").results
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)
    few = {LOCAL: "protocols = imap\ndefault_client_limit = 5000\n", "/etc/login.conf.d/dovecot": "dovecot:openfiles=64:\n"}
    assert verdict(few, "CROSS062") is Verdict.NOT_APPLICABLE  # HOST060 tells


@pytest.mark.parametrize("rule", ["HOST074", "HOST075", "HOST076", "HOST078"])
def test_a_file_that_is_not_there_is_refused_by_nobody(rule: str) -> None:
    assert verdict({"/etc/pf.conf": "pass\n"}, rule) is Verdict.NOT_APPLICABLE


def test_a_crontab_that_was_only_shown_is_not_written_into() -> None:
    record = (
        '{"format": "mailaudit.snapshot/1", "host": "h",'
        ' "commands": {"crontab-l-root": {"status": 0, "stdout": "@dayly /bin/sh /etc/daily\\n"}}}'
    )
    (result,) = audit({"/etc/pf.conf": "pass\n", "/answers.json": record}, "HOST077").results
    assert result.verdict is Verdict.FAIL
    assert result.fix is None
    assert not plan(auditor({"/etc/pf.conf": "pass\n", "/answers.json": record}, "HOST077", Declared()), frozenset(Safety)).files
