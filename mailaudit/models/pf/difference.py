"""Where two rulesets part: the packets that one lets pass and the other does not, with the line of each that decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mailaudit.models.interfaces import Interface
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.eval import Filter, Outcome
from mailaudit.models.pf.reachable import Packets, interfaces_of, joined, kinds, own_addresses
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.space import Cell, cells, whole
from mailaudit.models.pf.traffic import Addresses


@dataclass(frozen=True, slots=True, eq=False)
class Parting(Packets):
    """Packets of which one ruleset makes this and the other that.

    `before` and `after` are `pass`, `block` or `in-doubt`; the rules are those that decide, or are in doubt (None: no rule does,
    or the interface is skipped).
    """

    before: str
    after: str
    rule_before: Rule | None
    rule_after: Rule | None


def difference(one: Ruleset, other: Ruleset) -> Iterator[Parting]:
    """What comes in or goes out by one ruleset and not by the other; the interfaces are those of both."""
    known = {each.name: each for each in (*interfaces_of(one), *interfaces_of(other))}
    for direction in ("in", "out"):
        for interface in known.values():
            filters = [_filter(each, interface) for each in (one, other)]
            for family in (4, 6):
                own = own_addresses(one, interface, family)
                others = whole(family, strangers=interface in one.egress)
                for kind in kinds([one, other], direction, interface, family) if own else ():
                    ends = (others, own) if direction == "in" else (own, others)
                    where = (direction, interface, family, kind.protocol, kind.icmp)
                    yield from _partings(where, cells(filters, kind.traffic, *ends), inward=direction == "in")


def _filter(ruleset: Ruleset, interface: Interface) -> Filter:
    """The rules that hold on an interface: none where it is skipped."""
    if ruleset.skipped(interface) is not None:
        return Filter((), ruleset.tables, ruleset.book)
    return ruleset.filter


def _partings(
    where: tuple[str, Interface, int, int | None, tuple[int | None, int | None] | None], found: Iterator[Cell], *, inward: bool
) -> Iterator[Parting]:
    together: dict[tuple[object, ...], tuple[Parting, list[Addresses]]] = {}
    for cell in found:
        before, after = cell.outcomes
        others, own = (cell.sources, cell.targets) if inward else (cell.targets, cell.sources)
        for left, was, first in fates(before):
            for right, now, second in fates(after):
                classes = left & right
                if was == now or not classes:
                    continue
                ports = cell.ports(classes)
                key = (was, now, id(first), id(second), ports, cell.source_ports, own)
                if key not in together:
                    together[key] = (
                        Parting(*where, others, own, cell.source_ports, ports, was, now, first, second),
                        [],
                    )
                together[key][1].extend(others)
    for parting, parts in together.values():
        yield replace(parting, others=joined(parts))


def fates(outcome: Outcome) -> Iterator[tuple[int, str, Rule | None]]:
    """What becomes of the classes: pass, block or in-doubt, and the rule that decides or is in doubt."""
    for rule, classes in outcome.decisions():
        for fate, mask in (("pass", outcome.surely_passed), ("block", outcome.surely_blocked)):
            if classes & mask:
                yield classes & mask, fate, rule
    for rule, classes in outcome.doubts():
        yield classes, "in-doubt", rule
