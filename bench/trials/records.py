"""Edits of login.conf, Sieve scripts and UCL files tried."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial

from bench.trials import Edits, Row, Trial, depths, lines, row
from bench.trials.pf import values
from mailaudit.editing import login, sieve, ucl
from mailaudit.editing.style import Unwritable
from mailaudit.parsers.tree import Statement, Tree


def tried(change: Callable[[], Edits | None]) -> Edits | None:
    """The edits, or none for a value that cannot be written."""
    try:
        return change()
    except Unwritable:
        return None


def login_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one login.conf."""
    if not tree.text.chars.endswith("\n") or tree.text.chars.endswith("\\\n"):
        return  # the last record is not read, and is as soon as something stands behind it
    yield from lines.trials(tree, rng, login.STYLE)
    classes = [each for each in tree.statements if each.kind == "class"]
    names = [token.value for each in classes for token in each.node.nodes("names")[0].leaves()]
    value = rng.choice(("512M", None, "a b", "/bin:/usr", "x\\"))
    yield from _capability(tree, "fresh", rng.choice(("openfiles", "x-fresh")), value)
    if classes:
        name = rng.choice(names)
        record = login.record(tree, name)
        assert record is not None
        known = [node.first.value for node in record.node.nodes("capability")]
        yield from _capability(tree, name, rng.choice([*known, "fresh"]), value)


def _capability(tree: Tree, name: str, capability: str, value: str | None) -> Iterator[Trial]:
    record = login.record(tree, name)
    edits = tried(partial(login.set_capability, tree, name, capability, value))
    words = [capability, "=", value] if value is not None else [capability]
    again = partial(login.set_capability, class_name=name, name=capability, value=value)
    if record is None:
        come = ((0, "class", (name, ":", *words, ":")),)
        yield Trial("add class", edits, (), come, again=again, marks=":")
        return
    gone = (row(record, 0),)
    old = values(record)
    node = login.capability(record, capability)
    if node is not None:
        starts = [token.start for token in record.tokens]
        first, last = starts.index(node.first.start), starts.index(node.leaves()[-1].start)
        new = [*old[:first], *words, *old[last + 1 :]]
        left = (*old[:first], *old[last + 1 :])
        removed = login.remove_capability(tree, name, capability)
        yield Trial("remove capability", removed, gone, ((0, "class", left),), marks=":")
    else:
        tc = next((found.first.start for found in record.node.nodes("capability") if found.first.value == "tc"), None)
        at = next((number for number, token in enumerate(record.tokens) if token.start == tc), len(old))
        new = [*old[:at], *words, *old[at:]]
    yield Trial("set capability", edits, gone, ((0, "class", tuple(new)),), again=again, marks=":")


