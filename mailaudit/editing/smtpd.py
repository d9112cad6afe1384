"""Edits of smtpd.conf(5): statements, their options and tables, the lists of tables and of filter chains, macros."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailaudit.editing import lists, statements, words
from mailaudit.editing.lists import Items
from mailaudit.editing.style import NONE, PARSE_Y_JOINS, PARSE_Y_REST, Edits, Style, alone
from mailaudit.parsers import smtpd
from mailaudit.parsers.smtpd_grammar import LEXICON
from mailaudit.parsers.tree import Node, Statement, Token, Tree

STYLE = Style(
    smtpd.LANGUAGE,
    PARSE_Y_REST,
    joins=PARSE_Y_JOINS,
    order=(
        "include",
        "macro",
        "pki",
        "ca",
        "table",
        "proc",
        "filter",
        "queue",
        "smtp",
        "srs",
        "mda",
        "action",
        "listen",
        "match",
    ),
)
_LAST = {"match": ("action", "reject"), "action": ("ttl",)}  # what other options must stand before
_LISTS = ("list", "pairs")


def write(value: str, like: str = "") -> str:
    """A value as a word or a quoted string. Raises Unwritable for what smtpd.conf cannot hold."""
    return words.quoted(value, LEXICON, like=like)


def add(tree: Tree, line: str, use: Statement | None = None) -> Edits | None:
    """A statement beside those of its kind, above the statement that uses what it defines."""
    kind = alone(STYLE, line.split("\n")).kind
    return statements.add(tree, STYLE, kind, line, use=use)


def replace(statement: Statement, line: str) -> Edits:
    """Another statement in the place of one: only the words that differ are written."""
    return statements.replace(statement, STYLE, line)


def remove(statement: Statement) -> Edits:
    """Take a statement out; its comment lines stay."""
    return statements.remove(statement, STYLE)


def holders(statement: Statement) -> list[Node]:
    """The nodes whose children are a statement's options: a listener's, those of an action's kind, else the statement's own."""
    node = statement.node
    inner = [child for child in node if isinstance(child, Node) and child.kind in _HOLDERS.get(node.kind, ())]
    return [*inner, node]


_HOLDERS = {
    "listen": ("on", "on-socket"),
    "action": ("mbox", "maildir", "lmtp", "mda", "forward-only", "expand-only", "relay"),
}


def option(statement: Statement, name: str) -> Node | None:
    """A statement's option by its keyword: `tls`, `auth`, `pki`, `from`, `cert`, `ttl`; the last one, where there are several."""
    found = [node for holder in holders(statement) for node in holder.nodes(name)]
    return found[-1] if found else None


def set_option(statement: Statement, name: str, argument: str = "") -> Edits | None:
    """Give a statement an option, or its option another argument, written as smtpd.conf has it: `<users>`, `"mail"`, `587`.

    A new one stands at the end, before what must come last. None where the option comes out of a macro.
    """
    new = words.fragment(argument, LEXICON) if argument else []
    node = option(statement, name)
    if node is None:
        line = f"{name} {argument}".strip()
        edits = _new(statement, line)
        if statement.problem is None:  # else it is another word that no statement takes
            _check(statement, line)
        return edits
    leaves = node.all_leaves()
    keyword = next(number for number, token in enumerate(leaves) if token.kind == name)
    rest = leaves[keyword + 1 :]
    if words.says(rest, new):
        return NONE
    if not rest:
        return words.after(leaves[keyword], argument)
    if not argument:
        return words.without(statement, rest)
    return words.instead(rest[0], argument, rest[-1])


def _new(statement: Statement, line: str) -> Edits | None:
    last = [node for kind in _LAST.get(statement.kind, ()) if (node := statement.node.node(kind)) is not None]
    return words.before(last[0].all_leaves()[0], line) if last else words.append(statement, line)


def _check(statement: Statement, line: str) -> None:
    """Raise Unwritable for an option that such a statement does not take."""
    last = [node for kind in _LAST.get(statement.kind, ()) if (node := statement.node.node(kind)) is not None]
    shown = [token.span.chars for token in statements.without_return(statement.tokens)]
    at = len(shown)
    if last:
        first = last[0].all_leaves()[0]
        at = next((number for number, token in enumerate(statement.tokens) if token.start == first.start), at)
    alone(STYLE, [" ".join([*shown[:at], line, *shown[at:]])])


