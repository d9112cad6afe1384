"""Dead rules against the ways of messages, the queue's lines, names; and when the rules of smtpd at work do not apply."""

from __future__ import annotations

from itertools import product
from time import perf_counter
from typing import Any

import pytest
from hostfiles import sources
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit.checks import CHECKS
from mailaudit.checks.runner import Judged, judge
from mailaudit.findings import Verdict
from mailaudit.models.clock import Clock, moment
from mailaudit.models.facts import read
from mailaudit.models.services import read_services
from mailaudit.models.site import Declared
from mailaudit.models.smtpd.config import SmtpdConfig, read_smtpd
from mailaudit.models.smtpd.covers import dead_rules
from mailaudit.models.smtpd.match import Envelope, Session
from mailaudit.models.smtpd.name import is_qualified
from mailaudit.models.smtpd.queue import read_queue
from mailaudit.models.smtpd.route import route
from mailaudit.models.sources import Known
from mailaudit.questions import Command, Reason, Stat

CONF, NAME = "/etc/mail/smtpd.conf", "/etc/mail/mailname"
IN = 'action "in" mbox virtual { "@" = vmail }\n'
HEAD = IN + 'action "out" relay\nlisten on egress tag A\nlisten on lo0 tag B\nlisten on socket\n'
FROM = (
    "",
    "from any",
    "from local",
    "from socket",
    "from src 203.0.113.0/24",
    "from src { 203.0.113.9, local }",
    "!from src 203.0.113.9",
)
FOR = ("", "for any", "for local", 'for domain "a.example"', 'for domain { "a.example", "b.example" }', 'for domain "*.example"')
WITH = (
    "",
    "auth",
    "!auth",
    "tag A",
    "!tag A",
    'mail-from "@x.example"',
    'mail-from { "@x.example", "@y.example" }',
    'rcpt-to "u@a.example"',
)
SESSIONS = [
    Session(address, authenticated=login, user="u" if login else None, tag=tag, helo="h.example")
    for address, login, tag in product(
        ("local", "127.0.0.1", "203.0.113.9", "203.0.113.77", "198.51.100.1"), (False, True), ("", "A", "B")
    )
]
ENVELOPES = [
    Envelope(f"{user}@{domain}", f"v@{sender}")
    for user, domain, sender in product(
        "uv", ("a.example", "b.example", "c.example", "localhost", "me.test"), ("x.example", "y.example")
    )
]


def smtpd(chars: str) -> SmtpdConfig:
    found = sources({CONF: chars, NAME: "me.test\n"})
    slot = read_smtpd(found, read_services(found))
    assert isinstance(slot, Known)
    return slot.value


def judged(identity: str, files: dict[str, str], **more: Any) -> Judged:
    facts = read(sources(files, **more), Declared(), {}, Clock(now=_time("2026-11-22T12:00:00Z")))
    return judge(CHECKS[identity], facts.slots)


def _time(written: str) -> Any:
    return moment(written)


@settings(max_examples=70, deadline=None)
@given(
    st.lists(
        st.tuples(*(st.sampled_from(words) for words in (FROM, FOR, WITH, ('action "in"', 'action "out"', "reject")))),
        min_size=2,
        max_size=6,
    )
)
def test_a_dead_rule_decides_for_no_message(rows: list[tuple[str, ...]]) -> None:
    model = smtpd(HEAD + "".join(f"match {' '.join(word for word in row if word)}\n" for row in rows))
    dead = {id(each.rule) for each in dead_rules(model) if each.certain}
    for session, envelope in product(SESSIONS, ENVELOPES):
        decides = route(model, session, envelope).rule
        assert decides is None or id(decides) not in dead


def test_where_a_table_is_not_known_nothing_is_claimed() -> None:
    above = f'{IN}table mine file:/etc/mail/domains\nmatch from any for domain <mine> action "in"\n'
    result = judged("SMTPD046", {CONF: above + 'match from any for domain "a.example" action "in"\n'})
    assert (result.verdict, result.reason) == (Verdict.UNKNOWN, Reason.NOT_RECORDED)
    known = judged(
        "SMTPD046", {CONF: above + 'match from any for domain "a.example" action "in"\n', "/etc/mail/domains": "a.example\n"}
    )
    assert known.verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("identity", "files"),
    [
        (
            "SMTPD047",
            {CONF: f'{IN}action "l" mbox\nmatch from any for domain "a.example" action "inn"\nmatch for local action "l"\n'},
        ),
        ("SMTPD048", {CONF: 'action "l" mbox\nlisten on egress\nmatch from any for local action "l"\n'}),
        ("SMTPD050", {CONF: f'{IN}match for any action "in"\n', "/etc/myname": "host7.example.com\n"}),
        ("SMTPD049", {CONF: 'action "o" relay\nlisten on lo0\nmatch from local for any action "o"\n'}),
    ],
)
def test_what_does_not_apply(identity: str, files: dict[str, str]) -> None:
    assert judged(identity, files).verdict is Verdict.NOT_APPLICABLE


