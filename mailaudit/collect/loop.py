"""The event loop on which all hosts are asked, in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future

T = TypeVar("T")


class Loop:
    """The loop on which all hosts are talked to, in a thread of its own, which the first who needs it starts."""

    def __init__(self) -> None:
        self._starting = threading.Lock()  # connections that two loops made are of no use to each other
        self._loop: asyncio.AbstractEventLoop | None = None

    def running(self) -> asyncio.AbstractEventLoop:
        """The loop, begun if need be."""
        import asyncio  # noqa: PLC0415  a scan of files pays for no event loop

        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="mailaudit-asking", daemon=True).start()
            return self._loop


_LOOP = Loop()


def begin(doing: Coroutine[Any, Any, T]) -> Future[T]:
    """Begin a coroutine on the shared loop; its result comes later."""
    import asyncio  # noqa: PLC0415  see above

    return asyncio.run_coroutine_threadsafe(doing, _LOOP.running())


def wait_for(doing: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that runs on the shared loop; an interrupt cancels it."""
    future = begin(doing)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise
