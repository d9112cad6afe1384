"""The model of smtpd.conf answers as OpenSMTPD 7.8 does: what it refuses, where it listens, where mail goes, who may relay."""

from __future__ import annotations

import pytest

from mailaudit.models.services import read_services
from mailaudit.models.smtpd.config import PATH, SmtpdConfig, read_smtpd
from mailaudit.models.smtpd.expand import Recipient, expand, unexpandable, with_modifier
from mailaudit.models.smtpd.match import LOCAL, Envelope, Session, Truth, address_match, hostname_match
from mailaudit.models.smtpd.parts import Cause
from mailaudit.models.smtpd.reach import Reach, reach
from mailaudit.models.smtpd.relay import open_relays
from mailaudit.models.smtpd.route import Route, route
from mailaudit.models.sources import Known, Missing, NotHere, Sources
from mailaudit.questions import Absent, Answer, Command, CommandOutput, Found, ListFiles, Question, ReadFile, Reason, RunCommand
from mailaudit.snapshot import Snapshot

BASE = """\
pki mail.example.com cert "/etc/ssl/mail.example.com.pem" key "/etc/ssl/private/mail.example.com.key"
table virtuals file:/etc/mail/virtuals
table credentials passwd:/etc/mail/credentials
action "inbound" maildir "/var/vmail/example.com/%{dest.user:lowercase|strip}" junk virtual <virtuals>
action "local_inbound" mbox
action "outbound" relay
listen on all tls pki mail.example.com tag INET
"""
GUIDE = """\
match from any for domain "example.com" action "inbound"
match from local for local action "local_inbound"
match auth from any for any action "outbound"
match from local for any action "outbound"
"""


def model(chars: str | bytes, **files: str) -> SmtpdConfig:
    data = chars if isinstance(chars, bytes) else chars.encode()
    answers: dict[Question, Answer] = {ReadFile(PATH): Found(data)}
    answers |= {ReadFile(f"/etc/mail/{name}"): Found(text.encode()) for name, text in files.items()}
    sources = Sources(Snapshot("host", "target", answers))
    slot = read_smtpd(sources, read_services(sources))
    assert isinstance(slot, Known)
    return slot.value


def causes(chars: str) -> list[Cause]:
    return [refusal.cause for refusal in model(chars).meanings]


def remote(smtpd: SmtpdConfig, sender: str, recipient: str) -> str:
    answer = route(smtpd, Session("198.51.100.7", tag="INET", helo="x"), Envelope(recipient, sender)).answer
    return {"accept": "250", "reject": "550", "tempfail": "451"}[answer]


ORACLE = [  # observed on 7.8 from a foreign address: foreign to foreign, ceo@ours to foreign, foreign to ours
    ("", GUIDE, ("550", "550", "250"), False),
    ("match from any for any action outbound\n", "", ("250", "250", "250"), True),
    ('match from mail-from "@example.com" for any action outbound\n', GUIDE, ("550", "250", "250"), True),
    ("match tls from any for any action outbound\n", "", ("451", "451", "451"), False),
    ("match for any action outbound\n", "", ("550", "550", "550"), False),
    ("match from any for any action outbound\nmatch from any for any reject\n", "", ("250", "250", "250"), True),
    ("match !from src 10.1.1.1 for any action outbound\n", "", ("250", "250", "250"), True),
    ("match tag INET from any for any action outbound\n", "", ("250", "250", "250"), True),
]


@pytest.mark.parametrize(("rules", "guide", "answers", "is_open"), ORACLE)
def test_observed_answers(rules: str, guide: str, answers: tuple[str, ...], is_open: bool) -> None:
    smtpd = model(BASE + rules + guide)
    assert smtpd.refusals == ()
    asked = [("a@foreign.net", "b@foreign.org"), ("ceo@example.com", "b@foreign.org"), ("a@foreign.net", "u@example.com")]
    assert tuple(remote(smtpd, *each) for each in asked) == answers
    witnesses = list(open_relays(smtpd, ("example.com",)))
    assert bool(witnesses) is is_open
    if witnesses:
        assert witnesses[0].rule is smtpd.rules[0]
        assert witnesses[0].certain


