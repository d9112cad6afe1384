"""Edits of zone text tried: what is compared is each record with its owner."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from bench.trials import Trial
from mailaudit.editing import zone
from mailaudit.editing.style import alone
from mailaudit.parsers.tree import Tree

DATA = (
    ("A", "192.0.2.77"),
    ("MX", "5 mail"),
    ("TXT", zone.write_text('v=spf1 -all; "x" ü' + "y" * 300)),
    ("AAAA", "2001:db8::77"),
)


def trials(tree: Tree, rng: random.Random) -> Iterator[Trial]:
    """Some edits of one zone."""
    known = list(zone.records(tree, "example.com."))
    if not known:
        return
    kind, rdata = rng.choice(DATA)
    chosen = rng.choice(known)
    for owner in (chosen.owner, "fresh", "fresh.example.net."):
        edits = zone.add_record(tree, owner, kind, rdata, "example.com.")
        new = (zone.full(owner, "example.com."), kind, _data(kind, rdata))
        yield Trial("add record", edits, (), (), holds=_holding(_with(_rows(tree), (), new)))
    edits = zone.remove_record(tree, chosen.statement)
    gone = (chosen.owner, chosen.kind, _fields(chosen))
    yield Trial("remove record", edits, (), (), holds=lambda after: _rows(after) == _with(_rows(tree), gone, ()), cuts=True)
    if chosen.kind in dict(DATA):
        rdata = dict(DATA)[chosen.kind]
        new = (chosen.owner, chosen.kind, _data(chosen.kind, rdata))
        edits = zone.replace_data(chosen.statement, rdata)
        yield Trial("replace data", edits, (), (), holds=lambda after: _rows(after) == _with(_rows(tree), gone, new), cuts=True)


Fields = tuple[str, ...]
Shown = tuple[str, str, Fields]


def _fields(record: zone.Record) -> Fields:
    return tuple(token.value for token in record.statement.node.nodes("rdata")[0].leaves())


def _data(kind: str, rdata: str) -> Fields:
    read = alone(zone.STYLE, [f"x IN {kind} {rdata}"])
    return tuple(token.value for token in read.node.nodes("rdata")[0].leaves())


def _rows(tree: Tree) -> list[Shown]:
    return sorted((each.owner, each.kind, _fields(each)) for each in zone.records(tree, "example.com."))


def _holding(rows: list[Shown]) -> Callable[[Tree], bool]:
    return lambda after: _rows(after) == rows


def _with(rows: list[Shown], gone: Shown | tuple[()], come: Shown | tuple[()]) -> list[Shown]:
    left = list(rows)
    if gone:
        left.remove(gone)
    return sorted([*left, *([come] if come else [])])
