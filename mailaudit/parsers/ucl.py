"""UCL as rspamd reads it: a lossless tree of settings, sections, arrays and macros, as close to libucl's own parser as can be.

The tree's statements, and what their `node` and `tokens` hold (blanks, newlines and comments are gaps):

`setting`   `key = value;`  node: `keys` (its leaves are the key tokens, as a rule one), `value` (one leaf; no such node where
            the file ends behind `=`). tokens: the key, `=` or `:` if written, the value, any number of `;` and `,` behind it.
`section`   `key "name" {` body `};`  a block. node: `keys` (leaves: the names, outermost first; none for the outer braces of a
            file and for an object in an array). tokens: keys, `=` or `:` if written, `{`. body: settings, sections, arrays,
            macros. close: `}` and any `;` and `,` behind it; empty if the brace is never closed.
`array`     `key = [` body `];`  a block. node: `keys` (leaves: none for an array in an array). tokens: keys, `=` or `:` if
            written, `[`. body: `item`, and `section` and `array` without keys. close: `]` and any `;` and `,` behind it.
`item`      a value in an array. node: `value` (one leaf). tokens: the value, any number of `;` and `,` behind it.
`macro`     `.include(try=true; priority=1) "file";`  node: `name` (leaf: the token `.include`, its value `include`), `argument`
            for each argument (leaves: its key and its value or values), `value` (one leaf; no such node if there is none).
            tokens: the name, `(`, the arguments' keys, `=`, values and `;` `,`, then `)`, the value, any number of `;`.
`unread`    what could not be read: one token `bad`, its `problem` says why.

Kinds of value tokens: `string` (in double or single quotes; `value` is what it means), `heredoc`, `word` (no quotes: a string
all the same), `integer`, `float`, `seconds`, `boolean`, `null` (`value` is what is written; `ucl_values` says what it means), and
for a macro's parameter also `block` (in braces). Variables are not expanded here. A key's kind is `key`, or `bad` where libucl
takes no such key and it is plain that one is meant. The same kinds stand in statements that have a `problem` and are read all the
same. What rspamd carries out before (Jinja's `{= ... =}`) stays as written within a value; where a statement should begin it is
unread.

Source: ucl_parser.c of rspamd 3.4, tested against it and 4.1.5.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from mailaudit.parsers import ucl_lexing as lexing
from mailaudit.parsers.brief import brief
from mailaudit.parsers.tokens import MAX_DEPTH
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Template, Token, Tree
from mailaudit.parsers.ucl_lexing import Unreadable
from mailaudit.parsers.ucl_macros import Macro
from mailaudit.parsers.ucl_names import Keys, Names
from mailaudit.text import Span, Text

_ENDS = ";,\0"
_BLANKS = re.compile(r"[ \t\n\v\f\r]*")
_BURY = re.compile(r'[{}\[\]]|"(?:\\[\s\S]|[^"\\\n])*"|#[^\n]*')
_CLOSER = {"section": "}", "array": "]"}


@dataclass(slots=True)
class _Block:
    """A section or an array that is open, or the file itself (`header` is None)."""

    header: Statement | None
    body: list[Statement] = field(default_factory=list)

    @property
    def kind(self) -> str:
        return "section" if self.header is None else self.header.kind


def parse(text: Text, _include: Include) -> Tree:
    """Read a file. Includes are read as macros, not followed: where they lead depends on variables and on who includes."""
    reader = _Reader(text)
    reader.read()
    return Tree("ucl", text, tuple(reader.blocks[0].body))


class _Reader:
    """The blocks that are open, and what was read of each."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.chars = text.chars
        self.size = len(text.chars)
        self.blocks = [_Block(None)]
        self.names = Names(text)

    def read(self) -> None:
        """Read the whole text."""
        at = 0
        while (at := self._skipped(at)) < self.size:
            start = at
            try:
                at = self._element(at) if self.blocks[-1].kind == "array" else self._member(at)
            except Unreadable as reason:
                at = self._unread(start, reason)
            except lexing.UnendedError as comment:
                at = self._unread(start, self._unended(comment))
        while len(self.blocks) > 1:
            self._abandon("the end of the file")

    def _skipped(self, at: int) -> int:
        """Behind blanks and comments; a comment without an end is kept as unread."""
        behind = -1
        while behind < 0:
            try:
                behind = lexing.skip(self.chars, at)
            except lexing.UnendedError as comment:
                at = self._unread(comment.start, self._unended(comment))
        if behind == self.size and self._ends_in_mark(at):
            last = self.size - 1
            message = 'a lone "#" at the very end of the file is no comment to rspamd'
            return self._unread(last, Unreadable(Problem(message, Span(self.text, last, self.size), mend="")))
        return behind

    def _ends_in_mark(self, at: int) -> bool:
        """True if the file ends with a `#` that begins a comment where a name could stand."""
        last = self.size - 1
        if last < at or self.chars[last] != "#" or lexing.skip(self.chars[:last], at) != last:
            return False
        before = self.chars[at:last]
        follows = before.endswith("*/") or (before.endswith("\n") and "#" in before[before[:-1].rfind("\n") + 1 :])
        return not follows and (at > 0 or last > 0)

    def _unended(self, comment: lexing.UnendedError) -> Unreadable:
        place = Span(self.text, comment.start, comment.start + 2)
        if comment.end >= 0:
            message = "a comment whose end rspamd 3.4 and 4.1.5 see at two places, for a star stands before it"
            return Unreadable(Problem(message, place, refused=False), comment.end)
        return Unreadable(Problem('expected "*/" to end the comment, found the end of the file', place, swallows=True), self.size)

    def _unread(self, start: int, reason: Unreadable) -> int:
        end = lexing.line_end(self.chars, start) if reason.end < 0 else reason.end
        end = max(end, start + 1)
        token = Token("bad", self.chars[start:end], self.text, start, end)
        self.blocks[-1].body.append(Statement("unread", (token,), (token,), None, reason.problem))
        return end

    # statements

    def _member(self, at: int) -> int:
        """A statement of the file or a section."""
        first = self.chars[at]
        if first in "}]":
            return self._close(at)
        template = lexing.TEMPLATE.match(self.chars, at)
        if template is not None:
            problem = Problem(
                "a Jinja template, which is not carried out here", Span(self.text, at, template.end()), refused=False
            )
            raise Unreadable(problem, template.end())
        if first == "{" or (first == "[" and self._fresh()):
            return self._outer(at)
        if first == ".":
            macro = Macro(self.text, at)
            self.blocks[-1].body.append(macro.statement)
            return macro.end
        keys = self.names.read(at)
        return self._valued(keys)

    def _element(self, at: int) -> int:
        """A value in an array."""
        first = self.chars[at]
        if first in "}]":
            return self._close(at)
        return self._valued(Keys([], self._behind_comment(at)))

    def _behind_comment(self, at: int) -> int:
        """Where libucl lets a value begin that follows a comment on which no separator went: right behind it, blanks and all."""
        block = self.blocks[-1]
        if block.body or block.header is None:
            return at
        before = block.header.tokens[-1].end
        match = _BLANKS.match(self.chars, before)
        start = match.end() if match else before
        behind = lexing.skip_comments(self.chars, start)
        return behind if behind > start else at

    def _valued(self, keys: Keys) -> int:
        """The statement whose names were read, from its value on."""
        at = keys.at
        first = self.chars[at : at + 1]
        if not first:
            return self._nothing(keys)
        masked = lexing.mask(self.text, at)
        if masked is None and first in ("{", "[") and not lexing.TEMPLATE.match(self.chars, at):
            return self._open(keys, at)
        if not keys.numbers and first in " \t\n\v\f\r":
            keys.problem, at = self._after_comment(at)
        found = masked or lexing.value(self.text, at)
        if found.token is None:
            problem = keys.problem or found.problem or Problem("expected a value", Span(self.text, at, at + 1))
            end = found.end if found.end > lexing.line_end(self.chars, at) else -1
            raise Unreadable(problem, end)
        tokens = [*keys.tokens, found.token]
        wrong = keys.problem or found.problem or self._chained(keys, found.token)
        ends, end, missing = self._ends(found.end)
        template = _template("setting" if keys.numbers else "item", keys.numbers, len(tokens))
        statement = Statement(template.kind, (*tokens, *ends), (*tokens, *ends), template, wrong or missing)
        self.blocks[-1].body.append(statement)
        return end

    def _nothing(self, keys: Keys) -> int:
        """A setting at whose value the file ends, newlines behind its separator: libucl makes null of it."""
        template = _template("setting", keys.numbers, 0)
        tokens = tuple(keys.tokens)
        self.blocks[-1].body.append(Statement("setting", tokens, tokens, template, keys.problem))
        return self.size

    def _after_comment(self, at: int) -> tuple[Problem | None, int]:
        """What libucl makes of a blank between a comment and an array's first value: part of a bare word, or an error."""
        behind = lexing.skip(self.chars, at)
        if self.chars[at] in " \t\v\f":
            return None, at
        message = f"a comment before an array's first value must stand right before it, found {lexing.found_at(self.chars, at)}"
        return Problem(message, Span(self.text, at, min(at + 1, self.size))), behind

    def _chained(self, keys: Keys, token: Token) -> Problem | None:
        """Several names before a value without brackets: libucl then takes what follows into the first one."""
        if len(keys.numbers) < 2:
            return None
        within = len(self.blocks) > 1
        message = f'expected "{{" after "{brief(keys.tokens[keys.numbers[-1]].value)}", found a value'
        return Problem(message, token.span, refused=within)

    def _ends(self, at: int) -> tuple[list[Token], int, Problem | None]:
        """The separators behind a value, where the next statement begins, and the problem if nothing parts the two."""
        found: list[Token] = []
        chars = self.chars
        parted = False
        while True:
            try:
                behind = lexing.skip(chars, at)
            except lexing.UnendedError as comment:
                return found, comment.start, None
            parted = parted or _parts(chars, at, behind)
            if behind >= self.size or chars[behind] not in _ENDS:
                break
            found.append(Token(chars[behind], chars[behind], self.text, behind, behind + 1))
            parted, at = True, behind + 1
        if parted or behind >= self.size or chars[behind] in "}]":
            return found, behind, None
        what = '"," or "]"' if self.blocks[-1].kind == "array" else '";" or a newline'
        message = f"expected {what} after the value, found {lexing.found_at(chars, behind)}"
        return found, behind, Problem(message, lexing.word_span(self.text, behind))

    # blocks

    def _outer(self, at: int) -> int:
        """A bracket where a name should be: the whole file may stand in brackets."""
        problem = None
        if not self._fresh():
            problem = Problem('expected a name before "{"', Span(self.text, at, at + 1))
        return self._open(Keys([], at, problem=problem), at)

    def _fresh(self) -> bool:
        """True if nothing stands before."""
        return len(self.blocks) == 1 and not self.blocks[0].body

    def _open(self, keys: Keys, at: int) -> int:
        bracket = self.chars[at]
        kind = "section" if bracket == "{" else "array"
        if len(self.blocks) > MAX_DEPTH:
            start = keys.tokens[0].start if keys.tokens else at
            message = f"brackets are nested more than {MAX_DEPTH} deep here"
            raise Unreadable(Problem(message, Span(self.text, start, at + 1), refused=False), self._buried(at))
        tokens = (*keys.tokens, Token(bracket, bracket, self.text, at, at + 1))
        template = _template(kind, keys.numbers, 0)
        self.blocks.append(_Block(Statement(kind, tokens, tokens, template, keys.problem, is_block=True)))
        return at + 1

    def _buried(self, at: int) -> int:
        """Behind the bracket that closes the one at an offset; the text's end if none does."""
        depth = 0
        for match in _BURY.finditer(self.chars, at):
            mark = match.group()
            if mark in ("{", "["):
                depth += 1
            elif mark in ("}", "]"):
                depth -= 1
                if not depth:
                    return match.end()
        return self.size

    def _close(self, at: int) -> int:
        bracket = self.chars[at]
        if not any(_CLOSER[block.kind] == bracket for block in self.blocks[1:]):
            problem = Problem(f'nothing is open here that "{bracket}" could close', Span(self.text, at, at + 1))
            rest = self.chars[at + 1 : lexing.line_end(self.chars, at)].strip(" \t;,")
            raise Unreadable(problem, -1 if rest and rest[0] not in "#}]" else at + 1)
        while _CLOSER[self.blocks[-1].kind] != bracket:
            self._abandon(f'"{bracket}"', Span(self.text, at, at + 1))
        ends, end, _ = self._ends(at + 1)
        self._finish((Token(bracket, bracket, self.text, at, at + 1), *ends))
        return end

    def _abandon(self, found: str, place: Span | None = None) -> None:
        """Close a block whose closing bracket is missing; libucl says so where another bracket closes, or at the file's end."""
        header = self.blocks[-1].header
        assert header is not None
        opener = header.tokens[-1]
        where = "here" if place is None else f"on line {opener.span.line}"
        message = f'expected "{_CLOSER[header.kind]}" to end what "{opener.value}" begins {where}, found {found}'
        self._finish((), Problem(message, place or opener.span, swallows=True))

    def _finish(self, close: tuple[Token, ...], problem: Problem | None = None) -> None:
        block = self.blocks.pop()
        head = block.header
        assert head is not None
        if head.problem is not None:
            problem = replace(head.problem, swallows=not close)
        whole = Statement(head.kind, head.tokens, head.seen, head.template, problem, tuple(block.body), close, is_block=True)
        self.blocks[-1].body.append(whole)


