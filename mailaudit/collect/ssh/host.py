"""The world of a live host: one connection, one round trip for a wave."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Collection
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mailaudit.collect.loop import begin, wait_for
from mailaudit.collect.ssh import asking
from mailaudit.collect.ssh.commands import COMMANDS
from mailaudit.collect.ssh.connection import CONNECT, UNREACHABLE, Connection
from mailaudit.collect.ssh.opening import Channel, Opening, opening
from mailaudit.collect.ssh.output import Asked, read_output
from mailaudit.collect.ssh.shells import Shells
from mailaudit.collect.ssh.target import Address
from mailaudit.collect.trips import Journey, Steps, alone, together
from mailaudit.collect.world import Layers, TargetError
from mailaudit.questions import LIVE, Answer, ListFiles, Question, RunCommand, now
from mailaudit.snapshot import unanswered

Flight = Future[tuple[dict[Question, Answer], Steps]]
"""What will bring the answers to some questions, and the chain of round trips that led to them."""
Part = dict[int, Question]  # questions by their numbers in what one shell is told at once
MANY = 40  # files, which two shells read sooner than one: a shell costs a host about as much as ten files
COMMANDS_SHARE = 3  # a command that hangs costs a third of the time, not all of it
LEAVING = 2.0  # seconds to log out


@dataclass
class HostWorld:
    """A live host. `connect` before anything is asked; a host that is lost on the way makes what is left `timeout`.

    `timeout` bounds the whole audit, in seconds; `key` is that of the digests in masks; `become` one of `asking.BECOMES`.
    """

    address: Address
    target: str
    key: str
    become: str = "auto"
    timeout: float = 60.0
    known_hosts: tuple[str, ...] | None = None
    recorded: bool = True  # what it says is not there is not there, as in a record
    online: bool = False
    root: Path | None = None
    settings: Layers = ()
    taken: str | None = None
    user: str = ""
    means: str = ""
    system: str = ""
    journey: Journey = field(default_factory=Journey)
    _opening: Opening | None = None
    _shells: Shells | None = None
    _begun: Asked | None = None
    _flights: dict[Question, Flight] = field(default_factory=dict)
    _landing: list[Flight] = field(default_factory=list)
    _deadline: float = 0.0
    _lost: bool = False
    _heard: bytes = b""  # of a shell that did not run the collector
    _known: dict[Question, Answer] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Its name, as the user said it."""
        return self.address.host

    def begin(self) -> None:
        """Begin to log in; `connect` waits for it."""
        if self._lost:
            raise CancelledError
        self._deadline = time.monotonic() + self.timeout
        self._opening = opening(self.channel())

    def send(self, first: Collection[Question] = ()) -> None:
        """Have first questions asked as soon as the login is done, whatever else is done meanwhile; none of them twice."""
        if self._opening is None:
            self.begin()
        asked: list[Question] = [each for each in first if not isinstance(each, LIVE) and asking.refusal(each) is None]
        if not self.later(asked) and not self._landing:
            self._landing.append(begin(self._answered([], self.journey.chain)))

    def connect(self, first: Collection[Question] = ()) -> None:
        """Log in, see that the collector runs, and have the first questions asked with the same words, unless they are already.

        Raises `TargetError` with code 4 where that cannot be done.
        """
        if not self._landing:
            self.send(first)
        try:
            self._enter()
        except BaseException:
            self.close()
            raise

    def _enter(self) -> None:
        with self.journey.waiting():
            left = set(self._landing)
            while self._begun is None and left:
                landed, left = wait(left, return_when=FIRST_COMPLETED)
                for each in landed:
                    each.result()
        begun = self._begun
        if begun is None:
            raise TargetError(f"{self.address}: {_no_shell(self._heard)}", UNREACHABLE)
        self.user, self.means, self.system = begun.user, begun.become, begun.system
        self.taken = now()

    def channel(self) -> Channel:
        """The way to its shell."""
        return Connection(self.address, min(CONNECT, self.timeout), self.known_hosts)

    def ask(self, wave: Collection[Question]) -> dict[Question, Answer]:
        """An answer to each question of a wave."""
        found: dict[Question, Answer] = {}
        for question in wave:
            refused = None if isinstance(question, LIVE) else asking.refusal(question)
            if isinstance(question, LIVE):
                found[question] = unanswered(question, self.online)
            elif refused is not None:
                found[question] = refused
        for flight in self.later([each for each in wave if each not in found]):
            with self.journey.waiting():
                flight.result()
        return {**found, **{question: self._known[question] for question in wave if question not in found}}

    def later(self, wave: Collection[Question]) -> dict[Flight, list[Question]]:
        """The questions of a wave that are not answered yet, by what will bring the answers; what was not asked yet is under way.

        A slow command flies by itself: nobody else waits for it.
        """
        left = [each for each in wave if not isinstance(each, LIVE) and each not in self._known and asking.refusal(each) is None]
        if left and self._lost:
            raise CancelledError
        new = [each for each in left if each not in self._flights]
        slow = [each for each in new if isinstance(each, RunCommand) and COMMANDS[each.command].slow]
        groups: list[list[Question]] = [[each] for each in slow]
        groups.append([each for each in new if each not in slow])
        for questions in filter(None, groups):
            flight = begin(self._answered(questions, self.journey.chain))
            self._landing.append(flight)
            self._flights.update(dict.fromkeys(questions, flight))
        found: dict[Flight, list[Question]] = {}
        for question in left:
            found.setdefault(self._flights[question], []).append(question)
        return found

    async def _answered(self, questions: list[Question], since: Steps) -> tuple[dict[Question, Answer], Steps]:
        """What the host says to some questions once it is entered; without any, that it runs the collector."""
        assert self._opening is not None
        channel, opened = self._opening
        _, login = await asyncio.wrap_future(opened)
        if self._shells is None:
            self._shells = Shells(channel)
        parts = _parts(questions) or [{}]
        said, chain = await alone(self._run_all(parts), max(since, login, key=len))
        self._learn(said)
        self.journey.note(chain)
        return {question: self._known[question] for question in questions}, chain

    def _learn(self, said: list[tuple[Part, Asked]]) -> None:
        """Keep the answers, and what was learned of the same paths on the way."""
        from mailaudit.collect.ssh.answering import answers  # noqa: PLC0415  a login waits for no model

        for part, asked in said:
            if self._begun is None and asked.user:
                self._begun = asked
            for number, question in part.items():
                for each, answer in answers(question, asked, number).items():
                    self._known.setdefault(each, answer)

    async def _run_all(self, parts: list[Part]) -> list[tuple[Part, Asked]]:
        return list(zip(parts, await together(*map(self._run, parts)), strict=True))

    async def _run(self, part: Part) -> Asked:
        assert self._shells is not None
        left = share = self.left()
        if any(isinstance(each, RunCommand) for each in part.values()):
            share = self.timeout / COMMANDS_SHARE
        if left <= 0:
            return Asked()
        mark = secrets.token_hex(8)
        first, words = asking.collector(self.become, self.key, self._begun), asking.wave(part, mark)
        said = await self._shells.run(first, words, asking.last_words(mark), left, share)
        asked = read_output(said, mark)
        self._heard = self._heard if asked.user else said
        return asked

    def left(self) -> float:
        """The seconds that are left for this host."""
        return max(0.0, self._deadline - time.monotonic())

    def lose(self) -> None:
        """Ask no further, and let nobody wait for an answer or for the login; from any thread."""
        self._lost = True
        for each in tuple(self._landing):
            each.cancel()
        if self._opening is not None:
            self._opening[1].cancel()

    def close(self) -> None:
        """Log out, and end what still runs there."""
        self.lose()
        if self._opening is not None:
            with suppress(OSError):
                wait_for(asyncio.wait_for(self._leave(self._opening[0]), LEAVING))

    async def _leave(self, channel: Channel) -> None:
        if self._shells is not None:
            await self._shells.close()
        await channel.close()


def _no_shell(said: bytes) -> str:
    """What to say of a login that led to no sh: another program answers, as nologin does, or none."""
    lines = ["".join(filter(str.isprintable, line)).strip()[:100] for line in said.decode("utf-8", "replace").splitlines()]
    told = next((f': the host says "{line}"' for line in lines if line), "")
    needs = "the account's login shell has to run `exec /bin/sh`, as sh, ksh and csh do"
    return f"after the login, /bin/sh does not run the collector{told}; {needs}"


def _parts(questions: list[Question]) -> list[Part]:
    """A wave in up to three parts, a shell each: the commands, and the files, many of them halved."""
    commands = [each for each in questions if isinstance(each, RunCommand)]
    files = [each for each in questions if not isinstance(each, RunCommand)]
    files.sort(key=lambda each: not isinstance(each, ListFiles))
    half = len(files) // 2 if len(files) > MANY else len(files)
    groups = (commands, files[:half], files[half:])
    return [asking.numbered(group) for group in groups if group]
