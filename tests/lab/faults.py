"""Stand-ins that behave badly, run in the lab: `faults.py tcp PORT HOW` and `faults.py dns ADDRESS HOW`."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from typing import cast

Conversation = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
FOREVER = 3600.0
REAL = ("192.0.2.53", 53)  # the resolver whom those that are merely slow ask
SERVFAIL, REFUSED = 2, 5
GREETING = b"220 host7.example.com ESMTP OpenSMTPD\r\n"
EHLO = b"250-host7.example.com Hello\r\n250-8BITMIME\r\n250-STARTTLS\r\n250 HELP\r\n"


async def silent(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accepts and never speaks."""
    await asyncio.sleep(FOREVER)


async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A greeting whose lines never end."""
    while True:
        writer.write(b"220-" + b"host7.example.com " * 64 + b"\r\n")
        await writer.drain()


async def junk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Bytes of no protocol."""
    writer.write(bytes(range(256)) * 16)
    await writer.drain()
    await asyncio.sleep(FOREVER)


async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One byte a second."""
    for byte in GREETING * 100:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(1)


async def reset(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Resets the connection as soon as it is there."""
    _cut(writer)


async def reset_in_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Speaks SMTP, takes STARTTLS, and resets the connection when the handshake begins."""
    writer.write(GREETING)
    while line := await reader.readline():
        if line.upper().startswith(b"STARTTLS"):
            writer.write(b"220 2.0.0 Ready to start TLS\r\n")
            await reader.read(1)
            _cut(writer)
            return
        writer.write(EHLO if line.upper().startswith((b"EHLO", b"HELO")) else b"250 OK\r\n")


async def in_clear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Takes passwords before TLS, of which it has none."""
    writer.write(GREETING)
    while line := await reader.readline():
        word = line.strip().upper()
        if word.startswith((b"EHLO", b"HELO")):
            writer.write(EHLO.replace(b"STARTTLS", b"AUTH PLAIN LOGIN"))
        else:
            writer.write(b"221 Bye\r\n" if word == b"QUIT" else b"500 5.5.1 Invalid command\r\n")


async def busy(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Turns everybody away for now."""
    writer.write(b"421 4.3.2 Too busy, try again later\r\n")
    await writer.drain()


def _cut(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


TCP: dict[str, Conversation] = {
    "silent": silent,
    "endless": endless,
    "junk": junk,
    "drip": drip,
    "reset": reset,
    "reset-in-tls": reset_in_tls,
    "busy": busy,
    "in-clear": in_clear,
}


async def tcp(port: int, how: str) -> None:
    """Listen on both families."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await TCP[how](reader, writer)
        writer.transport.abort()

    servers = [await asyncio.start_server(talk, host, port) for host in ("0.0.0.0", "::")]
    await asyncio.gather(*(each.serve_forever() for each in servers))


async def answer(query: bytes, how: str) -> bytes | None:
    """What a name server says to a query; None: nothing."""
    kind, _, number = how.partition(":")
    if kind == "silent":
        return None
    if kind == "slow":
        await asyncio.sleep(float(number))
        return await asyncio.to_thread(_forwarded, query)
    code = {"servfail": SERVFAIL, "refused": REFUSED}[kind]
    flags = struct.unpack("!H", query[2:4])[0]
    return query[:2] + struct.pack("!HHHHH", flags & 0x0100 | 0x8080 | code, 1, 0, 0, 0) + _question(query)


def _question(query: bytes) -> bytes:
    at = 12
    while query[at]:
        at += query[at] + 1
    return query[12 : at + 5]


def _forwarded(query: bytes) -> bytes | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(5)
        asking.sendto(query, REAL)
        try:
            return asking.recv(65535)
        except TimeoutError:
            return None


class Datagrams(asyncio.DatagramProtocol):
    """A name server's UDP side."""

    def __init__(self, how: str) -> None:
        self.how = how
        self.tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        task = asyncio.ensure_future(self._say(data, addr))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _say(self, data: bytes, addr: tuple[str, int]) -> None:
        said = await answer(data, self.how)
        if said is not None:
            self.transport.sendto(said, addr)


async def dns(address: str, how: str) -> None:
    """A name server on port 53 of an address."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                query = await reader.readexactly(struct.unpack("!H", await reader.readexactly(2))[0])
                said = await answer(query, how)
                if said is not None:
                    writer.write(struct.pack("!H", len(said)) + said)
        writer.close()

    await asyncio.get_running_loop().create_datagram_endpoint(lambda: Datagrams(how), local_addr=(address, 53))
    server = await asyncio.start_server(talk, address, 53)
    await server.serve_forever()


def main() -> None:
    """Behave badly until the end."""
    kind, where, how = sys.argv[1:]
    asyncio.run(tcp(int(where), how) if kind == "tcp" else dns(where, how))


if __name__ == "__main__":
    main()
