"""The shells of one host, which wait for the next wave: a new one would cost two round trips, and the host some processes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from mailaudit.collect.ssh.opening import Channel, Shell

MAX_ANSWER = 96 * 1024 * 1024  # bytes that a shell says at once
CHANNELS = 3  # at once; servers allow ten


@dataclass
class Shells:
    """Up to three shells, or as many as the server gives; whoever asks takes one that has nothing to do, or waits for one.

    Not thread-safe: one loop uses it.
    """

    channel: Channel
    _idle: list[Shell] = field(default_factory=list)
    _busy: list[Shell] = field(default_factory=list)
    _there: int = 0  # shells, with those that are being opened or ended
    _refused: bool = False
    _change: asyncio.Event = field(default_factory=asyncio.Event)
    _endings: set[asyncio.Task[None]] = field(default_factory=set)

    async def run(self, first: bytes, words: bytes, end: bytes, seconds: float, share: float) -> bytes:
        """What a shell says to some words, until it says the end, as far as it comes in so many seconds.

        A shell has a `share` of them from when it is told; the rest may pass until there is one. One that was told nothing yet is
        told what comes `first` of all. One that is lost, or does not end with the end, on whose side whatsoever, is ended.
        """
        said = bytearray()
        try:
            async with asyncio.timeout(seconds):
                shell, before = await self._taken(first)
                self._busy.append(shell)
                try:
                    async with asyncio.timeout(share):
                        await _tell(shell, before + words, end, said)
                finally:
                    self._busy.remove(shell)
                    self._give_back(shell, well=said.endswith(end))
        except OSError:  # the time is over, or the shell is lost
            pass
        return bytes(said)

    async def close(self) -> None:
        """End all that still runs."""
        await asyncio.gather(*self._endings, *(shell.end() for shell in self._busy))

    async def _taken(self, first: bytes) -> tuple[Shell, bytes]:
        """A shell, and what it is to be told before all else. Raises `OSError` where there is none, and none will get free."""
        while not self._idle:
            if not self._refused and self._there < CHANNELS:
                self._there += 1
                try:
                    return await self.channel.shell(), first
                except OSError:
                    self._refused = True
                    self._one_less()
                except BaseException:
                    self._one_less()
                    raise
            elif not self._there:
                raise OSError("the host gives no shell")
            else:
                await self._change.wait()
        return self._idle.pop(), b""

    def _give_back(self, shell: Shell, *, well: bool) -> None:
        if well:
            self._idle.append(shell)
            self._tell_waiting()
        else:
            ending = asyncio.create_task(self._end(shell))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)

    async def _end(self, shell: Shell) -> None:
        """End a shell, and let another one have its place once it is gone: a server counts what still runs."""
        try:
            await shell.end()
        finally:
            self._refused = False
            self._one_less()

    def _one_less(self) -> None:
        self._there -= 1
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


async def _tell(shell: Shell, words: bytes, end: bytes, said: bytearray) -> None:
    """Tell a shell some words and hear it until the end, behind which something else may have come with the same bytes."""
    shell.tell(words)
    heard = 0
    while said.find(end, max(0, heard - len(end))) < 0 and len(said) <= MAX_ANSWER:
        heard = len(said)
        chunk = await shell.hear()
        if not chunk:
            break
        said += chunk
