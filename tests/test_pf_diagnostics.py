"""A mistake in pf.conf is told in the words of pf.conf(5), at its place, with what was meant; reading goes on behind it."""

from __future__ import annotations

import pytest
from pf_corpus import TRIED_ON, read

from mailaudit.parsers.pf import parse
from mailaudit.parsers.pf_mending import MOST_TRIES
from mailaudit.parsers.tree import nothing
from mailaudit.text import Text

# a line, the characters that are named, what is said of them, and what would stand there instead
MISTAKES = [
    ("pass in on em0 proto tcp to port 22,25", "22,25", "several ports must stand in braces: { 22,25 }", "{ 22,25 }"),
    ("pass in proto tcp to port", "port", 'expected a port name or number after "port", found the end of the line', None),
    (
        "pass in proto tcp port 22",
        "port",
        '"port" cannot stand after "tcp", only after "from" or "to" and an address, if there is one',
        "to port",
    ),
    ("pass in proto tcp to any port ssh smtp", "ssh smtp", "several ports must stand in braces: { ssh smtp }", "{ ssh smtp }"),
    ("pass in proto tcp to port ssh, smtp", "ssh, smtp", "several ports must stand in braces: { ssh, smtp }", "{ ssh, smtp }"),
    ("pass in proto { tcp, udp to port 53", "udp", 'the "{" is never closed: expected "}" after "udp", found "to"', "udp }"),
    ("pass in proto tcp udp to port 53", "tcp udp", "several protocols must stand in braces: { tcp udp }", "{ tcp udp }"),
    ("pass in proto tcp, udp", "tcp, udp", "several protocols must stand in braces: { tcp, udp }", "{ tcp, udp }"),
    ("pass in on em0 em1", "em0 em1", "several interfaces must stand in braces: { em0 em1 }", "{ em0 em1 }"),
    ("pass in on { em0 em1", "em1", 'the "{" is never closed: expected "}" after "em1", found the end of the line', "em1 }"),
    ("pass in quck on em0", "quck", '"quck" cannot stand after "in"; did you mean "quick"?', "quick"),
    ("pass in qiuck", "qiuck", '"qiuck" cannot stand after "in"; did you mean "quick"?', "quick"),
    ("pas in quick", "pas", '"pas" begins no statement of pf.conf(5); did you mean "pass"?', "pass"),
    ("blok all", "blok", '"blok" begins no statement of pf.conf(5); did you mean "block"?', "block"),
    ("allow in all", "allow", '"allow" begins no statement of pf.conf(5); did you mean "pass"?', "pass"),
    ("tabel <x> persist", "tabel", '"tabel" begins no statement of pf.conf(5); did you mean "table"?', "table"),
    ("pass form any to any", "form", '"form" cannot stand after "pass"; did you mean "from"?', "from"),
    ("pass from any too any", "too", '"too" cannot stand after "any"; did you mean "to"?', "to"),
    ("pass from to any", "to", 'expected an address, table, interface, "any" or "port" after "from", found "to"', None),
    (
        "pass in proto tcp to any port 22 keep sate",
        "sate",
        'expected "state" after "keep", found "sate"; did you mean "state"?',
        "state",
    ),
    (
        "pass in proto tcp to any port 22 keepstate",
        "keepstate",
        '"keepstate" cannot stand after "22"; did you mean "keep state"?',
        "keep state",
    ),
    ("pass in proto tcp flags S", "S", 'expected "/" after "S", found the end of the line', None),
    (
        "pass in proto tcp flags S/SA keep state max 10",
        "max 10",
        'the options of a state must stand in parentheses behind "state"',
        "(max 10)",
    ),
    ("pass in proto tcp keep state (max-src-conn 10, max-src-conn-rate 5 3)", "3", 'expected "/" after "5", found "3"', "/ 3"),
    (
        "pass in proto tcp keep state (overload bruteforce)",
        "bruteforce",
        'expected "<" after "overload", found "bruteforce"',
        "<bruteforce>",
    ),
    (
        "pass in proto tcp keep state (overload <b> flush golbal)",
        "golbal",
        'expected ")" after "flush", found "golbal"; did you mean "global"?',
        "global",
    ),
    ("pass in proto tcp keep state (max 10", "10", 'expected ")" after "10", found the end of the line', "10)"),
    ("set skip lo", "lo", 'expected "on" before the interface "lo"', "on lo"),
    ("set skip on { lo", "lo", 'the "{" is never closed: expected "}" after "lo", found the end of the line', "lo }"),
    (
        "set block-policy retrun",
        "retrun",
        'expected "drop" or "return" after "block-policy", found "retrun"; did you mean "return"?',
        "return",
    ),
    ("set block-policy", "block-policy", 'expected "drop" or "return" after "block-policy", found the end of the line', None),
    (
        "set blockpolicy return",
        "blockpolicy",
        'expected an option, like "skip" or "block-policy" after "set", found "blockpolicy"; did you mean "block-policy"?',
        "block-policy",
    ),
    ("set limit 100", "100", 'expected a limit and a number after "limit", found "100"', None),
    (
        "set timeout tcp.establish 10",
        "tcp.establish",
        'there is no timeout "tcp.establish"; did you mean "tcp.established"?',
        "tcp.established",
    ),
    (
        "set optimisation normal",
        "optimisation",
        'expected an option, like "skip" or "block-policy" after "set", found "optimisation"; did you mean "optimization"?',
        "optimization",
    ),
    ("set debug loud", "loud", '"loud" is not known to "set debug": alert, crit, debug, emerg, err, info, notice, warning', None),
    ("table abusers persist", "abusers", 'expected "<" after "table", found "abusers"', "<abusers>"),
    ("table <abusers persist", "abusers", 'expected ">" after "abusers", found "persist"', "abusers>"),
    ("table <abusers> persit", "persit", '"persit" is no option of a table; did you mean "persist"?', "persist"),
    (
        "table <abusers> { 10.0.0.1, 10.0.0.2",
        "10.0.0.2",
        'the "{" is never closed: expected "}" after "10.0.0.2", found the end of the line',
        "10.0.0.2 }",
    ),
    (
        "table <abusers> file /etc/abusers",
        "/etc/abusers",
        'what contains a "/" must stand in quotes here: "/etc/abusers"',
        '"/etc/abusers"',
    ),
    ("ext_if = em0, em1", "em0, em1", 'the value of a macro must stand in quotes here: "{ em0, em1 }"', '"{ em0, em1 }"'),
    ("ext_if em0", "ext_if", '"ext_if" begins no statement of pf.conf(5)', None),
    ("ext_if = 10.0.0.0/8", "10.0.0.0/8", 'the value of a macro must stand in quotes here: "10.0.0.0/8"', '"10.0.0.0/8"'),
    ("ext_if = { em0 em1 }", "{ em0 em1 }", 'the value of a macro must stand in quotes here: "{ em0 em1 }"', '"{ em0 em1 }"'),
    ("anchor ftp-proxy/*", "ftp-proxy/*", 'what contains a "/" must stand in quotes here: "ftp-proxy/*"', '"ftp-proxy/*"'),
    ('anchor "x" { pass }', "pass", 'the rules of an anchor begin on the line after its "{"', None),
    (
        "include /etc/pf.other",
        "/etc/pf.other",
        'what contains a "/" must stand in quotes here: "/etc/pf.other"',
        '"/etc/pf.other"',
    ),
    ("load anchor x from /etc/x", "/etc/x", 'what contains a "/" must stand in quotes here: "/etc/x"', '"/etc/x"'),
    ('load anchor "x" "/etc/x"', '"/etc/x"', 'expected "from" after "x", found "/etc/x"', 'from "/etc/x"'),
    ("match out on em0 from 10/8 nat-to em0 prot 80", "prot", '"prot" cannot stand after "em0"; did you mean "port"?', "port"),
    (
        "pass in inet proto icmp icmp-type echo-req",
        "echo-req",
        'the ICMP type "echo-req" is not known for inet; did you mean "echoreq"?',
        "echoreq",
    ),
    ("pass in log (al)", "al", 'expected a log option after "(", found "al"; did you mean "all"?', "all"),
    ("antispoof em0", "em0", 'expected "for" after "antispoof", found "em0"', "for em0"),
    ("antispoof quick for em0 inet4", "inet4", '"inet4" cannot stand after "em0"; did you mean "inet"?', "inet"),
    (
        "queue main on em0 bandwith 10M",
        "bandwith",
        (
            'expected "bandwidth", "parent", "default", "qlimit", "flows" or "quantum" after "em0", found "bandwith"; '
            'did you mean "bandwidth"?'
        ),
        "bandwidth",
    ),
    (
        "pass in proto tcp to 10.0.0.1:22",
        "10.0.0.1:22",
        'a port stands behind its address as a word of its own: "10.0.0.1 port 22"',
        "10.0.0.1 port 22",
    ),
    ("pass in proto tcp to 10.0.0.1/255.255.255.0", "255.255.255.0", "a netmask is a number of bits: /24", "24"),
    ("pass in from ! { 10.0.0.1 }", "!", 'a "!" cannot stand before a list, only before each of its items', None),
    ("pass in proto tcp to any port { 22 to 25 }", "to", 'expected a port name or number after "22", found "to"', None),
    ("pass in proto tcp to any port 22-25", "22-25", 'a range of ports is written with a colon: "22:25"', "22:25"),
    ("pass in proto tcp to any ports 22", "ports", '"ports" cannot stand after "any"; did you mean "port"?', "port"),
    ("pass in ipv4", "ipv4", '"ipv4" cannot stand after "in"; did you mean "inet"?', "inet"),
    ("pass in proto TCP", "TCP", 'the protocol "TCP" is not known; did you mean "tcp"?', "tcp"),
    ("pass in proto tcp to (em0 port 22", "em0", 'expected ")" after "em0", found "port"', "em0)"),
    ("pass in proto tcp to em0) port 22", "em0", 'there is no "(" before "em0)"', "(em0"),
    ("pass in from <abusers to any", "abusers", 'expected ">" after "abusers", found "to"', "abusers>"),
    ("pass in from abusers> to any", "abusers", 'there is no "<" before "abusers>"', "<abusers"),
    ("scrub in all", "scrub", 'scrub rules are gone since OpenBSD 4.6; it is "match ... scrub (...)" now', None),
    ("set scrub", "scrub", 'expected an option, like "skip" or "block-policy" after "set", found "scrub"', None),
    ("pass in scrub (no-df", "no-df", 'expected ")" after "no-df", found the end of the line', "no-df)"),
    ("match in all scrub no-df", "no-df", 'expected "(" after "scrub", found "no-df"', "(no-df)"),
    ("pass set prio high", "high", 'expected a number, or two in parentheses after "prio", found "high"', None),
    ("pass in divert-to 127.0.0.1 8025", "8025", 'expected "port" after "127.0.0.1", found "8025"', "port 8025"),
    ("pass max-pkt-rate 10", "10", 'expected "/" after "10", found the end of the line', None),
    ("pass once twice", "twice", '"twice" cannot stand after "once"', None),
    (
        "pass in inet proto tcp from any to any port >=",
        ">=",
        'expected a name or number after ">=", found the end of the line',
        None,
    ),
    (
        "pass in inet proto tcp from any to any port 22 ><",
        "><",
        'expected a name or number after "><", found the end of the line',
        None,
    ),
    ("pass in on em0 ; pass out", ";", 'statements are separated by newlines, not by ";"', None),
    (
        "pass in user _smtpd proto tcp",
        "proto",
        '"proto" cannot stand after "_smtpd"; the order is in|out, log, quick, on, inet|inet6, proto, from, to, then the options',
        None,
    ),
    ("pass in Quick", "Quick", '"Quick" cannot stand after "in"; did you mean "quick"?', "quick"),
    ("PASS in", "PASS", '"PASS" begins no statement of pf.conf(5); did you mean "pass"?', "pass"),
    (
        "block return-icmp (port-unreach)",
        "port-unreach",
        '"port-unreach" is no code of this ICMP type; did you mean "port-unr"?',
        "port-unr",
    ),
    ("block log (to pf0)", "pf0", '"pf0" is no pflog interface, like pflog1', None),
    (
        "pass in proto tcp to port { 22 25",
        "25",
        'the "{" is never closed: expected "}" after "25", found the end of the line',
        "25 }",
    ),
    (
        "pass inet proto icmp icmp-type echoreq, unreach",
        "echoreq, unreach",
        "several ICMP types must stand in braces: { echoreq, unreach }",
        "{ echoreq, unreach }",
    ),
    ("set limit { states 10000, frag 5 }", "frag", 'there is no limit "frag"; did you mean "frags"?', "frags"),
    ("set limit { state 10000, frags 5 }", "state", 'expected a limit and a number after "{", found "state"', None),
    (
        "match in all scrub (no-df reasemble tcp)",
        "reasemble",
        'expected ")" after "no-df", found "reasemble"; did you mean "reassemble"?',
        "reassemble",
    ),
    ("pass in proto tcp to any port 22 flags s/sa", "s", '"s" are no TCP flags, they are letters of FSRPAUEW', "S"),
]


