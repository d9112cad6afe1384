"""Making many objects at once that stay: the collector of circular garbage waits meanwhile, for it would find none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def many() -> Iterator[None]:
    """While the block runs, nothing is collected; walking all that was made again and again would take longer than making it."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
