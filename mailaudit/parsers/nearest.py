"""Which known word an unknown one is nearly: "did you mean"."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache

_LONGEST = 40  # a longer word is no misspelt keyword


@lru_cache(maxsize=4096)
def nearest(word: str, known: tuple[str, ...], cutoff: float = 0.75) -> str | None:
    """The known word that is most like it, in the case in which it is known, or None if none is."""
    if len(word) > _LONGEST:
        return None
    found = get_close_matches(word.lower(), known, n=1, cutoff=cutoff)
    return found[0] if found else swapped(word.lower(), known)


def swapped(word: str, known: Iterable[str]) -> str | None:
    """The known word that two neighbouring letters are swapped of: `tcp` for `tpc`, of which less than most is alike."""
    if not 1 < len(word) <= _LONGEST:
        return None
    others = {word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in range(len(word) - 1)}
    return next((each for each in known if each in others), None)
