"""pf.conf: splits the file into statements, puts in macros, follows includes, and goes on after what pfctl refuses.

Source: yylex(), lgetc() and the productions of pfctl's parse.y 1.719 (2025-09); each lexical rule is in the tests.
"""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace

from mailaudit.parsers.brief import brief
from mailaudit.parsers.grammar import Mismatch
from mailaudit.parsers.making import many
from mailaudit.parsers.pf_grammar import GRAMMAR, NESTING
from mailaudit.parsers.pf_limiters import defined, without_uses
from mailaudit.parsers.pf_lines import EMPTY, LEXICON, Lines
from mailaudit.parsers.pf_mending import Mender
from mailaudit.parsers.pf_messages import bad_token, mismatch, misplaced, shown
from mailaudit.parsers.quotes import straightened
from mailaudit.parsers.tokens import MAX_DEPTH, TRIVIA, Macro, Undefined, expand, is_too_large, tokens_from, too_deep
from mailaudit.parsers.tree import Include, Included, Language, Problem, Statement, Template, Token, Tree, has_open_quote
from mailaudit.text import Text

LONGEST_WORD = 8094  # yylex() copies a word into 8096 characters
LONGEST = 1 << 19  # what macros put in one statement may hold: each one may double the one before it
DEEPEST_INCLUDE = 32
MOST_INCLUDES = 1000
MOST_BEFORE_LOG = 8  # tokens of an action and a direction: block return-icmp ( 3 , 1 ) in
_BEGINNINGS = frozenset(["pass", "block", "match", "set", "anchor", "table", "queue", "antispoof", "include", "load"])
_IN_ANCHOR = frozenset(("rule", "anchor", "table", "include"))
_WITH_LISTS = "on proto from to port os user group icmp-type icmp6-type nat-to rdr-to binat-to route-to reply-to dup-to"
_BEFORE_LIST = frozenset(_WITH_LISTS.split())
_NO_SENSE = Template("unread", ())


def parse(text: Text, include: Include) -> Tree:
    """The tree of a ruleset and of the files that it includes or loads into anchors."""
    with many():
        return _File(_Reading(include), text, (text.path,)).tree()


LANGUAGE = Language("pf", parse, TRIVIA, ("/etc/pf.conf",))


@dataclass
class _Reading:
    """What lasts over included files."""

    include: Include
    macros: dict[str, Macro] = field(default_factory=dict)
    mender: Mender = field(default_factory=Mender)
    budget: list[int] = field(default_factory=lambda: [MOST_INCLUDES])


@dataclass
class _Block:
    """An anchor that is being read: its header and what stands in its body so far."""

    header: Statement | None = None
    body: list[Statement] = field(default_factory=list)


class _Ahead:
    """The tokens from some place on, made as far as somebody looks."""

    def __init__(self, text: Text, start: int) -> None:
        self.made: list[Token] = []
        self._more = tokens_from(text, LEXICON, start)

    def get(self, number: int) -> Token | None:
        """One token, or None after the end."""
        while number >= len(self.made):
            token = next(self._more, None)
            if token is None:
                return None
            self.made.append(token)
        return self.made[number]

    def kind(self, number: int) -> str:
        """The kind of one token; behind the last one is a newline."""
        token = self.get(number)
        return "newline" if token is None else token.kind


