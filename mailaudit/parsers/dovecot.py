"""Dovecot's settings files, 2.3 and 2.4: one statement a logical line, sections by braces at line ends.

What only one of the two families takes (quoted keys, groups, here-documents) is read here; the model knows the family and
says what it refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

import pyparsing as pp

from mailaudit import edits
from mailaudit.parsers.brief import brief
from mailaudit.parsers.dovecot_lines import TRIVIA, HereDocuments, Line, next_line, tokens_of
from mailaudit.parsers.grammar import Grammar, Kinds, Mismatch, node
from mailaudit.parsers.tokens import MAX_DEPTH
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Template, Token, Tree
from mailaudit.text import Text

_HEADER = re.compile(r"(?P<key>[^ \t={}\"]+)(?:[ \t]+(?P<names>[^={}\"]*[^={}\" \t]))?[ \t]*\{\Z")


def _grammar() -> Grammar:
    kinds = Kinds()
    word = kinds.token("word")
    value = node("value", word | kinds.token("heredoc"))
    setting = node("setting", node("key", word), kinds.token("="), pp.Opt(kinds.token("<")), pp.Opt(value))
    section = node("section", node("key", word), pp.Opt(node("name", word)), kinds.token("{"))
    group = node("group", kinds.token("group"), node("label", word), node("name", word), kinds.token("{"))
    include = node("include", kinds.token("!include") | kinds.token("!include_try"), pp.Opt(node("value", word)))
    return Grammar(kinds, setting | section | group | include)


_GRAMMAR = _grammar()


def parse(text: Text, _include: Include) -> Tree:
    """Read a settings file. Include statements are read, not followed: only a model can list what a pattern matches."""
    reader = _Reader(text)
    at = reader.byte_order_mark()
    while (line := next_line(text, at)) is not None:
        at = reader.read(line)
    return reader.tree()


@dataclass(slots=True)
class _Block:
    """A section whose end has not come yet."""

    header: Statement
    body: list[Statement] = field(default_factory=list)

    def closed(self, close: tuple[Token, ...], problem: Problem | None = None) -> Statement:
        """The section with its body."""
        head = self.header
        problem = head.problem or problem
        return Statement(head.kind, head.tokens, head.seen, head.template, problem, tuple(self.body), close, is_block=True)


class _Reader:
    """The statements read so far, and the sections that are open."""

    def __init__(self, text: Text) -> None:
        self.text = text
        self.statements: list[Statement] = []
        self.open: list[_Block] = []
        self.buried: list[Token] = []  # tokens of a section that is nested too deeply
        self.depth = 0  # how many braces are open in it
        self.documents = HereDocuments(text)

    @property
    def body(self) -> list[Statement]:
        """Where the next statement goes."""
        return self.open[-1].body if self.open else self.statements

    def byte_order_mark(self) -> int:
        """Refuse a byte order mark, and give the offset behind it."""
        if not self.text.chars.startswith("\ufeff"):
            return 0
        mark = Token("bad", "\ufeff", self.text, 0, 1)
        message = "the file begins with a byte order mark, which Dovecot takes for a part of the first setting's name"
        self.unread((mark,), Problem(message, mark.span, mend=""))
        return 1

    def unread(self, tokens: tuple[Token, ...], problem: Problem) -> None:
        """Keep what no grammar reads."""
        self.body.append(Statement("unread", tokens, tokens, problem=problem))

    def read(self, line: Line) -> int:
        """Read one logical line; gives where the next one begins."""
        nul = "\0" in line.chars
        tokens = (line.token("bad", 0, len(line.chars)),) if nul else tokens_of(line)
        if self.buried:
            self._bury(tokens)
        elif nul:
            message = "the line holds a NUL byte, and Dovecot reads no further than to it"
            self.unread(tokens, Problem(message, tokens[0].span, refused=False))
        elif line.dropped:
            self.body.append(Statement("dropped", tokens, tokens))
        elif tokens[0].kind == "}":
            self._close(tokens)
        elif tokens[0].kind == "{" and self._brace_is_due():
            self._late_brace(tokens[0])
        else:
            return self._statement(line, tokens)
        return line.following

    def _statement(self, line: Line, tokens: tuple[Token, ...]) -> int:
        following = line.following
        if len(tokens) == 4 and tokens[2].kind == "<":
            document = self.documents.token(tokens[2], tokens[3], following)
            if document is not None:
                tokens, following = (*tokens[:2], document[0]), document[1]
        template = _GRAMMAR.read(tokens)
        if isinstance(template, Mismatch):
            self._mend(line, tokens, template)
        elif template.kind in ("section", "group"):
            self._open(Statement(template.kind, tokens, tokens, template))
        else:
            self.body.append(Statement(template.kind, tokens, tokens, template))
        return following

    def _open(self, header: Statement, *body: Statement) -> None:
        if len(self.open) < MAX_DEPTH:
            self.open.append(_Block(header, list(body)))
        else:
            self.buried, self.depth = list(header.tokens), 1

    def _close(self, tokens: tuple[Token, ...]) -> None:
        if self.open:
            section = self.open.pop().closed(tokens)
            self.body.append(section)
        else:
            self.unread(tokens, Problem('no section is open here that "}" could close', tokens[0].span))

    def _bury(self, tokens: tuple[Token, ...]) -> None:
        self.buried += tokens
        if tokens[-1].kind == "{":
            self.depth += 1
        elif tokens[0].kind == "}":
            self.depth -= 1
        if self.depth == 0:
            self._dig()

    def _dig(self) -> None:
        tokens = tuple(self.buried)
        self.buried = []
        self.unread(tokens, Problem(f"sections are nested more than {MAX_DEPTH} deep here", tokens[0].span))

    def _brace_is_due(self) -> bool:
        last = self.body[-1] if self.body else None
        return last is not None and last.unread and len(last.tokens) <= 2 and all(token.is_string for token in last.tokens)

    def _late_brace(self, brace: Token) -> None:
        tokens = (*self.body.pop().tokens, brace)
        template = _GRAMMAR.read(tokens)
        assert isinstance(template, Template)
        message = f'expected "{{" at the end of the line of "{brief(tokens[-2].value)}", found it on a line of its own'
        self._open(Statement("section", tokens, tokens, template, Problem(message, tokens[0].span.to(brace.span))))

    def _mend(self, line: Line, tokens: tuple[Token, ...], mismatch: Mismatch) -> None:
        problem = _explain(tokens, mismatch)
        mended = _mended_header(line, tokens)
        if mended is not None:
            seen, problem = mended
            template = _GRAMMAR.read(seen)
            assert isinstance(template, Template)
            self._open(Statement("section", tokens, seen, template, problem))
        elif tokens[mismatch.at - 1].kind == "{" and mismatch.at > 1:
            self._one_line(line, tokens, mismatch.at, problem)
        else:
            self.unread(tokens, problem)

    def _one_line(self, line: Line, tokens: tuple[Token, ...], after: int, problem: Problem) -> None:
        """A section that goes on behind its brace: read it as if each setting stood on a line of its own."""
        head = tokens[:after]
        closes = tokens[-1].value == "}"
        start = line.chars.index("{") + 1
        inside = (line.chars[start:-1] if closes else line.chars[start:]).strip(" \t")
        start = line.chars.index(inside, start)
        within = tokens_of(line.part(start, start + len(inside))) if inside and len(line.pieces) == 1 else ()
        body = _GRAMMAR.read(within) if within else None
        template = _GRAMMAR.read(head)
        if isinstance(template, Mismatch) or (inside and not _is_setting(body, inside)):
            self.unread(tokens, problem)
            return
        settings = (Statement("setting", within, within, body),) if isinstance(body, Template) else ()
        header = Statement(template.kind, head, head, template, problem)
        if not closes:
            self._open(header, *settings)
            return
        mend = _on_lines_of_its_own(self.text, head[0], inside)
        problem = Problem(problem.message, head[-1].span.to(tokens[-1].span), mend=mend)
        self.body.append(Statement(template.kind, head, head, template, problem, settings, tokens[-1:], is_block=True))

    def tree(self) -> Tree:
        """All statements, once the text is at its end."""
        if self.buried:
            self._dig()
        while self.open:
            block = self.open.pop()
            tokens = block.header.tokens
            name = " ".join(brief(token.value) for token in tokens if token.is_string or token.kind == "group")
            message = f'expected "}}" for the section "{name}" that begins here, found the end of the file'
            problem = replace(block.header.problem or Problem(message, tokens[-1].span), swallows=True)
            self.body.append(replace(block.closed(()), problem=problem))
        return Tree("dovecot", self.text, tuple(self.statements))


def _is_setting(template: Template | Mismatch | None, inside: str) -> bool:
    """True for one setting; with a second "=" there may be more of them, and what was meant is not plain."""
    return isinstance(template, Template) and template.kind == "setting" and inside.count("=") == 1


def _on_lines_of_its_own(text: Text, first: Token, inside: str) -> str:
    newline = edits.newline_of(text)
    indent = edits.indent_of(text, first.start)
    return f"{{{newline}{indent}  {inside}{newline}{indent}}}" if inside else f"{{{newline}{indent}}}"


def _explain(tokens: tuple[Token, ...], mismatch: Mismatch) -> Problem:
    at = mismatch.at
    if at == 0:
        expected = "a setting's name"
    elif tokens[at - 1].kind == "{":
        expected = 'the end of the line after "{"'
    elif at == 1 and tokens[0].kind != "group":
        expected = f'"=" or "{{" after "{brief(tokens[0].value)}"'
    elif tokens[0].kind == "group" and at < 3:
        expected = f'a group\'s name after "{brief(tokens[at - 1].value)}"'
    else:
        expected = f'"{{" after "{brief(tokens[at - 1].value)}"'
    if at < len(tokens):
        return Problem(f'expected {expected}, found "{brief(tokens[at].value)}"', tokens[at].span)
    return Problem(f"expected {expected}, found the end of the line", tokens[-1].span)


def _mended_header(line: Line, tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], Problem] | None:
    """What a section's broken first line plainly meant: the tokens to read, and the problem with what should stand there."""
    size = len(line.chars)
    last = tokens[-1]
    if size < 1000 and len(tokens) == 2 and last.kind == "word" and last.value[0] == '"' and last.value[-1] == "{":
        name = Token("string", last.value[1:-1].rstrip(" \t"), last.text, last.start, last.end)
        problem = Problem("the quote before the section's name is not closed", last.span, mend=f'"{name.value}" {{')
        return (tokens[0], name, line.token("{", size - 1, size)), problem
    head = _HEADER.match(line.chars) if size < 1000 and tokens[0].kind == "word" else None
    if head is None:
        return None
    brace = line.token("{", size - 1, size)
    written = head["names"] or ""
    if " " not in written and "\t" not in written:
        name = line.token("word", *head.span("names")) if written else line.token("word", *head.span("key"))
        seen = (tokens[0], name, brace) if written else (name, brace)
        place = name.span.to(brace.span)
        return seen, Problem(f'expected a blank between "{brief(name.value)}" and "{{"', place, mend=f"{name.value} {{")
    bare = written[1:-1] if written[0] == written[-1] == "'" else written
    name = line.token("string", *head.span("names"), bare)
    message = f"a section's name with blanks in it stands in double quotes: {brief(written)}"
    return (tokens[0], name, brace), Problem(message, name.span, mend=f'"{bare}"')


LANGUAGE = Language(
    "dovecot",
    parse,
    TRIVIA,
    ("/etc/dovecot/dovecot.conf", "/etc/dovecot/*.conf", "/etc/dovecot/conf.d/*.conf", "/etc/dovecot/conf.d/auth-*.conf.ext"),
)
