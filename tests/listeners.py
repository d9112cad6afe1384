"""Listeners of the tests' own on loopback that behave as a script says, well or badly."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import socket
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Listener:
    """Where it listens, and how many connections came, and how many at once at the most."""

    port: int = 0
    connections: int = 0
    at_once: int = 0
    open: int = 0


@asynccontextmanager
async def listening(conversation: Conversation, tls: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
    """A listener on 127.0.0.1 that holds this conversation with everybody."""
    listener = Listener()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        listener.connections += 1
        listener.open += 1
        listener.at_once = max(listener.at_once, listener.open)
        try:
            await conversation(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            listener.open -= 1
            writer.transport.abort()

    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(talk(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    listener.port = server.sockets[0].getsockname()[1]
    try:
        yield listener
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def saying(*chunks: bytes, then: str = "hold") -> Conversation:
    """Sends these at once whatever is said, and then holds the line, closes it or resets it."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for chunk in chunks:
            writer.write(chunk)
        await writer.drain()
        if then == "hold":
            await asyncio.sleep(60)

    return talk


def slowly(data: bytes, pause: float) -> Conversation:
    """Sends one byte at a time."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in data:
            writer.write(bytes((byte,)))
            await writer.drain()
            await asyncio.sleep(pause)

    return talk


def endlessly(chunk: bytes) -> Conversation:
    """Sends the same without end."""

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(chunk)
            await writer.drain()

    return talk


@contextmanager
def deaf() -> Iterator[int]:
    """A port of 127.0.0.1 on which nobody answers, neither yes nor no: its queue of one is full."""
    with contextlib.ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = held.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@dataclass(frozen=True)
class Smtp:
    """An SMTP listener: what it says to each step, and the context of its STARTTLS."""

    greeting: bytes = b"220 mail.example.com ESMTP\r\n"
    ehlo: Sequence[bytes] = (b"250-mail.example.com Hello", b"250-SIZE 100", b"250-STARTTLS", b"250 HELP")
    ehlo_tls: Sequence[bytes] = (b"250-mail.example.com Hello", b"250 AUTH PLAIN LOGIN")
    starttls: bytes = b"220 go ahead\r\n"
    after: bytes | None = None  # what comes in place of a TLS handshake; empty: a reset
    tls: ssl.SSLContext | None = None
    mail: bytes = b"530 5.7.0 Must issue a STARTTLS command first\r\n"
    recipients: Mapping[bytes, bytes] = field(default_factory=dict)  # what RCPT gets, if not 550
    said: list[bytes] = field(default_factory=list)  # what it was told

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        said = self.ehlo
        while line := await reader.readline():
            word = line.split()[0].upper() if line.split() else b""
            self.said.append(line.strip())
            if word == b"EHLO":
                writer.write(b"\r\n".join(said) + b"\r\n")
            elif word == b"STARTTLS":
                writer.write(self.starttls)
                if self.after is not None:
                    await reader.read(1)
                    writer.write(self.after)
                    await writer.drain()
                    return
                if self.tls is not None:
                    with contextlib.suppress(ssl.SSLError):
                        await writer.start_tls(self.tls)
                    said = self.ehlo_tls
            elif word == b"MAIL":
                writer.write(self.mail)
            elif word == b"RCPT":
                recipient = line.partition(b"<")[2].rpartition(b">")[0]
                writer.write(self.recipients.get(recipient, b"550 5.1.1 no\r\n"))
            elif word == b"RSET":
                writer.write(b"250 ok\r\n")
            elif word == b"QUIT":
                return


def self_signed(room: Path, name: str) -> tuple[Path, Path]:
    """A certificate for a name, and its key, written to a folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, start, start + dt.timedelta(days=900))
    (room / "cert.pem").write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (room / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return room / "cert.pem", room / "key.pem"


def context(certificate: Path, key: Path, least: ssl.TLSVersion, most: ssl.TLSVersion) -> ssl.SSLContext:
    """A server's context that takes a range of versions."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.set_ciphers("ALL:@SECLEVEL=0")
    made.load_cert_chain(certificate, key)
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):  # old versions are what is tested
        made.minimum_version, made.maximum_version = least, most
    return made
