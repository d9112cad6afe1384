"""Packets through a ruleset: what pf does with each, and where it cannot be told."""

from __future__ import annotations

from collections.abc import Mapping

import pf_corpus
import pytest
from pf_corpus import TRIED_ON, read

from mailaudit.models.pf.config import Decision
from mailaudit.models.pf.packet import BadPacketError, read_packet

needs_corpus = pytest.mark.skipif(not pf_corpus.HAS_CORPUS, reason=pf_corpus.WHY_NOT)
BY_NAME = {interface.name: interface for interface in TRIED_ON.known}
SMTP_IN = "dir=in if=em0 proto=tcp src=198.51.100.7 dst=10.101.0.1 sport=40000 dport=25"


def decide(source: str, packet: str, files: Mapping[str, bytes | None] | None = None) -> Decision:
    pf = read(source, TRIED_ON, files=files)
    assert not pf.faults, pf.faults
    return pf.verdict(read_packet(packet, BY_NAME))


@pytest.mark.parametrize(
    ("source", "action", "line"),
    [
        ("", "default", 0),
        ("block\npass\n", "pass", 2),
        ("pass\nblock\n", "block", 2),
        ("block quick\npass\n", "block", 1),
        ("block\npass in on em1\n", "block", 1),
        ("block\npass in on egress\n", "pass", 2),
        ("block\npass on ! em1\n", "pass", 2),
        ("block\npass on { em1 em0 }\n", "pass", 2),
        ("block\npass on any\n", "pass", 2),
        ("block\npass on em\n", "block", 1),
        ("block\npass out\n", "block", 1),
        ("block\npass inet6\n", "block", 1),
        ("block\npass proto udp\n", "block", 1),
        ("block\npass in proto tcp to port smtp\n", "pass", 2),
        ("block\npass in proto tcp to port { 24:26 }\n", "pass", 2),
        ("block\npass in proto tcp to port 24 >< 26\n", "pass", 2),
        ("block\npass in proto tcp to port 25 <> 26\n", "block", 1),
        ("block\npass in proto tcp to port != 25\n", "block", 1),
        ("block\npass in proto tcp from port 40000 to port >= 25\n", "pass", 2),
        ("block\npass in from 198.51.100/24\n", "pass", 2),
        ("block\npass in from ! 198.51.100.7\n", "block", 1),
        ("block\npass in from { ! 198.51.100.7 ! 198.51.100.8 }\n", "pass", 2),
        ("block\npass in to (em0)\n", "pass", 2),
        ("block\npass in to em0:network\n", "pass", 2),
        ("block\npass in to self\n", "pass", 2),
        ("block\npass in to em1\n", "block", 1),
        ("block\npass in from 198.51.100.1 - 198.51.100.9\n", "pass", 2),
        ("table <t> { 198.51.100/24 !198.51.100.7 }\npass\nblock from <t>\n", "pass", 2),
        ("table <t> { 198.51.100/24 !198.51.100.8 }\npass\nblock from <t>\n", "block", 3),
        ("pass\nblock from <undefined>\n", "pass", 1),
        ("block\npass from ! <undefined>\n", "pass", 2),
        ("table <t> persist\npass\nblock from <t>\n", "pass", 2),
        ("block\npass proto tcp flags A/A\n", "block", 1),
        ("block\nmatch in tag GOOD\npass tagged GOOD\n", "pass", 3),
        ("block\nmatch in tag GOOD\nmatch in tag BAD\npass ! tagged GOOD\n", "pass", 4),
        ("block\nanchor in {\n pass\n}\n", "pass", 3),
        ("block\nanchor out {\n pass\n}\n", "block", 1),
        ("block\nanchor in {\n pass quick\n}\nblock\n", "pass", 3),
        ("block\nanchor in quick {\n pass\n}\nblock\n", "pass", 3),
        ("block\nanchor in quick {\n match\n}\npass\n", "pass", 5),
        ("block\nmatch in proto tcp to port 25 rdr-to 10.101.0.1 port 2525\npass in proto tcp to port 2525\n", "pass", 3),
        ("block\nmatch in proto tcp to port 25 rdr-to 10.101.0.1 port 2525\npass in proto tcp to port 25\n", "block", 1),
        ("set skip on em0\nblock quick\n", "skip", 0),
        ("set skip on egress\nblock quick\n", "skip", 0),
        ("antispoof for em1\npass\n", "pass", 2),
        ("block\npass in fragment\n", "block", 1),
        ("block\npass in tos lowdelay\nblock\n", "block", 3),
        ("block\npass in proto tcp to port 25 user != root\n", "in-doubt", 1),
        ("block\npass in probability 20%\n", "in-doubt", 1),
        ('block\nanchor "relayd/*"\n', "in-doubt", 1),
        ("block\npass in from mx.example.net\n", "in-doubt", 1),
        ("block\npass in from urpf-failed\n", "in-doubt", 1),
        ("pass\npass in from urpf-failed\n", "pass", 1),
    ],
)
def test_what_becomes_of_a_connection(source: str, action: str, line: int) -> None:
    decision = decide(source, SMTP_IN)
    assert decision.action == action
    assert (decision.rule.statement.span.line if decision.rule is not None else 0) == line


