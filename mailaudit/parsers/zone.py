r"""DNS zone text: the master file format.

Source: RFC 1035, section 5; RFC 2308, section 4 ($TTL); BIND's reading of them, with $GENERATE and TTLs in units (`1h30m`).

Statements, one for each entry, however many lines its parentheses span:

* `record`: `mail 300 IN A 203.0.113.9`, `   MX 0 mail`
* `origin`: `$ORIGIN example.com.`
* `ttl`: `$TTL 300`
* `include`: `$INCLUDE file [origin]`; the file's tree is in `Tree.included`
* `generate`: `$GENERATE 1-9 host$ A 10.0.0.$`
* `unread`: what no zone may hold. Reading goes on with the next line.

Tokens: `word` (value as written, escapes and all, for only its field tells what they mean), `string` (quoted; value without
quotes and escapes, an octet above 127 as one character the way an undecodable byte is), the marks `(` and `)`, and `directive`
(value in upper case). `bad` is what is no token: a quote that is not closed.

Nodes. `record`: the nodes `owner` (none if the line begins with a blank: the entry before has it), `ttl`, `class` (where they
are written), `type`, each with one leaf, and `rdata`, with all fields as leaves. `origin` and `ttl`: the `directive`, then the
node `name` or `ttl` with one leaf. `include`: the `directive`, the nodes `file` and `name` (if there is one). `generate`: the
`directive`, the nodes `range`, `owner`, `ttl`, `class`, `type`, `rdata`. Parentheses are written tokens and in no node.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence

from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Include, Included, Language, Problem, Statement, Template, Token, Tree
from mailaudit.text import Text

TRIVIA = re.compile(r"(?:[ \t\r\n]|;[^\r\n]*)*")
MOST_INCLUDES = 1000
DEEPEST_INCLUDE = 32
CLASSES = frozenset({"IN", "CH", "HS", "CHAOS", "HESIOD", "ANY", "NONE"})
_CLASS = re.compile(r"CLASS[0-9]{1,5}")
_TTL = re.compile(r"[0-9]{1,10}|(?:[0-9]{1,10}[WDHMS])+", re.IGNORECASE)
_TOKEN = re.compile(
    r"(?P<blank>[ \t]+)"
    r"|(?P<newline>\r?\n|\r)"
    r"|(?P<comment>;[^\r\n]*)"
    r'|(?P<string>"[^"\\\n\0]*(?:\\(?:[0-1][0-9]{2}|2[0-4][0-9]|25[0-5]|[^0-9\0])[^"\\\n\0]*)*")'
    r'|(?P<bad>"|\\?\0)'
    r"|(?P<mark>[()])"
    r'|(?P<word>(?:[^ \t\r\n;()"\\\0]|\\[^\r\n\0]|\\(?!\0))+)'
)
_REST = re.compile(r"[^\r\n]*")
_ESCAPE = re.compile(r"\\(?:([0-9]{3})|([\s\S]))")
_Part = int | range | Template


def parse(text: Text, include: Include) -> Tree:
    """The tree of a file and of all that it includes."""
    return _Files(include).read(text, (text.path,))


class _Files:
    """What lasts over included files: how much has been included."""

    def __init__(self, include: Include) -> None:
        self._include = include
        self._count = 0

    def read(self, text: Text, within: tuple[str, ...]) -> Tree:
        statements = tuple(_entries(text))
        included = tuple(self._included(each, within) for each in statements if each.kind == "include")
        return Tree("zone", text, statements, included)

    def _included(self, statement: Statement, within: tuple[str, ...]) -> Included:
        node = statement.node.node("file")
        assert node is not None
        path = posixpath.normpath(posixpath.join(posixpath.dirname(within[-1]), node.first.value))
        at = statement.span
        self._count += 1
        if path in within or len(within) >= DEEPEST_INCLUDE or self._count > MOST_INCLUDES:
            return Included(path, at, None, "files include each other" if path in within else "too many files are included")
        text = self._include(path)
        return Included(path, at) if text is None else Included(path, at, self.read(text, (*within, path)))


def _entries(text: Text) -> list[Statement]:
    tokens, blanks = _tokenise(text)
    lasting = _pairs(tokens)
    statements: list[Statement] = []
    start = depth = 0
    for number, token in enumerate(tokens):
        if token.kind == "newline" and not depth:
            if number > start:
                statements.append(_entry(tuple(each for each in tokens[start:number] if each.kind != "newline"), start in blanks))
            start = number + 1
        elif number in lasting:
            depth += 1 if token.kind == "(" else -1
    if start < len(tokens):
        statements.append(_entry(tuple(each for each in tokens[start:] if each.kind != "newline"), start in blanks))
    return statements


def _tokenise(text: Text) -> tuple[list[Token], set[int]]:
    """All tokens, newlines among them, and the numbers of those with nothing but blanks before them on their line."""
    chars = text.chars
    size = len(chars)
    tokens: list[Token] = []
    blanks: set[int] = set()
    at = 0
    while at < size:
        match = _TOKEN.match(chars, at)
        assert match is not None
        kind = match.lastgroup or "bad"
        start, at = at, match.end()
        if kind == "blank":
            if not start or chars[start - 1] in "\r\n":
                blanks.add(len(tokens))
            continue
        if kind == "comment":
            continue
        value = match.group()
        if kind == "bad":
            rest = _REST.match(chars, at)
            at = rest.end() if rest else at
            value = chars[start:at]
        elif kind == "mark":
            kind = value
        elif kind == "string":
            value = unquote(value)
        tokens.append(Token(kind, value, text, start, at))
    return tokens, blanks


def _pairs(tokens: Sequence[Token]) -> frozenset[int]:
    """The numbers of the parentheses that have their other half; within those newlines do not count."""
    found: set[int] = set()
    opened: list[int] = []
    for number, token in enumerate(tokens):
        if token.kind == "(":
            opened.append(number)
        elif token.kind == ")" and opened:
            found |= {number, opened.pop()}
    return frozenset(found)


def unquote(written: str) -> str:
    r"""A quoted string's octets as characters: `\"` is a quote, `\065` the octet 65."""
    inside = written[1:-1]
    if "\\" not in inside:
        return inside

    def value(match: re.Match[str]) -> str:
        octet = int(match[1]) if match[1] else -1
        return str(match[2]) if octet < 0 else chr(octet if octet < 128 else 0xDC00 + octet)

    return _ESCAPE.sub(value, inside)