def _parts(chars: str, start: int, end: int) -> bool:
    """True if the blanks and comments between two offsets part two statements: a newline or a comment is among them."""
    gap = chars[start:end]
    return "\n" in gap or "\r" in gap or "#" in gap or "/" in gap


_TEMPLATES: dict[tuple[str, tuple[int, ...], int], Template] = {}


def _template(kind: str, keys: list[int], value: int) -> Template:
    """The template of a statement with its names' numbers; `value` is the number of its tokens up to the value, 0 without one."""
    shape = (kind, tuple(keys), value)
    known = _TEMPLATES.get(shape)
    if known is None:
        parts: tuple[Template, ...] = () if kind == "item" else (Template("keys", shape[1]),)
        if value:
            parts = (*parts, Template("value", (value - 1,)))
        known = Template(kind, parts)
        if len(keys) < 4:  # a file may not fill the memory with shapes
            _TEMPLATES[shape] = known
    return known


LANGUAGE = Language(
    "ucl",
    parse,
    lexing.TRIVIA,
    (
        "/etc/rspamd/*.conf",
        "/etc/rspamd/*.inc",
        "/etc/rspamd/local.d/*.conf",
        "/etc/rspamd/local.d/*.inc",
        "/etc/rspamd/override.d/*.conf",
        "/etc/rspamd/override.d/*.inc",
        "/etc/rspamd/modules.d/*.conf",
        "/etc/rspamd/rspamd.conf.local",
        "/etc/rspamd/rspamd.conf.local.override",
        "/etc/rspamd/rspamd.conf.override",
    ),
)
