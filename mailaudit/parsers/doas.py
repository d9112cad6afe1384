"""doas.conf(5): a rule a line, permit or deny; the last one that matches decides.

Statements (read `parse.y` 1.31 and doas.conf(5)):

- `rule`, its node `rule` with the children, in the order of the line, `action` (leaf `permit` or `deny`), an `option` for each
  option (first leaf `nopass`, `nolog`, `persist`, `keepenv` or `setenv`; for `setenv` a child `variables` whose leaves are the
  words between the braces), `identity` (one word; a group begins with a colon), `target` (the word after `as`), `cmd` (the word
  after `cmd`) and `args` (the words after `args`, none for `args` alone). The keywords `as`, `cmd`, `args` and the braces are
  tokens of the statement and no node's leaves.
- `unread`, a line that doas refuses; it then refuses the whole file.

Token kinds: the keywords themselves, `{`, `}`, `word` (bare), `string` (written with quotes, or right after a continuation:
never a keyword). A rule may go over lines with a backslash before each newline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.parsers.brief import brief
from mailaudit.parsers.nearest import nearest
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Template, Token, Tree
from mailaudit.text import Span, Text

OPTIONS = ("nopass", "nolog", "persist", "keepenv", "setenv")
KEYWORDS = frozenset({"permit", "deny", "as", "cmd", "args", *OPTIONS})
_LONGEST = 1023  # bytes of one word, the terminating zero not counted

# Unescaped braces, blanks and "#" end a word; a backslash takes the next character as it is; quotes may stand anywhere in a word.
_WORD = re.compile(r'(?:[^\\"{}# \t\n]++|\\[\s\S]|"(?:[^"\\\n]++|\\[^\n])*")+')
_TOKEN = re.compile(
    r"(?:[ \t]|\\\n)*"
    rf"(?:(?P<newline>\n)|(?P<comment>#[^\n]*)|(?P<brace>[{{}}])|(?P<word>{_WORD.pattern})|(?P<bad>[^\n]+)|(?P<end>\Z))"
)
_ENDING = re.compile(r"(?:\\\n)+\Z")
_PAIR = re.compile(r"\\[\s\S]")
_ESCAPE = re.compile(r'\\([\s\S])|"')
_TRIVIA = re.compile(r"(?:[ \t\n]|\\\n|#[^\n]*(?:\n|\Z))*")


def parse(text: Text, _include: Include) -> Tree:
    """The tree of a doas.conf."""
    return Tree("doas", text, tuple(_read(line, ended) for line, ended in _lines(text)))


LANGUAGE = Language("doas", parse, _TRIVIA, ("/etc/doas.conf",))


def _lines(text: Text) -> Iterator[tuple[list[Token], bool]]:
    """The tokens of each line that has any, and whether a newline ends it."""
    chars = text.chars
    tokens: list[Token] = []
    at = 0
    continued = False
    while True:
        match = _TOKEN.match(chars, at)
        if match is None:  # the last branches take anything
            raise AssertionError(at)
        kind = match.lastgroup or "bad"
        start, at = match.span(kind)
        continued = "\n" in chars[match.start() : start]
        if kind in ("newline", "end"):
            if tokens:
                yield tokens, kind == "newline"
                tokens = []
            if kind == "end":
                return
        elif kind == "word":
            tokens.append(_word(text, start, at, continued))
        elif kind != "comment":
            tokens.append(Token(chars[start:at] if kind == "brace" else "bad", chars[start:at], text, start, at))


def _word(text: Text, start: int, end: int, continued: bool) -> Token:
    written = text.chars[start:end]
    tail = _ENDING.search(written)
    if tail is not None:  # a continuation after the word is no part of it
        end = start + tail.start()
        written = written[: tail.start()]
    value = written
    if "\\" in written or '"' in written:
        value = _ESCAPE.sub(lambda match: (match[1] or "").replace("\n", ""), written)
    if continued or tail is not None or '"' in _PAIR.sub("", written) or "\\\n" in written:
        return Token("string", value, text, start, end)
    return Token(value if value in KEYWORDS else "word", value, text, start, end)


class _Reader:
    """One line's tokens, read from the left."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.parts: list[Template] = []

    @property
    def kind(self) -> str:
        return self.tokens[self.at].kind if self.at < len(self.tokens) else ""

    def keyword(self, *kinds: str) -> bool:
        """Pass over a keyword, if it is one of these."""
        if self.kind not in kinds:
            return False
        self.at += 1
        return True

    def words(self) -> tuple[int, ...]:
        """Pass over all words."""
        first = self.at
        while self.kind in ("word", "string"):
            self.at += 1
        return tuple(range(first, self.at))

    def word(self, kind: str, expected: str) -> None:
        """Make a node of the next word."""
        if self.kind not in ("word", "string"):
            raise _Unfit(self.at, expected)
        self.parts.append(Template(kind, (self.at,)))
        self.at += 1


class _Unfit(Exception):  # noqa: N818  it is caught where a line is read
    """A token that does not fit, and what would."""

    def __init__(self, at: int, expected: str) -> None:
        super().__init__(expected)
        self.at = at
        self.expected = expected


