"""The longest chain of round trips that waited for each other, in words: what a scan's time hangs on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from mailaudit.collect.trips import Journey, Steps
from mailaudit.wording import number_of

_SHOWN = 24  # different steps of a chain


def lines(target: str, journey: Journey) -> Iterator[str]:
    """How many round trips waited for each other and how long nothing could be done but wait, and which they were."""
    if not journey.chain:
        return
    count = len(journey.chain)
    yield f"{target}: critical path: {number_of(count, 'round trip')}; {journey.waited:.2f} s were spent waiting\n"
    yield f"  {_steps(journey.chain)}\n"


def _steps(chain: Steps) -> str:
    """The steps in their order, equal ones together."""
    told = [(label, sum(1 for _ in same)) for label, same in groupby(chain)]
    shown = [f"{label} x {count}" if count > 1 else label for label, count in told[:_SHOWN]]
    return " > ".join([*shown, "..."] if len(told) > _SHOWN else shown)
