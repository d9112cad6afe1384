"""Edits of pf.conf tried."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from bench.trials import Edits, Row, Trial, depths, lines, row
from mailaudit.editing import lists, pf, words
from mailaudit.editing.lists import Items
from mailaudit.parsers.pf_grammar import KEYWORDS
from mailaudit.parsers.tree import Statement, Tree

VALUES = {"block-policy": "return", "optimization": "aggressive", "skip": "on lo7", "limit": "states 77", "debug": "notice"}


def trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one ruleset."""
    yield from lines.trials(tree, rng, pf.STYLE)
    name = rng.choice(sorted(VALUES))
    line = ("set", name, *VALUES[name].split())
    gone = tuple(row(each, 0) for each in pf.options(tree, name)[-1:])
    yield Trial(
        f"set {name}",
        pf.set_option(tree, name, VALUES[name]),
        gone,
        ((0, "set", line),),
        again=lambda after: pf.set_option(after, name, VALUES[name]),
        cuts=True,
    )
    yield from macro_trials(tree, rng, pf.set_macro, KEYWORDS)
    yield from _lists(tree, rng)
    yield from _words(tree, rng)


def macro_trials(tree: Tree, rng: random.Random, change: SetMacro, keywords: frozenset[str]) -> Iterator[Trial]:
    """A macro given another value, which is not so other that what uses it could not be read."""
    macros = [
        each
        for each in tree.statements
        if each.kind == "macro" and len(each.tokens) == 3 and each.tokens[2].value not in keywords and each.tokens[2].value
    ]
    if not macros:
        return
    name = rng.choice(macros).seen[0].value
    statement = words.macro(tree, name)
    assert statement is not None
    value = altered(" ".join(values(statement)[2:]))
    come = (0, "macro", (name, "=", value))
    yield Trial(
        "set macro",
        change(tree, name, value),
        (row(statement, 0),),
        (come,),
        again=lambda after: change(after, name, value),
        cuts=True,
    )


SetMacro = Callable[[Tree, str, str], Edits | None]


def altered(value: str) -> str:
    """Another value that can stand wherever one can."""
    if value.startswith("{"):
        head, _, rest = value[1:].strip().partition(" ")
        return f"{{ {head} {head} {rest}" if rest and head.isalnum() else f"{{ {value[1:].strip()}"
    return f"{value}7" if value[-1:].isalnum() else f"{value} "


def _lists(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    depth = depths(tree)
    found = [(each, node) for each in tree.walk() if each.template and not each.problem for node in pf.lists_of(each)]
    for statement, node in rng.sample(found, min(3, len(found))):
        items = pf.items(statement, node)
        if items is None or not items.items:
            continue
        yield from list_trials(statement, items, depth[id(statement)], rng)


def list_trials(statement: Statement, items: Items, depth: int, rng: random.Random) -> Iterator[Trial]:
    """An item replaced by another of the list, one added, one taken out."""
    old = values(statement)
    gone = ((depth, statement.kind, tuple(old)),)
    number = rng.randrange(len(items.items))
    first, last = bounds(statement, items, number)
    copy = rng.choice(items.items)
    word = copy[0].span.to(copy[-1].span).chars
    copied = [token.value for token in copy if token.kind != "newline"]

    def new(*come: str) -> tuple[Row, ...]:
        return ((depth, statement.kind, come),)

    yield Trial(
        "replace item", lists.replace_item(items, number, word), gone, new(*old[:first], *copied, *old[last + 1 :]), cuts=True
    )
    yield Trial("remove item", lists.remove_item(items, number), gone, new(*old[:first], *old[last + 1 :]), cuts=True, marks=",")
    begin, end = bounds(statement, items, len(items.items) - 1)
    if items.opened is None and len(items.items) == 1:
        come = new(*old[:begin], "{", *old[begin : end + 1], *copied, "}", *old[end + 1 :])
    else:
        come = new(*old[: end + 1], *copied, *old[end + 1 :])
    yield Trial("add item", lists.insert_item(items, word), gone, come, marks=",")


def values(statement: Statement) -> list[str]:
    """The values of a statement's written tokens."""
    return [token.value for token in statement.tokens if token.value not in ("\r", "\n")]


def bounds(statement: Statement, items: Items, number: int) -> tuple[int, int]:
    """The numbers of the first and the last token of an item among a statement's tokens."""
    starts = [token.start for token in statement.tokens if token.value not in ("\r", "\n")]
    item = items.items[number]
    return starts.index(item[0].start), starts.index(item[-1].start)


def _words(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    rules = [each for each in tree.walk() if each.kind == "rule" and not each.problem and each.template]
    if not rules:
        return
    rule = rng.choice(rules)
    depth = depths(tree)[id(rule)]
    gone = (row(rule, depth),)
    old = values(rule)
    label = rule.node.node("label")
    edits = pf.set_word(rule, "label", 'label "x y"')
    if label is None:
        yield Trial("add label", edits, gone, ((depth, "rule", (*old, "label", "x y")),))
        return
    leaves = label.all_leaves()
    starts = [token.start for token in rule.tokens]
    if leaves[0].start not in starts or leaves[-1].start not in starts:
        return
    first, last = starts.index(leaves[0].start), starts.index(leaves[-1].start)
    yield Trial("set label", edits, gone, ((depth, "rule", (*old[:first], "label", "x y", *old[last + 1 :])),))
    removed = pf.remove_word(rule, "label")
    yield Trial("remove label", removed, gone, ((depth, "rule", (*old[:first], *old[last + 1 :])),), cuts=True)
