"""crontab(5): variables and jobs, a line each; a user's own table, and the system's with a column for the user.

Statements (cron's load_env() and load_entry(), entry.c 1.60):

- `variable`, `NAME = value`; its node `variable` has the leaves name and value (kinds `word`, or `string` where quoted).
- `job`; its node `job` has as leaves, told apart by their kinds and in this order: either `minute`, `hour`, `monthday`, `month`
  and `weekday` (a field each, as written: `ranges` reads it) or one `when` (`@daily`); `user` in the system's table; a `flag`
  for each word of flags (`-n`, `-qs`); `command`, the rest of the line up to an unescaped percent sign, its value without the
  backslashes before percent signs; `input` after that percent sign, where there is one, newlines standing for percent signs.
- `unread`, a line that cron passes over and that crontab(1) refuses to install.

Comments and blank lines stand between statements; a comment behind a command is part of the command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache, partial

from mailaudit.parsers.brief import brief
from mailaudit.parsers.nearest import nearest
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Template, Token, Tree
from mailaudit.text import Span, Text

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
FIELDS: dict[str, tuple[int, int, tuple[str, ...]]] = {
    "minute": (0, 59, ()),
    "hour": (0, 23, ()),
    "monthday": (1, 31, ()),
    "month": (1, 12, MONTHS),
    "weekday": (0, 7, DAYS),
}
SPECIAL = ("reboot", "yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly")
_NAMES = {
    "minute": "a minute (0-59)",
    "hour": "an hour (0-23)",
    "monthday": "a day of the month (1-31)",
    "month": "a month (1-12 or jan-dec)",
    "weekday": "a day of the week (0-7 or sun-sat)",
}
_LONGEST = 999  # bytes of a command that cron keeps
_SPACE = r"[ \t\r\v\f]"
_VARIABLE = re.compile(
    rf"(?P<name>'[^'=\n]*'|\"[^\"=\n]*\"|(?!['\"])[^= \t\r\v\f\n]*){_SPACE}*=(?:{_SPACE}*)"
    rf"(?P<value>'[^'\n]*'(?={_SPACE}*\Z)|\"[^\"\n]*\"(?={_SPACE}*\Z)|(?!['\"])[^ \t\r\v\f\n](?:[^\n]*[^ \t\r\v\f\n])?|)"
    rf"{_SPACE}*\Z"
)
_FIELD = re.compile(r"[ \t]*([^ \t]+)")
_COMMAND = re.compile(r"(?:[^%\\]++|\\[\s\S]|\\\Z)*")
_NUMBER = re.compile(r"[0-9]+|[A-Za-z]+")
_PERCENT = re.compile(r"\\%")
_TRIVIA = re.compile(r"(?:[ \t\r\v\f\n]|#[^\n]*(?:\n|\Z))*")
_TEMPLATES: dict[tuple[str, ...], Template] = {}


@dataclass(frozen=True, slots=True)
class Range:
    """One element of a field: the numbers from `low` to `high` by steps.

    A random one is a single number between them, or begins its steps at a random offset below one step.
    """

    low: int
    high: int
    step: int = 1
    random: bool = False


def parse(text: Text, _include: Include, name: str, system: bool) -> Tree:
    """The tree of a crontab; `system` is true for the one that names a user in each line."""
    return Tree(name, text, tuple(_statements(text, system)))


LANGUAGE = Language("crontab", partial(parse, name="crontab", system=False), _TRIVIA, ("/var/cron/tabs/*",))
SYSTEM = Language("crontab-system", partial(parse, name="crontab-system", system=True), _TRIVIA, ("/etc/crontab",))


@lru_cache(maxsize=512)
def ranges(kind: str, written: str) -> tuple[Range, ...] | None:
    """What a field says, or None where cron cannot read it. What stands right behind an asterisk is nothing to it."""
    field = _Field(written, *FIELDS[kind])
    found: list[Range] = []
    while True:
        element = field.element()
        if element is None:
            return None
        found.append(element)
        if field.at == len(written):
            return tuple(found)
        if written[field.at] != ",":
            return tuple(found) if field.over else None
        field.at += 1


class _Field:
    """A field's characters, read from the left as get_range() and get_number() do."""

    def __init__(self, written: str, low: int, high: int, names: tuple[str, ...]) -> None:
        self.written = written
        self.low = low
        self.high = high
        self.names = names
        self.at = 0
        self.over = False  # the rest of the field does not count

    def passes(self, mark: str) -> bool:
        """Pass over a mark, if it stands here."""
        if not self.written.startswith(mark, self.at):
            return False
        self.at += len(mark)
        return True

    def number(self, low: int, high: int, names: tuple[str, ...]) -> int | None:
        """Pass over a number or a name; None where it is neither, or out of bounds."""
        match = _NUMBER.match(self.written, self.at)
        if match is None or (not names and not match[0].isdigit()):
            return None
        self.at = match.end()
        if match[0].isdigit():
            value = int(match[0]) if len(match[0]) < _LONGEST else high + 1
            return value if low <= value <= high else None
        word = match[0].lower()
        return names.index(word) + low if word in names else None

    def element(self) -> Range | None:
        """One element of the list."""
        if self.passes("*"):
            self.over = not self.written.startswith((",", "/"), self.at)
            return self.stepped(self.low, self.high)
        first: int | None = self.low
        if not self.written.startswith("~", self.at):
            first = self.number(self.low, self.high, self.names)
        if first is None:
            return None
        if self.passes("-"):
            last = self.number(self.low, self.high, self.names)
            return None if last is None else self.stepped(first, last)
        if self.passes("~"):
            last = self.number(self.low, self.high, self.names)  # one out of bounds is as if it were not there
            return self.stepped(first, self.high if last is None else last, random=True)
        return Range(first, first)

    def stepped(self, low: int, high: int, *, random: bool = False) -> Range | None:
        """A range, with the step behind it."""
        if low > high:
            return None
        if not self.passes("/"):
            return Range(low, high, random=random)
        step = self.number(1, self.high + 1 - self.low, ())
        return None if step is None else Range(low, high, step, random)


