"""Which commands a script or a crontab's line runs, and after which others: no more than can be told from the text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from mailaudit.parsers.tree import Statement, Token
from mailaudit.text import Span

_DEEPEST = 40
_MOST = 64  # of the commands that one depends on, the nearest ones are told
_ENDS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}", ")", ";;"})
_LEAVES = frozenset({"exit", "return", "exec", "set", "trap", "break", "continue"})
# Programs that run the one named behind them: their options that take a word, and how many words stand before it.
_WRAPPERS: dict[str, tuple[str, int]] = {
    "command": ("", 0),
    "doas": ("uCa", 0),
    "env": ("u", 0),
    "exec": ("", 0),
    "nice": ("n", 0),
    "nohup": ("", 0),
    "sudo": ("ugCDhpRrTtU", 0),
    "time": ("", 0),
    "timeout": ("ks", 1),
}


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One command.

    `words` are its name and arguments, assignments before it and redirections left out. It runs only if all of `needs` ended
    well and all of `unless` did not. `sure` is false where something else decides as well: a loop, a case, a function, a list of
    mixed `&&` and `||`, or a command before it that may have left the script.
    """

    words: tuple[Token, ...]
    needs: tuple[Step, ...] = ()
    unless: tuple[Step, ...] = ()
    sure: bool = True
    assignments: tuple[Token, ...] = ()

    @property
    def span(self) -> Span:
        """From its first word to its last."""
        return self.words[0].span.to(self.words[-1].span)

    @property
    def call(self) -> tuple[Token, ...]:
        """Name and arguments of the program that is run in the end, behind `doas`, `env`, `nice` and the like."""
        words = self.words
        while words:
            wrapper = _WRAPPERS.get(_name(words[0]))
            if wrapper is None:
                return words
            words = _behind(words[1:], *wrapper)
        return self.words

    @property
    def program(self) -> str:
        """The name of that program without its folder; empty where the running shell alone knows it."""
        return _name(self.call[0])

    @property
    def arguments(self) -> tuple[Token, ...]:
        """The arguments of that program."""
        return self.call[1:]


def _name(word: Token) -> str:
    return "" if word.kind == "expanded" else word.value.rpartition("/")[2]


def _behind(words: tuple[Token, ...], options: str, skip: int) -> tuple[Token, ...]:
    at = 0
    while at < len(words):
        value = words[at].value
        if value == "--":
            at += 1
            break
        if value.startswith("-") and len(value) > 1:
            at += 2 if value[-1] in options else 1
        elif "=" in value and not value.startswith("/"):
            at += 1
        elif skip:
            skip -= 1
            at += 1
        else:
            break
    return words[at:]


@dataclass(frozen=True, slots=True)
class _When:
    """Under which conditions what is read now runs."""

    needs: tuple[Step, ...] = ()
    unless: tuple[Step, ...] = ()
    sure: bool = True

    def plus(self, other: _When) -> _When:
        needs = (self.needs + other.needs)[-_MOST:]
        return _When(needs, (self.unless + other.unless)[-_MOST:], self.sure and other.sure)


