"""The corrected configuration works: real daemons take, sign, filter, deliver and show mail, and relay none."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from lab import Lab
from lab.tree import PASSWORD, SUBSTITUTIONS
from lab.zones import CORRECTED

pytestmark = pytest.mark.daemon

LETTERS = Path(__file__).parent / "lab" / "letters.py"
USER, STRANGER = "example_user@example.com", "somebody@example.org"


def done(lab: Lab, *jobs: dict[str, dict[str, Any]]) -> list[Any]:
    """What came of jobs (see lab.letters)."""
    scan = lab.run(sys.executable, str(LETTERS), text=json.dumps(jobs))
    assert scan.code == 0, scan.errors
    found: list[Any] = json.loads(scan.out)
    return found


def sending(port: int, sender: str, recipient: str, subject: str, **more: str) -> dict[str, dict[str, Any]]:
    return {"send": {"port": port, "sender": sender, "recipient": recipient, "subject": subject, **more}}


def reading(subject: str, folder: str = "INBOX") -> dict[str, dict[str, Any]]:
    return {"read": {"folder": folder, "subject": subject, "password": PASSWORD}}


def rspamd_log(lab: Lab) -> str:
    return lab.host.path("/var/log/rspamd/rspamd.log").read_text()


def test_the_host_has_the_examples_files(lab: Lab) -> None:
    """What differs is in the table of substitutions."""
    for top in ("etc", "usr"):
        for path in sorted((CORRECTED / top).rglob("*")):
            name = f"/{path.relative_to(CORRECTED)}"
            if path.is_file() and name not in SUBSTITUTIONS:
                assert lab.host.path(name).read_bytes() == path.read_bytes(), name


@pytest.mark.parametrize("port", [587, 465])
def test_a_user_sends_and_reads(lab: Lab, port: int) -> None:
    subject = f"submitted on {port}"
    sent, read = done(lab, sending(port, USER, USER, subject, password=PASSWORD), reading(subject))
    assert sent == [250, ""]
    headers = dict(read["headers"])
    assert "s=selector0" in headers["DKIM-Signature"]
    assert "d=example.com" in headers["DKIM-Signature"]
    assert read["signed"]
    mail = lab.host.do(
        "find", "/var/vmail/example.com/example_user", "-path", "*/cur/*", "-o", "-path", "*/new/*", "-user", "vmail"
    )
    assert mail.strip()


def test_a_stranger_writes_and_relays_nothing(lab: Lab) -> None:
    sent, read, *refused = done(
        lab,
        sending(25, STRANGER, USER, "from outside"),
        reading("from outside"),
        sending(25, STRANGER, "other@example.net", "relayed"),
        sending(25, STRANGER, "nobody@example.com", "unknown"),
        sending(587, STRANGER, USER, "without a login"),
    )
    assert sent == [250, ""]
    identity = dict(read["headers"])["Message-ID"]
    told = next(line for line in rspamd_log(lab).splitlines() if f"rspamd_task_write_log: id: {identity}" in line)
    assert "DMARC_POLICY_ALLOW" in told  # by the SPF record of example.org
    for code, text in refused:
        assert 500 <= code < 600, text


def test_what_is_moved_to_junk_is_learned(lab: Lab) -> None:
    subject = "an offer of the moved kind"
    sent, _, moved = done(
        lab,
        sending(25, STRANGER, USER, subject, body="Buy a great many words that nobody else ever says: gimcrack bezoar.\n" * 20),
        reading(subject),
        {"move": {"folder": "INBOX", "to": "Junk", "subject": subject, "password": PASSWORD}},
    )
    assert (sent, moved) == ([250, ""], ["OK"])
    until = time.monotonic() + 20
    while "learned message as spam" not in rspamd_log(lab) and time.monotonic() < until:
        time.sleep(0.1)
    assert "learned message as spam" in rspamd_log(lab)