def _read(tokens: list[Token], ended: bool) -> Statement:
    reader = _Reader(tokens)
    try:
        template = _rule(reader)
    except _Unfit as unfit:
        mended = _mended(tokens)
        if mended is None:
            return _unread(tokens, unfit)
        other, problem = mended
        read = _read(other, ended)
        return read if read.unread else Statement("rule", tuple(tokens), tuple(other), read.template, problem)
    seen = tuple(tokens)
    return Statement("rule", seen, seen, template, _problem(tokens, template, ended))


def _rule(reader: _Reader) -> Template:
    parts = reader.parts
    if not reader.keyword("permit", "deny"):
        raise _Unfit(reader.at, 'expected "permit" or "deny"')
    parts.append(Template("action", (0,)))
    while reader.tokens[0].kind == "permit" and reader.kind in OPTIONS:
        parts.append(_option(reader))
    options = " or an option (nopass, nolog, persist, keepenv, setenv { ... })" if reader.tokens[0].kind == "permit" else ""
    reader.word("identity", f"expected a user or a group (:group){options}")
    if reader.keyword("as"):
        reader.word("target", 'expected a user after "as"')
    if reader.keyword("cmd"):
        reader.word("cmd", 'expected a command after "cmd"')
        if reader.keyword("args"):
            parts.append(Template("args", reader.words()))
    if reader.kind:
        ends = {
            "identity": '"as", "cmd" or the end of the line',
            "target": '"cmd" or the end of the line',
            "cmd": '"args" or the end of the line',
        }
        raise _Unfit(reader.at, f"expected {ends.get(parts[-1].kind, 'an argument or the end of the line')}")
    return Template("rule", tuple(parts))


def _option(reader: _Reader) -> Template:
    first = reader.at
    reader.at += 1
    if reader.tokens[first].kind != "setenv":
        return Template("option", (first,))
    if not reader.keyword("{"):
        raise _Unfit(reader.at, 'expected "{" after "setenv"')
    variables = Template("variables", reader.words())
    if not reader.keyword("}"):
        raise _Unfit(reader.at, 'expected a variable or "}"')
    return Template("option", (first, variables))


def _unread(tokens: list[Token], unfit: _Unfit) -> Statement:
    seen = tuple(tokens)
    if unfit.at < len(tokens):
        token = tokens[unfit.at]
        if token.kind == "bad":
            return Statement("unread", seen, seen, None, Problem(_why_bad(token), token.span))
        found = token.span
        message = f'{unfit.expected}, found "{brief(found.chars)}"'
    else:
        found = tokens[-1].span
        message = f"{unfit.expected}, found the end of the line"
    return Statement("unread", seen, seen, None, Problem(message, found))


def _why_bad(token: Token) -> str:
    return "a quote is not closed" if token.value.startswith('"') else "a backslash stands at the end of the file"


def _mended(tokens: list[Token]) -> tuple[list[Token], Problem] | None:
    """The line with a word that is nearly an option or an action as what was meant, and what it says was wrong."""
    for at, token in enumerate(tokens[:8]):
        if token.kind == "string" and token.value in KEYWORDS and token.span.chars == token.value:
            meant = Token(token.value, token.value, token.text, token.start, token.end)
            problem = Problem(f'right after a backslash at a line\'s end "{token.value}" is no keyword', token.span)
            return [*tokens[:at], meant, *tokens[at + 1 :]], problem
        if token.kind != "word" or (at and tokens[at - 1].kind not in (*OPTIONS, "permit", "}")):
            continue
        words = OPTIONS if at else ("permit", "deny")
        near = nearest(token.value, words)
        if near:
            meant = Token(near, near, token.text, token.start, token.end)
            what = "option" if at else "action"
            problem = Problem(f'there is no {what} "{brief(token.value)}"; {near} is meant', token.span, mend=near)
            return [*tokens[:at], meant, *tokens[at + 1 :]], problem
    return None


def _problem(tokens: list[Token], template: Template, ended: bool) -> Problem | None:
    """What doas refuses in a rule that its grammar fits."""
    for token in tokens:
        if "\0" in token.value:
            return Problem("the character NUL is not allowed", token.span)
        if len(token.value.encode("utf-8", "surrogateescape")) > _LONGEST:
            return Problem(f"a word may have {_LONGEST} characters at most", token.span)
    options = [tokens[part.parts[0]] for part in template.parts if isinstance(part, Template) and part.kind == "option"]  # type: ignore[index]
    kinds = [token.kind for token in options]
    if "nopass" in kinds and "persist" in kinds:
        late = options[max(kinds.index("nopass"), kinds.index("persist"))]
        return Problem("nopass and persist cannot be combined", late.span)
    if kinds.count("setenv") > 1:
        return Problem("setenv may stand only once in a rule", [token for token in options if token.kind == "setenv"][1].span)
    if not ended:
        last = tokens[-1]
        return Problem(
            "the last line does not end with a newline", Span(last.text, last.start, last.end), mend=last.span.chars + "\n"
        )
    return None
