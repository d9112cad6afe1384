"""A Sieve script as commands and tests with their arguments, out of its tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailaudit.models.sieve.words import Word, words
from mailaudit.parsers.tree import Node, Statement, Token

STRINGS = ("string", "text")


@dataclass(frozen=True, slots=True, eq=False)
class Argument:
    """An argument: a `tag`, a `number`, a `string` or a list of `strings`. `at` is its first written token."""

    kind: str
    at: Token
    tokens: tuple[Token, ...]

    def fits(self, type_: str) -> bool:
        """True if it may stand where this type is asked for; one string is a list too."""
        return self.kind == type_ or (self.kind == "string" and type_ == "strings")

    @property
    def values(self) -> tuple[str, ...]:
        """The values of its tokens."""
        return tuple(token.value for token in self.tokens)


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A command or a test as written: its name, its arguments, the tests within, and a command's statement and block.

    `is_list` is true if the tests stand in parentheses. A command whose statement has a problem is here if it was read all
    the same; `is_doubtful` is true for the header of a block that could not be read.
    """

    name: Token
    arguments: tuple[Argument, ...] = ()
    tests: tuple[Call, ...] = ()
    is_list: bool = False
    statement: Statement | None = None
    body: tuple[Call, ...] = ()

    @property
    def is_doubtful(self) -> bool:
        """True for a command that could not be read, of which only the block is known."""
        return self.statement is not None and self.statement.template is None

    def walk(self) -> Iterator[Call]:
        """Itself, its tests, and the commands of its block with theirs."""
        yield self
        for each in (*self.tests, *self.body):
            yield from each.walk()


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """The arguments of a call sorted out: each tag with its parameter, and the positional ones; what does not fit is left out."""

    tags: dict[str, tuple[Token, Argument | None]] = field(default_factory=dict)
    positional: tuple[Argument, ...] = ()

    def tag(self, name: str) -> Argument | None:
        """The parameter of a tag that is given."""
        return self.tags[name][1] if name in self.tags else None


def calls(statements: Iterable[Statement]) -> tuple[Call, ...]:
    """The commands of a block. It cannot recurse deeper than the parser lets blocks and tests be nested."""
    return tuple(_command(each) for each in statements if each.template is not None or each.is_block)


def _command(statement: Statement) -> Call:
    body = calls(statement.body)
    if statement.template is None:
        return Call(statement.tokens[0], statement=statement, body=body)
    return _call(statement.node, statement, body)


def _call(node: Node, statement: Statement | None = None, body: tuple[Call, ...] = ()) -> Call:
    name, *rest = node
    assert isinstance(name, Token)
    arguments: list[Argument] = []
    tests: list[Call] = []
    is_list = False
    for each in rest:
        if isinstance(each, Token):
            arguments.append(Argument("string" if each.kind in STRINGS else each.kind, each, (each,)))
        elif each.kind == "list":
            leaves = each.leaves()
            arguments.append(Argument("strings", leaves[0], tuple(leaf for leaf in leaves if leaf.kind in STRINGS)))
        elif each.kind == "test":
            tests.append(_call(each))
        else:
            is_list = True
            tests += [_call(test) for test in each.nodes("test")]
    return Call(name, tuple(arguments), tuple(tests), is_list, statement, body)


def word_of(call: Call, required: frozenset[str]) -> Word | None:
    """What a call's name stands for: of two words of one name, the one whose extension is required."""
    known = words().get(call.name.value, ())
    return next((word for word in known if required.intersection(word.extensions)), known[0] if known else None)


def resolve(call: Call, word: Word) -> Resolved:
    """The arguments of a call of a word."""
    tags: dict[str, tuple[Token, Argument | None]] = {}
    positional: list[Argument] = []
    waiting = list(reversed(call.arguments))
    while waiting:
        argument = waiting.pop()
        if argument.kind != "tag":
            positional.append(argument)
            continue
        tag = word.tags.get(argument.at.value)
        parameter = None
        if tag is not None and tag.parameter and waiting and waiting[-1].fits(tag.parameter):
            parameter = waiting.pop()
        tags[argument.at.value] = (argument.at, parameter)
    return Resolved(tags, tuple(positional))


def else_if(call: Call) -> Call | None:
    """The `if` of an `else if`, which is plainly meant for `elsif`."""
    is_meant = call.name.value == "else" and len(call.tests) == 1 and not call.is_list and call.tests[0].name.value == "if"
    return call.tests[0] if is_meant else None
