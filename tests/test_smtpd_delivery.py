"""Where mail for a recipient ends, as smtpd works it out; the order of looking up is asked of smtpd itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from daemons import Root, need, roots
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit.models.accounts import read_accounts
from mailaudit.models.services import read_services
from mailaudit.models.smtpd.config import read_smtpd
from mailaudit.models.smtpd.delivery import Delivery, deliver
from mailaudit.models.smtpd.maps import Maps, read_maps
from mailaudit.models.smtpd.match import Session
from mailaudit.models.sources import Known, Sources
from mailaudit.questions import Command, CommandOutput, Failed, Found, Question, ReadFile, Reason, RunCommand
from mailaudit.snapshot import Snapshot

PASSWD = """\
root:*:0:0::/root:/bin/sh
vmail:*:2000:2000::/var/vmail:/sbin/nologin
bob:*:1000:1000::/home/bob:/bin/sh
carol:*:1001:1001::/home/carol:/bin/sh
"""
CONF = """\
table virtuals file:/etc/mail/virtuals
table aliases file:/etc/mail/aliases
action "inbound" maildir "/var/vmail/%{dest.domain:lowercase}/%{dest.user:lowercase|strip}/Maildir" virtual <virtuals>
action "local" mbox alias <aliases>
action "out" relay
match from any for domain "example.com" action "inbound"
match for local action "local"
match from local for any action "out"
"""
VIRTUALS = """\
user@example.com: vmail
user+tag@example.com: root@example.org
bob@example.com: bob, user@example.com
postmaster@example.com: user@example.com
off@example.com: somebody@example.org
cmd@example.com: |/bin/prog
file@example.com: /var/mail/x
list@example.com: :include:/etc/mail/list
gone@example.com: nobodyhere
err@example.com: error:550 go away
later@example.com: error:450 not now
bad@example.com: a b c
loop@example.com: pool@example.com
pool@example.com: loop@example.com
admin@example.com: root
bare: vmail
"""
ALIASES = "root: user@example.com\npostmaster: root\nforward: |/bin/prog\n"


def maps(files: dict[str, str] | None = None, **answers: Any) -> Maps:
    known = {
        "/etc/mail/smtpd.conf": CONF,
        "/etc/mail/virtuals": VIRTUALS,
        "/etc/mail/aliases": ALIASES,
        "/etc/passwd": PASSWD,
        "/etc/mail/mailname": "host7.example.com\n",
        **(files or {}),
    }
    found: dict[Question, Any] = {ReadFile(path): Found(chars.encode()) for path, chars in known.items() if chars}
    found |= {ReadFile(path): answer for path, answer in answers.get("more", {}).items()}
    if "release" in answers:
        found[RunCommand(Command.UNAME)] = Found(CommandOutput(0, f"OpenBSD {answers['release']} amd64\n"))
    sources = Sources(Snapshot("", "", found))
    slot = read_maps(sources, read_smtpd(sources, read_services(sources)), read_accounts(sources))
    assert isinstance(slot, Known)
    return slot.value


def ends(delivery: Delivery) -> list[tuple[str, str | None, str | None]]:
    return [(end.kind, end.where, end.user) for end in delivery.ends]


USER = ("maildir", "/var/vmail/example.com/user/Maildir", "vmail")


@pytest.mark.parametrize(
    ("recipient", "answer", "expected"),
    [
        ("User@Example.COM", "accept", [USER]),
        ("user+else@example.com", "accept", [USER]),
        ("postmaster@example.com", "accept", [USER]),
        ("bob@example.com", "accept", [("maildir", "/var/vmail/example.com/bob/Maildir", "bob"), USER]),
        ("off@example.com", "accept", [("relay", "example.org", None)]),
        ("user+tag@example.com", "accept", [("relay", "example.org", None)]),
        ("cmd@example.com", "accept", [("command", "/bin/prog", "_smtpd")]),
        ("file@example.com", "accept", [("file", "/var/mail/x", "_smtpd")]),
        ("bare@example.com", "accept", [("maildir", "/var/vmail/example.com/bare/Maildir", "vmail")]),
        ("admin@example.com", "accept", [("maildir", "/var/vmail/example.com/admin/Maildir", "root")]),
        ("gone@example.com", "reject", []),
        ("unknown@example.com", "reject", []),
        ("err@example.com", "reject", []),
        ("later@example.com", "tempfail", []),
        ("bad@example.com", "tempfail", []),
        ("loop@example.com", "reject", []),
        ("user@example.net", "reject", []),
        ("root@localhost", "reject", []),
    ],
)
def test_mail_from_outside(recipient: str, answer: str, expected: list[tuple[str, str | None, str | None]]) -> None:
    delivery = deliver(maps(), Session(), recipient)
    assert (delivery.answer, ends(delivery), delivery.gaps) == (answer, expected, ())


def test_what_smtpd_says() -> None:
    said = {name: deliver(maps(), Session(), f"{name}@example.com").reply for name in ("gone", "unknown", "err", "bad", "loop")}
    assert said == {
        "gone": "550 Invalid recipient",
        "unknown": "524 5.2.4 Mailing list expansion problem",
        "err": "550 go away",
        "bad": "424 4.2.4 Mailing list expansion problem",
        "loop": "524 5.2.4 Mailing list expansion problem",
    }


def test_local_mail() -> None:
    local = Session("local", authenticated=True)
    assert ends(deliver(maps(), local, "postmaster@localhost")) == [USER]
    assert ends(deliver(maps(), local, "bob@host7.example.com")) == [("mbox", "/var/mail/bob", "bob")]
    assert deliver(maps(), local, "nobodyhere@localhost").answer == "reject"
    assert ends(deliver(maps(), local, "x@else.where")) == [("relay", "else.where", None)]


def test_root_takes_no_maildir() -> None:
    bounce = [end.bounce is not None for end in deliver(maps(), Session(), "admin@example.com").ends]
    assert bounce == [True]
    assert [end.bounce for end in deliver(maps({"/etc/mail/aliases": "x: y\n"}), Session("local"), "root@localhost").ends] == [
        None
    ]


def test_each_step_keeps_its_place() -> None:
    delivery = deliver(maps(), Session(), "postmaster@example.com")
    steps = [(step.kind, step.name, step.span.path, step.span.line) for step in delivery.steps if step.span is not None]
    assert steps == [
        ("rule", "postmaster@example.com", "/etc/mail/smtpd.conf", 6),
        ("virtual", "postmaster@example.com", "/etc/mail/virtuals", 4),
        ("rule", "user@example.com", "/etc/mail/smtpd.conf", 6),
        ("virtual", "user@example.com", "/etc/mail/virtuals", 1),
        ("virtual", "vmail", "/etc/mail/smtpd.conf", 1),
        ("account", "vmail", "/etc/passwd", 2),
    ]
    assert delivery.decided is None
    loop = deliver(maps(), Session(), "loop@example.com")
    assert loop.decided is not None
    assert loop.decided.path == "/etc/mail/virtuals"


def test_a_list_in_a_file() -> None:
    listed = maps({"/etc/mail/list": "# us\nuser@example.com, bob # and him\n:include:/etc/mail/other\n"})
    where = {"/var/vmail/example.com/user/Maildir", "/var/vmail/example.com/list/Maildir"}
    assert {end.where for end in deliver(listed, Session(), "list@example.com").ends} == where
    unknown = deliver(maps(), Session(), "list@example.com")
    assert unknown.answer == "unknown"
    assert unknown.gaps[0].span is not None


def test_forward_files() -> None:
    forward = maps({"/home/bob/.forward": "carol, bob\n", "/home/carol/.forward": "\\c@example.org\n", "/etc/mail/aliases": ""})
    conf = CONF.replace("mbox alias <aliases>", "mbox")
    local = Session("local", authenticated=True)
    plain = maps({"/etc/mail/smtpd.conf": conf})
    assert ends(deliver(plain, local, "bob@localhost")) == [("mbox", "/var/mail/bob", "bob")]
    assert deliver(plain, local, "bob@localhost").assumed == ("no /home/bob/.forward",)
    kept = ("maildir", "/var/vmail/example.com/bob/Maildir", "bob")
    assert ends(deliver(forward, Session(), "bob@example.com")) == [kept, USER, ("relay", "example.org", None)]
    unread = maps(more={"/home/bob/.forward": Failed(Reason.UNREADABLE, "no")})
    assert deliver(unread, Session(), "bob@example.com").answer == "unknown"


def test_what_can_not_be_read_is_in_doubt() -> None:
    assert deliver(maps({"/etc/mail/virtuals": ""}), Session(), "user@example.com").answer == "unknown"
    assert deliver(maps({"/etc/passwd": ""}), Session(), "user@example.com").answer == "unknown"
    other = CONF.replace("virtuals file:/etc/mail/virtuals", "virtuals db:/etc/mail/virtuals.db")
    assert deliver(maps({"/etc/mail/smtpd.conf": other}), Session(), "user@example.com").answer == "unknown"


def test_a_userbase() -> None:
    conf = CONF.replace(" virtual <virtuals>", ' userbase { "user" = "2000:2000:/srv/user" }')
    known = maps({"/etc/mail/smtpd.conf": conf})
    assert deliver(known, Session(), "user@example.com").answer == "accept"
    assert deliver(known, Session(), "bob@example.com").answer == "reject"


NAMES = ("a", "b", "c", "a+t", "bob", "vmail")
TARGETS = (*NAMES, "a@example.com", "b@example.com", "c@example.com", "a+t@example.com", "x@example.org", "|p", "error:550 no")


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(st.sampled_from([*NAMES, *(f"{name}@example.com" for name in NAMES), "@example.com", "@"]), st.lists(
        st.sampled_from(TARGETS), min_size=1, max_size=4), max_size=12),
    st.sampled_from(NAMES),
)  # fmt: skip
def test_any_map_is_followed_to_its_end(table: dict[str, list[str]], name: str) -> None:
    virtuals = "".join(f"{key}: {', '.join(targets)}\n" for key, targets in table.items()) or "z@example.com: vmail\n"
    delivery = deliver(maps({"/etc/mail/virtuals": virtuals}), Session(), f"{name}@example.com")
    assert delivery.answer in {"accept", "reject", "tempfail", "unknown"}
    assert (delivery.answer == "accept") <= bool(delivery.ends)
    assert all(step.depth < 10 for step in delivery.steps)


def test_many_names_are_given_up() -> None:
    wide = ", ".join(f"{n}@example.com" for n in range(40))
    delivery = deliver(maps({"/etc/mail/virtuals": f"@example.com: {wide}\n"}), Session(), "x@example.com")
    assert delivery.answer == "unknown"


ASKING = """
import json, smtplib, sys
session = smtplib.SMTP("127.0.0.1", 2525, timeout=20)
session.ehlo("h")
session.mail("x@remote.example.org")
print(json.dumps({each: session.rcpt(each)[0] for each in sys.argv[1:]}))
"""
SENDING = """
import json, pathlib, smtplib, sys, time
session = smtplib.SMTP("127.0.0.1", 2525, timeout=20)
try:
    session.sendmail("x@remote.example.org", [sys.argv[2]], "Subject: x")
