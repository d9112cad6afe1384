"""What pfctl refuses by meaning is refused here too, at its place, and judged as if it were mended."""

from __future__ import annotations

from dataclasses import replace

import pf_corpus
import pytest
from pf_corpus import TRIED_ON, Micro, read

from mailaudit.models.interfaces import Address, Interface, Interfaces, driver_of

needs_corpus = pytest.mark.skipif(not pf_corpus.HAS_CORPUS, reason=pf_corpus.WHY_NOT)
ELSEWHERE: dict[str, bytes | None] = {"/nonexistent": None, "/foo.conf": None, "/inc1.conf": b"pass in on lo0\n"}


@pytest.mark.parametrize(
    ("line", "chars", "message"),
    [
        ("pass in proto tcp to port sshd", "sshd", "is not in /etc/services; the service is called ssh"),
        ("pass in proto tcp to port { smtp nosuch }", "nosuch", 'the port name "nosuch" is not in /etc/services'),
        ("pass to port 22", "port", '"port" applies to tcp and udp only'),
        ("pass proto { tcp udp icmp } to port 53", "port", '"port" applies to tcp and udp only'),
        ("pass proto tcp to port 2000:1000", "2000:1000", "ends before it begins"),
        ("pass proto tcp to port 70000", "70000", "is no port"),
        ("pass from 10.0.0.0/33", "33", "too long for an IPv4 address"),
        ("pass from 10.1", "10.1", "no address, and no name"),
        ('pass from "any"', '"any"', '"any" in quotes'),
        ("pass inet from 2001:db8::1", "2001:db8::1", "contradict one another"),
        ("pass proto icmp icmp-type echoreq", "icmp-type", "needs the address family"),
        ("pass inet icmp-type 8", "icmp-type", 'needs "proto icmp"'),
        ("pass inet6 proto icmp6 icmp6-type echo", "echo", "is not known for inet6"),
        ("pass inet6 proto icmp", "proto", "does not go with inet6"),
        ("pass proto 0", "0", "no protocol that a rule can name"),
        ("block keep state", "keep", "is for pass rules"),
        ("block allow-opts", "allow-opts", "is for pass rules"),
        ("pass proto tcp flags s/sa", "s", "no TCP flags"),
        ("pass proto tcp flags SA/S", "SA", "can never be set"),
        ("pass out user root", "user", '"user" applies to tcp and udp only'),
        ("pass in proto tcp keep state (overload <b>)", "keep", '"overload" needs'),
        ("match nat-to 1.1.1.1", "nat-to", "needs a direction"),
        ("pass route-to 10.0.0.1", "route-to", "needs a direction"),
        ("pass label a label b", "label", "only once"),
        ("pass set queue nope", "nope", "is not defined"),
        ("block to urpf-failed", "urpf-failed", 'can stand in "from" only'),
        ("set skip on !em0", "em0", 'without "!"'),
        ("set debug loud", "loud", "is not known"),
        ("set limit bananas 5", "bananas", "there is no limit"),
        ("table <t> { 10.0.0.1 - 10.0.0.5 }", "-", "a range of addresses cannot stand in a table"),
        ("anchor in on em0", "anchor", "must have a name"),
        ("block return-rst", "return-rst", "applies to tcp only"),
        ("pass in proto tcp to port 9223372036854775808", "9223372036854775808", "is too large a number"),
        ("queue q on em0 bandwidth 1e999M", "1e999M", "is more than any bandwidth"),
    ],
)
def test_refusals_are_named_at_their_place(line: str, chars: str, message: str) -> None:
    found = read(f"{line}\n", TRIED_ON).faults
    assert len(found) == 1, found
    assert found[0].problem.span.chars == chars
    assert message in found[0].problem.message
    assert found[0].problem.refused


@pytest.mark.parametrize(
    "line",
    [
        "pass in proto tcp to port {}",
        'm = "{}"\npass in proto tcp to port $m',
        "m = {}",
        "set limit states {}",
        "queue q on em0 bandwidth {}",
        "queue q on em0 bandwidth 1M burst 2M for {}ms",
        'pass in proto tcp user "{}"',
        'pass in proto tcp user "--{}"',
        "pass in from 10.0.0.0/{}",
    ],
)
@pytest.mark.parametrize("number", ["9" * 5000, "0" * 5000 + "1", "²"], ids=["nines", "noughts", "no digit"])
def test_a_number_without_end_is_no_number(line: str, number: str) -> None:
    read(f"{line.format(number)}\n", TRIED_ON)


def test_an_unknown_service_is_judged_as_the_one_that_is_meant() -> None:
    pf = read('tcp_in = "{ sshd http }"\nblock\npass in proto tcp to port $tcp_in\n')
    (fault,) = pf.faults
    assert (fault.problem.span.chars, fault.problem.mend) == ("sshd", "ssh")
    assert fault.problem.span.line == 1
    assert [use.value for use in fault.uses] == ["$tcp_in"]
    assert pf.admits(4, 6, 22).value == "yes"


def test_what_cannot_be_mended_is_left_out() -> None:
    pf = read("block\npass in proto tcp to port { smtp nosuchport }\n")
    assert pf.admits(4, 6, 25).value == "no"
    assert len(pf.rules) == 1


def test_an_included_file_that_is_not_there_is_refused_and_one_that_was_not_recorded_is_not_read() -> None:
    assert [fault.problem.span.chars for fault in read('include "/gone"\n', files={"/gone": None}).faults] == ['"/gone"']
    unknown = read('include "/unknown"\n')
    assert not unknown.faults
    assert [problem.refused for problem in unknown.not_read] == [False]


@needs_corpus
@pytest.mark.parametrize("case", list(pf_corpus.micro_tests()), ids=lambda case: case.name)
def test_micro_tests_agree_with_pfctl(case: Micro) -> None:
    pf = read(case.source, TRIED_ON, files=ELSEWHERE)
    refused = bool(pf.faults or pf.not_read)
    assert refused != case.accepted, [fault.problem.message for fault in pf.faults]


@needs_corpus
@pytest.mark.parametrize(("name", "accepted"), pf_corpus.real_rulesets())
def test_real_rulesets_agree_with_pfctl(name: str, accepted: bool) -> None:
    source = (pf_corpus.CORPUS / "real" / name).read_bytes()
    interfaces = pf_corpus.interfaces_of(name)
    pf = read(source, interfaces, pf_corpus.LENIENT)
    if not interfaces.known:  # those that pfctl refused: it had every interface that they name, with both families
        both = (Address(4, 0x0A650001, 24), Address(6, (0x20010DB8 << 96) + 1, 64))
        named = {item.name for rule in pf.rules for item in rule.interfaces}
        peers = [peer for rule in pf.rules for peer in (*rule.sources, *rule.targets)]
        peers += [peer for rule in pf.rules if rule.options.nat is not None for peer in rule.options.nat.targets]
        named |= {peer.name for peer in peers if peer.kind == "interface"}
        known = tuple(Interface(each, frozenset(), both) for each in sorted(named) if driver_of(each))
        pf = read(source, replace(Interfaces(), known=known), pf_corpus.LENIENT)
    assert (not pf.faults) == accepted, [(fault.problem.span.line, fault.problem.message) for fault in pf.faults]
