"""Writes to a live host: gives the applier a plan, proves by a new connection that the host answers, and keeps or takes back."""

from __future__ import annotations

import asyncio
import queue
import re
import shlex
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256

from mailaudit.apply.folder import ApplyError
from mailaudit.apply.passage import Passage, read_passage
from mailaudit.apply.runs import BUSY, CUT_OFF, Outcome, outcome, past
from mailaudit.apply.transaction import Seconds, applier
from mailaudit.collect.loop import wait_for
from mailaudit.collect.ssh.commands import root_line
from mailaudit.collect.ssh.connection import CONNECT, UNREACHABLE, Connection
from mailaudit.collect.ssh.conversing import converse
from mailaudit.collect.ssh.target import Address
from mailaudit.collect.world import TargetError

PLACE = "/usr/local/libexec/mailaudit-apply"
SENT = "/var/mailaudit/applier"  # where it lies for root, who needs no doas
STAGING = 1200.0  # seconds for the checkers, the commands and the daemons
_SEND = f"umask 077; mkdir -p /var/mailaudit && cat > {SENT}.$$ && mv {SENT}.$$ {SENT}"
_LOOK = f"""
echo "connection $SSH_CONNECTION"
if [ -f {PLACE} ]; then
	echo "owner $(ls -ldn {PLACE} | awk '{{ print $1, $3 }}')"
	if command -v sha256 >/dev/null 2>&1; then echo "digest $(sha256 -q {PLACE})"; else echo "digest $(sha256sum < {PLACE})"; fi
fi
"""
Heard = Callable[[str], None]


class ApplierError(TargetError):
    """The host has no applier of this version, or nobody lets us run it; the hints say how it gets there. Exit code 4."""

    def __init__(self, message: str, user: str, means: str, *, installed: bool) -> None:
        super().__init__(message, UNREACHABLE)
        install = (
            "mailaudit fix --show-applier > mailaudit-apply, and look at it",
            f"on the host, as root: install -o root -g wheel -m 0555 mailaudit-apply {PLACE}",
        )
        file, line = root_line(means, user, PLACE)
        line = line.removesuffix(" args").removesuffix(' ""')  # it is run with any
        self.hints = (*(() if installed else install), f"in /etc/{file}: {line}")


class CutOffError(ApplyError):
    """The connection was lost while a run was at work; what became of it could not be learned. Exit code 5."""


@dataclass
class HostWriter:
    """The applier of one host. `user` is who logs in, `means` the collector's: `doas -n`, `sudo -n` or nothing."""

    address: Address
    user: str
    means: str
    timeout: float = CONNECT
    known_hosts: tuple[str, ...] | None = None
    passage: Passage | None = field(default=None, init=False)

    def prepare(self) -> None:
        """See that the applier is there and is ours. Raises `ApplierError` or `TargetError` with code 4."""
        with self.connected() as connection:
            said: list[str] = []
            wait_for(converse(connection, "exec /bin/sh", _LOOK.encode(), said.append, self.timeout))
            facts = dict(line.partition(" ")[::2] for line in said)
            self.passage = read_passage(facts.get("connection", ""))
            if self.user == "root":
                self._send(connection)
                return
            if not self.means:
                why = "neither doas nor sudo is there, or --become none"
                raise TargetError(f"{self.address}: {self.user} cannot become root, who alone writes: {why}", UNREACHABLE)
            self._see(facts)
            lines: list[str] = []
            wait_for(converse(connection, self._command("history"), b"", lines.append, self.timeout))
            if not any(line.startswith("end ") for line in lines):
                why = " ".join(lines)[:200] or "it says nothing"
                raise ApplierError(
                    f"{self.address}: {self.user} may not run {PLACE} as root: {why}", self.user, self.means, installed=True
                )

    def _send(self, connection: Connection) -> None:
        lines: list[str] = []
        status = wait_for(converse(connection, f"exec /bin/sh -c {shlex.quote(_SEND)}", applier(), lines.append, self.timeout))
        if status != 0:
            raise TargetError(f"{self.address}: {SENT} cannot be written: {' '.join(lines)[:200]}", UNREACHABLE)

    def _see(self, facts: dict[str, str]) -> None:
        if "digest" not in facts:
            message = f"{self.address}: {PLACE} is not there, the one program of mailaudit that runs as root"
            raise ApplierError(message, self.user, self.means, installed=False)
        mode, _, owner = facts.get("owner", "").partition(" ")
        if owner != "0" or not re.match(r"-.{4}-..-", mode):
            raise ApplierError(f"{self.address}: others than root may write {PLACE}", self.user, self.means, installed=False)
        if facts["digest"].split()[0] != sha256(applier()).hexdigest():
            raise ApplierError(
                f"{self.address}: {PLACE} is of another version of mailaudit", self.user, self.means, installed=False
            )

    def _command(self, *words: str) -> str:
        if self.user == "root":
            return " ".join(("exec /usr/bin/perl -T", SENT, *words))
        return " ".join(("exec", self.means, PLACE, *words))

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """A new connection to the host."""
        connection = Connection(self.address, self.timeout, self.known_hosts)
        wait_for(connection.open())
        try:
            yield connection
        finally:
            with suppress(OSError, TimeoutError):
                wait_for(asyncio.wait_for(connection.close(), 1))

    def ask(self, *words: str) -> list[str]:
        """What the applier says to a short question, over a new connection."""
        lines: list[str] = []
        with self.connected() as connection:
            wait_for(converse(connection, self._command(*words), b"", lines.append, self.timeout))
        return lines

    def write(self, plan: bytes, seconds: Seconds, heard: Heard, is_well: Callable[[], str]) -> Outcome:
        """Carry out a plan. `is_well` looks at the host when all is in place: what is wrong there, empty to keep it.

        Raises `CutOffError` where the connection is lost and the host cannot be asked what became of the run.
        """
        run = _Run(self, heard)

        def answer(line: str) -> None:
            if line.startswith("waiting reached"):
                run.told(self.ask("reached", str(run.number)))
            elif line.startswith("waiting keep"):
                wrong = is_well()
                run.objection = wrong
                run.told(self.ask("cancel" if wrong else "keep", str(run.number)))

        return run.go(self._command("run"), plan, STAGING + seconds.reached + seconds.kept, answer)

    def rollback(self, number: int | None, heard: Heard) -> Outcome:
        """Restore what was there before a run: one that was cut off, else the one that is named, else the last that was kept."""
        words = ("rollback",) if number is None else ("rollback", str(number))
        return _Run(self, heard).go(self._command(*words), b"", STAGING, lambda _: None)

    def history(self) -> list[str]:
        """The lines of the applier's history. Raises `ApplyError` where it says none."""
        lines = self.ask("history")
        if not lines or lines[-1] != "end history":
            raise ApplyError(f"{self.address}: no history: {' '.join(lines)[:300] or 'the host says nothing'}")
        return lines[:-1]


