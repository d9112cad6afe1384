"""pf.conf is read as pfctl reads it, without loss, and on past whatever is wrong."""

from __future__ import annotations

import pf_corpus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit.parsers.pf import LANGUAGE, parse
from mailaudit.parsers.tree import Statement, Tree, gaps, nothing, render
from mailaudit.text import Text

needs_corpus = pytest.mark.skipif(not pf_corpus.HAS_CORPUS, reason=pf_corpus.WHY_NOT)

SAMPLE = r"""# what comes in \
 and a comment that goes on
ext_if = "em0"
in_ports = "{ ssh, smtp" 587 '993 }'
table <abusers> persist counters { 10/8, !10.1/16 } file "/etc/abusers"
set skip on { lo enc0 }
set timeout { tcp.established 100, udp.first 5
  icmp.error 3 }
queue main on $ext_if bandwidth 10M burst 20M for 100ms, max 30M default
match in all scrub (no-df, random-id max-mss 1440)
antispoof log quick for { ($ext_if) lo0 } inet label "spoof"
block return-icmp (port-unr, noroute-unr) log (all, to pflog1) quick on ! $ext_if inet6
pass in quick log on { $ext_if em1 } inet proto { tcp udp } from { any ! 10.0.0.1 <abusers> (em0:network)/24 } port > 1023 \
	to (self) port { 22, 80:90 5 >< 9 } user { root > 1000 } flags S/SA keep state \
	(max 10, source-track rule, max-src-conn-rate 5/3, overload <abusers> flush global)
pass in on $ext_if proto tcp to port $in_ports tag a b label "x y" # why
pass out inet proto icmp icmp-type { echoreq, unreach code needfrag 11 code 0 } tagged X set (queue (main), prio (5,6))
pass in proto tcp to port 80:90 rdr-to { 10.0.0.5 10.0.0.6 weight 2 } port 8080:* round-robin sticky-address
anchor "ftp-proxy/*" in on em0 proto tcp
anchor in on $ext_if {
  pass in
  anchor "b" quick {
    table <inner> const { em1 }
    block out from <inner>
  }
}
load anchor "x" from "/etc/pf.x"
pass out"""


def tree_of(source: str | bytes) -> Tree:
    data = source if isinstance(source, bytes) else source.encode("utf-8", "surrogateescape")
    return parse(Text("/etc/pf.conf", data), nothing)


def lossless(tree: Tree) -> None:
    assert render(tree) == tree.text.data
    for gap in gaps(tree):
        assert LANGUAGE.trivia.fullmatch(gap.chars), gap


def problems(source: str) -> list[tuple[str, int, str]]:
    """What is wrong: the characters, their line, the message."""
    found = []
    for statement in tree_of(source).unread():
        assert statement.problem is not None
        span = statement.problem.span
        found.append((span.chars, span.line, statement.problem.message))
    return found


def test_the_sample_is_read_whole() -> None:
    tree = tree_of(SAMPLE)
    assert problems(SAMPLE) == []
    lossless(tree)
    kinds = [statement.kind for statement in tree.walk()]
    assert kinds.count("rule") == 9
    assert kinds.count("anchor") == 3
    assert {"macro", "table", "set", "queue", "antispoof", "load"} <= set(kinds)


LIMITERS = """\
state limiter "dns-server" id 1 limit 1000
source limiter "internet" id 1 entries 10000 \\
\tlimit 1000 rate 100/10 \\
\tinet6 mask 64
table <bad> persist
source limiter many id 7 entries 10 limit 3 inet mask 24 table <bad> above 10 below 2
"""


def test_limiters_are_read_as_the_manual_of_79_has_them() -> None:
    """The examples of pf.conf(5), and what else its text names."""
    rules = "block in on egress\npass in on egress\npass in proto { tcp udp } to port domain keep state\n"
    used = (
        'block in on egress\npass in on egress source limiter "internet"\n'
        'pass in proto { tcp udp } to port domain state limiter "dns-server" (no-match) keep state source limiter many (block)\n'
    )
    tree = tree_of(LIMITERS + used)
    assert problems(LIMITERS + used) == []
    lossless(tree)
    kinds = [statement.kind for statement in tree.walk()]
    assert kinds == ["limiter", "limiter", "table", "limiter", "rule", "rule", "rule"]
    shapes = [[token.value for token in statement.node.leaves()] for statement in tree.walk() if statement.kind == "rule"]
    assert shapes == [[token.value for token in statement.node.leaves()] for statement in tree_of(rules).walk()]


