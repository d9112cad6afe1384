"""The lab: the corrected example on real daemons is judged right, live and from its snapshot, which holds no secret."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import Lab, Variant
from lab.running import NAME

pytestmark = pytest.mark.daemon

QUEUE_KEY = "ca4a12ca4a12ca4a12ca4a12ca4a1234"
HASH = "$2b$10$" + ("canaryOfRoot" * 5)[:53]
PLANTED = Variant(
    "secrets everywhere",
    edits={
        "/etc/mail/smtpd.conf": (("6afd577b0de0f89e2cdf5c206f21ba6e", QUEUE_KEY),),
        "/etc/redis/redis.conf": (("protected-mode yes", "protected-mode yes\nrequirepass canaryOfRedis"),),
        "/etc/rspamd/local.d/redis.conf": (('servers = "127.0.0.1";', 'servers = "127.0.0.1";\npassword = "canaryOfRedis";'),),
        "/etc/rspamd/local.d/worker-controller.inc": (
            ("$2$1i7c6s6d8c1srjdx371a4ghfqm6yi3nm$", "$2$canaryOfRspamd371a4ghfqm6yi3nm$"),
        ),
        "/etc/master.passwd": (("{{masked:bcrypt:60:3f0a9c51d7e2b846}}", HASH),),
    },
    files={
        "/var/vmail/example.com/example_user/new/1.canaryOfName": "Subject: canaryOfSubject\n\ncanaryOfMail\n",
        "/root/.ssh/id_ed25519": "-----BEGIN OPENSSH PRIVATE KEY-----\ncanaryOfRootsKey\n-----END OPENSSH PRIVATE KEY-----\n",
    },
)
KEYS = (
    "/etc/ssl/private/mail.example.com.key",
    "/etc/ssl/private/letsencrypt.key",
    "/etc/mail/dkim/example.com.key",
    "/etc/ssh/ssh_host_ed25519_key",
)


REFUSED = Variant(
    "refused by what runs",
    edits={"/etc/mail/smtpd.conf": (("listen on socket filter", "listen on em7\nlisten on socket filter"),)},
    restart=False,
)


def test_doctor_finds_the_way(lab: Lab) -> None:
    told = lab.mailaudit("doctor", NAME)
    assert "ok    logged in as auditor; /bin/sh runs the collector on OpenBSD" in told.out, told.errors
    assert "FAIL" not in told.out
    assert "note  fix --write could not write there, which no scan needs: " in told.out
    assert told.code == 0


def test_the_corrected_host_is_found_right(lab: Lab) -> None:
    scan = lab.scan()
    assert (scan.failures, scan.errors) == ([], "")
    assert scan.code == 0


def test_what_a_daemons_own_checker_refuses_is_told_in_its_words(lab: Lab) -> None:
    """No file tells that the host has no interface em7."""
    with lab.under(REFUSED):
        told = {rule: message for rule, verdict, message, _ in lab.scan().results if verdict == "fail"}
    assert told["SMTPD001"] == "smtpd refuses its configuration: invalid virtual ip or interface: em7."


@pytest.fixture(scope="module")
def planted(lab: Lab) -> Iterator[Lab]:
    for folder, mode in (("/root/.ssh", 0o700), ("/var/vmail/example.com/example_user/new", 0o700)):
        lab.host.path(folder).mkdir(mode, exist_ok=True)
    lab.host.do("chgrp", "_rspamd", "/etc/rspamd/local.d/redis.conf")
    lab.host.do("chmod", "0640", "/etc/rspamd/local.d/redis.conf")
    with lab.under(PLANTED):
        yield lab


def test_a_snapshot_is_judged_like_the_host_and_holds_no_secret(planted: Lab) -> None:
    lab = planted
    taken = lab.mailaudit("snapshot", NAME, "-o", "there", "--trust-anchor", "anchor")
    assert taken.code == 0, taken.out + taken.errors
    live, saved = lab.scan(), lab.scan(target="./there")
    assert live.failures == []
    assert saved.results == live.results
    assert saved.code == live.code == 0
    place = lab.space.seen(lab.home / "there")
    assert place.stat().st_mode & 0o077 == 0
    everything = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    for canary in (*secrets(lab), b"canary", QUEUE_KEY.encode(), b"PRIVATE KEY-----\n", b"$2b$", b"$6$"):
        assert canary not in everything, canary
    assert b"canary" not in (taken.out + live.out + saved.out).encode()


def secrets(lab: Lab) -> Iterator[bytes]:
    """The lines of private keys, and the password's hash."""
    for path in KEYS:
        lines = [line for line in lab.host.path(path).read_bytes().splitlines() if b"-----" not in line]
        assert lines, path
        yield from lines
    yield lab.host.path("/etc/mail/credentials").read_bytes().split(b":")[1]


def test_nothing_of_a_lab_is_seen_outside(lab: Lab) -> None:
    """Its mounts and files are in a namespace whose first process ends with this one."""
    assert str(lab.space.room) not in Path("/proc/self/mounts").read_text()
    assert str(lab.space.room) in Path(f"/proc/{lab.space.pid}/mounts").read_text()
    assert not list(lab.space.room.iterdir())
