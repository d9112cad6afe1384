"""Listeners as they are looked at from outside, with listeners of the tests' own: sound, odd and hostile ones."""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import listeners
import pytest
from listeners import Conversation, Listener, Smtp, listening, saying, self_signed

from mailaudit.collect.budget import Budget
from mailaudit.collect.tls import dialogues, ports, relay
from mailaudit.collect.tls.ports import Ports
from mailaudit.collect.tls.trust import Trust
from mailaudit.questions import Answer, Endpoint, Failed, Found, Handshake, Reason

V = ssl.TLSVersion


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return self_signed(tmp_path_factory.mktemp("tls"), "mail.example.com")


def look(
    conversation: Conversation,
    protocol: str = "smtp",
    *,
    tls: ssl.SSLContext | None = None,
    seconds: float = 10,
    name: str = "mail.example.com",
    trust: Trust | None = None,
) -> tuple[Answer, Listener]:
    async def run() -> tuple[Answer, Listener]:
        async with listening(conversation, tls) as listener:
            question = Handshake("127.0.0.1", listener.port, protocol, name, "example.com")
            asked = Ports(Budget(seconds), loopback=True, trust=trust or Trust())
            return (await asked.ask([question]))[question], listener

    return asyncio.run(run())


def fields(answer: Answer) -> Any:
    assert isinstance(answer, Found), answer
    assert isinstance(answer.value, Endpoint)
    return answer.value.fields


def failed(answer: Answer) -> tuple[Reason, str]:
    assert isinstance(answer, Failed), answer
    return answer.reason, answer.detail


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "TALKING", 0.4)


# ---- sound ones


def test_smtp_says_what_it_offers_before_and_after_tls(certificate: tuple[Path, Path]) -> None:
    tls = listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3)
    answer, listener = look(Smtp(tls=tls))
    found = fields(answer)
    assert found["greeting"] == "220 mail.example.com ESMTP"
    assert found["ehlo"] == ("SIZE 100", "STARTTLS", "HELP")
    assert found["starttls"] is True
    assert found["ehlo_tls"] == ("AUTH PLAIN LOGIN",)
    assert found["protocols"] == ("TLSv1.2", "TLSv1.3")
    assert found["chain"] == (certificate[0].read_text(),)
    assert (listener.connections, listener.at_once) == (3, 1)


def test_smtp_without_starttls_is_connected_to_once() -> None:
    answer, listener = look(Smtp(ehlo=(b"250-mail.example.com", b"250 AUTH PLAIN")))
    assert fields(answer) == {"greeting": "220 mail.example.com ESMTP", "ehlo": ("AUTH PLAIN",), "starttls": False}
    assert listener.connections == 1


