"""Where Dovecot has the mail of a user is told as the daemon itself tells it, or not at all."""

from __future__ import annotations

import itertools
import posixpath

import pytest
from daemons import Root, need, roots
from dovecot_running import VERSIONS, running
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.models.dovecot.config import DovecotConfig, read_dovecot
from mailaudit.models.dovecot.passwd_file import lines_of
from mailaudit.models.dovecot.user import MailUser, mail_user
from mailaudit.models.sources import Known
from mailaudit.snapshot import Snapshot
from mailaudit.survey import learned
from mailaudit.text import Text

MAIN = "/etc/dovecot/dovecot.conf"
CREDENTIALS = "/etc/mail/credentials"
USERS = r"""a@one.example:{PLAIN}x:2000:2000::/var/vmail/one.example/a/home::
b@one.example:{PLAIN}x:2000:2000::/h/%d/b::userdb_mail=maildir:~/M/%n
c@one.example:{PLAIN}x:2000:2000::/h/c::mail=maildir:/plain mail_path=/plain
d@one.example:{PLAIN}x:::::
e@one.example:{PLAIN}x:2000:2000::/h/e::userdb_home=/h2/e
Up@One.example:{PLAIN}x:2000:2000::/h/up::
f@one.example:{PLAIN}x:2000:2000::/h/f::userdb_user=a@one.example
a@one.example:{PLAIN}y:2000:2000::/second::
i@one.example:{PLAIN}x:2000:2000::relative/h::
j+t@one.example:{PLAIN}x:2000:2000::/h/j::
k@one.example:{PLAIN}x:2000:2000:/gecos
l@one.example:{PLAIN}x:0:0::/h/l::
m@one.example:{PLAIN}x:no-such-account:2000::/h/m::
o'b@one.example:{PLAIN}x:2000:2000::/h/ob::
 sp@one.example:{PLAIN}x:2000:2000::/h/sp::
n@one.example
#p@one.example:{PLAIN}x:2000:2000::/h/p::
q@one.example:{PLAIN}x:2000:2000::/h/q::userdb_uid=3000
dotted.name@one.example:{PLAIN}x:2000:2000::/h/dot::
r@one.example:{PLAIN}x:2000:2000::/h/r::userdb_mail_path=~/P/%{user|username}
"quoted"@one.example:{PLAIN}x:2000:2000::/h/quoted::
bare:{PLAIN}x:2000:2000::/h/bare::
E"""[:-2]
ASKED = (
    *"abcdefijklmnopqrs",
    "A", "Up", "up", "a+tag", "j+t", "o'b", " sp", "sp", "dotted.name", '"quoted"', "Dotted.Name", "", "..", "%n", "a b",
)  # fmt: skip
FILE = {
    "2.3": "passdb {\n driver = passwd-file\n args = username_format=%u USERS\n}\n"
    "userdb {\n driver = passwd-file\n args = username_format=%u USERS\nEXTRA}\n",
    "2.4": "passdb passwd-file {\n passwd_file_path = USERS\n}\nuserdb passwd-file {\n passwd_file_path = USERS\nEXTRA}\n",
}
INBOX = "namespace inbox {\n inbox = yes\n}\n"
IDS = "mail_uid = 1234\nmail_gid = 1234\n"
PIECES = "mail_path = /x/%{user|domain|upper}/%{user|substr(0,1)}/%{user|substr(-3, 2)}\n"
CASES: dict[str, list[tuple[str, str]]] = {
    "2.3": [
        ("mail_location = maildir:/var/vmail/%d/%n\nmail_home = /mh/%n\n", ""),
        ("mail_location = maildir:~/Maildir:LAYOUT=fs\n", ""),
        ("mail_location = maildir:/x/%Ud/%1n/%n:INBOX=/in/%Un\n", " override_fields = home=/over/%n gid=777\n"),
        ("mail_location = maildir:/x/%u/%h/%.2u\n", " default_fields = home=/default/%n uid=555 mail=maildir:/dm/%n\n"),
        ("mail_location = maildir:/x/%{user}/%{username}/%{domain}\nauth_username_format = %u\n", ""),
        ("mail_location = maildir:/x/%u\nauth_username_chars =\nauth_default_realm = one.example\n", ""),
        ("mail_location = maildir:/x/%n\nauth_username_translation = #@%+\nauth_username_format = %Ln@%d\n", ""),
        ("mail_location = maildir:/x/%n\nauth_username_format = %n\nmail_home = ~/y\n", ""),
    ],
    "2.4": [
        (
            "mail_driver = maildir\nmail_path = /var/vmail/%{user |domain}/%{user|username}\nmail_home = /mh/%{user|username}\n",
            "",
        ),
        ("mail_driver = maildir\nmail_path = ~/Maildir\nmailbox_list_layout = fs\n", ""),
        (
            "mail_driver = maildir\nmail_inbox_path = /in/%{user|username|upper}\n" + PIECES,
            " fields {\n  home = /over/%{user|username}\n  gid = 777\n }\n",
        ),
        ("mail_driver = maildir\nmail_path = /x/%{user}/%{home}\nauth_username_format = %{user}\n", ""),
        ("mail_driver = maildir\nmail_path = /x/%d/%n\nauth_username_chars =\nauth_default_domain = one.example\n", ""),
        ("mail_driver = maildir\nmail_path = /x/%{user}\nauth_username_format = %{user|username|lower}\n", ""),
    ],
}
OWN_INBOX = {
    "2.3": INBOX.replace("yes\n", "yes\n location = maildir:~/ns/%n\n separator = /\n"),
    "2.4": INBOX.replace("yes\n", "yes\n mail_path = ~/ns/%{user|username}\n separator = /\n"),
}


