"""What smtpd.conf gained after 6.4, and what it takes no more: what a host's release does not read, as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mailaudit.models.release import Number, shown
from mailaudit.parsers.smtpd import read_tokens
from mailaudit.parsers.tree import Node, Problem, Statement, Token

LEARNT: tuple[
    tuple[Number, str, str], ...
] = (  # since when, in which statement (* for any), which part: its kind, or parent/kind
    ((6, 5), "match", "rdns"),
    ((6, 5), "*", "regex"),
    ((6, 6), "filter", ""),
    ((6, 6), "proc", ""),
    ((6, 6), "srs", ""),
    ((6, 6), "action", "filter"),
    ((6, 6), "action", "junk"),
    ((6, 6), "action", "srs"),
    ((6, 6), "listen", "filter"),
    ((6, 6), "listen", "proxy-v2"),
    ((6, 7), "filter", "auth"),
    ((6, 7), "filter", "bypass"),
    ((6, 7), "match", "from/auth"),
    ((6, 7), "match", "from/mail-from"),
    ((6, 7), "match", "for/rcpt-to"),
    ((6, 8), "admd", ""),
    ((6, 9), "action", "ciphers"),
    ((6, 9), "action", "protocols"),
    ((6, 9), "listen", "ciphers"),
    ((6, 9), "listen", "protocols"),
    ((7, 5), "listen", "on-socket/no-dsn"),
)
PAIRS: dict[str, Number] = {  # where keys with values may stand in for single values, and since when; never in `regex`
    "auth": (7, 5),
    "mail-from": (7, 5),
    "from mail-from": (7, 5),
    "rcpt-to": (7, 5),
    "for rcpt-to": (7, 5),
    "src": (7, 5),
}
KEYWORDS: dict[str, Number] = {"admd": (6, 8), "protocols": (6, 9)}  # plain words before
LINES_IN_BRACES: Number = (7, 5)
SEVERAL_PKI: Number = (6, 9)
PKI_REQUIRED: Number = (6, 9)
"""Since libtls smtpd takes a listener's certificates from its pki options alone, and their names letter by letter."""
MAX_RCPT: tuple[Number, int] = ((7, 9), 100)
"""Since when `smtp limit max-rcpt` has a least value, which is what RFC 5321 asks for, and which."""

_BY_STATEMENT: dict[str, list[tuple[Number, str]]] = {}
for _number, _statement, _part in LEARNT:
    _BY_STATEMENT.setdefault(_statement, []).append((_number, _part))


def unknown_parts(statement: Statement, release: Number) -> Iterator[Problem]:
    """What this release does not read of a statement that the newest one reads."""
    if release < LINES_IN_BRACES:
        yield from _lines_in_braces(statement.seen)
    known = [*_BY_STATEMENT.get(statement.kind, ()), *_BY_STATEMENT["*"]]
    parts = {part: number for number, part in known if release < number}
    if "" in parts:
        yield _problem(parts[""], f'"{statement.kind}"', statement.seen[0])
    elif parts:
        for found, part in _parts(statement.node):
            for name in {found.kind, part} & parts.keys():
                yield _problem(parts[name], f'"{name.removeprefix("on-").replace("/", " ")}"', found.first)
    several = _pki(statement) if release < SEVERAL_PKI else []
    if len(several) > 1:
        yield _problem(SEVERAL_PKI, "more than one pki for a listener", several[1])


def as_read_by(statement: Statement, release: Number) -> Statement:
    """A statement that is refused because a word of it is a keyword, as a release reads it for which it is none yet."""
    row = statement.tokens
    if statement.problem is None or not any(KEYWORDS.get(token.kind, release) > release for token in row):
        return statement
    words = tuple(
        Token("word", token.value, token.text, token.start, token.end, token.via)
        if KEYWORDS.get(token.kind, release) > release
        else token
        for token in row
    )
    read = read_tokens(words)
    return replace(statement, kind=read.kind, seen=read.seen, template=read.template, problem=read.problem)


def _parts(node: Node, parent: str = "") -> Iterator[tuple[Node, str]]:
    """All nodes below, each with its name: `from/auth` below a `from`, else its kind alone."""
    for child in node:
        if isinstance(child, Node):
            path = f"{parent}/{child.kind}"
            yield child, path if parent in ("from", "for", "on-socket") else child.kind
            yield from _parts(child, child.kind)


def refused_earlier(statement: Statement, release: Number) -> Problem | None:
    """What a release refuses of a broken statement before it comes to what the newest one refuses of it."""
    problem = statement.problem
    if problem is None or not statement.unread or release >= LINES_IN_BRACES:
        return problem
    last = statement.seen[-1] if statement.seen else statement.tokens[-1]
    if last.kind in ("{", ",") and problem.span.start > last.end:
        return _problem(LINES_IN_BRACES, f'a new line after "{last.kind}"', last)
    earlier = next(_lines_in_braces(statement.seen), problem)
    return earlier if earlier.span.text is problem.span.text and earlier.span.start < problem.span.start else problem


def _lines_in_braces(row: tuple[Token, ...]) -> Iterator[Problem]:
    """New lines in a list where older releases do not read them: they do in place of a comma between two values."""
    for number, token in enumerate(row):
        if token.kind != "newline":
            continue
        before = row[number - 1]
        if before.kind in ("{", ","):
            yield _problem(LINES_IN_BRACES, f'a new line after "{before.kind}"', token)
            return
        if row[number + 1].kind == "}":
            yield _problem(LINES_IN_BRACES, 'a new line before "}"', row[number + 1])
            return


def _pki(statement: Statement) -> list[Token]:
    body = statement.node.node("on") if statement.kind == "listen" else None
    return [node.first for node in body.nodes("pki")] if body is not None else []


def _problem(number: Number, what: str, at: Token) -> Problem:
    return Problem(f"smtpd before {shown(number)} does not read {what}", at.place)
