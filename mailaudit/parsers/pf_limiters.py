"""Limiters of pf.conf(5), which pf has since OpenBSD 7.9: what defines them, and rules that use them.

Source: pf.conf(5) 1.609 (2026-01), State Limiters, Source Limiters and GRAMMAR. Their words are known by their places: older
pfctl knows none of them, and may have macros by these names.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyparsing as pp

from mailaudit.parsers.grammar import Grammar, Kinds, Mismatch, node
from mailaudit.parsers.tree import Template, Token

_WORDS = frozenset(["above", "below", "entries", "id", "limiter", "mask", "rate", "source"])
_OTHER_STATES = ("keep", "modulate", "synproxy", "no")
_FULL = ("block", "no-match")  # what becomes of a packet when there is no room

_KINDS = Kinds()


def _after(*words: str) -> pp.ParserElement:
    first, *others = (_KINDS.token(word, "a number" if word == "number" else "") for word in words)
    return node(words[0], pp.And([first, *others]))


_both = _after("id", "number") | _after("limit", "number") | _after("rate", "number", "/", "number")
_mark = _KINDS.token("above") + _KINDS.token("number") + pp.Opt(_KINDS.token("below") + _KINDS.token("number"))
_of_source = (
    _both
    | _after("entries", "number")
    | _after("inet", "mask", "number")
    | _after("inet6", "mask", "number")
    | node("table", _KINDS.token("table") + _KINDS.token("<") + _KINDS.token("string") + _KINDS.token(">") + _mark)
)
_name = _KINDS.token("limiter") + _KINDS.token("string", "a name")
_GRAMMAR = Grammar(
    _KINDS,
    node("limiter", _KINDS.token("state"), _name, pp.OneOrMore(_both))
    | node("limiter", _KINDS.token("source"), _name, pp.OneOrMore(_of_source)),
)


def defined(row: tuple[Token, ...]) -> Template | None:
    """The reading of a limiter's definition; None if it is none, or is not one that pf.conf(5) has."""
    if len(row) < 4 or row[0].value not in ("state", "source") or row[1].value != "limiter":
        return None
    words = [
        Token(token.value, token.value, token.text, token.start, token.end, token.via)
        if token.kind == "word" and token.value in _WORDS and at != 2
        else token
        for at, token in enumerate(row)
    ]
    read = _GRAMMAR.read(words)
    return None if isinstance(read, Mismatch) else read


def sources(row: tuple[Token, ...]) -> tuple[str, ...]:
    """The names of the source limiters that a rule uses, from its written tokens."""
    return tuple(row[at + 2].value for at in range(1, len(row)) if row[at].value == "source" and _used(row, at))


def without_uses(row: tuple[Token, ...]) -> tuple[Token, ...]:
    """A rule without its limiters, which change nothing until a limit is reached; the same row if it has none."""
    if not any(token.value == "limiter" for token in row):
        return row
    return tuple(_kept(row))


def _kept(row: tuple[Token, ...]) -> Iterator[Token]:
    at = 0
    while at < len(row):
        size = _used(row, at)
        if not size:
            yield row[at]
        at += size or 1


def _used(row: tuple[Token, ...], at: int) -> int:
    """How many tokens a use of a limiter has that begins at one; 0 if none begins there."""
    words = [token.value for token in row[at : at + 6]]
    if words[:2] not in (["state", "limiter"], ["source", "limiter"]) or len(words) < 3 or not row[at + 2].is_string:
        return 0
    if at == 0 or (words[0] == "state" and row[at - 1].kind in _OTHER_STATES):
        return 0
    return 6 if len(words) == 6 and words[3] == "(" and words[4] in _FULL and words[5] == ")" else 3
