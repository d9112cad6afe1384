"""A host that is asked over the network for what its files and its record do not tell."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mailaudit.collect.budget import SECONDS, Budget
from mailaudit.collect.trips import Journey, alone
from mailaudit.collect.world import World
from mailaudit.questions import LIVE, Answer, Failed, FetchPolicy, Handshake, LookUp, Question, Reason, ZoneSecurity

if TYPE_CHECKING:
    from mailaudit.collect.dns.lookups import Lookups
    from mailaudit.collect.tls.ports import Ports

_NOT_TOLD = frozenset({Reason.OFFLINE, Reason.NOT_RECORDED})


@dataclass(frozen=True, slots=True)
class Outside:
    """How the network is asked.

    `resolvers` are addresses and ports (none: the system's), `seconds` are for one host. For tests there are `anchors`, the
    root's trust anchors as DS records, and `port`, where authoritative servers listen. `authorities` are trusted for TLS beside
    the system's, each as PEM text. `probe_relay` is true if port 25 may be asked to relay.
    """

    resolvers: tuple[tuple[str, int], ...] = ()
    seconds: float = SECONDS
    anchors: tuple[str, ...] = ()
    port: int = 53
    authorities: tuple[str, ...] = ()
    probe_relay: bool = False


class Network:
    """DNS and listeners, as one host's audit asks them. Only the addresses that a question names are connected to."""

    def __init__(self, outside: Outside, *, loopback: bool = False) -> None:
        self.budget = Budget(outside.seconds)
        self.journey = Journey()
        self.authorities = outside.authorities
        self._outside = outside
        self._loopback = loopback
        self._lookups: Lookups | None = None
        self._ports: Ports | None = None

    async def ask(self, wave: Iterable[Question]) -> dict[Question, Answer]:
        """Answers to those of a wave that are for the network; all are asked at once."""
        questions = list(wave)
        names = [each for each in questions if isinstance(each, LookUp | ZoneSecurity)]
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

        async def noted(kind: str, doing: Coroutine[Any, Any, None]) -> None:
            since = time.monotonic()
            _, chain = await alone(doing)
            self.journey.note(kind, since, chain)

        kinds = (("DNS", names, of_dns), ("ports", ports, of_ports), ("policies", policies, of_policies))
        await asyncio.gather(*(noted(kind, ask()) for kind, wanted, ask in kinds if wanted))
        return found

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
            self._lookups = Lookups(servers, self.budget, outside.port, outside.anchors or ROOT_ANCHORS)
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
    online: bool = field(default=True, init=False)

    @classmethod
    def of(cls, told: World, outside: Outside) -> OnlineWorld:
        """The network for a host. Addresses on loopback are its own only if it is this machine itself."""
        network = Network(outside, loopback=told.root is not None and told.root.resolve() == Path("/"))
        network.journey = getattr(told, "journey", network.journey)  # one for both
        return cls(told, network)

    @property
    def journey(self) -> Journey:
        """What was asked, wave after wave."""
        return self.network.journey

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
    def settings(self) -> tuple[str, bytes] | None:
        """The settings that go with it."""
        return self.told.settings

    def ask(self, wave: Collection[Question]) -> dict[Question, Answer]:
        """An answer to each question of a wave."""
        answers = self.told.ask([each for each in wave if isinstance(each, LIVE)])
        left = [each for each in wave if isinstance(each, LIVE) and _is_untold(answers[each])]
        rest = [each for each in wave if not isinstance(each, LIVE)]
        if not left:
            return {**answers, **self.told.ask(rest)}
        told, found = asyncio.run(self._both(rest, left))
        return {**answers, **told, **found}

    async def _both(
        self, rest: Sequence[Question], left: Sequence[Question]
    ) -> tuple[dict[Question, Answer], dict[Question, Answer]]:
        """What a live host tells of itself and what the network tells of it, at the same time."""
        try:
            return await asyncio.gather(asyncio.to_thread(self.told.ask, rest), self.network.ask(left))
        except asyncio.CancelledError:  # an interrupt must not wait for the host
            lose = getattr(self.told, "lose", None)
            if lose is not None:
                lose()
            raise


def _is_untold(answer: Answer) -> bool:
    return isinstance(answer, Failed) and answer.reason in _NOT_TOLD
