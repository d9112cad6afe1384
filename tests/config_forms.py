"""Other spellings of one configuration, with macros and includes; what a model says, without where it is written."""

from __future__ import annotations

import dataclasses
import random
import re
from collections.abc import Callable, Iterator, Mapping
from enum import Enum

from mailaudit.parsers.tokens import Lexicon, tokenise
from mailaudit.parsers.tree import Problem, Statement, Token, Tree
from mailaudit.text import Text

PART = "/etc/part"
_NOT_SAID = {"trees", "statement", "statements", "stats", "lists", "refusals", "meanings", "unknown_includes"}
_OTHER = str.maketrans({"q": "z", "Q": "Z", **{str(digit): str(digit % 8 + 1) for digit in range(10)}})
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


def rows(text: str, lexicon: Lexicon, by_line: bool = False) -> list[list[Token]]:
    """The tokens of each statement, new lines left out: a line, longer where a brace is open unless it is `by_line`."""
    found: list[list[Token]] = [[]]
    depth = 0
    for token in tokenise(Text.of("/x", text), lexicon):
        depth += {"{": 1, "}": -1}.get(token.kind, 0)
        if token.kind != "newline":
            found[-1].append(token)
        elif by_line or not depth:
            found.append([])
    return [row for row in found if row]


def with_macros(text: str, source: random.Random, count: int, lexicon: Lexicon, no: str = "") -> str:
    """The text with runs of its tokens given by macros that are defined at its beginning; none that hold characters of `no`."""
    definitions: list[str] = []
    edits: list[tuple[int, int, str]] = []
    known = rows(text, lexicon, by_line=bool(no))
    for row in source.sample(known, min(count, len(known))):
        first = source.randrange(len(row))
        last = source.randrange(first, len(row))
        start, end = row[first].start, row[last].end
        run = text[start:end]
        quote = next((each for each in "\"'" if each not in run), None)
        joined = re.match(r"[A-Za-z0-9_]", text[end : end + 1]) or (first and row[first - 1].end == start)
        odd = re.search(r"[\\\n$]", run) or set(no) & set(run) or row[first].kind == "include"
        if quote and not joined and not odd and not (len(row) > 1 and row[1].kind == "="):
            name = f"macro_{len(definitions)}"
            definitions.append(f"{name} = {quote}{run}{quote}\n")
            edits.append((start, end, f"${name}"))
    for start, end, use in sorted(edits, reverse=True):
        text = text[:start] + use + text[end:]
    return "".join(definitions) + text


def with_includes(text: str, source: random.Random, count: int, lexicon: Lexicon) -> tuple[str, dict[str, bytes]]:
    """The text with runs of its statements moved to files of their own."""
    files: dict[str, bytes] = {}
    for number in range(count):
        known = rows(text, lexicon)
        first = source.randrange(len(known))
        last = source.randrange(first, min(len(known), first + 5))
        start, end = known[first][0].start, known[last][-1].end
        path = f"{PART}{number}"
        files[path] = text[start:end].encode("utf-8", "surrogateescape")
        text = f'{text[:start]}include "{path}"{text[end:]}'
    return text, files


def place(token: Token) -> tuple[str, int, int]:
    """Where a token is written."""
    return token.text.path, token.start, token.end


def changed(chars: str) -> str | None:
    """Characters with their last letter or digit another one; None if they have none."""
    found = list(re.finditer(r"[A-Za-z0-9]", chars))
    if not found:
        return None
    at = found[-1].start()
    new = chars[at].translate(_OTHER) if chars[at] in "qQ" or chars[at].isdigit() else "q"
    return chars[:at] + new + chars[at + 1 :]


def lost_ways(
    token: Token, before: Leaves, read: Callable[[Mapping[str, bytes]], object], files: Mapping[str, bytes]
) -> list[str]:
    """What is wrong with a value's way back: its characters are replaced, and that value alone is to be another one."""
    written, wanted = changed(token.span.chars), changed(token.value)
    if written is None or wanted is None:
        return []
    chars = token.text.chars
    data = (chars[: token.start] + written + chars[token.end :]).encode("utf-8", "surrogateescape")
    after = leaves(read({**files, token.text.path: data}))
    if after.keys() != before.keys():
        return [f"other parts: {list(after.keys() ^ before.keys())[:3]}"]
    wrong = []
    for way, leaf in before.items():
        now = after[way]
        if isinstance(leaf, Token) and isinstance(now, Token):
            expected = wanted if place(leaf) == place(token) else leaf.value
            if now.value != expected:
                wrong.append(f"{way}: {now.value!r}, not {expected!r}")
    return wrong
