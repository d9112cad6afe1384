"""One cause is one finding: what several rules could say of the same thing, one of them says."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailaudit import rulebook, settings
from mailaudit.audit import Auditor, Options
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
    return Auditor(world, BOOK, settings.load(world.settings, None), Options(), rules)


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
