"""One cause is one finding: what several rules could say of the same thing, one of them says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailaudit import rulebook, settings
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.folder import FolderWorld
from mailaudit.edits import Safety
from mailaudit.findings import HostReport, Verdict
from mailaudit.repair import plan

BOOK = rulebook.load()
LEARNING = ("DOVECOT065", "SIEVE001", "SIEVE002", "SIEVE005", "SIEVE006")


def auditor(root: Path, files: dict[str, str], rules: tuple[str, ...]) -> Auditor:
    for path, text in files.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    world = FolderWorld(root)
    return Auditor(world, BOOK, settings.load(world.settings), Options(), rules)


def failing(report: HostReport) -> list[str]:
    return [result.rule for result in report.results if result.verdict is Verdict.FAIL]


def found(root: Path, files: dict[str, str], *rules: str) -> list[str]:
    host = auditor(root, files, rules)
    return failing(host.examine(*host.learn()))


@pytest.mark.parametrize(
    "text",
    [
        "protocols = imap sieve\n",
        "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\nprotocols = imap sieve\n",
    ],
    ids=["2.3", "2.4"],
)
def test_learning_that_is_not_set_up_is_one_finding_and_one_fix(tmp_path: Path, text: str) -> None:
    host = auditor(tmp_path, {"/etc/dovecot/dovecot.conf": text}, LEARNING)
    assert failing(host.examine(*host.learn())) == ["SIEVE001"]
    mended = plan(host, frozenset({Safety.SAFE}))
    assert mended.left == ()


BY_ACCOUNT = """\
pki mail.example.com cert "/etc/ssl/mail.example.com.crt"
pki mail.example.com key "/etc/ssl/private/mail.example.com.key"
table aliases file:/etc/mail/aliases
listen on all tls pki mail.example.com
listen on all port submission tls-require pki mail.example.com auth
action "in" maildir junk alias <aliases>
action "out" relay
match from any for domain "example.com" action "in"
match from local for local action "in"
match from any auth for any action "out"
"""


def test_users_with_accounts_of_the_host_are_told_of_once_in_each_place(tmp_path: Path) -> None:
    rules = found(tmp_path, {"/etc/mail/smtpd.conf": BY_ACCOUNT}, "SMTPD013", "SMTPD014", "SMTPD016")
    assert rules == ["SMTPD016"]


SENDS = """\
table aliases file:/etc/mail/aliases
table secrets file:/etc/mail/secrets
listen on socket
action "local" mbox alias <aliases>
action "relay" relay host smtps://relay@mail.example.net:465 auth <secrets>
match for local action "local"
match from local for any action "relay"
"""
OUT = (
    "set skip on lo\nblock all\npass out proto tcp to port { 53 80 443 465 }\npass out proto udp\npass out proto { icmp icmp6 }\n"
)


def test_a_host_that_takes_no_mail_may_keep_the_ports_of_mail_shut(tmp_path: Path) -> None:
    rules = ("PF021", "PF040", "PF041", "PF042", "PF043", "SMTPD015", "SMTPD025")
    assert found(tmp_path, {"/etc/mail/smtpd.conf": SENDS, "/etc/pf.conf": OUT}, *rules) == []
    direct = SENDS.replace(" host smtps://relay@mail.example.net:465 auth <secrets>", "")
    assert found(tmp_path, {"/etc/mail/smtpd.conf": direct}, *rules) == ["SMTPD015", "SMTPD025", "PF021"]


def test_one_script_for_all_is_the_administrator_s_where_users_upload_none(tmp_path: Path) -> None:
    text = "protocols = imap lmtp\nmail_location = maildir:/var/vmail/%d/%n\nplugin {\n  sieve = /var/vmail/default.sieve\n}\n"
    text += "protocol lmtp {\n  mail_plugins = sieve\n}\n"
    assert found(tmp_path, {"/etc/dovecot/dovecot.conf": text}, "SIEVE007") == []
    uploads = {"/etc/dovecot/dovecot.conf": text.replace("imap lmtp", "imap lmtp sieve")}
    assert found(tmp_path, uploads, "SIEVE007") == ["SIEVE007"]


def test_who_signs_by_an_old_smtpd_conf_is_not_told(tmp_path: Path) -> None:
    old = 'listen on lo0\naccept from any for domain "example.com" deliver to maildir\naccept for any relay via smtp://127.0.0.1:10027\n'
    files = {"/etc/mail/smtpd.conf": old, "/etc/rspamd/local.d/actions.conf": "reject = 15;\n"}
    assert found(tmp_path, files, "DKIM007", "DKIM011") == []


def test_a_port_that_pf_keeps_shut_is_not_called_open_to_others(tmp_path: Path) -> None:
    files = {"/etc/dovecot/local.conf": "protocols = imap sieve\n", "/etc/pf.conf": "set skip on lo\nblock all\npass out\n"}
    host = auditor(tmp_path, files, ("DOVECOT061",))
    messages = [each.message for each in host.examine(*host.learn()).results if each.verdict is Verdict.FAIL]
    assert messages == ["Port 143 is open for IMAP without TLS from the start, and the packet filter alone keeps others out."]


OTHER_FILTERS = """\
pki mail.example.com cert "/etc/ssl/mail.example.com.crt"
pki mail.example.com key "/etc/ssl/private/mail.example.com.key"
table aliases file:/etc/mail/aliases
table virtuals file:/etc/mail/virtuals
table credentials passwd:/etc/mail/credentials
filter "sign" proc-exec "filter-dkimsign -d example.com -s one -k /etc/mail/dkim/private.key" user _dkimsign group _dkimsign
listen on socket filter "sign"
listen on all tls pki mail.example.com
listen on all port smtps smtps pki mail.example.com auth <credentials> filter "sign"
listen on all port submission tls-require pki mail.example.com auth <credentials> filter "sign"
action "own" mbox alias <aliases>
action "in" maildir junk virtual <virtuals>
action "out" relay
match for local action "own"
match from any for domain "example.com" action "in"
match auth from any for any action "out"
match for any action "out"
"""


def test_a_site_without_rspamd_s_filter_is_told_so_once(tmp_path: Path) -> None:
    rules = ("SMTPD015", "SMTPD022", "SMTPD023", "SMTPD024", "SMTPD025")
    assert found(tmp_path, {"/etc/mail/smtpd.conf": OTHER_FILTERS}, *rules) == ["SMTPD015"]


def test_root_s_forward_may_lead_roots_mail_on(tmp_path: Path) -> None:
    files = {"/etc/mail/smtpd.conf": OTHER_FILTERS.replace("mbox", "forward-only"), "/etc/mail/aliases": "postmaster: root\n"}
    assert found(tmp_path, files, "ALIAS001") == []
    assert found(tmp_path, files | {"/etc/mail/smtpd.conf": OTHER_FILTERS}, "ALIAS001") == ["ALIAS001"]


def test_another_mail_server_may_start_in_smtpd_s_place(tmp_path: Path) -> None:
    files = {"/etc/mail/smtpd.conf": OTHER_FILTERS, "/etc/rc.conf.local": "smtpd_flags=NO\n"}
    assert found(tmp_path, files, "HOST031") == ["HOST031"]
    files["/etc/rc.conf.local"] += "pkg_scripts=postfix\n"
    assert found(tmp_path, files, "HOST031") == []


def test_users_in_a_database_of_both_daemons_are_in_no_file(tmp_path: Path) -> None:
    smtpd = OTHER_FILTERS.replace("passwd:/etc/mail/credentials", "sqlite:/etc/mail/sqlite.conf")
    sql = "driver = sql\n  args = /etc/dovecot/dovecot-sql.conf.ext\n}\n"
    files = {"/etc/mail/smtpd.conf": smtpd, "/etc/dovecot/local.conf": f"passdb {{\n  {sql}userdb {{\n  {sql}"}
    assert found(tmp_path, files, "DOVECOT022", "DOVECOT023") == []
    files["/etc/mail/smtpd.conf"] = OTHER_FILTERS
    assert sorted(found(tmp_path, files, "DOVECOT022", "DOVECOT023")) == ["DOVECOT022", "DOVECOT023"]


def test_what_may_come_in_by_a_state_is_not_called_blocked(tmp_path: Path) -> None:
    rules = 'table <bad> persist file "/etc/bad"\nset skip on lo\nblock quick from <bad>\nblock all\npass out\n'
    assert found(tmp_path, {"/etc/pf.conf": rules}, "PF031") == []
    stateless = "set skip on lo\nblock all\npass out no state\n"
    assert found(tmp_path, {"/etc/pf.conf": stateless}, "PF031") == ["PF031"]
