"""Answers about rulesets as JSON of schema `mailaudit.pf/1`, described by schema/pf.schema.json, and their values as words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from mailaudit.models.interfaces import Interface
from mailaudit.models.pf.addresses import public
from mailaudit.models.pf.answering import Part, Verdict
from mailaudit.models.pf.difference import Parting
from mailaudit.models.pf.doubt import Doubt
from mailaudit.models.pf.reachable import Region
from mailaudit.models.pf.reader import Skip
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.shadow import Shadowed
from mailaudit.models.pf.traffic import Addresses, everyone
from mailaudit.models.pf.values import ICMP, ICMP6, ICMP_TYPES, MAX_PORT, PROTOCOLS, WIDTH, Range
from mailaudit.models.services import Services
from mailaudit.reports.json import dump
from mailaudit.reports.masking import Mask, visible
from mailaudit.text import Span

SCHEMA = "mailaudit.pf/1"
FAMILIES = {4: "inet", 6: "inet6"}
LONGEST = 400  # characters of a rule that are shown


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One packet that was asked about, and what was expected of it (nothing if empty)."""

    verdict: Verdict
    expected: str = ""
    name: str = ""

    @property
    def as_expected(self) -> bool:
        """True if the verdict is what was expected."""
        return self.verdict.value == self.expected


