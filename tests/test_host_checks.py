"""The host's rules where evidence lacks, or where they do not apply: unknown is never pass."""

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
HOST = [identity for identity in BOOK.pages if identity.startswith("HOST")]
ROOT = "root:*:0:0:Superuser:/root:/bin/ksh\n"
ALEX = "alex:*:1000:1000:Alex:/home/alex:/bin/ksh\n"
VMAIL = "vmail:*:2000:2000:Virtual Mail User:/var/vmail:/sbin/nologin\n"
SMTPD = 'action "in" mbox\nmatch for local action "in"\n'
PACKAGES = {"commands": {"pkg_info": {"status": 0, "stdout": "dovecot-2.3.21.1\n"}}}
PASS, UNKNOWN, NOT_HERE = Verdict.PASS, Verdict.UNKNOWN, Verdict.NOT_APPLICABLE


def results(files: Mapping[str, str], answers: Mapping[str, object] | None, rules: tuple[str, ...]) -> tuple[Result, ...]:
    record = {"format": "mailaudit.snapshot/1", "taken": "2026-11-22T12:00:00Z", **answers} if answers is not None else None
    held = {path: text.encode() for path, text in files.items()}
    if record is not None:
        held["/answers.json"] = json.dumps(record).encode()
    world = MemoryWorld(MemoryDirectory.of({"/etc/hosts": b"", **held}), "host", "host")
    host = Auditor(world, BOOK, settings.load(()), Options(), rules)
    found = host.examine(*host.learn())
    assert not host.crashes
    return found.results


@pytest.mark.parametrize("recorded", [False, True])
@pytest.mark.parametrize("rule", HOST)
def test_of_a_host_of_which_nothing_is_known_nothing_passes(rule: str, *, recorded: bool) -> None:
    found = results({}, {} if recorded else None, (rule,))
    assert {result.verdict for result in found} <= {UNKNOWN, NOT_HERE}, found
    assert {result.reason for result in found} <= {None, Reason.NOT_RECORDED}


@pytest.mark.parametrize(
    ("rule", "files", "answers", "verdict"),
    [
        ("HOST010", {"/etc/passwd": ROOT}, None, UNKNOWN),
        ("HOST010", {"/etc/passwd": ROOT, "/etc/master.passwd": "root:$6$abc$def:0:0::0:0::/root:/bin/ksh\n"}, None, UNKNOWN),
        ("HOST012", {"/etc/passwd": ROOT}, None, NOT_HERE),
        ("HOST012", {"/etc/passwd": ROOT + ALEX}, None, UNKNOWN),
        ("HOST013", {"/etc/passwd": ROOT, "/etc/doas.conf": "permit :wheel\n"}, None, NOT_HERE),
        ("HOST014", {"/etc/doas.conf": "permit :wheel\n"}, None, UNKNOWN),
        ("HOST020", {"/etc/mail/smtpd.conf": SMTPD}, PACKAGES, NOT_HERE),
        ("HOST021", {"/etc/mail/smtpd.conf": SMTPD}, PACKAGES, NOT_HERE),
        ("HOST022", {}, {"commands": {"pkg_info": {"status": 0, "stdout": "dovecot-3.0.1\n"}}}, UNKNOWN),
        ("HOST023", {}, {"commands": {"pkg_info": {"status": 0, "stdout": "rspamd-3.12\n"}}}, NOT_HERE),
        ("HOST031", {"/etc/mail/smtpd.conf": SMTPD, "/etc/rc.conf.local": ""}, None, UNKNOWN),
        ("HOST032", {"/etc/rc.conf.local": "pkg_scripts=dovecot\n"}, None, NOT_HERE),
        ("HOST041", {}, None, UNKNOWN),
        ("HOST042", {}, {"stat": {"/etc/smtpd.conf.bak": {"type": "file", "mode": "0644"}}}, UNKNOWN),
        ("HOST042", {}, {"stat": {"/etc/smtpd.conf.bak": {"type": "file", "mode": "0600"}}}, PASS),
        ("HOST051", {"/etc/passwd": ROOT + VMAIL}, None, UNKNOWN),
        ("HOST051", {"/etc/passwd": ROOT}, None, NOT_HERE),
        ("HOST052", {"/etc/passwd": ROOT + VMAIL}, None, UNKNOWN),
        ("HOST053", {"/etc/passwd": ROOT + VMAIL}, None, UNKNOWN),
        ("HOST055", {}, {"stat": {"/var/vmail": None}}, NOT_HERE),
        ("HOST060", {"/etc/login.conf": "daemon:\\\n\t:openfiles-cur=128:\n"}, None, NOT_HERE),
        ("HOST062", {"/etc/login.conf": "daemon:\\\n\t:openfiles-cur=128:\n", "/etc/rc.conf.local": ""}, None, NOT_HERE),
        ("HOST073", {}, {"stat": {"/etc/redis/redis.conf": None}}, UNKNOWN),
    ],
)
def test_unknown_and_not_applicable(
    rule: str, files: dict[str, str], answers: dict[str, object] | None, verdict: Verdict
) -> None:
    found = results(files, answers, (rule,))
    assert [result.verdict for result in found] == [verdict], found


def test_a_file_changed_after_httpd_started_may_have_been_read_again() -> None:
    ps = "7 root Fri Nov 20 09:30:02 2026 /usr/sbin/httpd\n"
    stat = {
        "/etc/httpd.conf": {"type": "file", "mode": "0644", "owner": "root", "group": "wheel", "mtime": "2026-11-21T10:00:00Z"}
    }
    answers: dict[str, object] = {"stat": stat, "commands": {"ps": {"status": 0, "stdout": ps}}}
    (found,) = results({"/etc/httpd.conf": 'server "a" {\n\tlisten on * port 80\n}\n'}, answers, ("HOST036",))
    assert (found.verdict, found.reason) == (UNKNOWN, Reason.NOT_RECORDED)


@pytest.mark.parametrize(("second", "verdict"), [("30:21", PASS), ("30:23", PASS), ("30:24", Verdict.FAIL)])
def test_a_daemon_started_as_soon_as_its_file_was_written_is_not_said_to_run_an_older_one(second: str, verdict: Verdict) -> None:
    written = {"type": "file", "mode": "0644", "owner": "root", "group": "wheel", "mtime": f"2026-11-20T09:{second}Z"}
    running = "PID USER STARTED COMMAND\n41833 root Fri Nov 20 09:30:21 2026 /usr/sbin/smtpd\n"
    answers = {"stat": {"/etc/mail/smtpd.conf": written}, "commands": {"ps": {"status": 0, "stdout": running}}}
    (found,) = results({"/etc/mail/smtpd.conf": SMTPD}, answers, ("HOST036",))
    assert found.verdict is verdict


def test_a_time_that_was_not_recorded_leaves_it_open() -> None:
    answers: dict[str, object] = {
        "commands": {"ps": {"status": 0, "stdout": "7 root Fri Nov 20 09:30:02 2026 /usr/sbin/smtpd\n"}}
    }
    (found,) = results({"/etc/mail/smtpd.conf": SMTPD}, answers, ("HOST036",))
    assert found.verdict is UNKNOWN
