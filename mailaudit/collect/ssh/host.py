"""The world of a live host: one connection, one round trip for a wave."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mailaudit.collect.loop import begin, wait_for
from mailaudit.collect.ssh import asking
from mailaudit.collect.ssh.commands import COMMANDS
from mailaudit.collect.ssh.connection import CONNECT, UNREACHABLE, Connection
from mailaudit.collect.ssh.opening import Channel, Opening, opening
from mailaudit.collect.ssh.output import Asked, read_output
from mailaudit.collect.ssh.target import Address
from mailaudit.collect.trips import Journey, Steps, alone, together
from mailaudit.collect.world import Layers, TargetError
from mailaudit.questions import LIVE, Answer, Failed, ListFiles, Question, Reason, RunCommand
from mailaudit.snapshot import unanswered

if TYPE_CHECKING:
    from concurrent.futures import Future

Part = dict[int, Question]  # questions by their numbers in one run of the collector
MANY = 40  # files, which two shells read sooner than one: a shell costs a host about as much as ten files
COMMANDS_SHARE = 3  # a command that hangs costs a third of the time, not all of it


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
    _connection: Channel | None = None
    _begun: Asked | None = None
    _sent: set[Question] = field(default_factory=set)
    _first: list[Future[tuple[list[tuple[Part, Asked]], Steps]]] = field(default_factory=list)
    _deadline: float = 0.0
    _known: dict[Question, Answer] = field(default_factory=dict)
    _late: dict[Question, Future[tuple[dict[Question, Answer], Steps]]] = field(default_factory=dict)

    @property
    def host(self) -> str:
        """Its name, as the user said it."""
        return self.address.host

    def begin(self) -> None:
        """Begin to log in; `connect` waits for it."""
        self._deadline = time.monotonic() + self.timeout
        self._opening = opening(self.channel())

    def send(self, first: Collection[Question] = ()) -> None:
        """Have first questions asked as soon as the login is done, whatever else is done meanwhile; none of them twice."""
        if self._opening is None:
            self.begin()
        new = [each for each in first if each not in self._sent]
        asked: list[Question] = [each for each in new if not isinstance(each, LIVE) and asking.refusal(each) is None]
        self._sent.update(asked)
        self._first.append(begin(self._entered(asked)))

    async def _entered(self, asked: list[Question]) -> tuple[list[tuple[Part, Asked]], Steps]:
        assert self._opening is not None
        channel, opened = self._opening
        _, login = await asyncio.wrap_future(opened)
        self._connection = channel
        late = self.later(asked, login)
        quick = [each for each in asked if each not in late]
        return await alone(self._run_all(_parts(quick) or [{}]), login)

    def connect(self, first: Collection[Question] = ()) -> None:
        """Log in, see that the collector runs, and ask the first questions with the same words, unless they are sent already.

        Raises `TargetError` with code 4 where that cannot be done.
        """
        if not self._first:
            self.send(first)
        said: list[tuple[Part, Asked]] = []
        with self.journey.waiting():
            try:
                for each in self._first:
                    heard, chain = each.result()
                    said += heard
                    self.journey.note(chain)
            except BaseException:
                for each in self._first:
                    each.cancel()
                raise
        begun = next((each for _, each in said if each.user), None)
        if begun is None:
            self.close()
            raise TargetError(f"{self.address}: after the login, /bin/sh does not run the collector", UNREACHABLE)
        self._begun = begun
        self.user, self.means, self.system = begun.user, begun.become, begun.system
        self.taken = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        self._learn(said)

    def channel(self) -> Channel:
        """The way to its shell."""
        return Connection(self.address, min(CONNECT, self.timeout), self.known_hosts)

    def ask(self, wave: Collection[Question]) -> dict[Question, Answer]:
        """An answer to each question of a wave."""
        found: dict[Question, Answer] = {}
        open_: list[Question] = []
        for question in wave:
            refused = None if isinstance(question, LIVE) else asking.refusal(question)
            if isinstance(question, LIVE):
                found[question] = unanswered(question, self.online)
            elif refused is not None:
                found[question] = refused
            elif question in self._known:
                found[question] = self._known[question]
            else:
                open_.append(question)
        late = self.later(open_)
        quick = [each for each in open_ if each not in late]
        if quick:
            with self.journey.waiting():
                said, chain = wait_for(alone(self._run_all(_parts(quick)), self.journey.chain))
            self.journey.note(chain)
            self._learn(said)
        for answer in late.values():
            with self.journey.waiting():
                learned, chain = answer.result()
            self.journey.note(chain)
            self._known |= learned
        return {**found, **{question: self._known[question] for question in open_}}

    def later(
        self, wave: Collection[Question], since: Steps | None = None
    ) -> dict[Question, Future[tuple[dict[Question, Answer], Steps]]]:
        """The slow commands of a wave that are not answered yet, each under way by itself: nobody else waits for them."""
        chain = self.journey.chain if since is None else since
        slow = [each for each in wave if isinstance(each, RunCommand) and COMMANDS[each.command].slow and each not in self._known]
        for question in slow:
            if question not in self._late:
                self._late[question] = begin(self._slowly(question, chain))
        return {question: self._late[question] for question in slow}

    async def _slowly(self, question: Question, since: Steps) -> tuple[dict[Question, Answer], Steps]:
        from mailaudit.collect.ssh.answering import answers  # noqa: PLC0415  a login waits for no model

        asked, chain = await alone(self._run({1: question}), since)
        return answers(question, asked, 1), chain

    def _learn(self, said: list[tuple[Part, Asked]]) -> None:
        """Keep the answers, and what was learned of the same paths on the way."""
        from mailaudit.collect.ssh.answering import answers  # noqa: PLC0415  as above

        for part, asked in said:
            for number, question in part.items():
                for each, answer in answers(question, asked, number).items():
                    self._known.setdefault(each, answer)
                self._known[question] = self._settled(question)

    def _settled(self, question: Question) -> Answer:
        return self._known.get(question) or Failed(Reason.PROTOCOL, f"{question}: the host did not answer")

    async def _run_all(self, parts: list[Part]) -> list[tuple[Part, Asked]]:
        return list(zip(parts, await together(*map(self._run, parts)), strict=True))

    async def _run(self, part: Part) -> Asked:
        assert self._connection is not None
        left = self.left()
        if any(isinstance(each, RunCommand) for each in part.values()):
            left = min(left, self.timeout / COMMANDS_SHARE)
        if left <= 0:
            return Asked()
        mark = secrets.token_hex(8)
        return read_output(await self._connection.run(asking.script(part, self.become, self.key, mark, self._begun), left), mark)

    def left(self) -> float:
        """The seconds that are left for this host."""
        return max(0.0, self._deadline - time.monotonic())

    def lose(self) -> None:
        """Break the connection off, as a network does."""
        if self._connection is not None:
            wait_for(self._connection.close_rudely())

    def close(self) -> None:
        """Log out."""
        for each in self._first:
            each.cancel()
        if self._opening is not None:
            self._opening[1].cancel()
        if self._connection is not None:
            with suppress(OSError, TimeoutError):
                wait_for(asyncio.wait_for(self._connection.close(), 1))
            self._connection = None


def _parts(questions: list[Question]) -> list[Part]:
    """A wave in up to three parts, a channel each: the commands, and the files, many of them halved."""
    commands = [each for each in questions if isinstance(each, RunCommand)]
    files = [each for each in questions if not isinstance(each, RunCommand)]
    files.sort(key=lambda each: not isinstance(each, ListFiles))
    half = len(files) // 2 if len(files) > MANY else len(files)
    groups = (commands, files[:half], files[half:])
    return [asking.numbered(group) for group in groups if group]