@pytest.mark.parametrize(
    ("least", "most", "protocols"),
    [
        (V.TLSv1_3, V.TLSv1_3, ("TLSv1.3",)),
        (V.TLSv1_2, V.TLSv1_2, ("TLSv1.2",)),
        (V.TLSv1_2, V.TLSv1_3, ("TLSv1.2", "TLSv1.3")),
        (V.TLSv1_1, V.TLSv1_2, ("TLSv1.1", "TLSv1.2")),
        (V.TLSv1, V.TLSv1_3, ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")),
        (V.TLSv1, V.TLSv1_1, ("TLSv1", "TLSv1.1")),
        (V.TLSv1, V.TLSv1, ("TLSv1",)),
    ],
)
def test_each_version_of_tls_is_found(
    certificate: tuple[Path, Path], least: ssl.TLSVersion, most: ssl.TLSVersion, protocols: Sequence[str]
) -> None:
    answer, listener = look(Smtp(tls=listeners.context(*certificate, least, most)))
    assert fields(answer)["protocols"] == protocols
    assert listener.connections <= 3


async def imap(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"* OK ready.\r\n")
    while line := await reader.readline():
        if b"CAPABILITY" in line:
            writer.write(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\na OK done\r\n")


async def mail_under_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example.com ESMTP\r\n")
    while (await reader.readline()).startswith(b"EHLO"):
        writer.write(b"250-mail.example.com\r\n250 AUTH PLAIN\r\n")


async def web(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 301 Moved\r\nServer: OpenBSD httpd\r\nLocation: https://example.com/\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize(
    ("protocol", "conversation", "expected"),
    [
        ("imaps", imap, {"greeting": "* OK ready.", "capabilities": ("IMAP4rev1", "AUTH=PLAIN")}),
        ("smtps", mail_under_tls, {"greeting": "220 mail.example.com ESMTP", "ehlo_tls": ("AUTH PLAIN",)}),
        ("https", web, {"status": 301, "server": "OpenBSD httpd", "location": "https://example.com/"}),
    ],
)
def test_listeners_under_tls(
    certificate: tuple[Path, Path], protocol: str, conversation: Conversation, expected: dict[str, object]
) -> None:
    tls = listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3)
    answer, listener = look(conversation, protocol, tls=tls)
    found = fields(answer)
    assert {name: found[name] for name in expected} == expected
    assert found["protocols"] == ("TLSv1.2", "TLSv1.3")
    assert listener.connections <= 3  # those that fail in the handshake are not counted here


def test_http_and_tcp() -> None:
    answer, _ = look(web, "http")
    assert fields(answer)["status"] == 301
    assert fields(look(saying(b"hello\r\n"), "tcp")[0]) == {"greeting": "hello"}
    assert fields(look(saying(b"\x00\x01\xff\r\n"), "tcp")[0]) == {}
    assert fields(look(saying(), "tcp")[0]) == {}


def test_sieve(certificate: tuple[Path, Path]) -> None:
    tls = listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'"SASL" ""\r\n"STARTTLS"\r\nOK "ready"\r\n')
        while line := await reader.readline():
            if line.startswith(b"STARTTLS"):
                writer.write(b"OK\r\n")
                await writer.start_tls(tls)
                writer.write(b'"SASL" "PLAIN"\r\nOK "ready"\r\n')

    found = fields(look(talk, "sieve")[0])
    assert found["greeting"] == 'OK "ready"'
    assert found["capabilities"] == ('"SASL" ""', '"STARTTLS"')
    assert found["ehlo_tls"] == ('"SASL" "PLAIN"',)
    assert found["protocols"] == ("TLSv1.2", "TLSv1.3")


# ---- names, authorities, mail in clear


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("mail.example.com", "mail.example.com"),
        ("", None),
        ("203.0.113.9", None),
        ("2001:db8::9", None),
        ("m\u00e4il.example.com", None),
        (f"{'a.' * 150}com", None),
    ],
)
def test_the_name_that_was_sent_is_told(certificate: tuple[Path, Path], name: str, sent: str | None) -> None:
    tls = listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3)
    heard: list[str | None] = []
    tls.sni_callback = lambda _socket, said, _context: heard.append(said)
    found = fields(look(Smtp(tls=tls), name=name)[0])
    assert found.get("name") == sent
    assert set(heard) == {sent}


def test_the_name_is_no_part_of_the_question() -> None:
    assert Handshake("203.0.113.9", 25, "smtp", "mail.example.com") == Handshake("203.0.113.9", 25, "smtp")


def test_port_80_is_asked_for_the_hosts_name() -> None:
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 404 Not Found\r\n\r\n")
        await writer.drain()

    for name in ("mail.example.com", ""):
        look(talk, "http", name=name)
    assert b"\r\nHost: mail.example.com\r\n" in heard[0]
    assert b"\r\nHost: 127.0.0.1\r\n" in heard[1]


def test_an_authority_of_the_sites_own_is_trusted(certificate: tuple[Path, Path]) -> None:
    tls = listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3)
    own = fields(look(Smtp(tls=tls), trust=Trust(certificate[0].read_text()))[0])
    assert own["trusted"] is True
    other = fields(look(Smtp(tls=tls))[0])
    assert other.get("trusted") is not True
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        assert (other["trusted"], "self-signed" in other["trust_error"]) == (False, True)


