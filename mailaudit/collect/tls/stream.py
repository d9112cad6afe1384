"""One TCP connection to a listener, in clear and then perhaps under TLS; all that is read is bounded."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import re
from dataclasses import dataclass, field

from OpenSSL import SSL, crypto

from mailaudit.collect.budget import Trouble
from mailaudit.collect.trips import step
from mailaudit.collect.ways import no_way
from mailaudit.questions import Reason
from mailaudit.wording import why_not

MOST_BYTES = 256 * 1024  # of one connection; a whole conversation has less than 16 KiB
MOST_LINE = 4096  # bytes; RFC 5321 allows 512, IMAP servers send longer capabilities
_CHUNK = 16 * 1024
_LONGEST_NAME = 254
_HOST_NAME = re.compile(r"(?!.*\.[0-9]+\Z)(?:[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)+[A-Za-z0-9-]{1,63}")
VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_NUMBERS = {
    "TLSv1": SSL.TLS1_VERSION,
    "TLSv1.1": SSL.TLS1_1_VERSION,
    "TLSv1.2": SSL.TLS1_2_VERSION,
    "TLSv1.3": SSL.TLS1_3_VERSION,
}


class AlertError(Exception):
    """The listener ended the handshake by a TLS alert: it does not want what was offered."""


class EndedError(Exception):
    """The listener closed or reset the connection."""


class UnansweredError(Trouble):
    """Nobody answered the wish to connect, neither yes nor no."""

    def __init__(self, detail: str) -> None:
        super().__init__(Reason.TIMEOUT, detail)


@dataclass
class Stream:
    """A connection that has been made."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    tls: SSL.Connection | None = None
    buffer: bytearray = field(default_factory=bytearray)
    read: int = 0
    asked: bool = True  # something was sent that an answer is waited for

    async def more(self) -> bool:
        """Read what comes next into the buffer; False at the end. Raises `EndedError`, and `Trouble` for what is endless."""
        while True:
            data = self._decrypted() if self.tls is not None else b""
            if data is None:
                return False
            if data:
                self.buffer += data
                return True
            raw = await self._raw()
            if not raw:
                return False
            if self.tls is None:
                self.buffer += raw
                return True
            self.tls.bio_write(raw)

    def _decrypted(self) -> bytes | None:
        """What has come, perhaps nothing yet; None once the other side has ended TLS."""
        assert self.tls is not None
        try:
            return bytes(self.tls.recv(_CHUNK))
        except SSL.WantReadError:
            return b""
        except SSL.ZeroReturnError:
            return None
        except SSL.Error as error:
            raise EndedError(f"TLS was broken off: {_why(error)}") from error

    async def _raw(self) -> bytes:
        try:
            data = await self.reader.read(_CHUNK)
        except OSError as error:
            raise EndedError("the connection was reset") from error
        if self.asked:
            step(f"port {self.writer.get_extra_info('peername', ('', '?'))[1]}")
            self.asked = False
        self.read += len(data)
        if self.read > MOST_BYTES:
            raise Trouble(Reason.PROTOCOL, f"it sent more than {MOST_BYTES // 1024} KiB without coming to an end")
        return data

    async def line(self) -> str:
        """The next line without its end. Raises `EndedError` where there is none, `Trouble` for one that is too long."""
        while (end := self.buffer.find(b"\n")) < 0:
            if len(self.buffer) > MOST_LINE:
                raise Trouble(Reason.PROTOCOL, f"it sent a line of more than {MOST_LINE} bytes: {shown(self.buffer)}")
            if not await self.more():
                raise EndedError("the connection was closed")
        line = bytes(self.buffer[:end]).rstrip(b"\r")
        del self.buffer[: end + 1]
        if len(line) > MOST_LINE:
            raise Trouble(Reason.PROTOCOL, f"it sent a line of more than {MOST_LINE} bytes: {shown(line)}")
        return line.decode("utf-8", "backslashreplace")

    async def send(self, text: str) -> None:
        """Send a line."""
        data = text.encode("ascii") + b"\r\n"
        if self.tls is not None:
            try:
                self.tls.send(data)
            except SSL.Error as error:
                raise EndedError("TLS was broken off") from error
            data = _pending(self.tls)
        await self._write(data)

    async def _write(self, data: bytes) -> None:
        self.asked = True
        try:
            self.writer.write(data)
            await self.writer.drain()
        except OSError as error:
            raise EndedError("the connection was reset") from error

    async def start_tls(self, least: str, most: str, name: str) -> str:
        """Make a handshake with versions from `least` to `most`, calling the listener `name`; the version that was agreed on.

        Raises `AlertError` where the listener refuses, `EndedError` where it closes, `Trouble` where it speaks no TLS.
        """
        if self.buffer:
            raise Trouble(Reason.PROTOCOL, "it went on in clear where TLS was to begin")
        connection = SSL.Connection(_context(least, most), None)
        if can_be_sent(name):
            connection.set_tlsext_host_name(name.encode("ascii"))
        connection.set_connect_state()
        while True:
            try:
                connection.do_handshake()
                break
            except SSL.WantReadError:
                await self._write(_pending(connection))
                raw = await self._raw()
                if not raw:
                    raise EndedError("the connection was closed in the middle of the TLS handshake") from None
                connection.bio_write(raw)
            except SSL.Error as error:
                why = _why(error)
                if "alert" in why:
                    raise AlertError(why) from error
                raise Trouble(Reason.PROTOCOL, f"the TLS handshake fails: {why}") from error
        await self._write(_pending(connection))
        self.tls = connection
        return connection.get_protocol_version_name()

    def chain(self) -> tuple[str, ...]:
        """The certificates as sent, the server's own first, as PEM."""
        assert self.tls is not None
        sent = self.tls.get_peer_cert_chain() or []
        return tuple(crypto.dump_certificate(crypto.FILETYPE_PEM, each).decode("ascii") for each in sent)

    async def close(self) -> None:
        """End the connection, without waiting for the other side."""
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