def test_a_file_of_a_table_that_is_not_there_leaves_doubt_and_one_that_is_there_does_not() -> None:
    source = 'table <t> persist file "/etc/abusers"\npass\nblock from <t>\n'
    decision = decide(source, SMTP_IN)
    assert decision.action == "in-doubt"
    assert [rule.statement.span.line for rule in decision.doubts] == [3]
    known = {"/etc/abusers": b"# who\n198.51.100.0/24 ; these\n!198.51.100.9\n"}
    assert decide(source, SMTP_IN, known).action == "block"
    assert decide(source, SMTP_IN.replace("100.7", "100.9"), known).action == "pass"


def test_anchors_take_their_rules_from_where_load_anchor_says() -> None:
    source = 'block\nanchor "mail" in\nload anchor "mail" from "/etc/pf.mail"\n'
    assert decide(source, SMTP_IN, {"/etc/pf.mail": b"pass proto tcp to port smtp\n"}).action == "pass"


@pytest.mark.parametrize(
    ("source", "action"),
    [
        ('anchor "mail/*" in\nload anchor "mail/smtp" from "/etc/pf.mail"', "pass"),
        ('anchor "mail/*" out\nload anchor "mail/smtp" from "/etc/pf.mail"', "block"),
        ('anchor "mail/*"\nload anchor "mail" from "/etc/pf.mail"', "in-doubt"),
        ('anchor "mail/*"\nload anchor "mail" from "/etc/pf.nested"', "pass"),
        ('anchor "mail/*"\nload anchor "mail/b" from "/etc/pf.block"\nload anchor "mail/c" from "/etc/pf.mail"', "pass"),
        ('anchor "mail/*"\nload anchor "mail/d" from "/etc/pf.block"\nload anchor "mail/c" from "/etc/pf.mail"', "block"),
        ('anchor "mail/*"\nload anchor "mail/in/smtp" from "/etc/pf.mail"', "in-doubt"),
        ('anchor "mail/*"\nload anchor "mail/smtp" from "/etc/not-recorded"', "in-doubt"),
        ('anchor "*"\nload anchor "smtp" from "/etc/pf.mail"', "pass"),
        ('anchor "mail" {\n anchor "*"\n}\nload anchor "mail/smtp" from "/etc/pf.mail"', "pass"),
    ],
)
def test_wildcard_anchors_run_what_is_loaded_one_level_below_them_by_name(source: str, action: str) -> None:
    files = {
        "/etc/pf.mail": b"pass proto tcp to port smtp\n",
        "/etc/pf.block": b"block\n",
        "/etc/pf.nested": b'anchor "smtp" {\n pass\n}\n',
    }
    assert decide(f"block\n{source}\n", SMTP_IN, files).action == action


@pytest.mark.parametrize(
    ("packet", "action"),
    [
        ("dir=in if=em0 proto=tcp flags=SR dport=25", "malformed"),
        ("dir=in if=em0 proto=tcp flags=F dport=25", "malformed"),
        ("dir=in if=em0 proto=tcp flags=none dport=25", "malformed"),
        ("dir=in if=em0 proto=udp dport=0", "malformed"),
        ("dir=in if=em0 proto=icmp6 src=10.0.0.1 type=128", "malformed"),
        ("dir=in if=em0 proto=tcp flags=A dport=25", "default"),
        ("dir=in if=em0 proto=tcp flags=SE dport=25 opts=1", "ip-options"),
        ("dir=in if=em0 proto=icmp type=0", "default"),
        ("dir=in if=em0 proto=icmp type=8", "pass"),
        ("dir=in if=em0 proto=icmp6 src=fe80::1 type=136", "pass"),
        ("dir=in if=em0 proto=tcp frag=1", "default"),
    ],
)
def test_packets_are_first_looked_at_for_sense(packet: str, action: str) -> None:
    """The rule keeps state: replies and fragments, and packets that begin nothing, do not match it."""
    assert decide("pass flags S/SA\npass proto { icmp icmp6 }\n", packet).action == action


@pytest.mark.parametrize("text", ["dir", "src=10.0.0.1 dst=::1", "proto=nosuch", "src=here"])
def test_packets_that_make_no_sense_are_refused(text: str) -> None:
    with pytest.raises(BadPacketError):
        read_packet(text, BY_NAME)


@needs_corpus
@pytest.mark.parametrize("name", [name for name, accepted in pf_corpus.real_rulesets() if accepted])
def test_recorded_packets_have_their_verdicts(name: str) -> None:
    """A verdict may be in doubt, but never wrong; the recorded ones took unknown owners for none and named anchors for empty."""
    packets = pf_corpus.CORPUS / "packets" / f"{name}.pkts"
    if not packets.exists():
        pytest.skip("no packets were recorded for it")
    interfaces = pf_corpus.interfaces_of(name)
    by_name = {interface.name: interface for interface in interfaces.known}
    pf = read((pf_corpus.CORPUS / "real" / name).read_bytes(), interfaces, pf_corpus.LENIENT)
    verdicts = packets.with_suffix(".verdict").read_text("utf-8").splitlines()
    for packet, verdict in zip(packets.read_text("utf-8").splitlines(), verdicts, strict=True):
        _, action, by = verdict.split("\t")[:3]
        special = {"skip": "skip", "normalize": "malformed", "default": "default", "ip-options": "ip-options"}
        expected = special.get(by, action)
        assert pf.verdict(read_packet(packet, by_name)).action in (expected, "in-doubt"), (packet, verdict)