def _entry(tokens: tuple[Token, ...], has_blank: bool) -> Statement:
    paired = _pairs(tokens)
    for number, token in enumerate(tokens):
        if token.kind == "bad":
            lacks = "this string has no closing quote on its line, or an escape that is none"
            return _unread(tokens, token, lacks if token.value.startswith('"') else "a zone holds no NUL")
        if token.kind in "()" and number not in paired:
            return _unread(tokens, token, "this parenthesis has no other half")
    fields = [number for number, token in enumerate(tokens) if token.kind in ("word", "string")]
    if not fields:
        return _unread(tokens, tokens[0], "expected a name, found parentheses around nothing")
    first = tokens[fields[0]]
    if first.kind == "word" and first.value.startswith("$") and not has_blank:
        return _directive(tokens, fields)
    return _Record(tokens, fields, has_blank).read()


def _unread(tokens: tuple[Token, ...], at: Token, message: str) -> Statement:
    return Statement("unread", tokens, tokens, None, Problem(message, at.span))


def _lacks(tokens: tuple[Token, ...], what: str) -> Statement:
    return _unread(tokens, tokens[-1], f"expected {what}, found the end of the entry")


def _directive(tokens: tuple[Token, ...], fields: list[int]) -> Statement:
    word = tokens[fields[0]]
    directive = Token("directive", word.value.upper(), word.text, word.start, word.end)
    tokens = (*tokens[: fields[0]], directive, *tokens[fields[0] + 1 :])
    known = _DIRECTIVES.get(directive.value)
    if known is None:
        return _unread(tokens, directive, f"there is no directive {brief(word.value)}")
    return known(tokens, fields)


def _origin(tokens: tuple[Token, ...], fields: list[int]) -> Statement:
    if len(fields) < 2:
        return _lacks(tokens, "a name")
    if len(fields) > 2:
        return _unread(tokens, tokens[fields[2]], "$ORIGIN is followed by one name")
    return _read("origin", tokens, fields[0], Template("name", (fields[1],)))


