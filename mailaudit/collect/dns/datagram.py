"""One query and its answer by UDP, from a port of its own; what the network says of the way is heard at once."""

from __future__ import annotations

import asyncio
from typing import Any

import dns.exception
import dns.message


async def ask(message: dns.message.QueryMessage, address: str, port: int, seconds: float) -> dns.message.Message:
    """The answer to this very query; whatever else comes in is passed over.

    Raises `TimeoutError`, `dns.message.Truncated`, and `OSError` for what the network says: closed, unreachable.
    """
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[dns.message.Message] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Asking(message, answered), remote_addr=(address, port))
    try:
        async with asyncio.timeout(seconds):
            return await answered
    finally:
        transport.close()


class _Asking(asyncio.DatagramProtocol):
    """Sends the query as soon as it can, waits for its answer."""

    def __init__(self, message: dns.message.QueryMessage, answered: asyncio.Future[dns.message.Message]) -> None:
        self.message = message
        self.answered = answered

    def connection_made(self, transport: Any) -> None:
        """Send."""
        transport.sendto(self.message.to_wire())

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Take it if it is the answer."""
        del addr  # the socket is connected: nobody else's comes in
        try:
            found = dns.message.from_wire(data, raise_on_truncation=True)
        except dns.message.Truncated as cut:
            if data[:2] == self.message.id.to_bytes(2):
                self._end(cut)
            return
        except (dns.exception.DNSException, ValueError, IndexError):
            return
        if self.message.is_response(found) and not self.answered.done():
            self.answered.set_result(found)

    def error_received(self, exc: Exception) -> None:
        """Hear what the network says."""
        self._end(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        """Heed that the socket is closed."""
        if exc is not None:
            self._end(exc)

    def _end(self, error: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(error)
