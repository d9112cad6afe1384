"""Law 3 for every language: any bytes come back, nothing but trivia stands between tokens, and parse never raises."""

from __future__ import annotations

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import laws
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import Language, Tree, nothing
from mailaudit.text import Text

EXAMPLES = Path(__file__).parents[1] / "examples"
FIXTURES = Path(__file__).parent / "fixtures" / "configs"
NAMES = sorted(LANGUAGES)
SNIPPETS = [
    b"pass in on egress proto tcp to port { ssh smtp }\n",
    b'tcp_in = "{ sshd http }"\n',
    b"listen on all tls pki mail.example.com\n",
    b'match from any for domain "example.com" action "inbound"\n',
    b"service imap-login {\n  inet_listener imap {\n    port = 0\n  }\n}\n",
    b"ssl = required\n!include conf.d/*.conf\n",
    b"domain mail.example.com {\n  sign with letsencrypt\n}\n",
    b'server "mail" {\n  listen on * port 80\n}\n',
    b"root: user@example.com\n",
    b'if header :contains ["X", "Y"] "z" {\n  fileinto :copy "Junk";\n}\n',
    b"text: # a comment\n..\n.\n",
    b"/* a comment ",
    b"user@example.com:$2b$10$x:2000:2000::/var/vmail::\n",
    b"\\\n",
    b"# comment \\\n",
    b'"unclosed\n',
    b"{ ( <\n",
    b"\x00\xff\r\n",
    b"\xef\xbb\xbf",
    b"$macro ",
    b"'",
]


def files_of(language: Language) -> list[Path]:
    """The files of the examples and of the fixtures that are written in a language."""
    found = []
    for root in (*EXAMPLES.iterdir(), *FIXTURES.iterdir()):
        for path in root.rglob("*"):
            inside = "/" + str(path.relative_to(root))
            if path.is_file() and any(fnmatch(inside, pattern) for pattern in language.paths):
                found.append(path)
    return sorted(found)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.one_of(st.binary(), st.lists(st.one_of(st.sampled_from(SNIPPETS), st.binary(max_size=6))).map(b"".join)))
@settings(max_examples=150, deadline=None)
def test_any_bytes_come_back(name: str, data: bytes) -> None:
    laws.check(LANGUAGES[name], data)


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_are_read_whole(name: str) -> None:
    language = LANGUAGES[name]
    files = files_of(language)
    assert files or not language.paths, "each language that has a place on the host has its file in the examples or fixtures"
    for path in files:
        tree = laws.check(language, path.read_bytes())
        assert not tree.unread(), [(s.span.chars, s.problem) for s in tree.unread()]


@pytest.mark.parametrize("name", NAMES)
def test_spoilt_examples_keep_the_laws(name: str) -> None:
    language = LANGUAGES[name]
    for number, path in enumerate(files_of(language)):
        for data in laws.mutants(path.read_bytes(), 60, number, SNIPPETS):
            laws.check(language, data)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"x" * (1 << 18), id="one-line-of-256-KiB"),
        pytest.param(b"a " * (1 << 14) + b"\n", id="words-of-one-line"),
        pytest.param(b"{" * 30_000, id="open-braces"),
        pytest.param(b"{\n" * 4_000, id="open-lines"),
        pytest.param(b"a {\n" * 4_000, id="nested-blocks"),
        pytest.param(b"( " * 4_000 + b") " * 4_000, id="parentheses"),
        pytest.param(b"}\n" * 4_000, id="closing-braces"),
        pytest.param(b'"' * 39_999, id="quotes"),
        pytest.param(b"\\\n" * 8_000, id="continuations"),
        pytest.param(b"\0" * 20_000, id="nul"),
        pytest.param(b"\r\n" * 8_000, id="crlf"),
        pytest.param(b'm = "$m $m"\n' + b"$m " * 5_000, id="macros"),
    ],
)
def test_hostile_sizes_are_read_promptly(name: str, data: bytes) -> None:
    """Linear, and no recursion on what a file decides: the suite's own time limit is the judge."""
    laws.check(LANGUAGES[name], data)


@pytest.mark.parametrize("name", NAMES)
def test_reading_goes_on_after_a_broken_statement(name: str) -> None:
    """What stands below a broken line is read as if the line were not there."""
    language = LANGUAGES[name]
    for path in files_of(language):
        whole = language.parse(Text("/f", path.read_bytes()), nothing)
        broken = language.parse(Text("/f", b"]] what is this? [[\n" + path.read_bytes()), nothing)
        kinds = [s.kind for s in whole.walk()]
        after = [s.kind for s in broken.walk()]
        assert after[len(after) - len(kinds) :] == kinds, path


@pytest.mark.parametrize("name", NAMES)
def test_trivia_is_linear(name: str) -> None:
    """A trivia pattern that backtracks would let a file of blanks hang the tests above; it must match blanks whole."""
    assert LANGUAGES[name].trivia.fullmatch(" \n" * 100_000)
    assert not re.search(r"\)\*\)\*", LANGUAGES[name].trivia.pattern)


LONG = b"x" * 5000


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "line",
    [
        LONG,
        b"a " + LONG,
        b"permit nopass root " + LONG,
        b"port " + LONG,
        b"Ciphers " + LONG,
        b"Match " + LONG,
        b"Match Address " + LONG,
        b"inet 192.0.2.1 " + LONG,
        b"$TTL " + LONG,
        b"$" + LONG,
        b"* * * * * -" + LONG,
        b"@" + LONG,
        b"pass in " + LONG,
    ],
)
def test_a_message_is_no_longer_than_people_read(name: str, line: bytes) -> None:
    tree = LANGUAGES[name].parse(Text("/etc/x", line + b"\n"), nothing)
    assert [message for message in messages(tree) if len(message) > 500] == []


@pytest.mark.parametrize("name", NAMES)
def test_messages_are_words_for_people(name: str) -> None:
    """Whatever stands in the place of any word of the examples, the message is short and none of the grammar's own signs."""
    for path in files_of(LANGUAGES[name]):
        data = path.read_bytes()
        for number, word in enumerate(list(re.finditer(rb"\S+", data))[:150]):
            for strange in (STRANGE[number % len(STRANGE)], STRANGE[(number + 3) % len(STRANGE)]):
                spoilt = data[: word.start()] + strange + data[word.end() :]
                tree = LANGUAGES[name].parse(Text("/etc/x", spoilt), nothing)
                unfit = [each for each in messages(tree) if len(each) > 500 or "{Empty" in each or " | " in each]
                assert unfit == [], (path.name, word.group())


STRANGE = (b"foo", LONG, b"{", b"}", b'"foo"', b"443", b"foo " + LONG, b"(", b",", b'"' + LONG + b'"', b"listen")


def messages(tree: Tree) -> list[str]:
    return [each.problem.message for each in tree.walk() if each.problem is not None]