class _File:
    """One file on its way from characters to statements."""

    def __init__(self, reading: _Reading, text: Text, trail: tuple[str, ...]) -> None:
        self.reading = reading
        self.text = text
        self.trail = trail
        self.lines = Lines(text)
        self.included: list[Included] = []
        self.blocks = [_Block()]

    def tree(self) -> Tree:
        at = 0
        chars = self.text.chars
        size = len(chars)
        macros = self.reading.macros
        while at < size:
            eol = chars.find("\n", at)
            eol = size if eol < 0 else eol
            rule = self.lines.rule(at, eol, macros)
            if rule is None:
                at = self._at(at)
                continue
            if rule is not EMPTY:
                self.blocks[-1].body.append(rule)
            at = eol + 1
        while len(self.blocks) > 1:
            self._never_closed()
        return Tree("pf", self.text, tuple(self.blocks[0].body), tuple(self.included))

    def _at(self, at: int) -> int:
        """Read the statement or closing brace that begins at an offset; the offset after it."""
        ahead = _Ahead(self.text, at)
        kind = ahead.kind(0)
        if ahead.get(0) is None:
            return len(self.text.chars)
        if kind == "newline":
            return ahead.made[0].end
        end = self._close(ahead) if kind == "}" and len(self.blocks) > 1 else self._statement(ahead)
        return ahead.made[end - 1].end

    def _statement(self, ahead: _Ahead) -> int:
        """Read the statement that begins with the first token; the number of the token after it."""
        end, opens = self._extent(ahead)
        statement = self._read(tuple(ahead.made[:end]))
        if opens and len(self.blocks) > MAX_DEPTH:
            message = f"anchors are nested more than {MAX_DEPTH} deep here"
            self.blocks[-1].body.append(_unread(statement.tokens, Problem(message, statement.span, refused=False)))
        elif opens:
            self.blocks.append(_Block(replace(statement, is_block=True)))
        else:
            self.blocks[-1].body.append(statement)
        return end

    def _extent(self, ahead: _Ahead) -> tuple[int, bool]:
        """The number of the token after a statement, and whether an anchor's body begins there.

        Newlines are part of lists in braces; a list that is not closed ends where another statement seems to begin.
        """
        is_anchor = ahead.kind(0) == "anchor"
        depth = number = 0
        while ahead.get(number) is not None:
            kind = ahead.kind(number)
            if kind == "newline":
                if depth == 0 or _begins(ahead, number + 1):
                    return number, False
            elif kind == "{":
                listed = ahead.kind(number - 1) in _BEFORE_LIST
                if is_anchor and depth == 0 and not listed and ahead.kind(number + 1) == "newline":
                    return number + 1, True
                depth += 1
            elif kind == "}" and depth:
                depth -= 1
            number += 1
        while ahead.kind(number - 1) == "newline":
            number -= 1
        return number, False

    def _close(self, ahead: _Ahead) -> int:
        """The brace that closes an anchor; whatever follows on its line is not read."""
        block = self.blocks.pop()
        assert block.header is not None
        closed = replace(block.header, body=tuple(block.body), close=(ahead.made[0],))
        self.blocks[-1].body.append(closed)
        end = 1
        while ahead.kind(end) != "newline":
            end += 1
        if end > 1:
            rest = tuple(ahead.made[1:end])
            message = f'expected the end of the line after "}}", found "{shown(rest[0])}"'
            self.blocks[-1].body.append(_unread(rest, Problem(message, rest[0].span)))
        return end

    def _never_closed(self) -> None:
        block = self.blocks.pop()
        assert block.header is not None
        problem = Problem('the "{" of this anchor is never closed', block.header.tokens[-1].span)
        problem = replace(block.header.problem or problem, swallows=True)
        header = replace(block.header, body=tuple(block.body), problem=problem)
        self.blocks[-1].body.append(header)

    def _read(self, tokens: tuple[Token, ...]) -> Statement:
        macros = self.reading.macros
        if too_deep(tokens) is not None:
            return _too_deep(tokens)
        if sum(len(macros[token.value].value) for token in tokens if token.kind == "macro" and token.value in macros) > LONGEST:
            problem = Problem(f"macros hold more than {LONGEST} characters here", tokens[0].span, refused=False)
            return _unread(tokens, problem)
        if self._is_definition(tokens):  # the name is no place for a macro, the value may hold some
            value = expand(tokens[2:], macros, LEXICON)
            seen = value if isinstance(value, Undefined) else (*tokens[:2], *value)
        else:
            seen = expand(tokens, macros, LEXICON)
        if isinstance(seen, Undefined):
            return _unread(tokens, _undefined(seen.use))
        statement = _understood(tokens, seen, self.reading.mender)
        if len(self.blocks) > 1 and statement.kind not in _IN_ANCHOR and statement.problem is None:
            message = f'"{tokens[0].value}" cannot stand inside an anchor, only rules, tables, anchors and includes'
            return replace(statement, kind="unread", template=None, problem=Problem(message, statement.span))
        return self._act(statement)

    def _is_definition(self, tokens: tuple[Token, ...]) -> bool:
        return len(tokens) > 2 and tokens[1].kind == "=" and tokens[0].is_string

    def _act(self, statement: Statement) -> Statement:
        """Do what a statement tells the reader itself to do: define a macro, include a file."""
        if statement.kind == "macro":
            name, _, *parts = statement.seen
            if any(char.isspace() for char in name.value[1:]):
                return replace(statement, problem=Problem("a macro's name cannot contain white space", name.span))
            self.reading.macros[name.value] = Macro.of(name, [_plain(part) for part in parts])
        elif statement.kind == "include":
            return self._include(statement, statement.seen[1], self.reading)
        elif statement.kind == "load":
            fresh = _Reading(
                self.reading.include, mender=self.reading.mender, budget=self.reading.budget
            )  # pfctl forgets macros before it loads anchors
            return self._include(statement, statement.seen[4], fresh)
        return statement

    def _include(self, statement: Statement, name: Token, reading: _Reading) -> Statement:
        path = posixpath.normpath(posixpath.join("/", name.value))  # /etc/rc runs pfctl in the root directory
        if path in self.trail or len(self.trail) > DEEPEST_INCLUDE:
            self.included.append(Included(path, name.span, None, "it includes itself"))
            return replace(statement, kind="unread", template=None, problem=Problem(f"{brief(path)} includes itself", name.span))
        reading.budget[0] -= 1
        if reading.budget[0] < 0:
            problem = Problem(f"more than {MOST_INCLUDES} included files", name.span, refused=False)
            return replace(statement, kind="unread", template=None, problem=problem)
        text = reading.include(path)
        if text is None:
            self.included.append(Included(path, name.span, None, "it is not there or was not read"))
        else:
            tree = _File(reading, text, (*self.trail, path)).tree()
            self.included.append(Included(path, name.span, tree))
        return statement


