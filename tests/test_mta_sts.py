"""MTA-STS: policies as RFC 8461 has them, fetched as senders do, asked for only where they may be."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import listeners
import pytest
from hypothesis import given
from hypothesis import strategies as st
from listeners import Conversation, Listener, listening

from mailaudit.collect.budget import Budget
from mailaudit.collect.tls import policy
from mailaudit.collect.tls.policy import fetch_all
from mailaudit.collect.tls.ports import Ports
from mailaudit.collect.tls.trust import Trust
from mailaudit.models.dns.host import HostAddresses
from mailaudit.models.dns.reply import reply_of
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.mta_sts import Fetched, Policy, read_policies, read_policy
from mailaudit.models.sources import Known, Sources
from mailaudit.questions import Answer, Endpoint, Failed, FetchPolicy, Found, LookUp, Question, Reason, RRset
from mailaudit.snapshot import Snapshot

GOOD = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n"

# ---- what a policy says


def test_a_policy_is_read() -> None:
    assert read_policy(GOOD) == Policy("enforce", 604_800, ("mail.example.com",))


@pytest.mark.parametrize(
    "body",
    [
        GOOD.replace("\r\n", "\n"),
        GOOD.rstrip(),
        "max_age:604800\nmode :enforce\nmx:\tmail.example.com \nversion: STSv1\n",
        GOOD + "mode: none\nmax_age: 1\n",  # of what is there twice the first counts
        GOOD + "x.note: some words: of ours\n",
        GOOD.replace("mail.example.com", "MAIL.example.com"),
    ],
)
def test_other_spellings_of_the_same(body: str) -> None:
    assert read_policy(body) == read_policy(GOOD)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("", "line 1 is no field"),
        (GOOD.replace("STSv1", "STSv2"), "version: STSv1"),
        (GOOD.replace("version: STSv1\r\n", ""), "version: STSv1"),
        (GOOD.replace("enforce", "enforced"), "mode is not"),
        (GOOD.replace("604800", "31557601"), "max_age is no number"),
        (GOOD.replace("max_age: 604800\r\n", ""), "max_age is no number"),
        (GOOD.replace("604800", "-1"), "max_age is no number"),
        (GOOD.replace("604800", "٣"), "max_age is no number"),
        (GOOD.replace("mx: mail.example.com\r\n", ""), "names no mx"),
        (GOOD.replace("mail.example.com", "*"), "neither a host name"),
        (GOOD.replace("mail.example.com", "mail.*.com"), "neither a host name"),
        (GOOD.replace("mail.example.com", ".example.com"), "neither a host name"),
        (GOOD + "\r\n\r\n", "is no field"),
        (GOOD + "nothing\r\n", "line 5 is no field"),
    ],
)
def test_what_is_no_policy_to_a_sender(body: str, fault: str) -> None:
    assert any(fault in each for each in read_policy(body).faults)


def test_none_needs_no_exchanger() -> None:
    assert not read_policy("version: STSv1\nmode: none\nmax_age: 86400\n").faults


@pytest.mark.parametrize(
    ("pattern", "exchanger", "allowed"),
    [
        ("mail.example.com", "mail.example.com", True),
        ("mail.example.com", "MAIL.Example.COM.", True),
        ("mail.example.com", "mail.example.com.attacker.net", False),
        ("mail.example.com", "amail.example.com", False),
        ("*.example.com", "mail.example.com", True),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "example.com", False),
        ("*.example.com", "mail.example.com.attacker.net", False),
        ("*.com", "example.com", True),
        ("*.com", "mail.example.com", False),
    ],
)
def test_a_wildcard_is_one_label_and_nothing_is_a_part(pattern: str, exchanger: str, allowed: bool) -> None:
    assert read_policy(GOOD.replace("mail.example.com", pattern)).allows(exchanger) is allowed


@given(st.text() | st.lists(st.sampled_from([*GOOD.split("\r\n"), "mx: *.", "mode:", ":", "\x00"])).map("\n".join))
def test_no_text_harms(body: str) -> None:
    found = read_policy(body)
    assert found.faults or 0 <= found.max_age <= 31_557_600


# ---- whom it is fetched from

TXT, A, AAAA = (
    LookUp(owner, kind)
    for owner, kind in (
        ("_mta-sts.example.com.", "TXT"),
        ("mta-sts.example.com.", "A"),
        ("mta-sts.example.com.", "AAAA"),
    )
)
RECORD = Found(RRset("NOERROR", ('"v=STSv1; id=1"',)))


def asked(answers: Mapping[LookUp, Answer], own: tuple[str, ...] = (), waiting: LookUp | None = None) -> list[tuple[str, ...]]:
    """The addresses of the questions that are raised."""
    replies = {question: reply_of(question, answer) for question, answer in answers.items()}
    dns = Dns(domains=("example.com",), replies=replies, host=HostAddresses(ipv4=own))
    sources = Sources(Snapshot("h", "t", {}, online=True), wanted={waiting} if waiting is not None else set())
    read_policies(sources, Known(dns))
    return [each.addresses for each in sources.wanted if isinstance(each, FetchPolicy)]


def addresses(*records: str) -> Found:
    return Found(RRset("NOERROR", records))


def test_the_addresses_of_its_host_are_asked_and_no_others() -> None:
    assert asked({TXT: RECORD, A: addresses("203.0.113.9"), AAAA: addresses("2001:db8::9")}) == [("2001:db8::9", "203.0.113.9")]
    assert asked({TXT: addresses('"v=spf1 -all"'), A: addresses("203.0.113.9"), AAAA: addresses()}) == []
    assert asked({TXT: addresses(*RECORD_TWICE), A: addresses("203.0.113.9"), AAAA: addresses()}) == []
    assert asked({TXT: RECORD, A: addresses(), AAAA: addresses()}) == []


RECORD_TWICE = ('"v=STSv1; id=1"', '"v=STSv1; id=2"')


def test_addresses_that_are_inside_some_network_are_not_connected_to() -> None:
    inner: dict[LookUp, Answer] = {
        TXT: RECORD,
        A: addresses("127.0.0.1", "10.0.0.1", "169.254.169.254", "203.0.113.9"),
        AAAA: addresses("::1", "fe80::1"),
    }
    assert asked(inner) == [("203.0.113.9",)]
    assert asked(inner, own=("10.0.0.1",)) == [("10.0.0.1", "203.0.113.9")]


def test_all_addresses_are_waited_for() -> None:
    assert asked({TXT: RECORD, A: addresses("203.0.113.9")}, waiting=AAAA) == []
    failed: dict[LookUp, Answer] = {TXT: RECORD, A: addresses("203.0.113.9"), AAAA: Failed(Reason.TIMEOUT)}
    assert asked(failed) == [("203.0.113.9",)]


@pytest.mark.parametrize("value", [None, 1, True, [], {}, ["x"], "text"])
@pytest.mark.parametrize("field", ["address", "status", "type", "location", "chain", "trusted", "tls_error", "too_long", "body"])
def test_whatever_was_recorded_harms_not(field: str, value: object) -> None:
    replies = {q: reply_of(q, a) for q, a in ((TXT, RECORD), (A, addresses("203.0.113.9")), (AAAA, addresses()))}
    answers: dict[Question, Answer] = {FetchPolicy("example.com"): Found(Endpoint({field: value}))}
    slot = read_policies(Sources(Snapshot("h", "t", answers)), Known(Dns(domains=("example.com",), replies=replies)))
    assert isinstance(slot, Known)
    assert isinstance(slot.value.found["example.com"], Fetched)


# ---- how it is fetched


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    certificate, key = listeners.self_signed(tmp_path_factory.mktemp("policy"), "mta-sts.example.com")
    made = listeners.context(certificate, key, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    made.roots = (certificate.read_text(),)  # type: ignore[attr-defined]
    return made


def serving(*parts: bytes, heard: list[bytes] | None = None) -> Conversation:
    """Answers any request by these bytes, and closes."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        if heard is not None:
            heard.append(request)
        for part in parts:
            writer.write(part)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    return talk