@pytest.mark.parametrize(
    ("rules", "is_open"),
    [
        ('match from any for domain "*" action outbound\n', True),
        ('match from any for domain "*example.com" action outbound\n', True),
        ('match from any for domain "*.example.com" action outbound\n', False),
        ('match from any !for domain "example.com" action outbound\n', True),
        ('match from any for domain regex "com" action outbound\n', True),
        ('match from any for domain "friend.org" action outbound\n', False),
        ('match from any for rcpt-to "postmaster" action outbound\n', True),
        ("match from src 192.168.0.0/16 for any action outbound\n", False),
        ("match from src 203.0.113.0/24 for any action outbound\n", False),
        ("match from src 8.0.0.0/9 for any action outbound\n", True),
        ("match from src 0.0.0.0/0 for any action outbound\n", True),
        ('match from rdns "trusted.example.org" for any action outbound\n', True),
        ('match helo "trusted.example.org" from any for any action outbound\n', True),
        ("match from auth for any action outbound\n", False),
        ("match !from auth for any action outbound\n", True),
        ('match mail-from "@spam.org" from any for any reject\nmatch from any for any action outbound\n', True),
        ("match from any for any reject\nmatch from any for any action outbound\n", False),
        ("match from any for any action inbound\nmatch from any for any action outbound\n", False),
        ("match from socket for any action outbound\n", False),
        ("match tag OTHER from any for any action outbound\n", False),
    ],
)
def test_open_relay(rules: str, is_open: bool) -> None:
    assert bool(list(open_relays(model(BASE + rules), ("example.com",)))) is is_open


@pytest.mark.parametrize(
    ("filters", "is_open"),
    [
        ('phase rcpt-to match !auth reject "550 no"', False),
        ('phase connect match !src { 10.0.0.0/8, 192.0.2.1 } disconnect "550 no"', False),
        ('phase connect match !src { 0.0.0.0/0 } disconnect "550 no"', True),
        ('phase rcpt-to match !rcpt-to { "@example.com" } reject "550 no"', False),
        ('phase rcpt-to match !rcpt-to { "victim" } reject "550 no"', True),
        ('phase mail-from match !mail-from { "@example.com" } reject "550 no"', True),
        ('phase connect match !fcrdns disconnect "550 no"', True),
        ("phase rcpt-to match !auth junk", True),
    ],
)
def test_filters_of_smtpd_s_own_that_keep_strangers_out(filters: str, is_open: bool) -> None:
    chars = f"filter f {filters}\n" + BASE.replace("tag INET", "tag INET filter f") + "match from any for any action outbound\n"
    assert bool(list(open_relays(model(chars), ("example.com",)))) is is_open


@pytest.mark.parametrize(
    ("rules", "certain"),
    [
        ('match from any mail-from "@a.org" for any reject\nmatch from any mail-from "@a.org" for any action outbound\n', False),
        ('match from any mail-from "@a.org" for any reject\nmatch from any mail-from "@b.org" for any action outbound\n', True),
        ('match from any !mail-from "@a.org" for any reject\nmatch from any mail-from "x@a.org" for any action outbound\n', True),
        ('match from any !mail-from "@" for any action outbound\n', False),
        ('match from any helo "x.*" for any reject\nmatch from any helo "*.org" for any action outbound\n', True),
        ('match from any mail-from regex "@a\\.org$" for any action outbound\n', True),
        ('match from any for rcpt-to "@*.ru" action outbound\n', True),
        ('match from any for domain "*.gov" action outbound\n', True),
    ],
)
def test_a_relay_is_certain_if_one_message_goes_through(rules: str, certain: bool) -> None:
    smtpd = model(BASE + rules)
    (witness,) = open_relays(smtpd, ("example.com",))
    assert witness.certain is certain
    if certain:
        way = route(smtpd, witness.session, witness.envelope)
        assert (way.answer, way.rule) == ("accept", witness.rule)


