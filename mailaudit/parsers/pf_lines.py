"""Rules of one plain line each, most of any long ruleset: read by their shape alone; their tokens are made when asked for.

A line is plain if it holds no backslash, no quote that goes on over the line's end, and nothing that is no token; macros that
stand by themselves are plain too. Any other line, and whatever the grammar does not read as a rule, is left to the reader of
statements, which would make the same of a plain one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mailaudit.parsers.pf_grammar import GRAMMAR, KEYWORDS, KINDS
from mailaudit.parsers.tokens import MAX_NUMBER, Lexicon, Macro, is_too_large, tokenise
from mailaudit.parsers.tree import Statement, Template, Token
from mailaudit.text import Span, Text

LEXICON = Lexicon(KEYWORDS)
LONGEST = 8000  # characters of a line; pfctl takes no longer word
MOST_KNOWN = 10_000  # words whose kind is remembered
_INSIDE = "".join(re.escape(char) for char in map(chr, range(0x21, 0x7F)) if char not in LEXICON.stop + "\\")
_SPLIT = re.compile(
    r"-?[0-9]+(?=[ \t),/}=]|\Z)"
    r"|[0-9]+[({<>!#]"  # a word of digits: rare, and no plain token
    rf"|[{LEXICON.first}][{_INSIDE}]*"
    r"|\$[A-Za-z0-9_]+"
    r'|"[^"\n\0]*"|\'[^\'\n\0]*\''
    r"|!=|<=|>=|<>|><"
    r"|#.*"
    r"|[^ \t]"  # punctuation, or no token
)
_MACRO_USE = re.compile(r"(?:[ \t{(,]|\A)\$[A-Za-z0-9_]+(?=[ \t,})]|\Z)")  # nothing pastes to it
_MACRO = "$"  # in a shape: a macro that is not put in yet
_OTHER = "?"  # in a shape: no plain token
_PUNCTUATION = "(){}<>!=/,-"
_THEMSELVES = frozenset((*KEYWORDS, *_PUNCTUATION, *LEXICON.operators))  # tokens that are their own kind


class _Characters(dict[str, str]):
    """The character in a shape of each token as written."""

    def __init__(self) -> None:
        kinds = KINDS.chars()
        super().__init__({word: kinds.get(word, _OTHER) for word in KEYWORDS})
        self.update({mark: kinds.get(mark, _OTHER) for mark in (*_PUNCTUATION, *LEXICON.operators)})
        self._number, self._string = kinds["number"], kinds["string"]

    def __missing__(self, written: str) -> str:
        first = written[0]
        if first == "#":
            return ""
        if first == "$" and len(written) > 1:
            char = _MACRO
        elif first in "\"'":
            char = self._string if len(written) > 1 else _OTHER
        elif len(written) >= len(str(MAX_NUMBER)) and written.lstrip("-").isdigit():
            char = _OTHER  # perhaps too large a number
        elif written.isascii() and (first.isalnum() or first in ":_"):
            plain = written.isdigit()
            char = self._number if plain else _OTHER if written[-1] in "({<>!#" else self._string
        else:
            char = self._number if first == "-" else _OTHER
        if len(self) < MOST_KNOWN:
            self[written] = char
        return char


_CHARACTERS = _Characters()


class LaterToken(Token):
    """A token of a rule by its number; its place is found when somebody asks."""

    __slots__ = ("number", "statement")

    def __init__(self, statement: LineRule, number: int, kind: str, value: str) -> None:
        self.statement = statement
        self.number = number
        self.kind = kind
        self.value = value

    def __getattr__(self, name: str) -> Any:
        """Fills the slots that are empty as yet: its place."""
        if name not in ("text", "start", "end", "via"):
            raise AttributeError(name)
        made = self.statement.seen[self.number]
        self.text, self.start, self.end, self.via = made.text, made.start, made.end, made.via
        return getattr(made, name)


@dataclass(frozen=True, slots=True, eq=False)
class PlainMacro:
    """A macro whose value is whole tokens: their shape, the tokens as they were written, and their words."""

    macro: Macro
    shape: str
    tokens: tuple[Token, ...]
    words: tuple[str, ...]

    @classmethod
    def of(cls, macro: Macro) -> PlainMacro | None:
        """The macro, if its value can be put between other tokens without pasting."""
        if "\\" in macro.value or "#" in macro.value or "\n" in macro.value or not macro.value:
            return None
        found = []
        for token in tokenise(Text.of("", macro.value), LEXICON):
            if token.kind in ("bad", "macro") or is_too_large(token):
                return None
            span = macro.written(token.start, token.end)
            found.append(Token(token.kind, token.value, span.text, span.start, span.end))
        words = tuple(f'"{token.value}"' if token.kind == "string" else token.value for token in found)
        return cls(macro, KINDS.shape(found), tuple(found), words) if found else None


class LineRule(Statement):
    """A rule that stands on one plain line."""

    __slots__ = ("_end", "_macros", "_start", "_text")

    _end: int
    _macros: tuple[PlainMacro, ...]
    _start: int
    _text: Text

    def __getattr__(self, name: str) -> Any:
        """Fills the slots that are empty as yet: the tokens."""
        if name == "tokens":
            made = tuple(tokenise(self._text, LEXICON, self._start, self._end))
        elif name == "seen":
            made = self._put_in() if self._macros else self.tokens
        else:
            raise AttributeError(name)
        object.__setattr__(self, name, made)
        return made

    def _put_in(self) -> tuple[Token, ...]:
        """The tokens with those of macros in the places of their uses."""
        seen: list[Token] = []
        macros = iter(self._macros)
        for token in self.tokens:
            if token.kind != "macro":
                seen.append(token)
                continue
            via = (token.span,)
            seen += [Token(t.kind, t.value, t.text, t.start, t.end, via) for t in next(macros).tokens]
        return tuple(seen)

    @property
    def is_written(self) -> bool:
        """True, for it was read from a line that has tokens: they need not be made for this."""
        return True

    @property
    def text(self) -> Text:
        """The file that it stands in."""
        return self._text

    @property
    def span(self) -> Span:
        """From its first to its last written token."""
        chars = self._text.chars
        if "#" in chars[self._start : self._end]:
            return Span(self._text, self.tokens[0].start, self.tokens[-1].end)
        written = chars[self._start : self._end]
        return Span(self._text, self._end - len(written.lstrip(" \t")), self._start + len(written.rstrip(" \t")))

    @property
    def whole(self) -> Span:
        """All of it: it has no body."""
        return self.span

    def words(self) -> list[str]:
        """The values of what the grammar read, one for each token of `seen`; quoted strings still in their quotes."""
        words = _SPLIT.findall(self._text.chars, self._start, self._end)
        if words[-1][0] == "#":
            del words[-1]
        if not self._macros:
            return words
        seen: list[str] = []
        macros = iter(self._macros)
        for word in words:
            seen += next(macros).words if word[0] == "$" else (word,)
        return seen

    def token(self, number: int, word: str) -> Token:
        """The token of a number in `seen`, given its word."""
        if word[0] in "\"'":
            return LaterToken(self, number, "string", word[1:-1])
        kind = word if word in _THEMSELVES else "number" if word.isdigit() or word[0] == "-" else "word"
        return LaterToken(self, number, kind, word)


EMPTY = Statement("empty", ())
"""What a line without tokens is."""


class Lines:
    """Reads the plain lines of one file."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self._plain: dict[str, tuple[Macro, PlainMacro | None]] = {}

    def rule(self, start: int, end: int, macros: Mapping[str, Macro]) -> Statement | None:
        """The rule on a line, `EMPTY` if there is nothing on it, or None if this is not for a plain line to tell."""
        line = self.text.chars[start:end]
        if "\\" in line or end - start > LONGEST:
            return None
        shape = "".join([_CHARACTERS[word] for word in _SPLIT.findall(line)])
        if not shape:
            return EMPTY
        uses: tuple[PlainMacro, ...] = ()
        if _MACRO in shape:
            found = self._uses(line, shape.count(_MACRO), macros)
            if found is None:
                return None
            uses = found
            parts = shape.split(_MACRO)
            shape = parts[0] + "".join([use.shape + part for use, part in zip(uses, parts[1:], strict=True)])
        template = GRAMMAR.of_shape(shape) if _OTHER not in shape else None
        if not isinstance(template, Template) or template.kind != "rule":
            return None
        return _made(self.text, start, end, template, uses)

    def _uses(self, line: str, count: int, macros: Mapping[str, Macro]) -> tuple[PlainMacro, ...] | None:
        """The macros that a line uses, if all of them are plain."""
        uses = [match.lstrip(" \t{(,")[1:] for match in _MACRO_USE.findall(line.partition("#")[0])]
        if len(uses) != count or "'" in line or '"' in line:
            return None
        found = []
        for name in uses:
            macro = macros.get(name)
            if macro is None:
                return None
            known = self._plain.get(name)
            if known is None or known[0] is not macro:
                known = self._plain[name] = macro, PlainMacro.of(macro)
            if known[1] is None:
                return None
            found.append(known[1])
        return tuple(found)


def _made(text: Text, start: int, end: int, template: Template, macros: tuple[PlainMacro, ...]) -> LineRule:
    made: LineRule = object.__new__(LineRule)
    put = object.__setattr__
    put(made, "kind", "rule")
    put(made, "template", template)
    put(made, "problem", None)
    put(made, "body", ())
    put(made, "close", ())
    put(made, "is_block", False)
    put(made, "_text", text)
    put(made, "_start", start)
    put(made, "_end", end)
    put(made, "_macros", macros)
    return made
