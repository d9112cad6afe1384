r"""Sieve scripts: commands, their arguments and tests, and blocks.

Source: RFC 5228, section 8.2, and Pigeonhole's parser: tests and blocks are nested at most 32 deep, a command has at most 32
arguments. Which commands and tests there are, and what they take, is the model's business: what is read here is any
`identifier arguments ( ";" / block )`.

Statements:

* `command`: `fileinto :copy "Junk";` Its written tokens are the identifier, the arguments and `;`.
* `block`: `if true { ... }` Its written tokens end with `{`, its body is the commands within, `close` is the `}` (empty where the
  file ends first). `if`, `elsif` and `else` are statements in a row, each with its own block.
* `unread`: what no script may hold. Reading goes on behind the next `;`, in the block that a `{` opens (the statement then has a
  body), or at a line that begins with the name of a command.

A `command` or `block` that only lacks its `;` or `}` has its template and a `Problem` both: it can be read as it was meant.

Tokens: `identifier` and `tag` (values in lower case, a tag's without its colon), `number` (value in decimal, multiplied out),
`string` (quoted; value without quotes and escapes), `text` (multi-line, from `text:` to the dot; value without dot-stuffing), and
the marks `[ ] ( ) { } , ;`. Lines in values end with \r\n, as the daemon has them. `bad` is what is no token.

Nodes. `command`: the identifier, then the arguments as written: leaves `tag`, `number`, `string`, `text`, and nodes `list`; then
at most one node `test` or `tests`. `list`: the leaves `[`, strings and commas, `]`. `test`: as `command`. `tests`: `(`, nodes
`test` with commas between them, `)`. The `;` or `{` that ends a command is in no node: it is the statement's last token.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mailaudit.parsers.sieve_tokens import TRIVIA, tokenise
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Template, Token, Tree
from mailaudit.text import Text

DEEPEST = 32
MOST_ARGUMENTS = 32
# Reading goes on at one of these where it begins a line.
_NAMES = """
require if elsif else stop keep discard redirect fileinto reject ereject vacation setflag addflag removeflag set include return
global import export notify denotify addheader deleteheader foreverypart break extracttext pipe filter execute error debug_log
report
"""
COMMANDS = frozenset(_NAMES.split())
_TAKES_TEST = frozenset({"if", "elsif"})
_SHOWN = 20  # characters of what does not fit
_STRINGS = ("string", "text")
_ARGUMENTS = frozenset({"string", "text", "number", "tag", "["})


@dataclass(slots=True)
class _Frame:
    """A node that is being read: `command`, `test` or `tests`."""

    kind: str
    parts: list[int | range | Template]
    arguments: int = 0
    is_done: bool = False  # a test ends a list of arguments


@dataclass(slots=True)
class _Open:
    """A block that is being read."""

    tokens: tuple[Token, ...]
    template: Template | None
    problem: Problem | None
    body: list[Statement] = field(default_factory=list)


@dataclass(slots=True)
class _Stop:
    """Where arguments end: with a reading, or with what is wrong at a token."""

    at: int
    template: Template | None = None
    message: str = ""


def parse(text: Text, _include: Include) -> Tree:
    """The tree of a script. Scripts that it includes are looked up by name, which is Dovecot's business."""
    return Tree("sieve", text, _Reading(text).run())


