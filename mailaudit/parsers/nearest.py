"""Which known word an unknown one is nearly: "did you mean"."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache

_LONGEST = 40  # a longer word is no misspelt keyword


@lru_cache(maxsize=4096)
def nearest(word: str, known: tuple[str, ...], cutoff: float = 0.75) -> str | None:
    """The known word that is most like it, in the case in which it is known, or None if none is."""
    if len(word) > _LONGEST:
        return None
    found = get_close_matches(word.lower(), known, n=1, cutoff=cutoff)
    return found[0] if found else None
