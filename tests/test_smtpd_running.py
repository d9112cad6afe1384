"""smtpd itself, running where nobody else hears it, answers as the model says: who relays, who is a user, who sends as whom."""

from __future__ import annotations

import base64
import dataclasses
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from daemons import Root, need, roots
from smtpd_session import HOST, STRANGER
from test_smtpd_model import ORACLE

from bench.agreement.smtpd import model
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import Envelope, Session
from mailaudit.models.smtpd.relay import open_relays
from mailaudit.models.smtpd.route import route
from mailaudit.trace.addresses import Address

SESSION = Path(__file__).with_name("smtpd_session.py")
ALONE = ("unshare", "-mnpf", "--kill-child")
EVERY = pytest.mark.parametrize("root", roots(), ids=lambda root: root.name)
Talk = dict[str, object]
Files = dict[str, tuple[int, str]]
Job = tuple[str, list[Talk], Files]
Said = dict[str, list[list[str]] | str | int | None]

pytestmark = pytest.mark.daemon


def said(root: Root, *jobs: Job) -> list[Said]:
    """What smtpd answered to each talk of each job; skips where no namespaces can be made."""
    need(root, "smtpd")
    if subprocess.run([*ALONE, "true"], check=False, capture_output=True, timeout=10).returncode != 0:
        pytest.skip("namespaces of its own are not allowed here")
    todo = [{"root": str(root.path or ""), "conf": conf, "talks": talks, "files": files} for conf, talks, files in jobs]
    done = subprocess.run(
        [*ALONE, sys.executable, str(SESSION)], input=json.dumps(todo), capture_output=True, text=True, timeout=300, check=True
    )
    answers: list[Said] = json.loads(done.stdout)
    return answers


def talks_of(answer: Said) -> list[list[str]]:
    talks = answer["talks"]
    assert isinstance(talks, list), answer["log"]
    assert talks, answer["log"]
    return talks