def model(text: str, users: str, family: str = "2.3", **files: str) -> DovecotConfig:
    """The model of a dovecot.conf and a file of users beside it; the host's accounts are known."""
    paths = {MAIN: VERSIONS[family] + text.replace("USERS", CREDENTIALS), CREDENTIALS: users}
    paths["/etc/passwd"] = (
        "root:*:0:0::/root:/bin/ksh\nvmail:*:2000:2000::/var/vmail:/sbin/nologin\nanna:*:1000:1000::/home/anna:\n"
    )
    paths["/etc/group"] = "wheel:*:0:\nvmail:*:2000:\n"
    paths.update({name.replace("_", "/"): chars for name, chars in files.items()})
    world = MemoryWorld(MemoryDirectory.of({path: chars.encode() for path, chars in paths.items()}), "h", "t")
    slot = learned(Snapshot("h", "t", recorded=world.recorded), world.ask, read_dovecot)
    assert isinstance(slot, Known)
    return slot.value


def addresses() -> list[str]:
    return [f"{name}@one.example" for name in ASKED] + ["bare", "Bare", "anna", "a@ONE.example", "a@one.example@two.example"]


def differences(found: MailUser, said: dict[str, str], inbox: str | None, junk: str | None) -> list[str]:
    """How our answer differs from the daemon's; what is not known differs from nothing."""
    out: list[str] = []
    exists = bool(said)
    opens_no_mail = found.exists and not exists and found.mail.value is None  # the daemon then says nothing of the user either
    if found.exists is not None and found.exists != exists and not opens_no_mail:
        out.append(f"exists: {found.exists}, daemon {exists}")
    if not exists or not found.exists:
        return out
    ours = {"uid": found.uid.value, "gid": found.gid.value, "home": found.home.value}
    out += [
        f"{name}: {ours[name]}, daemon {said.get(name)}" for name in ours if ours[name] is not None and ours[name] != said[name]
    ]
    inbox, junk = (posixpath.normpath(path) if path else None for path in (inbox, junk))
    out += [f"inbox: {found.inbox_path.value}, daemon {inbox}"] if found.inbox_path.value not in (None, inbox) else []
    folder = found.folder("Junk")
    out += [f"Junk: {folder}, daemon {junk}"] if junk is not None and folder not in (None, junk) else []
    return out


def test_a_line_decides_over_settings() -> None:
    text = "mail_location = maildir:/x/%d/%n\nmail_home = /mh/%n\n" + FILE["2.3"].replace("EXTRA", "") + INBOX
    found = mail_user(model(text, USERS), "B@one.example")
    assert (found.login, found.may_log_in, found.exists) == ("b@one.example", True, True)
    assert (found.mail.value, found.format.value, found.folder("Junk")) == ("/h/%d/b/M/b", "maildir", "/h/%d/b/M/b/.Junk")
    assert found.mail.place is not None
    assert found.mail.place.chars == "userdb_mail=maildir:~/M/%n"
    assert [span.chars for span in found.mail.overrides] == ["maildir:/x/%d/%n"]
    assert [span.chars for span in found.home.overrides] == ["/mh/%n"]
    assert found.home.place is not None
    assert (found.home.place.path, found.home.place.line) == (CREDENTIALS, 2)


def test_who_is_not_in_a_file_is_known_only_where_all_databases_are_files() -> None:
    file = FILE["2.3"].replace("EXTRA", "")
    sql = "passdb {\n driver = sql\n args = /s\n}\nuserdb {\n driver = sql\n args = /s\n}\n"
    place = "mail_location = maildir:~/Maildir\n"
    assert mail_user(model(place + file, USERS), "x@one.example").may_log_in is False
    assert mail_user(model(place + file + sql, USERS), "x@one.example").may_log_in is None
    before = mail_user(model(place + sql + file, USERS), "a@one.example")
    assert (before.may_log_in, before.exists, before.known_by, before.mail.value) == (True, True, None, None)
    assert "driver sql" in before.mail.why
    absent = mail_user(model(place + file.replace("USERS", "/etc/none"), USERS), "a@one.example")
    assert (absent.may_log_in, absent.exists, absent.why) == (None, None, "/etc/none could not be read")


