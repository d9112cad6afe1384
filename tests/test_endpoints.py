"""What the host shows from outside: typed, bounded, and never taken for what it is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.certificates import NotReadError
from mailaudit.models.dns.host import HostAddresses
from mailaudit.models.dns.reply import reply_of
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.endpoints import MAX_LINE, MAX_LINES, SPOKEN, Endpoints, Filtered, Seen, read_endpoints
from mailaudit.models.site import Declared, Site
from mailaudit.models.sources import Known, Lacking, NotHere, Slot, Sources
from mailaudit.questions import (
    Absent,
    Answer,
    Command,
    Endpoint,
    Failed,
    Found,
    Handshake,
    ListFiles,
    LookUp,
    Question,
    ReadFile,
    Reason,
    RRset,
    RunCommand,
)
from mailaudit.recording import parse_answers
from mailaudit.snapshot import Snapshot

EXAMPLE = Path(__file__).parents[1] / "examples" / "corrected" / "answers.json"
SITE = Site(ipv4=("203.0.113.9",), ipv6=("2001:db8::9",))
NOWHERE = HostAddresses()
HERE: tuple[Slot[object], ...] = (Known(object()),)


def model(answers: Mapping[Any, Answer], site: Site = SITE, *, online: bool = False) -> Slot[Endpoints]:
    return read_endpoints(
        Sources(Snapshot("h", "t", dict(answers), recorded=True, online=online)), site, NOWHERE, NotHere(""), HERE
    )


def one(fields: dict[str, object], port: int = 25, protocol: str = "smtp") -> Seen:
    slot = model({Handshake("203.0.113.9", port, protocol): Found(Endpoint(fields))})
    assert isinstance(slot, Known)
    (seen,) = slot.value.seen(port)
    return seen


def test_the_example_is_read() -> None:
    answers = parse_answers(EXAMPLE.read_bytes()).answers
    slot = read_endpoints(Sources(Snapshot("h", "t", answers, recorded=True)), SITE, NOWHERE, NotHere(""), HERE)
    assert isinstance(slot, Known)
    smtp, other = slot.value.seen(25)
    assert (smtp.at.address, other.at.address) == ("203.0.113.9", "2001:db8::9")
    assert smtp.greeting.startswith("220 host7")
    assert smtp.starttls
    assert smtp.lines is not None
    assert "STARTTLS" in smtp.lines
    assert smtp.lines_tls is not None
    assert "STARTTLS" not in smtp.lines_tls
    assert smtp.speaks_tls
    assert not smtp.old_protocols
    assert smtp.leaf is not None
    assert smtp.leaf.covers("mail.example.com")
    assert {seen.leaf.digest for seen in slot.value.seen() if seen.leaf is not None} == {smtp.leaf.digest}
    assert [seen.status for seen in slot.value.seen(80)] == [404, 404]
    assert len(slot.value.refused(143)) == 2
    (sieve, _) = slot.value.seen(4190)
    assert sieve.lines is not None
    assert '"SASL" ""' in sieve.lines


def test_what_another_protocol_answered_serves_as_well() -> None:
    slot = model({Handshake("203.0.113.9", 2000, "sieve"): Found(Endpoint({"starttls": True}))})
    assert isinstance(slot, Known)
    assert slot.value.seen(2000)


def test_own_addresses_and_known_ports_are_asked_and_no_others() -> None:
    sources = Sources(Snapshot("h", "t", {}, recorded=True))
    read_endpoints(sources, Site(ipv4=("203.0.113.9", "203.0.113.9", "mail.example.com")), NOWHERE, NotHere(""), HERE)
    assert sources.wanted == {Handshake("203.0.113.9", port, words[0]) for port, words in SPOKEN.items()}


DOMAINS = Site(domains=("example.com",), mail_host="mail.example.com", host_name="host7.example.com", ipv4=("203.0.113.9",))
DECLARED = replace(DOMAINS, declared=Declared(domains=("example.com",), mail_host="mail.example.com"))


def exchangers(*records: str) -> Slot[Dns]:
    reply = reply_of(LookUp("example.com.", "MX"), Found(RRset("NOERROR", records)))
    return Known(Dns(domains=("example.com",), replies={LookUp("example.com.", "MX"): reply}))


@pytest.mark.parametrize(
    ("records", "name"),
    [
        (("0 mail.example.com.",), "mail.example.com"),
        (("10 example.com.", "20 mail.example.com."), "mail.example.com"),
        (("10 mx1.example.com.", "20 mx2.example.com."), "mx1.example.com"),
        (("10 mx.example.net.",), "mail.example.com"),
        (("0 .",), "mail.example.com"),
    ],
)
def test_port_25_is_called_as_other_servers_call_it_and_the_rest_as_people_do(records: tuple[str, ...], name: str) -> None:
    sources = Sources(Snapshot("h", "t", {}, online=True))
    read_endpoints(sources, DOMAINS, NOWHERE, exchangers(*records), HERE)
    called = {each.port: (each.name, each.domain) for each in sources.wanted if isinstance(each, Handshake)}
    assert called == dict.fromkeys(SPOKEN, ("mail.example.com", "example.com")) | {25: (name, "example.com")}


def test_ports_wait_for_the_name_and_for_nothing_else() -> None:
    sources = Sources(Snapshot("h", "t", {}, online=True), wanted={LookUp("example.com.", "MX")})
    read_endpoints(sources, DOMAINS, NOWHERE, Lacking(Reason.NOT_RECORDED, "not yet"), HERE)
    assert not [each for each in sources.wanted if isinstance(each, Handshake)]
    sources = Sources(Snapshot("h", "t", {LookUp("example.com.", "MX"): Failed(Reason.TIMEOUT)}, online=True))
    read_endpoints(sources, DOMAINS, NOWHERE, Lacking(Reason.TIMEOUT, "no answer"), HERE)
    assert {each.port for each in sources.wanted if isinstance(each, Handshake)} == set(SPOKEN)


@pytest.mark.parametrize(
    ("site", "host", "awaited"),
    [
        (DOMAINS, NOWHERE, RunCommand(Command.IFCONFIG)),
        (DOMAINS, NOWHERE, ListFiles("/etc/hostname.*")),
        (DOMAINS, HostAddresses(ipv4=("203.0.113.9",)), RunCommand(Command.IFCONFIG)),
        (DOMAINS, NOWHERE, ReadFile("/etc/mail/smtpd.conf")),
        (DOMAINS, NOWHERE, ReadFile("/etc/acme-client.conf")),
    ],
)
def test_ports_wait_until_it_is_known_whose_they_are(site: Site, host: HostAddresses, awaited: Question) -> None:
    """A DNS record may name somebody else's machine, and the host itself may have another name than its first guess."""
    sources = Sources(Snapshot("h", "t", {}, online=True), wanted={awaited})
    slot = read_endpoints(sources, site, host, NotHere(""), HERE)
    assert isinstance(slot, Lacking)
    assert sources.wanted == {awaited}