_UNSURE = _When(sure=False)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What it means that a command ended well, and that it did not."""

    success: _When = _UNSURE
    failure: _When = _UNSURE


@dataclass
class _Reader:
    """Tokens with `None` for the ends of lines, and the steps found so far."""

    tokens: Sequence[Token | None]
    at: int = 0
    left: bool = False  # a command before may have left the script
    steps: list[Step] = field(default_factory=list)

    def kind(self) -> str:
        """The operator or reserved word that comes next; `word` for any other word, `end` at the end."""
        if self.at >= len(self.tokens):
            return "end"
        token = self.tokens[self.at]
        if token is None:
            return "\n"
        if token.kind == "word":
            return token.value if token.value in _RESERVED else "word"
        return "word" if token.kind in ("string", "expanded") else token.kind

    def passes(self, *kinds: str) -> bool:
        if self.kind() not in kinds:
            return False
        self.at += 1
        return True

    def list(self, when: _When, depth: int) -> _Outcome:
        """Commands one after another, up to a word or mark that ends them."""
        outcome = _Outcome()
        while True:
            while self.passes("\n", ";", "&", "heredoc"):
                pass
            if self.kind() == "end" or self.kind() in _ENDS:
                return outcome
            before = self.at
            outcome = self.chain(when if not self.left else replace(when, sure=False), depth)
            if self.at == before:  # a mark that cannot stand here
                self.at += 1

    def chain(self, when: _When, depth: int) -> _Outcome:
        """Commands joined by `&&` and `||`, from the left."""
        outcome = self.pipeline(when, depth)
        while self.kind() in ("&&", "||"):
            both = self.passes("&&")
            if not both:
                self.at += 1
            while self.passes("\n", "heredoc"):
                pass
            behind = self.pipeline(when.plus(outcome.success if both else outcome.failure), depth)
            if both:
                outcome = _Outcome(outcome.success.plus(behind.success), _UNSURE)
            else:
                outcome = _Outcome(_UNSURE, outcome.failure.plus(behind.failure))
        return outcome

    def pipeline(self, when: _When, depth: int) -> _Outcome:
        """Commands joined by `|`; how the last one ends counts."""
        negated = False
        while self.passes("!"):
            negated = not negated
        outcome = self.command(when, depth)
        while self.passes("|"):
            while self.passes("\n", "heredoc"):
                pass
            outcome = self.command(when, depth)
        return _Outcome(outcome.failure, outcome.success) if negated else outcome

    def command(self, when: _When, depth: int) -> _Outcome:
        """A simple command or a compound one."""
        kind = self.kind()
        if depth > _DEEPEST and kind != "word":
            self.left = True
            self.at += 1
            return _Outcome()
        if kind in ("{", "("):
            self.at += 1
            outcome = self.list(when, depth + 1)
            self.passes("}", ")")
        elif kind == "if":
            outcome = self.conditional(when, depth)
        elif kind in ("while", "until", "for"):
            outcome = self.loop(when, depth)
        elif kind == "case":
            outcome = self.case(when, depth)
        else:
            return self.simple(when, depth)
        while self.passes("redirection"):
            self.passes("word")
        return outcome

    def conditional(self, when: _When, depth: int) -> _Outcome:
        """`if`, its branches and `fi`."""
        self.at += 1
        while True:
            outcome = self.list(when, depth + 1)
            self.passes("then")
            self.list(when.plus(outcome.success), depth + 1)
            when = when.plus(outcome.failure)
            if not self.passes("elif"):
                break
        if self.passes("else"):
            self.list(when, depth + 1)
        self.passes("fi")
        return _Outcome()

    def loop(self, when: _When, depth: int) -> _Outcome:
        """A loop: how often its body runs is not told."""
        when = when.plus(_UNSURE)
        if self.passes("for"):
            while self.kind() not in ("do", "end", *_ENDS):
                self.at += 1
        else:
            self.at += 1
            self.list(when, depth + 1)
        self.passes("do")
        self.list(when, depth + 1)
        self.passes("done")
        return _Outcome()

    def case(self, when: _When, depth: int) -> _Outcome:
        """A case: which of its branches runs is not told."""
        self.at += 1
        while self.kind() not in ("esac", "end"):
            before = self.at
            while self.kind() not in (")", "esac", "end"):  # a pattern
                self.at += 1
            self.passes(")")
            self.list(when.plus(_UNSURE), depth + 1)
            self.passes(";;")
            self.at += self.at == before
        self.passes("esac")
        return _Outcome()

    def simple(self, when: _When, depth: int) -> _Outcome:
        """Words up to an operator."""
        words: list[Token] = []
        assignments: list[Token] = []
        while True:
            token = self.tokens[self.at] if self.at < len(self.tokens) else None
            if token is None:
                break
            if token.kind == "redirection":
                self.at += 1
                if token.value[-1:] not in "0123456789-" or token.value.endswith("<<-"):
                    self.passes("word")
            elif token.kind == "(" and len(words) == 1 and not assignments:
                return self.function(depth)
            elif token.kind in ("word", "string", "expanded"):
                (assignments if not words and _assigns(token) else words).append(token)
                self.at += 1
            else:
                break
        if not words:
            return _Outcome()
        step = Step(tuple(words), when.needs, when.unless, when.sure, tuple(assignments))
        self.steps.append(step)
        self.left = self.left or words[0].value in _LEAVES
        return _Outcome(_When(needs=(step,)), _When(unless=(step,)))

    def function(self, depth: int) -> _Outcome:
        """A function: whether and when it is called is not told."""
        while self.passes("(", ")", "\n"):
            pass
        left = self.left
        self.command(_UNSURE, depth + 1)
        self.left = left
        return _Outcome()


_RESERVED = frozenset({"if", "while", "until", "for", "case", "{", "!", *_ENDS} - {")", ";;"})


def _assigns(token: Token) -> bool:
    name, equals, _ = token.span.chars.partition("=")
    return bool(equals) and name.replace("_", "a").isalnum() and not name[:1].isdigit()


def steps(lines: Iterable[Sequence[Token]]) -> tuple[Step, ...]:
    """The commands of these lines of tokens, in the order they stand."""
    stream: list[Token | None] = []
    for line in lines:
        stream += line
        stream.append(None)
    reader = _Reader(stream)
    while reader.kind() != "end":
        reader.list(_When(), 0)
        if reader.kind() != "end":  # an end without a beginning
            reader.at += 1
            reader.left = True
    return tuple(reader.steps)


def script_steps(statements: Iterable[Statement]) -> tuple[Step, ...]:
    """The commands of a script's tree."""
    return steps(statement.tokens for statement in statements if statement.kind == "line")