@pytest.mark.parametrize(
    "source",
    [
        "state limiter x entries 3\n",
        "source limiter x\n",
        "limiter x id 1\n",
        "source limiter x id 1 limit 3 rate 5\n",
        "pass source limiter\n",
        "pass limiter x\n",
        "pass keep state limiter x\n",
        "anchor a {\nstate limiter x id 1 limit 3\n}\n",
    ],
)
def test_what_is_no_limiter_is_refused(source: str) -> None:
    assert problems(source)


def test_words_of_limiters_stay_names() -> None:
    assert problems('source = "10.0.0.1"\nid = "x"\npass from $source label $id\n') == []


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_kept(data: bytes) -> None:
    lossless(tree_of(data))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_mutations_of_real_statements_are_kept(data: st.DataObject) -> None:
    chars = SAMPLE
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(chars)))
        size = data.draw(st.integers(0, 12))
        put = data.draw(
            st.sampled_from(["", "{", "}", '"', "\n", "\\", "#", "$", ",", "(", "<", "=", " ", "$ext_if", "\r", "\0"])
        )
        chars = chars[:at] + put + chars[at + size :]
    lossless(tree_of(chars))


@given(st.integers(0, len(SAMPLE)))
@settings(max_examples=80, deadline=None)
def test_a_file_that_was_cut_off_is_kept(at: int) -> None:
    lossless(tree_of(SAMPLE[:at]))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("pass quick in\n", ("in", 1, '"in" cannot stand after "quick"')),
        ("block\npass proto tcp to port {\n", ("{", 2, 'expected a port name or number after "{", found the end of the line')),
        ("pass proto tcp to port { 22 ( }\n", ("(", 1, 'expected a port name or number after "22", found "("')),
        ("pass to any port\n", ("port", 1, 'expected a port name or number after "port", found the end of the line')),
        ("set skip on lo\nfoo bar\n", ("foo", 2, '"foo" begins no statement of pf.conf(5)')),
        ("nat on em0 from any to any\n", ("nat", 1, "nat rules are gone since OpenBSD 4.7")),
        ("pass on $nope\n", ("$nope", 1, 'the macro "nope" is not defined before it is used')),
        ('pass label "x\n', ('"x', 1, "this quoted string is never closed")),
        ("anchor relayd/*\n", ("relayd/*", 1, 'what contains a "/" must stand in quotes')),
        ('anchor "a" {\n set skip on lo\n}\n', ("set skip on lo", 2, '"set" cannot stand inside an anchor')),
        ('anchor "a" {\n pass\n', ("{", 1, 'the "{" of this anchor is never closed')),
        ('anchor "a" {\n} pass\n', ("pass", 2, 'expected the end of the line after "}", found "pass"')),
        ("x = { 80 443 }\n", ("{ 80 443 }", 1, "the value of a macro must stand in quotes here")),
        ("pass tag é\n", ("é", 1, "characters beyond ASCII may stand in quotes and comments only")),
    ],
)
def test_what_pfctl_refuses_is_named_at_its_place(source: str, expected: tuple[str, int, str]) -> None:
    chars, line, message = problems(source)[0]
    assert (chars, line) == expected[:2]
    assert expected[2] in message


def test_reading_goes_on_after_a_broken_statement() -> None:
    source = "foo bar\npass in\nbaz\npass out\n"
    assert [statement.kind for statement in tree_of(source).statements] == ["unread", "rule", "unread", "rule"]


def test_a_list_that_is_never_closed_ends_where_another_statement_begins() -> None:
    tree = tree_of("table <t> { 10.0.0.1\n10.0.0.2\nset skip on lo\nblock\n")
    assert [statement.kind for statement in tree.statements] == ["table", "set", "rule"]


def test_a_comma_at_the_end_of_a_line_is_refused_and_read_as_if_it_were_not_there() -> None:
    (statement,) = tree_of("pass proto tcp to port { 22,\n80 }\n").statements
    assert statement.kind == "rule"
    assert statement.problem is not None
    assert statement.problem.refused
    assert (statement.problem.span.chars, statement.problem.mend) == (",", "")


def test_windows_line_ends_are_refused_and_the_rules_read_all_the_same() -> None:
    statements = tree_of("pass in\r\npass out\r\n").statements
    assert [each.kind for each in statements] == ["rule", "rule"]
    assert all(each.problem is not None and each.problem.span.chars == "\r" for each in statements)