@pytest.mark.parametrize(
    ("site", "host", "pending"),
    [
        (DECLARED, NOWHERE, ReadFile("/etc/mail/smtpd.conf")),
        (DOMAINS, HostAddresses(ipv4=("203.0.113.9",)), ListFiles("/etc/hostname.*")),
        (DOMAINS, NOWHERE, ReadFile("/etc/dovecot/dovecot.conf")),
    ],
)
def test_ports_wait_for_nothing_else(site: Site, host: HostAddresses, pending: Question) -> None:
    sources = Sources(Snapshot("h", "t", {}, online=True), wanted={pending})
    assert isinstance(read_endpoints(sources, site, host, NotHere(""), HERE), Known | Lacking)
    assert {each.port for each in sources.wanted if isinstance(each, Handshake)} == set(SPOKEN)


def test_filtered_is_a_timeout_with_its_words() -> None:
    slot = model({Handshake("203.0.113.9", 143, "tcp"): Found(Endpoint({"filtered": "no answer in 2.5 seconds"}))})
    assert isinstance(slot, Known)
    ((_, found),) = [each for each in slot.value.on(143) if each[0].address == "203.0.113.9"]
    assert isinstance(found, Filtered)
    assert (found.reason, found.detail) == (Reason.TIMEOUT, "203.0.113.9 143 tcp: no answer in 2.5 seconds")
    assert not slot.value.refused(143)


