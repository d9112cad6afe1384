"""Open is claimed of what always passes, closed of what never does; both hold against a plain evaluator, packet by packet."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pf_corpus import TRIED_ON, read

from mailaudit.models.interfaces import Interface, Interfaces
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.packet import read_packet
from mailaudit.models.pf.values import TCP, UDP

BY_NAME = {interface.name: interface for interface in TRIED_ON.known}
SOURCES = ["1.2.3.4", "100.1.1.1", "150.0.0.1", "198.51.100.7", "198.51.100.200", "203.0.113.5", "10.0.0.1", "222.1.1.1"]
PORTS = [1, 22, 24, 25, 26, 80, 443, 587, 6379, 65535]

_LISTED = "from { 198.51.100.7 203.0.113.0/24 } "
_side = st.sampled_from(
    ["", "", "", "from any ", "from 198.51.100.0/24 ", "from ! 198.51.100.0/24 ", "from <bad> ", "from ! <bad> ", _LISTED]
)
_ports = st.sampled_from(["25", "{ 22 25 80 }", "20:30", "!= 25", "> 500", "{ 25, 6379 }", "24 >< 27", "{ 25:80 <= 22 }"])
_rules = st.lists(
    st.builds(
        lambda action, direction, quick, proto, side, ports, tag: (
            f"{action} {direction}{quick}{proto}{side}" + (f"to port {ports} " if proto else "") + tag
        ),
        st.sampled_from(["pass", "block", "block", "match"]),
        st.sampled_from(["", "in ", "in ", "out "]),
        st.sampled_from(["", "", "quick "]),
        st.sampled_from(["", "proto tcp ", "proto tcp ", "proto { tcp udp } "]),
        _side,
        _ports,
        st.sampled_from(["", "", "", "tag A", "tag B", "tagged A", "! tagged B"]),
    ),
    max_size=9,
)


def ruleset(lines: list[str]) -> Ruleset:
    table = "table <bad> { 198.51.100.0/24 !198.51.100.7 64.0.0.0/2 }\n"
    pf = read(table + "".join(f"{line}\n" for line in lines), TRIED_ON)
    assert not pf.faults, pf.faults
    return pf


def passes(pf: Ruleset, source: str, port: int) -> bool:
    packet = f"dir=in if=em0 proto=tcp src={source} dst=10.101.0.1 sport=40000 dport={port}"
    return pf.verdict(read_packet(packet, BY_NAME)).action != "block"


@given(_rules)
@settings(max_examples=120, deadline=None)
def test_open_ports_are_those_that_some_packet_reaches(lines: list[str]) -> None:
    pf = ruleset(lines)
    found = pf.open_ports(4, TCP)
    sure = {port for each in found if each.sure for low, high in each.ranges for port in PORTS if low <= port <= high}
    maybe = {port for each in found for low, high in each.ranges for port in PORTS if low <= port <= high}
    for port in PORTS:
        reached = any(passes(pf, source, port) for source in SOURCES)
        assert not reached or port in maybe, (port, lines)
        if port in sure and not reached:
            assert any(passes(pf, f"{n}.9.9.9", port) for n in range(1, 223) if n not in (10, 127)), (port, lines)


@given(_rules)
@settings(max_examples=120, deadline=None)
def test_what_is_said_of_a_port_holds_for_its_packets(lines: list[str]) -> None:
    pf = ruleset(lines)
    everywhere = [f"{n}.9.9.9" for n in range(1, 223, 3) if n not in (10, 127)]
    for port in (25, 22, 6379):
        answer = pf.admits(4, TCP, port)
        shares = [passes(pf, source, port) for source in everywhere]
        if answer.value == "yes":
            assert all(shares), (port, lines)
        elif answer.value == "no" and not answer.partly:
            assert not any(shares), (port, lines)
        else:
            assert answer.partly, (port, lines)


@pytest.mark.parametrize(
    ("source", "value", "partly"),
    [
        ("pass\n", "yes", False),
        ("block\n", "no", False),
        ("block\npass in proto tcp to port smtp\n", "yes", False),
        ("block\npass in proto tcp from 198.51.100.0/24 to port smtp\n", "no", True),
        ("block\npass in proto tcp from 10.0.0.0/8 to port smtp\n", "no", False),
        ("block\npass in proto tcp to port smtp\nblock in from { 198.51.100.0/24 10/8 }\n", "yes", False),
        ("block\npass in proto tcp to port smtp\nblock in from 128.0.0.0/2\n", "no", True),
        ("block\npass in proto tcp to port smtp\nblock in quick from urpf-failed\n", "yes", False),
        ("block\npass in proto tcp to 203.0.113.9 port smtp\n", "yes", False),
        ("block\npass in proto tcp to 192.168.7.7 port smtp\n", "doubt", False),
        ("block\npass in proto tcp to (self) port smtp\n", "yes", False),
        ('block\nanchor "spamd"\npass in proto tcp to port smtp\n', "doubt", False),
        ('block\npass in quick proto tcp to port smtp\nanchor "spamd"\n', "yes", False),
        ("block\npass in proto tcp to port smtp keep state (max-src-conn-rate 1/60, overload <x>)\nblock quick from <x>\n",
         "yes", False),
        ("block\npass in proto tcp from any os OpenBSD to port smtp\n", "doubt", False),
        ('table <t> persist file "/etc/t"\nblock\npass in proto tcp to port smtp\nblock from <t>\n', "doubt", False),
    ],
)  # fmt: skip
def test_whether_port_25_is_open(source: str, value: str, partly: bool) -> None:
    answer = read(source).admits(4, TCP, 25)
    assert (answer.value, answer.partly) == (value, partly)


def test_the_only_interface_that_a_file_names_leads_to_the_internet() -> None:
    pf = read("block\npass in on vio0 proto tcp to port smtp\nset skip on lo0\npass on wg0\n")
    assert [interface.name for interface in pf.egress] == ["vio0"]
    assert any("vio0" in text for text in pf.assumed)
    assert pf.admits(4, TCP, 25).value == "yes"


def test_of_several_interfaces_it_must_hold_for_each() -> None:
    source = "block\npass in on em0 proto tcp to port smtp\npass in on em1 proto tcp to port { smtp 6379 }\n"
    pf = read(source)
    assert len(pf.egress) == 2
    assert pf.admits(4, TCP, 25).value == "yes"
    assert pf.admits(4, TCP, 6379).value == "doubt"
    assert pf.admits(4, TCP, 80).value == "no"
    recorded = Interfaces(known=(Interface("em0", frozenset(["egress"]), ()), Interface("em1", frozenset(), ())))
    assert read(source, recorded).admits(4, TCP, 6379).value == "no"


def test_open_ports_name_their_rules() -> None:
    pf = read("block\npass in proto tcp to port { ssh smtp }\npass in proto tcp to port 20:30\npass in proto udp to port ntp\n")
    found = pf.open_ports(6, TCP)
    assert [(each.ranges, each.rule.statement.span.line if each.rule else 0, each.sure) for each in found] == [
        (((20, 30),), 3, True)
    ]
    assert [each.ranges for each in pf.open_ports(4, UDP)] == [((123, 123),)]
