"""The longest chain of round trips that waited for each other, in words: what a scan's time hangs on."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from mailaudit.collect.trips import Journey, Leg, Steps

_SHOWN = 12  # steps of a chain


def lines(target: str, journey: Journey) -> Iterator[str]:
    """One line for the whole, one for each wave: the kind of question that took most, its steps, and the other kinds."""
    if not journey.waves:
        return
    yield f"{target}: critical path: {_trips(journey.trips)}, {journey.seconds:.2f} s\n"
    for number, wave in enumerate(journey.waves, 1):
        legs = sorted(wave, key=lambda leg: (-len(leg.chain), leg.kind))
        if not legs:
            continue
        others = "".join(f"; {_leg(leg)}" for leg in legs[1:])
        yield f"  {number}. {_leg(legs[0])}: {_steps(legs[0].chain)}{others}\n"


def _leg(leg: Leg) -> str:
    return f"{leg.kind} {_trips(len(leg.chain))}, {leg.seconds:.2f} s"


def _trips(count: int) -> str:
    return f"{count} round trip{'s' * (count != 1)}"


def _steps(chain: Steps) -> str:
    """The steps in their order, equal ones together."""
    told = [(label, sum(1 for _ in same)) for label, same in groupby(chain)]
    shown = [f"{label} x {count}" if count > 1 else label for label, count in told[:_SHOWN]]
    return " > ".join([*shown, "..."] if len(told) > _SHOWN else shown)