class _Reading:
    def __init__(self, text: Text) -> None:
        self._text = text
        self._tokens, self._problems = tokenise(text)
        self._at = 0
        self._first = 0  # where the statement begins that is being read
        self._open: list[_Open] = []
        self._statements: list[Statement] = []

    def run(self) -> tuple[Statement, ...]:
        while self._at < len(self._tokens):
            kind = self._tokens[self._at].kind
            if kind == "}" and self._open:
                self._close((self._tokens[self._at],))
                self._at += 1
            elif kind == "identifier":
                self._command()
            else:
                self._skip(self._at, self._at, f"expected a command, found {self._found(self._at)}")
        while self._open:
            self._close(())
        return tuple(self._statements)

    # Statements

    def _add(self, statement: Statement) -> None:
        (self._open[-1].body if self._open else self._statements).append(statement)

    def _close(self, close: tuple[Token, ...]) -> None:
        block = self._open.pop()
        problem = block.problem
        if not close and problem is None:
            problem = Problem('expected "}" to end this block', block.tokens[-1].span)
        kind = "unread" if block.template is None else "block"
        self._add(Statement(kind, block.tokens, block.tokens, block.template, problem, tuple(block.body), close, is_block=True))

    def _command(self) -> None:
        first = self._at
        stop = self._arguments(first)
        template = stop.template
        if template is None:
            self._skip(first, stop.at, stop.message)
            return
        kind = self._kind(stop.at)
        if kind == ";":
            tokens = tuple(self._tokens[first : stop.at + 1])
            self._at = stop.at + 1
            self._add(Statement("command", tokens, tokens, template))
        elif kind == "{":
            self._enter(first, stop.at, template, None)
        elif kind in ("}", "end") or self._begins_command(stop.at):
            tokens = tuple(self._tokens[first : stop.at])
            self._at = stop.at
            last = tokens[-1]
            message = f'expected ";" after the {tokens[0].value} command'
            self._add(Statement("command", tokens, tokens, template, Problem(message, last.span, mend=last.span.chars + ";")))
        else:
            self._skip(first, stop.at, f'expected ";" or "{{", found {self._found(stop.at)}')

    def _enter(self, first: int, at: int, template: Template | None, problem: Problem | None) -> None:
        """Go into the block that begins at token `at`, or pass over it where blocks are nested too deeply."""
        if len(self._open) + 1 < DEEPEST:
            self._open.append(_Open(tuple(self._tokens[first : at + 1]), template, problem))
            self._at = at + 1
            return
        depth = 0
        brace = self._tokens[at]
        while at < len(self._tokens):
            depth += {"{": 1, "}": -1}.get(self._tokens[at].kind, 0)
            at += 1
            if not depth:
                break
        problem = problem or Problem(f"blocks are nested more than {DEEPEST} deep", brace.span)
        self._unread(first, at, problem)

    def _unread(self, first: int, end: int, problem: Problem) -> None:
        tokens = tuple(self._tokens[first:end])
        self._at = end
        self._add(Statement("unread", tokens, tokens, None, problem))

    def _skip(self, first: int, at: int, message: str) -> None:
        """Pass over what cannot be read, from token `first`; `at` is the token that does not fit."""
        end = max(at, first)
        problem = self._problems.get(at) or Problem(message, self._tokens[min(at, len(self._tokens) - 1)].span)
        while end < len(self._tokens):
            kind = self._tokens[end].kind
            if kind == ";":
                end += 1
                break
            if kind == "{":
                self._enter(first, end, None, problem)
                return
            if (kind == "}" and self._open) or (end > first and self._begins_command(end)):
                break
            end += 1
            if kind == "}":
                break
        self._unread(first, end, problem)

    # Arguments

    def _arguments(self, first: int) -> _Stop:
        """The reading of the command that begins at a token."""
        self._first = first
        at = first + 1
        frames = [_Frame("command", [0])]
        while True:
            frame = frames[-1]
            kind = self._kind(at)
            if not frame.is_done and frame.kind != "tests" and kind in _ARGUMENTS:
                stop = self._argument(frame, at)
                if stop.message:
                    return stop
                at = stop.at
            elif not frame.is_done and self._is_test(frames, at):
                frames.append(_Frame("tests" if kind == "(" else "test", [at - first]))
                if sum(each.kind != "tests" for each in frames) + (kind == "(") > DEEPEST:
                    return _Stop(at, message=f"tests are nested more than {DEEPEST} deep")
                at += 1
            elif frame.kind == "tests" and not frame.is_done:
                return _Stop(at, message=f"expected a test, found {self._found(at)}")
            else:
                frames.pop()
                made = Template(frame.kind, tuple(frame.parts))
                if not frames:
                    return _Stop(at, made)
                parent = frames[-1]
                parent.parts.append(made)
                if parent.kind == "tests":
                    if kind not in (",", ")"):
                        return _Stop(at, message=f'expected "," or ")", found {self._found(at)}')
                    parent.parts.append(at - first)
                    at += 1
                parent.is_done = kind != "," or parent.kind != "tests"

    def _is_test(self, frames: list[_Frame], at: int) -> bool:
        """True if a test, or a list of them, begins at a token."""
        kind = self._kind(at)
        if kind == "(":
            return frames[-1].kind != "tests"
        return kind == "identifier" and not self._is_next_command(frames, at)

    def _argument(self, frame: _Frame, at: int) -> _Stop:
        frame.arguments += 1
        if frame.arguments > MOST_ARGUMENTS:
            return _Stop(at, message=f"a command has at most {MOST_ARGUMENTS} arguments")
        if self._kind(at) != "[":
            frame.parts.append(at - self._first)
            return _Stop(at + 1)
        start = at
        while True:
            at += 1
            if self._kind(at) not in _STRINGS:
                return _Stop(at, message=f"expected a string, found {self._found(at)}")
            at += 1
            if self._kind(at) == "]":
                frame.parts.append(Template("list", (range(start - self._first, at + 1 - self._first),)))
                return _Stop(at + 1)
            if self._kind(at) != ",":
                return _Stop(at, message=f'expected "," or "]", found {self._found(at)}')

    def _is_next_command(self, frames: list[_Frame], at: int) -> bool:
        """True if what would be a test is the next command, because a semicolon was forgotten before it."""
        return len(frames) == 1 and self._tokens[self._first].value not in _TAKES_TEST and self._begins_command(at)

    # Tokens

    def _kind(self, at: int) -> str:
        return self._tokens[at].kind if at < len(self._tokens) else "end"

    def _found(self, at: int) -> str:
        if at >= len(self._tokens):
            return "the end of the file"
        token = self._tokens[at]
        return f'"{token.span.chars[:_SHOWN]}"' if token.kind not in _STRINGS else "a string"

    def _begins_command(self, at: int) -> bool:
        """True for the name of a command at the beginning of a line."""
        if at >= len(self._tokens) or self._tokens[at].kind != "identifier" or self._tokens[at].value not in COMMANDS:
            return False
        before = self._tokens[at - 1].end if at else 0
        return not at or "\n" in self._text.chars[before : self._tokens[at].start]


LANGUAGE = Language(
    "sieve",
    parse,
    TRIVIA,
    (
        "/usr/local/lib/dovecot/sieve/*.sieve",
        "/usr/lib/dovecot/sieve/*.sieve",
        "/etc/dovecot/sieve/*.sieve",
        "/etc/dovecot/sieve-before/*.sieve",
        "/etc/dovecot/sieve-after/*.sieve",
        "/var/lib/dovecot/sieve/*.sieve",
        "/var/vmail/sieve/*.sieve",
    ),
)
