"""Edits of Dovecot's files tried."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

from bench.trials import Row, Trial, lines, row
from mailaudit.editing import dovecot
from mailaudit.parsers.tree import Tree

VALUES = (
    "no",
    "",
    "/var/vmail/%d/%n",
    "a # b",
    " leads",
    "it's",
    'say "x"',
    "back\\slash",
    "ends\\",
    "<file",
    "a" + " b" * 90,
    "ü",
)


def trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one file."""
    yield from lines.trials(tree, rng, dovecot.STYLE)
    value = rng.choice(VALUES)
    yield from _settings(tree, rng, value)
    yield _fresh(tree, value, ())
    yield _fresh(tree, value, ("service fresh", "inet_listener new"))
    closed = [each for each in tree.statements if each.kind == "section" and each.close and not each.problem]
    if closed:
        section = rng.choice(closed)
        name = dovecot.name_of(section)
        if dovecot.sections(tree, [name])[-1].close:
            yield _fresh(tree, value, (name,))
    yield Trial(
        "add section",
        dovecot.add_section(tree, "namespace with blank", [("prefix", value)]),
        (),
        (
            (0, "section", ("namespace", "with blank", "{")),
            (1, "setting", _words("prefix", value)),
            (0, "end", ("}",)),
        ),
    )


def _words(key: str, value: str) -> tuple[str, ...]:
    return (key, "=", value) if value else (key, "=")


def _settings(tree: Tree, rng: random.Random, value: str) -> Iterator[Trial]:
    found = [each for each in tree.statements if each.kind == "setting" and not each.problem]
    if not found:
        return
    key = rng.choice(found).seen[0].value
    statement = dovecot.setting(tree, key)
    assert statement is not None
    gone = (row(statement, 0),)
    for from_file in (False, True):
        if from_file and not value.startswith("/"):
            continue
        come = _words(key, value) if not from_file else (key, "=", "<", value)
        yield Trial(
            "set value",
            dovecot.set_value(tree, key, value, from_file=from_file),
            gone,
            ((0, "setting", come),),
            again=partial(dovecot.set_value, key=key, value=value, from_file=from_file),
            cuts=True,
        )


def _fresh(tree: Tree, value: str, path: tuple[str, ...]) -> Trial:
    """A setting that the file does not have, in sections that it may have or not."""
    known = 0
    while known < len(path) and dovecot.sections(tree, path[: known + 1]):
        known += 1
    come: list[Row] = [(number, "section", (*path[number].split(" "), "{")) for number in range(known, len(path))]
    come.append((len(path), "setting", _words("fresh_key", value)))
    come += [(number, "end", ("}",)) for number in reversed(range(known, len(path)))]
    return Trial(
        f"set a new value in {len(path)}",
        dovecot.set_value(tree, "fresh_key", value, path),
        (),
        tuple(come),
        again=lambda after: dovecot.set_value(after, "fresh_key", value, path),
    )