@dataclass(frozen=True, slots=True, eq=False)
class HostAnswer:
    """The answers about one host's ruleset; those of the question that was asked."""

    name: str
    target: str
    loads: bool
    assumed: tuple[str, ...]
    unread: tuple[str, ...]
    mask: Mask
    services: Services
    regions: tuple[Region, ...] = ()
    packets: tuple[Tried, ...] = ()
    shadowed: tuple[Shadowed, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What one run of `mailaudit pf` found. Of `diff` the hosts are the two that were compared."""

    question: str
    hosts: tuple[HostAnswer, ...] = ()
    differences: tuple[Parting, ...] = ()
    errors: tuple[str, ...] = ()
    exit_code: int = 0


def write(told: Told) -> str:
    """The answers as JSON, in ASCII characters, with a final newline."""
    answers = {"reachable": _reachable, "test": _tested, "shadowed": _shadowed}
    hosts = []
    for host in told.hosts:
        own = {
            "name": visible(host.name),
            "target": visible(host.target),
            "loads": host.loads,
            "assumed": [visible(each) for each in host.assumed],
            "unread": [visible(host.mask(each)) for each in host.unread],
        }
        hosts.append(own | (answers[told.question](host) if told.question in answers else {}))
    compared: dict[str, Any] = {}
    if told.question == "diff":
        masks = [host.mask for host in told.hosts]
        compared = {"differences": [_parting(each, masks) for each in told.differences]}
    data = {"schema": SCHEMA, "question": told.question, "hosts": hosts, **compared}
    return dump(data | {"errors": [visible(each) for each in told.errors], "exit_code": told.exit_code})


def _reachable(host: HostAnswer) -> dict[str, Any]:
    return {"regions": [_region(each, host.mask) for each in host.regions]}


def _region(region: Region, mask: Mask) -> dict[str, Any]:
    return {
        **_kind(region),
        "sure": region.sure,
        "rule": _rule(region.rule, mask),
        "skip": _skip(region.skip, mask),
        "doubts": [str(each) for each in region.doubts],
    }


def _kind(each: Region | Parting) -> dict[str, Any]:
    ends = (each.others, each.own) if each.direction == "in" else (each.own, each.others)
    return {
        "direction": each.direction,
        "interface": interface_name(each.interface),
        "family": FAMILIES[each.family],
        "protocol": None if each.protocol is None else protocol_name(each.protocol),
        "icmp_type": None if each.icmp is None else each.icmp[0],
        "icmp_code": None if each.icmp is None else each.icmp[1],
        "sources": addresses(ends[0], each.family),
        "targets": addresses(ends[1], each.family),
        "source_ports": [list(span) for span in each.source_ports],
        "ports": [list(span) for span in each.ports],
    }


def _tested(host: HostAnswer) -> dict[str, Any]:
    return {
        "packets": [
            {
                "packet": visible(str(each.verdict.asked)),
                "name": visible(each.name) or None,
                "expected": each.expected or None,
                "verdict": each.verdict.value,
                "doubts": [str(doubt) for doubt in each.verdict.doubts],
                "parts": [_part(part, host.mask) for part in each.verdict.parts],
            }
            for each in host.packets
        ]
    }


def _part(part: Part, mask: Mask) -> dict[str, Any]:
    return {
        "interface": interface_name(part.interface),
        "family": FAMILIES[part.family],
        "sources": addresses(part.sources, part.family),
        "targets": addresses(part.targets, part.family),
        "source_ports": [list(span) for span in part.source_ports],
        "ports": [list(span) for span in part.ports],
        "verdict": "unknown" if part.fate == "in-doubt" else part.fate,
        "rule": _rule(part.rule, mask),
        "skip": _skip(part.skip, mask),
        "why": part.why or None,
        "matched": [{"sure": bool(each.sure), **(_rule(each.rule, mask) or {})} for each in part.trail],
        "doubts": [{"rule": _rule(rule, mask), "reasons": [str(each) for each in reasons]} for rule, reasons in part.doubts],
    }


def _shadowed(host: HostAnswer) -> dict[str, Any]:
    return {
        "shadowed": [
            {
                "rule": _rule(each.rule, host.mask),
                "killers": [_rule(killer, host.mask) for killer in each.killers],
                "skip": _skip(each.skip, host.mask),
            }
            for each in host.shadowed
        ]
    }


def _parting(parting: Parting, masks: Sequence[Mask]) -> dict[str, Any]:
    return {
        **_kind(parting),
        "before": fate_name(parting.before),
        "after": fate_name(parting.after),
        "rule_before": _rule(parting.rule_before, masks[0]),
        "rule_after": _rule(parting.rule_after, masks[1]),
    }


def _rule(rule: Rule | None, mask: Mask) -> dict[str, Any] | None:
    return None if rule is None else _place(rule.statement.span, mask)


def _skip(skip: Skip | None, mask: Mask) -> dict[str, Any] | None:
    return None if skip is None else _place(skip.statement.span, mask)


def _place(span: Span, mask: Mask) -> dict[str, Any]:
    line, column = span.text.position(span.start)
    end_line, end_column = span.text.position(span.end)
    where = {"path": visible(span.path), "line": line, "column": column, "end_line": end_line, "end_column": end_column}
    return {**where, "text": on_one_line(span, mask)}


def on_one_line(span: Span, mask: Mask) -> str:
    """A rule's characters on one line, secrets masked, a long one clipped."""
    chars = " ".join(mask.written(span).replace("\\\n", " ").split())
    return visible(chars if len(chars) <= LONGEST else f"{chars[: LONGEST - 3]}...")


def fate_name(fate: str) -> str:
    """What becomes of packets, in the words of reports."""
    return "unknown" if fate == "in-doubt" else fate


def interface_name(interface: Interface) -> str:
    """What an interface is called; where its name is not known, by a group of it."""
    group = "egress" if "egress" in interface.groups else min(interface.groups, default="")
    return visible(interface.name or group)


def protocol_name(number: int) -> str:
    """The first name of a protocol, as pf.conf has it; its number if it has none."""
    return {ICMP: "icmp", ICMP6: "icmp6"}.get(number) or next((n for n, each in PROTOCOLS.items() if each == number), str(number))


def icmp_name(family: int, kind: int | None) -> str:
    """The first name of an ICMP type."""
    if kind is None:
        return "any other type"
    return next((name for name, number in ICMP_TYPES[family].items() if number == kind), str(kind))


def addresses(parts: Iterable[Addresses], family: int) -> list[str]:
    """Addresses as words: `any`, `self` (the host's own), networks, and ranges that are none: `192.0.2.1-192.0.2.6`."""
    found: list[str] = []
    for part in parts:
        if part.own:
            found.append("self")
        found += spans(part.ranges, family)
    return found


def spans(ranges: Sequence[Range], family: int) -> list[str]:
    """Ranges of addresses as networks, where they are such."""
    if tuple(ranges) == ((0, (1 << WIDTH[family]) - 1),):
        return ["any"]
    return [_span(low, high, family) for low, high in ranges]


def in_short(parts: Sequence[Addresses], family: int) -> list[str]:
    """Addresses as words for people: what is all of the Internet, or all but a few networks, is called so."""
    words = addresses(parts, family)
    if any(part.own for part in parts):
        return words
    ranges = [span for part in parts for span in part.ranges]
    for name, every in (("any", everyone(family).ranges), ("the Internet", public(family))):
        missing = list(_without(every, ranges))
        inside = not list(_without(ranges, every))
        if inside and not missing:
            return [name]
        if inside and len(missing) < len(words) - 1:
            return [f"{name} but for {', '.join(spans(missing, family))}" if len(missing) <= MOST_MISSING else f"most of {name}"]
    return words


MOST_MISSING = 6


def _without(ranges: Iterable[Range], taken: Sequence[Range]) -> Iterator[Range]:
    """What of some ranges lies in none of others."""
    for first, last in ranges:
        at = first
        for low, high in sorted(taken):
            if high < at or low > last:
                continue
            if at < low:
                yield at, low - 1
            at = high + 1
        if at <= last:
            yield at, last


def _span(low: int, high: int, family: int) -> str:
    address = IPv4Address if family == 4 else IPv6Address
    size = high - low + 1
    if size == 1:
        return str(address(low))
    if size & (size - 1) == 0 and low % size == 0:
        return f"{address(low)}/{WIDTH[family] + 1 - size.bit_length()}"
    return f"{address(low)}-{address(high)}"


def ports(ranges: Iterable[Range]) -> list[str]:
    """Ranges of ports as words; nothing for all of them."""
    listed = [*ranges]
    if listed in ([(0, MAX_PORT)], [(1, MAX_PORT)]):
        return []
    return [str(low) if low == high else f"{low}:{high}" for low, high in listed]


def reasons(doubts: Iterable[Doubt]) -> list[str]:
    """Doubts as sentences."""
    return [each.sentence for each in doubts]
