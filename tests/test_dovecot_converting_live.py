"""What `fix --to dovecot-2.4` writes, on Dovecot 2.4 itself: it is taken, and does what 2.3 did with what it was made of."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from daemons import HERE, NEWER, Root, need, roots
from dovecot_running import Running, running
from dovecot_serving import AROUND, Serving, ports, room_in, serving

from bench.agreement import CORPORA
from bench.agreement.dovecot import FOLDER, MAIN, model_of
from bench.agreement.dovecot_conversion import conversion_of, host_files, trees, written
from bench.agreement.dovecot_dumps import differences
from mailaudit.models.dovecot.settings import NEW, OLD

EXAMPLES = Path(__file__).parents[1] / "examples"
needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of real files are not beside this checkout")
pytestmark = [
    pytest.mark.daemon,
    pytest.mark.skipif(not (NEWER / "usr").is_dir(), reason="Debian 13's daemons are not in .lab (make newer)"),
]


NEW_ROOT = Root("newer", NEWER)
_NOT_INSTALLED = re.compile(r"Unknown section name: (?:mysql|pgsql)|bind: Unknown setting")


Room = tuple[Root, Path]
"""A root with 2.4, and a folder in it."""


@pytest.fixture(params=roots()[1:], ids=lambda root: root.name)
def room(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Room]:
    root: Root = request.param
    need(root, "doveconf")
    made = root.room(tmp_path)
    yield root, made
    shutil.rmtree(made)


def accepted(room: Room, files: Mapping[str, bytes]) -> tuple[str, str]:
    """What doveconf of 2.4 prints of files, and what it says against them."""
    root, folder = room
    inside = root.inside(folder)
    for path, data in files.items():
        place = folder / path.removeprefix(f"{FOLDER}/").lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(re.sub(rb"(!include\w* +)/etc/dovecot/", rb"\1" + inside.encode() + b"/", data))
    done = root.run("doveconf", "-n", "-c", f"{inside}/dovecot.conf")
    wrong = [line for line in done.stderr.splitlines() if re.search(r"Fatal|Error", line) and "setmntent" not in line]
    return done.stdout, wrong[0] if wrong else ""


@pytest.mark.parametrize("name", ["corrected", "as-published"])
def test_dovecot_takes_the_converted_examples(room: Room, name: str) -> None:
    files = {path: data for path, data in host_files(EXAMPLES / name).items() if path.startswith("/etc/")}
    after = written(files, conversion_of(files))
    _, wrong = accepted(room, {path: data.replace(b"mail_plugin_dir", b"#mail_plugin_dir") for path, data in after.items()})
    assert wrong == ""


@needs_corpora
def test_dovecot_takes_the_converted_trees(room: Room) -> None:
    root, folder = room
    taken = 0
    for number, (name, files) in enumerate(trees(CORPORA)):
        made = conversion_of(files)
        if made.left:
            continue
        after = written(files, made)
        printed, wrong = accepted((root, folder / str(number)), after)
        if _NOT_INSTALLED.search(wrong):
            continue
        assert (name, wrong) == (name, "")
        found = differences(model_of(after, NEW), printed)
        found = [each for each in found if "doveconf has protocols/" not in each]  # in files of Debian's packages
        assert (name, found) == (name, [])
        taken += 1
    assert taken > 28


LIVE = """
protocols = imap lmtp
ssl = no
disable_plaintext_auth = no
mail_plugins = quota
passdb {
  driver = passwd-file
  args = scheme=PLAIN username_format=%u ROOM/users
}
userdb {
  driver = passwd-file
  args = username_format=%u ROOM/users
  default_fields = uid=1000 gid=1000 home=ROOM/mail/%d/%n
}
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
  location =
  mailbox Junk {
    auto = create
    special_use = \\Junk
  }
}
protocol lmtp {
  mail_plugins = $mail_plugins sieve
}
protocol imap {
  mail_plugins = $mail_plugins imap_sieve
}
plugin {
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_before = ROOM/before.sieve
  imapsieve_mailbox1_name = Junk
  imapsieve_mailbox1_before = file:ROOM/spam.sieve
  imapsieve_mailbox2_name = *
  imapsieve_mailbox2_from = Junk
  imapsieve_mailbox2_causes = COPY
  imapsieve_mailbox2_before = file:ROOM/ham.sieve
  sieve_plugins = sieve_imapsieve sieve_extprograms
  sieve_global_extensions = +vnd.dovecot.pipe +vnd.dovecot.environment
  quota = maildir:User quota
  quota_rule = *:storage=1M
  quota_grace = 0
}
"""
LIVE_FILES = {
    "users": (
        b"anna@example.org:{PLAIN}secret::::::\nbob@example.org:secret::::::userdb_mail=maildir:~/Other/%n\n"
        b"carl@example.org:{MD5-CRYPT}$1$abcdefgh$cHJi5PXp/ki/ktXzqlk6I1::::::\n"  # 2.4 takes it only where it is told to
    ),
    "before.sieve": b'require ["fileinto"];\nif header :contains "X-Spam" "yes" { fileinto "Junk"; stop; }\n',
    "spam.sieve": b'require ["imap4flags", "vnd.dovecot.environment"];\naddflag "\\\\Flagged";\n',
    "ham.sieve": b'require ["imap4flags"];\naddflag "\\\\Answered";\n',
}
OWN_SCRIPT = 'require ["fileinto", "mailbox"];\nif header "Subject" "mine" { fileinto :create "Mine"; }\n'


def observed(server: Serving) -> list[object]:
    """What a server does with messages, a login, and copies to and from Junk."""
    seen: list[object] = [server.deliver("Anna@example.org", "one"), server.deliver("bob@example.org", "two")]
    home = server.room / "mail" / "example.org" / "anna"
    (home / "sieve").mkdir()
    (home / "sieve" / "own.sieve").write_text(OWN_SCRIPT)
    (home / ".dovecot.sieve").symlink_to("sieve/own.sieve")
    seen += [server.deliver("anna@example.org", "mine"), server.deliver("anna@example.org", "spam", "X-Spam: yes")]
    seen.append(server.deliver("anna@example.org", "big", *(f"X-{number}: {'x' * 900}" for number in range(1200)))[0])
    with server.login("anna@example.org", "secret") as session:
        seen.append(sorted(map(str, session.list()[1])))
        seen.append(session.select("INBOX"))
        seen.append(session.copy("1", "Junk")[0])
        seen.append(session.select("Junk"))
        seen.append(session.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        seen.append(session.copy("2", "INBOX")[0])
        session.select("INBOX")
        seen.append(session.fetch("1:*", "(FLAGS)"))
    with server.login("carl@example.org", "secret") as session:
        seen.append(session.select("INBOX"))
    mail = server.room / "mail"
    seen.append(sorted(str(path.relative_to(mail)) for path in mail.rglob("cur")))
    return seen


def test_the_converted_host_does_the_same() -> None:
    seen = []
    for root, is_new in ((HERE, False), (NEW_ROOT, True)):
        need(root, "dovecot")
        with room_in(root) as place:
            inside = root.inside(place)
            imap, lmtp = ports(2)
            text = (AROUND + LIVE).replace("ROOM", inside).replace("IMAP", str(imap)).replace("LMTP", str(lmtp))
            files = {MAIN: text.encode(), **{f"{inside}/{name}": data for name, data in LIVE_FILES.items()}}
            if is_new:
                made = conversion_of(files)
                assert made.left == ()
                files = written(files, made)
            named = {path.rpartition("/")[2]: data for path, data in files.items()}
            with serving(root, place, named, imap, lmtp) as server:
                seen.append(observed(server))
    assert seen[1] == seen[0]
    assert "\\Flagged" in str(seen[0])
    assert "\\Answered" in str(seen[0])
    assert "Mine" in str(seen[0])
    assert seen[0][4] != 250


# The corrected example

SERVED = AROUND.replace("first_valid_uid = 1\n", "").replace("inet_listener imap {", "inet_listener imaps {")
LEARN = '#!/bin/sh\nprintf "%s %s\\n" "$0" "$1" >>ROOM/mail/learned\n'


def example_in(inside: str, ports_: tuple[int, int, int]) -> dict[str, bytes]:
    """The corrected example's Dovecot by its paths on the host, in a room of a test: what it names lies there too."""
    imaps, lmtp, sieve = ports_
    moved = {
        "/var/vmail": f"{inside}/mail",
        "/etc/mail/credentials": f"{inside}/credentials",
        "/usr/local/lib/dovecot/sieve": f"{inside}/sieve",
        "mail_plugin_dir": "#mail_plugin_dir",
        "/etc/ssl/mail.example.com.pem": f"{inside}/certificate",
        "/etc/ssl/private/mail.example.com.key": f"{inside}/key",
        "ssl_dh": "#ssl_dh",
        "user = vmail": "user = nobody",
        "4190": str(sieve),
    }
    files: dict[str, bytes] = {}
    for path, data in host_files(EXAMPLES / "corrected").items():
        text = data.decode()
        for old, new in moved.items():
            text = text.replace(old, new)
        name = path.removeprefix("/etc/dovecot/").removeprefix("/usr/local/lib/dovecot/").removeprefix("/etc/mail/")
        place = path if path.startswith(FOLDER) else f"{inside}/{name}"
        files[place] = (LEARN if name.endswith(".sh") else text).replace("ROOM", inside).encode()
    text = SERVED.replace("ROOM", inside).replace("IMAP", str(imaps)).replace("LMTP", str(lmtp))
    files[f"{FOLDER}/local.conf"] += text.encode()
    users = re.sub(r":[^:]*:", ":{PLAIN}secret:", files[f"{inside}/credentials"].decode(), count=1)
    files[f"{inside}/credentials"] = users.encode()
    return files