RUNS = "PID USER STARTED COMMAND\n41833 root Fri Nov 20 09:30:21 2026 /usr/sbin/smtpd\n"
VIRTUALS = 'table v file:/etc/mail/virtuals\naction "in" mbox virtual <v>\nmatch from any for domain "a.example" action "in"\n'


@pytest.mark.parametrize(
    ("running", "conf", "table", "verdict"),
    [
        (RUNS, "2026-11-20T09:00:00Z", "2026-11-21T09:00:00Z", Verdict.FAIL),
        (RUNS, "2026-11-20T09:00:00Z", "2026-11-20T09:00:00Z", Verdict.PASS),
        (RUNS, "2026-11-20T09:00:00Z", None, Verdict.UNKNOWN),
        (RUNS, "2026-11-21T09:00:00Z", "2026-11-21T09:00:00Z", Verdict.NOT_APPLICABLE),
        ("PID USER STARTED COMMAND\n", "2026-11-20T09:00:00Z", "2026-11-21T09:00:00Z", Verdict.NOT_APPLICABLE),
    ],
)
def test_tables_in_memory(running: str, conf: str, table: str | None, verdict: Verdict) -> None:
    stats = {path: Stat("directory", 0o755, "root", "wheel") for path in ("/", "/etc", "/etc/mail")}
    stats |= {CONF: Stat("file", 0o600, "root", "wheel", mtime=conf)}
    stats |= {"/etc/mail/virtuals": Stat("file", 0o644, "root", "wheel", mtime=table)}
    files = {CONF: VIRTUALS, "/etc/mail/virtuals": "u@a.example: vmail\n"}
    assert judged("SMTPD055", files, commands={Command.PS: (0, running)}, stats=stats).verdict is verdict


def test_a_table_and_a_certificate_that_smtpd_has_not_read_are_one_finding() -> None:
    certificate = "/etc/ssl/mail.example.com.crt"
    stats = {path: Stat("directory", 0o755, "root", "wheel") for path in ("/", "/etc", "/etc/mail", "/etc/ssl")}
    stats |= {CONF: Stat("file", 0o600, "root", "wheel", mtime="2026-11-20T09:00:00Z")}
    younger = dict.fromkeys(
        (certificate, "/etc/mail/virtuals"), Stat("file", 0o644, "root", "wheel", mtime="2026-11-21T09:00:00Z")
    )
    files = {CONF: f'pki a cert "{certificate}"\n{VIRTUALS}', "/etc/mail/virtuals": "u@a.example: vmail\n"}
    result = judged("SMTPD055", files, commands={Command.PS: (0, RUNS)}, stats=stats | younger)
    assert (result.verdict, "HOST036" in result.message) == (Verdict.NOT_APPLICABLE, True)


def test_the_queue() -> None:
    lines = [
        "01716d513440ce15|inet4|mta||a@b.example|e@f.example|e@f.example|1795392274|1795737874|1795392274|0|inflight|3|",
        '01716d5183e2a763|local|mda|auth|@|x|y@f.x|x|y@f.x|1795392275|1795737874|1795392274|7|pending|3|Error ("a|b")',
        "not a line of the queue",
        "01716d5183e2a763|local|mda|" + "@|" * 50_000,
    ]
    slot = read_queue(sources({}, {Command.SMTPCTL_QUEUE: (0, "\n".join(lines))}))
    assert isinstance(slot, Known)
    assert [(each.agent, each.tries) for each in slot.value.envelopes] == [("mta", 0), ("mda", 7)]
    assert slot.value.unread == 2
    unread = judged("SMTPD054", {}, commands={Command.SMTPCTL_QUEUE: (0, "what\n")})
    assert (unread.verdict, unread.reason) == (Verdict.UNKNOWN, Reason.NOT_READ)


@pytest.mark.parametrize(
    ("name", "verdict"),
    [
        ("host7.example.com\n", Verdict.PASS),
        ("Host7.Example.com", Verdict.PASS),
        ("\n", Verdict.FAIL),
        ("", Verdict.NOT_APPLICABLE),
        ("host7.example.com \n", Verdict.FAIL),
        ("host7.example.com\r\n", Verdict.FAIL),
        ("# this host\nhost7.example.com\n", Verdict.FAIL),
        ("host7.example.com.\n", Verdict.FAIL),
    ],
)
def test_mailname(name: str, verdict: Verdict) -> None:
    assert judged("SMTPD050", {CONF: VIRTUALS, NAME: name}).verdict is verdict


def test_full_names() -> None:
    assert [each for each in ("a.b", "xn--bcher-kva.example", "a.b.c1") if not is_qualified(each)] == []
    assert [
        each for each in ("a", "", "a.", ".a", "1.2.3.4", "-a.b", "a b.c", "x.local", "[1.2.3.4]") if is_qualified(each)
    ] == []


def test_rules_that_say_the_same_are_judged_promptly() -> None:
    many = 20_000
    model = smtpd('listen on all\naction "a" relay\n' + 'match from any for domain "x.org" action "a"\n' * many)
    started = perf_counter()
    assert len(list(dead_rules(model))) == many - 1
    assert perf_counter() - started < 5
