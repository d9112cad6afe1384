"""The statement splitter of acme-client.conf and httpd.conf: options a line, blocks of them, lists, macros and includes.

Source: the `grammar`, `optnl`, `nl` and `include` productions that parse.y of acme-client (1.47) and httpd (2025-09) share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailaudit.parsers.brief import brief
from mailaudit.parsers.grammar import Grammar, Mismatch
from mailaudit.parsers.mending import readings
from mailaudit.parsers.nearest import nearest
from mailaudit.parsers.tokens import Lexicon, Macro, Undefined, expand, is_too_large, tokenise, too_deep
from mailaudit.parsers.tree import Include, Included, Node, Problem, Statement, Template, Token, Tree, has_open_quote
from mailaudit.text import Span, Text

ROOT = ""
LONGEST_STRING = 8094  # yylex() copies a token into 8096 characters
MOST_INCLUDES = 1000
DEEPEST_INCLUDE = 32
_EMPTY = Template("empty", ())


@dataclass(frozen=True)
class Dialect:
    """What tells the two languages apart.

    `grammars` has a grammar for each context; a context is `ROOT` or the kind of block whose body it is. `openers` are the
    keywords that begin a block there. In a `strict` context even a lone option must end its line. `refuse` finds fault with
    a statement that the grammar could read. Statements that begin with a `newer` word may be known to a later release.
    """

    name: str
    lexicon: Lexicon
    grammars: Mapping[str, Grammar]
    openers: Mapping[str, frozenset[str]]
    strict: frozenset[str] = frozenset()
    newer: frozenset[str] = frozenset()
    refuse: Callable[[Template, tuple[Token, ...]], Problem | None] = lambda _template, _tokens: None


def read_blocks(text: Text, include: Include, dialect: Dialect) -> Tree:
    """The tree of a file and of all that it includes."""
    return _Reading(dialect, include).file(text, ROOT, (text.path,))


@dataclass
class _Block:
    """A block that is being read: its header, what stands in its body so far, whether a new line has begun since."""

    context: str
    header: Statement | None = None
    body: list[Statement] = field(default_factory=list)
    fresh: bool = True


class _Reading:
    """What lasts over included files: macros, and how much has been included."""

    def __init__(self, dialect: Dialect, include: Include) -> None:
        self.dialect = dialect
        self.include = include
        self.macros: dict[str, Macro] = {}
        self.includes = 0

    def file(self, text: Text, context: str, trail: tuple[str, ...]) -> Tree:
        return _File(self, text, context, trail).tree()


class _File:
    """One file on its way from tokens to statements."""

    def __init__(self, reading: _Reading, text: Text, context: str, trail: tuple[str, ...]) -> None:
        self.reading = reading
        self.dialect = reading.dialect
        self.text = text
        self.trail = trail
        self.tokens = tokenise(text, self.dialect.lexicon)
        self.partners = _partners(self.tokens)
        self.included: list[Included] = []
        self.blocks = [_Block(context)]

    def tree(self) -> Tree:
        at = 0
        while at < len(self.tokens):
            kind = self.tokens[at].kind
            if kind == "newline":
                self.blocks[-1].fresh = True
                at += 1
            elif kind == "}" and len(self.blocks) > 1:
                self._close(self.tokens[at])
                at += 1
            else:
                at = self._statement(at)
        end = self.tokens[-1] if self.tokens else None
        self._abandon("the end of the file", end.span if end is not None else Span(self.text, 0, 0))
        return Tree(self.dialect.name, self.text, tuple(self.blocks[0].body), tuple(self.included))

    def _statement(self, at: int) -> int:
        """Read the statement that begins at a token; the number of the token after it."""
        if len(self.blocks) > 1 and self._begins_anew(at):
            self._abandon(f'"{self.tokens[at].value}"', self.tokens[at].span)
        block = self.blocks[-1]
        glued = self._is_glued(block)
        kind = self._kind(at)
        opener = kind in self.dialect.openers.get(block.context, frozenset())
        end, opens = self._extent(at, opener)
        found = self._read(self.tokens[at:end], block, opens)
        if glued and found[0].problem is None:
            found[0] = replace(found[0], problem=_glued(self.tokens[at]))
        if opens:
            self.blocks.append(_Block(kind, replace(found[0], is_block=True)))
            return end
        block.body += found
        block.fresh = found[-1].kind == "include"  # the included file begins and ends with a new line
        return end

    def _kind(self, at: int) -> str:
        """The kind of a token; of a macro's use that of what its value begins with."""
        token = self.tokens[at]
        seen = expand([token], self.reading.macros, self.dialect.lexicon) if token.kind == "macro" else (token,)
        return token.kind if isinstance(seen, Undefined) or not seen else seen[0].kind

    def _is_glued(self, block: _Block) -> bool:
        """True if a statement or a closing brace must not stand here because no new line has begun."""
        if block.fresh:
            return False
        return block.header is None or len(block.body) > 1 or block.context in self.dialect.strict

    def _extent(self, at: int, opener: bool) -> tuple[int, bool]:
        """Where a statement ends: at its line's end, before a brace that closes a block, or after one that opens a block."""
        tokens = self.tokens
        if tokens[at].kind == "include" and at + 1 < len(tokens) and tokens[at + 1].kind not in ("newline", "}"):
            return at + 2, False
        end = at
        while end < len(tokens):
            kind = tokens[end].kind
            if kind == "newline":
                brace = self._brace_below(end) if opener else None
                return (end, False) if brace is None else (brace + 1, True)
            if kind == "}" and end > at:
                return end, False
            if kind == "{":
                if opener:
                    return end + 1, True
                end = self.partners.get(end, end)
            end += 1
        return end, False

    def _brace_below(self, at: int) -> int | None:
        """The brace that should have stood at the end of the line before this new line."""
        while at < len(self.tokens) and self.tokens[at].kind == "newline":
            at += 1
        return at if at < len(self.tokens) and self.tokens[at].kind == "{" else None

    def _begins_anew(self, at: int) -> bool:
        """True if a block of the outermost level begins within another, which then was never closed."""
        openers = self.dialect.openers
        kind = self.tokens[at].kind
        if kind not in openers[ROOT] or kind in openers.get(self.blocks[-1].context, frozenset()):
            return False
        line = [token.kind for token in self.tokens[at + 1 : at + 4]]
        return "{" in line and all(each in ("string", "word", "match") for each in line[: line.index("{")])

    def _close(self, brace: Token) -> None:
        block = self.blocks.pop()
        if self._is_glued(block) and block.body[-1].problem is None:
            block.body[-1] = replace(block.body[-1], problem=_glued(brace))
        self._finish(block, brace)

    def _abandon(self, found: str, at: Span) -> None:
        while len(self.blocks) > 1:
            block = self.blocks.pop()
            header = block.header
            if header is not None and header.problem is not None:
                block.header = replace(header, problem=replace(header.problem, swallows=True))
            elif header is not None:
                began = f'what "{{" began on line {header.tokens[-1].span.line}'
                problem = Problem(f'expected "}}" to end {began}, found {found}', at, swallows=True)
                block.header = replace(header, problem=problem)
            self._finish(block, None)
            self.blocks[-1].fresh = True

    def _finish(self, block: _Block, brace: Token | None) -> None:
        header = block.header
        if header is None:
            raise AssertionError("the outermost level is never closed")
        if brace is not None and not block.body and header.problem is None:
            header = replace(header, problem=Problem("a block must hold at least one option", brace.span))
        close = () if brace is None else (brace,)
        self.blocks[-1].body.append(replace(header, body=tuple(block.body), close=close))
        self.blocks[-1].fresh = False

    def _read(self, tokens: list[Token], block: _Block, opens: bool) -> list[Statement]:
        """A statement out of its tokens; two, where the daemon does not ask for a new line after a block's first option."""
        written = _written(tokens)
        expanded = self._expanded(tokens)
        if isinstance(expanded, Problem):
            return [_unread(written, expanded)]
        seen, problem = _without_returns(expanded)
        if opens and len(written) != len(tokens):
            seen = tuple(token for token in seen if token.kind != "newline")
            problem = problem or Problem('expected "{" at the end of the line, found a new line', written[-2].span)
        if not seen:
            return [Statement("empty", written, seen, _EMPTY, problem)]
        result = self.dialect.grammars[block.context].read(seen)
        if isinstance(result, Mismatch):
            return self._misfit(tokens, seen, result, block, problem)
        entered = self._enter(result, seen, block.context)
        problem = problem or self.dialect.refuse(result, seen) or entered
        return [Statement(result.kind, written, seen, result, problem)]

    def _misfit(
        self, tokens: list[Token], seen: tuple[Token, ...], mismatch: Mismatch, block: _Block, problem: Problem | None
    ) -> list[Statement]:
        """What is made of a statement that does not fit: two statements, one that was plainly meant, or an unread one."""
        written = _written(tokens)
        at = mismatch.at
        first = not block.body and block.header is not None and block.context not in self.dialect.strict
        if first and 0 < at < len(seen) and len(seen) == len(tokens):
            pair = [*self._read(tokens[:at], block, False), *self._read(tokens[at:], block, False)]
            if len(pair) == 2 and not any(each.unread for each in pair):
                return pair
        mended = self._mended(written, seen, at, block.context)
        if mended is not None:
            return [mended]
        refused = seen[0].value not in self.dialect.newer
        return [_unread(written, problem or explain(seen, mismatch, refused, self.dialect.lexicon.keywords), seen)]

    def _expanded(self, tokens: list[Token]) -> tuple[Token, ...] | Problem:
        """The tokens that the daemon sees, or why it stops here."""
        deep = too_deep(tokens)
        if deep is not None:
            return Problem("braces are nested too deeply", deep.span)
        expanded = expand(tokens, self.reading.macros, self.dialect.lexicon)
        if isinstance(expanded, Undefined):
            return Problem(f'macro "{brief(expanded.use.value)}" is not defined', expanded.use.span)
        return _unfit(expanded) or expanded

    def _mended(self, written: tuple[Token, ...], seen: tuple[Token, ...], at: int, context: str) -> Statement | None:
        """The statement as it was plainly meant, with what the daemon finds wrong with it."""
        for tokens, problem in readings(seen, at):
            result = self.dialect.grammars[context].read(tokens)
            if isinstance(result, Template):
                self._enter(result, tokens, context)
                return Statement(result.kind, written, tokens, result, problem)
        return None

    def _enter(self, template: Template, seen: tuple[Token, ...], context: str) -> Problem | None:
        """Remember a macro, go into an included file."""
        if template.kind == "macro":
            if any(char.isspace() for char in seen[0].value):
                return Problem("a macro's name cannot contain blanks", seen[0].span)
            self.reading.macros[seen[0].value] = Macro.of(seen[0], seen[2:])
        elif template.kind == "include":
            return self._include(Node(template, seen).leaves()[-1], context)
        return None

    def _include(self, name: Token, context: str) -> Problem | None:
        path = name.value if name.value.startswith("/") else f"/{name.value}"
        if path in self.trail or len(self.trail) > DEEPEST_INCLUDE:
            return Problem(f"{brief(path)} includes itself", name.span)
        self.reading.includes += 1
        if self.reading.includes > MOST_INCLUDES:
            return Problem(f"more than {MOST_INCLUDES} files are included", name.span, refused=False)
        text = self.reading.include(path)
        if text is None:
            self.included.append(Included(path, name.span, why="its content is not known"))
        else:
            self.included.append(Included(path, name.span, self.reading.file(text, context, (*self.trail, path))))
        return None