def fetch(
    monkeypatch: pytest.MonkeyPatch,
    conversation: Conversation,
    tls: ssl.SSLContext | None,
    *,
    places: tuple[str, ...] = ("127.0.0.1",),
    loopback: bool = True,
) -> tuple[Answer, Listener]:
    async def run() -> tuple[Answer, Listener]:
        async with listening(conversation, tls) as listener:
            monkeypatch.setattr(policy, "PORT", listener.port)
            question = FetchPolicy("example.com", places)
            ports = Ports(Budget(5), loopback=loopback, trust=Trust(*getattr(tls, "roots", ())))
            return (await fetch_all(ports, [question]))[question], listener

    return asyncio.run(run())


def fields(answer: Answer) -> Any:
    assert isinstance(answer, Found), answer
    assert isinstance(answer.value, Endpoint)
    return answer.value.fields


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
BODY = GOOD.encode()


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + b"more than was said",
        HEAD + b"\r\n" + BODY,
        HEAD
        + b"Transfer-Encoding: chunked\r\n\r\n5\r\n"
        + BODY[:5]
        + b"\r\n%x;x=y\r\n" % (len(BODY) - 5)
        + BODY[5:]
        + b"\r\n0\r\n\r\n",
    ],
    ids=["length", "until-closed", "chunked"],
)
def test_a_policy_is_fetched(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, answer: bytes) -> None:
    heard: list[bytes] = []
    said: list[str | None] = []
    tls.sni_callback = lambda _socket, name, _context: said.append(name)
    found = fields(fetch(monkeypatch, serving(answer, heard=heard), tls)[0])
    assert (found["status"], found["type"], found["body"], found["trusted"]) == (200, "text/plain", GOOD, True)
    assert found["address"] == "127.0.0.1"
    assert said == ["mta-sts.example.com"]
    assert heard[0].startswith(b"GET /.well-known/mta-sts.txt HTTP/1.1\r\nHost: mta-sts.example.com\r\n")


