"""smtpd.conf is read as OpenSMTPD 7.8 reads it, without loss, and on past whatever is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit.parsers.smtpd import LANGUAGE, parse
from mailaudit.parsers.tree import Tree, gaps, nothing, render
from mailaudit.text import Text

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the corpora of real files are not beside this checkout")

SAMPLE = """\
# a comment \\
 that goes on
ours = "example.com, example.net"
pki mail.example.com cert "/etc/ssl/mail.example.com.pem" key '/etc/ssl/private/mail.example.com.key'
table aliases file:/etc/mail/aliases
table hosts { "10.0.0.0/8", # inside
  ::1
  192.0.2.1
}
table map { a = b, c => d }
filter "rspamd" proc-exec "filter-rspamd" user _rspamd
filter early phase connect match !rdns regex { ".*" } disconnect "421 no"
filter both chain { early, rspamd }
queue encryption "{{generate:hex16}}"
smtp max-message-size 35M
srs key backup "0123"
bounce warn-interval 1h, 6h
mta limit for domain example.org inet4 max-conn-per-host 10
action in maildir "/var/vmail/%{dest.user:lowercase|strip}" junk virtual <map> ttl 4d
action out relay host smtp+tls://u@h auth { u = "u:p" } tls no-verify
listen on socket filter rspamd
listen on all port submission tls-require verify pki mail.example.com auth <creds> senders { a = b } masquerade \\
  filter { early, rspamd }