def test_what_a_port_does_not_tell_names_the_port() -> None:
    question = Handshake("203.0.113.9", 25, "smtp")
    slot = model({question: Failed(Reason.PROTOCOL, "a reply of more than 100 lines")})
    assert isinstance(slot, Known)
    (found,) = [each for asked, each in slot.value.on(25) if asked.address == "203.0.113.9"]
    assert isinstance(found, Failed)
    assert found.detail == "203.0.113.9 25 smtp: a reply of more than 100 lines"


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        (HostAddresses(ipv4=("203.0.113.9", "203.0.113.10"), ipv6=()), {"203.0.113.9"}),
        (HostAddresses(ipv4=("198.51.100.7",), ipv6=None), {"198.51.100.7"}),
        (NOWHERE, {"203.0.113.9", "2001:db8::9"}),
    ],
)
def test_what_is_another_hosts_is_not_asked(host: HostAddresses, asked: set[str]) -> None:
    sources = Sources(Snapshot("h", "t", {}, recorded=True))
    read_endpoints(sources, Site(ipv4=("203.0.113.9",), ipv6=("2001:DB8:0::9",)), host, NotHere(""), HERE)
    assert {question.address for question in sources.wanted if isinstance(question, Handshake)} == asked


@pytest.mark.parametrize("reason", [Reason.OFFLINE, Reason.NOT_RECORDED])
def test_what_was_not_asked_is_lacking(reason: Reason) -> None:
    answers = {Handshake(a, p, w[0]): Failed(reason) for a in ("203.0.113.9", "2001:db8::9") for p, w in SPOKEN.items()}
    slot = model(answers)
    assert isinstance(slot, Lacking)
    assert slot.reason is reason


def test_without_addresses_nothing_is_asked() -> None:
    slot = model({}, Site())
    assert isinstance(slot, Lacking)
    assert slot.reason is Reason.OFFLINE
    slot = model({}, Site(), online=True)
    assert isinstance(slot, Lacking)
    assert slot.reason is Reason.NOT_RECORDED


def test_without_a_daemon_nothing_is_asked() -> None:
    sources = Sources(Snapshot("h", "t", {}))
    assert isinstance(read_endpoints(sources, SITE, NOWHERE, NotHere(""), (NotHere("no"),)), NotHere)
    assert not sources.wanted


@pytest.mark.parametrize("reason", [Reason.TIMEOUT, Reason.REFUSED, Reason.PROTOCOL])
def test_a_failure_stays_what_it_is(reason: Reason) -> None:
    slot = model({Handshake("203.0.113.9", 25, "smtp"): Failed(reason)})
    assert isinstance(slot, Known)
    ((_, seen), _) = slot.value.on(25)
    assert isinstance(seen, Failed)
    assert seen.reason is reason
    assert bool(slot.value.refused(25)) is (reason is Reason.REFUSED)


@pytest.mark.parametrize(
    ("fields", "speaks"),
    [
        ({"protocols": ("TLSv1.3",)}, True),
        ({"protocols": ()}, False),
        ({"starttls": False}, False),
        ({"starttls": True}, None),
        ({}, None),
    ],
)
def test_whether_tls_is_spoken(fields: dict[str, object], speaks: bool | None) -> None:
    assert one(fields).speaks_tls is speaks


def test_versions_that_are_too_old() -> None:
    assert one({"protocols": ("TLSv1", "TLSv1.1", "TLSv1.2")}).old_protocols == ("TLSv1", "TLSv1.1")


@pytest.mark.parametrize(
    ("greeting", "away"),
    [("220 x", False), ("421 busy", True), ("554 no", True), ("* OK x", False), ("* BYE x", True), ("", False)],
)
def test_who_is_turned_away_has_seen_nothing(greeting: str, away: bool) -> None:
    assert one({"greeting": greeting}).turns_away is away


def test_what_is_hostile_is_bounded() -> None:
    seen = one({"greeting": "2" * 10**6, "ehlo": ("A" * 10**5,) * 5000, "chain": ("x" * 10**6,) * 3})
    assert len(seen.greeting) == MAX_LINE
    assert seen.lines is not None
    assert len(seen.lines) == MAX_LINES
    assert len(seen.lines[0]) == MAX_LINE
    assert isinstance(seen.chain, NotReadError)
    assert seen.leaf is None
    assert isinstance(one({"chain": ("x",) * 1000}).chain, NotReadError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)
NAMES = st.sampled_from(["greeting", "ehlo", "ehlo_tls", "capabilities", "starttls", "protocols", "chain", "status", "odd"])


@given(st.dictionaries(NAMES, JSON))
def test_nothing_that_is_said_harms(fields: dict[str, object]) -> None:
    seen = one(fields)
    assert seen.speaks_tls in (True, False, None)
    assert seen.leaf is None
    json.dumps([seen.greeting, seen.lines, seen.lines_tls, seen.protocols])


def test_an_absent_answer_is_nobody() -> None:
    slot = model({Handshake("203.0.113.9", 25, "smtp"): Absent()})
    assert isinstance(slot, Known)
    assert slot.value.refused(25)
