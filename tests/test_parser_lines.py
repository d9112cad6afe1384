"""Credentials, file tables, passwd and group: a line an entry, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.parsers import accounts, aliases, credentials
from mailaudit.parsers.tree import Language, Tree, gaps, nothing, render
from mailaudit.text import Text

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not beside this checkout")
LANGUAGES = [
    credentials.LANGUAGE,
    aliases.LANGUAGE,
    aliases.VIRTUALS,
    aliases.TABLE,
    accounts.PASSWD,
    accounts.GROUP,
]


def parse(language: Language, source: str | bytes) -> Tree:
    data = source if isinstance(source, bytes) else source.encode()
    tree = language.parse(Text("/etc/x", data), nothing)
    assert render(tree) == data
    for gap in gaps(tree):
        assert language.trivia.fullmatch(gap.chars), gap.chars
    return tree


def fields(tree: Tree) -> list[list[str]]:
    return [[leaf.value for leaf in statement.node.leaves()] for statement in tree.statements if not statement.unread]


def table(tree: Tree) -> list[tuple[str, list[str]]]:
    rows = []
    for statement in tree.statements:
        if not statement.unread:
            targets = statement.node.node("targets")
            rows.append((statement.node.first.value, [t.value for t in targets.leaves()] if targets else []))
    return rows


def test_a_credentials_line_has_eight_fields() -> None:
    tree = parse(credentials.LANGUAGE, "# users\n\na@b.c:$2b$10$x:vmail:2000:2000:/home/a::userdb_mail=maildir:/m # her\r\n")
    assert fields(tree) == [["a@b.c", "$2b$10$x", "vmail", "2000", "2000", "/home/a", "", "userdb_mail=maildir:/m"]]
    assert not tree.unread()


def test_a_masked_hash_is_one_field() -> None:
    tree = parse(credentials.LANGUAGE, "a@b.c:{{masked:bcrypt:60:0123abcd}}:2000:2000::/home/a::\n")
    assert fields(tree) == [["a@b.c", "{{masked:bcrypt:60:0123abcd}}", "2000", "2000", "", "/home/a", "", ""]]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("foo:bar", "found 2"),
        (":x:1:1::/h::", "name is empty"),
        ("a::1:1::/h::", "password is empty"),
        ("   ", "found blanks alone"),
        ("  # indented", "found blanks alone"),
        ("a\\#:x:1:1::/h", "found 1"),
        ("a:" + "x" * 2047 + ":1:1::/h::", "longer than 2047"),
    ],
)
def test_a_malformed_credentials_line(line: str, message: str) -> None:
    (statement,) = parse(credentials.LANGUAGE, line + "\n").unread()
    assert statement.problem is not None
    assert message in statement.problem.message
    assert statement.problem.refused


@pytest.mark.parametrize("line", ["a:b\0:1:1::/h::"])
def test_what_is_left_unread_is_not_called_refused(line: str) -> None:
    (statement,) = parse(credentials.LANGUAGE, line).unread()
    assert statement.problem is not None
    assert not statement.problem.refused


def test_the_first_line_makes_a_table_a_hash_or_a_list() -> None:
    assert table(parse(aliases.TABLE, "a: b, c\n# d\ne f\n[::1] g")) == [("a", ["b", "c"]), ("e", ["f"]), ("[::1]", ["g"])]
    assert table(parse(aliases.TABLE, "a\nb c: d\n")) == [("a", []), ("b c: d", [])]
    assert table(parse(aliases.TABLE, "# @list\na: b\n")) == [("a: b", [])]
    assert table(parse(aliases.TABLE, "a: b\n# @list\nc: d\n")) == [("a", ["b"]), ("c", ["d"])]


def test_one_delimiter_is_skipped() -> None:
    assert table(parse(aliases.VIRTUALS, "@ : x\na\t: y\nb::z\n")) == [("@", [": x"]), ("a", [": y"]), ("b", [":z"])]


def test_targets_in_quotes() -> None:
    tree = parse(aliases.LANGUAGE, 'a: "|vacation -a x, y", :include:/etc/list, /var/mail/x, :error:550 no, b@c.d\n')
    assert table(tree) == [("a", ["|vacation -a x, y", ":include:/etc/list", "/var/mail/x", ":error:550 no", "b@c.d"])]


@pytest.mark.parametrize("source", ["a: b\nc\n", "a: b\nc:\n", "a: b\n[::1 d\n"])
def test_a_malformed_table_line(source: str) -> None:
    (statement,) = parse(aliases.VIRTUALS, source).unread()
    assert statement.problem is not None
    assert statement.problem.refused
    assert statement.problem.span.line == 2


def test_passwd_and_group() -> None:
    assert fields(parse(accounts.PASSWD, "root:*:0:0:Charlie &:/root:/bin/ksh\n")) == [
        ["root", "*", "0", "0", "Charlie &", "/root", "/bin/ksh"]
    ]
    assert fields(parse(accounts.GROUP, "wheel:*:0:root,user\n")) == [["wheel", "*", "0", "root,user"]]
    assert len(parse(accounts.GROUP, "wheel:*\n").unread()) == 1


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
@given(data=st.binary(max_size=120))
def test_any_bytes_come_back(language: Language, data: bytes) -> None:
    parse(language, data)


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
@given(source=st.text("ab@:,\\\"'#[]{}|/ \t\r\n\0é", max_size=60))
def test_any_line_comes_back(language: Language, source: str) -> None:
    parse(language, source)


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
@pytest.mark.parametrize(
    "data",
    [b"", b"a:b:1:1::/h::\n" * 10_000, b"a" * 1_000_000, b":" * 100_000, b"a:" + b'"' * 99_999, b"a: " + b"b," * 50_000],
    ids=["empty", "lines", "word", "colons", "quotes", "commas"],
)
def test_large_files_are_read_promptly(language: Language, data: bytes) -> None:
    parse(language, data)


@needs_corpora
@pytest.mark.parametrize(
    ("folder", "language"),
    [
        ("aliases", aliases.LANGUAGE),
        ("virtuals", aliases.VIRTUALS),
        ("domains", aliases.TABLE),
        ("maps", aliases.TABLE),
        ("credentials", credentials.LANGUAGE),
    ],
)
def test_real_tables_come_back(folder: str, language: Language) -> None:
    files = sorted((CORPORA / "tables" / folder).iterdir())
    assert files
    assert any(parse(language, file.read_bytes()).statements for file in files)
