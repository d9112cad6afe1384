"""Secrets on their way into a snapshot: masked wherever they stand, alike for alike, and files still read as they did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mailaudit.collect.ssh.commands import told
from mailaudit.parsers import LANGUAGES
from mailaudit.questions import Answer, Command, CommandOutput, Found, Question, ReadFile, RunCommand
from mailaudit.recording import save_answers, saved_files
from mailaudit.recording.secrecy import without_secrets
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

KEY = "6afd577b0de0f89e2cdf5c206f21ba6e"


def saved(path: str, content: str, *secrets: tuple[str, str], key: str = "k") -> str:
    snapshot = Snapshot("h", "h", {ReadFile(path): Found(content.encode())}, recorded=True)
    return saved_files(without_secrets(snapshot, secrets, key))[path].decode()


@pytest.mark.parametrize("written", [KEY, f'"{KEY}"'])
@pytest.mark.parametrize("known", [True, False])
def test_a_masked_smtpd_conf_is_read_as_before(written: str, known: bool) -> None:
    path = "/etc/mail/smtpd.conf"
    text = saved(path, f"queue encryption {written}\n", *([("queue-key", KEY)] if known else []))
    assert KEY not in text
    assert ":32:" in text
    tree = LANGUAGES["smtpd"].parse(Text(path, text.encode()), lambda _: None)
    assert not list(tree.unread())


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/etc/redis/redis.conf", "requirepass canary-secret\n"),
        ("/etc/rspamd/local.d/redis.conf", 'password = "canary-secret";\n'),
        ("/etc/rspamd/local.d/worker-controller.inc", "enable_password = canary-secret;\n"),
        ("/etc/hostname.iwx0", "wpakey canary-secret\n"),
        ("/etc/dovecot/dovecot-sql.conf.ext", "db_password = canary-secret\n"),
    ],
)
def test_what_stands_where_secrets_stand_is_masked_though_no_model_knows_it(path: str, content: str) -> None:
    assert "canary" not in saved(path, content)


def test_equal_secrets_have_equal_masks_by_one_key_alone() -> None:
    one = saved("/etc/redis/redis.conf", "requirepass canary-secret\n", ("redis-password", "canary-secret"))
    again = saved("/etc/rspamd/x.conf", 'a = "canary-secret"', ("redis-password", "canary-secret"))
    other = saved("/etc/redis/redis.conf", "requirepass canary-secret\n", ("redis-password", "canary-secret"), key="another")
    assert one.split()[1].strip('"') == again.split('"')[1]
    assert one != other


def test_what_is_no_secret_stays() -> None:
    text = 'password = "q1";\nlisten on all auth <credentials>\npassword_query = SELECT\n'
    assert saved("/etc/rspamd/x.conf", text, ("relay-password", "all")) == text.replace(
        "on all auth", "on " + _mask("all") + " auth"
    )


def _mask(value: str) -> str:
    return saved("/x", f"auth {value}", ("relay-password", value)).split()[1]


def test_outputs_and_private_keys_too() -> None:
    pem = "-----BEGIN RSA PRIVATE KEY-----\ncanary\n-----END RSA PRIVATE KEY-----\n"
    answers: dict[Question, Answer] = {
        RunCommand(Command.PS): Found(CommandOutput(0, "1 root redis-server --requirepass canary-secret\n")),
        ReadFile("/etc/x.pem"): Found(pem.encode()),
    }
    clean = without_secrets(Snapshot("h", "h", answers, recorded=True), [("redis-password", "canary-secret")], "k")
    assert "canary" not in save_answers(clean) + str(saved_files(clean))
    assert json.loads(save_answers(clean))["commands"]["ps"]["stdout"].startswith("1 root redis-server")


def test_the_document_lists_all_that_is_asked() -> None:
    assert told().rstrip() in (Path(__file__).parents[1] / "docs" / "hosts.md").read_text("utf-8")
