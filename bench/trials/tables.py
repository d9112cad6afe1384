"""Edits of files of one entry a line tried: aliases, virtuals, tables, credentials, passwd, services."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

from bench.trials import Edits, Row, Trial, lines, row
from bench.trials.pf import values
from mailaudit.editing import tables
from mailaudit.editing.style import Unwritable
from mailaudit.parsers.tree import Statement, Tree

TARGETS = ("root", "anna@example.com", '"|/usr/bin/x -f"', "/var/mail/a b", "a,b", "it's", "#x", ":include:/etc/l", "back\\")


def trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one file of entries with targets."""
    if not any(each.kind == "key" and " " in each.span.chars for each in tree.statements):  # else which is the first decides
        yield from lines.trials(tree, rng, tables.style_of(tree), lines.Own(tables.remove, tables.comment_out))
    entries = [each for each in tree.statements if each.kind == "entry"]
    kind = "key" if any(each.kind == "key" for each in tree.statements) else "entry"
    if kind == "entry":
        target = rng.choice(TARGETS)
        sign = [":"] if not entries or _has_colons(entries) else []
        again = partial(tables.set_entry, key="fresh", targets=[target])
        edits = _tried(partial(tables.set_entry, tree, "fresh", [target]))
        yield Trial("set new entry", edits, (), ((0, "entry", ("fresh", *sign, target)),), again=again)
        if entries:
            yield from _targets(tree, rng, rng.choice(entries), target)
    else:
        yield Trial("add key", tables.add_entry(tree, "fresh.example"), (), ((0, "key", ("fresh.example",)),))


def _has_colons(entries: list[Statement]) -> bool:
    colons = [each for each in entries if len(each.tokens) > 2 and each.tokens[1].kind == ":"]
    return len(colons) * 2 >= len(entries)


def _tried(change: Callable[[], Edits | None]) -> Edits | None:
    try:
        return change()
    except Unwritable:
        return None


def _targets(tree: Tree, rng: random.Random, entry: Statement, target: str) -> Iterator[Trial]:
    old = values(entry)
    gone = (row(entry, 0),)
    number = tree.statements.index(entry)

    def new(words: list[str]) -> tuple[Row, ...]:
        return ((0, "entry", tuple(words)),)

    again = partial(_again, number, target)
    edits = _tried(partial(tables.add_target, entry, target))
    yield Trial("add target", edits, gone, new([*old, target]), again=again, marks=",")
    found = [token.value for token in entry.tokens if token.kind == "word"]
    if not found:
        return
    chosen = rng.choice(found)
    at = next(n for n, token in enumerate(entry.tokens) if token.kind == "word" and token.value == chosen)
    left = new([*old[:at], *old[at + 1 :]])
    yield Trial("remove target", tables.remove_target(entry, chosen), gone, left, cuts=True, marks=",")
    edits = _tried(partial(tables.replace_target, entry, chosen, target))
    yield Trial("replace target", edits, gone, new([*old[:at], target, *old[at + 1 :]]), cuts=True)


def _again(number: int, target: str, after: Tree) -> Edits | None:
    return tables.add_target(after.statements[number], target)


def field_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one file of fields between colons."""
    yield from lines.trials(tree, rng, tables.style_of(tree))
    entries = [each for each in tree.statements if each.kind == "entry" and not each.problem]
    if not entries:
        return
    entry = rng.choice(entries)
    fields = [number for number, token in enumerate(entry.tokens) if token.kind == "field"]
    number = rng.randrange(len(fields))
    value = rng.choice(("x", "2000", "/var/fresh", "a b", "a:b", "#"))
    old = values(entry)
    come = (0, "entry", (*old[: fields[number]], value, *old[fields[number] + 1 :]))
    edits = _tried(partial(tables.set_field, tree, entry, number, value))
    place = tree.statements.index(entry)
    yield Trial(
        "set field",
        edits,
        (row(entry, 0),),
        (come,),
        again=lambda after: tables.set_field(after, after.statements[place], number, value),
    )
    new = ["fresh@example.com", *[token.value for token in entry.tokens if token.kind == "field"][1:]]
    rows = ((0, "entry", tuple(part for field in new for part in (":", field))[1:]),)
    yield Trial("add fields", _tried(partial(tables.add_fields, tree, new)), (), rows, undo=_undone)


def _undone(after: Tree) -> Edits | None:
    found = tables.entry(after, "fresh@example.com")
    return tables.remove(after, found) if found else None


def service_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one /etc/services."""
    yield from lines.trials(tree, rng, tables.style_of(tree))
