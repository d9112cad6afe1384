"""Law 8 for the whole space: what is said of it, beside the verdicts of single packets, on generated rulesets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pf_corpus import TRIED_ON, read

from bench.agreement.pf_space import compared, parted, verdict
from mailaudit.models.pf import shadow
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.near import Box, Near, Overlaps
from mailaudit.models.pf.rules import ACK, SYN, Rule
from mailaudit.models.pf.shadow import shadowed
from mailaudit.models.pf.traffic import Addresses, Traffic
from mailaudit.models.pf.values import ICMP, TCP, UDP, address4

SOURCES = ["198.51.100.7", "198.51.100.9", "65.0.0.1", "8.8.8.8", "10.101.0.1", "10.101.0.77"]
TARGETS = ["10.101.0.1", "10.102.0.1", "198.51.100.7"]
PORTS = [21, 22, 25, 26, 80, 443]

_sides = st.sampled_from(
    ["", "", "", "from any ", "from 198.51.100.0/24 ", "from ! 198.51.100.0/24 ", "from <bad> ", "from ! <bad> ", "from (em0) ",
     "from em0:network ", "from { 198.51.100.7 64.0.0.0/2 } "]
)  # fmt: skip
_targets = st.sampled_from(["", "", "", "to (em0) ", "to (egress) ", "to self ", "to ! (em0) ", "to 198.51.100.7 "])
_ports = st.sampled_from(["port 25", "port { 22 25 80 }", "port 20:30", "port != 25", "port > 100", "port 24 >< 27"])
_protocols = st.sampled_from(["", "proto tcp ", "proto tcp ", "proto udp ", "proto { tcp udp } ", "proto icmp "])


def _line(head: str, proto: str, ends: tuple[str, str], port: str, tail: str) -> str:
    """A rule of these parts, those left out that pfctl would not take together."""
    side, target = ends
    has_ports = "tcp" in proto or "udp" in proto
    if (target or has_ports) and "from" not in side:
        side = "from any "
    needs = {"flags": "tcp" in proto, "icmp-type": "icmp" in proto, "user": has_ports and not head.startswith("match")}
    tail = tail if needs.get(tail.partition(" ")[0], True) else ""
    family = "inet " if "icmp" in proto else ""
    return f"{head}{family}{proto}{side}{target or ('to any ' if has_ports else '')}{port + ' ' if has_ports else ''}{tail}"


_heads = st.tuples(
    st.sampled_from(["pass ", "pass ", "block ", "block ", "match "]),
    st.sampled_from(["", "in ", "in ", "out "]),
    st.sampled_from(["", "", "", "quick "]),
    st.sampled_from(["", "", "on em0 ", "on egress ", "on ! em0 ", "on em1 "]),
).map("".join)
_tails = st.sampled_from(
    ["", "", "", "", "", "flags any", "flags A/A", "icmp-type echoreq", "tag A", "tagged A", "! tagged A", "user root"]
)
_rules = st.builds(_line, _heads, _protocols, st.tuples(_sides, _targets), _ports, _tails)
_DOUBTFUL = [
    "block in quick from urpf-failed",
    "block in from <absent>",
    'anchor "other"',
    "pass in proto tcp from any os OpenBSD to any",
    "match out on em0 from 10.101.0.0/24 nat-to (em1)",
    "match in on em0 proto tcp to (em0) port 80 rdr-to 10.102.0.1 port 443",
]
_lines = st.lists(
    st.one_of(
        _rules,
        _rules,
        _rules,
        st.lists(_rules, min_size=1, max_size=3).map(lambda inner: "anchor in on em0 {\n" + "\n".join(inner) + "\n}"),
        st.lists(_rules, min_size=1, max_size=2).map(lambda inner: "anchor quick from <bad> {\n" + "\n".join(inner) + "\n}"),
        st.sampled_from(_DOUBTFUL),
    ),
    max_size=7,
)


def ruleset(lines: list[str]) -> Ruleset:
    tables = 'table <bad> { 198.51.100.0/24 !198.51.100.7 64.0.0.0/2 }\ntable <absent> persist file "/etc/absent"\n'
    pf = read(tables + "".join(f"{line}\n" for line in lines), TRIED_ON)
    assert not pf.faults, (lines, [fault.problem.message for fault in pf.faults])
    return pf


@given(_lines, st.integers(0, 9999))
@settings(max_examples=20, deadline=None)
def test_what_is_reachable_is_what_some_packet_reaches(lines: list[str], seed: int) -> None:
    tried, wrong = compared(ruleset(lines), str(seed), share=0.05)
    assert tried
    assert wrong[:3] == []


@given(_lines, _lines, st.integers(0, 9999))
@settings(max_examples=16, deadline=None)
def test_rulesets_part_where_packets_fare_differently(before: list[str], after: list[str], seed: int) -> None:
    tried, wrong = parted(ruleset(before), ruleset(after), str(seed), share=0.04)
    assert tried
    assert wrong[:3] == []


@given(_lines, _rules, st.data())
@settings(max_examples=20, deadline=None)
def test_one_more_line_parts_only_where_it_decides(lines: list[str], more: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(lines)))
    _, wrong = parted(ruleset(lines), ruleset([*lines[:at], more, *lines[at:]]), f"{lines}{more}", share=0.04)
    assert wrong[:3] == []


@cache
def _packets() -> list[Traffic]:
    return list(_every_packet())


def _every_packet() -> Iterator[Traffic]:
    """A packet of every sort that the rules above can tell apart."""
    for direction, interface in product(("in", "out"), TRIED_ON.known):
        for source, target in product(SOURCES, TARGETS):
            base = Traffic(direction, interface, 4, ICMP, _one(source), _one(target), ((40000, 40000),))
            yield from (_icmp(base, kind) for kind in (0, 3, 8))
            for port in PORTS:
                ports = ((port, port),)
                yield Traffic(direction, interface, 4, UDP, _one(source), _one(target), ((40000, 40000),), ports)
                for flags in (SYN, ACK):
                    yield Traffic(direction, interface, 4, TCP, _one(source), _one(target), ((40000, 40000),), ports, flags=flags)
        yield Traffic(direction, interface, 6, TCP, _six(), _six(), ((40000, 40000),), ((25, 25),))
        yield Traffic(direction, interface, 6, TCP, _six(), _six(), ((40000, 40000),), ((443, 443),))
        yield Traffic(direction, interface, 4, 50, _one(SOURCES[2]), _one(TARGETS[1]))


def _icmp(base: Traffic, kind: int) -> Traffic:
    return Traffic(base.direction, base.interface, 4, ICMP, base.sources, base.targets, icmp=(kind, 0))


def _one(text: str) -> Addresses:
    value = address4(text)
    assert value is not None
    return Addresses(((value, value),))


def _six() -> Addresses:
    return Addresses((((0x2A00 << 112) + 1, (0x2A00 << 112) + 1),))


def deciders(pf: Ruleset) -> tuple[set[int], set[int]]:
    """The rules that decide over one of the packets, and those that may."""
    surely: set[int] = set()
    maybe: set[int] = set()
    for packet in _packets():
        decision = verdict(pf, packet)
        maybe |= {id(rule) for rule in (decision.rule, *decision.doubts) if rule is not None}
        if decision.rule is not None and decision.action != "in-doubt":
            surely.add(id(decision.rule))
    return surely, maybe


def _is_exempt(rule: Rule) -> bool:
    return rule.action == "match" or bool(rule.options.tagged)


@given(_lines)
@settings(max_examples=16, deadline=None)
def test_rules_that_never_decide_are_those_that_decide_over_no_packet(lines: list[str]) -> None:
    pf = ruleset(lines)
    surely, maybe = deciders(pf)
    told = list(shadowed(pf))
    for each in told:
        assert id(each.rule) not in maybe, (each.rule.statement.span.chars, lines)
        assert each.rule not in each.killers
        assert {id(killer) for killer in each.killers} <= maybe, (each.rule.statement.span.chars, lines)
    assert surely.isdisjoint(id(each.rule) for each in told)


@given(st.lists(_rules.filter(lambda line: "tag" not in line and "user" not in line), min_size=1, max_size=6))
@settings(max_examples=16, deadline=None)
def test_all_that_never_decide_are_told_where_nothing_is_in_doubt(lines: list[str]) -> None:
    pf = ruleset(lines)
    _, maybe = deciders(pf)
    told = {id(each.rule) for each in shadowed(pf)}
    for rule in pf.rules:
        if not _is_exempt(rule) and rule.direction and rule.family != 6:
            assert (id(rule) in told) == (id(rule) not in maybe), (rule.statement.span.chars, lines)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("pass in\nblock in\n", {1: (2,)}),
        ("block in\npass in proto tcp to port 25\n", {}),
        ("block in quick\npass in proto tcp to port 25\n", {2: (1,)}),
        ("match in quick from 198.51.100.0/24\nblock in\npass in no state\n", {2: (3,)}),
        ("block in\nmatch in quick from urpf-failed\npass in no state\n", {}),
        ("pass in from 198.51.100.0/24\nmatch in quick from 198.51.100.0/24\nblock in\n", {}),
        (
            "block in\npass in proto tcp to port { 22 25 }\npass in proto tcp to port 22\npass in proto tcp to port 25\n",
            {2: (4, 3)},
        ),
        ('pass in\nanchor "a"\n', {}),
        ('block in\nanchor "a"\npass in no state\n', {1: (3,)}),
        ("block in quick from urpf-failed\npass in\n", {}),
        ("set skip on em0\nblock in on em0\n", {2: ()}),
        ("set skip on em0\npass in inet proto icmp icmp-type echorep\n", {2: ()}),
        ("pass in on em1 tag X\nblock out quick ! tagged X\npass out\n", {}),
        ('pass in on em1 tag X\nanchor "x" tagged X {\npass out\n}\n', {}),
        ('anchor "x" out received-on em1 {\npass out\n}\n', {}),
        ('anchor "x" in proto tcp {\npass in flags any\n}\nblock in\n', {2: (4,)}),
        ("pass in proto tcp to port 25 flags A/A\nblock in proto tcp to port 25 flags S/SA\n", {}),
    ],
)
def test_who_decides_instead(source: str, lines: dict[int, tuple[int, ...]]) -> None:
    pf = read(source, TRIED_ON)
    told = {each.rule.statement.span.line: {killer.statement.span.line for killer in each.killers} for each in shadowed(pf)}
    assert told == {line: set(killers) for line, killers in lines.items()}


@pytest.mark.parametrize(
    "source",
    [
        "pass in quick on egress proto tcp to port 22\npass in quick on em1 proto tcp to port 22\n",
        "block in\npass in proto tcp to em1 port 22\npass in quick on egress proto tcp to (egress) port 22\n",
        "block in quick to (egress)\npass in proto tcp to (self) port 22\n",
        "pass quick on rdomain 0 proto gre\npass quick on em1 proto gre\n",
    ],
)
def test_nothing_is_said_where_interfaces_are_not_recorded_and_matter(source: str) -> None:
    assert [each.rule.statement.span.chars for each in shadowed(read(source))] == []


def test_what_a_quick_rule_ended_no_later_rule_decides() -> None:
    """Of many ports at once, those that a quick rule passed are not given to the last rule."""
    pf = read("pass in quick proto tcp to port 25\nblock in\npass in proto tcp\n", TRIED_ON)
    tried, wrong = compared(pf, "quick")
    assert tried > 1000
    assert wrong == []


_nets = st.builds(
    "{} {} {}from {} to {}{}".format,
    st.sampled_from(["pass in", "pass out", "block in", "pass in quick", "block in quick", "block"]),
    st.sampled_from(["", "on em0", "on egress"]),
    st.sampled_from(["inet6 ", "", "", ""]),
    st.sampled_from(
        ["any", "any", "10.0.0.0/8", "10.101.0.0/16", "10.101.0.0/24", "10.101.0.7", "2001:db8::/32", "{ 10.1.0.0/16 192.0.2.7 }"]
    ),
    st.sampled_from(["any", "any", "192.0.2.0/24", "192.0.2.9", "{ 192.0.2.9 192.0.2.77 }", "2001:db8:1::1", "(em0)", "em1"]),
    st.sampled_from(["", " flags any", " no state"]),
).filter(lambda line: ("inet6" not in line or "." not in line) and (":" not in line or "." not in line))  # fmt: skip
_moves = st.sampled_from(
    [
        "match out on em0 from 10.101.0.0/24 nat-to 192.0.2.9",
        "match out from 10.101.0.0/16 nat-to (em1)",
        "match in proto tcp to 192.0.2.9 port 25 rdr-to 10.101.0.7 port 2525",
        "match in to 192.0.2.0/24 rdr-to 192.0.2.77",
        "match in from 10.101.0.0/24 binat-to 192.0.2.9",
        "pass in proto tcp to 10.101.0.7 port 2525",
        "block out quick from 192.0.2.9",
        "pass in quick to 192.0.2.77",
    ]
)

_wide = st.sampled_from(["block", "pass", "block in", "block in quick", "pass out quick", "block proto tcp", "match in quick"])


def _told(pf: Ruleset) -> list[tuple[Rule, tuple[Rule, ...], bool]]:
    return [(each.rule, each.killers, each.skip is not None) for each in shadowed(pf)]


def _told_slowly(pf: Ruleset) -> list[tuple[Rule, tuple[Rule, ...], bool]]:
    """Each rule compared with all others, none left out for its addresses and no single packet tried before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shadow.Ground, "near", lambda ground, *_: ground.ruleset.entries)
        patch.setattr(shadow, "_is_met", lambda *_: False)
        return _told(pf)