def remove_option(statement: Statement, name: str) -> Edits | None:
    """Take an option with its argument out of a statement; none if it is not there."""
    node = option(statement, name)
    return NONE if node is None else words.without(statement, node.all_leaves())


def named(tree: Tree, kind: str, name: str) -> list[Statement]:
    """The statements of a kind that define a name: tables, actions, filters, pki."""
    return [each for each in tree.statements if each.kind == kind and each.template and each.seen[1].value == name]


def set_pki(tree: Tree, name: str, field: str, path: str) -> Edits | None:
    """`pki NAME cert|key|dhe PATH`: in the statement that says so already, else in a line of its own below the others."""
    found = named(tree, "pki", name)
    said = [each for each in found if option(each, field) is not None]
    if said:
        node = option(said[-1], field)
        assert node is not None
        return NONE if node.all_leaves()[-1].value == path else set_option(said[-1], field, write(path, _written(node)))
    line = f"pki {write(name, found[-1].seen[1].span.chars if found else '')} {field} {write(path, _style(found))}"
    alone(STYLE, [line])
    return statements.below(found[-1], STYLE, line) if found else add(tree, line)


def _written(node: Node) -> str:
    return node.all_leaves()[-1].span.chars


def _style(found: list[Statement]) -> str:
    return statements.without_return(found[-1].tokens)[-1].span.chars if found else '"'


def set_table(tree: Tree, name: str, source: str, use: Statement | None = None) -> Edits | None:
    """`table NAME SOURCE`, the source as smtpd.conf has it: `file:/etc/mail/aliases`, `passwd:...`, `{ a, b }`."""
    words.fragment(source, LEXICON)
    line = f"table {write(name)} {source}"
    found = named(tree, "table", name)
    return replace(found[-1], line) if found else add(tree, line, use)


def lists_of(statement: Statement) -> Iterator[Node]:
    """The lists in braces of a statement: of values, and of keys with values."""
    yield from _lists(statement.node)


def _lists(node: Node) -> Iterator[Node]:
    for child in node:
        if isinstance(child, Node):
            if child.kind in _LISTS:
                yield child
            else:
                yield from _lists(child)


def pair_length(tokens: Sequence[Token], at: int) -> int:
    """How many tokens an item has: three where it is `key = value`."""
    return 3 if at + 1 < len(tokens) and tokens[at + 1].kind in ("=", "=>") else 1


def items(statement: Statement, listed: Node) -> Items | None:
    """A list in braces as it is written in the statement itself, a macro being one item."""
    leaves = [token for token in listed.all_leaves() if token.kind != "newline"]
    found = Items.written(STYLE, statement, leaves, pair_length, commas=True)
    return None if found is None else _in_braces(statement, found)


def _in_braces(statement: Statement, found: Items) -> Items | None:
    """A list with the braces around it, which are no part of its node."""
    first, last = found.items[0][0], found.items[-1][-1]
    before = [token for token in statement.tokens if token.end <= first.start]
    behind = [token for token in statement.tokens if token.start >= last.end]
    if not before or not behind or before[-1].kind != "{" or behind[0].kind != "}":
        return None  # the braces come out of a macro
    return Items(STYLE, found.items, before[-1], behind[0], found.commas)


def add_filter(statement: Statement, name: str) -> Edits | None:
    """One more filter of a listener or a relay, behind those it has: a name becomes a chain in braces."""
    node = option(statement, "filter")
    if node is None:
        return set_option(statement, "filter", write(name))
    leaves = [token for token in node.all_leaves()[1:] if token.kind != "newline"]
    if any(token.value == name for token in leaves):
        return NONE
    if leaves[0].kind == "{":
        found = Items.written(STYLE, statement, leaves, commas=True)
    else:
        found = Items.of(STYLE, leaves, commas=True)
    word = write(name, leaves[-2 if leaves[-1].kind == "}" else -1].span.chars)
    return None if found is None else lists.insert_item(found, word)


def set_macro(tree: Tree, name: str, value: str) -> Edits | None:
    """Give a macro another value; a new one stands below the other macros, else above what uses it."""
    found = words.set_macro(tree, LEXICON, name, value)
    return found if found is not None else add(tree, f"{name} = {words.quoted(value, LEXICON, only=chr(34))}")
