"""Rules that span layers, and those about abuse, where evidence lacks, where they do not apply, and where another rule tells."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from mailaudit import rulebook, settings
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.findings import Result, Verdict
from mailaudit.questions import Reason

BOOK = rulebook.load()
RULES = (
    *("CROSS030", "CROSS053", "CROSS060", "CROSS061", "CROSS093", "CROSS103"),
    *("ABUSE002", "ABUSE003", "ABUSE004", "ABUSE007", "ABUSE010", "ABUSE011", "ABUSE013"),
)
PASS, FAIL, UNKNOWN, NOT_HERE = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE

HASH = "$2b$10$abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0"
USER = f"user@example.com:{HASH}:2000:2000::/var/vmail/example.com/user::\n"
ACCOUNTS = (
    "root:*:0:0::/root:/bin/ksh\n_smtpd:*:95:95::/:/\n_dovecot:*:518:518::/:/\nweb:*:1001:1001::/:/\n"
    "vmail:*:2000:2000::/var/vmail:/\n"
)
GROUPS = "wheel:*:0:root\n_smtpd:*:95:\n_dovecot:*:518:web\nweb:*:1001:\n"
SMTPD = 'action "in" lmtp "/var/dovecot/lmtp" virtual { "@" = "vmail" }\nmatch from any for domain "example.com" action "in"\n'
SECRET = f'listen on all\nqueue encryption "6afd577b0de0f89e2cdf5c206f21ba6e"\n{SMTPD}'
TABLE = 'listen on all\ntable domains file:/etc/mail/domains\naction "in" mbox\nmatch from any for domain <domains> action "in"\n'
KEY = f'pki a cert "/etc/ssl/a.pem"\npki a key "/etc/ssl/a.key"\nlisten on all tls pki a\n{SMTPD}'
SIGNED = 'domain { example.net { path = "/etc/mail/dkim/example.net.key"; selector = "s"; } }\n'
LINKED = "userdb {\n  driver = sql\n  args = /etc/dovecot/sql.conf\n}\n"


def results(files: Mapping[str, str], answers: Mapping[str, object] | None, rules: tuple[str, ...]) -> tuple[Result, ...]:
    held = {path: text.encode() for path, text in files.items()}
    if answers is not None:
        held["/answers.json"] = json.dumps({"format": "mailaudit.snapshot/1", **answers}).encode()
    world = MemoryWorld(MemoryDirectory.of({"/etc/hosts": b"", **held}), "host", "host")
    host = Auditor(world, BOOK, settings.load(()), Options(), rules)
    found = host.examine(*host.learn())
    assert not host.crashes
    return found.results


def stat(mode: str, owner: str = "root", group: str = "wheel", kind: str = "file") -> dict[str, str]:
    return {"type": kind, "mode": mode, "owner": owner, "group": group}


VMAIL = {"/var/vmail": stat("0700", "vmail", "vmail", "directory")}


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("rule", RULES)
def test_of_a_host_of_which_nothing_is_known_nothing_passes(rule: str, *, recorded: bool) -> None:
    found = results({}, {} if recorded else None, (rule,))
    assert {result.verdict for result in found} <= {UNKNOWN, NOT_HERE}, found
    assert {result.reason for result in found} <= {None, Reason.NOT_RECORDED}


@pytest.mark.parametrize(
    ("rule", "files", "answers", "verdict"),
    [
        ("CROSS030", {"/etc/mail/smtpd.conf": TABLE, "/etc/rspamd/local.d/dkim_signing.conf": SIGNED}, None, UNKNOWN),
        ("CROSS030", {"/etc/mail/smtpd.conf": "listen on lo0\n" + SMTPD.replace("any", "local")}, None, NOT_HERE),
        ("CROSS053", {"/etc/mail/credentials": USER}, None, UNKNOWN),
        ("CROSS053", {"/etc/mail/credentials": USER, "/etc/dovecot/dovecot.conf": LINKED}, {"stat": VMAIL}, NOT_HERE),
        ("CROSS053", {"/etc/mail/credentials": USER.replace("/var/vmail/example.com", "/home")}, {"stat": VMAIL}, NOT_HERE),
        ("CROSS060", {"/etc/mail/credentials": USER}, None, UNKNOWN),
        ("CROSS060", {"/etc/mail/credentials": "# nobody yet\n"}, {"stat": VMAIL}, NOT_HERE),
        ("CROSS060", {"/etc/mail/credentials": USER.replace("/var/vmail/example.com/user", "")}, {"stat": VMAIL}, UNKNOWN),
        (
            "CROSS060",  # a name and a number are one only where accounts say so
            {"/etc/mail/credentials": USER},
            {"stat": {**VMAIL, "/var/vmail/example.com/user": stat("0700", "vmail", "vmail", "directory")}},
            UNKNOWN,
        ),
        ("CROSS061", {"/etc/mail/smtpd.conf": SECRET}, None, UNKNOWN),
        ("CROSS093", {"/etc/mail/smtpd.conf": SMTPD}, None, UNKNOWN),
        ("CROSS103", {"/etc/login.conf": "dovecot:\\\n\t:openfiles=2048:\n"}, None, UNKNOWN),
        (
            "CROSS103",
            {"/etc/login.conf": "dovecot:\\\n\t:openfiles=2048:\n"},
            {"commands": {"ps": {"status": 0, "stdout": "1 root Fri Nov 20 09:30:02 2026 /sbin/init\n"}}},
            NOT_HERE,
        ),
        ("ABUSE002", {"/etc/mail/credentials": USER}, {"stat": {"/etc/mail/credentials": stat("0644")}}, NOT_HERE),
        ("ABUSE003", {"/etc/mail/credentials": USER.replace(HASH, "{PLAIN}x")}, None, NOT_HERE),
        ("ABUSE004", {"/etc/mail/credentials": USER.replace(HASH, "*")}, None, NOT_HERE),
        ("ABUSE007", {"/etc/pf.conf": "pass\n"}, None, NOT_HERE),
        ("ABUSE010", {"/etc/mail/smtpd.conf": "listen on lo0\n" + SMTPD}, None, PASS),
        ("ABUSE011", {"/etc/mail/smtpd.conf": TABLE}, None, UNKNOWN),
        ("ABUSE013", {"/etc/mail/smtpd.conf": SMTPD}, None, NOT_HERE),
        ("ABUSE013", {"/etc/mail/smtpd.conf": SECRET}, None, UNKNOWN),
    ],
)
def test_where_evidence_lacks_and_where_they_do_not_apply(
    rule: str, files: Mapping[str, str], answers: Mapping[str, object] | None, verdict: Verdict
) -> None:
    (result,) = results(files, answers, (rule,))
    assert result.verdict is verdict, result
    assert result.reason is (Reason.NOT_RECORDED if verdict is UNKNOWN else None)


@pytest.mark.parametrize(
    ("files", "modes", "teller"),
    [
        ({"/etc/mail/credentials": USER}, {"/etc/mail/credentials": stat("0644")}, "CRED002"),
        ({"/etc/mail/smtpd.conf": SECRET}, {"/etc/mail/smtpd.conf": stat("0644")}, "ABUSE013"),
        ({"/etc/mail/smtpd.conf": KEY}, {"/etc/ssl/a.key": stat("0644")}, "TLS007"),
        ({"/etc/mail/smtpd.conf": KEY}, {"/etc/ssl/a.key": stat("0400", "web")}, "TLS007"),
        ({"/etc/mail/credentials": USER}, {"/var/vmail": stat("0755", "vmail", "vmail", "directory")}, "HOST055"),
        ({"/etc/mail/credentials": USER}, {"/var/vmail": stat("0750", "vmail", "web", "directory")}, "HOST054"),
    ],
)
def test_one_rule_tells_of_one_mode(files: Mapping[str, str], modes: Mapping[str, object], teller: str) -> None:
    held = {"/etc/passwd": ACCOUNTS, "/etc/group": GROUPS.replace(":web", ":"), **files}
    closed = {"/etc/mail/credentials": stat("0440", "_smtpd", "_dovecot"), **VMAIL}
    found = results(held, {"stat": {**closed, **modes}}, ("CROSS061", teller))
    assert [result.rule for result in found if result.verdict is FAIL] == [teller], found


def test_a_reader_by_his_group_is_told_by_name() -> None:
    held = {"/etc/passwd": ACCOUNTS, "/etc/group": GROUPS, "/etc/mail/credentials": USER}
    modes = {"/etc/mail/credentials": stat("0440", "_smtpd", "_dovecot"), **VMAIL}
    found = [each for each in results(held, {"stat": modes}, ("CROSS061", "CRED002")) if each.verdict is FAIL]
    assert [each.rule for each in found] == ["CROSS061"]
    assert found[0].message == (
        "web can read /etc/mail/credentials; the file of password hashes is for root, _dovecot and _smtpd alone."
    )
    assert found[0].fix is not None
    assert found[0].fix.commands == ("chown _smtpd:_dovecot /etc/mail/credentials", "chmod 0440 /etc/mail/credentials")


def test_no_hash_is_shown() -> None:
    held = {"/etc/mail/credentials": USER + USER.replace("user", "other")}
    (result,) = results(held, None, ("ABUSE004",))
    assert result.verdict is FAIL
    assert HASH not in repr(result.message) + repr(result.fix) + result.fingerprint