@given(st.lists(st.one_of(_nets, _nets, _moves, _rules), max_size=6), _wide, _lines, st.booleans())
@settings(max_examples=25, deadline=None)
def test_a_rule_is_compared_with_those_alone_that_it_meets_and_nothing_else_is_said(
    nets: list[str], wide: str, lines: list[str], is_recorded: bool
) -> None:
    tables = 'table <bad> { 198.51.100.0/24 !198.51.100.7 64.0.0.0/2 }\ntable <absent> persist file "/etc/absent"\n'
    pf = read(tables + "".join(f"{line}\n" for line in [*nets, wide, *lines[:2]]), TRIED_ON if is_recorded else None)
    assert _told(pf) == _told_slowly(pf)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20))), st.integers(0, 60), st.integers(0, 20))
def test_ranges_that_meet_one_are_found(begins: list[tuple[int, int]], low: int, more: int) -> None:
    found = Overlaps([(first, first + length, number) for number, (first, length) in enumerate(begins)])
    expected = {number for number, (first, length) in enumerate(begins) if first <= low + more and first + length >= low}
    assert set(found.meeting(low, low + more)) == expected


def test_of_many_rules_those_that_a_packet_may_meet_are_looked_at() -> None:
    pf = read("block all\n" + "".join(f"pass in from 192.0.2.{n} to any\n" for n in range(99)) + "pass out\n", TRIED_ON)
    near = Near(pf.entries, "in", 4, pf.book)
    found = near.rules(Box(sources=((0xC0000207, 0xC0000208),)))
    assert [each.statement.span.line for each in found if isinstance(each, Rule)] == [1, 9, 10]