def _statements(text: Text, system: bool) -> Iterator[Statement]:
    chars = text.chars
    at = 0
    while at < len(chars):
        newline = chars.find("\n", at)
        eol = len(chars) if newline < 0 else newline
        line = chars[at:eol]
        start = at + len(line) - len(line.lstrip(" \t"))
        end = at + len(line.rstrip(" \t"))
        if start < end and chars[start] != "#":
            yield _ended(_line(text, start, end, system), newline >= 0)
        at = eol + 1


def _ended(statement: Statement, ended: bool) -> Statement:
    if ended or statement.problem is not None:
        return statement
    last = statement.tokens[-1].span
    problem = Problem("cron passes over a last line that does not end with a newline", last, mend=last.chars + "\n")
    return Statement(statement.kind, statement.tokens, statement.seen, statement.template, problem)


def _line(text: Text, start: int, end: int, system: bool) -> Statement:
    if "=" in text.chars[start:end]:
        variable = _variable(text, start, end)
        if variable is not None:
            return variable
    tokens: list[Token] = []
    problem = _when(text, start, end, tokens)
    if system and _reads_on(problem):
        problem = _user(text, end, tokens) or problem
    if _reads_on(problem):
        problem = _flags(text, end, tokens) or problem
    if _reads_on(problem):
        problem = _command(text, end, tokens) or problem
    at = tokens[-1].end if tokens else start
    rest = text.chars[at:end]
    if rest.strip(" \t"):
        first = at + len(rest) - len(rest.lstrip(" \t"))
        tokens.append(Token("bad", text.chars[first:end], text, first, end))
    seen = tuple(tokens)
    if problem is not None and not problem[1]:
        return Statement("unread", seen, seen, None, problem[0])
    kinds = tuple(token.kind for token in tokens)
    template = _TEMPLATES.get(kinds)
    if template is None:
        template = _TEMPLATES[kinds] = Template("job", tuple(range(len(kinds))))
    return Statement("job", seen, seen, template, None if problem is None else problem[0])


Trouble = tuple[Problem, bool] | None
"""What is wrong, and whether it is plain what was meant."""


