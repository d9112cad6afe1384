"""Reads smtpd.conf(5), 6.4 to 7.9: splits it into statements, expands macros, follows includes, says why what is wrong is wrong.

Source: OpenSMTPD's parse.y; the facts of its lexer are in the tests, one by one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mailaudit.parsers.brief import brief
from mailaudit.parsers.grammar import Mismatch
from mailaudit.parsers.quotes import is_typographic, straightened
from mailaudit.parsers.smtpd_grammar import GRAMMAR, KEYWORDS, LEXICON, STATEMENTS
from mailaudit.parsers.smtpd_old import became, is_rule, told
from mailaudit.parsers.tokens import TRIVIA, Macro, Undefined, expand, tokenise
from mailaudit.parsers.tree import Include, Included, Language, Problem, Statement, Template, Token, Tree, has_open_quote
from mailaudit.text import Span, Text

MAX_INCLUDES = 16  # one file in another; smtpd itself stops only when it runs out of descriptors
MAX_WORD = 8094  # characters; parse.y's buffer
_MAX_NUMBER = 2**63 - 1
_BEGINS = frozenset(STATEMENTS)
CARRIAGE_RETURN = "the line ends with a carriage return, which smtpd does not read"
_EQUALS = ("=", "=>")
_CANDIDATES = sorted(KEYWORDS)
_MARKS = ("{", "}", "<", ">", ",", "=", "=>", "newline")


class _Reader:
    """Reads files that share macros, in the order smtpd reads them."""

    def __init__(self, include: Include) -> None:
        self.include = include
        self.macros: dict[str, Macro] = {}
        self.braces: dict[str, int] = {}  # how many more a macro's value opens than it closes

    def read(self, text: Text, above: tuple[str, ...]) -> Tree:
        statements: list[Statement] = []
        included: list[Included] = []
        for row, stop in _rows(_without_backslashes(tokenise(text, LEXICON)), self.braces):
            statement = self._statement(row, stop)
            if statement.kind == "include":
                statement, found = self._included(statement, (*above, text.path))
                included.append(found)
            elif statement.kind == "macro":
                name, _, value = statement.seen
                self.macros[name.value] = Macro.of(name, [value])
                kinds = [token.kind for token in tokenise(Text.of("", value.value), LEXICON)]
                self.braces[name.value] = kinds.count("{") - kinds.count("}")
            statements.append(statement)
        return Tree("smtpd", text, tuple(statements), tuple(included))

    def _statement(self, row: tuple[Token, ...], stop: Token | None) -> Statement:
        written = tuple(token for token in row if token.kind != "newline")
        row, strange = _without_strange_ends(row)
        seen = expand(row, self.macros, LEXICON) if row else ()
        if isinstance(seen, Undefined):
            problem = Problem(f'the macro "{brief(seen.use.value)}" is not defined above', seen.use.span)
            return Statement("unread", written, problem=problem)
        if not seen:  # a macro that is empty or a comment, or a carriage return alone
            return Statement("empty", written, problem=strange)
        read = read_tokens(seen, stop)
        if read.kind == "macro" and any(char.isspace() for char in seen[0].value[1:]):
            return Statement("unread", written, seen, problem=Problem("a macro's name can hold no blank", seen[0].span))
        return Statement(read.kind, written, read.seen, read.template, read.problem or strange)

    def _included(self, statement: Statement, above: tuple[str, ...]) -> tuple[Statement, Included]:
        name = statement.seen[1]
        if name.value in above or len(above) > MAX_INCLUDES:
            circle = f'"{brief(name.value)}" is included from within itself'
            why = circle if name.value in above else "files are included too deeply"
            problem = Problem(why, name.place)
            unread = Statement("unread", statement.tokens, statement.seen, problem=problem)
            return unread, Included(name.value, name.place, None, why)
        text = self.include(name.value)
        if text is None:
            return statement, Included(name.value, name.place, None, "not there, or not known yet")
        return statement, Included(name.value, name.place, self.read(text, above))


def parse(text: Text, include: Include) -> Tree:
    """The tree of a file and of those it includes. Never raises; linear in the size of the file."""
    return _Reader(include).read(text, ())


LANGUAGE = Language("smtpd", parse, TRIVIA, ("/etc/mail/smtpd.conf",))


def _rows(tokens: list[Token], braces: Mapping[str, int]) -> Iterator[tuple[tuple[Token, ...], Token | None]]:
    """Statements: a line each, longer where a brace is open; and the token that ends one whose brace is never closed.

    A line that begins as a statement does is one of its own, though a brace is open: smtpd stops at that word too.
    """
    row: list[Token] = []
    depth = 0
    for token in tokens:
        kind = token.kind
        if kind == "newline":
            if row and depth:
                row.append(token)
            elif row:
                yield tuple(row), None
                row = []
            continue
        if depth and kind in _BEGINS and row[-1].kind == "newline":
            yield tuple(row), token
            row, depth = [], 0
        if kind == "{":
            depth += 1
        elif kind == "}" and depth:
            depth -= 1
        elif kind == "macro":
            depth = max(0, depth + braces.get(token.value, 0))
        row.append(token)
    if row:
        yield tuple(row), None


def _without_backslashes(tokens: list[Token]) -> list[Token]:
    """The tokens with a backslash before a mark made part of it: outside quotes it is as if it were not there."""
    if not any(token.kind == "bad" and token.value == "\\" for token in tokens):
        return tokens
    plain: list[Token] = []
    for token in tokens:
        last = plain[-1] if plain else None
        if last is not None and last.kind == "bad" and last.value == "\\" and last.end == token.start:
            token.start = last.start
            plain.pop()
        plain.append(token)
    return plain


def _without_strange_ends(row: tuple[Token, ...]) -> tuple[tuple[Token, ...], Problem | None]:
    """A row without a byte order mark before it, a carriage return or the newlines of an open brace behind it."""
    problem = None
    if row[0].kind == "bad" and row[0].value == "\ufeff":
        problem = Problem("the file begins with a byte order mark, which smtpd does not read", row[0].span, mend="")
        row = row[1:]
    while row and row[-1].kind == "newline":
        row = row[:-1]
    if row and row[-1].kind == "bad" and row[-1].value == "\r":
        problem = problem or Problem(CARRIAGE_RETURN, row[-1].span, mend="")
        row = row[:-1]
    return row, problem


@dataclass(frozen=True, slots=True)
class Reading:
    """What the grammar made of a row: with a problem and a template, it is read as if the problem were mended."""

    kind: str
    seen: tuple[Token, ...]
    template: Template | None = None
    problem: Problem | None = None


def read_tokens(seen: tuple[Token, ...], stop: Token | None = None) -> Reading:
    """A statement from its tokens, macros expanded. `stop` is what ends it where a brace is never closed."""
    problem = _bad_token(seen)
    if problem is not None:
        return Reading("unread", seen, problem=problem)
    found = GRAMMAR.read(seen)
    if not isinstance(found, Mismatch):
        return Reading(found.kind, seen, found)
    return _explain(seen, found, stop)


def _bad_token(row: Sequence[Token]) -> Problem | None:
    """What no grammar can read: an open quote, a NUL, a word that is too long."""
    for token in row:
        if token.kind == "bad" and token.value[:1] in ('"', "'"):
            return Problem("this quote is never closed", token.place, swallows=True)
        if token.kind == "string" and "\x00" in token.value:
            return Problem("a quoted string may hold no NUL character", token.place)
        if len(token.value) > MAX_WORD:
            return Problem(f"this is longer than the {MAX_WORD} characters that smtpd reads", token.place)
        if token.kind == "number" and len(token.value) > 18 and abs(int(token.value[:20])) > _MAX_NUMBER:
            token.kind = "large number"
    return None


def _is_open(row: Sequence[Token]) -> bool:
    """True if a brace of the row is never closed."""
    kinds = [token.kind for token in row]
    return kinds.count("{") > kinds.count("}")


def _explain(row: tuple[Token, ...], mismatch: Mismatch, stop: Token | None) -> Reading:
    """The problem at the token where the grammar stopped, in smtpd.conf(5)'s words, and the reading as if it were mended."""
    at, expected = _in_list(row, mismatch)
    in_pair = expected == '"="' or row[at - 1].kind in _EQUALS  # smtpd takes no new line there
    while at < len(row) and row[at].kind == "newline" and not in_pair:
        at += 1
    if at >= len(row) or row[at].kind == "newline":
        there = stop if not in_pair else None
        found_there = f'"{_shown(there)}"' if there is not None else "the end of the line"
        message = f'expected {expected} after "{_shown(_before(row, at))}", found {found_there}'
        return Reading("unread", row, problem=Problem(message, (there or row[at - 1]).place, swallows=_is_open(row)))
    if at == 1 and expected == '"="' and row[0].span.line == row[1].span.line:  # no macro, so the first word is the mistake
        at = 0
    found = row[at]
    straight = straightened(row)
    if straight is not None and isinstance(read := GRAMMAR.read(straight[0]), Template):
        return Reading(read.kind, straight[0], read, straight[1])
    meant = _meant(row, at)
    message = _old_grammar(row, found)
    if not message:
        message = _message(row, at, expected)
        if is_typographic(found):
            message += "; typographic quotes are no quotes to smtpd"
        if meant is not None:
            message += f"; quote it: {meant.mend}" if meant.mend.startswith('"') else f'; "{meant.mend}" is meant'
    if meant is None:
        return Reading("unread", row, problem=Problem(message, found.place, swallows=has_open_quote(row)))
    return Reading(meant.template.kind, meant.seen, meant.template, Problem(message, meant.span, mend=meant.mend))