def test_a_pattern_of_senders_can_be_read_by_strangers_too() -> None:
    rule = 'match from mail-from regex "^[a-z]+@example" for any action outbound\n'
    (witness,) = open_relays(model(BASE + rule), ("example.com",))
    assert (witness.certain, witness.envelope.sender) == (True, None)
    rejected = 'match from any mail-from regex "example" for any reject\n'
    (witness,) = open_relays(model(BASE + rejected + rule), ("example.com",))
    assert not witness.certain


@pytest.mark.parametrize("pattern", ["*.friend.org", "mx*.friend.org", "friend.org"])
def test_a_friend_s_domain_is_no_open_relay(pattern: str) -> None:
    smtpd = model(f'{BASE}match from any for domain "{pattern}" action outbound\n')
    assert not list(open_relays(smtpd, ("example.com",)))


def test_a_table_that_is_not_known_is_in_doubt() -> None:
    smtpd = model(BASE + "table d proc:/x\nmatch from any for domain <d> action outbound\n")
    witness = next(open_relays(smtpd))
    assert not witness.certain
    assert route(smtpd, Session(), Envelope("a@b.org")).maybe == ((smtpd.rules[0], Truth.DOUBT),)


def test_listeners_that_ask_for_a_login_let_no_stranger_in() -> None:
    smtpd = model(
        BASE.replace("tls pki", "tls-require auth pki") + "match from any for any action outbound\n",
    )
    assert list(open_relays(smtpd)) == []


def test_file_tables_are_looked_up() -> None:
    rules = "table domains file:/etc/mail/domains\nmatch from any for domain <domains> action inbound\n"
    smtpd = model(BASE + rules, domains="# ours\nExample.com\n*.example.net\n")
    assert remote(smtpd, "a@b.org", "u@example.com") == "250"
    assert remote(smtpd, "a@b.org", "u@x.example.net") == "250"
    assert remote(smtpd, "a@b.org", "u@example.org") == "550"
    assert smtpd.accepted_domains == ("example.com",)


def test_what_is_not_said_is_local() -> None:
    smtpd = model(BASE + "match action local_inbound\n", mailname="host7.example.com\n")
    for recipient in ("root@localhost", "root@host7.example.com"):
        assert route(smtpd, Session(LOCAL), Envelope(recipient)).answer == "accept"
    assert route(smtpd, Session(), Envelope("root@localhost")) == Route("reject")
    assert route(smtpd, Session(LOCAL), Envelope("a@example.org")).answer == "reject"


@pytest.mark.parametrize(
    ("chars", "cause"),
    [
        ('queue encryption "0e12345678912345678912345678912"', Cause.QUEUE_KEY),
        ("action x mbox alias <nope>", Cause.TABLE),
        ("listen on lo0 filter nope", Cause.FILTER),
        ("match from any action nope", Cause.ACTION),
        ("listen on lo0 tls pki nope", Cause.PKI),
        ('pki half cert "/c"', Cause.HALF_PKI),
        ("listen on lo0 tls", Cause.TLS_WITHOUT_PKI),
        ("listen on lo0 auth", Cause.AUTH_WITHOUT_TLS),
        ("listen on lo0 port nope", Cause.OTHER),
        ("action outbound relay", Cause.OTHER),
        ("action x relay srs", Cause.OTHER),
        ("listen on lo0 tag a tag b", Cause.OTHER),
    ],
)
def test_refusals_by_meaning(chars: str, cause: Cause) -> None:
    assert causes(BASE + chars + "\nmatch for local action local_inbound\n") == [cause]


@pytest.mark.parametrize("key", ["0" * 32, "{{generate:hex16}}", "{{masked:queue-key:32:0123abcd}}", "stdin"])
def test_queue_keys_that_are_long_enough(key: str) -> None:
    assert causes(BASE + GUIDE + f'queue encryption "{key}"\n') == []


def test_an_action_below_its_use_is_meant() -> None:
    smtpd = model("match for local action l\naction l mbox\n")
    assert [refusal.cause for refusal in smtpd.meanings] == [Cause.ACTION]
    assert smtpd.rules[0].action is not None


