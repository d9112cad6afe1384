"""The tokens of Sieve scripts: identifiers, tags, numbers, strings of both kinds, punctuation.

Source: RFC 5228, sections 2.1 to 2.4 and 8.1, read as Pigeonhole's lexer reads it: identifiers have at most 32 characters,
numbers 64 bits, a line feed alone ends a line, NUL is refused everywhere and a carriage return alone within strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from mailaudit.parsers.tree import Problem, Token
from mailaudit.text import Text

_HASH = r"#[^\n\0]*"
_BRACKET = r"/\*[^*\0]*\*+(?:[^/*\0][^*\0]*\*+)*/"
TRIVIA = re.compile(rf"(?:[ \t\r\n]|{_HASH}|{_BRACKET})*")
LONGEST_IDENTIFIER = 32
LARGEST_NUMBER = 2**64 - 1
_UNITS = {"k": 10, "m": 20, "g": 30}  # RFC 5228, section 2.4.1: powers of 1024

_TOKEN = re.compile(
    r'(?P<string>"[^"\\\r\0]*(?:(?:\\(?:\r\n|[^\r\0])|\r\n)[^"\\\r\0]*)*")'
    r"|(?P<text>[tT][eE][xX][tT]:)"
    r"|(?P<identifier>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<tag>:[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>[0-9]+[KkMmGg]?)"
    r"|(?P<comment>/\*)"
    r'|(?P<quote>")'
    r"|(?P<mark>[\[\](){};,:/])"
    r'|(?P<bad>[^A-Za-z0-9_:"#/\[\](){};,\s]+|[\s\S])'
)
_SHORT = re.compile(r'"[^"\\\r\0\n]*(?:\\[^\r\0\n][^"\\\r\0\n]*)*"')
_ESCAPE = re.compile(r"\\(\r\n|[\s\S])|\r?\n")
_TEXT_BEGIN = re.compile(r"[ \t]*\r?(?:#[^\n\0]*)?\n")  # sievec takes a carriage return before a comment, too
_TEXT_END = re.compile(r"^\.(?=\r?\n)", re.MULTILINE)
_NO_TEXT = re.compile(r"\r(?!\n)|\0")


def tokenise(text: Text) -> tuple[list[Token], dict[int, Problem]]:
    """All tokens, and for those that no script may hold the reason, by their number."""
    chars = text.chars
    size = len(chars)
    tokens: list[Token] = []
    problems: dict[int, Problem] = {}
    at = 0
    is_open = False  # a quote was not closed: what follows is searched line by line, so that time stays linear
    no_text_end = False
    while True:
        gap = TRIVIA.match(chars, at)
        at = gap.end() if gap else at
        if at >= size:
            return tokens, problems
        match = _SHORT.match(chars, at) if is_open and chars[at] == '"' else None
        found = match or _TOKEN.match(chars, at)
        assert found is not None  # the pattern's last branch takes any character
        kind = "string" if match else found.lastgroup or "bad"
        end = found.end()
        if is_open and kind == "string" and not match:
            kind, end = "quote", at + 1
        message = ""
        if kind == "quote":
            is_open = True
            end = _line_end(chars, at)
            message = "this string has no closing quote, or a NUL or a lone carriage return within"
        elif kind == "text":
            begin = _TEXT_BEGIN.match(chars, end)
            last = _TEXT_END.search(chars, begin.end()) if begin and not no_text_end else None
            no_text_end |= begin is not None and last is None
            end = last.end() if last else _line_end(chars, at)
            if begin is None or last is None:
                message = 'expected text in lines after "text:", and a line of one "." to end it'
            elif _NO_TEXT.search(chars, begin.end(), end):
                message = "a text holds no NUL, and no carriage return alone"
        elif kind == "comment":
            end = size
            message = 'this comment has no closing "*/", or a NUL within'
        token = _token(text, kind, at, end)
        message = message or _fault(token)
        if message:
            problems[len(tokens)] = Problem(message, token.span)
            token.kind = "bad"
        tokens.append(token)
        at = end


def _line_end(chars: str, at: int) -> int:
    end = chars.find("\n", at)
    return len(chars) if end < 0 else end


def _token(text: Text, kind: str, start: int, end: int) -> Token:
    written = text.chars[start:end]
    if kind == "mark":
        return Token(written, written, text, start, end)
    value = _VALUES.get(kind)
    return Token(kind if value else "bad", value(written) if value else written, text, start, end)


def unquote(written: str) -> str:
    r"""A quoted string's value: a backslash stands for the character after it, and lines end as in mail, with \r\n."""
    inside = written[1:-1]
    if "\\" not in inside and "\n" not in inside:
        return inside
    return _ESCAPE.sub(lambda match: "\r\n" if match.group().endswith("\n") else match[1], inside)


def _unstuff(written: str) -> str:
    lines = written.split("\n")[1:-1]
    return "".join(line.removesuffix("\r").removeprefix("." if line.startswith("..") else "") + "\r\n" for line in lines)


def _number(written: str) -> str:
    """In decimal; what is too large to be a number of any script stays as written."""
    unit = _UNITS.get(written[-1].lower(), 0)
    digits = (written[:-1] if unit else written).lstrip("0") or "0"
    return str(int(digits) << unit) if len(digits) <= 20 else digits


_VALUES: dict[str, Callable[[str], str]] = {
    "identifier": str.lower,
    "tag": lambda written: written[1:].lower(),
    "string": unquote,
    "text": _unstuff,
    "number": _number,
}


def _fault(token: Token) -> str:
    if token.kind in ("identifier", "tag") and len(token.value) > LONGEST_IDENTIFIER:
        return f"a name has at most {LONGEST_IDENTIFIER} characters"
    if token.kind == "number" and (len(token.value) > 20 or int(token.value) > LARGEST_NUMBER):
        return f"a number is at most {LARGEST_NUMBER}"
    if token.kind == "bad":
        return "no word of a script begins with this character"
    return ""
