"""How far `mailaudit fix` goes."""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit.choices import Release
from mailaudit.edits import Safety


@dataclass(frozen=True, slots=True)
class Level:
    """What is written, if anything, and where: in place, or to the directory `out`. `check`: no diff is shown.

    With a `release` a configuration is written anew for it, and nothing else is mended.
    """

    write: bool = False
    unsafe: bool = False
    check: bool = False
    out: str | None = None
    force_partial: bool = False
    reload: bool = False  # of a live host: daemons are told, pf is loaded
    release: Release | None = None

    @property
    def allowed(self) -> frozenset[Safety]:
        """The levels of safety that are applied (contract, section 8)."""
        return frozenset({Safety.SAFE, Safety.UNSAFE} if self.unsafe else {Safety.SAFE})
