"""One query to one server: UDP, TCP where the answer does not fit, no EDNS where that is not understood."""

from __future__ import annotations

import asyncio
import errno
from contextlib import suppress
from dataclasses import dataclass, field

import dns.asyncquery
import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype

from mailaudit.collect import trips
from mailaudit.collect.budget import Budget, Trouble
from mailaudit.collect.dns import datagram
from mailaudit.collect.dns.heard import Heard
from mailaudit.collect.ways import no_way, unheard
from mailaudit.questions import Reason
from mailaudit.wording import why_not

UDP_SIZE = 1232  # bytes that pass every path unfragmented (DNS flag day 2020)
PATIENCE = (1.5, 3.0)  # seconds for each try by UDP; one lost packet is no outage
TCP_PATIENCE = 4.0
AT_ONCE = 32  # questions in flight to one server
OTHERS = 3  # hosts that are waited for, one after the other, before all ask at once what none of these was told
SILENT_AFTER = 3  # questions left without an answer, and none answered, make a server that is not asked any more
_ODD_WITH_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS)


@dataclass(frozen=True, slots=True)
class Server:
    """A name server's address."""

    address: str
    port: int = 53

    def __str__(self) -> str:
        return self.address if self.port == 53 else f"{self.address} port {self.port}"


@dataclass(frozen=True, slots=True)
class Query:
    """One query. A resolver is asked to recurse; with `dnssec` for signatures, unchecked, so that we can check them."""

    name: dns.name.Name
    type: dns.rdatatype.RdataType
    recurse: bool = True
    dnssec: bool = False
    tcp: bool = False

    def message(self, *, edns: bool) -> dns.message.QueryMessage:
        """The message to send."""
        flags = dns.flags.Flag(0)
        if self.recurse:
            flags |= dns.flags.RD | dns.flags.AD
        if self.dnssec:
            flags |= dns.flags.CD
        options = {"use_edns": 0, "payload": UDP_SIZE, "want_dnssec": self.dnssec} if edns else {"use_edns": False}
        return dns.message.make_query(self.name, self.type, flags=flags, **options)


@dataclass
class Exchange:
    """Sends one host's queries, each one once and none that another host's audit has got an answer to.

    It knows which servers are silent. All that is asked runs in one event loop.
    """

    budget: Budget
    heard: Heard = field(default_factory=Heard)
    _own: dict[tuple[Server, Query], asyncio.Task[dns.message.Message]] = field(default_factory=dict)

    def is_silent(self, server: Server) -> bool:
        """True for a server that has never answered, however often it was asked."""
        return server not in self.heard.answered and self.heard.unanswered.get(server, 0) >= SILENT_AFTER

    async def ask(self, server: Server, query: Query) -> dns.message.Message:
        """The server's message, whatever its rcode. Raises `Trouble` where there is none."""
        key = (server, query)
        try:
            known = self.heard.known.get(key)
            return await self._told(key) if known is None else known
        finally:
            trips.follow(self.heard.chains.get(key, ()))

    async def _told(self, key: tuple[Server, Query]) -> dns.message.Message:
        for _ in range(OTHERS):
            others = self.heard.flying.get(key)
            if key in self._own or others is None or others.done():
                break
            with suppress(Trouble):  # theirs: their time may have been over
                return await asyncio.shield(others)
        task = self._own.get(key)
        if task is None:
            task = self._own[key] = self.heard.flying[key] = asyncio.ensure_future(self._remember(*key))
            task.add_done_callback(_heeded)
        return await asyncio.shield(task)

    async def _remember(self, server: Server, query: Query) -> dns.message.Message:
        try:
            found = self.heard.known[server, query] = await self._gated(server, query)
        finally:
            self.heard.chains[server, query] = trips.reached()
        return found

    async def _gated(self, server: Server, query: Query) -> dns.message.Message:
        gate = self.heard.gates.setdefault(server, asyncio.Semaphore(AT_ONCE))
        async with gate:
            if self.is_silent(server):
                raise unheard(server.address, f"{server} does not answer")
            try:
                found = await self._send(server, query)
            except Trouble as trouble:
                if trouble.reason in (Reason.TIMEOUT, Reason.OFFLINE) and not query.tcp:
                    self.heard.unanswered[server] = self.heard.unanswered.get(server, 0) + 1
                raise
            self.heard.answered.add(server)
            return found

    async def _send(self, server: Server, query: Query) -> dns.message.Message:
        lost = no_way(server.address)
        if lost is not None:
            raise lost
        try:
            found = await self._either(server, query, edns=True)
            if found.rcode() in _ODD_WITH_EDNS:
                found = await self._either(server, query, edns=False)
        except dns.exception.Timeout:
            raise self._late(server) from None
        except (dns.exception.DNSException, EOFError, ValueError) as error:
            raise Trouble(Reason.PROTOCOL, f"{server} does not answer as DNS does: {type(error).__name__}") from error
        except OSError as error:
            raise _unreachable(server, error) from error
        return found

    def _late(self, server: Server) -> Trouble:
        return unheard(server.address, f"{server} does not answer") if self.budget.left() else self.budget.over

    async def _either(self, server: Server, query: Query, *, edns: bool) -> dns.message.Message:
        message = query.message(edns=edns)
        if not query.tcp:
            found = await self._udp(server, message)
            if found is not None:
                return found
        seconds = self.budget.share(TCP_PATIENCE)
        trips.step(f"connection to {server}")
        trips.step(_asked(message, server))
        return await dns.asyncquery.tcp(message, server.address, timeout=seconds, port=server.port)

    async def _udp(self, server: Server, message: dns.message.QueryMessage) -> dns.message.Message | None:
        """The answer, or None where it was cut off."""
        for patience in PATIENCE:
            trips.step(_asked(message, server))
            try:
                return await datagram.ask(message, server.address, server.port, self.budget.share(patience))
            except dns.message.Truncated:
                return None
            except TimeoutError:
                if not self.budget.left():
                    break
        raise dns.exception.Timeout


def _asked(message: dns.message.QueryMessage, server: Server) -> str:
    question = message.question[0]
    return f"{question.name} {dns.rdatatype.to_text(question.rdtype)} of {server}"


def _heeded(task: asyncio.Task[dns.message.Message]) -> None:
    """A failure that nobody waits for any more, for the budget is over, is no news to anybody."""
    if not task.cancelled():
        task.exception()


def _unreachable(server: Server, error: OSError) -> Trouble:
    if error.errno == errno.ECONNREFUSED:
        return Trouble(Reason.REFUSED, f"{server} refuses connections")
    return unheard(server.address, f"{server} cannot be reached: {why_not(error)}")