def _begins(ahead: _Ahead, number: int) -> bool:
    """True if a statement seems to begin at a token."""
    token = ahead.get(number)
    if token is None or ahead.get(number + 1) is None:
        return False
    return token.kind in _BEGINNINGS or (token.is_string and ahead.kind(number + 1) == "=")


def _understood(tokens: tuple[Token, ...], seen: tuple[Token, ...], mender: Mender) -> Statement:
    """The statement as the grammar reads it; where only a comma or a carriage return is wrong, as if that were not there."""
    if not seen:  # macros that hold nothing
        return Statement("empty", tokens, seen, _NO_SENSE)
    problem = _lexical(tokens, seen)
    read = GRAMMAR.read(seen) if problem is None else None
    if isinstance(read, Template):
        return Statement(read.kind, tokens, seen, read)
    plain = _with_limiter(tokens, seen, mender) or _plainly_meant(tokens, seen)
    if plain is not None:
        return plain
    if problem is None:
        assert isinstance(read, Mismatch)
        moved = _word_moved(seen, read.at)
        if moved is not None:
            return replace(moved, tokens=tokens)
        meant = mender.meant(seen, read)
        if meant is not None and (meant[0][-1].kind == "{") == (tokens[-1].kind == "{"):  # a body begins where it is written
            return Statement(meant[1].kind, tokens, meant[0], meant[1], meant[2])
        problem = mismatch(read, seen, tokens, too_nested=_nesting(seen) > NESTING)
    return _unread(tokens, problem, seen)


def _with_limiter(tokens: tuple[Token, ...], seen: tuple[Token, ...], mender: Mender) -> Statement | None:
    """The definition of a limiter, or the statement without those that it uses."""
    limiter = defined(seen)
    if limiter is not None:
        return Statement("limiter", tokens, seen, limiter)
    rest = without_uses(seen)
    return _understood(tokens, rest, mender) if len(rest) < len(seen) else None