match !from src regex "^10" for domain { $ours } mail-from "@x" action in
match tag T from any reject
"""


def read(chars: str) -> Tree:
    return parse(Text.of("/etc/mail/smtpd.conf", chars), nothing)


def check_laws(data: bytes) -> Tree:
    tree = parse(Text("/etc/mail/smtpd.conf", data), nothing)
    assert render(tree) == data
    for gap in gaps(tree):
        assert LANGUAGE.trivia.fullmatch(gap.chars), gap.chars
    return tree


def test_sample_is_read_whole() -> None:
    tree = check_laws(SAMPLE.encode())
    assert [(p.span.chars, p.span.line) for p in (s.problem for s in tree.unread()) if p] == []
    assert len(tree.statements) == 19


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_bytes_round_trip(data: bytes) -> None:
    check_laws(data)


@settings(max_examples=300)
@given(st.integers(0, len(SAMPLE)), st.integers(0, 12), st.text(alphabet="\\\"'{}<>=!#,$ \t\n\rab1é\x00-", max_size=6))
def test_mutations_round_trip_and_spare_other_lines(at: int, cut: int, new: str) -> None:
    tree = check_laws((SAMPLE[:at] + new + SAMPLE[at + cut :] + "\nmatch from any for local action in\n").encode())
    if not any(quote in new + SAMPLE[at : at + cut] for quote in "\"'\\{}#") and at < len(SAMPLE) - 60:
        assert tree.statements[-1].kind == "match"


@pytest.mark.parametrize(
    ("chars", "message", "at"),
    [
        ("listen on lo0 port {\n", 'expected a port name or number after "port", found "{"', "{"),
        ("match for any action\n", 'expected the name of an action after "action", found the end of the line', "action"),
        ("queue encryption 01234567\n", 'quote it: "01234567"', "01234567"),
        ("lisen on lo0\n", '"listen" is meant', "lisen"),
        ("table t { a = match }\n", 'expected a value after "=", found "match"; quote it: "match"', "match"),
        ("table t { a = b, c }\n", 'expected "=" after "c", found "}"', "}"),
        ("table t { a = b\n c\n}\n", 'expected "=" after "c", found the end of the line', "c"),
        ("table t { a, b = c }\n", 'expected "}" after "b", found "="', "="),
        ("pki a.com certificate /x\n", "before 6.4", "certificate"),
        ("accept from any for local deliver to mbox\n", "before 6.4", "accept"),
        ("table senders file:/x\n", 'expected a table name that is no keyword after "table", found "senders"', "senders"),
        ('action l maildir "~/x\n', "this quote is never closed", '"~/x'),
        ('filter "f proc-exec "/x"\n', 'the quote that opens before "f proc-exec" is never closed', "/"),
        ('filter "f" proc-exec "/x\naction "l" relay\n', "the quote that opens on line 1 is never closed", 'l"'),
        ('action "l" maildir "x"y\n', '"y" can not stand here, after "x"', "y"),
        ("action l maildir ~/x\n", 'quote it: "~/x"', "~/x"),
        ("listen on lo0\r\n", "carriage return", "\r"),
        ("\ufefflisten on lo0\n", "byte order mark", "\ufeff"),
        ("match for domain $d action x\n", 'the macro "d" is not defined above', "$d"),
    ],
)
def test_messages_point_at_the_token(chars: str, message: str, at: str) -> None:
    problem = read(chars).unread()[0].problem
    assert problem is not None
    assert message in problem.message
    assert problem.span.chars == at
    assert problem.refused


def test_what_is_plainly_meant_is_read_as_meant() -> None:
    tree = read("p = 25\nlisten on lo0 port $p\n")
    assert [s.kind for s in tree.statements] == ["macro", "listen"]
    assert len(tree.unread()) == 1


def test_a_keyword_ends_a_list_that_is_never_closed() -> None:
    tree = read("table t { a,\n b\nlisten on lo0\n")
    assert [s.kind for s in tree.statements] == ["unread", "listen"]


def test_macros_are_text_and_point_to_their_definition() -> None:
    tree = read('clause = "for local action l"\nmatch $clause\n')
    statement = tree.statements[1]
    assert statement.kind == "match"
    name = statement.seen[-1]
    assert (name.value, name.span.line, name.via[0].line) == ("l", 1, 2)


def test_includes_share_macros_and_loops_are_refused() -> None:
    files = {"/a": 'x = "lo0"\ninclude "/b"\n', "/b": 'listen on $x\ninclude "/a"\n'}
    tree = parse(Text.of("/a", files["/a"]), lambda path: Text.of(path, files[path]))
    inner = tree.included[0].tree
    assert inner is not None
    assert inner.statements[0].kind == "listen"
    assert "within itself" in str(inner.unread()[0].problem)


def _vectors() -> Iterator[tuple[str, bytes, list[str]]]:
    with (CORPORA / "smtpd" / "vectors.jsonl").open() as lines:
        for vector in map(json.loads, lines):
            yield vector["name"], vector["text"].encode(), vector["err78"]
    with (CORPORA / "smtpd" / "verdicts.jsonl").open() as lines:
        for verdict in map(json.loads, lines):
            if verdict["bin"] == "7.8":
                yield verdict["file"], (CORPORA / verdict["file"]).read_bytes(), verdict["errors"]


def _first_syntax_error(errors: list[str]) -> int | None:
    for error in errors:
        if "syntax error" in error or ": macro " in error:
            return int(error.split(":")[1])
    return None


@needs_corpora
def test_agrees_with_smtpd_78_on_the_first_syntax_error() -> None:
    different = []
    for name, data, errors in _vectors():
        unread = check_laws(data).unread()
        ours = unread[0].problem.span.line if unread and unread[0].problem else None
        dies_without_line = any("invalid listen option" in error for error in errors)
        if ours != _first_syntax_error(errors) and not dies_without_line:
            different.append((name, ours, errors))
    assert different == []


@pytest.mark.parametrize(
    "chars",
    [
        "match from any for any action out\n" * 5_000,
        "table t { " + "a, " * 30_000 + "b }\n",
        "{" * 100_000,
        "table t { a\n" * 5_000,
        '"' * 99_999,
        "\\\n" * 10_000,
        "x = " + "a" * 1_000_000 + "\n",
    ],
    ids=["rules", "one-mebibyte-line", "nesting", "open-braces", "quotes", "continuations", "long-word"],
)
def test_large_input_is_prompt(chars: str) -> None:
    check_laws(chars.encode())
