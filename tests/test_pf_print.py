"""A ruleset expands as pfctl expands it, and is printed as pfctl prints it."""

from __future__ import annotations

import pf_corpus
import pytest
from pf_corpus import ELSEWHERE, TRIED_ON, read

from bench.agreement import CORPORA
from bench.agreement.pf import rows
from mailaudit.models.pf.print_file import printed


@pytest.mark.skipif(not pf_corpus.HAS_CORPUS, reason=pf_corpus.WHY_NOT)
def test_real_rulesets_and_micro_tests_are_read_expanded_and_printed_as_pfctl_does() -> None:
    for row in rows(CORPORA, limit=60):
        assert not row.wrong, row.subject


def lines(source: str) -> list[str]:
    pf = read(source, TRIED_ON, files=ELSEWHERE)
    assert not pf.faults, pf.faults
    return list(printed(pf))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            "pass in on { em0 em1 } proto { tcp udp } from { 10/8 11/8 } to port { 53 80 }",
            [
                f"pass in on {on} inet proto {proto} from {net} to any port = {port}{' flags S/SA' if proto == 'tcp' else ''}"
                for on in ("em0", "em1")
                for proto in ("tcp", "udp")
                for net in ("10.0.0.0/8", "11.0.0.0/8")
                for port in (53, 80)
            ],
        ),
        (
            "pass proto tcp from 10/8 port 1:2 to any label '$if $srcaddr $srcport $dstaddr $dstport $proto $nr' tag '$nr'",
            ['pass inet proto tcp from 10.0.0.0/8 port 1:2 to any flags S/SA label "any 10.0.0.0/8  any  tcp 0" tag 0'],
        ),
        ("pass in proto tcp user { root >< 100 }", ["pass in proto tcp all user 0 >< 100 flags S/SA"]),
        ("pass user root proto tcp", None),
        (
            "pass proto tcp user root user bin",
            ["pass proto tcp all user = 3 flags S/SA", "pass proto tcp all user = 0 flags S/SA"],
        ),
        ("pass from 0.0.0.0/0 to ! 0/0", ["pass inet from any to ! any flags S/SA"]),
        ("pass from ::/0", ["pass inet6 all flags S/SA"]),
        ("pass from ::ffff:1.2.3.4 to ::1.2.3.4", ["pass inet6 from ::ffff:1.2.3.4 to ::1.2.3.4 flags S/SA"]),
        ("pass from route lan to no-route", ['pass from route "lan" to no-route flags S/SA']),
        (
            "pass in on em0 route-to { 10.0.0.1 weight 2 10.0.0.2 } least-states sticky-address",
            [
                "table <__automatic_0> const { 10.0.0.1 10.0.0.2 }",
                "pass in on em0 inet all flags S/SA route-to <__automatic_0> least-states sticky-address",
            ],
        ),
        (
            'match out nat-to 10.0.0.0/24 source-hash "key"',
            ["match out inet all nat-to 10.0.0.0/24 source-hash 0x3c6e0b8a9c15224a8228b9a98ca1531d"],
        ),
        (
            "match out nat-to 10.0.0.0/24 source-hash 0x0123456789abcdef0123456789ABCDEF",
            ["match out inet all nat-to 10.0.0.0/24 source-hash 0x0123456789abcdef0123456789abcdef"],
        ),
        ("match out nat-to 10.0.0.0/24 bitmask", ["match out inet all nat-to 10.0.0.0/24 bitmask"]),
        (
            "pass in proto tcp to port 80 rdr-to 10.0.0.0/30 port 8080:8090 random",
            [("pass in inet proto tcp from any to any port = 80 flags S/SA rdr-to 10.0.0.0/30 port 8080:8090 random")],
        ),
        ("pass out nat-to (em0:0)", ["pass out all flags S/SA nat-to (em0:0)"]),
        ("pass out nat-to (egress:0)", ["pass out all flags S/SA nat-to (egress:0) round-robin"]),
        (
            "match from { 10.0.0.1 10.0.0.2 } binat-to 1.1.1.1",
            [
                f"match {rest}"
                for n in (1, 2)
                for rest in (
                    f"out inet from 10.0.0.{n} to any nat-to 1.1.1.1 static-port",
                    f"in inet from any to 1.1.1.1 rdr-to 10.0.0.{n}",
                )
            ],
        ),
        (
            "pass in proto tcp to port 25 divert-to localhost port spamd",
            [("pass in inet proto tcp from any to any port = 25 flags S/SA divert-to 127.0.0.1 port 8025")],
        ),
        (
            "set reassemble no\npass in divert-packet port 700",
            ["set reassemble no ", "pass in all flags S/SA divert-packet port 700"],
        ),
        ("pass keep state (max 25 adaptive.start 3)", ["pass all flags S/SA keep state (max 25, adaptive.start 3)"]),
        ("pass keep state (source-track)", ["pass all flags S/SA keep state (source-track global)"]),
        (
            "pass proto { tcp udp } synproxy state (if-bound)",
            ["pass proto tcp all flags S/SA synproxy state (if-bound)", "pass proto udp all keep state (if-bound)"],
        ),
        ("pass synproxy state probability 50% (max 9)", None),
        ("pass probability 50% modulate state (max 9)", ["pass all flags S/SA modulate state probability 50% (max 9)"]),
        ("pass tos cs1 prio 0 allow-opts once rtable 0", ["pass all flags S/SA tos 0x20 prio 0 allow-opts once rtable 0"]),
        ("block return-icmp(3) log (to pflog2, matches)", ["block return-icmp(port-unr, 3) log (matches, to pflog2) all"]),
        ("pass on rdomain 3", ["pass on rdomain 3 all flags S/SA"]),
        ("pass on ! rdomain 3", ["pass on ! rdomain 3 all flags S/SA"]),
        ("pass inet6 proto icmp6 icmp6-type 1 code 9", ["pass inet6 proto ipv6-icmp all icmp6-type unreach code 9"]),
        (
            'anchor "a" on { em0 em1 } {\npass\n}',
            ['anchor "a" on em0 all {', "  pass all flags S/SA", "}", 'anchor "a" on em1 all'],
        ),
        (
            "queue a parent r bandwidth 1M\nqueue r on { em0 em1 } bandwidth 2.5M, max 3M default",
            [
                "queue r on em0 bandwidth 2500K, max 3M default",
                "queue a parent r bandwidth 1M",
                "queue r on em1 bandwidth 2500K, max 3M default",
                "queue a parent r bandwidth 1M",
            ],
        ),
        (
            'table <t> file "/a" { 10/8 } { 11/8 } file "/b" counters',
            ['table <t> counters file "/a" { 10.0.0.0/8 11.0.0.0/8 } file "/b"'],
        ),
        ("block in inet from em0:network to em0:0", ["block drop in inet from 10.101.0.0/24 to 10.101.0.1"]),
    ],
)
def test_expansion(source: str, expected: list[str] | None) -> None:
    """None where pfctl refuses the file."""
    if expected is None:
        assert read(source + "\n", TRIED_ON).faults
    else:
        assert lines(source + "\n") == expected


def test_what_is_not_known_of_the_host_stays_a_name() -> None:
    pf = read("pass from em7 to mx.example.net\npass on egress proto tcp user _nobodys\n")
    assert list(printed(pf)) == [
        "pass from em7 to mx.example.net flags S/SA",
        "pass on egress proto tcp all user = _nobodys flags S/SA",
    ]