def test_ports_and_secrets() -> None:
    smtpd = model(
        BASE
        + GUIDE
        + 'queue encryption "0123456789abcdef0123456789abcdef"\nsrs key "abc"\n'
        + "listen on all smtps pki mail.example.com\nlisten on all port submission tls-require pki mail.example.com\n"
    )
    assert [listener.port for listener in smtpd.listeners] == [25, 465, 587]
    assert smtpd.secrets == (("queue-key", "0123456789abcdef0123456789abcdef"), ("srs-key", "abc"))


def test_passwords_written_in_place_are_secrets() -> None:
    rest = "tls-require pki mail.example.com auth { bob = hash-of-bob }\n"
    relay = 'action out relay host "smtps://me@h" auth { me = "me:word" }\n'
    smtpd = model(BASE + GUIDE + "listen on all port submission " + rest + relay)
    assert smtpd.secrets == (("password", "hash-of-bob"), ("relay-credentials", "me:word"), ("relay-credentials", "word"))


def test_slots() -> None:
    sources = Sources(Snapshot("host", "target", {ReadFile(PATH): Absent()}, recorded=True))
    assert read_smtpd(sources, read_services(sources)) == Missing(PATH)
    sources = Sources(Snapshot("host", "target", {ReadFile(PATH): Absent(), ListFiles("/etc/mail/*"): Found(())}))
    assert isinstance(read_smtpd(sources, read_services(sources)), NotHere)


def test_includes_not_there_are_refused_and_unknown_ones_leave_the_file_partly_read() -> None:
    smtpd = model('include "/etc/mail/more"\n' + BASE + GUIDE)
    assert [problem.refused for problem in smtpd.not_read] == [False]
    answers: dict[Question, Answer] = {
        ReadFile(PATH): Found(('include "/etc/mail/more"\n' + BASE + GUIDE).encode()),
        ReadFile("/etc/mail/more"): Absent(),
    }
    sources = Sources(Snapshot("host", "target", answers))
    slot = read_smtpd(sources, read_services(sources))
    assert isinstance(slot, Known)
    assert slot.value.not_read == []
    assert "is not there" in slot.value.refusals[0].message


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/v/%{dest.domain}/%{dest.user}", "/v/Example.com/Bob+tag"),
        ("/v/%{dest.user:lowercase|strip}", "/v/bob"),
        ("/v/%{dest.user[0]}/%{dest.user:strip}", "/v/B/Bob"),
        ("/v/%{dest.user[0:2]:uppercase}", "/v/BOB"),
        ("/v/%{user.username}", "/v/vmail"),
        ("/v/%{dest:strip}", "/v/Bob@Example.com"),
        ("/v/%{nope}", None),
        ("/v/%{dest.user:nope}", None),
        ("%{user.directory}/m", None),
    ],
)
def test_expansion(template: str, path: str | None) -> None:
    assert expand(template, Recipient("Bob+tag", "Example.com")) == path


@pytest.mark.parametrize(
    ("template", "before", "since"),  # what 7.6 and 7.9 made of it, observed
    [
        ("%{dest.user[0:2]}", "Bob", "Bob"),
        ("%{dest.user[0:2]:lowercase}", None, "bob"),
        ("%{dest.user[0:3]:strip|uppercase}", None, "BOB:"),
        ("%{dest.user:LowerCase}", "bob:x:+tag", "bob:x:+tag"),
        ("%{dest.user:raw}", "Bob%x!+tag", "Bob%x:+tag"),
        ("%{dest.user:strip|raw}", "Bob%x!", "Bob%x:"),
        ("%{DEST.user}%%{x}", "Bob:x:+tag%{x}", "Bob:x:+tag%{x}"),
        ("%{dest.user:}", None, None),
        ("%{dest.user: lowercase}", None, None),
        ("%{dest.user:lowercase|}", None, None),
        ("%{dest.user[]}", None, None),
        ("%{dest.user[-]}", None, None),
    ],
)
def test_formats_by_release(template: str, before: str | None, since: str | None) -> None:
    for release, expected in (((7, 8), before), ((7, 9), since)):
        assert expand(template, Recipient("Bob%x!+tag", "Example.com"), release=release) == expected
        assert unexpandable(f"/v/{template}", release) == (template if expected is None else None)


