"""The shells of one host, which wait for the next wave: a new one would cost two round trips, and the host some processes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from mailaudit.collect.ssh.opening import Channel, Shell

MAX_ANSWER = 96 * 1024 * 1024  # bytes that a shell says at once
CHANNELS = 3  # at once; servers allow ten


@dataclass
class Shells:
    """Up to three shells; whoever asks takes one that has nothing to do. Not thread-safe: one loop uses it."""

    channel: Channel
    _idle: list[Shell] = field(default_factory=list)
    _free: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CHANNELS))

    async def run(self, first: bytes, words: bytes, end: bytes, seconds: float) -> bytes:
        """What a shell says to some words, until it says the end, as far as it comes in so many seconds.

        A shell that was told nothing yet is told what comes `first` of all. One that is lost or does not come to its end, on
        whose side whatsoever, is let go.
        """
        said = bytearray()
        try:
            async with asyncio.timeout(seconds), self._free:
                await self._tell(first, words, end, said)
        except (TimeoutError, OSError):
            pass
        return bytes(said)

    async def _tell(self, first: bytes, words: bytes, end: bytes, said: bytearray) -> None:
        shell, before = (self._idle.pop(), b"") if self._idle else (await self.channel.shell(), first)
        try:
            shell.tell(before + words)
            while not said.endswith(end) and len(said) <= MAX_ANSWER and (chunk := await shell.hear()):
                said += chunk
        except BaseException:
            shell.close()
            raise
        if said.endswith(end):
            self._idle.append(shell)
        else:
            shell.close()
