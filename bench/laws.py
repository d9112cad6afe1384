"""The law of reading, as comparisons and tests ask it: any bytes come back, and nothing but trivia stands between tokens."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from mailaudit.parsers.tree import Language, Tree, gaps, nothing, render, written
from mailaudit.text import Text


class LawError(Exception):
    """A text that its language does not give back."""


def check(language: Language, data: bytes, path: str = "/etc/file") -> Tree:
    """The tree of the bytes, which render as they were; raises LawError if they do not, and whatever parse raises."""
    tree = language.parse(Text(path, data), nothing)
    if render(tree) != data:
        raise LawError(f"{language.name}: {data!r} does not come back")
    for gap in gaps(tree):
        if not language.trivia.fullmatch(gap.chars):
            raise LawError(f"{language.name}: {gap.chars!r} between tokens of {data!r}")
    for token in written(tree):
        if token.start > token.end:  # a field may be empty
            raise LawError(f"{language.name}: a token ends before it begins in {data!r}")
    return tree


def mutant(data: bytes, rng: random.Random, snippets: Sequence[bytes]) -> bytes:
    """A text with one fault: cut, doubled, spoilt, or with another's words in it."""
    a, b = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    b = min(b, a + 40)
    kind = rng.randrange(5)
    if kind == 0:
        return data[:a]
    if kind == 1:
        return data[:a] + data[b:]
    if kind == 2:
        return data[:b] + data[a:]
    if kind == 3:
        return data[:a] + bytes([rng.randrange(256)]) + data[a:]
    return data[:a] + rng.choice(snippets) + data[a:]


def mutants(data: bytes, count: int, seed: int | str, snippets: Sequence[bytes]) -> Iterator[bytes]:
    """Seeded mutants of one text."""
    rng = random.Random(seed)
    for _ in range(count):
        yield mutant(data, rng, snippets)