@pytest.mark.parametrize("chain", [(), ("no certificate",), ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",)])
def test_of_what_is_no_chain_no_trust_is_told(chain: tuple[str, ...]) -> None:
    assert Trust().of(chain) == {}


@pytest.mark.parametrize(("reply", "after"), [(b"530 5.7.0 STARTTLS first\r\n", b"STARTTLS"), (b"250 2.0.0 Ok\r\n", b"RSET")])
def test_mail_before_tls_is_tried_on_submission_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path], reply: bytes, after: bytes
) -> None:
    server = Smtp(tls=listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3), mail=reply)
    assert "mail_reply" not in fields(look(server)[0])
    assert b"MAIL FROM:<>" not in server.said
    monkeypatch.setattr(dialogues, "SUBMISSION", _Any())
    answer, listener = look(server)
    found = fields(answer)
    assert found["mail_reply"] == reply.decode().strip()
    assert found["protocols"] == ("TLSv1.2", "TLSv1.3")
    assert server.said.count(b"MAIL FROM:<>") == 1
    assert server.said[server.said.index(b"MAIL FROM:<>") + 1] == after
    assert not {b"RCPT", b"DATA"} & {line.split()[0] for line in server.said if line}
    assert listener.connections <= 3


OK = b"250 2.1.5 Ok\r\n"


def probe(monkeypatch: pytest.MonkeyPatch, server: Smtp, *, domain: str = "example.com") -> tuple[Any, Listener]:
    monkeypatch.setattr(ports, "SMTP", _Any())

    async def run() -> tuple[Answer, Listener]:
        async with listening(server) as listener:
            question = Handshake("127.0.0.1", listener.port, "smtp", "mail.example.com", domain)
            return (await Ports(Budget(10), loopback=True, probe_relay=True).ask([question]))[question], listener

    answer, listener = asyncio.run(run())
    return fields(answer), listener


def test_a_relay_is_probed_in_the_same_conversation_and_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, certificate: tuple[Path, Path]
) -> None:
    tls = listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3)
    greeting = b"220 host7.example.com ESMTP\r\n"
    server = Smtp(greeting=greeting, tls=tls, mail=OK, recipients={b"mailaudit-probe%example.org@example.com": OK})
    found, listener = probe(monkeypatch, server)
    tried = {(each["sender"], each["recipient"]): each["reply"][:3] for each in found["relay"]}
    assert tried == {
        ("", "mailaudit-probe@example.org"): "550",
        ("", "@example.com:mailaudit-probe@example.org"): "550",
        ("", "mailaudit-probe%example.org@example.com"): "250",
        ("", '"mailaudit-probe@example.org"@example.com'): "550",
        ("", "example.org!mailaudit-probe@example.com"): "550",
        ("", "mailaudit-probe@example.com"): "550",
        ("", "mailaudit-probe%example.org@[127.0.0.1]"): "550",
        ("", '"mailaudit-probe@example.org"'): "550",
        ("", "example.org!mailaudit-probe"): "550",
        ("", "root@host7.example.com"): "550",
        ("", "root@localhost"): "550",
        ("", "root@[127.0.0.1]"): "550",
        ("postmaster@example.com", "mailaudit-probe@example.org"): "550",
    }
    assert found["client"] == "127.0.0.1"
    assert "relay_end" not in found
    assert found["protocols"] == ("TLSv1.2", "TLSv1.3")
    assert listener.connections <= 3
    assert not any(line.upper().startswith((b"DATA", b"BDAT")) for line in server.said)
    assert server.said.count(b"RSET") == 2


def test_nobody_is_probed_who_did_not_ask_for_it(certificate: tuple[Path, Path]) -> None:
    server = Smtp(tls=listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3), mail=OK)
    assert "relay" not in fields(look(server)[0])
    assert not any(line.upper().startswith((b"MAIL", b"RCPT")) for line in server.said)


def test_a_domain_of_nobody_here_is_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Smtp(ehlo=(b"250 mail.example.org",), mail=OK)
    found, _ = probe(monkeypatch, server, domain="mail.example.org")
    assert found["relay"][0]["recipient"] == "mailaudit-probe@example.net"
    found, _ = probe(monkeypatch, server, domain="")
    assert all("example.org" in each["recipient"] or each["recipient"].startswith("root@") for each in found["relay"])


