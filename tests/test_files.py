"""Whom modes let do what: told as the kernel tells it, and not told where something on the way is not known."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from mailaudit.models.accounts import Accounts, read_accounts
from mailaudit.models.files import Access, Allowed, Denied, Files, Gone, Unsure, read_files
from mailaudit.models.sources import Known, Slot, Sources
from mailaudit.questions import Absent, Answer, Failed, Found, Question, ReadFile, Reason, Stat, StatFile
from mailaudit.snapshot import Snapshot

PASSWD = b"""root:*:0:0::/root:/bin/ksh
_smtpd:*:95:95::/var/empty:/sbin/nologin
_dovecot:*:518:518::/nonexistent:/sbin/nologin
vmail:*:2000:2000::/var/vmail:/sbin/nologin
"""
GROUP = b"wheel:*:0:root\n_smtpd:*:95:\n_dovecot:*:518:\nmailers:*:900:vmail\n_maildir:*:901:\n"


def accounts() -> Slot[Accounts]:
    answers: dict[Question, Answer] = {ReadFile("/etc/passwd"): Found(PASSWD), ReadFile("/etc/group"): Found(GROUP)}
    return read_accounts(Sources(Snapshot("h", "h", answers, recorded=True)))


def files(stats: Mapping[str, Stat | Absent | Failed], *paths: str, known: bool = True) -> Files:
    answers: dict[Question, Answer] = {
        StatFile(path): Found(stat) if isinstance(stat, Stat) else stat for path, stat in stats.items()
    }
    return read_files(
        Sources(Snapshot("h", "h", answers, recorded=True)), accounts() if known else Known(Accounts()), paths or tuple(stats)
    )


def file(mode: int, owner: str, group: str) -> Stat:
    return Stat("file", mode, owner, group)


def folder(mode: int, owner: str = "root", group: str = "wheel") -> Stat:
    return Stat("directory", mode, owner, group)


CREDENTIALS = "/etc/mail/credentials"


@pytest.mark.parametrize(
    ("mode", "user", "access", "may"),
    [
        (0o440, "_smtpd", Access.READ, True),
        (0o440, "_dovecot", Access.READ, True),
        (0o440, "vmail", Access.READ, False),
        (0o444, "vmail", Access.READ, True),
        (0o440, "_smtpd", Access.WRITE, False),
        (0o640, "_smtpd", Access.WRITE, True),
        (0o040, "_smtpd", Access.READ, False),  # the owner has the owner's bits alone
        (0o404, "_dovecot", Access.READ, False),  # and the group's members those of the group
        (0o000, "root", Access.READ, True),
        (0o644, "root", Access.EXECUTE, False),
        (0o744, "root", Access.EXECUTE, True),
    ],
)
def test_modes(mode: int, user: str, access: Access, may: bool) -> None:
    found = files({CREDENTIALS: file(mode, "_smtpd", "_dovecot")})
    assert isinstance(found.may(user, CREDENTIALS, access), Allowed if may else Denied)


def test_every_directory_on_the_way_counts() -> None:
    found = files({"/etc/ssl/private": folder(0o700), "/etc/ssl/private/key": file(0o444, "root", "wheel")})
    verdict = found.may("_smtpd", "/etc/ssl/private/key", Access.READ)
    assert isinstance(verdict, Denied)
    assert verdict.path == "/etc/ssl/private"
    assert isinstance(found.may("root", "/etc/ssl/private/key", Access.READ), Allowed)


def test_links_are_followed_and_loops_end() -> None:
    link = Stat("symlink", 0o755, "root", "wheel", target="../ssl/key")
    found = files({"/etc/mail/key": link, "/etc/ssl/key": file(0o400, "root", "wheel")}, "/etc/mail/key")
    assert found.stat("/etc/mail/key") == file(0o400, "root", "wheel")
    assert isinstance(found.may("_smtpd", "/etc/mail/key", Access.READ), Denied)
    around = Stat("symlink", target="/etc/mail/a")
    assert isinstance(files({"/etc/mail/a": around}).stat("/etc/mail/a"), Gone)
    nowhere = files({"/etc/mail/a": Stat("symlink", target="/etc/mail/b"), "/etc/mail/b": Absent()}, "/etc/mail/a")
    assert nowhere.stat("/etc/mail/a") == Gone("/etc/mail/b")


def test_a_linked_directory_is_gone_through() -> None:
    found = files(
        {
            "/var/vmail": Stat("symlink", target="/home/mail"),
            "/home/mail": folder(0o700, "vmail", "vmail"),
            "/home/mail/x": file(0o644, "vmail", "vmail"),
        },
        "/var/vmail/x",
    )
    assert isinstance(found.may("vmail", "/var/vmail/x", Access.READ), Allowed)
    assert isinstance(found.may("_smtpd", "/var/vmail/x", Access.READ), Denied)


def test_what_is_not_known_is_not_told() -> None:
    failed = Failed(Reason.UNREADABLE, "permission denied")
    assert files({CREDENTIALS: failed}).may("vmail", CREDENTIALS, Access.READ) == Unsure(Reason.UNREADABLE, "permission denied")
    assert isinstance(files({}, "/srv/x").stat("/srv/x"), Unsure)
    assert files({CREDENTIALS: Absent()}).may("vmail", CREDENTIALS, Access.READ) == Gone(CREDENTIALS)
    no_mode = files({CREDENTIALS: Stat("file")})
    assert isinstance(no_mode.may("vmail", CREDENTIALS, Access.READ), Unsure)


def test_directories_of_the_system_are_taken_to_be_open_where_their_modes_are_not_known() -> None:
    stats = {"/etc": Stat("directory"), CREDENTIALS: file(0o440, "_smtpd", "_dovecot"), "/srv": Stat("directory")}
    assert isinstance(files(stats).may("_smtpd", CREDENTIALS, Access.READ), Allowed)
    closed = files({**stats, "/etc": folder(0o700)})
    assert isinstance(closed.may("_smtpd", CREDENTIALS, Access.READ), Denied)
    below = files({**stats, "/srv/x": file(0o444, "root", "wheel")})
    assert isinstance(below.may("_smtpd", "/srv/x", Access.READ), Unsure)


def test_without_accounts_membership_is_open_where_it_matters() -> None:
    stats = {CREDENTIALS: file(0o440, "_smtpd", "_dovecot")}
    found = files(stats, known=False)
    assert isinstance(found.may("_smtpd", CREDENTIALS, Access.READ), Allowed)
    assert isinstance(found.may("_dovecot", CREDENTIALS, Access.READ), Allowed)  # its own group
    assert isinstance(found.may("vmail", CREDENTIALS, Access.READ), Unsure)
    assert isinstance(found.may("vmail", CREDENTIALS, Access.WRITE), Denied)


CHILD = """
import json, os, sys
gids, uid, gid, paths = json.loads(sys.argv[1])
os.setgroups(gids); os.setgid(gid); os.setuid(uid)
print(json.dumps([[os.access(path, how) for how in (os.R_OK, os.W_OK, os.X_OK)] for path in paths]))
"""


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder that others can reach: pytest keeps its own to its owner."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_the_kernel_says_the_same(room: Path) -> None:
    """All modes of one digit each for owner, group and others that differ, in directories of every kind, for four users."""
    owners = [("vmail", 2000, "_maildir", 901), ("_smtpd", 95, "mailers", 900), ("root", 0, "wheel", 0)]
    ways = {0o700: ("vmail", 2000), 0o711: ("root", 0), 0o750: ("root", 0)}
    stats: dict[str, Stat | Absent | Failed] = {}
    room.chmod(0o755)
    stats.update({str(parent): folder(0o755) for parent in [room, *room.parents]})
    paths: list[str] = []
    for (way, (name, uid)), (owner, owner_id, group, group_id) in itertools.product(ways.items(), owners):
        below = room / f"{way:o}-{owner}"
        below.mkdir()
        for digits in itertools.product((0, 4, 5, 6), repeat=3):
            mode = digits[0] << 6 | digits[1] << 3 | digits[2]
            path = below / f"{mode:03o}"
            path.touch()
            os.chown(path, owner_id, group_id)
            path.chmod(mode)
            stats[str(path)] = file(mode, owner, group)
            paths.append(str(path))
        os.chown(below, uid, 900)
        below.chmod(way)
        stats[str(below)] = folder(way, name, "mailers")
    found = files(stats)
    users: list[tuple[str, int, int, list[int]]] = [
        ("root", 0, 0, []),
        ("vmail", 2000, 2000, [900]),
        ("_smtpd", 95, 95, []),
        ("_dovecot", 518, 518, []),
    ]
    for user, uid, gid, more in users:
        told = subprocess.run(
            [sys.executable, "-c", CHILD, json.dumps([more, uid, gid, paths])],
            capture_output=True,
            text=True,
            check=True,
            cwd="/",
        )
        for each, kernel in zip(paths, json.loads(told.stdout), strict=True):
            ours = [isinstance(found.may(user, each, access), Allowed) for access in (Access.READ, Access.WRITE, Access.EXECUTE)]
            assert ours == kernel, (user, each, stats[each])
