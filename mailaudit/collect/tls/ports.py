"""Answers what listeners show: at most three connections to a port, one after the other; ports and addresses at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from mailaudit.collect.budget import Budget, Trouble
from mailaudit.collect.tls import relay
from mailaudit.collect.tls.dialogues import DIALOGUES, Dialogue, DoneError, Shake
from mailaudit.collect.tls.stream import VERSIONS, AlertError, EndedError, Stream, UnansweredError, can_be_sent, connect
from mailaudit.collect.tls.trust import Trust
from mailaudit.collect.trips import step, together
from mailaudit.collect.ways import unheard
from mailaudit.questions import Answer, Endpoint, Found, Handshake, Reason

SMTP = 25
MOST_CONNECTIONS = 3  # to one port in one audit
AT_ONCE = 64  # ports; all of a host with two addresses
CONNECTING = 5.0  # seconds; a packet that is lost twice still arrives
PROMPT = 2.5  # seconds; one that is lost once. No longer is waited for where the same address answers on another port
TALKING = 12.0  # seconds for one conversation


@dataclass
class Ports:
    """The ports that one host's audit looks at. Loopback is this machine: it is looked at only if it is the target itself."""

    budget: Budget
    loopback: bool = False
    trust: Trust = field(default_factory=Trust)
    probe_relay: bool = False
    connections: dict[tuple[str, int], int] = field(default_factory=dict)
    turns: dict[tuple[str, int], asyncio.Lock] = field(default_factory=dict)
    awake: dict[str, int] = field(default_factory=dict)  # addresses that answered, yes or no, and one port on which they did

    async def ask(self, questions: Iterable[Handshake]) -> dict[Handshake, Answer]:
        """An answer to each question."""
        by_port: dict[tuple[str, int], list[Handshake]] = {}
        for question in questions:
            by_port.setdefault((question.address, question.port), []).append(question)
        gate = asyncio.Semaphore(AT_ONCE)
        found = await together(*(self._port(each, gate) for each in by_port.values()))
        return {question: self._told(question, answer) for answers in found for question, answer in answers.items()}

    def _told(self, question: Handshake, answer: Endpoint | Trouble) -> Answer:
        """What is told when all is asked: a port that drops what others at its address answer is filtered."""
        if isinstance(answer, Endpoint):
            return Found(answer)
        other = self.awake.get(question.address)
        if isinstance(answer, UnansweredError) and other is not None:
            return Found(Endpoint({"filtered": f"{answer.detail}, while port {other} answers"}))
        return answer.failed

    async def _port(self, questions: list[Handshake], gate: asyncio.Semaphore) -> dict[Handshake, Endpoint | Trouble]:
        async with gate, self.turn(questions[0].address, questions[0].port):
            return {question: await self._answer(question) for question in questions}

    async def _answer(self, question: Handshake) -> Endpoint | Trouble:
        if question.protocol not in DIALOGUES:
            return Trouble(Reason.PROTOCOL, f"{question.protocol} is not spoken here")
        why = self.not_to_be_asked(question.address)
        if why is not None:
            return Trouble(Reason.IN_DOUBT, why)
        try:
            return Endpoint(await _Look(self, question).facts())
        except Trouble as trouble:
            return trouble

    def turn(self, address: str, port: int) -> asyncio.Lock:
        """What whoever talks to a port holds: one connection at a time."""
        return self.turns.setdefault((address, port), asyncio.Lock())

    async def connect(self, address: str, port: int) -> Stream:
        """One connection more. Raises `Trouble`; `UnansweredError` where nobody says yes or no in time."""
        if not self.budget.left():
            raise self.budget.over
        wish = asyncio.ensure_future(connect(address, port))
        try:
            step(f"port {port}")
            await asyncio.wait({wish}, timeout=self.budget.share(PROMPT))
            waited = PROMPT
            if not wish.done() and address not in self.awake:
                waited = CONNECTING
                await asyncio.wait({wish}, timeout=self.budget.share(CONNECTING - PROMPT))
            if not wish.done():
                raise _silence(address, waited) if self.budget.left() else self.budget.over
            stream = wish.result()
        except Trouble as trouble:
            if trouble.reason is Reason.REFUSED:
                self.awake.setdefault(address, port)
            raise
        finally:
            wish.cancel()
        self.awake.setdefault(address, port)
        return stream

    def not_to_be_asked(self, written: str) -> str | None:
        """Why an address is not connected to; None if it may be."""
        try:
            address = ip_address(written)
        except ValueError:
            return f"{written} is no address"
        if address.is_multicast or address.is_unspecified or written == "255.255.255.255":
            return f"{written} is no host's address"
        if address.is_loopback and not self.loopback:
            return f"{written} is the machine that asks, not the one that is audited"
        return None