def _plainly_meant(tokens: tuple[Token, ...], seen: tuple[Token, ...]) -> Statement | None:
    """The statement without marks that are too much in it, or with the quotes that are meant."""
    kept, straight = _without_stray(seen), straightened(seen)
    others = [(kept, _stray(seen, kept))] if kept and len(kept) < len(seen) else []
    for row, problem in (*others, *((straight,) if straight is not None else ())):
        read = GRAMMAR.read(row)
        if isinstance(read, Template) and not any(token.kind == "bad" for token in row):
            return Statement(read.kind, tokens, row, read, problem)
    return None


def _lexical(tokens: tuple[Token, ...], seen: tuple[Token, ...]) -> Problem | None:
    long = tokens[-1].end - tokens[0].start > LONGEST_WORD
    for token in seen:
        if token.kind == "bad":
            return bad_token(token)
        if long and len(token.value) > LONGEST_WORD:
            return Problem(f"a word of more than {LONGEST_WORD} characters", token.span)
        if token.kind == "string" and "\0" in token.value:
            return Problem("a NUL character in a quoted string", token.span)
        if is_too_large(token):
            return Problem(f"{brief(token.value)} is too large a number", token.span)
    return None


_STRAY_BEFORE = frozenset(("newline", ",", "}"))


def _without_stray(seen: tuple[Token, ...]) -> tuple[Token, ...]:
    """The tokens without commas that separate nothing, carriage returns at line ends, and a byte order mark."""
    kept = []
    for number, token in enumerate(seen):
        following = seen[number + 1].kind if number + 1 < len(seen) else "newline"
        comma = token.kind == "," and (following in _STRAY_BEFORE or (number and seen[number - 1].kind == "{"))
        mark = token.kind == "bad" and (
            (token.value == "\r" and following == "newline") or (token.value == "\ufeff" and token.start == 0)
        )
        if not comma and not mark:
            kept.append(token)
    return tuple(kept)


def _stray(seen: tuple[Token, ...], mended: tuple[Token, ...]) -> Problem:
    left = set(map(id, mended))
    gone = next(token for token in seen if id(token) not in left)
    if gone.kind == ",":
        return Problem('a "," must be followed by another item on the same line', gone.span, mend="")
    return replace(bad_token(gone), mend="")


def _word_moved(seen: tuple[Token, ...], at: int) -> Statement | None:
    """The statement with a `log` or `quick` that stands too late in a rule put behind its action and direction."""
    if at >= len(seen) or seen[at].kind not in ("log", "quick") or seen[at].via or seen[0].kind not in ("pass", "block", "match"):
        return None
    word = seen[at]
    others = (*seen[:at], *seen[at + 1 :])
    for place in range(1, min(at, MOST_BEFORE_LOG) + 1):
        moved = (*others[:place], word, *others[place:])
        read = GRAMMAR.read(moved)
        if isinstance(read, Template) and not others[place - 1].via:
            return Statement(read.kind, seen, moved, read, misplaced(word, seen[at - 1], others[place - 1]))
    return None


def _nesting(seen: tuple[Token, ...]) -> int:
    depth = deepest = 0
    for token in seen:
        depth += {"{": 1, "}": -1}.get(token.kind, 0)
        deepest = max(deepest, depth)
    return deepest


def _plain(token: Token) -> Token:
    """A number as parse.y prints it into a macro: 007 is 7."""
    if token.kind != "number":
        return token
    return Token("word", str(int(token.value)), token.text, token.start, token.end, token.via)


def _unread(tokens: tuple[Token, ...], problem: Problem, seen: tuple[Token, ...] = ()) -> Statement:
    if has_open_quote(tokens):
        problem = replace(problem, swallows=True)
    return Statement("unread", tokens, seen, None, problem)


def _too_deep(tokens: tuple[Token, ...]) -> Statement:
    token = too_deep(tokens)
    assert token is not None
    return _unread(tokens, Problem("braces nested too deeply to be read", token.span, refused=False))


def _undefined(use: Token) -> Problem:
    return Problem(f'the macro "{shown(use)}" is not defined before it is used', use.span)