def _in_list(row: tuple[Token, ...], mismatch: Mismatch) -> tuple[int, str]:
    """Where smtpd stops: a list's last comma or half a pair is read only with what follows, so the grammar stops before it."""
    at, expected = mismatch.at, mismatch.expected
    if at >= len(row) or expected != '"}"':
        return at, expected
    kinds = [token.kind for token in row[:at]]
    opened = len(kinds) - kinds[::-1].index("{") if "{" in kinds else 0
    has_pairs = any(kind in _EQUALS for kind in kinds[opened:])
    if row[at].kind in _EQUALS and sum(token.is_string for token in row[opened:at]) == 1:
        return at + 1, "a value"
    if row[at].kind == ",":
        at += 1
        if not has_pairs or at >= len(row) or not row[at].is_string:
            return at, "a value"
    if row[at].is_string and has_pairs:
        is_half = at + 1 < len(row) and row[at + 1].kind in _EQUALS
        return (at + 2, "a value") if is_half else (at + 1, '"="')
    return at, expected


def _before(row: tuple[Token, ...], at: int) -> Token:
    """The last token before another that is no new line."""
    return next(token for token in reversed(row[:at]) if token.kind != "newline")


def _message(row: tuple[Token, ...], at: int, expected: str) -> str:
    found, shown = row[at], _shown(row[at])
    torn = next((token for token in reversed(row[:at]) if _is_torn(token, found)), None)
    if torn is not None:
        line, words = torn.span.line, brief(torn.value.strip())
        where = f"on line {line}" if line != found.span.line else f'before "{words}"'
        return f"the quote that opens {where} is never closed: it ends only here, where the next string was to begin"
    if at == 0:
        if len(row) > 1 and row[1].kind == "=":
            return f'"{shown}" can not name a macro'
        return f'"{shown}" begins no statement of smtpd.conf'
    before = _shown(_before(row, at))
    if expected != "the end of the statement":
        return f'expected {expected} after "{before}", found "{shown}"'
    if found.kind in KEYWORDS:
        return f'"{shown}" can not stand here: it is no option of "{_shown(row[0])}"'
    return f'"{shown}" can not stand here, after "{before}"'


