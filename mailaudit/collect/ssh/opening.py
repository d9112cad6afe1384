"""The way to a host's shell, and its opening, which is begun early and waited for later."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from mailaudit.collect.loop import begin
from mailaudit.collect.trips import Steps, alone


class Channel(Protocol):
    """A way to run the collector."""

    async def open(self) -> None:
        """Open it. Raises `TargetError` with code 4."""

    async def run(self, script: bytes, seconds: float) -> bytes:
        """What a script for sh prints, as far as it comes in so many seconds."""

    async def close_rudely(self) -> None:
        """Break it off."""

    async def close(self) -> None:
        """Close it."""


Opening = tuple[Channel, Future[tuple[None, Steps]]]
"""A way that is being opened, and the end of that."""


def opening(channel: Channel) -> Opening:
    """Begin to open a way, on the shared loop."""
    return channel, begin(alone(channel.open()))
