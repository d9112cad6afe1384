"""Words that several rooms say alike."""

from __future__ import annotations


def why_not(error: OSError) -> str:
    """What the system said, as a sentence ends with it: `permission denied`."""
    return (error.strerror or str(error)).lower()


def number_of(number: int, noun: str) -> str:
    """So many of something: `1 finding`, `2 findings`; `noun` is one whose plural has an s."""
    return f"{number} {noun}{'s' * (number != 1)}"