def test_a_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    answer, listener = fetch(monkeypatch, serving(b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1/\r\n\r\nbody"), tls)
    found = fields(answer)
    assert (found["status"], found["location"]) == (302, "https://127.0.0.1/")
    assert "body" not in found
    assert listener.connections == 1


@pytest.mark.parametrize("length", [b"Content-Length: 99999999\r\n", b"", b"Transfer-Encoding: chunked\r\n"])
def test_a_policy_has_64_kib_at_the_most(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, length: bytes) -> None:
    body = b"x" * (80 * 1024)
    text = b"%x\r\n" % len(body) + body if b"chunked" in length else body
    found = fields(fetch(monkeypatch, serving(HEAD + length + b"\r\n", text), tls)[0])
    assert found["too_long"] is True
    assert "body" not in found


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"220 mail.example.com ESMTP\r\n",
        HEAD + b"Content-Length: 500\r\n\r\nversion",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nnone\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y" * 2000 + b"\r\n\r\n",
    ],
)
def test_what_is_cut_or_no_http_is_no_policy_and_no_finding(
    monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext, answer: bytes
) -> None:
    found, _ = fetch(monkeypatch, serving(answer), tls)
    assert isinstance(found, Failed)
    assert found.reason is Reason.PROTOCOL


def test_who_does_not_go_on_is_a_timeout(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    monkeypatch.setattr(policy, "FETCHING", 0.4)
    found, _ = fetch(monkeypatch, listeners.saying(HEAD), tls)
    assert isinstance(found, Failed)
    assert found.reason is Reason.TIMEOUT


def test_the_next_address_is_tried_and_the_worst_reason_told(monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext) -> None:
    good = serving(HEAD + b"\r\n" + BODY)
    assert fields(fetch(monkeypatch, good, tls, places=("127.0.0.2", "127.0.0.1"))[0])["address"] == "127.0.0.1"
    found, _ = fetch(monkeypatch, good, tls, places=("127.0.0.2",))
    assert isinstance(found, Failed)
    assert found.reason is Reason.REFUSED
    found, listener = fetch(monkeypatch, good, tls, loopback=False)
    assert isinstance(found, Failed)
    assert found.reason is Reason.IN_DOUBT
    assert listener.connections == 0
