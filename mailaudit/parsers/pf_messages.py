"""What to say of a statement that pfctl refuses, in the words of pf.conf(5)."""

from __future__ import annotations

from mailaudit.parsers.brief import brief
from mailaudit.parsers.grammar import Mismatch
from mailaudit.parsers.tree import Problem, Token

_END = "the end of the statement"
_ORDER = "in|out, log, quick, on, inet|inet6, proto, from, to, then the options"
_ORDERED = frozenset(["in", "out", "log", "quick", "on", "inet", "inet6", "proto", "from", "os", "to", "all"])
_BAD = {
    "\r": "a carriage return: pfctl reads no files with Windows line ends",
    "\ufeff": "a byte order mark: pfctl reads plain text only",
}
_OLD = {
    "scrub": 'scrub rules are gone since OpenBSD 4.6; it is "match ... scrub (...)" now',
    "nat": 'nat rules are gone since OpenBSD 4.7; it is "match out ... nat-to ..." now',
    "rdr": 'rdr rules are gone since OpenBSD 4.7; it is "match in ... rdr-to ..." now',
    "binat": 'binat rules are gone since OpenBSD 4.7; it is "match ... binat-to ..." now',
    "altq": 'altq is gone since OpenBSD 5.5; it is "queue ... bandwidth ..." now',
}


def mismatch(found: Mismatch, seen: tuple[Token, ...], tokens: tuple[Token, ...], *, too_nested: bool) -> Problem:
    """The problem of a statement that the grammar could not read."""
    token = seen[found.at] if found.at < len(seen) else None
    if too_nested:
        return Problem("lists nested too deeply to be read", (token or tokens[-1]).span, refused=False)
    first = seen[0]
    if found.at <= 1 and (first.value in _OLD or (first.is_string and (len(seen) < 2 or seen[1].kind != "="))):
        return Problem(_OLD.get(first.value, f'"{shown(first)}" begins no statement of pf.conf(5)'), first.span)
    special = _special(found, seen)
    if special is not None:
        return special
    after = f' after "{shown(seen[found.at - 1])}"' if found.at else ""
    what = "the end of the line" if token is None or token.kind == "newline" else f'"{shown(token)}"'
    at_end = token is None or (token.kind == "newline" and found.at > 0)
    before = seen[found.at - 1] if token is not None else tokens[-1]
    span = before.span if at_end or token is None else token.span  # what is missing should follow what is there
    if found.expected != _END:
        return Problem(f"expected {found.expected}{after}, found {what}", span)
    if token is not None and token.kind in _ORDERED:
        return Problem(f'"{token.kind}" cannot stand{after}; the order is {_ORDER}', span)
    return Problem(f"{what} cannot stand{after}", span)


_OPERATORS = frozenset(["=", "!=", "<", "<=", ">", ">=", "<>", "><"])
_COMPARED = frozenset(["port", "user", "group"])


def _special(found: Mismatch, seen: tuple[Token, ...]) -> Problem | None:
    """What is better said in other words than that something was expected."""
    at = found.at
    if at >= len(seen):
        return None
    token = seen[at]
    following = seen[at + 1] if at + 1 < len(seen) else None
    message = None
    if token.kind == "!" and following is not None and following.kind == "{":
        message = 'a "!" cannot stand before a list, only before each of its items'
    elif token.kind == "{" and at == 0:
        message = 'the "{" of an anchor must stand at the end of the anchor\'s line'
    elif at and seen[at - 1].kind == "{" and seen[0].kind == "anchor" and found.expected == _END:
        message = 'the rules of an anchor begin on the line after its "{"'
    elif token.kind == ";":
        message = 'statements are separated by newlines, not by ";"'
    elif token.kind in _OPERATORS and not _is_value(following) and any(each.kind in _COMPARED for each in seen[:at]):
        what = "the end of the line" if following is None or following.kind == "newline" else f'"{shown(following)}"'
        message = f'expected a name or number after "{token.kind}", found {what}'
    return Problem(message, token.span) if message is not None else None


def _is_value(token: Token | None) -> bool:
    return token is not None and (token.is_string or token.kind == "number")


def misplaced(word: Token, before: Token, behind: Token) -> Problem:
    """The problem of a word that stands too late in its rule; it belongs behind another one."""
    message = f'"{word.kind}" cannot stand after "{shown(before)}", only after "{shown(behind)}"; the order is {_ORDER}'
    return Problem(message, word.span, mend="")


def bad_token(token: Token) -> Problem:
    """The problem of characters that are no token."""
    value = token.value
    if value == "\\":
        following = token.text.chars[token.end : token.end + 1]  # which pfctl takes as if no backslash stood before it
        return Problem("a backslash that joins nothing", token.span, refused=following not in tuple("{}()<>!=/,"))
    message = _BAD.get(value)
    if message is None and value[:1] in ("'", '"'):
        message = "this quoted string is never closed"
    elif message is None and value.startswith("$"):
        message = f'the macro "{brief(value[1:])}" stands inside the value of another, where macros are not put in'
    elif message is None and len(value) == 1 and value > "~":
        message = "characters beyond ASCII may stand in quotes and comments only"
    return Problem(message or f"{brief(value)!r} means nothing here", token.span)


def shown(token: Token) -> str:
    """A token as a message shows it."""
    return brief(token.value) if token.kind != "newline" else "the end of the line"


def placed(mark: str) -> str:
    """A word or mark as it is written behind another word."""
    return mark if mark in (">", ")") else f" {mark}"
