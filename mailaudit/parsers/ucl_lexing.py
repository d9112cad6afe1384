"""What UCL's tokens look like: blanks and comments, strings, here-documents, bare words; each found by its first character.

Source: ucl_skip_comments(), ucl_lex_json_string(), ucl_parse_string_value() and their neighbours in libucl's ucl_parser.c.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailaudit.parsers import ucl_values
from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Problem, Token
from mailaudit.text import Span, Text

BLANKS = " \t\n\v\f\r"
TRIVIA = re.compile(r"(?:[ \t\n\v\f\r]+|#[^\n]*|/\*[\s\S]*?\*/)*")
KEY = re.compile(r"[^\x00-.:-@\[-^`{-\x7f][^\x00-,:-@\[-^`{-\x7f]*")  # all but ASCII's other characters
_BLANK = re.compile(r"[ \t\n\v\f\r]+")
_LINE_BLANK = re.compile(r"[ \t]*")
_COMMENT_MARK = re.compile(r'["*/]')
TEMPLATE = re.compile("|".join(rf"\{{{sign}(?:(?!{sign}\}})[\s\S]){{0,4000}}{sign}\}}" for sign in "=%#"))  # Jinja's
_DOUBLE = re.compile(rf'"[^"\\{{\x00-\x1e]*(?:(?:\\[^\x00-\x1e]|{TEMPLATE.pattern}|\{{)[^"\\{{\x00-\x1e]*)*')
_BAD_ESCAPE = re.compile(r"\\u(?![0-9A-Fa-f]{4})")
_CLOSED_LATER = re.compile(r'[^"\\\n]*(?:\\[^\n][^"\\\n]*)*"')
_SINGLE = re.compile(rf"'[^'\\{{]*(?:(?:\\[\s\S]|{TEMPLATE.pattern}|\{{)[^'\\{{]*)*")
_HEREDOC = re.compile(r"<<([A-Z]*)\n")
_MASK = re.compile(r"\{\{(?:masked|generate):[^{}\n]*\}\}")
_TO_MARK = re.compile(r"[^\\{}\[\]\x00\n\r#,;/]*")
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,200}")


def skip_blanks(chars: str, at: int) -> int:
    """The offset behind spaces and tabs."""
    match = _LINE_BLANK.match(chars, at)
    return match.end() if match else at


def at_comment(chars: str, at: int) -> bool:
    """True if a comment begins here. A lone `#` at the very end of a file is none, and harmless."""
    return chars.startswith("#", at) or chars.startswith("/*", at)


class Unreadable(Exception):  # noqa: N818  it is a turn of the reader, not an error of the program
    """A statement of which nothing can be made: why, and where reading goes on (the end of the line where -1)."""

    def __init__(self, problem: Problem, end: int = -1) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.end = end


class UnendedError(ValueError):
    """A comment that some release sees no end of; `start` is where it begins, `end` where it ends to rspamd 4.1.5, else -1."""

    def __init__(self, start: int, end: int) -> None:
        super().__init__(start)
        self.start = start
        self.end = end


def skip_comments(chars: str, at: int) -> int:
    """The offset behind the comments that follow one another without a blank between them."""
    while True:
        if chars.startswith("#", at):
            found = chars.find("\n", at)
            at = len(chars) if found < 0 else found + 1
        elif chars.startswith("/*", at):
            at = _block_end(chars, at)
        else:
            return at


def _block_end(chars: str, at: int) -> int:
    """Behind a comment between `/*` and `*/`. They nest; in double quotes nothing counts."""
    older, newer = _comment_end(chars, at, 3), _comment_end(chars, at, 1)
    if older != newer or older < 0:
        raise UnendedError(at, newer)
    return older


def _comment_end(chars: str, at: int, behind: int) -> int:
    """Behind a comment, -1 if it never ends. From a `*` on rspamd 3.4 goes on 3 characters, 4.1.5 one: `behind`."""
    depth = 1
    quoted = False
    at += 2
    while (match := _COMMENT_MARK.search(chars, at)) is not None:
        at = match.start()
        mark = chars[at]
        if mark == '"':
            quoted ^= chars[at - 1] != "\\"
            at += 1
        elif quoted:
            at += 1
        elif mark == "*":
            if chars.startswith("/", at + 1):
                depth -= 1
                if not depth:
                    return at + 2
                at += 2 if behind == 1 else 3
            else:
                at += behind
        elif chars.startswith("*", at + 1):
            depth += 1
            at += 2
        else:
            at += 1
    return -1


def skip(chars: str, at: int) -> int:
    """The offset behind all blanks and comments."""
    while True:
        match = _BLANK.match(chars, at)
        if match:
            at = match.end()
        elif at_comment(chars, at):
            at = skip_comments(chars, at)
        else:
            return at


def line_end(chars: str, at: int) -> int:
    """The offset of the end of a line, blanks before it left out."""
    found = chars.find("\n", at)
    end = len(chars) if found < 0 else found
    while end > at and chars[end - 1] in BLANKS:
        end -= 1
    return end


def word_span(text: Text, at: int) -> Span:
    """The word that stands at an offset, or the character."""
    match = _WORD.match(text.chars, at)
    return Span(text, at, match.end() if match else min(at + 1, len(text.chars)))


def found_at(chars: str, at: int) -> str:
    """What stands at an offset, in words for a message."""
    if at >= len(chars):
        return "the end of the file"
    if chars[at] in "\r\n":
        return "the end of the line"
    match = _WORD.match(chars, at)
    return f'"{brief(match.group() if match else chars[at])}"'


@dataclass(frozen=True, slots=True)
class Value:
    """A value's token, the offset behind it, and what is wrong with it. Without a token nothing could be made of it."""

    token: Token | None
    end: int
    problem: Problem | None = None


