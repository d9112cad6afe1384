"""Which expressions PCRE2 refuses as Pigeonhole asks it: without captures, so that only a group with a name can be referred to.

Told is what is surely refused; what is beyond this reading (lookbehinds' lengths, verbs, conditions) is not.
Sources: pcre2pattern(3), the answers of sievec with PCRE2 10.47.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator

_CLASSES = frozenset(
    "alpha lower upper alnum ascii blank cntrl digit graph print punct space word xdigit".split()  # noqa: SIM905
)
_PIECE = re.compile(
    r"(?P<quoted>\\Q[\s\S]*?(?:\\E|\Z))|(?P<nothing>\\E|\(\?#[^)]*\))"
    r"|(?P<named>\\[pPxoNgk]\{[^}]{0,99}\}|\\c[\s\S]|\\[gk][<'][^>']{0,99}[>']|\\g-?[0-9]+|\\[0-9]{2,}|\\0)"
    r"|(?P<anchor>\\[bB])|(?P<escape>\\[\s\S])"
    r"|(?P<word>\[\[:[<>]:\]\])|(?P<bracket>\[)"
    r"|(?P<option>\(\?[\^a-wyzA-Z-]*\))"
    r"|(?P<open>\((?:\?(?:[\^a-wyzA-Z-]*:|[=!>|]|<[=!]|P?<\w+>|'\w+')|(?![?*])))"
    r"|(?P<close>\))|(?P<begin>[|^$])"
    r"|(?P<repeat>(?:[*+?]|\{(?P<least>[0-9]+)(?:,(?P<most>[0-9]*))?\})[?+]?)"
    r"|(?P<beyond>\([?*])|(?P<other>[\s\S])"
)
_IN_BRACKET = re.compile(
    r"(?P<nothing>\\E|\\Q\\E)|(?P<quoted>\\Q[\s\S]*?(?:\\E|\Z))"
    r"|\[(?P<kind>[:.=])(?P<class>\^?(?:(?!\[(?P=kind))[^\]\\])*?)(?P=kind)\]"
    r"|(?P<set>\\(?:[dDsSwWhHvV]|[pP](?:\{[^}]{0,99}\}|[A-Z])))"
    r"|(?P<valued>\\(?:[xoN]\{[^}]{0,99}\}|x[0-9A-Fa-f]{0,2}|c[\s\S]|[0-7]{1,3}|[abefnrt89]))"
    r"|\\(?P<escaped>[\s\S])|(?P<char>[^\\])"
)
_NAME = re.compile(r"\(\?(?:P?<\w|')")
_OUTSIDE = re.compile(r"\[:\^?[a-zA-Z]*:\]")
_MOST = 65535
_UNKNOWN = frozenset("CFIJLMOTUYijlmquy")
_NOT_IN_BRACKET = frozenset("BRX")
SET, UNSURE = "set", "unsure"


def faults(expression: str) -> Iterator[str]:
    """What is wrong with an expression."""
    opened = at = 0
    can_repeat = is_repeated = False
    has_names = _NAME.search(expression) is not None
    while (match := _PIECE.match(expression, at)) is not None and match.lastgroup != "beyond":
        kind, at = "repeat" if match["repeat"] else match.lastgroup, match.end()
        if kind == "repeat":
            yield from _repeat(match, can_repeat, is_repeated)
        elif kind == "bracket":
            end = yield from _bracket(expression, at)
            if end < 0:
                return
            at = end
        elif kind == "close" and not opened:
            yield 'a ")" without "("'
        else:
            yield from _escape(match.group(), has_names)
        opened += (kind == "open") - (kind == "close")
        if kind == "nothing":
            is_repeated = False  # "?" behind it may belong to what stands before it
        elif kind != "option":
            can_repeat, is_repeated = kind not in ("open", "begin", "anchor"), kind == "repeat"
    if match is None and opened > 0:
        yield 'a "(" without ")"'


def _escape(piece: str, has_names: bool) -> Iterator[str]:
    if piece == "\\":
        yield "a backslash at its end"
    elif len(piece) == len("\\q") and piece[0] == "\\":
        if piece[1] in _UNKNOWN:
            yield f'"{piece}", which stands for nothing'
        elif piece[1] in "123456789" and not has_names:
            yield f'"{piece}", and only groups with names can be referred to since Dovecot 2.4.2'


def _repeat(match: re.Match[str], can_repeat: bool, is_repeated: bool) -> Iterator[str]:
    sign = match.group()[0]
    if is_repeated:
        yield f'a "{sign}" that repeats what is repeated already'
    elif not can_repeat:
        yield f'a "{sign}" with nothing before it'
    if match["least"]:
        first = int(match["least"][-8:])
        last = int(match["most"][-8:]) if match["most"] else first
        if last < first or max(first, last) > _MOST:
            yield 'no sensible number between "{" and "}"'


def _bracket(expression: str, at: int) -> Generator[str, None, int]:
    """A set of characters from behind its "["; gives back where it ends, -1 where it does not."""
    if _OUTSIDE.match(expression, at - 1):
        yield "a class of characters that stands in no other brackets"
    at += expression.startswith("^", at)
    begin = at
    first, is_range = "", False  # what a range may begin with: a character, `SET`, or `UNSURE`
    while (match := _IN_BRACKET.match(expression, at)) is not None:
        if match["char"] == "]" and at > begin:
            return match.end()
        begin += (match.end() - at) * (match["nothing"] is not None and at == begin)
        at = match.end()
        if match["nothing"]:
            continue
        if match["char"] == "-" and first and not is_range and expression[at : at + 1] != "]":
            is_range = True
            continue
        wrong, value = _member(match)
        if wrong:
            yield wrong
        if is_range and SET in (first, value):
            yield "a range that begins or ends with a class"
        elif is_range and UNSURE not in (first, value) and first > value:
            yield f'a range from "{first}" back to "{value}"'
        first, is_range = "" if is_range else value, False
    yield 'a "[" without "]"'
    return -1


def _member(match: re.Match[str]) -> tuple[str, str]:
    """What is wrong with a member of a set, and what it is: a character, `SET` or `UNSURE`."""
    if match["kind"]:
        name = match["class"].removeprefix("^")
        if match["kind"] != ":":
            return "an element of a collation", SET
        return ("" if name in _CLASSES else f'no class of characters "{name}"'), SET
    if match["set"]:
        return "", SET
    if match["char"]:
        return "", match["char"]
    escaped = match["escaped"] or ""
    if escaped in _UNKNOWN or escaped in _NOT_IN_BRACKET:
        return f'"\\{escaped}", which stands for nothing between brackets', UNSURE
    return "", escaped if escaped and not escaped.isalnum() else UNSURE
