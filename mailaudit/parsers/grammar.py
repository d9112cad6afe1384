"""Grammars over token kinds: pyparsing reads the shape of a statement, once for all statements of that shape.

A shape is one character for each token, chosen by the token's kind, so an offset in a shape is a token's number. A keyword is
its own kind; bare words and quoted strings are one kind (STRING in the daemons' parse.y).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyparsing as pp

from mailaudit.parsers.tree import Template, Token

_KIND = re.compile("«([^»]+)»")
# Characters that stand for themselves in a regular expression and are no blank for pyparsing to skip. The first 256 code points
# come first: a character class of those is compiled a hundred times faster than one of higher ones.
_ALPHABET = [
    *(chr(n) for n in range(0x30, 0x7B) if chr(n).isalnum()),
    *(chr(n) for n in range(0xA1, 0x100)),
    *(chr(n) for n in range(0xE000, 0xF000)),
]


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where a grammar stopped: the number of the token (one past the last for the end), and what it expected there."""

    at: int
    expected: str


class Kinds:
    """The alphabet of one language: a character for each token kind, given out as the grammar asks for them."""

    def __init__(self) -> None:
        self._chars: dict[str, str] = {}
        self._unknown = _ALPHABET[0]

    def char(self, kind: str) -> str:
        """The character of a kind, new if need be."""
        if kind == "word":
            kind = "string"
        if kind not in self._chars:
            self._chars[kind] = _ALPHABET[1 + len(self._chars)]
        return self._chars[kind]

    def shape(self, tokens: Iterable[Token]) -> str:
        """The shape of a row of tokens; kinds the grammar does not know share one character."""
        known = self._chars
        unknown = self._unknown
        return "".join([known.get("string" if t.kind == "word" else t.kind, unknown) for t in tokens])

    def chars(self) -> Mapping[str, str]:
        """The character of each kind that the grammar knows."""
        return self._chars

    def token(self, kind: str, name: str = "") -> pp.ParserElement:
        """Matches one token of a kind."""
        element = pp.Literal(self.char(kind))
        element.set_parse_action(lambda _s, at, _t: at)
        return element.set_name(name or (kind if kind in ("string", "number") else f'"{kind}"'))

    def run(self, kinds: Sequence[str], name: str) -> pp.ParserElement:
        """Matches as many tokens as there are of any of these kinds, at least one, at the speed of a regular expression."""
        return self.pattern("[" + "".join(f"«{kind}»" for kind in kinds) + "]+", name)

    def pattern(self, source: str, name: str) -> pp.ParserElement:
        """Matches a regular expression in which «kind» stands for one token, at the same speed; gives the range of its tokens."""
        element = pp.Regex(_KIND.sub(lambda match: re.escape(self.char(match[1])), source))
        element.set_parse_action(lambda _s, at, t: range(at, at + len(t[0])))
        return element.set_name(name)


def node(kind: str, *parts: Any) -> pp.ParserElement:
    """A node of this kind around what the parts match in a row."""
    element = pp.And([pp.Empty(), *parts])
    element.set_parse_action(lambda _s, _at, t: Template(kind, tuple(t)))
    return element


class Grammar:
    """A statement grammar with a memory of the shapes it has read."""

    def __init__(self, kinds: Kinds, start: pp.ParserElement) -> None:
        self._kinds = kinds
        self._start = start + pp.StringEnd().set_name("the end of the statement")
        self._known: dict[str, Template | Mismatch] = {}

    def read(self, tokens: Sequence[Token]) -> Template | Mismatch:
        """What the grammar makes of the tokens."""
        return self.of_shape(self._kinds.shape(tokens))

    def of_shape(self, shape: str) -> Template | Mismatch:
        """What the grammar makes of tokens of this shape."""
        known = self._known.get(shape)
        if known is None:
            known = self._known[shape] = self._parse(shape)
        return known

    def _parse(self, shape: str) -> Template | Mismatch:
        try:
            parsed = self._start.parse_string(shape)
        except pp.ParseBaseException as error:
            return Mismatch(error.loc, _expected(error))
        except RecursionError:
            return Mismatch(0, "a statement that is nested less deeply")
        template = parsed[0]
        if not isinstance(template, Template):
            raise TypeError("a grammar's start must be a node")
        return template


def _expected(error: pp.ParseBaseException) -> str:
    message = str(error.msg)
    return message.removeprefix("Expected ").strip()
