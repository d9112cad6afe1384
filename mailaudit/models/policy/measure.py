"""What a measure is: a value of one subject that is taken from its models, and where the host says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mailaudit.findings import Evidence, Place
from mailaudit.models.policy.operators import Scale, Value
from mailaudit.questions import Failed


@dataclass(frozen=True, slots=True)
class Found:
    """What was measured, and the place that says so."""

    value: Value
    place: Place | Evidence


@dataclass(frozen=True, slots=True)
class Measure:
    """`name` in the policy's table of a subject, what it `says`, and how it is taken.

    `needs` are the models that `take` is given; it gives None where they say nothing about it, and a failure where it is known
    why. `operator` is what `mailaudit policy new` writes.
    """

    name: str
    says: str
    scale: Scale
    operator: str
    needs: tuple[type, ...]
    take: Callable[..., Found | Failed | None]


def listed(words: Any) -> tuple[Any, ...]:
    """Words or numbers in their own order, each once."""
    return tuple(sorted(set(words)))