def test_a_macro_points_back_to_the_characters_it_was_written_as() -> None:
    tree = tree_of('tcp_in = "{ sshd smtp }"\npass proto tcp to port $tcp_in\n')
    rule = tree.statements[1]
    token = next(token for token in rule.seen if token.value == "sshd")
    assert tree.text.position(token.start) == (1, 13)
    assert [span.chars for span in token.via] == ["$tcp_in"]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ('a = "em0"\npass on $a:network2\n', ["pass", "on", "em0:network2"]),
        ('a = "10.0.0"\npass from $a.5\n', ["pass", "from", "10.0.0.5"]),
        ('a = "10.0.0"\nb = ".5"\npass from $a$b\n', ["pass", "from", "10.0.0$b"]),
        ('a = "in quick"\npass $a\n', ["pass", "in", "quick"]),
        ('a = ""\npass in $a\n', ["pass", "in"]),
        ('a = "80 # c"\npass proto tcp to port $a label "z"\n', ["pass", "proto", "tcp", "to", "port", "80"]),
        ("a = 007\nb = $a em1\npass on { $b }\n", ["pass", "on", "{", "7", "em1", "}"]),
        (
            'a="80"\np = "{" $a 443 "}"\npass proto tcp to port $p\n',
            ["pass", "proto", "tcp", "to", "port", "{", "80", "443", "}"],
        ),
        ("pass i\\\nn \\on em0\n", ["pass", "in", "on", "em0"]),
        ("pass in # swallowed \\\n on em0\n", ["pass", "in"]),
    ],
)
def test_macros_and_continuations_are_textual(source: str, words: list[str]) -> None:
    assert [token.value for token in tree_of(source).statements[-1].seen] == words


def test_included_files_share_macros_and_loops_end() -> None:
    files = {
        "/etc/pf.macros": b'ext = "em0"\n',
        "/etc/pf.loop": b'include "/etc/pf.conf"\n',
        "/etc/pf.x": b"pass on $ext\n",
    }

    def include(path: str) -> Text | None:
        return Text(path, files[path]) if path in files else None

    source = (
        b'include "/etc/pf.macros"\npass on $ext\ninclude "/etc/pf.loop"\nload anchor "x" from "/etc/pf.x"\ninclude "/gone"\n'
    )
    tree = parse(Text("/etc/pf.conf", source), include)
    assert [each.path for each in tree.included] == ["/etc/pf.macros", "/etc/pf.loop", "/etc/pf.x", "/gone"]
    assert not tree.unread()
    assert tree.included[3].tree is None
    loop, loaded = tree.included[1].tree, tree.included[2].tree
    assert loop is not None
    assert loaded is not None
    assert [statement.problem is not None for statement in loop.statements] == [True]
    assert loaded.unread(), "a loaded anchor knows no macros of the main file"


def long_statements() -> list[Statement]:
    return list(tree_of("pass proto tcp to port { " + "80, " * 100_000 + "80 }\n").statements)


@pytest.mark.parametrize(
    "source",
    [
        "{" * 100_000,
        "pass from " + "{ " * 100_000,
        "anchor {\n" * 5_000,
        "pass from " + "(" * 100_000,
        "pass proto tcp to port { " + "80, " * 25_000 + "}",
        '"' * 100_001,
        "\\" * 10_000,
        "pass \\\n" * 50_000,
        'b0 = "' + "x " * 1000 + '"\n' + "\n".join(f"b{n} = $b{n - 1} $b{n - 1}" for n in range(1, 20)),
    ],
    ids=[
        "braces",
        "lists",
        "anchors",
        "parentheses",
        "one line of a mebibyte",
        "quotes",
        "backslashes",
        "lines",
        "doubling macros",
    ],
)
def test_hostile_files_are_read_promptly(source: str) -> None:
    tree = tree_of(source)
    lossless(tree)


def test_a_list_of_100_000_ports_is_one_statement() -> None:
    (statement,) = long_statements()
    assert statement.kind == "rule"


@needs_corpus
@pytest.mark.parametrize("name", [name for name, _ in pf_corpus.real_rulesets()])
def test_real_rulesets_are_kept_and_read(name: str) -> None:
    tree = tree_of((pf_corpus.CORPUS / "real" / name).read_bytes())
    lossless(tree)
    if dict(pf_corpus.real_rulesets())[name]:
        assert not tree.unread()


def test_lines_that_end_in_a_carriage_return_are_refused_even_after_a_backslash() -> None:
    tree = tree_of("pass in \\\r\n on em0\r\npass out\n")
    assert [(s.problem.refused if s.problem else None) for s in tree.walk()][-1] is None
    assert all(s.problem.refused for s in tree.walk() if s.problem)
    assert sum(s.problem is not None for s in tree.walk()) >= 1
