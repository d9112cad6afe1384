"""Which round trips waited for which: counted where they are made, so that the longest chain of them can be told.

A chain is a tuple of labels in a context variable: whoever awaits one step after the other makes it longer, what is done at once
has a chain of its own, and `together` goes on from the longest.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Coroutine, Iterator
from contextlib import contextmanager
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
    import asyncio  # noqa: PLC0415  a scan of files pays for no event loop

    async def one(each: Awaitable[T]) -> tuple[T, Steps]:
        return await each, reached()

    found = await asyncio.gather(*map(one, doing))
    for _, chain in found:
        follow(chain)
    return [result for result, _ in found]


async def alone(doing: Coroutine[Any, Any, T], since: Steps = ()) -> tuple[T, Steps]:
    """A result, and the chain that led to it from another one's end."""
    import asyncio  # noqa: PLC0415  see above

    async def begun() -> tuple[T, Steps]:
        _CHAIN.set(since)
        return await doing, reached()

    try:
        return await asyncio.ensure_future(begun())
    finally:
        doing.close()  # one that was called off before it began


@dataclass
class Journey:
    """All that was asked about one host. `chain` is the longest chain to what is known now: what is asked next waited for it."""

    chain: Steps = ()
    began: float = field(default_factory=time.monotonic)
    waited: float = 0.0

    def note(self, chain: Steps) -> None:
        """Something is known, by a chain."""
        if len(chain) > len(self.chain):
            self.chain = chain

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """While nothing can be done but wait for answers."""
        since = time.monotonic()
        try:
            yield
        finally:
            self.waited += time.monotonic() - since


def journey_of(world: object) -> Journey:
    """What was asked of a world; of one that is a folder or an archive, nothing."""
    found = getattr(world, "journey", None)
    return found if isinstance(found, Journey) else Journey()