def double_quoted(text: Text, at: int, kind: str = "string") -> Value:
    """A string in double quotes; newlines and other control characters must be escaped in it."""
    chars = text.chars
    match = _DOUBLE.match(chars, at)
    assert match is not None
    end = match.end()
    if chars.startswith('"', end):
        inside = chars[at + 1 : end]
        bad = _BAD_ESCAPE.search(inside)
        problem = None
        if bad is not None and not _escaped(inside, bad.start()):
            place = Span(text, at + 1 + bad.start(), at + 1 + bad.end())
            problem = Problem('expected four hexadecimal digits after "\\u"', place)
        return Value(Token(kind, ucl_values.unescape(inside), text, at, end + 1), end + 1, problem)
    later = _CLOSED_LATER.match(chars, end)
    if end < len(chars) and chars[end] not in "\n\\" and later is not None:
        token = Token(kind, ucl_values.unescape(chars[at + 1 : later.end() - 1]), text, at, later.end())
        name, mend = ("a tab", "\\t") if chars[end] == "\t" else ("a control character", "")
        message = f"{name} must not stand in a string between double quotes"
        return Value(token, later.end(), Problem(message, Span(text, end, end + 1), mend=mend))
    message = f"expected '\"' to end the string, found {found_at(chars, end)}"
    return Value(None, line_end(chars, at), Problem(message, Span(text, at, min(end + 1, len(chars)))))


def _escaped(inside: str, at: int) -> bool:
    """True if the backslash at an offset is itself escaped."""
    before = at
    while before > 0 and inside[before - 1] == "\\":
        before -= 1
    return (at - before) % 2 == 1


def _single_quoted(text: Text, at: int) -> Value:
    match = _SINGLE.match(text.chars, at)
    assert match is not None
    end = match.end()
    if not text.chars.startswith("'", end):
        problem = Problem('expected "\'" to end the string, found the end of the file', Span(text, at, at + 1), swallows=True)
        return Value(None, line_end(text.chars, at), problem)
    return Value(Token("string", ucl_values.unescape_single(match.group()[1:]), text, at, end + 1), end + 1)