except smtplib.SMTPRecipientsRefused:
    sys.exit(print('"refused"'))
out = pathlib.Path(sys.argv[1] + "/run/out/told")
for _ in range(100):
    time.sleep(0.1)
    if out.is_file() and out.read_text().endswith("end"):
        break
print(json.dumps(out.read_text().removesuffix("end")))
"""
LIVE = """
set -e
ip link set lo up
mount -t tmpfs none "$1/run"
mkdir -m 755 -p "$1/run/smtpd"
mkdir -m 777 "$1/run/out"
mount -t tmpfs none "$1/var/spool"
mkdir -m 711 "$1/var/spool/smtpd"
if test -n "$1"; then  # smtpd 7 does not start without certificates of CAs
mount -t tmpfs none "$1/etc/ssl"
mkdir "$1/etc/ssl/certs"
openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=x -keyout /dev/null -out "$1/etc/ssl/certs/ca-certificates.crt" 2>/dev/null
fi
chroot "${1:-/}" smtpd -d -f "$2" >/dev/null 2>&1 &
n=0
until python3 -c 'import socket; socket.create_connection(("127.0.0.1", 2525))' 2>/dev/null; do
  n=$((n + 1)); test $n -lt 50; sleep 0.2
done
shift 2
exec "$@"
"""


def asked(root: Root, folder: Path, conf: str, script: str, *words: str) -> Any:
    """What a script learns from a running smtpd, in a network and mounts of its own."""
    (folder / "smtpd.conf").write_text(conf, "utf-8")
    top = "" if root.path is None else str(root.path)
    shell = ["sh", "-c", LIVE, "sh", top, f"{root.inside(folder)}/smtpd.conf", sys.executable, "-c", script, *words]
    done = subprocess.run(["unshare", "-m", "-n", "-p", "-f", *shell], capture_output=True, text=True, timeout=90, check=False)
    if done.returncode:
        pytest.skip(f"smtpd could not be run here: {done.stderr.strip()[-200:]}")
    return json.loads(done.stdout)


@contextmanager
def live(root: Root, tmp_path: Path) -> Iterator[Path]:
    """A folder for a configuration that the smtpd of a root can read."""
    need(root, "smtpd")
    folder = root.room(tmp_path)
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        if root.path is not None:
            shutil.rmtree(folder)


LOOKED_UP = """\
user+tag@x.example: error:550 A user+tag@domain
user@x.example: error:551 B user@domain
user+tag: error:552 C user+tag
user: error:553 D user
@x.example: error:554 E @domain
@: error:555 F catch-all
"""


needs_root = pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and unshare")


@pytest.mark.daemon
@needs_root
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_smtpd_looks_up_in_this_order(root: Root, tmp_path: Path) -> None:
    with live(root, tmp_path) as folder:
        _compared(root, folder)


FORMAT = (
    "%{dest.user[0:2]} %{dest.user[1]} %{dest.user[-2:]} %{dest.user[1:-1]} %{dest.user[:1]} %{DEST.user:uppercase} %{rcpt} "
    "%{dest:lowercase|strip} %{user.username} %{dest.user} %{dest.user:strip|raw} %{sender}"
)
BEHIND = " %{dest.user[0:2]:uppercase}"  # before 7.9 all mail comes back of it


@pytest.mark.daemon
@needs_root
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_smtpd_expands_so(root: Root, tmp_path: Path) -> None:
    release = root.run("smtpd", "-h").stderr.split("OpenSMTPD ")[1][:3]
    formats = FORMAT + BEHIND if release >= "7.9" else FORMAT
    command = f"cat >/dev/null; echo -n '{formats}end' > /run/out/told"
    conf = f"""listen on 127.0.0.1 port 2525