def _ttl(tokens: tuple[Token, ...], fields: list[int]) -> Statement:
    if len(fields) < 2:
        return _lacks(tokens, "a time")
    if seconds(tokens[fields[1]].value) is None:
        return _unread(tokens, tokens[fields[1]], f'expected a time in seconds, found "{brief(tokens[fields[1]].span.chars)}"')
    if len(fields) > 2:
        return _unread(tokens, tokens[fields[2]], "$TTL is followed by one time")
    return _read("ttl", tokens, fields[0], Template("ttl", (fields[1],)))


def _include(tokens: tuple[Token, ...], fields: list[int]) -> Statement:
    if len(fields) < 2:
        return _lacks(tokens, "the name of a file")
    if len(fields) > 3:
        return _unread(tokens, tokens[fields[3]], "$INCLUDE is followed by a file and a name")
    name = (Template("name", (fields[2],)),) if len(fields) == 3 else ()
    return _read("include", tokens, fields[0], Template("file", (fields[1],)), *name)


def _generate(tokens: tuple[Token, ...], fields: list[int]) -> Statement:
    if len(fields) < 2 or not re.fullmatch(r"[0-9]{1,9}-[0-9]{1,9}(?:/[0-9]{1,9})?", tokens[fields[1]].value):
        at = tokens[fields[1]] if len(fields) > 1 else tokens[-1]
        return _unread(tokens, at, 'expected a range like "1-9" after $GENERATE')
    return _Record(tokens, fields[2:], False, "generate", (fields[0], Template("range", (fields[1],)))).read()


_DIRECTIVES: dict[str, Callable[[tuple[Token, ...], list[int]], Statement]] = {
    "$ORIGIN": _origin,
    "$TTL": _ttl,
    "$INCLUDE": _include,
    "$GENERATE": _generate,
}


def _read(kind: str, tokens: tuple[Token, ...], *parts: _Part) -> Statement:
    return Statement(kind, tokens, tokens, Template(kind, parts))


def seconds(written: str) -> int | None:
    """A TTL in seconds, or None for what is none: digits, or digits with the units w, d, h, m, s."""
    if not _TTL.fullmatch(written):
        return None
    units = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}
    total = sum(int(digits) * units[unit.lower()] for digits, unit in re.findall(r"([0-9]+)([A-Za-z]?)", written))
    return total if total < 2**32 else None


def _is_class(token: Token) -> bool:
    return token.value.upper() in CLASSES or bool(_CLASS.fullmatch(token.value.upper()))


class _Record:
    """The fields of a record: owner, then class and TTL in either order, type, and its data."""

    def __init__(
        self, tokens: tuple[Token, ...], fields: list[int], has_blank: bool, kind: str = "record", parts: tuple[_Part, ...] = ()
    ) -> None:
        self._tokens = tokens
        self._fields = fields
        self._kind = kind
        self._parts = [*parts]
        self._at = 0
        self._has_blank = has_blank

    def _take(self, kind: str) -> None:
        self._parts.append(Template(kind, (self._fields[self._at],)))
        self._at += 1

    def _next(self) -> Token | None:
        return self._tokens[self._fields[self._at]] if self._at < len(self._fields) else None

    def read(self) -> Statement:
        if not self._has_blank:
            if self._next() is None:
                return _lacks(self._tokens, "a name")
            self._take("owner")
        token = self._next()
        has_class = token is not None and _is_class(token)
        if has_class:
            self._take("class")
            token = self._next()
        if token is not None and seconds(token.value) is not None:
            self._take("ttl")
            token = self._next()
        if token is not None and not has_class and _is_class(token):
            self._take("class")
            token = self._next()
        if token is None:
            return _lacks(self._tokens, "a type of record")
        if token.kind != "word":
            return _unread(self._tokens, token, "expected a type of record, found a string")
        self._take("type")
        self._parts.append(Template("rdata", tuple(self._fields[self._at :])))
        return _read(self._kind, self._tokens, *self._parts)


LANGUAGE = Language("zone", parse, TRIVIA)