def _variable(text: Text, start: int, end: int) -> Statement | None:
    match = _VARIABLE.match(text.chars[start:end])
    if match is None:
        return None
    name, value = (_quoted(text, start + match.start(group), start + match.end(group)) for group in ("name", "value"))
    equals = start + match.start("value")
    equals = text.chars.rindex("=", start + match.end("name"), equals)
    tokens = (name, Token("=", "=", text, equals, equals + 1), value)
    template = _TEMPLATES.setdefault(("variable",), Template("variable", (0, 2)))
    problem = None
    if value.start == value.end:
        message = f'expected a value after "="; an empty one is written {brief(name.value)}=""'
        problem = Problem(message, tokens[1].span, mend='=""')
    return Statement("variable", tokens, tokens, template, problem)


def _quoted(text: Text, start: int, end: int) -> Token:
    written = text.chars[start:end]
    if written[:1] in ("'", '"') and len(written) > 1:
        return Token("string", written[1:-1], text, start, end)
    return Token("word", written, text, start, end)


def _reads_on(trouble: Trouble) -> bool:
    return trouble is None or trouble[1]


def _user(text: Text, end: int, tokens: list[Token]) -> Trouble:
    match = _FIELD.match(text.chars, tokens[-1].end, end)
    if match is None:
        return Problem("expected a user, found the end of the line", tokens[-1].span), False
    tokens.append(Token("user", match[1], text, match.start(1), match.end(1)))
    return None


def _when(text: Text, start: int, end: int, tokens: list[Token]) -> Trouble:
    if text.chars[start] == "@":
        match = _FIELD.match(text.chars, start, end)
        if match is None:
            raise AssertionError(start)
        token = Token("when", match[1], text, start, match.end(1))
        tokens.append(token)
        if match[1][1:] in SPECIAL:
            return None
        near = nearest(match[1][1:], SPECIAL, 0.6)
        if near is None:
            names = ", ".join(f"@{name}" for name in SPECIAL)
            return Problem(f'expected one of {names}, found "{brief(match[1])}"', token.span), False
        tokens[0] = Token("when", f"@{near}", text, token.start, token.end)
        return Problem(f'there is no "{brief(match[1])}"; @{near} is meant', token.span, mend=f"@{near}"), True
    tokens_at = start
    for kind in FIELDS:
        match = _FIELD.match(text.chars, tokens_at, end)
        expected = f'expected {_NAMES[kind]}, "*", "~", a range or a list of them'
        if match is None:
            return Problem(f"{expected}, found the end of the line", tokens[-1].span), False
        tokens_at = match.end(1)
        tokens.append(Token(kind, match[1], text, match.start(1), match.end(1)))
        if ranges(kind, match[1]) is None:
            return Problem(f'{expected}, found "{brief(match[1])}"', tokens[-1].span), False
    return None


def _flags(text: Text, end: int, tokens: list[Token]) -> Trouble:
    while True:
        match = _FIELD.match(text.chars, tokens[-1].end, end)
        if match is None or not match[1].startswith("-"):
            return None
        tokens.append(Token("flag", match[1], text, match.start(1), match.end(1)))
        if not match[1][1:] or set(match[1][1:]) - set("nqs"):
            return Problem(f'expected a flag (-n, -q, -s) or a command, found "{brief(match[1])}"', tokens[-1].span), False


def _command(text: Text, end: int, tokens: list[Token]) -> Trouble:
    at = tokens[-1].end
    rest = text.chars[at:end]
    start = end - len(rest.lstrip(" \t"))
    last = tokens[-1]
    if start >= end:
        return Problem("expected a command, found the end of the line", last.span), False
    if text.chars[start] == "*" and last.kind == "weekday":
        found = Span(text, start, start + 1)
        return Problem('expected a command, found "*": the line has a field too many', found), False
    match = _COMMAND.match(text.chars, start, end)
    if match is None:
        raise AssertionError(start)
    stop = match.end()
    command = Token("command", _PERCENT.sub("%", text.chars[start:stop]), text, start, stop)
    tokens.append(command)
    if stop < end:
        tokens.append(Token("%", "%", text, stop, stop + 1))
        written = text.chars[stop + 1 : end]
        value = re.sub(r"\\%|%", lambda found: "%" if len(found[0]) == 2 else "\n", written)
        tokens.append(Token("input", value, text, stop + 1, end))
    if len(text.chars[start:end].encode("utf-8", "surrogateescape")) > _LONGEST:
        return Problem(f"cron keeps the first {_LONGEST} characters of a command alone", command.span), True
    return None