@pytest.mark.parametrize(("line", "chars", "message", "mend"), MISTAKES, ids=[line for line, *_ in MISTAKES])
def test_a_mistake_is_named(line: str, chars: str, message: str, mend: str | None) -> None:
    pf = read(f"{line}\nblock drop\n", TRIED_ON)
    problem = pf.faults[0].problem
    assert (problem.span.chars, problem.message, problem.mend) == (chars, message, mend)
    assert problem.refused
    assert pf.rules[-1].statement.span.line == 2  # the next statement is read


@pytest.mark.parametrize(("line", "mend"), [(line, mend) for line, _, _, mend in MISTAKES if mend is not None])
def test_what_was_meant_is_read_without_that_problem(line: str, mend: str) -> None:
    before = read(f"{line}\n", TRIED_ON)
    span = before.faults[0].problem.span
    chars = span.text.chars
    after = read(chars[: span.start] + mend + chars[span.end :], TRIED_ON)
    assert before.faults[0].problem.message not in [fault.problem.message for fault in after.faults]
    assert len(after.faults) < len(before.faults) or after.faults[0].problem.span.start > span.start
    statement = before.trees[0].statements[0]
    if statement.problem is not None and statement.template is not None:  # it was judged as if it were mended
        assert [rule.statement.template for rule in before.rules] == [rule.statement.template for rule in after.rules]


def test_what_a_macro_brought_is_not_mended_in_its_place() -> None:
    pf = read('how = "quck on em0"\npass in $how\n', TRIED_ON)
    problem = pf.faults[0].problem
    assert problem.span.chars == "quck"
    assert problem.span.line == 1
    assert problem.mend is None
    assert "did you mean" in problem.message


def test_a_file_of_nothing_but_mistakes_is_told_in_time() -> None:
    count = 3 * MOST_TRIES
    words = ("quck", "onn", "prto", "frm", "too", "keep", "stat", "{", "22", "<", "port", "lo0")
    lines = [" ".join(["pass", *(words[n * k % len(words)] for k in range(1, 4 + n % 5))]) for n in range(1, count)]
    tree = parse(Text.of("/etc/pf.conf", "\n".join(lines) + "\n"), nothing)
    assert len(tree.unread()) > count // 2


def test_the_same_mistake_is_told_each_time() -> None:
    pf = read("pass in proto TCP\npass out proto TCP\npass inet proto icmp icmp-type echo-req\n" * 2, TRIED_ON)
    assert [fault.problem.span.line for fault in pf.faults] == [1, 2, 3, 4, 5, 6]