@dataclass
class _Look:
    """The connections to one listener. The first tells most, the others which older versions of TLS it takes as well."""

    ports: Ports
    question: Handshake
    agreed: str | None = None
    shaking: bool = False
    chain: tuple[str, ...] = ()
    again: dict[str, object] = field(default_factory=dict)  # what later conversations brought

    async def facts(self) -> dict[str, object]:
        facts, refused = await self._first()
        if self.shaking and can_be_sent(self.question.name):
            facts["name"] = self.question.name
        if refused is not None:
            return {**facts, "protocols": (), "tls_error": refused}
        if self.agreed is None:
            return facts
        best, facts["chain"] = self.agreed, self.chain
        facts |= self.ports.trust.of(self.chain)
        protocols = await self._versions(best)
        if "mail_reply" in self.again:
            facts["mail_reply"] = self.again["mail_reply"]
        if protocols is not None:
            return {**facts, "protocols": protocols}
        return {**facts, "protocols_seen": (best,)}  # without `protocols` nothing is claimed of those not tried

    async def _first(self) -> tuple[dict[str, object], str | None]:
        """The facts of the whole conversation, and the alert if the handshake was refused."""
        facts: dict[str, object] = {}
        try:
            await self._talk(VERSIONS[0], VERSIONS[-1], facts)
        except AlertError as alert:
            return facts, str(alert)
        except EndedError as ended:
            if self.agreed is None or not facts:
                raise Trouble(Reason.PROTOCOL, _after(f"{ended}", facts)) from ended
        except TimeoutError:
            raise self._late(facts) from None
        return facts, None

    def _late(self, facts: dict[str, object]) -> Trouble:
        if not self.ports.budget.left():
            return self.ports.budget.over
        nothing = f"it takes the connection, and gives no whole answer in {TALKING:g} seconds"
        return Trouble(Reason.TIMEOUT, _after("it does not go on", facts) if facts else nothing)

    async def _versions(self, best: str) -> tuple[str, ...] | None:
        """The versions that the listener takes, oldest first; None where those that matter could not be tried.

        After the best, two connections are left: for the old ones, and for 1.2 or the very oldest. A server that takes 1.3 and an
        old one takes 1.2 as well.
        """
        try:
            taken = {best, *await self._below(best)}
        except (Trouble, TimeoutError):
            return None
        return tuple(version for version in VERSIONS if version in taken)

    async def _below(self, best: str) -> list[str]:
        if best == VERSIONS[0]:
            return []
        old = await self._trial(VERSIONS[0], VERSIONS[min(VERSIONS.index(best) - 1, 1)])
        if old is None:
            second = await self._trial("TLSv1.2", "TLSv1.2") if best == "TLSv1.3" else None
            return [second] if second else []
        oldest = await self._trial(VERSIONS[0], VERSIONS[0]) if old != VERSIONS[0] else None
        return [each for each in (old, oldest, "TLSv1.2" if best == "TLSv1.3" else None) if each]

    async def _trial(self, least: str, most: str) -> str | None:
        """The version that is agreed on out of a range, or None if the listener refuses them all."""
        self.agreed, self.shaking = None, False
        try:
            await self._talk(least, most, self.again, only_tls=True)
        except AlertError:
            return None
        except EndedError as ended:
            if not self.shaking:
                raise Trouble(Reason.PROTOCOL, str(ended)) from ended
            return None
        return self._agreed()

    def _agreed(self) -> str:
        if self.agreed is None:
            raise Trouble(Reason.PROTOCOL, "it offered no TLS when it was asked again")
        return self.agreed

    async def _talk(self, least: str, most: str, facts: dict[str, object], *, only_tls: bool = False) -> None:
        """One connection and its conversation, as far as the listener goes along with it."""
        address, port = self.question.address, self.question.port
        if self.ports.connections.get((address, port), 0) >= MOST_CONNECTIONS:
            raise Trouble(Reason.IN_DOUBT, f"no more than {MOST_CONNECTIONS} connections are made to one port")
        self.ports.connections[address, port] = self.ports.connections.get((address, port), 0) + 1
        stream = await self.ports.connect(address, port)
        talk = Dialogue(stream, self.question, self._shake(least, most, only_tls=only_tls), facts, only_tls=only_tls)
        seconds = TALKING
        if self.ports.probe_relay and port == SMTP and not only_tls:
            talk.at_last, seconds = relay.probe, TALKING + relay.ASKING
        try:
            async with asyncio.timeout(self.ports.budget.share(seconds)):
                await DIALOGUES[self.question.protocol](talk)
        except DoneError:
            return
        finally:
            await stream.close()

    def _shake(self, least: str, most: str, *, only_tls: bool) -> Shake:
        async def shake(stream: Stream) -> None:
            self.shaking = True
            self.agreed = await stream.start_tls(least, most, self.question.name)
            if only_tls:
                raise DoneError
            self.chain = stream.chain()

        return shake


def _silence(address: str, seconds: float) -> Trouble:
    lost = unheard(address, f"no answer in {seconds:g} seconds")
    return UnansweredError(lost.detail) if lost.reason is Reason.TIMEOUT else lost


def _after(what: str, facts: dict[str, object]) -> str:
    greeting = facts.get("greeting")
    return f"{what} after it said {str(greeting)[:80]!r}" if greeting else what