def _partners(tokens: list[Token]) -> dict[int, int]:
    """For each brace that opens, the one that closes it."""
    partners: dict[int, int] = {}
    waiting: list[int] = []
    for number, token in enumerate(tokens):
        if token.kind == "{":
            waiting.append(number)
        elif token.kind == "}" and waiting:
            partners[waiting.pop()] = number
    return partners


def _without_returns(tokens: tuple[Token, ...]) -> tuple[tuple[Token, ...], Problem | None]:
    """The tokens without the carriage returns of a file with CRLF line ends, which these daemons refuse."""
    kept: list[Token] = []
    problem = None
    for number, token in enumerate(tokens):
        last = number + 1 == len(tokens) or tokens[number + 1].kind == "newline"
        if last and token.kind == "bad" and token.value == "\r":
            problem = problem or Problem("the line ends in a carriage return, which is refused", token.span, mend="")
        else:
            kept.append(token)
    return tuple(kept), problem


def _unfit(tokens: Sequence[Token]) -> Problem | None:
    for token in tokens:
        if len(token.value) > LONGEST_STRING:
            return Problem(f"string too long: more than {LONGEST_STRING} characters", token.place)
        if token.kind == "string" and "\0" in token.value:
            return Problem("a quoted string holds a NUL byte", token.place)
        if is_too_large(token):
            return Problem(f"{brief(token.value)} is too large a number", token.place)
    return None


