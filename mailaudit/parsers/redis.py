"""redis.conf: a directive and its arguments a line, with redis's own quoting (config.c, sdssplitargs() of sds.c).

Statements:

- `setting`; its node `setting` has the leaves directive (kind `directive`, its value in lower case; older names stay what they
  are, see `redis_directives.ALIASES`) and arguments (`word`, or `string` where quotes are in it).
- `include`; its node `include` has the leaves directive and file or pattern. A model reads it, in its place.
- `unread`, a line that redis refuses; it then does not start.

A comment stands on a line of its own: after a directive it is refused, and the line is read as if it were not there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.parsers.brief import brief
from mailaudit.parsers.nearest import nearest
from mailaudit.parsers.redis_directives import DIRECTIVES
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Template, Token, Tree
from mailaudit.text import Span, Text, encode

_BLANKS = " \t\r\v\f"
_WORD = re.compile(
    r"[^ \t\r\n\"']*(?:\"(?:[^\"\\\n]++|\\[^\n])*\"(?=[ \t\r\v\f]|\Z)|'(?:[^'\\\n]++|\\'|\\(?!'))*'(?=[ \t\r\v\f]|\Z))?"
)
_ESCAPE = re.compile(r"\\(?:x([0-9A-Fa-f]{2})|([\s\S]))")
_NAMED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "a": "\a"}
_NAMES = tuple(DIRECTIVES)
_TRIVIA = re.compile(r"(?:[ \t\r\v\f\n]|#[^\n]*(?:\n|\Z))*")
_TEMPLATES: dict[tuple[str, int], Template] = {}


def parse(text: Text, _include: Include) -> Tree:
    """The tree of a redis.conf. Include statements are read, not followed: only a model can list what a pattern matches."""
    statements = list(_statements(text))
    if not any(each.kind == "include" or _name(each) == "loadmodule" for each in statements):
        statements = [_without_module(each) if "." in _name(each) else each for each in statements]
    return Tree("redis", text, tuple(statements))


LANGUAGE = Language("redis", parse, _TRIVIA, ("/etc/redis/redis.conf",))


def _name(statement: Statement) -> str:
    return "" if statement.template is None else statement.seen[0].value


def _without_module(statement: Statement) -> Statement:
    """A module's directive where no module is loaded."""
    directive = statement.seen[0]
    return _unread(list(statement.tokens), f'redis knows no directive "{brief(directive.value)}" without a module', directive)


def _statements(text: Text) -> Iterator[Statement]:
    chars = text.chars
    at = 0
    while at < len(chars):
        newline = chars.find("\n", at)
        eol = len(chars) if newline < 0 else newline
        line = chars[at:eol]
        start = at + len(line) - len(line.lstrip(_BLANKS))
        end = at + len(line.rstrip(" \t\r"))  # other blanks belong to the word before them
        if start < end and chars[start] != "#":
            yield _line(text, start, end)
        at = eol + 1


def _line(text: Text, start: int, end: int) -> Statement:
    tokens: list[Token] = []
    at = start
    chars = text.chars
    while at < end:
        match = _WORD.match(chars, at, end)
        if match is None or match.end() == at or (match.end() < end and chars[match.end()] not in _BLANKS):
            bad = Token("bad", chars[at:end], text, at, end)
            return _unread([*tokens, bad], "a quote is not closed, or something follows the closing one", bad)
        tokens.append(_word(text, match[0], at, match.end(), first=not tokens))
        at = match.end()
        while at < end and chars[at] in _BLANKS:
            at += 1
    if "\0" in chars[start:end]:
        return _unread(tokens, "the line holds a NUL byte", tokens[0], refused=False)
    return _directive(tokens)


def _word(text: Text, written: str, start: int, end: int, *, first: bool) -> Token:
    quote = min((found for found in (written.find('"'), written.find("'")) if found >= 0), default=-1)
    if quote < 0:
        return Token("directive" if first else "word", written.lower() if first else written, text, start, end)
    inside = written[quote + 1 : -1]
    if written[quote] == "'":
        value = inside.replace("\\'", "'")
    elif "\\" in inside:
        value = _unescaped(inside)
    else:
        value = inside
    value = written[:quote] + value
    return Token("directive" if first else "string", value.lower() if first else value, text, start, end)


def _unescaped(inside: str) -> str:
    """What double quotes hold; a byte in hexadecimal may be half a character."""
    parts: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(inside):
        parts.append(encode(inside[at : match.start()]))
        parts.append(bytes([int(match[1], 16)]) if match[1] else encode(_NAMED.get(match[2], match[2])))
        at = match.end()
    return b"".join((*parts, encode(inside[at:]))).decode("utf-8", "surrogateescape")


def _directive(tokens: list[Token]) -> Statement:
    directive = tokens[0]
    name = directive.value
    if name not in DIRECTIVES and "." in name and len(tokens) > 1:  # a module's own
        return _setting(tokens, tokens, None)
    problem = None
    seen = tokens
    if name not in DIRECTIVES:
        if name == "sentinel":
            return _unread(tokens, "sentinel directives are for redis-sentinel alone", directive)
        near = nearest(name, _NAMES)
        if near is None:
            return _unread(tokens, f'redis knows no directive "{brief(directive.span.chars)}"', directive)
        name = near
        problem = Problem(f'redis knows no directive "{brief(directive.span.chars)}"; {near} is meant', directive.span, mend=near)
        seen = [Token("directive", name, directive.text, directive.start, directive.end), *tokens[1:]]
    fault = DIRECTIVES[name]([token.value for token in seen[1:]])
    comment = next((number for number, token in enumerate(seen) if token.kind == "word" and token.value[:1] == "#"), 0)
    if fault is not None and comment > 1 and DIRECTIVES[name]([token.value for token in seen[1:comment]]) is None:
        span = seen[comment].span.to(seen[-1].span)
        problem = problem or Problem("a comment must stand on a line of its own", span, mend="")
        return _setting(tokens, seen[:comment], problem)
    if fault is None:
        return _setting(tokens, seen, problem)
    expected, number = fault
    at = None if number is None or number + 1 >= len(seen) else seen[number + 1]
    found = "the end of the line" if at is None else f'"{brief(at.span.chars)}"'
    if number is None and len(seen) > 1:
        found = f'"{brief(Span(seen[1].text, seen[1].start, seen[-1].end).chars)}"'
    return _unread(tokens, f"expected {expected} after {name}, found {found}", at or directive)


def _setting(tokens: list[Token], seen: list[Token], problem: Problem | None) -> Statement:
    kind = "include" if seen[0].value == "include" else "setting"
    size = len(seen)
    template = _TEMPLATES.get((kind, size))
    if template is None:
        template = _TEMPLATES[kind, size] = Template(kind, (range(size),))
    return Statement(kind, tuple(tokens), tuple(seen), template, problem)


def _unread(tokens: list[Token], message: str, at: Token, *, refused: bool = True) -> Statement:
    seen = tuple(tokens)
    return Statement("unread", seen, seen, None, Problem(message, at.span, refused))