@dataclass
class _Run:
    """One conversation with the applier, answered as it goes on; when it is cut off, its journal is asked."""

    writer: HostWriter
    heard: Heard
    number: int = 0
    objection: str = ""
    lines: list[str] = field(default_factory=list)

    def go(self, command: str, given: bytes, seconds: float, answer: Heard) -> Outcome:
        said: queue.Queue[str | None] = queue.Queue()
        with self.writer.connected() as connection, ThreadPoolExecutor(1) as pool:
            talk = pool.submit(wait_for, converse(connection, command, given, said.put, seconds))
            talk.add_done_callback(lambda _: said.put(None))
            try:
                self._listen(said, answer)
            except TargetError as error:  # no new connection: the host restores by itself
                self.objection = error.message
                self._listen(said, lambda _: None)
            except BaseException:  # nobody listens any more
                with suppress(TargetError, OSError):
                    self.writer.ask("cancel", str(self.number))
                wait_for(connection.close_rudely())
                raise
        return outcome(self.number, self.lines, self.objection) or self._asked(time.monotonic() + seconds)

    def _listen(self, said: queue.Queue[str | None], answer: Heard) -> None:
        while (line := said.get()) is not None:
            self.lines.append(line)
            found = re.match(r"(?:begin|rollback) ([0-9]{1,9}) ", line)
            self.number = int(found[1]) if found else self.number
            self.heard(line)
            answer(line)

    def told(self, lines: list[str]) -> None:
        """What the applier said to a word about this run."""
        if not lines or not lines[-1].startswith("end ") or lines[-1].startswith("end refused"):
            self.objection = self.objection or " ".join(lines)[:300] or "a new connection to the host was of no use"

    def _asked(self, until: float) -> Outcome:
        """What became of a run whose connection was lost; the host restores by itself, and this waits until it has."""
        if not self.number:
            detail = " ".join(self.lines)[:300]
            raise ApplyError(
                f"{self.writer.address}: the applier did not begin: {detail or 'it says nothing'}; nothing was changed"
            )
        self.heard("the connection was lost; asking what became of the run")
        while time.monotonic() < until:
            with suppress(TargetError, ApplyError):
                (mine,) = (each for each in past(self.writer.history()) if each.number == self.number)
                if mine.end == CUT_OFF:
                    return self.writer.rollback(self.number, self.heard)
                if mine.end != BUSY:
                    return Outcome(self.number, mine.end, mine.why, mine.said)
            time.sleep(1)
        raise CutOffError(
            f"{self.writer.address}: the connection was lost in run {self.number}, and the host cannot be asked. It restores "
            f"what was there by itself; once it is reached again, see `mailaudit history {self.writer.address}`"
        )
