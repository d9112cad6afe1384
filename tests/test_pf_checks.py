"""Findings about pf.conf: their places, and corrections in the file's own style."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import pytest
from pf_corpus import read

from mailaudit.checks.pf import policy as pf_policy
from mailaudit.checks.pf import ports as pf_ports
from mailaudit.checks.pf import ruleset as checks
from mailaudit.edits import Safety, apply
from mailaudit.findings import Doubt, Finding, Outcome, Place
from mailaudit.models.interfaces import Address, Interface, Interfaces
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.reference import Reference
from mailaudit.models.site import Declared, Site
from mailaudit.models.sources import Missing, NotHere
from mailaudit.models.sshd import SshdConfig
from mailaudit.models.verdicts import Verdicts

Check = Callable[..., Iterator[Outcome]]
smtp_is_open = partial(pf_ports.smtp_is_open, smtpd=NotHere("no smtpd"))
submission_is_open = partial(pf_ports.submission_is_open, smtpd=NotHere("no smtpd"))
everything_goes_out = partial(pf_policy.everything_goes_out, smtpd=NotHere("no smtpd"))
nothing_else_is_open = partial(pf_ports.nothing_else_is_open, status=NotHere("no host"), endpoints=NotHere("nobody asked"))
HEAD = "set skip on lo\nblock all\n"


def findings(check: Check, pf: Ruleset, *more: Any) -> list[Finding]:
    return [each for each in check(pf, *more) if isinstance(each, Finding)]


def mended(check: Check, source: str, *more: Any, files: Mapping[str, bytes | None] | None = None) -> str:
    """The source after the fix of the first finding; the rule must be content then."""
    found = findings(check, read(source, files=files), *more)
    assert found, "nothing to mend"
    fix = found[0].fix
    assert fix is not None
    after = apply(source, fix.edits)
    assert not findings(check, read(after, files=files), *more), after
    return after


@pytest.mark.parametrize(
    ("rule", "after"),
    [
        ('p = "{ ssh smtp }"\n{}pass in on egress proto tcp to port $p\n', 'p = "{ ssh smtp submission }"'),
        ('p = "{ ssh, smtp }"\n{}pass in on egress proto tcp to port $p\n', 'p = "{ ssh, smtp, submission }"'),
        ('p = "smtp"\n{}pass in on egress proto tcp to port $p\n', 'p = "{ smtp submission }"'),
        ("p = smtp\n{}pass in on egress proto tcp to port $p\n", 'p = "{ smtp submission }"'),
        ("{}pass in proto tcp to port 25 # mail\n", "pass in proto tcp to port { 25 587 } # mail"),
        ("{}pass in proto tcp to port {22,25}\n", "pass in proto tcp to port {22,25,587}"),
        ("{}pass in proto tcp to port 20:30\n", "pass in proto tcp to port { 20:30 587 }"),
        ("{}pass in proto tcp to port {\n\tssh\n\tsmtp # mail\n}\n", "\tsmtp # mail\n\tsubmission\n}\n"),
        ("{}pass in inet proto tcp to port smtp\n", "pass in on egress proto tcp to port submission\n"),
        ("{}pass out\n", "block all\npass in on egress proto tcp to port submission\npass out\n"),
    ],
)
def test_a_port_is_added_as_the_others_are_written(rule: str, after: str) -> None:
    source = rule.replace("{}", HEAD, 1)
    assert after in mended(submission_is_open, source)


def test_a_port_that_an_earlier_quick_rule_blocks_is_left_to_a_person() -> None:
    (found,) = findings(submission_is_open, read("block in quick\n"))
    assert found.fix is None


@pytest.mark.parametrize(
    ("source", "after"),
    [
        ("block\npass in proto tcp to port { 1 1 25 }\n", "block\npass in proto tcp to port { 25 }\n"),
        ("block\npass in proto tcp to port { 25, 1, 2, 1 }\n", "block\npass in proto tcp to port { 25 }\n"),
        ("block\npass in proto tcp to port { 1, 25 1 }\n", "block\npass in proto tcp to port { 25 }\n"),
        (
            'p = "1 2"\nblock\npass in proto tcp to port { $p 25 $p }\n',
            'p = "1 2"\nblock\npass in proto tcp to port { 25 }\n',
        ),
        ("block\npass in proto tcp to port { smtp, 6379, ssh }\n", "block\npass in proto tcp to port { smtp, ssh }\n"),
        ("block\npass in proto tcp to port { 6379 ssh }\n", "block\npass in proto tcp to port { ssh }\n"),
        ('p = "{ smtp 6379 }"\nblock\npass in proto tcp to port $p\n', 'p = "{ smtp }"\nblock\npass in proto tcp to port $p\n'),
        ("block\npass in proto tcp to port 6379\npass out\n", "block\npass out\n"),
    ],
)
def test_a_port_is_taken_out_of_its_list(source: str, after: str) -> None:
    assert mended(nothing_else_is_open, source, Site()) == after


@pytest.mark.parametrize(
    "ports",
    [
        "pass in proto { tcp udp } to port { smtp domain }\n",
        "pass in proto tcp to port { smtp domain }\npass in proto udp to port 53\n",
    ],
)
def test_a_port_that_is_open_over_udp_too_is_closed_by_hand(ports: str) -> None:
    (found,) = findings(nothing_else_is_open, read(HEAD + ports), Site())
    assert found.fix is not None
    assert (found.fix.safety, found.fix.edits) == (Safety.MANUAL, ())


def test_a_list_of_very_many_ports_is_mended_by_hand() -> None:
    listed = " ".join(str(port) for port in range(2000, 3000, 2))
    (found,) = findings(nothing_else_is_open, read(f"{HEAD}pass in proto tcp to port {{ {listed} }}\n"), Site())
    assert found.fix is not None
    assert (found.fix.safety, found.fix.edits) == (Safety.MANUAL, ())


def test_a_rule_above_that_may_end_the_search_is_named() -> None:
    source = 'block\nanchor "spamd"\npass in on egress proto tcp to port smtp\n'
    (doubt,) = smtp_is_open(read(source))
    assert isinstance(doubt, Doubt)
    assert "line 2: the rules of this anchor are filled in by another program" in doubt.message


def test_a_declared_port_may_be_open() -> None:
    pf = read("block\npass in proto tcp to port { smtp 9100 }\n")
    assert findings(nothing_else_is_open, pf, Site())
    assert not findings(nothing_else_is_open, pf, Site(declared=Declared(open_tcp=(9100,))))


def test_ssh_from_the_administrators_networks_is_enough_where_they_are_declared() -> None:
    pf = read("block\npass in proto tcp from 198.51.100.0/24 to port ssh\n")
    declared = Site(declared=Declared(admin_networks=("198.51.100.16/28",)))
    assert findings(pf_ports.ssh_is_open, pf, SshdConfig(), Site())
    assert not findings(pf_ports.ssh_is_open, pf, SshdConfig(), declared)


def test_a_family_that_the_host_has_no_address_of_is_not_asked_for() -> None:
    only4 = Interfaces(known=(Interface("em0", frozenset(["egress"]), (Address(4, 0xCB007109, 24),)),))
    source = HEAD + "pass in inet proto tcp to port { smtp submission }\npass out\n"
    assert not findings(smtp_is_open, read(source, only4))
    assert not findings(pf_policy.neighbour_discovery_passes, read(source, only4))
    assert findings(smtp_is_open, read(source))


def test_the_guides_word_is_named_with_its_use() -> None:
    pf = read('tcp_in = "{ sshd http }"\nblock\npass in proto tcp to port $tcp_in\n')
    (found,) = findings(checks.pf_conf_loads, pf, Reference(), Verdicts())
    places = [place for place in found.places if isinstance(place, Place) and place.span is not None]
    assert [(place.span.chars, place.span.line) for place in places if place.span] == [("sshd", 1), ("$tcp_in", 3)]
    assert found.fix is not None
    assert found.fix.safety is Safety.UNSAFE
    assert apply(pf.text.chars, found.fix.edits).startswith('tcp_in = "{ ssh http }"')


def test_a_missing_file_comes_from_the_reference() -> None:
    (found,) = checks.pf_conf_loads(Missing("/etc/pf.conf"), Reference(templates={"/etc/pf.conf": "block all\n"}), Verdicts())
    assert isinstance(found, Finding)
    assert found.fix is not None
    assert [edit.text for edit in found.fix.edits] == ["block all\n"]


def test_blocking_by_default_keeps_what_the_host_needs() -> None:
    after = mended(pf_policy.default_deny, "pass in on egress proto tcp to port smtp\n")
    assert after.startswith("set skip on lo\nblock all\npass out\n")
    assert "neighbrsol neighbradv" in after
    assert not findings(everything_goes_out, read(after))
    assert not findings(pf_ports.ssh_is_open, read(after), SshdConfig(), Site())


@pytest.mark.parametrize(
    ("check", "source", "after"),
    [
        (checks.loopback_is_not_filtered, "# rules\nblock all\npass out on egress\n", "set skip on lo\n# rules\nblock all\n"),
        (checks.loopback_is_not_filtered, "set loginterface egress\nblock all\n", "set loginterface egress\nset skip on lo\n"),
        (checks.nothing_else_is_skipped, "set skip on { lo, egress }\nblock\n", "set skip on { lo }\nblock\n"),
        (checks.nothing_else_is_skipped, 'odd = "{ egress lo }"\nset skip on $odd\n', 'odd = "{ lo }"\nset skip on $odd\n'),
        (checks.nothing_else_is_skipped, "set skip on lo\nset skip on tun0 # vpn\nblock\n", "set skip on lo\n"),
        (checks.blocked_connections_are_answered, HEAD, "set skip on lo\nset block-policy return\nblock all\n"),
        (everything_goes_out, HEAD + "pass in\n", HEAD + "pass in\npass out\n"),
        (pf_policy.neighbour_discovery_passes, HEAD + "pass out\n", HEAD + f"{pf_policy.NEIGHBOURS_IN}\npass out\n"),
    ],
)
def test_lines_go_where_they_take_effect(check: Check, source: str, after: str) -> None:
    assert mended(check, source).startswith(after)


@pytest.mark.parametrize(
    "check",
    [smtp_is_open, everything_goes_out, pf_policy.neighbour_discovery_passes],
)
def test_a_named_anchor_leaves_doubt_and_is_named(check: Check) -> None:
    outcomes = list(check(read(HEAD + 'anchor "other/*"\n')))
    (doubt,) = outcomes
    assert isinstance(doubt, Doubt)
    assert "line 3" in doubt.message
    assert doubt.places


def test_what_another_programs_anchor_blocks_is_not_known() -> None:
    (doubt,) = pf_policy.default_deny(read('anchor "policy"\npass out\n'))
    assert isinstance(doubt, Doubt)
    assert "line 1: the rules of this anchor are filled in by another program" in doubt.message
    assert not list(pf_policy.default_deny(read('block all\nanchor "relayd/*"\n')))


def test_loaded_anchors_that_name_one_another_come_to_an_end() -> None:
    inner = "".join(f'anchor "{name}" {{\n' for name in "abcdefghij") + "block all\n" + "}\n" * 10
    pf = read('anchor "x/a"\nload anchor "x" from "/etc/x"\n', files={"/etc/x": inner.encode()})
    assert [rule.action for rule in pf.rules] == ["block"]
    assert read('anchor "x"\nload anchor "x" from "/etc/x"\n', files={"/etc/x": b'anchor "x"\nanchor "/x"\n'}).rules == []


def test_what_users_may_not_send_is_let_out_by_hand() -> None:
    source = HEAD + "pass out proto tcp to port { 25 80 443 } user { root _smtpd }\npass out proto { icmp icmp6 }\n"
    (found,) = findings(everything_goes_out, read(source))
    assert "tcp/53, udp/53, udp/123:" in found.message
    assert found.fix is not None
    assert (found.fix.safety, found.fix.edits) == (Safety.MANUAL, ())


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (
            "pass out on egress proto { tcp } all modulate state log\n",
            "pass out log on egress proto { tcp } all modulate state\n",
        ),
        ("block return in on egress quick # all\n", "block return in quick on egress # all\n"),
        ("pass proto tcp to port 25 log\n", "pass log proto tcp to port 25\n"),
    ],
)
def test_a_word_that_stands_too_late_is_judged_as_moved(written: str, meant: str) -> None:
    pf, other = read(HEAD + written), read(HEAD + meant)
    assert [(rule.action, rule.log, rule.quick) for rule in pf.rules] == [
        (rule.action, rule.log, rule.quick) for rule in other.rules
    ]
    (found,) = findings(checks.pf_conf_loads, pf, Reference(), Verdicts())
    assert found.fix is not None
    assert apply(pf.text.chars, found.fix.edits) == HEAD + meant


@pytest.mark.parametrize(
    ("rules", "cause"),
    [
        (
            'table <t> persist file "/etc/t"\nblock\npass in\nblock in quick from <t>\n',
            "line 4: what its table holds is not known",
        ),
        ("table <t> { 10/8 }\nblock\npass in\nblock in quick to <t>\n", "line 4: it depends on addresses that are not recorded"),
        ("block\npass in\nblock in quick to 10/8\n", "line 3: it depends on addresses that are not recorded"),
        ("block\npass in on em0\npass in on em1 proto udp\n", "it depends on which interface leads to the Internet"),
    ],
)
def test_a_doubt_tells_its_cause(rules: str, cause: str) -> None:
    (doubt,) = smtp_is_open(read(rules))
    assert isinstance(doubt, Doubt)
    assert cause in doubt.message
