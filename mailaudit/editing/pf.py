"""Edits of pf.conf(5): options, rules, the options and lists of rules, tables, macros."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailaudit.editing import statements, words
from mailaudit.editing.lists import Items
from mailaudit.editing.style import NONE, PARSE_Y_JOINS, PARSE_Y_REST, Edits, Style, Unwritable, alone
from mailaudit.parsers import pf
from mailaudit.parsers.pf_grammar import KEYWORDS
from mailaudit.parsers.pf_lines import LEXICON
from mailaudit.parsers.tree import Node, Statement, Token, Tree

STYLE = Style(
    pf.LANGUAGE,
    PARSE_Y_REST,
    joins=PARSE_Y_JOINS,
    order=("include", "macro", "set", "table", "queue", "antispoof", "rule", "anchor", "load"),
)
_RULES = ("rule", "anchor", "antispoof")
LISTS = ("ports", "hosts", "protocols", "interfaces", "icmp", "users", "groups", "targets", "systems", "entries")
_UNARY = frozenset(("!", "=", "!=", "<=", ">="))
_JOINING = frozenset(("/", "<>", "><", "-", "weight", "code"))


def write(value: str, like: str = "") -> str:
    """A value as a word or a quoted string; a number stands bare."""
    if value.isascii() and value.isdigit():
        return value
    return words.quoted(value, LEXICON, like=like)


def options(tree: Tree, name: str) -> list[Statement]:
    """The `set` statements of an option."""
    return [each for each in tree.statements if each.kind == "set" and each.template and each.seen[1].value == name]


def set_option(tree: Tree, name: str, value: str) -> Edits | None:
    """`set NAME VALUE`: in the last statement that sets it, else in a line among the options, above all rules."""
    line = f"set {name} {value}"
    alone(STYLE, [line])
    found = options(tree, name)
    if found:
        return statements.replace(found[-1], STYLE, line)
    return add(tree, line)


def add(tree: Tree, line: str, below: Statement | None = None, above: Statement | None = None) -> Edits | None:
    """A statement beside another one; else where its kind stands: options above rules, a rule below the last one."""
    kind = alone(STYLE, line.split("\n")).kind if below is None and above is None else ""
    if below is not None:
        alone(STYLE, line.split("\n"))
        return statements.below(below, STYLE, line)
    if above is not None:
        alone(STYLE, line.split("\n"))
        return statements.above(above, STYLE, line)
    if kind == "set":
        first = next((each for each in tree.statements if each.kind in _RULES), None)
        return statements.add(tree, STYLE, kind, line, use=first)
    return statements.add(tree, STYLE, kind, line)


def replace(statement: Statement, line: str) -> Edits:
    """Another statement in the place of one: only the words that differ are written."""
    return statements.replace(statement, STYLE, line)


def remove(statement: Statement) -> Edits:
    """Take a statement out; its comment lines stay."""
    return statements.remove(statement, STYLE)


def set_word(statement: Statement, kind: str, line: str) -> Edits | None:
    """Give a rule an option, as `keep state (max 5)` or `label "mail"`: in place of the one of its kind, else at its end.

    `kind` is the name of the option's node, as "label", "state", "flags", "log". None where it comes out of a macro.
    """
    new = words.fragment(line, LEXICON)
    node = statement.node.node(kind)
    if node is not None and words.says(node.all_leaves(), new):
        return NONE
    if node is None:
        _check(statement, f"{' '.join(token.span.chars for token in statements.without_return(statement.tokens))} {line}")
        return words.append(statement, line)
    leaves = node.all_leaves()
    if any(token.via for token in leaves):
        return None
    return words.instead(leaves[0], line, leaves[-1])


def _check(statement: Statement, line: str) -> None:
    if not statement.is_block:
        alone(STYLE, [line])


def remove_word(statement: Statement, kind: str) -> Edits | None:
    """Take an option out of a rule; none if it has none of the kind."""
    node = statement.node.node(kind)
    return NONE if node is None else words.without(statement, node.all_leaves())


def lists_of(statement: Statement) -> Iterator[Node]:
    """The lists of a statement, and the places where one item stands and a list may."""
    yield from _lists(statement.node)


def _lists(node: Node) -> Iterator[Node]:
    for child in node:
        if isinstance(child, Node):
            if child.kind in LISTS:
                yield child
            else:
                yield from _lists(child)


def item_length(tokens: Sequence[Token], at: int) -> int:
    """How many tokens an item of pf's lists has: `! 10/8`, `<table>`, `(egress:0)`, `1024 >< 2048`, `echoreq code 0`."""
    end = at
    size = len(tokens)
    while end < size:
        kind = tokens[end].kind
        if kind in _UNARY or (kind in ("<", ">") and not _is_table(tokens, end)) or kind in ("route", "rdomain"):
            end += 1
            continue
        end += 1
        if kind in ("<", "("):
            closing = {"<": ">", "(": ")"}[kind]
            while end < size and tokens[end - 1].kind != closing:
                end += 1
        elif kind == "{":
            depth = 1
            while end < size and depth:
                depth += {"{": 1, "}": -1}.get(tokens[end].kind, 0)
                end += 1
        if end < size and tokens[end].kind in _JOINING:
            end += 1
            continue
        if end < size and tokens[end].start == tokens[end - 1].end and words.runs_on(tokens[end - 1], tokens[end]):
            continue  # $int_if:network is one word
        return end - at
    return size - at


def _is_table(tokens: Sequence[Token], at: int) -> bool:
    return tokens[at].kind == "<" and at + 2 < len(tokens) and tokens[at + 2].kind == ">"


def items(statement: Statement, listed: Node) -> Items | None:
    """A list as it is written in the statement itself, a macro being one item."""
    return Items.written(STYLE, statement, listed.all_leaves(), item_length)


def shared_items(listed: Node) -> Items:
    """A list with the items of its macros: to change those is to change the macro."""
    return Items.of(STYLE, listed.all_leaves(), item_length, shared=True)


def table(tree: Tree, name: str) -> Statement | None:
    """The statement that defines a table."""
    return next((each for each in tree.walk() if each.kind == "table" and each.template and each.seen[2].value == name), None)


def set_macro(tree: Tree, name: str, value: str) -> Edits | None:
    """Give a macro another value; a new one stands below the other macros, else above all statements."""
    found = words.set_macro(tree, LEXICON, name, value)
    if found is not None:
        return found
    if not name.replace("_", "a").isalnum() or not name.isascii() or name in KEYWORDS or name[0].isdigit():
        raise Unwritable(f"no macro can be called {name!r}")
    return add(tree, f"{name} = {words.quoted(value, LEXICON, only=chr(34))}")
