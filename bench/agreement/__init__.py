"""How far mailaudit's reading agrees with what the real programs said of real files: one module a language."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CORPORA = Path(__file__).resolve().parents[3] / "shared" / "corpora"
"""The collection of real files with their programs' answers; it lies beside the checkout or not at all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison: what was compared, in how many cases both agree, and out of how many.

    `explained` has a line for each case that does not agree for a reason outside our reach, `wrong` one for each that is a fault;
    `in_doubt` counts those that are told to be unknown, which is no fault.
    """

    subject: str
    agree: int
    of: int
    explained: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    in_doubt: int = 0
