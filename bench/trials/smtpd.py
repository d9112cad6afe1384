"""Edits of smtpd.conf tried."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import partial

from bench.trials import Edits, Row, Trial, lines, row
from bench.trials.pf import list_trials, macro_trials, values
from mailaudit.editing import smtpd
from mailaudit.editing.style import Unwritable
from mailaudit.parsers.smtpd_grammar import KEYWORDS
from mailaudit.parsers.tree import Statement, Tree

OPTIONS = {
    "listen": (("tag", "LAN"), ("mask-src", ""), ("pki", "mail.example.com"), ("hostname", '"mx.example.com"')),
    "action": (("ttl", "2d"), ("alias", "<aliases>"), ("user", '"vmail"'), ("helo", "mx.example.com")),
    "match": (("tag", "LAN"), ("auth", ""), ("from", "any"), ("for", "domain <domains>")),
    "pki": (("dhe", "auto"), ("cert", '"/etc/ssl/mail.pem"')),
}


def trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one configuration."""
    yield from lines.trials(tree, rng, smtpd.STYLE)
    yield from macro_trials(tree, rng, smtpd.set_macro, KEYWORDS)
    for statement in tree.statements:
        if statement.template is None or statement.problem is not None:
            continue
        for node in smtpd.lists_of(statement):
            items = smtpd.items(statement, node)
            if items is not None and rng.random() < 0.5:
                yield from list_trials(statement, items, 0, rng)
    yield from _options(tree, rng)
    yield from _tables(tree)
    yield from _filters(tree, rng)


def _options(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    found = [each for each in tree.statements if each.kind in OPTIONS and each.problem is None]
    for statement in rng.sample(found, min(4, len(found))):
        name, argument = rng.choice(OPTIONS[statement.kind])
        try:
            edits = smtpd.set_option(statement, name, argument)
        except Unwritable:
            continue  # no option of such a statement
        number = tree.statements.index(statement)
        argued = [part for part in argument.strip('"').replace("<", "< ").replace(">", " >").split() if part]
        come = _set(statement, name, argued)
        yield Trial(
            f"set {name}",
            edits,
            (row(statement, 0),),
            (come,),
            again=partial(_again, number, name, argument),
            cuts=True,
        )
        node = smtpd.option(statement, name)
        if node is not None:
            gone = {token.start for token in node.all_leaves()}
            left = tuple(token.value for token in statement.tokens if token.start not in gone and token.value != "\r")
            yield Trial(
                f"remove {name}", smtpd.remove_option(statement, name), (row(statement, 0),), ((0, statement.kind, left),)
            )


def _again(number: int, name: str, argument: str, after: Tree) -> Edits | None:
    return smtpd.set_option(after.statements[number], name, argument)


def _set(statement: Statement, name: str, argued: list[str]) -> Row:
    """The statement as it is to be once it has an option."""
    old = values(statement)
    node = smtpd.option(statement, name)
    starts = [token.start for token in statement.tokens]
    if node is not None:
        leaves = node.all_leaves()
        if any(token.start not in starts for token in leaves):
            return 0, statement.kind, ()
        keyword = next(token for token in leaves if token.kind == name)
        first = starts.index(keyword.start) + 1
        last = max(first, starts.index(leaves[-1].start) + 1)
        return 0, statement.kind, (*old[:first], *argued, *old[last:])
    at = len(old)
    for kind in {"match": ("action", "reject"), "action": ("ttl",)}.get(statement.kind, ()):
        behind = statement.node.node(kind)
        if behind is not None and behind.all_leaves()[0].start in starts:
            at = min(at, starts.index(behind.all_leaves()[0].start))
    return 0, statement.kind, (*old[:at], name, *argued, *old[at:])


def _tables(tree: Tree) -> Iterator[Trial]:
    new = (0, "table", ("table", "fresh", "file:/etc/mail/fresh"))
    yield Trial(
        "set table",
        smtpd.set_table(tree, "fresh", "file:/etc/mail/fresh"),
        (),
        (new,),
        again=lambda after: smtpd.set_table(after, "fresh", "file:/etc/mail/fresh"),
        undo=lambda after: smtpd.remove(smtpd.named(after, "table", "fresh")[0]),
    )
    pki = (0, "pki", ("pki", "fresh.example", "cert", "/etc/ssl/fresh.pem"))
    yield Trial(
        "set pki",
        smtpd.set_pki(tree, "fresh.example", "cert", "/etc/ssl/fresh.pem"),
        (),
        (pki,),
        again=lambda after: smtpd.set_pki(after, "fresh.example", "cert", "/etc/ssl/fresh.pem"),
    )


def _filters(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    found = [each for each in tree.statements if each.kind == "listen" and each.problem is None]
    if not found:
        return
    statement = rng.choice(found)
    node = smtpd.option(statement, "filter")
    old = values(statement)
    if node is None:
        come = (*old, "filter", "fresh")
    elif node.all_leaves()[1].kind == "{":
        at = next(number for number, token in enumerate(statement.tokens) if token.start == node.all_leaves()[-1].start)
        come = (*old[:at], "fresh", *old[at:])
    else:
        at = next(number for number, token in enumerate(statement.tokens) if token.start == node.all_leaves()[-1].start)
        come = (*old[:at], "{", old[at], "fresh", "}", *old[at + 1 :])
    number = tree.statements.index(statement)
    yield Trial(
        "add filter",
        smtpd.add_filter(statement, "fresh"),
        (row(statement, 0),),
        ((0, "listen", come),),
        again=lambda after: smtpd.add_filter(after.statements[number], "fresh"),
        marks=",",
    )