@pytest.mark.parametrize(
    ("recipients", "end"),
    [
        ({b"@example.com:mailaudit-probe@example.org": b"421 4.7.0 too many errors\r\n"}, "421 4.7.0 too many errors"),
        ({b"@example.com:mailaudit-probe@example.org": b"nonsense\r\n"}, "that is no SMTP: 'nonsense'"),
        ({b"@example.com:mailaudit-probe@example.org": b""}, "it does not go on"),
    ],
)
def test_a_probe_that_is_broken_off_keeps_what_was_said(
    monkeypatch: pytest.MonkeyPatch, recipients: dict[bytes, bytes], end: str
) -> None:
    monkeypatch.setattr(relay, "ASKING", 1.0)
    found, _ = probe(monkeypatch, Smtp(ehlo=(b"250 mail.example.com",), mail=OK, recipients=recipients))
    assert [each["recipient"] for each in found["relay"]] == ["mailaudit-probe@example.org"]
    assert found["relay_end"] == end
    assert found["starttls"] is False


def test_a_sender_that_is_refused_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    found, _ = probe(monkeypatch, Smtp(ehlo=(b"250 mail.example.com",), mail=b"554 5.7.1 no\r\n"))
    assert [(each["sender"], each["recipient"]) for each in found["relay"]] == [("", ""), ("postmaster@example.com", "")]


class _Any:
    """Any port: listeners of tests have those that are free."""

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


# ---- those that say no


def test_a_closed_port_is_refused() -> None:
    async def run() -> Answer:
        async with listening(saying()) as listener:
            port = listener.port
        question = Handshake("127.0.0.1", port, "smtp")
        return (await Ports(Budget(5), loopback=True).ask([question]))[question]

    assert failed(asyncio.run(run()))[0] is Reason.REFUSED


def test_a_port_that_is_silent_beside_one_that_answers_is_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "PROMPT", 0.2)
    monkeypatch.setattr(ports, "CONNECTING", 0.3)

    async def run() -> tuple[Answer, Answer, Answer]:
        with listeners.deaf() as port:
            silent = Handshake("127.0.0.1", port, "tcp")
            alone = (await Ports(Budget(5), loopback=True).ask([silent]))[silent]
            async with listening(saying(b"hello\r\n")) as listener:
                other = Handshake("127.0.0.1", listener.port, "tcp")
                answers = await Ports(Budget(5), loopback=True).ask([silent, other])
            return alone, answers[silent], (await Ports(Budget(0.1), loopback=True).ask([silent]))[silent]

    alone, beside, in_haste = asyncio.run(run())
    assert failed(alone) == (Reason.TIMEOUT, "no answer in 0.3 seconds")
    assert re.fullmatch(r"no answer in 0\.[23] seconds, while port [0-9]+ answers", fields(beside)["filtered"])
    assert failed(in_haste)[0] is Reason.TIMEOUT
    assert "seconds for this host were over" in failed(in_haste)[1]


def test_without_a_way_an_address_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    class Wayless(socket.socket):
        def connect(self, _address: object) -> None:
            raise OSError(errno.ENETUNREACH, "Network is unreachable")

    monkeypatch.setattr("mailaudit.collect.ways.socket.socket", Wayless)
    start = time.monotonic()
    question = Handshake("2001:db8::9", 25, "smtp")
    answer = asyncio.run(Ports(Budget(5)).ask([question]))[question]
    assert failed(answer) == (Reason.OFFLINE, "there is no IPv6 from here to 2001:db8::9, so it was not asked")
    assert time.monotonic() - start < 0.5


@pytest.mark.parametrize("greeting", [b"421 too many connections\r\n", b"554 go away\r\n"])
def test_a_greeting_that_turns_away_is_told_as_it_is(greeting: bytes) -> None:
    answer, listener = look(Smtp(greeting=greeting))
    assert fields(answer) == {"greeting": greeting.decode().strip()}
    assert listener.connections == 1


