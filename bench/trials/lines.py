"""Trials that any language of statements allows: one goes, a copy of one comes, one takes another's place."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from bench.trials import Row, Trial, depths, row, rows_of
from mailaudit.editing import statements
from mailaudit.editing.style import Edits, Style, Unwritable, is_blank_line, line_begin, line_end
from mailaudit.parsers.tree import Statement, Tree

LONGEST = 400

Change = Callable[[Tree, Statement], Edits | None]


@dataclass(frozen=True)
class Own:
    """What a language does in its own way, and the first lines of its blocks, in which options are read."""

    remove: Change | None = None
    comment_out: Change | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def whole(statement: Statement, depth: int) -> tuple[Row, ...]:
    """A statement with all below it."""
    return tuple(rows_of((statement,), depth))


def at(tree: Tree, numbers: tuple[int, ...]) -> Statement | None:
    """The statement at a place in a tree."""
    among = tree.statements
    found = None
    for number in numbers:
        if number >= len(among):
            return None
        found = among[number]
        among = found.body
    return found


def places(tree: Tree) -> list[tuple[tuple[int, ...], Statement]]:
    """Each statement with its place."""
    found: list[tuple[tuple[int, ...], Statement]] = []

    def walk(among: tuple[Statement, ...], place: tuple[int, ...]) -> None:
        for number, statement in enumerate(among):
            found.append(((*place, number), statement))
            walk(statement.body, (*place, number))

    walk(tree.statements, ())
    return found


def is_plain(statement: Statement) -> bool:
    """True for one that was read, and that can be written elsewhere as it stands."""
    if (
        statement.problem is not None
        or not statement.tokens
        or statement.kind in ("include", "macro", "empty", "ignored", "item")
    ):
        return False
    if any(token.kind == "macro" for each in statement.walk() for token in each.tokens):
        return False
    return len(statement.whole.chars) < LONGEST and "\n" not in statement.whole.chars and not statement.is_block


def trials(tree: Tree, rng: random.Random, style: Style, own: Own | None = None) -> Iterator[Trial]:
    """Some edits of whole statements; `own` are the primitives that the language has of its own."""
    own = own or Own()
    found = [(place, each) for place, each in places(tree) if each.tokens and each.problem is None]
    if not found:
        return
    depth = depths(tree)
    place, statement = rng.choice(found)
    if statement.kind not in ("macro", "include", "load"):
        gone = whole(statement, depth[id(statement)])
        edits = own.remove(tree, statement) if own.remove else statements.remove(statement, style)
        yield Trial("remove", edits, gone, (), cuts=True)
        if edits is not None:
            yield Trial("remove with its comment", statements.remove(statement, style, comment=True), gone, (), cuts=True)
        edits = own.comment_out(tree, statement) if own.comment_out else statements.comment_out(statement, style)
        yield Trial("comment out", edits, gone, ())
    place, statement = rng.choice(found)
    kin = [each for other, each in found if other[:-1] == place[:-1] and is_plain(each)]
    if not kin:
        return
    copy = rng.choice(kin)
    line = copy.span.chars
    come = (row(copy, depth[id(statement)]),)

    def take_out(number: int, lower: int) -> Edits | None:
        target = at(tree_after, (*place[:-1], number + lower))
        return statements.remove(target, style) if target is not None else None

    tree_after = tree
    number = place[-1]

    def undo(after: Tree, lower: int) -> Edits | None:
        nonlocal tree_after
        tree_after = after
        return take_out(number, lower)

    apart = rng.random() < 0.5
    text = statement.span.text
    has_lines = (
        line_begin(text, style, statement.span.start) is not None and line_end(text, style, statement.whole.end) is not None
    )
    reversible = has_lines and (not apart or _before_blank(statement))
    below = statements.below(statement, style, line, apart=apart)
    yield Trial("insert below", below, (), come, undo=(lambda after: undo(after, 1)) if reversible else None)
    above = statements.above(statement, style, line, apart=apart)
    reversible = has_lines and not apart
    if number and not _is_closed(tree, place):
        return
    yield Trial("insert above", above, (), come, undo=(lambda after: undo(after, 0)) if reversible else None)
    if is_plain(statement):
        gone = whole(statement, depth[id(statement)])
        block = at(tree, place[:-1])
        around = ("", "") if block is None else (own.headers.get(block.kind, ""), "}" if block.kind in own.headers else "")
        try:
            edits = statements.replace(statement, style, line, around=around)
        except Unwritable:
            edits = None  # the words mean something in their place alone
        yield Trial("replace", edits, gone, come, cuts=True)
    yield from _at_ends(tree, rng, style, copy, line)


def _is_closed(tree: Tree, place: tuple[int, ...]) -> bool:
    """True unless the statement before is a block without an end, to which all belongs that is put above this one."""
    before = at(tree, (*place[:-1], place[-1] - 1))
    return before is None or not before.is_block or bool(before.close)


def _before_blank(statement: Statement) -> bool:
    """True if a blank line follows: only then is it plain which blank line came with a statement."""
    text = statement.span.text
    end = text.line_span(statement.whole.end)[1]
    return end < len(text.chars) and is_blank_line(text, end)


def _at_ends(tree: Tree, rng: random.Random, style: Style, copy: Statement, line: str) -> Iterator[Trial]:
    blocks = [(each, d) for each in tree.walk() if each.is_block and each.body and (d := depths(tree)[id(each)]) >= 0]
    if blocks:
        block, depth = rng.choice(blocks)
        kin = [each for each in block.body if is_plain(each)]
        if kin:
            inner = rng.choice(kin)
            come = (row(inner, depth + 1),)
            yield Trial("inside", statements.inside(block, style, inner.span.chars), (), come)
            yield Trial("inside, first", statements.inside(block, style, inner.span.chars, first=True), (), come)
    if copy in tree.statements:
        come = (row(copy, 0),)
        yield Trial("at the end", statements.at_end(tree, style, line), (), come)
        yield Trial("add", statements.add(tree, style, copy.kind, line), (), come)
