"""Which round trips waited for which: counted where they are made, so that the longest chain of them can be told.

A chain is a tuple of labels in a context variable: whoever awaits one step after the other makes it longer, what is done at once
has a chain of its own, and `together` goes on from the longest.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")
Steps = tuple[str, ...]
_CHAIN: ContextVar[Steps] = ContextVar("chain", default=())


def step(label: str) -> None:
    """A round trip has been made, after all those before it."""
    _CHAIN.set((*_CHAIN.get(), label))


def reached() -> Steps:
    """The round trips so far."""
    return _CHAIN.get()


def follow(chain: Steps) -> None:
    """What comes now waited for the end of another chain as well."""
    if len(chain) > len(_CHAIN.get()):
        _CHAIN.set(chain)


async def together(*doing: Awaitable[T]) -> list[T]:
    """Results of what is done at once, like `asyncio.gather`; the longest of their chains goes on."""

    async def one(each: Awaitable[T]) -> tuple[T, Steps]:
        return await each, reached()

    found = await asyncio.gather(*map(one, doing))
    for _, chain in found:
        follow(chain)
    return [result for result, _ in found]


async def alone(doing: Coroutine[Any, Any, T]) -> tuple[T, Steps]:
    """A result and the chain that led to it, from its own beginning."""

    async def begun() -> tuple[T, Steps]:
        _CHAIN.set(())
        return await doing, reached()

    return await asyncio.ensure_future(begun())


@dataclass(frozen=True, slots=True)
class Leg:
    """What one kind of question took in one wave: seconds, and the longest chain."""

    kind: str
    seconds: float
    chain: Steps


@dataclass
class Journey:
    """All that was asked about one host, wave after wave; the first is the login."""

    waves: list[list[Leg]] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """A new wave begins, and waits for all that was asked before."""
        self.waves.append([])

    def note(self, kind: str, since: float, chain: Steps) -> None:
        """A kind of question has been answered in this wave."""
        if not self.waves:
            self.begin()
        self.waves[-1].append(Leg(kind, time.monotonic() - since, chain))

    @property
    def trips(self) -> int:
        """The round trips that waited for each other, all in all."""
        return sum(max((len(leg.chain) for leg in wave), default=0) for wave in self.waves)

    @property
    def seconds(self) -> float:
        """What the waves took, all in all; reading and judging not counted."""
        return sum(max((leg.seconds for leg in wave), default=0.0) for wave in self.waves)


def journey_of(world: object) -> Journey:
    """What was asked of a world; of one that is a folder or an archive, nothing."""
    found = getattr(world, "journey", None)
    return found if isinstance(found, Journey) else Journey()