def test_starttls_that_is_not_available_now_claims_nothing_of_tls() -> None:
    found = fields(look(Smtp(starttls=b"454 TLS not available\r\n"))[0])
    assert found["starttls_reply"] == "454 TLS not available"
    assert "protocols" not in found


def test_a_handshake_that_is_refused_by_an_alert_shows_no_version() -> None:
    found = fields(look(Smtp(after=b"\x15\x03\x01\x00\x02\x02\x28"))[0])
    assert found["protocols"] == ()
    assert "alert" in found["tls_error"]


def test_later_connections_that_are_turned_away_leave_versions_untold(certificate: tuple[Path, Path]) -> None:
    good = Smtp(tls=listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3))
    seen = 0

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal seen
        seen += 1
        await (good if seen == 1 else Smtp(greeting=b"421 slow down\r\n"))(reader, writer)

    found = fields(look(talk)[0])
    assert "protocols" not in found
    assert found["protocols_seen"] == ("TLSv1.3",)


# ---- hostile ones


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        (saying(), Reason.TIMEOUT),
        (saying(b"220 mail.example.com ESMTP\r\n"), Reason.TIMEOUT),
        (listeners.slowly(b"220 mail.example.com ESMTP\r\n" * 50, 0.05), Reason.TIMEOUT),
        (listeners.endlessly(b"220-and so on\r\n"), Reason.PROTOCOL),
        (listeners.endlessly(b"220 a very long line "), Reason.PROTOCOL),
        (saying(b"\x00\xff\x1b[2J\r\n"), Reason.PROTOCOL),
        (saying(b"HTTP/1.0 400 Bad Request\r\n\r\n"), Reason.PROTOCOL),
        (saying(then="reset"), Reason.PROTOCOL),
        (saying(b"220 mail.exa", then="reset"), Reason.PROTOCOL),
        (Smtp(after=b""), Reason.PROTOCOL),
        (Smtp(after=b"\xff" * 50), Reason.PROTOCOL),
        (Smtp(starttls=b"220 go ahead\r\n250 injected\r\n"), Reason.PROTOCOL),
    ],
    ids=[
        *("silent", "stalling", "slow", "endless-lines", "endless-line", "binary", "http"),
        *("reset", "cut", "reset-in-handshake", "junk-in-handshake", "early"),
    ],
)
def test_what_does_not_go_on_or_makes_no_sense_is_told_as_such(conversation: Conversation, reason: Reason) -> None:
    start = time.monotonic()
    answer, listener = look(conversation)
    assert failed(answer)[0] is reason
    assert listener.connections == 1
    assert time.monotonic() - start < 3


def test_a_budget_ends_everything() -> None:
    start = time.monotonic()
    assert failed(look(saying(), seconds=0.3)[0])[0] is Reason.TIMEOUT
    assert time.monotonic() - start < 1.5


def test_what_was_said_before_is_in_the_detail() -> None:
    _, detail = failed(look(Smtp(after=b""))[0])
    assert "220 mail.example.com ESMTP" in detail


# ---- who is asked


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "ff02::1", "mail.example.com"]
)
def test_only_addresses_of_another_host_are_connected_to(address: str) -> None:
    question = Handshake(address, 25, "smtp")
    answer = asyncio.run(Ports(Budget(5)).ask([question]))[question]
    assert failed(answer)[0] is Reason.IN_DOUBT


def test_one_connection_at_a_time_and_three_in_all_whatever_is_asked(certificate: tuple[Path, Path]) -> None:
    async def run() -> tuple[dict[Handshake, Answer], Listener]:
        async with listening(Smtp(tls=listeners.context(*certificate, V.TLSv1_2, V.TLSv1_3))) as listener:
            asked = [Handshake("127.0.0.1", listener.port, each) for each in ("smtp", "smtps", "tcp")]
            return await Ports(Budget(10), loopback=True).ask(asked), listener

    answers, listener = asyncio.run(run())
    assert len(answers) == 3
    assert (listener.connections, listener.at_once) == (3, 1)