def letter(sender: str, *recipients: str, **talk: object) -> Talk:
    """A message that is given up after its recipients."""
    return {"lines": ["EHLO x.test", f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{each}>" for each in recipients)], **talk}


def release(root: Root) -> str:
    return root.run("smtpd", "-h").stderr.split("OpenSMTPD ")[1][:3]


OWN = """\
action "inbound" mbox virtual { "@" = root }
action "local_inbound" mbox
action "outbound" relay
"""


@EVERY
def test_who_may_relay(root: Root) -> None:
    """The eight rows of what is known of open relays, from a stranger's address."""
    asked = [("a@foreign.net", "b@foreign.org"), ("ceo@example.com", "b@foreign.org"), ("a@foreign.net", "u@example.com")]
    confs = [f"{OWN}listen on {HOST} tag INET\n{rules}{guide}" for rules, guide, _, _ in ORACLE]
    answers = said(root, *((conf, [letter(*each) for each in asked], {}) for conf in confs))
    for (rules, _, expected, _), answer in zip(ORACLE, answers, strict=True):
        assert tuple(talk[3][:3] for talk in talks_of(answer)) == expected, rules


FILTERS: list[tuple[str, str]] = [
    ('phase rcpt-to match !auth reject "550 no"', "5"),
    ('phase connect match !src { 10.0.0.0/8 } disconnect "550 no"', "5"),
    ('phase rcpt-to match !rcpt-to { "@example.com" } reject "550 no"', "5"),
    ('phase rcpt-to match !rcpt-to { "victim" } reject "550 no"', "2"),
    ('phase mail-from match !src { 0.0.0.0/0 } reject "550 no"', "2"),
]


@EVERY
def test_filters_that_keep_strangers_out(root: Root) -> None:
    confs = [f"filter f {each}\n{OWN}listen on {HOST} filter f\nmatch from any for any action outbound\n" for each, _ in FILTERS]
    answers = said(root, *((conf, [letter("a@foreign.net", "victim@foreign.org")], {}) for conf in confs))
    for conf, (_, expected), answer in zip(confs, FILTERS, answers, strict=True):
        first = next(reply for reply in talks_of(answer)[0] if reply[:1] != "2" or "Recipient ok" in reply)
        assert first[:1] == expected, conf
        assert bool(list(open_relays(model(conf.encode(), release(root))))) is (expected == "2"), conf


@EVERY
def test_what_may_stand_before_the_at(root: Root) -> None:
    """Since 7.9 smtpd refuses what a shell would read, in senders and recipients."""
    odd = "!#$%&'*/?^`{|}~+-=_(,;"
    conf = f"{OWN}listen on {HOST}\nmatch from any for any action outbound\n"
    talks = [letter(f"a{each}b@x.net", "u@example.com") for each in odd]
    talks.append(letter("a@x.net", *(f"a{each}b@x.org" for each in odd)))
    (answer,) = said(root, (conf, talks, {}))
    *senders, recipients = talks_of(answer)
    addresses = [Address(f"a{each}b", "x.net") for each in odd]
    taken = [each.is_plain and not (each.is_for_a_shell and release(root) >= "7.9") for each in addresses]
    assert [replies[2][:3] for replies in senders] == ["250" if each else "553" for each in taken]
    assert [reply[:3] for reply in recipients[3:]] == ["250" if each else "501" for each in taken]


SENDERS = ("a@foreign.net", "a+tag@foreign.net", "ceo@example.com", "CEO@Example.COM")
RECIPIENTS = ("victim@foreign.org", "u@example.com", "u+x@example.com", "Q@xexample.com", "q@a.example.com", "root@localhost")
SOURCES = (STRANGER, STRANGER, HOST, "127.0.0.1")


def rules(source: random.Random) -> str:
    """Some match rules of one file."""

    def some(*values: str) -> str:
        chosen = source.sample(values, source.choice([1, 1, 2]))
        return f'"{chosen[0]}"' if len(chosen) == 1 else "{ " + ", ".join(f'"{each}"' for each in chosen) + " }"

    def criterion(likely: float, word: str, *values: str) -> str:
        negation = "!" if source.random() < 0.3 else ""
        return f"{negation}{word} {some(*values)}" if source.random() < likely else ""

    def ways(word: str, plain: str, kinds: dict[str, tuple[str, ...]]) -> str:
        if source.random() < 0.5:
            return plain
        kind = source.choice(sorted(kinds))
        negation = "!" if source.random() < 0.3 else ""
        return f"{negation}{word} {kind} {some(*kinds[kind])}".rstrip() if kinds[kind] else f"{negation}{word} {kind}"

    def line() -> str:
        sources = {"src": ("198.51.100.0/24", "10.0.0.0/8", "0.0.0.0/0", HOST, "127.0.0.1"), "local": (), "auth": ()}
        domains = {"domain": ("example.com", "*.example.com", "*example.com", "*", "foreign.org", "f*n.org"), "local": ()}
        parts = [
            criterion(0.25, "tag", "A", "B"),
            ways("from", "from any", sources),
            ways("for", "for any", domains),
            criterion(0.2, "helo", "x.test", "*.test", "y"),
            criterion(0.2, "mail-from", "@example.com", "ceo", "@*.net", "a+tag@foreign.net", "a@foreign.net", "@"),
            criterion(0.2, "rcpt-to", "@example.com", "victim", "u@example.com", "u+x@example.com", "@*.org"),
            "tls" if source.random() < 0.05 else "",
        ]
        return " ".join(["match", *filter(None, parts), source.choice(["action out", "action out", "reject"])])

    return "".join(f"{line()}\n" for _ in range(source.randint(1, 4)))


def differs(smtpd: SmtpdConfig, talk: Talk, tag: str, replies: list[str]) -> list[str]:
    """The recipients of which smtpd and the model say different things."""
    lines = talk["lines"]
    assert isinstance(lines, list)
    session = Session(str(talk["source"]), tag=tag, helo="x.test")
    sender = lines[1].removeprefix("MAIL FROM:<").rstrip(">")
    wrong = []
    for line, reply in zip(lines[2:], replies[3:], strict=True):
        way = route(smtpd, session, Envelope(line.removeprefix("RCPT TO:<").rstrip(">"), sender))
        if not way.maybe and {"accept": "2", "reject": "5", "tempfail": "4"}[way.answer] != reply[:1]:
            wrong.append(f"{talk} {line}: {reply.strip()}, not {way.answer}")
    return wrong


@EVERY
def test_made_up_rules(root: Root) -> None:
    """Files of a seed, each asked with several messages on two listeners."""
    source = random.Random(44)
    head = f"action out relay\nlisten on {HOST} tag A\nlisten on {HOST} port 2525 tag B\n"
    confs = [head + rules(source) for _ in range(25)]
    ports = {25: "A", 2525: "B"}
    asked = [
        [letter(sender, *RECIPIENTS, source=source.choice(SOURCES), port=port) for port in ports for sender in SENDERS]
        for _ in confs
    ]
    answers = said(root, *((conf, talks, {}) for conf, talks in zip(confs, asked, strict=True)))
    wrong: list[str] = []
    for conf, talks, answer in zip(confs, asked, answers, strict=True):
        smtpd = dataclasses.replace(model(conf.encode(), release(root)), addresses=frozenset([HOST]))
        for talk, replies in zip(talks, talks_of(answer), strict=True):
            wrong += [f"{conf}{each}" for each in differs(smtpd, talk, ports[int(str(talk["port"]))], replies)]
    assert wrong == []


@EVERY
def test_a_tls_criterion_spoils_the_refusals_of_others(root: Root) -> None:
    """The failure of one recipient is taken for that of the next, whom a rule rejects (SMTPD045): errno stays, but in 7.6."""
    conf = f"action out relay\nlisten on {HOST}\nmatch from any for domain a.org tls action out\nmatch from any for any reject\n"
    (answer,) = said(root, (conf, [letter("x@x.net", "u@b.org", "u@a.org", "u@b.org")], {}))
    codes = [reply[:3] for reply in talks_of(answer)[0][3:]]
    assert codes == ["550", "451", "550" if release(root) == "7.6" else "451"]


STARTS: list[tuple[str, str]] = [  # what smtpd -n takes and smtpd dies of
    (f"listen on {HOST}\nlisten on {HOST} tag X\n", "Address already in use"),
    (f"listen on {HOST}\nlisten on 203.0.113.77\n", "assign requested address"),
    (f'filter f proc-exec "/bin/cat" user nosuch\nlisten on {HOST}\n', "getpwnam"),
    (f"table t nosuch:/etc/passwd\nlisten on {HOST}\n", "does not exist"),
]


@EVERY
def test_what_keeps_it_from_starting(root: Root) -> None:
    confs = [f"{each}{OWN}match for local action local_inbound\n" for each, _ in STARTS]
    answers = said(root, *((conf, [], {}) for conf in confs))
    for conf, (_, why), answer in zip(confs, STARTS, answers, strict=True):
        assert answer["ended"] not in (None, 0), conf
        assert why in str(answer["log"]), conf


SIZES = (("0", "554"), ("10", "554"), ("35M", "250"))


@EVERY
def test_a_largest_message_of_nothing_takes_no_message(root: Root) -> None:
    confs = [
        f"smtp max-message-size {size}\n{OWN}listen on {HOST}\nmatch from any for any action outbound\n" for size, _ in SIZES
    ]
    talk = letter("a@foreign.net", "b@foreign.org")
    lines = talk["lines"]
    assert isinstance(lines, list)
    lines += ["DATA", "Subject: x\r\n\r\nhello\r\n."]
    answers = said(root, *((conf, [talk], {}) for conf in confs))
    assert [talks_of(answer)[0][-1][:3] for answer in answers] == [code for _, code in SIZES]


CONF = f"""\
pki mail cert "/run/cert.pem" key "/run/key.pem"
table credentials passwd:/run/credentials
table virtuals file:/run/virtuals
table allowed {{ "user@example.com" = "user@example.com", "other@example.com" = "@example.com" }}
action "in" mbox virtual <virtuals>
action "out" relay
listen on {HOST} tls pki mail
listen on {HOST} port 587 tls-require pki mail auth <credentials> senders <allowed>
match from any for domain "example.com" action "in"
match from auth for any action "out"
match from local for any action "out"
"""
VIRTUALS = """\
user@example.com: root
loop@example.com: loop@example.com
one@example.com: two@example.com
two@example.com: one@example.com
gone@example.com: error:550 no longer here
pipe@example.com: "|/bin/cat"
file@example.com: /run/mail
away@example.com: someone@foreign.org
"""


@pytest.fixture(scope="module")
def files() -> Files:
    """A certificate, its key, and the tables."""
    new = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "9",
        "-subj",
        "/CN=mail",
        "-keyout",
        "-",
        "-out",
        "-",
    ]
    made = subprocess.run(new, check=True, capture_output=True, text=True, timeout=60).stdout
    crypt = ["openssl", "passwd", "-6", "-salt", "audit", "secret"]
    hashed = subprocess.run(crypt, check=True, capture_output=True, text=True, timeout=60).stdout.strip()
    users = (("user@example.com", hashed), ("Upper@example.com", hashed), ("scheme@example.com", "{SHA512-CRYPT}" + hashed))
    lines = "".join(f"{name}:{password}:2000:2000::/var/vmail/x::\n" for name, password in users)
    return {
        "/run/cert.pem": (0o644, made[made.index("-----BEGIN CERTIFICATE") :]),
        "/run/key.pem": (0o600, made[: made.index("-----BEGIN CERTIFICATE")]),
        "/run/credentials": (0o644, lines),
        "/run/virtuals": (0o644, VIRTUALS),
    }


def login(user: str) -> str:
    """The command by which a user logs in."""
    return "AUTH PLAIN " + base64.b64encode(f"\0{user}\0secret".encode()).decode()


def spoken(*lines: str, port: int = 25) -> Talk:
    """A session in TLS."""
    return {"lines": ["EHLO x.test", "STARTTLS", "EHLO x.test", *lines], "port": port}


@EVERY
def test_recipients(root: Root, files: Files) -> None:
    """What becomes of addresses of the virtual map, at RCPT."""
    expected = {
        "user": "250", "user+x": "250", "USER": "250", "nobody": "5", "loop": "5", "one": "5", "gone": "550",
        "pipe": "250", "file": "250", "away": "250",
    }  # fmt: skip
    (answer,) = said(root, (CONF, [letter("a@foreign.net", *(f"{each}@example.com" for each in expected))], files))
    replies = dict(zip(expected, talks_of(answer)[0][3:], strict=True))
    assert {name for name, code in expected.items() if not replies[name].startswith(code)} == set(), replies


def need_tls(root: Root) -> None:
    """Skip the smtpd of Debian 12, whose handshakes end in "EVP lib" since OpenSSL 3."""
    need(root, "smtpd")
    if release(root) == "6.8":
        pytest.skip("TLS of this smtpd fails with OpenSSL 3")


@EVERY
def test_logins(root: Root, files: Files) -> None:
    """Without TLS and a login nothing is taken on 587; on 25 there is no login."""
    need_tls(root)
    talks: list[Talk] = [
        {"lines": ["EHLO x.test", "MAIL FROM:<user@example.com>"], "port": 587},
        spoken("MAIL FROM:<user@example.com>", port=587),
        {"lines": ["EHLO x.test", login("user@example.com")]},
        spoken(login("user@example.com")),
        spoken(login("user@example.com"), port=587),
        spoken(login("upper@example.com"), port=587),
        spoken(login("scheme@example.com"), port=587),
    ]
    (answer,) = said(root, (CONF, talks, files))
    found = talks_of(answer)
    assert [replies[-1].split()[0] for replies in found] == ["530", "530", "503", "503", "235", "535", "535"], found
    assert "STARTTLS" in found[0][-1]
    assert "AUTH" in found[1][-1]
    assert "AUTH" not in found[3][3]
    assert "AUTH PLAIN" in found[4][3]


@EVERY
def test_senders(root: Root, files: Files) -> None:
    """Who logs in sends as the map says, a tag and the case of letters left aside."""
    need_tls(root)
    expected = {
        "user@example.com": "250", "user+tag@example.com": "250", "USER@Example.COM": "250",
        "other@example.com": "5", "user@foreign.net": "5",
    }  # fmt: skip
    talks = [spoken(login("user@example.com"), f"MAIL FROM:<{each}>", port=587) for each in expected]
    (answer,) = said(root, (CONF, talks, files))
    found = [replies[-1] for replies in talks_of(answer)]
    assert [reply for reply, code in zip(found, expected.values(), strict=True) if not reply.startswith(code)] == [], found


@EVERY
def test_credentials_that_keep_it_from_staying(root: Root, files: Files) -> None:
    """A line that is none, and a file that is not there: the checker is content, and smtpd ends."""
    broken: Files = {**files, "/run/credentials": (0o644, "foo:bar\n")}
    absent = {path: file for path, file in files.items() if path != "/run/credentials"}
    for answer in said(root, (CONF, [], broken), (CONF, [], absent)):
        assert answer["ended"] not in (None, 0), answer["log"]


@EVERY
@pytest.mark.parametrize(("mode", "starts"), [(0o600, True), (0o640, True), (0o644, False)])
def test_modes_of_a_key(root: Root, files: Files, mode: int, starts: bool) -> None:
    (answer,) = said(root, (CONF, [], {**files, "/run/key.pem": (mode, files["/run/key.pem"][1])}))
    assert (answer["ended"] is None) is starts, answer["log"]


QUEUE_KEYS = (("a" * 31, False), ("0123456789abcdef" * 2, True), ("a" * 64, False))


@EVERY
def test_lengths_of_the_queue_s_key(root: Root) -> None:
    rest = f"{OWN}listen on {HOST}\nmatch from any for any action outbound\n"
    answers = said(root, *((f'queue encryption "{key}"\n{rest}', [], {}) for key, _ in QUEUE_KEYS))
    assert [answer["ended"] is None for answer in answers] == [starts for _, starts in QUEUE_KEYS]
