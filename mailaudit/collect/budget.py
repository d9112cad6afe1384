"""How long one host may take, and what is told where something could not be had from the network."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from mailaudit.questions import OVER, Failed, Reason

SECONDS = 60.0
"""The time for one host's whole scan unless `--timeout` says otherwise."""


class Trouble(Exception):  # noqa: N818  it is a value that travels by raising, not a mistake
    """Something could not be told; becomes a `Failed`."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail

    @property
    def failed(self) -> Failed:
        """The answer that it is."""
        return Failed(self.reason, self.detail)


@dataclass(slots=True)
class Budget:
    """The seconds for a host's scan; they run from the first time that somebody asks how many are left."""

    seconds: float = SECONDS
    _end: float | None = field(default=None, repr=False)

    def left(self) -> float:
        """The seconds that are left, 0 at the least."""
        if self._end is None:
            self._end = time.monotonic() + self.seconds
        return max(0.0, self._end - time.monotonic())

    def share(self, seconds: float) -> float:
        """So many seconds, or what is left."""
        return min(seconds, self.left())

    @property
    def over(self) -> Trouble:
        """What is told of all that was not asked in time."""
        return Trouble(Reason.TIMEOUT, f"the {self.seconds:g} {OVER}")
