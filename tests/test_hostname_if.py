"""hostname.if, mygate and myname are read as netstart(8) reads them, and become static addresses, gateways and a name."""

from __future__ import annotations

import subprocess
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.agreement import system as agreement
from mailaudit.models.hostname_if import HostnameIf, is_interface, read_hostname_if
from mailaudit.models.sources import Known, NotHere, Sources
from mailaudit.parsers import hostname_if
from mailaudit.parsers.hostname_if import LANGUAGE, MYGATE, MYNAME, why_ignored
from mailaudit.parsers.tree import Language, Statement, Tree, gaps, nothing, render
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

FIXTURE = Path(__file__).parent / "fixtures" / "configs" / "hostname" / "hostname.vio0"
PATH = "/etc/hostname.vio0"
NETSTART = r"""
# Prints what ifconfig is given for each line of standard input.
while IFS= read -r line; do
	set -f
	set -- $line
	case $1 in
	"" | "#"*) continue ;;
	inet | inet6)
		[ $# -gt 1 ] || continue
		family=$1
		shift
		first=$family
		if [ "$1" = autoconf ]; then
			echo "$family $*"
			continue
		fi
		if [ "$1" = alias ]; then
			first="$family alias"
			shift
		fi
		host=$1
		[ $# -gt 0 ] && shift
		if [ $# -gt 0 ]; then
			if [ $family = inet ]; then host="$host netmask $1"; else host="$host prefixlen $1"; fi
			shift
		fi
		if [ $family = inet ] && [ $# -gt 0 ]; then
			case $1 in
			*NONE) ;;
			*) host="$host broadcast $1" ;;
			esac
			shift
		fi
		echo "$first $host $*"
		;;
	dhcp) echo "inet autoconf" ;;
	*) echo "$*" ;;
	esac
done
"""


def read(data: str | bytes, language: Language = LANGUAGE) -> Tree:
    text = Text(PATH, data if isinstance(data, bytes) else data.encode())
    tree = language.parse(text, nothing)
    assert render(tree) == text.data
    assert all(language.trivia.fullmatch(gap.chars) for gap in gaps(tree))
    return tree


def model(**files: str) -> HostnameIf:
    slot = read_hostname_if(agreement.sources({f"/etc/{name.replace('_', '.')}": data.encode() for name, data in files.items()}))
    assert isinstance(slot, Known)
    return slot.value


def fixture() -> HostnameIf:
    return model(
        hostname_vio0=FIXTURE.read_text(), mygate="# ours\n203.0.113.1 # not a comment\n!true\n", myname="host7.example.com\n"
    )


def test_the_kinds_of_lines() -> None:
    tree = read(FIXTURE.read_bytes())
    assert [(statement.span.line, statement.kind) for statement in tree.statements] == [
        (2, "ifconfig"),
        (3, "address"),
        (4, "address"),
        (5, "address"),
        (6, "dest"),
        (7, "address"),
        (8, "address"),
        (9, "address"),
        (10, "address"),
        (12, "autoconf"),
        (13, "autoconf"),
        (14, "ifconfig"),
        (15, "ifconfig"),
        (16, "command"),
        (18, "ignored"),
        (19, "ignored"),
        (20, "unread"),
        (21, "unread"),
        (22, "unread"),
        (23, "unread"),
        (24, "unread"),
        (25, "address"),
        (26, "ignored"),
    ]
    assert why_ignored(tree.statements[-1]) == hostname_if.NO_NEWLINE
    assert why_ignored(tree.statements[-9]) == hostname_if.PASSED_OVER


def test_what_is_wrong_with_a_line_is_said_at_its_word() -> None:
    problems = [statement.problem for statement in read(FIXTURE.read_bytes()).unread()]
    told = [(problem.message, problem.span.chars, problem.refused) for problem in problems if problem is not None]
    assert told == [
        (
            'expected a netmask such as 255.255.255.0 or 0xffffff00, found "#"; a comment needs a line of its own here',
            "# no mask",
            True,
        ),
        ('expected a prefix length from 0 to 128, found "65x"', "65x", True),
        ('expected a broadcast address or NONE, found "up"', "up", True),
        ('"$" means something to the shell; only lines that begin with "!" are read so', "$(expr", False),
        ('the quote is not closed: "', '"open\ninet6'[:5], True),
    ]


def test_words_quotes_and_continuations() -> None:
    tree = read("description \"Bob's uplink\" \\\n\tmtu 1\\\n500 # Bob's\n!  echo a \\\n b\n")
    words, command = tree.statements
    assert [(token.kind, token.value) for token in words.tokens] == [
        ("word", "description"),
        ("string", "Bob's uplink"),
        ("word", "mtu"),
        ("word", "1500"),
    ]
    assert [(token.kind, token.value) for token in command.tokens] == [("!", "!"), ("command", "echo a b")]