def _context(least: str, most: str) -> SSL.Context:
    """Whatever the listener has is taken: its certificates are looked at, not relied on, and weak ones are to be seen."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_verify(SSL.VERIFY_NONE)
    context.set_cipher_list(b"ALL:!aNULL:!eNULL:@SECLEVEL=0")
    context.set_min_proto_version(_NUMBERS[least])
    context.set_max_proto_version(_NUMBERS[most])
    return context


def _pending(connection: SSL.Connection) -> bytes:
    found = bytearray()
    while True:
        try:
            found += connection.bio_read(_CHUNK)
        except SSL.WantReadError:
            return bytes(found)


def _why(error: SSL.Error) -> str:
    reasons = [str(each[-1]) for each in error.args[0]] if error.args and isinstance(error.args[0], list) else []
    return "; ".join(reason for reason in reasons if reason) or "no reason was given"


def shown(data: bytes | bytearray) -> str:
    """The beginning of some bytes as a sentence may hold it."""
    return repr(bytes(data[:40]))[1:]


def can_be_sent(name: str) -> bool:
    """True for what a handshake may call a listener: a host name in ASCII, no address (RFC 6066, section 3)."""
    return len(name) < _LONGEST_NAME and _HOST_NAME.fullmatch(name) is not None


async def connect(address: str, port: int) -> Stream:
    """Connect. Raises `Trouble`: refused, no way from here, or unanswered."""
    lost = no_way(address)
    if lost is not None:
        raise lost
    try:
        reader, writer = await asyncio.open_connection(address, port)
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            raise Trouble(Reason.REFUSED, "the connection is refused") from error
        raise UnansweredError(f"it cannot be reached: {why_not(error)}") from error
    return Stream(reader, writer)