def _here_document(text: Text, at: int) -> Value | None:
    """Lines up to one that is the word behind `<<`; None if no here-document begins here."""
    chars = text.chars
    match = _HEREDOC.match(chars, at)
    if match is None or len(chars) - at <= 3:
        return None
    word = match[1]
    end = re.compile(rf"\n{word}[\n;,]").search(chars, match.end())
    if end is not None:
        token = Token("heredoc", chars[match.end() : end.start()], text, at, end.end() - 1)
        return Value(token, end.end() - 1)
    if word and chars.endswith(f"\n{word}") and len(chars) - len(word) >= match.end():
        last = len(chars) - len(word)
        token = Token("heredoc", chars[match.end() : last - 1], text, at, len(chars))
        message = f'"{brief(word)}" ends the file without a newline, which rspamd 4.1.5 takes and 3.4 refuses'
        return Value(token, len(chars), Problem(message, Span(text, last, len(chars)), refused=False))
    close = re.compile(rf"\n([ \t]*{word})(?![A-Za-z0-9_])[^\n]*").search(chars, match.end()) if word else None
    if close is None:
        message = f'expected a line "{brief(word)}" to end the text, found the end of the file'
        problem = Problem(message, Span(text, at, match.end() - 1), swallows=True)
        return Value(None, len(chars), problem)
    token = Token("heredoc", chars[match.end() : close.start()], text, at, close.end(1))
    message = f'expected "{brief(word)}" alone on its line to end the text, found "{brief(close.group()[1:])}"'
    return Value(token, close.end(1), Problem(message, Span(text, close.start(1), close.end())))


def value(text: Text, at: int) -> Value:
    """The value that begins at an offset, where no bracket stands."""
    chars = text.chars
    first = chars[at : at + 1]
    if first == '"':
        return double_quoted(text, at)
    if first == "'":
        return _single_quoted(text, at)
    if first == "<":
        document = _here_document(text, at)
        if document is not None:
            return document
    try:
        number = ucl_values.number(chars, at)
    except ucl_values.OutOfRangeError as error:
        token = Token("word", chars[at : error.end], text, at, error.end)
        return Value(token, error.end, Problem(f"the number {brief(token.value)} is out of range", token.span))
    if number is not None:
        return Value(Token(number.kind, chars[at : number.end], text, at, number.end), number.end)
    return _bare(text, at)


def mask(text: Text, at: int) -> Value | None:
    """A masked secret, or one still to be made, as mailaudit writes them into snapshots and plans."""
    match = _MASK.match(text.chars, at)
    return None if match is None else Value(Token("word", match.group(), text, at, match.end()), match.end())


def _bare(text: Text, at: int) -> Value:
    """A word without quotes: it holds blanks, ends at the line's end, and brackets in pairs belong to it."""
    stop = _bare_end(text.chars, at)
    written = text.chars[at:stop].rstrip(" \t")
    if not written:
        return Value(None, stop, Problem(f"expected a value, found {found_at(text.chars, at)}", Span(text, at, at + 1)))
    found = ucl_values.keyword(written)
    kind = "word" if found is None else found[0]
    return Value(Token(kind, ucl_values.unescape(written), text, at, at + len(written)), stop)


def _bare_end(chars: str, at: int) -> int:
    curly = square = 0
    while True:
        match = _TO_MARK.match(chars, at)
        assert match is not None
        at = match.end()
        mark = chars[at : at + 1]
        if mark == "\\":
            at = min(at + 2, len(chars))
        elif mark == "{":
            template = TEMPLATE.match(chars, at)
            curly += template is None
            at = template.end() if template else at + 1
        elif mark == "[":
            square += 1
            at += 1
        elif mark == "}" and curly:
            curly -= 1
            at += 1
        elif mark == "]" and square:
            square -= 1
            at += 1
        elif mark == "/" and not chars.startswith("*", at + 1):
            at += 1
        else:
            return at