def sieve_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one script."""
    yield from lines.trials(tree, rng, sieve.STYLE)
    found = sieve.requires(tree)
    edits = sieve.add_require(tree, "fresh")
    again = partial(sieve.add_require, extension="fresh")
    if not found:
        come = ((0, "command", ("require", "[", "fresh", "]", ";")),)
        yield Trial("first require", edits, (), come, again=again, undo=partial(sieve.remove_require, extension="fresh"))
    else:
        last = found[-1]
        depth = depths(tree)[id(last)]
        names = [token.value for token in sieve.extensions(last)]
        new = ("require", "[", *names, "fresh", "]", ";")
        yield Trial("require", edits, (row(last, depth),), ((depth, "command", new),), again=again, marks=",")
        if len(names) > 1:
            name = rng.choice(names)
            left = ("require", "[", *[each for each in names if each != name], "]", ";")
            removed = sieve.remove_require(tree, name)
            if sum(token.value == name for each in found for token in sieve.extensions(each)) == 1:
                yield Trial("unrequire", removed, (row(last, depth),), ((depth, "command", left),), marks=",", cuts=True)
    yield Trial("add", sieve.add(tree, "if true {", "\tstop;", "}"), (), _BLOCK)


_BLOCK: tuple[Row, ...] = (
    (0, "block", ("if", "true", "{")),
    (1, "command", ("stop", ";")),
    (0, "end", ("}",)),
)
VALUES: tuple[ucl.Value, ...] = (
    True,
    False,
    7,
    2.5,
    "plain",
    "two words",
    'say "x"',
    "back\\slash",
    "a;b # c",
    "10s",
    "yes",
    "",
    "ü\n",
)


def ucl_trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one UCL file."""
    if tree.text.chars.endswith("\\"):
        return  # whatever is put behind a bare value that ends so changes it
    yield from lines.trials(tree, rng, ucl.STYLE, lines.Own(ucl.remove, ucl.comment_out))
    value = rng.choice(VALUES)
    known = [path for path in _paths(tree.statements, ()) if ucl.find(tree, path)]
    settings = [path for path in known if ucl.find(tree, path)[-1].kind == "setting"]
    if settings:
        yield from _set(tree, rng.choice(settings), value)
    outer = 1 if ucl.root(tree) is not None else 0
    fresh: tuple[tuple[str, ...], ...] = (("fresh",), ("fresh_section", "inner", "fresh"))
    for path in fresh:
        yield _fresh(tree, path, value, outer, ())
    sections = [path for path in known if all(each.kind == "section" for each in ucl.find(tree, path))]
    if sections:
        path = rng.choice(sections)
        last = ucl.find(tree, path)[-1]
        yield _fresh(tree, (*path, "fresh"), value, depths(tree)[id(last)] + 1, path)
    yield from _arrays(tree, rng)


def _paths(among: tuple[Statement, ...], before: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for each in among:
        names = ucl.keys(each) if each.kind in ("setting", "section", "array") and not each.problem else []
        if names:
            found.append((*before, *names))
        if each.kind == "section" and (names or not before):
            found += _paths(each.body, (*before, *names))
    return found


def _written(value: ucl.Value) -> str:
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)


def _set(tree: Tree, path: tuple[str, ...], value: ucl.Value) -> Iterator[Trial]:
    statement = ucl.find(tree, path)[-1]
    depth = depths(tree)[id(statement)]
    node = statement.node.node("value") if statement.template else None
    if node is None:
        return
    at = next(number for number, token in enumerate(statement.tokens) if token is node.first)
    old = values(statement)
    new = (*old[:at], _written(value), *old[at + 1 :])
    edits = tried(partial(ucl.set_value, tree, path, value))
    again = partial(ucl.set_value, path=path, value=value)
    yield Trial("set value", edits, (row(statement, depth),), ((depth, "setting", new),), again=again)


def _fresh(tree: Tree, path: tuple[str, ...], value: ucl.Value, depth: int, known: tuple[str, ...]) -> Trial:
    names = path[len(known) : -1]
    come: list[Row] = [(depth + number, "section", (name, "{")) for number, name in enumerate(names)]
    come.append((depth + len(names), "setting", (path[-1], _written(value))))
    come += [(depth + number, "end", ("}",)) for number in reversed(range(len(names)))]
    edits = tried(partial(ucl.set_value, tree, path, value))
    again = partial(ucl.set_value, path=path, value=value)
    return Trial(f"set new {len(names)}", edits, (), tuple(come), again=again, marks=";,=:")


def _arrays(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    known = [path for path in _paths(tree.statements, ()) if ucl.find(tree, path)]
    paths = [path for path in known if ucl.find(tree, path)[-1].kind == "array"]
    if not paths:
        return
    path = rng.choice(paths)
    array = ucl.find(tree, path)[-1]
    listed = ucl.items(array)
    if listed is None:
        return
    depth = depths(tree)[id(array)] + 1
    edits = ucl.add_item(tree, path, "fresh")
    again = partial(ucl.add_item, path=path, value="fresh")
    yield Trial("add item", edits, (), ((depth, "item", ("fresh",)),), again=again, marks=";,=:")
    texts = [item[0] for item in listed.items if item[0].kind in ("string", "word")]
    if texts:
        token = rng.choice(texts)
        gone = ((depth, "item", (token.value,)),)
        yield Trial("remove item", ucl.remove_item(tree, path, token.value), gone, (), cuts=True, marks=";,=:")
