"""The tokeniser of OpenBSD's parse.y family (pf.conf, smtpd.conf, acme-client.conf, httpd.conf) and textual macros.

Source: yylex(), lgetc() and findeol() of pfctl's parse.y 1.719 and its siblings; facts of each lexer are tested one by one.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from mailaudit.parsers.tree import Token
from mailaudit.text import Span, Text

CONTINUATION = r"\\(?:\n|\Z)"
BLANK = rf"(?:\\?[ \t]|{CONTINUATION})"  # outside quotes a backslash before anything but a newline is as if it were not there
COMMENT = r"\\?#(?:\\[\s\S]|[^\n\\])*\\?"  # backslash-newline continues even a comment
TRIVIA = re.compile(rf"(?:{BLANK}|\n|{COMMENT})*")
MAX_DEPTH = 64  # braces and parentheses one in another; a real file has three
MAX_NUMBER = 2**63 - 1  # the lexers of the family read numbers with strtonum(3), as a long long
MAX_DIGITS = 1000  # leading zeros and all: nobody writes more


@dataclass(frozen=True)
class Lexicon:
    """The words of one language.

    `keywords` are bare words with a kind of their own. A bare word begins with one of `first` (the inside of a regular
    expression's character class) and goes on over printable ASCII but `stop`; bytes beyond ASCII belong in quotes and comments.
    `operators` are the two-character tokens, `number_end` what must follow digits for them to be a number.
    """

    keywords: frozenset[str]
    first: str = r"A-Za-z0-9:_"
    stop: str = "(){}<>!=/#,"
    operators: tuple[str, ...] = ("!=", "<=", ">=", "<>", "><")
    number_end: str = r"[\s),/}=]|\Z"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """One match a token with the blanks before it; the name of the group that matched is the kind."""
        stop = self.stop + "\\"
        inside = "".join(re.escape(char) for char in map(chr, range(0x21, 0x7F)) if char not in stop)
        operators = "|".join(re.escape(operator) for operator in self.operators) or r"(?!)"
        number = rf"-?[0-9]+(?={self.number_end})"
        return re.compile(
            rf"{BLANK}*"
            rf"(?:(?P<newline>\n)"
            rf"|(?P<comment>{COMMENT})"  # in a string, below, only its own quote is escaped
            rf'|(?P<string>"[^"\\]*(?:\\(?:"|(?!"))[^"\\]*)*"|\'[^\'\\]*(?:\\(?:\'|(?!\'))[^\'\\]*)*\')'
            rf"|(?P<number>{number})"
            rf"|(?P<macro>\$[A-Za-z0-9_]+)"
            rf"|(?P<word>\\?[{self.first}](?:{CONTINUATION}|\\?[{inside}]|\\\\)*)"
            rf"|(?P<operator>{operators})"
            rf"|(?P<bad>[\s\S])"
            rf"|(?P<end>\Z))"
        )


_UNQUOTE = re.compile(r"\\(\n|[\"' \t])|\n")
_UNESCAPE = re.compile(r"\\([\s\S]|\Z)")


def unquote(written: str) -> str:
    """A quoted string's value: a newline goes, a backslash escapes quotes, space, tab and newline, and stays before the rest."""
    quote = written[0]
    inside = written[1:-1]
    if "\\" not in inside and "\n" not in inside:
        return inside

    def value(match: re.Match[str]) -> str:
        escaped: str | None = match.group(1)
        if escaped is None or escaped == "\n":
            return ""
        return match.group() if escaped in "\"'" and escaped != quote else escaped

    return _UNQUOTE.sub(value, inside)


def unescape(written: str) -> str:
    """A bare word's value: backslash-newline goes, backslash and another character is that character."""
    if "\\" not in written:
        return written
    return _UNESCAPE.sub(lambda match: "" if match.group(1) == "\n" else match.group(1), written)


def tokenise(text: Text, lexicon: Lexicon, start: int = 0, end: int | None = None) -> list[Token]:
    """All tokens between two offsets, newlines among them, blanks and comments left out.

    Nothing is dropped: a character that begins no token is a `bad` one. A quote that is never closed is bad to its line's end.
    """
    return list(tokens_from(text, lexicon, start, end))


def tokens_from(text: Text, lexicon: Lexicon, start: int = 0, end: int | None = None) -> Iterator[Token]:
    """The same one after another, for whoever needs but the first few."""
    return (Token(kind, value, text, at, to) for kind, value, at, to in _scan(text.chars, lexicon, start, end))


def _scan(chars: str, lexicon: Lexicon, at: int, end: int | None = None) -> Iterator[tuple[str, str, int, int]]:
    keywords = lexicon.keywords
    scan = lexicon.pattern.match
    size = len(chars) if end is None else end
    while at < size:
        match = scan(chars, at, size)
        if match is None:  # the pattern's last branch takes any character
            raise AssertionError(at)
        kind = match.lastgroup or "bad"
        start, at = match.span(kind)
        if kind in ("comment", "end"):
            continue
        value = chars[start:at]
        if kind == "word":
            value = unescape(value)
            if value in keywords:
                kind = value
        elif kind == "string":
            value = unquote(value)
        elif kind == "macro":
            value = value[1:]
        elif kind == "operator":
            kind = value
        elif kind == "bad":
            if value in "\"'":
                eol = chars.find("\n", start, size)
                at = size if eol < 0 else eol
                value = chars[start:at]
            elif value in "(){}<>!=/,;*.|-+?[]":
                kind = value
        yield kind, value, start, at


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a macro's value: where it begins in the value, and the written characters it is."""

    at: int
    span: Span


@dataclass(frozen=True, slots=True)
class Macro:
    """A macro: its value as text, and for each run of that text the characters it was written as."""

    name: str
    value: str
    pieces: tuple[Piece, ...]
    at: Span

    @classmethod
    def of(cls, name: Token, parts: list[Token] | tuple[Token, ...]) -> Macro:
        """A macro whose value is these tokens' values joined by single spaces (parse.y, `varstring`)."""
        pieces: list[Piece] = []
        values: list[str] = []
        at = 0
        for token in parts:
            quoted = 1 if token.kind == "string" and token.end - token.start == len(token.value) + 2 else 0
            pieces.append(Piece(at, Span(token.text, token.start + quoted, token.end - quoted)))
            values.append(token.value)
            at += len(token.value) + 1
        return cls(name.value, " ".join(values), tuple(pieces), name.span)

    def written(self, start: int, end: int) -> Span:
        """The written characters of a range of the value; a whole part where escapes make them differ in length."""
        number = bisect_right(self.pieces, start, key=lambda piece: piece.at)
        piece = self.pieces[number - 1]
        length = piece.span.end - piece.span.start
        size = (self.pieces[number].at - 1 if number < len(self.pieces) else len(self.value)) - piece.at
        if length != size or end - piece.at > length:
            return piece.span
        return Span(piece.span.text, piece.span.start + start - piece.at, piece.span.start + end - piece.at)


@dataclass(frozen=True, slots=True)
class Undefined:
    """A macro that is used and not defined before."""

    use: Token


def expand(
    tokens: list[Token] | tuple[Token, ...], macros: Mapping[str, Macro], lexicon: Lexicon
) -> tuple[Token, ...] | Undefined:
    """The tokens that the daemon sees once macros are put in as text.

    A macro's value pastes to what follows it without a blank; it is not expanded again; quoted strings are left alone.
    A `#` in a value starts a comment that takes the rest of the statement.
    """
    if not any(token.kind == "macro" for token in tokens):
        return tuple(tokens)
    text = tokens[0].text
    out: list[str] = []
    runs: list[tuple[int, int, Macro | None, Token | None]] = []  # expanded offset, written offset, macro, its use
    size = 0
    at = tokens[0].start

    def add(chars: str, origin: int, macro: Macro | None = None, use: Token | None = None) -> None:
        nonlocal size
        if chars:
            runs.append((size, origin, macro, use))
            out.append(chars)
            size += len(chars)

    for token in tokens:
        if token.kind != "macro":
            continue
        if token.start == at and runs and _in_word(runs[-1][2], lexicon):
            continue  # $a$b: a word has begun, the second one is part of it
        macro = macros.get(token.value)
        if macro is None:
            return Undefined(token)
        add(text.chars[at : token.start], at)
        add(macro.value, token.start, macro, token)
        at = token.end
    add(text.chars[at : tokens[-1].end], at)
    return _placed("".join(out), runs, text, lexicon)


def _in_word(macro: Macro | None, lexicon: Lexicon) -> bool:
    """True if the text ends in the middle of a word after this macro's value."""
    scanned = list(_scan(macro.value, lexicon, 0)) if macro is not None else []
    if macro is None or not scanned:
        return False
    kind, value, _, end = scanned[-1]
    return end == len(macro.value) and (kind in ("word", "number") or value in lexicon.keywords)


def _placed(
    chars: str, runs: list[tuple[int, int, Macro | None, Token | None]], text: Text, lexicon: Lexicon
) -> tuple[Token, ...]:
    starts = [run[0] for run in runs]
    placed: list[Token] = []
    for kind, value, start, end in _scan(chars, lexicon, 0):
        first = bisect_right(starts, start) - 1
        last = bisect_right(starts, end - 1) - 1
        begin, _origin, macro, use = runs[first]
        if macro is not None and use is not None and first == last:
            span = macro.written(start - begin, end - begin)
            token = Token("bad" if kind == "macro" else kind, value, span.text, span.start, span.end, (use.span,))
        else:
            token = Token(kind, value, text, _use_start(runs[first], start), _use_end(runs[last], end))
        placed.append(token)
    return tuple(placed)


def _use_start(run: tuple[int, int, Macro | None, Token | None], offset: int) -> int:
    begin, origin, _, use = run
    return origin if use is not None else origin + offset - begin


def _use_end(run: tuple[int, int, Macro | None, Token | None], offset: int) -> int:
    begin, origin, _, use = run
    return use.end if use is not None else origin + offset - begin


def is_too_large(token: Token) -> bool:
    """True for a number that lexers of the family refuse, and with it the statement; any other can be computed with."""
    if token.kind != "number" or len(token.value) < len(str(MAX_NUMBER)):
        return False
    return len(token.value) > MAX_DIGITS or abs(int(token.value)) > MAX_NUMBER


def too_deep(tokens: list[Token] | tuple[Token, ...]) -> Token | None:
    """The token at which brackets are nested more deeply than any daemon's file needs."""
    depth = 0
    for token in tokens:
        if token.kind in ("{", "("):
            depth += 1
            if depth > MAX_DEPTH:
                return token
        elif token.kind in ("}", ")"):
            depth -= 1
    return None
