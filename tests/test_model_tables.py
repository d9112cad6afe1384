"""Credentials, the virtual map and accounts: what smtpd and Dovecot make of their lines."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.accounts import read_accounts
from mailaudit.models.credentials import Credentials, read_credentials
from mailaudit.models.passwords import Password, password_of
from mailaudit.models.services import read_services
from mailaudit.models.smtpd.config import read_smtpd
from mailaudit.models.sources import Known, Lacking, NotHere, Sources
from mailaudit.models.virtuals import DEEPEST, Virtuals, read_aliases, read_virtuals
from mailaudit.questions import Absent, Failed, Found, ListFiles, Question, ReadFile, Reason, Stat, StatFile
from mailaudit.snapshot import Snapshot

NOWHERE = NotHere("there is no smtpd.conf")
HASH = "$2b$10$" + "a" * 53
LINE = f"user@example.com:{HASH}:2000:2000::/var/vmail/example.com/user::"
SMTPD = """\
table users passwd:/etc/mail/users
table people file:/etc/mail/people
table inline { "@" = "vmail" }
action "in" lmtp "/var/dovecot/lmtp" virtual <people>
action "more" lmtp "/var/dovecot/lmtp" virtual <inline>
action "local" mbox alias { root = user@example.com, "abuse" = "|program" }
action "out" relay
pki a cert "/c"
pki a key "/k"
listen on egress port 587 tls-require pki a auth <users>
match from any for domain "example.com" action "in"
match from any for domain "example.net" action "more"
match from local for local action "local"
match from auth for any action "out"
"""


def sources(files: dict[str, str], **more: Any) -> Sources:
    answers: dict[Question, Any] = {ReadFile(path): Found(chars.encode()) for path, chars in files.items()}
    answers |= {ListFiles("/etc/mail/*"): Found(tuple(files)), **more.get("answers", {})}
    return Sources(Snapshot("", "", answers))


def credentials(chars: str, answers: dict[Question, Any] | None = None) -> Credentials:
    slot = read_credentials(sources({"/etc/mail/credentials": chars}, answers=answers or {}), NOWHERE)
    assert isinstance(slot, Known)
    return slot.value


def virtuals(chars: str) -> Virtuals:
    slot = read_virtuals(sources({"/etc/mail/virtuals": chars}), NOWHERE)
    assert isinstance(slot, Known)
    return slot.value


@pytest.mark.parametrize(
    ("written", "password"),
    [
        (HASH, Password("bcrypt", 60)),
        ("$2a$05$" + "." * 53, Password("bcrypt", 60)),
        ("$2y$05$" + "." * 53, Password("bcrypt as other systems mark it", 60)),
        ("$2b$10$short", Password("broken bcrypt", 12)),
        ("$6$salt$hash", Password("sha512-crypt", 12)),
        ("{blf-crypt}" + HASH, Password("{BLF-CRYPT}", 71, "bcrypt")),
        ("{PLAIN}x", Password("{PLAIN}", 8, "plain")),
        ("", Password("empty", 0)),
        ("*", Password("locked", 1)),
        ("x", Password("plain", 1)),
        ("abcdefghijklm", Password("des-crypt", 13)),
        ("{{masked:bcrypt:60:0123}}", Password("bcrypt", 60)),
        ("{{masked:BLF-CRYPT+bcrypt:71:0123}}", Password("{BLF-CRYPT}", 71, "bcrypt")),
    ],
)
def test_the_kind_of_a_password(written: str, password: Password) -> None:
    assert password_of(written) == password


@given(st.text(max_size=80))
def test_a_mask_tells_the_same(written: str) -> None:
    known = password_of(written)
    if ":" not in known.kind and "{" not in known.kind:
        assert password_of(f"{{{{masked:{known.kind}:{len(written)}:00ff}}}}") == known or "masked" in written


def test_no_hash_is_left_out_of_the_secrets() -> None:
    model = credentials(
        f"{LINE}\nbroken@example.com:secretword\nodd:x:{HASH}\n$2b$lonely\nok@example.com:{{{{masked:bcrypt:60:0}}}}:1:1::/h\n"
    )
    assert {value for _, value in model.secrets} == {HASH, "secretword", "x", "$2b$lonely"}
    assert ("bcrypt-10", HASH) in model.secrets
    shown = [problem.message + problem.span.chars for problem in model.refusals]
    assert not any("secretword" in text or HASH in text for text in shown)


def test_the_owner_of_the_mail() -> None:
    passwd = "root:*:0:0::/root:/bin/ksh\nvmail:*:2000:2000::/var/vmail:/sbin/nologin\n"
    found = sources({"/etc/mail/credentials": f"{LINE}\nother@example.com:{HASH}:mail:2000::/h\n", "/etc/passwd": passwd})
    slot = read_credentials(found, NOWHERE)
    assert isinstance(slot, Known)
    assert [entry.owner for entry in slot.value.entries] == ["vmail", "mail"]
    assert credentials(LINE).entries[0].owner is None
    assert credentials(LINE.replace(":2000:2000:", ":²:2000:")).entries[0].owner == "²"


def test_the_stat_of_what_a_link_leads_to() -> None:
    link = StatFile("/etc/mail/credentials")
    end = Stat("file", 0o440, "_smtpd", "_dovecot")
    answers: dict[Question, Any] = {link: Found(Stat("symlink", target="../x/y")), StatFile("/etc/x/y"): Found(end)}
    assert credentials(LINE, answers).stat == end
    assert credentials(LINE, {link: Absent()}).stat == Absent()
    circle = credentials(LINE, {link: Found(Stat("symlink", target="credentials"))}).stat
    assert isinstance(circle, Failed)
    assert circle.reason is Reason.UNREADABLE


def test_the_files_that_smtpd_names() -> None:
    files = {
        "/etc/mail/smtpd.conf": SMTPD,
        "/etc/mail/users": LINE,
        "/etc/mail/people": "user@example.com: vmail\n",
    }
    found = sources(files)
    smtpd = read_smtpd(found, read_services(found))
    users, people, local = read_credentials(found, smtpd), read_virtuals(found, smtpd), read_aliases(found, smtpd)
    assert isinstance(users, Known)
    assert isinstance(people, Known)
    assert isinstance(local, Known)
    assert users.value.path == "/etc/mail/users"
    assert people.value.tables == ("people", "inline")
    assert [leaf.target.value for leaf in people.value.expand("any@example.net")] == ["vmail"]
    assert [leaf.target.value for leaf in local.value.expand("Root+x")] == ["user@example.com"]
    assert [(entry.name, [t.kind for t in entry.targets]) for entry in local.value.entries] == [
        ("root", ["address"]),
        ("abuse", ["command"]),
    ]


def test_a_table_of_another_kind_is_not_read() -> None:
    found = sources({"/etc/mail/smtpd.conf": SMTPD.replace("file:/etc/mail/people", "db:/etc/mail/people.db")})
    slot = read_virtuals(found, read_smtpd(found, read_services(found)))
    assert isinstance(slot, Lacking)


MAP = """\
user+tag@example.com: tagged
user@example.com: mailbox
other+tag: plain-tagged
other: plain
@example.com: domain
"""


@pytest.mark.parametrize(
    ("address", "end"),
    [
        ("User+Tag@Example.COM", "tagged"),
        ("user+else@example.com", "mailbox"),
        ("user@example.com", "mailbox"),
        ("other+tag@example.com", "plain-tagged"),
        ("other+x@example.com", "plain"),
        ("nobody@example.com", "domain"),
    ],
)
def test_the_order_of_looking_up(address: str, end: str) -> None:
    assert [leaf.target.value for leaf in virtuals(MAP).expand(address)] == [end]


def test_a_user_is_looked_up_too() -> None:
    model = virtuals("abuse: postmaster\npostmaster: user@b.c\nuser@b.c: vmail\nroot: root, abuse\n@: other\n")
    assert [(leaf.target.value, leaf.address) for leaf in model.expand("abuse@b.c")] == [("vmail", "user@b.c")]
    assert [leaf.target.value for leaf in model.expand("root@b.c")] == ["vmail", "root"]
    assert not model.loops


def test_a_catch_all_for_everything_takes_addresses_alone() -> None:
    model = virtuals(MAP + "@: anywhere\n")
    assert [leaf.target.value for leaf in model.expand("nobody@example.net")] == ["anywhere"]
    assert [leaf.target.value for leaf in model.expand("user@example.com")] == ["mailbox"]
    assert not model.loops


def test_the_last_of_equal_keys_counts() -> None:
    assert [leaf.target.value for leaf in virtuals("a@b: one\nA@B: two\n").expand("a@b")] == ["two"]


def test_the_ends_of_an_address() -> None:
    model = virtuals("a@b.c: d@b.c, out@else.where, |prog, /file, :include:/list, error:550 no, gone@b.c\nd@b.c: user\n")
    ends = [(leaf.target.kind, leaf.target.value, leaf.address) for leaf in model.expand("a@b.c")]
    assert ends == [
        ("address", "out@else.where", "a@b.c"),
        ("command", "|prog", "a@b.c"),
        ("file", "/file", "a@b.c"),
        ("include", ":include:/list", "a@b.c"),
        ("error", "error:550 no", "a@b.c"),
        ("address", "gone@b.c", "a@b.c"),
        ("user", "user", "d@b.c"),
    ]


def test_loops() -> None:
    model = virtuals("a@b: b@b\nb@b: c@b, vmail\nc@b: b@b\nd@b: d@b\ne@b: a@b\n")
    loops = [[entry.name for entry in loop.entries] for loop in model.loops]
    assert loops == [["b@b", "c@b"], ["d@b"]]
    assert model.loops[0].closing.name == "c@b"


def test_depth() -> None:
    chain = "".join(f"{n}@b: {n + 1}@b\n" for n in range(30)) + "30@b: vmail\n"
    depths = virtuals(chain).depths
    assert depths["30@b"] == 1
    assert depths["0@b"] == 31
    assert sum(steps >= DEEPEST for steps in depths.values()) == 22


def test_a_long_chain_is_followed_promptly() -> None:
    count = 5_000
    model = virtuals("".join(f"{n}@b: {n + 1}@b, {n // 2}@b\n" for n in range(count)))
    assert len(model.depths) == count
    assert model.loops
    assert model.expand("0@b")


@given(
    st.lists(st.tuples(st.sampled_from("abc@"), st.lists(st.sampled_from(["a@x", "b@x", "c@x", "u"]), max_size=3)), max_size=6)
)
def test_any_map_is_walked(rows: list[tuple[str, list[str]]]) -> None:
    lines = "".join(f"{key if key == '@' else key + '@x'}: {', '.join(targets)}\n" for key, targets in rows if targets)
    model = virtuals(lines)
    ends = {address: model.expand(address) for address in ("a@x", "b@x", "c@x", "d@x")}
    looping = {entry.name for loop in model.loops for entry in loop.entries}
    for address, leaves in ends.items():
        if model.lookup(address) is not None and not looping:
            assert leaves
    assert set(model.depths) == set(model.by_name)


def test_accounts() -> None:
    found = sources(
        {
            "/etc/passwd": "root:*:0:0::/root:/bin/ksh\nvmail:*:2000:2000::/var/vmail:/sbin/nologin\nbad:*:²:0::/:/\nshort\n",
            "/etc/group": "wheel:*:0:root,admin\nvmail:*:2000:\n",
        }
    )
    slot = read_accounts(found)
    assert isinstance(slot, Known)
    accounts = slot.value
    assert [user.name.value for user in accounts.users] == ["root", "vmail"]
    user, wheel, vmail = accounts.user_by_id(2000), accounts.group("wheel"), accounts.group_by_id(2000)
    assert user is not None
    assert wheel is not None
    assert vmail is not None
    assert (user.home.value, wheel.members, vmail.members) == ("/var/vmail", ("root", "admin"), ())
    assert accounts.user("root") is accounts.user_by_id(0)
    assert len(accounts.refusals) == 2  # a line too short, and one without a uid


def test_each_domain_has_the_map_of_its_action() -> None:
    files = {
        "/etc/mail/smtpd.conf": SMTPD,
        "/etc/mail/people": "postmaster@example.com: user@example.com\n@example.com: vmail\n",
    }
    found = sources(files)
    slot = read_virtuals(found, read_smtpd(found, read_services(found)))
    assert isinstance(slot, Known)
    assert [entry.name for entry in slot.value.of_domain("Example.com").entries] == ["postmaster@example.com", "@example.com"]
    assert [entry.name for entry in slot.value.of_domain("example.net").entries] == ["@"]
    assert slot.value.of_domain("example.org") is slot.value


def test_an_entry_with_a_target_that_is_none_leads_nowhere() -> None:
    model = virtuals("root: vmail, b o b\nabuse: vmail\n")
    assert [leaf.target.kind for leaf in model.expand("root")] == ["invalid"]
    assert [leaf.target.kind for leaf in model.expand("abuse")] == ["user"]
