"""Other spellings of one smtpd.conf, with macros and includes in it; and what a model says, without where it is written."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Iterator, Mapping
from enum import Enum

from mailaudit.parsers.smtpd_grammar import LEXICON
from mailaudit.parsers.tokens import tokenise
from mailaudit.parsers.tree import Problem, Statement, Token, Tree
from mailaudit.text import Text

PART = "/etc/mail/smtpd.d/part"
_NOT_SAID = {"trees", "statement", "statements", "stats", "lists", "refusals", "meanings", "unknown_includes"}
Leaves = dict[tuple[object, ...], object]


def leaves(value: object) -> Leaves:
    """What a model says, by its way there: tokens and plain values; nothing of trees, statements and refusals."""
    return dict(_leaves(value, ()))


def _leaves(value: object, way: tuple[object, ...]) -> Iterator[tuple[tuple[object, ...], object]]:
    if value is None or isinstance(value, Token | str | int | Enum):
        yield way, value
    elif isinstance(value, Problem | Statement | Tree):
        return
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            if field.name not in _NOT_SAID:
                yield from _leaves(getattr(value, field.name), (*way, field.name))
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _leaves(each, (*way, key))
    elif isinstance(value, tuple | list | frozenset):
        yield (*way, "length"), len(value)
        for number, each in enumerate(value):
            yield from _leaves(each, (*way, number))
    else:
        raise TypeError(value)


def said(value: object) -> Leaves:
    """The same with the values of tokens."""
    return {way: leaf.value if isinstance(leaf, Token) else leaf for way, leaf in leaves(value).items()}


def rows(text: str) -> list[list[Token]]:
    """The tokens of each statement, those of an open brace's further lines among them, new lines left out."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokenise(Text.of("/x", text), LEXICON):
        depth += {"{": 1, "}": -1}.get(token.kind, 0)
        if token.kind != "newline":
            found[-1].append(token)
        elif not depth:
            found.append([])
    return [row for row in found if row]


def with_macros(text: str, source: random.Random, count: int) -> str:
    """The text with runs of its tokens given by macros that are defined at its beginning."""
    definitions: list[str] = []
    edits: list[tuple[int, int, str]] = []
    for row in source.sample(rows(text), min(count, len(rows(text)))):
        first = source.randrange(len(row))
        last = source.randrange(first, len(row))
        start, end = row[first].start, row[last].end
        run = text[start:end]
        quote = next((each for each in "\"'" if each not in run), None)
        joined = re.match(r"[A-Za-z0-9_]", text[end : end + 1]) or (
            first and row[first - 1].end == start and row[first].kind != "string"
        )
        if quote and not joined and not re.search(r"[\\\n$]", run) and not (len(row) > 1 and row[1].kind == "="):
            name = f"macro_{len(definitions)}"
            definitions.append(f"{name} = {quote}{run}{quote}\n")
            edits.append((start, end, f"${name}"))
    for start, end, use in sorted(edits, reverse=True):
        text = text[:start] + use + text[end:]
    return "".join(definitions) + text


def with_includes(text: str, source: random.Random, count: int) -> tuple[str, dict[str, bytes]]:
    """The text with runs of its statements moved to files of their own."""
    files: dict[str, bytes] = {}
    for number in range(count):
        known = rows(text)
        first = source.randrange(len(known))
        last = source.randrange(first, min(len(known), first + 5))
        start, end = known[first][0].start, known[last][-1].end
        path = f"{PART}{number}"
        files[path] = text[start:end].encode("utf-8", "surrogateescape")
        text = f'{text[:start]}include "{path}"{text[end:]}'
    return text, files