def _glued(token: Token) -> Problem:
    return Problem(f'expected a new line, found "{brief(token.value)}"', token.span, mend="\n" + token.span.chars)


def _written(tokens: Sequence[Token]) -> tuple[Token, ...]:
    return tuple(token for token in tokens if token.kind != "newline")


def _unread(written: tuple[Token, ...], problem: Problem, seen: tuple[Token, ...] = ()) -> Statement:
    if has_open_quote(written):
        problem = replace(problem, swallows=True)
    return Statement("unread", written, seen, None, problem)


def explain(seen: Sequence[Token], mismatch: Mismatch, refused: bool = True, known: Iterable[str] = ()) -> Problem:
    """What was expected where, in words, at the token that did not fit; and which of the `known` words was meant, if one was."""
    at = mismatch.at
    after = f' after "{brief(seen[at - 1].value)}"' if at > 0 and seen[at - 1].kind != "newline" else ""
    expected = f"expected {mismatch.expected}{after}"
    if at == len(seen):
        return Problem(f"{expected}, found the end of the line", seen[-1].place, refused)
    words = tuple(sorted(known))
    if at == 1 and mismatch.expected == '"="' and seen[0].kind == "word" and (meant := nearest(seen[0].value, words)):
        return Problem(f'"{seen[0].value}" is no keyword; did you mean "{meant}"?', seen[0].place, refused)
    found = "a new line" if seen[at].kind == "newline" else f'"{brief(seen[at].value)}"'
    near = (nearest(each.value, words) for each in (seen[at], *seen[at - 1 : at]) if each.kind == "word")
    meant = next(filter(None, near), None)
    hint = f'; did you mean "{meant}"?' if meant else ""
    return Problem(f"{expected}, found {found}{hint}", seen[at].place, refused)


def unfold(tree: Tree, statements: Sequence[Statement] | None = None) -> Iterator[tuple[Statement, Tree]]:
    """Statements in the order the daemon reads them, an included file's in the place of its include; each with its file."""
    included = {(each.at.path, each.at.start): each.tree for each in tree.included}
    for statement in tree.statements if statements is None else statements:
        if statement.kind != "include" or statement.template is None:
            yield statement, tree
            continue
        name = statement.node.leaves()[-1]
        inner = included.get((name.text.path, name.start))
        if inner is not None and statement.problem is None:
            yield from unfold(inner)