def certificate(room: Path) -> None:
    """A certificate of a test's own."""
    names = ["-out", str(room / "certificate"), "-keyout", str(room / "key"), "-subj", "/CN=mail.example.com"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *names]
    subprocess.run(command, check=True, capture_output=True)


def learned(server: Serving) -> list[object]:
    """What the example does with mail, and with what a user moves."""
    user = "example_user@example.com"
    seen: list[object] = [server.deliver(user, "ham"), server.deliver(user, "spam", "X-Spam: yes")]
    with server.login(user, "secret", tls=True) as session:
        seen.append(sorted(map(str, session.list()[1])))
        seen.append(session.select("INBOX"))
        seen.append(session.copy("1", "Junk")[0])
        seen.append(session.select("Junk"))
        seen.append(session.copy("1", "INBOX")[0])
        session.select("INBOX")
        seen.append(session.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
    mail = server.room / "mail"
    seen.append(sorted(str(path.relative_to(mail)) for path in mail.rglob("cur")))
    lines = (mail / "learned").read_text().split()
    seen.append([word.rpartition("/")[2] for word in lines])
    return seen


def test_the_converted_example_does_the_same() -> None:
    seen = []
    for root, is_new in ((HERE, False), (NEW_ROOT, True)):
        need(root, "dovecot")
        with room_in(root) as place:
            inside = root.inside(place)
            certificate(place)
            imaps, lmtp, sieve = ports(3)
            files = example_in(inside, (imaps, lmtp, sieve))
            if is_new:
                made = conversion_of(files)
                assert made.left == ()
                files = written(files, made)
            named = {path.removeprefix(f"{FOLDER}/").removeprefix(f"{inside}/"): data for path, data in files.items()}
            with serving(root, place, named, imaps, lmtp) as server:
                seen.append(learned(server))
    assert seen[1] == seen[0]
    assert seen[0][-1] == ["learn-spam.sh", "example_user@example.com", "learn-ham.sh", "example_user@example.com"]


# Logins

ITS_OWN = re.compile(r"^(?:dovecot_\w+_version|protocols) =.*\n", re.MULTILINE)  # what `running` says itself
HASHED = "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."
LOGINS = (("anna", "secret"), ("anna", "wrong"), ("anna", HASHED), ("bob", "secret"), ("bob", "{PLAIN}secret"))


def may_log_in(root: Root, family: str, settings: str, users: str) -> list[int]:
    """The status of `doveadm auth test` for each login."""
    with running(root, family, settings, users) as server:
        return [root.run("doveadm", "-c", server.config, "auth", "test", *login).returncode for login in LOGINS]


def test_who_may_log_in_stays() -> None:
    need(HERE, "dovecot")
    text = "passdb {\n  driver = passwd-file\n  args = USERS\n}\nmail_location = maildir:~/M\n"
    users = f"anna:{HASHED}:1000:1000::/h::\nbob:{{PLAIN}}secret:1000:1000::/h::\n"
    files = {MAIN: f"protocols = none\n{text}".replace("USERS", f"{FOLDER}/users").encode(), f"{FOLDER}/users": users.encode()}
    made = conversion_of(files)
    assert made.left == ()
    after = written(files, made)[MAIN].decode().replace(f"{FOLDER}/users", "USERS")
    settings = ITS_OWN.sub("", after)
    before = may_log_in(HERE, OLD, text, users)
    assert may_log_in(NEW_ROOT, NEW, settings, users) == before
    assert [status == 0 for status in before] == [True, False, False, True, False]


# Users

STATIC = "passdb {\n driver = static\n args = nopassword=y\n}\n"
FOR_ALL = "userdb {\n driver = static\n args = uid=1000 gid=1000 allow_all_users=yes home=/h/%u MAIL\n}\n"
OF_FILE = """passdb {
  driver = passwd-file
  args = username_format=FORMAT scheme=PLAIN USERS
}
userdb {
  driver = passwd-file
  args = username_format=FORMAT USERS
  default_fields = uid=1000 gid=1000 home=/h/%d/%n
}
"""
LIVE_USERS = (
    "anna@x.org:{PLAIN}p:1000:1000::/home/%d/%n::userdb_mail=maildir:~/own/%u\n"
    "bob@x.org:p:::::\ncarl:p:::::\nanna:p::::::userdb_mail=mbox:~/mail:INBOX=/var/mail/%n\n"
)
PLACES = {
    "hashed": STATIC + FOR_ALL.replace("MAIL", "mail=mdbox:/m/%2Mu/%4.2Mu/%u") + "mail_location = maildir:~/M\n",
    "layout": STATIC
    + FOR_ALL.replace("MAIL", "")
    + "mail_location = maildir:%h/M:LAYOUT=fs:INBOX=~/in:INDEX=/i/%u\n"
    + "namespace {\n inbox = yes\n separator = /\n prefix = INBOX/\n}\n",
    "namespace": STATIC
    + FOR_ALL.replace("MAIL", "")
    + "mail_location = mbox:~/mail:INBOX=/var/mail/%n\nnamespace inbox {\n inbox = yes\n location = sdbox:~/%d/box\n}\n",
    "instead": STATIC
    + FOR_ALL.replace("MAIL", "mail=maildir:~/own")
    + "mail_location = sdbox:~/M:INDEX=/i/%u:SUBSCRIPTIONS=s:LISTINDEX=x\nnamespace {\n inbox = yes\n}\n",
    "own": OF_FILE.replace("FORMAT", "%u") + "mail_location = maildir:~/M:INBOX=~/in:LAYOUT=fs:INDEX=/i/%u:CONTROL=/c/%u\n",
    "local part": OF_FILE.replace("FORMAT", "%n") + "mail_location = maildir:~/M\n",
    "login": OF_FILE.replace("FORMAT", "%u") + "mail_location = maildir:/v/%n\nauth_username_format = %Ln\n",
    "home": OF_FILE.replace("FORMAT", "%u").replace(" home=/h/%d/%n", "")
    + "mail_home = /data/%1n/%Ud/%n\nmail_location = sdbox:~/box\n",
}


def found(server: Running) -> list[tuple[str | None, ...]]:
    """Home, ids, and mailboxes of each user."""
    rows = []
    for user in ("anna@x.org", "Bob@X.org", "carl", "anna", "dora@x.org"):
        field = server.field(user)
        paths = [server.path(user, mailbox) for mailbox in ("INBOX", "Junk")] if field else []
        rows.append((user, field.get("home"), field.get("uid"), field.get("gid"), *paths))
    return rows


@pytest.mark.parametrize("name", PLACES)
def test_users_are_where_they_were(name: str) -> None:
    need(HERE, "dovecot")
    with running(HERE, OLD, PLACES[name], LIVE_USERS) as server:
        before = found(server)
    users = f"{FOLDER}/users"
    text = f"protocols = none\n{PLACES[name]}".replace("USERS", users)
    files = {MAIN: text.encode(), users: LIVE_USERS.encode()}
    made = conversion_of(files)
    assert made.left == ()
    after = written(files, made)
    settings = after[MAIN].decode().replace(users, "USERS")
    settings = ITS_OWN.sub("", settings)
    with running(NEW_ROOT, NEW, settings, after[users].decode()) as server:
        assert found(server) == before
    assert any(row[4:5] for row in before)