def test_a_modifier_is_added_where_smtpd_reads_it() -> None:
    template = "/%{dest.user[0]}/%{dest.user:strip}/%{dest.domain}/%{rcpt.user:lowercase}"
    before, since = (with_modifier(template, ("dest.user",), "lowercase", release) for release in ((7, 8), (7, 9)))
    assert before == template.replace(":strip", ":lowercase|strip")
    assert since == before.replace("[0]", "[0]:lowercase")


def test_delivery_paths() -> None:
    smtpd = model(BASE + GUIDE)
    action = smtpd.actions["inbound"]
    assert smtpd.mail_path(action, Recipient("user+tag", "example.com")) == "/var/vmail/example.com/user"
    assert not smtpd.keeps_tag(action)
    tagged = model(BASE.replace("|strip", "") + GUIDE)
    assert tagged.keeps_tag(tagged.actions["inbound"])


def test_patterns() -> None:
    assert hostname_match("a.Example.com", "*.example.com")
    assert not hostname_match("example.com", "*.example.com")
    assert not hostname_match("a.e.example.com", "*.example.com")  # smtpd's own: `*` never goes back
    assert address_match("bob+x@example.com", "bob@example.com")
    assert not address_match("bob@example.com", "bob+x@example.com")
    assert address_match("x@example.com", "@example.com")
    assert address_match("x@example.com", "@")


def test_not_recorded_is_said() -> None:
    smtpd = model(BASE + GUIDE)
    found = smtpd.stat("/etc/ssl/private/mail.example.com.key")
    assert getattr(found, "reason", None) is Reason.NOT_RECORDED


IFCONFIG = """\
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 32768
	groups: lo
	inet 127.0.0.1 netmask 0xff000000
em0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	groups: egress
	inet 203.0.113.9 netmask 0xffffff00 broadcast 203.0.113.255
	inet6 2001:db8::9 prefixlen 64
em1: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
	groups: office
	inet 10.1.2.3 netmask 0xffffff00 broadcast 10.1.2.255
"""


@pytest.mark.parametrize(
    ("where", "evidence", "expected"),
    [
        ("em0", True, Reach.PUBLIC),
        ("em1", True, Reach.INSIDE),
        ("office", True, Reach.INSIDE),
        ("em2", True, Reach.UNKNOWN),
        ("em1", False, Reach.INSIDE),
        ("em2", False, Reach.PUBLIC),
        ("em3", False, Reach.UNKNOWN),
        ("em4", False, Reach.UNKNOWN),
    ],
)
def test_who_reaches_a_listener_on_an_interface(where: str, evidence: bool, expected: Reach) -> None:
    files = {
        "em1": "inet 192.168.1.1 255.255.255.0\n",
        "em2": "inet 198.51.100.1/24\ninet6 fe80::1 64\n",
        "em3": "inet autoconf\n",
    }
    answers: dict[Question, Answer] = {
        ReadFile(PATH): Found(f"listen on {where}\naction l mbox\nmatch for local action l\n".encode()),
        ListFiles("/etc/hostname.*"): Found(tuple(f"/etc/hostname.{name}" for name in files)),
        **{ReadFile(f"/etc/hostname.{name}"): Found(chars.encode()) for name, chars in files.items()},
    }
    if evidence:
        answers = {ReadFile(PATH): answers[ReadFile(PATH)], RunCommand(Command.IFCONFIG): Found(CommandOutput(0, IFCONFIG))}
    sources = Sources(Snapshot("host", "target", answers))
    slot = read_smtpd(sources, read_services(sources))
    assert isinstance(slot, Known)
    assert reach(slot.value.listeners[0]) is expected