def _is_torn(string: Token, found: Token) -> bool:
    """True if a string ends where the next one was to begin: it goes over lines, or has blanks and a word right behind it."""
    if string.kind != "string" or string.via:
        return False
    over_lines = "\n" in string.span.chars.replace("\\\n", "")
    return over_lines or (string.end == found.start and found.kind not in _MARKS and " " in string.value)


def _shown(token: Token) -> str:
    return brief(token.value or token.span.chars)


def _old_grammar(row: Sequence[Token], found: Token) -> str:
    """What to say of a statement in the grammar before 6.4 (2018); empty if it is not that."""
    words = became([row])
    old = {word for known, _ in words for word in known.split()}
    if found is not row[0] and found.value not in old and not is_rule(row):
        return ""
    return f"this is the grammar of OpenSMTPD before 6.4: {told(words)}" if words else ""


@dataclass(frozen=True, slots=True)
class _Meant:
    mend: str
    span: Span
    seen: tuple[Token, ...]
    template: Template


def _meant(row: tuple[Token, ...], at: int) -> _Meant | None:
    """What was plainly meant at a token: the same in quotes, or a keyword like it, if the statement can be read then."""
    found = row[at]
    if found.via or found.kind in _MARKS:
        return None
    end = at + 1
    while end < len(row) and row[end].start == row[end - 1].end and row[end].kind not in _MARKS:
        end += 1
    span = Span(found.text, found.start, row[end - 1].end)
    if any(is_typographic(token) for token in row[at:end]):
        return None  # in quotes it would be a part of the value
    if row[end - 1].text is found.text and not any(mark in span.chars for mark in "\"'\\\n"):
        read = _reread(row, at, end, Token("string", span.chars, found.text, span.start, span.end), f'"{span.chars}"')
        if read is not None:
            return read
    if found.kind == "word":
        likely = ["cert"] if found.value == "certificate" else difflib.get_close_matches(found.value.lower(), _CANDIDATES, 3, 0.7)
        for keyword in likely:
            token = Token(keyword, keyword, found.text, found.start, found.end)
            read = _reread(row, at, at + 1, token, keyword)
            if read is not None:
                return read
    return None


def _reread(row: tuple[Token, ...], at: int, end: int, token: Token, mend: str) -> _Meant | None:
    seen = (*row[:at], token, *row[end:])
    found = GRAMMAR.read(seen)
    return None if isinstance(found, Mismatch) else _Meant(mend, token.span, seen, found)
