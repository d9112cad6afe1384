"""The names before a value of UCL, with the separator; odd ones, too, where it is plain that a name is meant."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mailaudit.parsers import ucl_lexing as lexing
from mailaudit.parsers.brief import brief
from mailaudit.parsers.tree import Problem, Token
from mailaudit.parsers.ucl_lexing import Unreadable
from mailaudit.text import Span, Text

_STOP = re.compile(r"[,;\n\r{\[]")
_ODD_KEY = re.compile(r"(?:\$\{[^\s{}\"]*\}|[^\s\x00{}\[\];,\"#=:$]|\$(?!\{))+(?=[ \t]*[=:{])")
_BLANKS = re.compile(r"[ \t\n\v\f\r]*")


@dataclass(slots=True)
class Keys:
    """The names before a value: their tokens with the separator, where the value begins, and what is wrong so far.

    `numbers` are the places of the names among the tokens.
    """

    tokens: list[Token]
    at: int
    numbers: list[int] = field(default_factory=list)
    problem: Problem | None = None


class Names:
    """The reader of a text's names."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.chars = text.chars
        self.size = len(text.chars)
        self.stop = -1  # the next character that ends a line's statement or opens a bracket

    def read(self, at: int) -> Keys:
        """The names before a value, and the separator. Between several names libucl passes over a separator."""
        first = self._key(at)
        keys = Keys([first[0]], first[1], [0], first[2])
        while True:
            separator = self._separator(keys)
            at = keys.at
            if at >= self.size:
                raise Unreadable(self._no_value(keys, at))
            bracket = self.chars[at] in "{["
            if separator and len(keys.numbers) > 1 and bracket:
                message = f'"{brief(keys.tokens[-1].value)}" must not stand between several names and "{self.chars[at]}"'
                keys.problem = keys.problem or Problem(message, keys.tokens[-1].span, mend="")
            if bracket or not self._more_names(at) or (separator and len(keys.numbers) == 1):
                break
            token, keys.at, problem = self._key(at)
            keys.numbers.append(len(keys.tokens))
            keys.tokens.append(token)
            keys.problem = keys.problem or problem
        return self._at_value(keys, separator)

    def _key(self, at: int) -> tuple[Token, int, Problem | None]:
        chars = self.chars
        if chars[at] == '"':
            found = lexing.double_quoted(self.text, at, "key")
            if found.token is None or found.token.end - at == 2:
                raise Unreadable(found.problem or Problem("a name must not be empty", Span(self.text, at, at + 2)))
            return found.token, found.end, found.problem
        match = lexing.KEY.match(chars, at)
        end = match.end() if match else at
        if match is not None and end < self.size and chars[end] in " \t:=":
            return Token("key", match.group(), self.text, at, end), end, None
        return self._odd_key(at, end)

    def _odd_key(self, at: int, end: int) -> tuple[Token, int, Problem | None]:
        """A name that libucl does not take, if it is plain that one is meant."""
        chars = self.chars
        odd = _ODD_KEY.match(chars, at)
        whole = odd.group() if odd else chars[at:end]
        span = Span(self.text, at, at + len(whole))
        following = chars[span.end : span.end + 1]
        if whole and following in ("{", "") and end == span.end:
            if not following:
                raise Unreadable(Problem(f'expected a value after "{brief(whole)}", found the end of the file', span))
            brace = Span(self.text, end, end + 1)
            problem = Problem(f'expected a blank between "{brief(whole)}" and "{{"', brace, mend=" {")
            return Token("key", whole, self.text, at, end), end, problem
        if odd is not None:
            message = f'"{brief(whole)}" must stand in double quotes to be a name'
            return Token("bad", whole, self.text, at, span.end), span.end, Problem(message, span, mend=f'"{whole}"')
        if whole and following in "\r\n" and self._brace_below(end):
            message = f'expected "{{" on the line of "{brief(whole)}", found the end of the line'
            return Token("key", whole, self.text, at, end), end, Problem(message, span)
        if whole:
            message = f'expected "=" and a value after "{brief(whole)}", found {lexing.found_at(chars, end)}'
            raise Unreadable(Problem(message, lexing.word_span(self.text, min(end, self.size - 1))))
        raise Unreadable(Problem(f"expected a name, found {lexing.found_at(chars, at)}", lexing.word_span(self.text, at)))

    def _brace_below(self, at: int) -> bool:
        return self.chars.startswith("{", lexing.skip(self.chars, at))

    def _separator(self, keys: Keys) -> bool:
        """Go behind blanks, comments and one `=` or `:`; true if there was one."""
        chars = self.chars
        at = keys.at
        found = False
        while True:
            at = lexing.skip_blanks(chars, at)
            if lexing.at_comment(chars, at):
                at = lexing.skip_comments(chars, at)
            elif chars.startswith(("=", ":"), at) and not found:
                keys.tokens.append(Token(chars[at], chars[at], self.text, at, at + 1))
                found = True
                at += 1
            else:
                keys.at = at
                return found

    def _more_names(self, at: int) -> bool:
        """True if a bracket opens on this line before anything ends the statement: what stands here is a name, too."""
        if self.stop < at:
            match = _STOP.search(self.chars, at)
            self.stop = match.start() if match else self.size
        return self.stop < self.size and self.chars[self.stop] in "{["

    def _at_value(self, keys: Keys, separator: bool) -> Keys:
        """Go to where the value begins: on one of the next lines, if nothing stands behind the separator."""
        chars = self.chars
        at = keys.at
        if separator and chars[at] in "=:":
            where = Span(self.text, at, at + 1)
            raise Unreadable(Problem(f'expected a value after "{brief(keys.tokens[-1].value)}", found "{chars[at]}"', where))
        if chars[at] in "\r\n\v\f":
            match = _BLANKS.match(chars, at)
            at = match.end() if match else at
            if lexing.at_comment(chars, at):
                at = lexing.skip(chars, at)
        keys.at = at
        return keys

    def _no_value(self, keys: Keys, at: int) -> Problem:
        message = f'expected a value after "{brief(keys.tokens[-1].value)}", found the end of the file'
        return Problem(message, keys.tokens[-1].span if at >= self.size else Span(self.text, at, at + 1))
