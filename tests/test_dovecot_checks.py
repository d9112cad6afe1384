"""The rules of Dovecot on whole hosts: the examples, fixes in each file's own style, and files that are damaged anyhow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.folder import FolderWorld
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.collect.root import RootWorld
from mailaudit.edits import Safety
from mailaudit.findings import HostReport, Verdict
from mailaudit.models.site import Declared
from mailaudit.questions import Reason
from mailaudit.repair import plan
from mailaudit.settings import Settings

ROOT = Path(__file__).parents[1]
BOOK = rulebook.load()
RULES = tuple(identity for identity in BOOK.pages if identity.startswith("DOVECOT"))
MAIN, LOCAL = "/etc/dovecot/dovecot.conf", "/etc/dovecot/local.conf"
EXAMPLE = (ROOT / "examples" / "as-published" / "etc" / "dovecot" / "local.conf").read_text()


def auditor(world: RootWorld, rules: tuple[str, ...] = RULES) -> Auditor:
    return Auditor(world, BOOK, Settings(), Options(), rules)


def world(files: dict[str, str]) -> RootWorld:
    return MemoryWorld(MemoryDirectory.of({path: text.encode() for path, text in files.items()}), "h.example.com", "t")


def audit(of: RootWorld, rules: tuple[str, ...] = RULES) -> HostReport:
    host = auditor(of, rules)
    report = host.examine(*host.learn())
    if host.crashes:
        raise host.crashes[0]
    return report


def failing(report: HostReport) -> set[str]:
    return {result.rule for result in report.results if result.verdict is Verdict.FAIL}


def mended(files: dict[str, str], rule: str) -> dict[str, str]:
    made = plan(auditor(world(files), (rule,)), frozenset({Safety.SAFE, Safety.UNSAFE}))
    assert made.converged
    return {path: str(text) for path, text in made.files.items()}


def test_the_guide_as_published_has_its_known_defects() -> None:
    report = audit(FolderWorld(ROOT / "examples" / "as-published"))
    assert failing(report) >= {"DOVECOT024", "DOVECOT064", "DOVECOT067", "DOVECOT070"}


def test_the_corrected_host_is_clean() -> None:
    report = audit(FolderWorld(ROOT / "examples" / "corrected"))
    assert {result.verdict for result in report.results} == {Verdict.PASS}


def test_a_repository_of_local_conf_alone_says_nothing_of_the_packaged_logins() -> None:
    report = audit(world({LOCAL: EXAMPLE}))
    (result,) = [result for result in report.results if result.rule == "DOVECOT024"]
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)
    assert failing(report) == {"DOVECOT064", "DOVECOT067"}
    (loads,) = [result for result in report.results if result.rule == "DOVECOT001"]
    assert loads.reason is Reason.NOT_RECORDED  # whether the certificate is there


def test_nothing_of_dovecot_is_not_applicable() -> None:
    report = audit(world({"/etc/pf.conf": "pass\n"}))
    assert {result.verdict for result in report.results} == {Verdict.NOT_APPLICABLE}


def test_managesieve_that_is_off_is_not_asked_for() -> None:
    off = Settings(site=Declared(managesieve="off"))
    verdicts = []
    for protocols in ("imap", "imap pop3"):
        host = Auditor(world({LOCAL: f"protocols = {protocols}\n"}), BOOK, off, Options(), ("DOVECOT060",))
        verdicts += [result.verdict for result in host.examine(*host.learn()).results]
    assert verdicts == [Verdict.NOT_APPLICABLE, Verdict.FAIL]


def test_a_port_that_is_declared_may_be_open() -> None:
    declared = Settings(site=Declared(open_tcp=(143,)))
    host = Auditor(world({LOCAL: "protocols = imap\n"}), BOOK, declared, Options(), ("DOVECOT061",))
    assert {result.verdict for result in host.examine(*host.learn()).results} == {Verdict.PASS}


@pytest.mark.parametrize(
    ("include", "verdict"),
    [
        ("!include /etc/dovecot/site.conf", Verdict.FAIL),
        ("!include /etc/dovecot/site.d/*.conf", Verdict.FAIL),
        ("!include /config/dovecot.conf", Verdict.UNKNOWN),
        ("!include /config/*.conf", Verdict.UNKNOWN),
        ("!include_try /etc/dovecot/site.conf", Verdict.PASS),
    ],
)
def test_an_include_of_nothing_is_refused_and_one_outside_of_etc_is_not_known(include: str, verdict: Verdict) -> None:
    (result,) = audit(world({MAIN: include + "\n"}), ("DOVECOT001",)).results
    assert result.verdict is verdict


def test_a_record_tells_that_an_included_file_outside_of_etc_is_absent() -> None:
    for absent in ("/config/dovecot.conf", "/config"):
        record = json.dumps({"format": "mailaudit.snapshot/1", "host": "h", "stat": {absent: None}})
        (result,) = audit(world({MAIN: "!include /config/dovecot.conf\n", "/answers.json": record}), ("DOVECOT001",)).results
        assert result.verdict is Verdict.FAIL, absent


# Whom it lets in

SQL = "passdb {\n  driver = sql\n  args = /s\n}\nuserdb {\n  driver = sql\n  args = /s\n}\n"
SYSTEM = "passdb {\n  driver = bsdauth\n}\nuserdb {\n  driver = passwd\n}\n"
USERS = "anna@example.com:$2b$10$:2000:2000::/var/vmail/example.com/anna::\n"


@pytest.mark.parametrize(
    "files", [{MAIN: SQL}, {MAIN: SYSTEM}, {MAIN: SQL, "/etc/mail/credentials": USERS}], ids=["sql", "system", "sql and a file"]
)
def test_the_only_database_that_works_is_left_alone(files: dict[str, str]) -> None:
    report = audit(world(files), ("DOVECOT022", "DOVECOT023", "DOVECOT024"))
    assert {(result.rule, result.verdict, result.fix) for result in report.results} == {
        ("DOVECOT022", Verdict.FAIL, None),
        ("DOVECOT023", Verdict.FAIL, None),
        ("DOVECOT024", Verdict.NOT_APPLICABLE, None),
    }
    assert len(report.results) == 3
    for rule in ("DOVECOT022", "DOVECOT023", "DOVECOT024"):
        assert mended(files, rule) == {}


def test_where_the_packaged_logins_may_hold_nothing_is_written() -> None:
    files = {LOCAL: "first_valid_uid = 1000\n"}
    for rule in ("DOVECOT022", "DOVECOT023", "DOVECOT030"):
        assert mended(files, rule) == {}


def test_a_file_that_is_there_takes_the_place_of_the_system_accounts() -> None:
    files = {MAIN: SYSTEM, "/etc/mail/credentials": USERS}
    assert "/etc/mail/credentials\n" in mended(files, "DOVECOT023")[MAIN]
    assert "/etc/mail/credentials\n" in mended(files, "DOVECOT022")[MAIN]


# Ids


@pytest.mark.parametrize(
    "text",
    [
        "first_valid_uid = 10000\nfirst_valid_gid = 2000\n",
        "first_valid_uid = 2000\nfirst_valid_gid = 10000\n",
        "first_valid_uid = 1000\nmail_uid = vmail\nfirst_valid_gid = 2000\n",
        "first_valid_uid = 1000\nuserdb {\n  driver = passwd\n}\n",
        "first_valid_uid = 500\nuserdb {\n  driver = sql\n  args = /etc/dovecot/sql\n}\n",
        "first_valid_uid = 1000\nuserdb {\n  driver = static\n  args = uid=mail gid=mail\n}\n",
        "first_valid_uid = 9000\nlast_valid_uid = 9000\n",
    ],
)
def test_ids_of_users_that_nothing_names_are_not_judged(text: str) -> None:
    (result,) = audit(world({MAIN: text}), ("DOVECOT030",)).results
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)


def test_a_range_of_ids_is_never_left_empty() -> None:
    before = "first_valid_uid = 1000\nlast_valid_uid = 1000\n"
    assert mended({MAIN: before}, "DOVECOT030") == {MAIN: "first_valid_uid = 2000\nlast_valid_uid = 2000\n"}
    by_hand = "first_valid_uid = 500\nfirst_valid_gid = 2000\nprotocol imap {\n  last_valid_uid = 1000\n}\n"
    (result,) = audit(world({MAIN: by_hand}), ("DOVECOT030",)).results
    assert (result.verdict, result.fix) == (Verdict.FAIL, None)


def test_users_of_another_file_are_mended_by_hand() -> None:
    text = "first_valid_gid = 2000\nuserdb {\n  driver = passwd-file\n  args = /etc/dovecot/users\n}\n"
    (result,) = audit(world({MAIN: text}), ("DOVECOT030",)).results
    assert (result.verdict, result.fix) == (Verdict.FAIL, None)


# The place of the mail


@pytest.mark.parametrize(
    "text",
    ["mail_driver = maildir\nmail_home = /home/%{user}\n", "namespace inbox {\n  inbox = yes\n  mail_driver = maildir\n}\n"],
)
def test_a_2_4_that_names_maildir_and_no_path_is_in_doubt(text: str) -> None:
    files = {MAIN: "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n" + text}
    (result,) = audit(world(files), ("DOVECOT040",)).results
    assert (result.verdict, result.reason, result.fix) == (Verdict.UNKNOWN, Reason.IN_DOUBT, None)
    assert mended(files, "DOVECOT040") == {}


# Fixes


@pytest.mark.parametrize(
    ("before", "rule", "after"),
    [
        ("ssl = yes   # always\n", "DOVECOT010", "ssl = required   # always\n"),
        ('ssl="yes"\n', "DOVECOT010", "ssl=required\n"),
        ("a=b\n", "DOVECOT010", "a=b\nssl=required\n"),
        ("a = b", "DOVECOT010", "a = b\nssl = required"),
        ("a = b\r\n", "DOVECOT010", "a = b\r\nssl = required\r\n"),
        ("", "DOVECOT010", "ssl = required\n"),
        ("protocols =\n", "DOVECOT060", "protocols = imap sieve\n"),
        ("protocols = sieve pop3 lmtp imap # x\n", "DOVECOT060", "protocols = sieve lmtp imap # x\n"),
        (
            "protocols = imap\nservice imap-login {\n\tprocess_min_avail = 1\n}\n",
            "DOVECOT061",
            "protocols = imap\nservice imap-login {\n\tinet_listener imap {\n\t\tport = 0\n\t}\n\tprocess_min_avail = 1\n}\n",
        ),
        (
            "protocols = imap\n",
            "DOVECOT061",
            "protocols = imap\n\nservice imap-login {\n  inet_listener imap {\n    port = 0\n  }\n}\n",
        ),
        ("ssl_cert = '</c.pem' # c\n", "DOVECOT011", "ssl_cert = </c.pem # c\n"),
        ("mail_location = /var/vmail/%d/%n/Inbox\n", "DOVECOT040", "mail_location = maildir:/var/vmail/%d/%n/Inbox\n"),
        ("mail_location = ~/Mail # m\n", "DOVECOT040", "mail_location = maildir:~/Mail # m\n"),
        ("mail_location=/m/%d/%n:LAYOUT=fs\n", "DOVECOT040", "mail_location=maildir:/m/%d/%n:LAYOUT=fs\n"),
        ("mail_location = /var/vmail/%n\n", "DOVECOT040", "mail_location = maildir:/var/vmail/%d/%n\n"),
        ("service auth{ # x\n}\n", "DOVECOT001", "service auth { # x\n}\n"),
        (
            "mail_plugins = \\\n  acl\nssl = \\\n  yes\n",
            "DOVECOT010",
            "mail_plugins = \\\n  acl\nssl = \\\n  required\n",
        ),
    ],
)
def test_a_fix_keeps_the_style_of_the_file(before: str, rule: str, after: str) -> None:
    assert mended({MAIN: before}, rule) == {MAIN: after}


def test_what_is_new_goes_into_local_conf() -> None:
    files = {MAIN: "!include_try local.conf\n", LOCAL: "# mine\n"}
    assert mended(files, "DOVECOT010") == {LOCAL: "# mine\nssl = required\n"}
    assert mended({MAIN: files[MAIN]}, "DOVECOT010") == {LOCAL: "ssl = required\n"}


def test_the_packaged_logins_are_commented_out() -> None:
    root = ROOT / "examples" / "as-published"
    made = plan(auditor(FolderWorld(root), ("DOVECOT024",)), frozenset({Safety.UNSAFE}))
    (path,) = made.files
    assert path == "/etc/dovecot/conf.d/10-auth.conf"
    assert "\n#!include auth-system.conf.ext\n" in str(made.files[path])


def test_settings_of_2_3_on_a_2_4_host_are_renamed_where_that_is_plain() -> None:
    packages = {
        "commands": {"pkg_info": {"status": 0, "stdout": "dovecot-2.4.1\n"}},
        "format": "mailaudit.snapshot/1",
        "host": "h",
    }
    record = json.dumps({**packages, "stat": {"/c": {"type": "file"}, "/k": {"type": "file"}}})
    report = audit(world({MAIN: "ssl_cert = </c\nplugin {\n}\n", "/answers.json": record}), ("DOVECOT001", "DOVECOT011"))
    messages = {result.message: result.fix for result in report.results if result.rule == "DOVECOT001"}
    assert any("dovecot_config_version" in message for message in messages)
    assert any('"ssl_server_cert_file"' in message and fix is not None for message, fix in messages.items())
    assert any('no section "plugin"' in message and fix is None for message, fix in messages.items())
    assert "DOVECOT011" not in failing(report)


# Damage


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_rule_crashes_on_damaged_files(data: st.DataObject) -> None:
    source = EXAMPLE
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(source)))
        size = data.draw(st.sampled_from([0, 1, 5, 40]))
        marks = ["", "{", "}", "\n", '"', "$", "%", "%{", "\\\n", "#", "=", "<", "/", "\0", "\r\n", "x", " "]
        source = source[:at] + data.draw(st.sampled_from(marks)) + source[at + size :]
    version = data.draw(st.sampled_from(["", "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n"]))
    audit(world({MAIN: version + source}))


def test_a_protocol_by_its_old_name_is_served_by_its_new_one() -> None:
    main = "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\nprotocols = imap imaps managesieve\n"
    assert mended({MAIN: main}, "DOVECOT001")[MAIN] == main.replace("imap imaps managesieve", "imap sieve")


def test_hashes_of_another_site_s_file_are_not_smtpds() -> None:
    main = "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n"
    main += "passdb passwd-file {\n  passwd_file_path = /etc/own\n}\n"
    [alone] = audit(world({MAIN: main}), ("DOVECOT023",)).results
    assert alone.verdict is Verdict.NOT_APPLICABLE
    smtpd = "listen on all\naction a relay\nmatch from any for any action a\n"
    [beside] = audit(world({MAIN: main, "/etc/mail/smtpd.conf": smtpd}), ("DOVECOT023",)).results
    assert beside.verdict is Verdict.FAIL
    both = mended({MAIN: main, "/etc/mail/smtpd.conf": smtpd}, "DOVECOT023")
    assert both[MAIN] == main.replace("passdb passwd-file {\n", "passdb passwd-file {\n  default_password_scheme = CRYPT\n")
