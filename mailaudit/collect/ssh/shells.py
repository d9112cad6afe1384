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
    _there: int = 0  # shells, with those that are being opened
    _refused: bool = False
    _change: asyncio.Event = field(default_factory=asyncio.Event)
    _places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CHANNELS))

    async def run(self, first: bytes, words: bytes, end: bytes, seconds: float) -> bytes:
        """What a shell says to some words, until it says the end, as far as it comes in so many seconds.

        A shell that was told nothing yet is told what comes `first` of all. One that is lost or does not come to its end, on
        whose side whatsoever, is let go.
        """
        said = bytearray()
        try:
            async with asyncio.timeout(seconds), self._places:
                shell, before = await self._taken(first)
                try:
                    await _tell(shell, before + words, end, said)
                finally:
                    self._give_back(shell, well=said.endswith(end))
        except (TimeoutError, OSError):
            pass
        return bytes(said)

    async def _taken(self, first: bytes) -> tuple[Shell, bytes]:
        """A shell, and what it is to be told before all else. Raises `OSError` where there is none, and none will get free."""
        while not self._idle:
            if not self._refused:
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
            shell.close()
            self._refused = False  # there is a place for another one now
            self._one_less()

    def _one_less(self) -> None:
        self._there -= 1
        self._tell_waiting()

    def _tell_waiting(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


async def _tell(shell: Shell, words: bytes, end: bytes, said: bytearray) -> None:
    shell.tell(words)
    while not said.endswith(end) and len(said) <= MAX_ANSWER and (chunk := await shell.hear()):
        said += chunk
