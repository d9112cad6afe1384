"""A host that is asked over the network for what its files and its record do not tell."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mailaudit.collect.budget import SECONDS, Budget
from mailaudit.collect.dns.heard import Heard
from mailaudit.collect.loop import begin
from mailaudit.collect.trips import Journey, Steps, alone, journey_of, together
from mailaudit.collect.world import Layers, World
from mailaudit.questions import LIVE, NOT_ASKED, Answer, Failed, FetchPolicy, Handshake, LookUp, Question, ZoneFault, ZoneSecurity

if TYPE_CHECKING:
    from mailaudit.collect.dns.lookups import Lookups
    from mailaudit.collect.ssh.host import Flight
    from mailaudit.collect.tls.ports import Ports

_BATCHES: tuple[tuple[type[Question], ...], ...] = ((LookUp, ZoneSecurity, ZoneFault), (Handshake,), (FetchPolicy,))
"""Kinds of questions that wait for each other: a slow port does not keep what DNS says."""


@dataclass(frozen=True, slots=True)
class Outside:
    """How the network is asked.

    `resolvers` are addresses and ports (none: the system's), `seconds` are for one host. For tests there are `anchors`, the
    root's trust anchors as DS records, and `port`, where authoritative servers listen. `authorities` are trusted for TLS beside
    the system's, each as PEM text. `probe_relay` is true if port 25 may be asked to relay. What name servers say is `heard`
    once for all hosts of a run.
    """

    resolvers: tuple[tuple[str, int], ...] = ()
    seconds: float = SECONDS
    anchors: tuple[str, ...] = ()
    port: int = 53
    authorities: tuple[str, ...] = ()
    probe_relay: bool = False
    heard: Heard = field(default_factory=Heard, compare=False)


class Network:
    """DNS and listeners, as one host's audit asks them. Only the addresses that a question names are connected to."""

    def __init__(self, outside: Outside, *, loopback: bool = False) -> None:
        self.budget = Budget(outside.seconds)
        self.authorities = outside.authorities
        self._outside = outside
        self._loopback = loopback
        self._lookups: Lookups | None = None
        self._ports: Ports | None = None

    async def ask(self, wave: Iterable[Question]) -> dict[Question, Answer]:
        """Answers to those of a wave that are for the network; all are asked at once."""
        questions = list(wave)
        names = [each for each in questions if isinstance(each, LookUp | ZoneSecurity | ZoneFault)]
        ports = [each for each in questions if isinstance(each, Handshake)]
        policies = [each for each in questions if isinstance(each, FetchPolicy)]
        found: dict[Question, Answer] = {}

        async def of_dns() -> None:
            found.update((await self.lookups.ask(names)).items())

        async def of_ports() -> None:
            found.update((await self.ports.ask(ports)).items())

        async def of_policies() -> None:
            from mailaudit.collect.tls.policy import fetch_all  # noqa: PLC0415  see `ports`

            found.update((await fetch_all(self.ports, policies)).items())

        kinds = ((names, of_dns), (ports, of_ports), (policies, of_policies))
        await together(*(ask() for wanted, ask in kinds if wanted))
        return found

    def prepare(self) -> None:
        """Import what asks: here, and not on the loop, where a host's answers come in. Whom to trust may not be known yet."""
        import mailaudit.collect.dns.lookups  # noqa: PLC0415  see below
        import mailaudit.collect.tls.ports  # noqa: F401, PLC0415

    @property
    def lookups(self) -> Lookups:
        """DNS; what was asked is remembered over the waves."""
        if self._lookups is None:
            from mailaudit.collect.dns.chain import ROOT_ANCHORS  # noqa: PLC0415  only who asks pays for dnspython
            from mailaudit.collect.dns.lookups import Lookups  # noqa: PLC0415
            from mailaudit.collect.dns.resolvers import system_resolvers  # noqa: PLC0415
            from mailaudit.collect.dns.wire import Server  # noqa: PLC0415

            outside = self._outside
            servers = tuple(Server(*each) for each in outside.resolvers) or system_resolvers()
            self._lookups = Lookups(servers, self.budget, outside.port, outside.anchors or ROOT_ANCHORS, outside.heard)
        return self._lookups

    @property
    def ports(self) -> Ports:
        """Listeners; how often each port was connected to is remembered."""
        if self._ports is None:
            from mailaudit.collect.tls.ports import Ports  # noqa: PLC0415  only who connects pays for pyOpenSSL
            from mailaudit.collect.tls.trust import Trust  # noqa: PLC0415

            trust, probe_relay = Trust(*self.authorities), self._outside.probe_relay
            self._ports = Ports(self.budget, loopback=self._loopback, trust=trust, probe_relay=probe_relay)
        return self._ports


@dataclass
class OnlineWorld:
    """A world that has files or a record, and the network for what neither tells. What was recorded is not asked again."""

    told: World
    network: Network
    journey: Journey = field(default_factory=Journey)
    online: bool = field(default=True, init=False)
    lost: bool = field(default=False, init=False)
    _flying: dict[Flight, Sequence[Question]] = field(default_factory=dict, init=False)

    @classmethod
    def of(cls, told: World, outside: Outside) -> OnlineWorld:
        """The network for a host. Addresses on loopback are its own only if it is this machine itself."""
        network = Network(outside, loopback=told.root is not None and told.root.resolve() == Path("/"))
        return cls(told, network, journey_of(told))

    @property
    def host(self) -> str:
        """Its name."""
        return self.told.host

    @property
    def target(self) -> str:
        """What the user called it."""
        return self.told.target

    @property
    def recorded(self) -> bool:
        """True if there is a record of it."""
        return self.told.recorded

    @property
    def taken(self) -> str | None:
        """The time of the record."""
        return self.told.taken

    @property
    def root(self) -> Path | None:
        """The host root as a folder, if it is one."""
        return self.told.root

    @property
    def settings(self) -> Layers:
        """The settings that go with it."""
        return self.told.settings

    def ask(self, wave: Collection[Question]) -> dict[Question, Answer]:
        """An answer to each question of a wave."""
        found: dict[Question, Answer] = {}
        while left := [each for each in wave if each not in found]:
            found |= self.some(left)
        return found

    def begin(self, wave: Collection[Question]) -> None:
        """Begin to ask the network what a wave asks of it; `some` has the answers when they are there."""
        flying = {question for batch in self._flying.values() for question in batch}
        left = [each for each in wave if isinstance(each, LIVE) and each not in flying]
        for kinds in _BATCHES:
            batch = tuple(each for each in left if isinstance(each, kinds))
            if batch:
                self._flying[begin(self._batch(batch, self.journey.chain))] = batch

    async def _batch(self, batch: tuple[Question, ...], since: Steps) -> tuple[dict[Question, Answer], Steps]:
        return await alone(self.network.ask(batch), since)

    def some(self, wave: Collection[Question]) -> dict[Question, Answer]:
        """Answers to some questions of a wave, one at the least: what host and network have not answered yet is answered later.

        So nobody waits for a slow port to learn what the next file includes.
        """
        if self.lost:
            from concurrent.futures import CancelledError  # noqa: PLC0415  a scan of files pays for no threads

            raise CancelledError
        try:
            answers = self.told.ask([each for each in wave if isinstance(each, LIVE)])
            found = {question: answer for question, answer in answers.items() if not _is_untold(answer)}
            self.begin([question for question in answers if question not in found])
            others = [each for each in wave if not isinstance(each, LIVE)]
            later = getattr(self.told, "later", None)
            begun: dict[Flight, list[Question]] = {} if later is None else later(others)
            under_way = {question for questions in begun.values() for question in questions}
            rest = [each for each in others if each not in under_way]
            found |= self.told.ask(rest) if rest else {}
            self._flying.update(begun)
            return found | self._landed(patient=not found)
        except BaseException:  # an interrupt must not wait for the network or the host
            self.lose()
            raise

    def lose(self) -> None:
        """Ask no further, and let nobody wait for an answer; from any thread."""
        self.lost = True
        for future in tuple(self._flying):
            future.cancel()
        lose = getattr(self.told, "lose", None)
        if lose is not None:
            lose()

    def _landed(self, *, patient: bool) -> dict[Question, Answer]:
        """What host and network have answered by now; with patience, once they have answered something."""
        if patient:
            from concurrent.futures import FIRST_COMPLETED, wait  # noqa: PLC0415  the same

            with self.journey.waiting():
                wait(self._flying, return_when=FIRST_COMPLETED)
        found: dict[Question, Answer] = {}
        for future in [each for each in self._flying if each.done()]:
            del self._flying[future]
            answers, chain = future.result()
            found |= answers
            self.journey.note(chain)
        return found


def _is_untold(answer: Answer) -> bool:
    return isinstance(answer, Failed) and answer.reason in NOT_ASKED
