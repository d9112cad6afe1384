"""The way to a host's shells, and its opening, which is begun early and waited for later."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from mailaudit.collect.loop import begin
from mailaudit.collect.trips import Steps, alone


class Shell(Protocol):
    """/bin/sh of a host, which does what it is told until it is closed."""

    def tell(self, words: bytes) -> None:
        """Give it more to do."""

    async def hear(self) -> bytes:
        """More of what it prints; nothing at its end."""

    async def end(self) -> None:
        """End it and what it runs; that is waited for, but not for long."""


class Channel(Protocol):
    """A way to have shells."""

    async def open(self) -> None:
        """Open it. Raises `TargetError` with code 4."""

    async def shell(self) -> Shell:
        """Another shell. Raises `OSError` where there is none to be had."""

    async def close(self) -> None:
        """Close it."""


Opening = tuple[Channel, Future[tuple[None, Steps]]]
"""A way that is being opened, and the end of that."""


def opening(channel: Channel) -> Opening:
    """Begin to open a way, on the shared loop."""
    return channel, begin(alone(channel.open()))
