"""Answers what listeners show: at most three connections to a port, one after the other; ports and addresses at once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from ipaddress import ip_address

from mailaudit.collect.budget import Budget, Trouble
from mailaudit.collect.tls.dialogues import DIALOGUES, Dialogue, DoneError, Shake
from mailaudit.collect.tls.stream import VERSIONS, AlertError, EndedError, Stream, connect
from mailaudit.questions import Answer, Endpoint, Failed, Found, Handshake, Reason

MOST_CONNECTIONS = 3  # to one port in one audit
AT_ONCE = 32  # ports
CONNECTING = 5.0  # seconds; a packet that is lost twice still arrives
TALKING = 12.0  # seconds for one conversation


@dataclass
class Ports:
    """The ports that one host's audit looks at. Loopback is this machine: it is looked at only if it is the target itself."""

    budget: Budget
    loopback: bool = False
    name: str | None = None
    connections: dict[tuple[str, int], int] = field(default_factory=dict)

    async def ask(self, questions: Iterable[Handshake]) -> dict[Handshake, Answer]:
        """An answer to each question."""
        by_port: dict[tuple[str, int], list[Handshake]] = {}
        for question in questions:
            by_port.setdefault((question.address, question.port), []).append(question)
        gate = asyncio.Semaphore(AT_ONCE)
        found = await asyncio.gather(*(self._port(each, gate) for each in by_port.values()))
        return {question: answer for answers in found for question, answer in answers.items()}

    async def _port(self, questions: list[Handshake], gate: asyncio.Semaphore) -> dict[Handshake, Answer]:
        async with gate:
            return {question: await self._answer(question) for question in questions}

    async def _answer(self, question: Handshake) -> Answer:
        if question.protocol not in DIALOGUES:
            return Failed(Reason.PROTOCOL, f"{question.protocol} is not spoken here")
        why = self._not_to_be_asked(question.address)
        if why is not None:
            return Failed(Reason.IN_DOUBT, why)
        try:
            return Found(Endpoint(await _Look(self, question).facts()))
        except Trouble as trouble:
            return trouble.failed

    def _not_to_be_asked(self, written: str) -> str | None:
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

    async def facts(self) -> dict[str, object]:
        facts, refused = await self._first()
        if refused is not None:
            return {**facts, "protocols": (), "tls_error": refused}
        if self.agreed is None:
            return facts
        best, facts["chain"] = self.agreed, self.chain
        protocols = await self._versions(best)
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
        return Trouble(Reason.TIMEOUT, _after("it does not go on", facts) if facts else "it says nothing")

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
            await self._talk(least, most, {}, only_tls=True)
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
        at = (self.question.address, self.question.port)
        if self.ports.connections.get(at, 0) >= MOST_CONNECTIONS:
            raise Trouble(Reason.IN_DOUBT, f"no more than {MOST_CONNECTIONS} connections are made to one port")
        self.ports.connections[at] = self.ports.connections.get(at, 0) + 1
        budget = self.ports.budget
        if not budget.left():
            raise budget.over
        try:
            async with asyncio.timeout(budget.share(CONNECTING)):
                stream = await connect(*at)
        except TimeoutError:
            raise Trouble(Reason.TIMEOUT, "it does not answer") from None
        try:
            async with asyncio.timeout(budget.share(TALKING)):
                await DIALOGUES[self.question.protocol](
                    Dialogue(stream, at[0], self._shake(least, most, only_tls=only_tls), facts)
                )
        except DoneError:
            return
        finally:
            await stream.close()

    def _shake(self, least: str, most: str, *, only_tls: bool) -> Shake:
        async def shake(stream: Stream) -> None:
            self.shaking = True
            self.agreed = await stream.start_tls(least, most, self.ports.name)
            if only_tls:
                raise DoneError
            self.chain = stream.chain()

        return shake


def _after(what: str, facts: dict[str, object]) -> str:
    greeting = facts.get("greeting")
    return f"{what} after it said {str(greeting)[:80]!r}" if greeting else what
