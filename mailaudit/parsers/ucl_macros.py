"""UCL's macros: `.include(try=true; priority=1) "file"` and its kin, arguments and all."""

from __future__ import annotations

import re
from difflib import get_close_matches

from mailaudit.parsers import ucl_lexing as lexing
from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Problem, Statement, Template, Token
from mailaudit.parsers.ucl_lexing import Unreadable
from mailaudit.text import Span, Text

KNOWN = ("include", "includes", "try_include", "priority", "inherit", "load", "include_map")
LONGEST_ARGUMENTS = 4000  # characters; without an end to the search a file of open parentheses would take for ever
_NAME = re.compile(r"\.[^ \t\n\v\f\r(]*")
_PARENTHESIS = re.compile(r'[()]|"(?:[^"\\]|\\[\s\S])*"')
_PARAMETER = re.compile(r"[^\0\n\r#,;\]}]*")
_BLANKS = re.compile(r"[ \t\n\v\f\r]*")
_BLOCK = re.compile(r"\{[^}]*\}?")


class Macro:
    """The macro that begins at an offset: its statement, and the offset behind it."""

    def __init__(self, text: Text, at: int) -> None:
        self.text = text
        self.chars = text.chars
        self.tokens: list[Token] = []
        self.parts: list[Template] = []
        self.problem: Problem | None = None
        at = self._name(at)
        if self.chars.startswith("(", at):
            at = self._arguments(at)
        self.end = self._ends(self._parameter(at))
        tokens = tuple(self.tokens)
        self.statement = Statement("macro", tokens, tokens, Template("macro", tuple(self.parts)), self.problem)

    def _add(self, kind: str, value: str, start: int, end: int) -> None:
        self.tokens.append(Token(kind, value, self.text, start, end))

    def _name(self, at: int) -> int:
        match = _NAME.match(self.chars, at)
        assert match is not None
        name = match.group()[1:]
        if match.end() == len(self.chars):
            message = "a macro's name at the very end of the file, which rspamd passes over"
            raise Unreadable(Problem(message, Span(self.text, at, match.end()), refused=False))
        if name not in KNOWN:
            near = get_close_matches(name[:20], KNOWN, 1)
            known = f", did you mean .{near[0]}?" if near else ""
            message = f'there is no macro "{brief(match.group())}"{known}'
            mend = f".{near[0]}" if near else None
            raise Unreadable(Problem(message, Span(self.text, at, match.end()), mend=mend))
        self._add("macro", name, at, match.end())
        self.parts.append(Template("name", (0,)))
        return lexing.skip(self.chars, match.end())

    def _arguments(self, at: int) -> int:
        """What stands in the parentheses, which is UCL in itself."""
        close = self._closing(at)
        if close < 0:
            message = f'expected ")" to end the arguments of ".{self.tokens[0].value}"'
            raise Unreadable(Problem(message, Span(self.text, at, at + 1)))
        self._add("(", "(", at, at + 1)
        at += 1
        while (at := self._skip(at, close)) < close:
            at = self._argument(at, close)
        self._add(")", ")", close, close + 1)
        return lexing.skip(self.chars, close + 1)

    def _closing(self, at: int) -> int:
        depth = 0
        for match in _PARENTHESIS.finditer(self.chars, at, at + LONGEST_ARGUMENTS):
            mark = match.group()
            depth += (mark == "(") - (mark == ")")
            if not depth and mark == ")":
                return match.start()
        return -1

    def _argument(self, at: int, close: int) -> int:
        """A key with its value, or with a list of them, and the separators behind it."""
        first = len(self.tokens)
        match = lexing.KEY.match(self.chars, at, close)
        if match is None:
            message = f"expected an argument's name, found {lexing.found_at(self.chars, at)}"
            raise Unreadable(Problem(message, lexing.word_span(self.text, at)))
        self._add("key", match.group(), at, match.end())
        at = self._skip(match.end(), close)
        if self.chars[at] in "=:":
            self._add(self.chars[at], self.chars[at], at, at + 1)
            at = self._skip(at + 1, close)
        values: list[int] = []
        nested = 0
        while at < close:
            mark = self.chars[at]
            if mark in ",;" and not nested:
                break
            if mark in "[],;":
                nested += (mark == "[") - (mark == "]")
                self._add(mark, mark, at, at + 1)
                at += 1
            else:
                values.append(len(self.tokens))
                at = self._value(at, close)
            at = self._skip(at, close)
        self.parts.append(Template("argument", (first, *values)))
        while at < close and self.chars[at] in ",;":
            self._add(self.chars[at], self.chars[at], at, at + 1)
            at = self._skip(at + 1, close)
        return at

    def _skip(self, at: int, close: int) -> int:
        """Behind blanks and comments within the parentheses; where a comment holds their end, libucl finds none."""
        behind = lexing.skip(self.chars, at)
        if behind > close:
            message = f'the ")" that ends the arguments of ".{self.tokens[0].value}" stands in a comment'
            raise Unreadable(Problem(message, Span(self.text, close, close + 1)))
        return behind

    def _value(self, at: int, close: int) -> int:
        """A value within the parentheses, as if they were a file of their own."""
        inside = Text.of(self.text.path, self.chars[at:close])
        found = lexing.value(inside, 0)
        if found.token is None or found.problem is not None:
            message = f"expected a value, found {lexing.found_at(self.chars, at)}"
            raise Unreadable(Problem(message, lexing.word_span(self.text, at)))
        self._add(found.token.kind, found.token.value, at, at + found.token.end)
        return at + found.end

    def _parameter(self, at: int) -> int:
        """The value behind the name and the arguments. It is taken as written: nothing is escaped in it."""
        chars = self.chars
        if chars.startswith('"', at):
            found = lexing.double_quoted(self.text, at)
            if found.token is None:
                raise Unreadable(found.problem or Problem("expected a value", Span(self.text, at, at + 1)))
            self.problem = found.problem
            start, end, kind, value = at, found.end, "string", chars[at + 1 : found.end - 1]
        elif (block := _BLOCK.match(chars, at)) is not None:
            start, end, kind = at, block.end(), "block"
            value = block.group()[1:].removesuffix("}").lstrip(lexing.BLANKS)
        else:
            match = _PARAMETER.match(chars, at)
            assert match is not None
            start, end, kind, value = at, match.end(), "word", match.group()
        if start == end:
            self._no_parameter(at)
            return at
        self.parts.append(Template("value", (len(self.tokens),)))
        self._add(kind, value, start, end)
        return end

    def _no_parameter(self, at: int) -> None:
        name = self.tokens[0].value
        if name == "priority" and any(part.kind == "argument" for part in self.parts):
            return
        what = {"priority": "a number", "inherit": "a section's name"}.get(name, "a file's name")
        span = self.tokens[0].span
        self.problem = Problem(f'expected {what} after ".{name}", found {lexing.found_at(self.chars, at)}', span)

    def _ends(self, at: int) -> int:
        """Semicolons and blanks behind a macro belong to it."""
        while True:
            match = _BLANKS.match(self.chars, at)
            behind = match.end() if match else at
            if not self.chars.startswith(";", behind):
                return behind
            self._add(";", ";", behind, behind + 1)
            at = behind + 1