action "a" mda "{command}" virtual {{ "first@x.example" = "Oth*er+tag@x.example", "oth*er@x.example" = nobody }}
match from any for domain "x.example" action "a"
"""
    top = "" if root.path is None else str(root.path)
    with live(root, tmp_path) as folder:
        said = asked(root, folder, conf, SENDING, top, "first@x.example")
    ours = maps({"/etc/mail/smtpd.conf": conf, "/etc/passwd": "nobody:*:65534:65534::/nonexistent:/x\n"}, release=release)
    (end,) = deliver(ours, Session("127.0.0.1"), "first@x.example", "x@remote.example.org").ends
    assert end.where == command.replace(formats, said)


STRANGE = "first+`printf${IFS}ran`@x.example"


@pytest.mark.daemon
@needs_root
@pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
def test_what_a_stranger_writes_reaches_a_shell(root: Root, tmp_path: Path) -> None:
    """What SMTPD056 reports runs before 7.9, and what it has in its place does not."""
    release = root.run("smtpd", "-h").stderr.split("OpenSMTPD ")[1][:3]
    words = "%{rcpt.user} %{rcpt.user:raw} $LOCAL \\$LOCAL"
    conf = f"""listen on 127.0.0.1 port 2525
action "a" mda "cat >/dev/null; echo -n {words} end > /run/out/told" virtual {{ "first@x.example" = nobody }}
match from any for domain "x.example" action "a"
"""
    top = "" if root.path is None else str(root.path)
    with live(root, tmp_path) as folder:
        said = asked(root, folder, conf, SENDING, top, STRANGE)
    if release >= "7.9":
        assert said == "refused"
    else:
        assert said.split() == ["first+:printf::IFS:ran:", "first+ran", "first+ran", "first+`printf${IFS}ran`"]


def _compared(root: Root, folder: Path) -> None:
    keys = LOOKED_UP.splitlines()
    tables = [keys[at:] for at in range(len(keys))]
    others = VIRTUALS.replace("vmail", "nobody").replace("bob, ", "nobody, ").replace("example.com", "y.example").splitlines()
    tables.append([line for line in others if "include" not in line])
    tables.append(["@: nosuchuser", "direct@z.example: nobody", "nobody: direct@z.example, nobody"])
    domains = [f"{at}.example" for at in range(len(keys))]
    domains += ["y.example", "z.example"]
    conf = "listen on 127.0.0.1 port 2525\n"
    recipients: list[str] = []
    for number, (lines, domain) in enumerate(zip(tables, domains, strict=True)):
        pairs = [line.replace("x.example", domain).split(": ", 1) for line in lines]
        inside = ", ".join(f'"{key}" = "{value}"' for key, value in pairs)
        conf += f"table t{number} {{ {inside} }}\n"
        conf += f'action "a{number}" maildir "/tmp/none" virtual <t{number}>\n'
        recipients += [f"user+tag@{domain}", f"User@{domain}", f"other+x@{domain}"]
    recipients += [f"{line.partition('@')[0]}@y.example" for line in tables[-2]] + ["direct@z.example", "any@z.example"]
    conf += 'action "relay" relay\n'
    conf += "".join(f'match from any for domain "{each}" action "a{at}"\n' for at, each in enumerate(domains))
    conf += 'match from local for any action "relay"\n'
    said = asked(root, folder, conf, ASKING, *dict.fromkeys(recipients))
    ours = maps(
        {"/etc/mail/smtpd.conf": conf, "/etc/passwd": "root:*:0:0::/root:/bin/sh\nnobody:*:65534:65534::/nonexistent:/x\n"}
    )
    answers = {each: deliver(ours, Session("127.0.0.1"), each) for each in said}
    codes = {each: 250 if found.answer == "accept" else int(found.reply[:3] or 0) for each, found in answers.items()}
    assert codes == said
