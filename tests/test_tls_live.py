"""Listeners as they are looked at from outside, with listeners of the tests' own: sound, odd and hostile ones."""

from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import listeners
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from listeners import Conversation, Listener, Smtp, listening, saying

from mailaudit.collect.budget import Budget
from mailaudit.collect.tls import ports
from mailaudit.collect.tls.ports import Ports
from mailaudit.questions import Answer, Endpoint, Failed, Found, Handshake, Reason

V = ssl.TLSVersion


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.com")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + dt.timedelta(days=900))
    room = tmp_path_factory.mktemp("tls")
    (room / "cert.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (room / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return room / "cert.pem", room / "key.pem"


def look(
    conversation: Conversation, protocol: str = "smtp", *, tls: ssl.SSLContext | None = None, seconds: float = 10
) -> tuple[Answer, Listener]:
    async def run() -> tuple[Answer, Listener]:
        async with listening(conversation, tls) as listener:
            question = Handshake("127.0.0.1", listener.port, protocol)
            return (await Ports(Budget(seconds), loopback=True).ask([question]))[question], listener

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


# ---- those that say no


def test_a_closed_port_is_refused() -> None:
    async def run() -> Answer:
        async with listening(saying()) as listener:
            port = listener.port
        question = Handshake("127.0.0.1", port, "smtp")
        return (await Ports(Budget(5), loopback=True).ask([question]))[question]

    assert failed(asyncio.run(run()))[0] is Reason.REFUSED


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
