"""master.passwd, reduced as a snapshot has it, adds login classes to users; lines that name no account are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.agreement import system as agreement
from mailaudit.models.accounts import Accounts, read_accounts
from mailaudit.models.passwords import password_of
from mailaudit.models.sources import Known, Missing
from mailaudit.parsers.accounts import MASTER
from mailaudit.parsers.tree import gaps, nothing, render
from mailaudit.text import Text

FIXTURE = Path(__file__).parent / "fixtures" / "configs" / "master.passwd" / "master.passwd"
HASH = "$2b$10$" + "x" * 53


def model(**files: str) -> Accounts:
    slot = read_accounts(agreement.sources({f"/etc/{name.replace('_', '.')}": data.encode() for name, data in files.items()}))
    assert isinstance(slot, Known)
    return slot.value


def test_master_passwd_adds_class_password_and_expiry() -> None:
    found = model(
        passwd="root:*:0:0:r:/root:/bin/ksh\nguest:*:1001:1001::/home/guest:/bin/ksh\nelse:*:7:7::/:/\n",
        master_passwd=FIXTURE.read_text(),
    )
    root, guest, other = (found.user(name) for name in ("root", "guest", "else"))
    assert found.has_master
    assert root is not None
    assert root.secret is not None
    assert (root.secret.login_class.value, root.secret.password.scheme, root.secret.password.length) == ("daemon", "bcrypt", 60)
    assert root.secret.has_password
    assert root.secret.login_class.span.chars == "daemon"
    assert guest is not None
    assert guest.secret is not None
    assert (guest.secret.password.scheme, guest.secret.has_password, guest.secret.expire) == ("empty", False, 1798761600)
    assert other is not None
    assert other.secret is None


def test_users_come_from_master_passwd_where_passwd_is_not_there() -> None:
    found = model(master_passwd=FIXTURE.read_text())
    assert [user.name.value for user in found.users] == ["root", "vmail", "guest"]
    vmail = found.user_by_id(2000)
    assert vmail is not None
    assert vmail.secret is not None
    assert (vmail.home.value, vmail.shell.value, vmail.secret.has_password) == ("/var/vmail", "/sbin/nologin", False)


def test_lines_that_name_no_account_are_refused() -> None:
    found = model(master_passwd=FIXTURE.read_text(), group="wheel:*:0:root\nstaff:*:x:root\nshort:*\n+:::\n")
    assert [(problem.span.path, problem.span.line, problem.message) for problem in found.refusals] == [
        ("/etc/master.passwd", 5, "expected 10 fields between colons, found 4"),
        ("/etc/master.passwd", 6, "expected 10 fields between colons, found more"),
        ("/etc/group", 3, "expected 4 fields between colons, found 2"),
        ("/etc/master.passwd", 7, 'expected a number as the uid, found "six"'),
        ("/etc/group", 2, 'expected a number as the gid, found "x"'),
    ]


def test_an_empty_id_is_refused_at_a_place_that_can_be_shown() -> None:
    [problem] = model(passwd="a:*::5::/:/bin/sh\n").refusals
    assert problem.span.chars == ":"


def test_without_either_there_are_no_accounts() -> None:
    assert isinstance(read_accounts(agreement.sources({})), Missing)


def test_a_hash_that_is_there_all_the_same_is_a_secret() -> None:
    found = model(passwd="a:x:5:5::/:/bin/sh\n", master_passwd=f"a:{HASH}:5:5::0:0::/:/bin/sh\nb:{HASH}\n")
    assert found.secrets == (("bcrypt-10", HASH), ("bcrypt-10", HASH))


@pytest.mark.parametrize("written", ["{A}" * 100_000, "$" * 100_000, "*" * 100_000])
def test_hostile_passwords_have_a_kind(written: str) -> None:
    assert password_of(written).length == len(written)


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="a:0#\n{}$+", max_size=80).map(str.encode)))
def test_any_bytes_are_kept(data: bytes) -> None:
    tree = MASTER.parse(Text("/etc/master.passwd", data), nothing)
    assert render(tree) == data
    assert all(MASTER.trivia.fullmatch(gap.chars) for gap in gaps(tree))
    read_accounts(agreement.sources({"/etc/master.passwd": data, "/etc/passwd": data, "/etc/group": data}))