def test_static_addresses_of_both_families() -> None:
    found = fixture()
    [interface] = found.interfaces
    told = [
        (each.host.value, each.address and f"{ip_address(each.address.value)}/{each.address.bits}", each.is_alias)
        for each in interface.addresses
    ]
    assert told == [
        ("203.0.113.9", "203.0.113.9/24", False),
        ("203.0.113.10", "203.0.113.10/32", True),
        ("203.0.113.11", "203.0.113.11/32", True),
        ("198.51.100.7/26", "198.51.100.7/26", False),
        ("2001:db8::9", "2001:db8::9/64", False),
        ("2001:db8::10", "2001:db8::10/128", True),
        ("2001:db8:1::", None, False),
        ("2001:db8::12", "2001:db8::12/64", False),
    ]
    assert [each.host.span.chars for each in found.addresses(6)] == [
        "2001:db8::9",
        "2001:db8::10",
        "2001:db8:1::",
        "2001:db8::12",
    ]
    assert [(family, word.span.line) for family, word in interface.autoconf] == [(6, 12), (4, 13)]
    assert found.is_autoconfigured(6)
    assert [command.value for command in interface.commands] == ["route add -inet6 default fe80::1%$if"]


def test_gateways_and_name() -> None:
    found = fixture()
    assert [gateway.value for gateway in found.gateways] == ["203.0.113.1"]
    assert found.name is not None
    assert found.name.value == "host7.example.com"
    assert model(myname="host7.example.com").name is None
    assert [problem.message for problem in model(myname="host7.example.com").ignored] == [hostname_if.NO_NEWLINE]
    assert [statement.kind for statement in read("a b\n# c\n\nd", MYNAME).statements] == ["line", "ignored"]
    assert [leaf.value for leaf in read(" a b\n", MYGATE).statements[0].node.leaves()] == ["a", "b"]


def test_addresses_of_other_routing_domains_are_not_the_hosts() -> None:
    found = model(hostname_vio0="inet 203.0.113.9/24\n", hostname_vio1="rdomain 1\ninet 192.0.2.1/24\n")
    assert [each.host.value for each in found.addresses(4)] == ["203.0.113.9/24"]
    assert found.interface("vio1") is not None


def test_secrets_are_told_to_the_mask() -> None:
    assert fixture().secrets == (("wireless-key", "a long secret"),)
    assert model(hostname_wg0="wgkey abc= wgport 5\nwgpeer def= wgpsk ghi=\n").secrets == (
        ("wireguard-key", "abc="),
        ("wireguard-key", "ghi="),
    )


@pytest.mark.parametrize(
    ("name", "expected"), [("vio0", True), ("00:00:5e:00:53:af", True), ("vio0.bak", False), ("if", False), ("vio0~", False)]
)
def test_which_files_are_read(name: str, expected: bool) -> None:
    assert is_interface(name) is expected


def test_what_stands_for_files_that_are_not_there() -> None:
    assert isinstance(read_hostname_if(Sources(Snapshot("host", "target", {}))), NotHere)


WORD = st.sampled_from(
    """
    inet inet6 alias autoconf dhcp up 203.0.113.9 255.255.255.0 0xffffff00 NONE 203.0.113.255 2001:db8::9 64 128 -inet6 mtu 1400
    eui64 rdomain anycast
    """.split()  # noqa: SIM905  a list of so many words fits no line
)
LINES = st.lists(st.lists(WORD, min_size=1, max_size=7).map(" ".join), max_size=12)


def given_to_ifconfig(statement: Statement) -> str:
    """A statement as ifconfig's arguments."""
    node = statement.node
    if statement.kind != "address":
        return "inet autoconf" if statement.tokens[0].value == "dhcp" else " ".join(leaf.value for leaf in node.leaves())
    parts: list[str] = []
    for name, before in (("family", ""), ("alias", ""), ("host", ""), ("netmask", "netmask"), ("prefixlen", "prefixlen")):
        parts += [part for each in node.nodes(name) for part in (before, each.first.value) if part]
    parts += ["broadcast " + each.first.value for each in node.nodes("broadcast") if not each.first.value.endswith("NONE")]
    parts += [leaf.value for each in node.nodes("options") for leaf in each.leaves()]
    return " ".join(parts)


@given(LINES)
@settings(max_examples=60, deadline=None)
def test_lines_are_unpacked_as_the_script_does_it(lines: list[str]) -> None:
    """What is read reads as the shell's; what is refused is a line whose words stand where ifconfig takes none such."""
    kept = [line for line in lines if not read(f"{line}\n").unread()]
    data = "".join(f"{line}\n" for line in kept)
    done = subprocess.run(["/bin/sh", "-c", NETSTART], input=data, capture_output=True, text=True, check=True)
    ours = [given_to_ifconfig(statement) for statement in read(data).statements if statement.kind != "ignored"]
    assert ours == [" ".join(line.split()) for line in done.stdout.splitlines()]


@given(data=st.one_of(st.binary(max_size=200), st.text(alphabet="inet6 #\\\n\t\"'$!:.12", max_size=80).map(str.encode)))
@settings(deadline=None)
def test_any_bytes_are_kept(data: bytes) -> None:
    for language in (LANGUAGE, MYGATE, MYNAME):
        read(data, language)


@given(LINES)
@settings(max_examples=40, deadline=None)
def test_every_address_leads_back_to_its_characters(lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in lines)
    for interface in model(hostname_vio0=data).interfaces:
        for number, address in enumerate(interface.addresses):
            changed = (
                data[: address.host.start] + ("192.0.2.77" if address.family == 4 else "2001:db8::77") + data[address.host.end :]
            )
            again = model(hostname_vio0=changed).interfaces[0].addresses[number]
            assert again.host.value in ("192.0.2.77", "2001:db8::77")
            assert again.host.start == address.host.start