def test_accounts_of_the_system() -> None:
    system = "passdb {\n driver = bsdauth\n}\nuserdb {\n driver = passwd\n}\n" + FILE["2.3"].replace("EXTRA", "")
    config = model("mail_location = maildir:/x/%n\n" + system, USERS)
    assert mail_user(config, "anna").exists is None
    assert mail_user(config, "nobody").exists is False
    assert [each.found for each in mail_user(config, "a@one.example").userdbs] == [False, True]


def test_lmtp_looks_the_plain_address_up() -> None:
    config = model("mail_location = maildir:/x/%d/%n\n" + FILE["2.3"].replace("EXTRA", ""), USERS)
    found = mail_user(config, "A+list@one.example", "lmtp")
    assert (found.login, found.exists, found.may_log_in, found.mail.value) == ("a@one.example", True, None, "/x/one.example/a")
    assert mail_user(config, "a+list@one.example").why == "auth_username_chars does not allow '+' in a name"


def test_a_database_that_denies() -> None:
    deny = "passdb {\n driver = passwd-file\n args = /etc/deny\n deny = yes\n}\n"
    text = deny + FILE["2.3"].replace("EXTRA", "")
    assert mail_user(model(text, USERS, _etc_deny="a@one.example:\n"), "a@one.example").may_log_in is False
    assert mail_user(model(text, USERS, _etc_deny="a@one.example:\n"), "b@one.example").may_log_in is True
    assert mail_user(model(text, USERS), "a@one.example").may_log_in is None


def test_passwords_of_any_file_are_secrets() -> None:
    text = "passdb {\n driver = passwd-file\n args = /etc/own\n}\n"
    config = model(text, "", _etc_own="a:{PLAIN}hunter2:1:1\nb:{{masked:bcrypt:60:abc}}:1:1\nc:\n")
    assert [value for _, value in config.secrets] == ["{PLAIN}hunter2"]


PIECE = st.sampled_from(
    [
        "a@one.example",
        "A",
        ":",
        "::",
        "\n",
        "\r\n",
        "#",
        " ",
        "2000",
        "0",
        "vmail",
        "/h",
        "userdb_mail=maildir:~/x",
        "%",
        "%{",
        "é",
        "\0",
    ]
)


@given(st.lists(PIECE | st.text(max_size=5), max_size=40).map("".join))
def test_any_file_of_users_is_read(text: str) -> None:
    found = lines_of(Text.of(CREDENTIALS, text))
    for name, line in found.items():
        assert line.span.chars == name == line.name
        assert all(one.end < two.start + 1 for one, two in itertools.pairwise(line.fields))
        assert "".join(span.chars for span in line.fields).replace(":", "") in text.replace(":", "")
        assert line.is_user(None) in (True, False, None)


@pytest.mark.parametrize("family", ["2.3", "2.4"])
def test_any_name_has_an_answer(family: str) -> None:
    settings, extra = CASES[family][2]
    config = model(settings + FILE[family].replace("EXTRA", extra) + INBOX, USERS, family)

    @given(st.lists(PIECE | st.text(max_size=5), max_size=6).map("".join), st.sampled_from(["imap", "lmtp", "sieve"]))
    def check(address: str, protocol: str) -> None:
        found = mail_user(config, address, protocol)
        assert found.exists is not None or found.why
        assert found.mail.value is None or found.mail.value.startswith("/")

    check()


@pytest.mark.daemon
@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_users_are_told_as_doveadm_tells_them(root: Root, number: int) -> None:
    need(root, "doveadm")
    family = ".".join(root.run("dovecot", "--version").stdout.split(".")[:2])
    if number >= len(CASES[family]):
        pytest.skip(f"there are {len(CASES[family])} cases for Dovecot {family}")
    settings, extra = CASES[family][number]
    text = settings + IDS + FILE[family].replace("EXTRA", extra) + (OWN_INBOX[family] if number % 3 else INBOX)
    config = model(text, USERS, family)
    wrong: list[str] = []
    told = 0
    with running(root, family, text, USERS) as daemon:
        for address in addresses():
            said = daemon.field(address)
            inbox = daemon.path(address, "INBOX") if said else None
            junk = daemon.path(address, "Junk") if said and address[0] in "abdg" else None
            found = mail_user(config, address, "doveadm")
            told += found.inbox_path.value is not None
            wrong += [f"{address}: {each}" for each in differences(found, said, inbox, junk)]
    assert not wrong, "\n".join(wrong)
    assert told > 0
