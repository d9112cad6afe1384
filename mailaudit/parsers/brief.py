"""Words of a file as messages quote them."""

from __future__ import annotations

_LONGEST = 40


def brief(chars: str) -> str:
    """The characters, or the first of them: a message is for people, and a word can be as long as its file."""
    return chars if len(chars) <= _LONGEST else f"{chars[: _LONGEST - 3]}..."
