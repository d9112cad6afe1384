"""Dovecot's settings files are read without loss, broken statements do not hide the next, and doveconf agrees."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit.parsers.dovecot import LANGUAGE, parse
from mailaudit.parsers.tokens import MAX_DEPTH
from mailaudit.parsers.tree import Statement, Tree, gaps, nothing, render
from mailaudit.text import Text

CORPUS = Path(__file__).parents[2] / "shared" / "corpora" / "dovecot"
DOVECONF = shutil.which("doveconf")
needs_corpus = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus of real files is not here")


def read(source: str | bytes) -> Tree:
    return parse(Text("/etc/dovecot/x.conf", source.encode() if isinstance(source, str) else source), nothing)


def lossless(source: bytes) -> None:
    tree = read(source)
    assert render(tree) == source
    assert all(LANGUAGE.trivia.fullmatch(gap.chars) for gap in gaps(tree))


def shape(statement: Statement) -> object:
    words = [token.value for token in statement.seen]
    return (
        [statement.kind, *words, [shape(child) for child in statement.body]] if statement.is_block else [statement.kind, *words]
    )


def shapes(source: str) -> list[object]:
    return [shape(statement) for statement in read(source).statements]


def problems(source: str | bytes) -> list[tuple[int, str, str, str | None]]:
    found = [statement.problem for statement in read(source).unread()]
    return [(p.span.line, p.span.chars, p.message, p.mend) for p in found if p is not None]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("a=b", "b"),
        ("\ta\t=\tb  # c", "b"),
        ('a = "b # c" # d', "b # c"),
        ("a = 'b # c'", "b # c"),
        ("a = it's # c", "it's # c"),
        ('a = "b" c', '"b" c'),
        (r'a = "b \" c\\"', 'b " c\\'),
        (r"a = b \" c", r"b \" c"),
        ('a = ""', ""),
        ('a = "', ""),
        ("a = b = c;", "b = c;"),
        ("a = b#c", "b"),
        ("a = b \\\n  c \\ # d\n\t e", "b c e"),
        ("a \\\n = b", "b"),
        ('a = "b \\\n c"', "b c"),
        ("a = $b c", "$b c"),
        ("a = b\r\n", "b"),
        ("a = <<END\n b # c\nd\n END\n", " b # c\nd\n"),
    ],
)
def test_a_value_runs_to_the_end_of_the_line(source: str, value: str) -> None:
    (statement,) = read(source).statements
    node = statement.node
    assert statement.kind == "setting"
    assert (found := node.node("value")) is not None
    assert found.first.value == value


def test_a_file_and_an_empty_value() -> None:
    assert shapes('a = < /x y\na = "</x"\na =\na = <') == [
        ["setting", "a", "=", "<", "/x y"],
        ["setting", "a", "=", "</x"],
        ["setting", "a", "="],
        ["setting", "a", "=", "<"],
    ]


def test_sections_nest_and_names_may_be_quoted() -> None:
    assert shapes('namespace inbox {\n mailbox "Sent Mail" { # c\n  a = b\n }\n}\npassdb {\n}\nprotocol !imap {\n}') == [
        ["section", "namespace", "inbox", "{", [["section", "mailbox", "Sent Mail", "{", [["setting", "a", "=", "b"]]]]],
        ["section", "passdb", "{", []],
        ["section", "protocol", "!imap", "{", []],
    ]


def test_what_only_2_4_reads() -> None:
    assert shapes('"a b" = c\ngroup @one two {\n}') == [["setting", "a b", "=", "c"], ["group", "group", "@one", "two", "{", []]]


def test_includes_take_the_rest_of_the_line() -> None:
    assert shapes('!include conf.d/*.conf # x\n!include_try a b\n!include "x"\n!include') == [
        ["include", "!include", "conf.d/*.conf"],
        ["include", "!include_try", "a b"],
        ["include", "!include", '"x"'],
        ["include", "!include"],
    ]


@pytest.mark.parametrize("after", ["\n", "\n# c\n", "\n\nb = c", ""])
def test_a_continued_line_before_a_blank_one_is_dropped(after: str) -> None:
    assert shapes("a = b \\\n" + after)[0] == ["dropped", "a", "=", "b"]


def test_a_comment_is_not_continued() -> None:
    assert shapes("# a \\\nb = c") == [["setting", "b", "=", "c"]]


@pytest.mark.parametrize(
    ("source", "line", "place", "message", "mend"),
    [
        ("log_path /x", 1, "/x", 'expected "{" after "/x", found the end of the line', None),
        ("log_path", 1, "log_path", 'expected "=" or "{" after "log_path", found the end of the line', None),
        ("= x", 1, "=", 'expected a setting\'s name, found "="', None),
        ("}", 1, "}", 'no section is open here that "}" could close', None),
        ("a {\n} b", 2, "b", 'expected "{" after "b", found the end of the line', None),
        ("a b {\nc = d", 1, "{", 'expected "}" for the section "a b" that begins here, found the end of the file', None),
        ("a b{\n}", 1, "b{", 'expected a blank between "b" and "{"', "b {"),
        ("a{\n}", 1, "a{", 'expected a blank between "a" and "{"', "a {"),
        ("a 'b c' {\n}", 1, "'b c'", "a section's name with blanks in it stands in double quotes: 'b c'", '"b c"'),
        ("a b c {\n}", 1, "b c", "a section's name with blanks in it stands in double quotes: b c", '"b c"'),
        ("a b\n{\n}", 1, "a b\n{", 'expected "{" at the end of the line of "b", found it on a line of its own', None),
        (" a { b = c }", 1, "{ b = c }", 'expected the end of the line after "{", found "b"', "{\n   b = c\n }"),
        ("a {}", 1, "{}", 'expected the end of the line after "{", found "}"', "{\n}"),
        ("a { b = c\n}", 1, "b", 'expected the end of the line after "{", found "b"', None),
        ("group x {", 1, "{", 'expected a group\'s name after "x", found "{"', None),
    ],
)
def test_what_doveconf_refuses_has_its_place(source: str, line: int, place: str, message: str, mend: str | None) -> None:
    assert (line, place, message, mend) in problems(source)


@pytest.mark.parametrize("broken", ["log_path /x", "= x", "}", 'a "b', "a { b = c; d = e }", "x y z", "a b\0c = d", "\ufeffa b"])
def test_reading_goes_on_after_a_broken_statement(broken: str) -> None:
    assert shapes(broken + "\nssl = required\n")[-1] == ["setting", "ssl", "=", "required"]


@pytest.mark.parametrize(
    "header", ["service auth{", "service auth\n{", "service 'au th' {", "service au th{", "service auth { x = y"]
)
def test_a_broken_first_line_still_opens_its_section(header: str) -> None:
    (section,) = read(header + "\nuser = root\n}\n").statements
    assert section.problem is not None
    assert section.problem.refused
    assert section.is_block
    assert shape(section.body[-1]) == ["setting", "user", "=", "root"]


@pytest.mark.parametrize("source", ["a b{\nc = d\n}\n", "a 'b c' {\n}\n", " a { b = c }\n", "a {}\n", "\ufeffa = b\n"])
def test_a_mended_problem_is_gone(source: str) -> None:
    (problem,) = [statement.problem for statement in read(source).unread()]
    assert problem is not None
    assert problem.mend is not None
    mended = source[: problem.span.start] + problem.mend + source[problem.span.end :]
    assert problems(mended) == []


def test_a_nul_byte_is_doubt_not_refusal() -> None:
    (statement,) = read(b"a = b\0c\n").statements
    assert statement.problem is not None
    assert not statement.problem.refused


@pytest.mark.parametrize("tail", ["", "}\n" * 100_000])
def test_nesting_without_end(tail: str) -> None:
    tree = read("a {\n" * 100_000 + tail)
    assert sum(1 for _ in tree.walk()) == MAX_DEPTH + 1
    assert any(p and "nested" in p.message for p in (statement.problem for statement in tree.unread()))


@pytest.mark.parametrize(
    "source",
    [
        b"a = <<E\n" * 30_000,
        b"".join(b"a = <<E%d\n" % n for n in range(30_000)),
        b"a = b \\\n" * 50_000,
        b'a = "' + b"\\x" * 500_000,
    ],
)
def test_long_files_are_prompt(source: bytes) -> None:
    lossless(source)


GOOD = b"""dovecot_config_version = 2.4.1
!include conf.d/*.conf
ssl = required # always
ssl_cert = </etc/ssl/x.pem
protocol imap {
  mail_plugins = $mail_plugins \\
    imap_sieve
}
namespace inbox {
  mailbox "Sent Mail" {
    special_use = \\Sent
  }
}
login_greeting = <<EOF
hello
EOF
group @g x {
}
"""


@given(st.binary(max_size=300))
def test_any_bytes_come_back(source: bytes) -> None:
    lossless(source)


@given(st.text(alphabet="a={}\"'\\#<$! \t\n\r\0", max_size=80))
def test_any_marks_come_back(source: str) -> None:
    lossless(source.encode())


@given(st.data())
@settings(max_examples=300)
def test_mutations_come_back(data: st.DataObject) -> None:
    source = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 5))):
        at = data.draw(st.integers(0, len(source)))
        size = data.draw(st.integers(0, 3))
        source[at : at + size] = data.draw(
            st.sampled_from([b"", b"{", b"}", b"\n", b'"', b"'", b"\\", b"#", b"=", b"<", b"\r\n", b"\xff"])
        )
    lossless(bytes(source))


# doveconf's messages that the lines alone decide; all others need the names of the settings, or other files.
BY_GRAMMAR = re.compile(r"Expecting '\{'|Garbage after '\{'|Unexpected '\}'|Missing '\}'|Missing key name")


def agrees(tree: Tree, *, ok: bool, errors: list[str]) -> bool:
    """Doveconf stops at its first error: that one must be ours too, or come before our first; where it read all, so do we."""
    ours = [p for p in (statement.problem for statement in tree.unread()) if p is not None]
    lines = sorted(p.span.line for p in ours if "end of the file" not in p.message)
    if ok:
        return not ours
    said = next((error for error in errors if "line" in error or BY_GRAMMAR.search(error)), "")
    where = re.search(r"line (\d+)", said) or re.search(r":(\d+)\)", said)
    if "Missing '}'" in said:  # noticed at the end of the file, told of the innermost section
        return where is not None and not lines and int(where[1]) in {p.span.line for p in ours}
    if BY_GRAMMAR.search(said):
        return where is not None and lines[:1] == [int(where[1])]
    return not lines or where is None or int(where[1]) <= lines[0]


@needs_corpus
@pytest.mark.parametrize("family", ["23", "24"])
def test_agrees_with_doveconf_on_the_vectors(family: str) -> None:
    only_24 = {"heredoc24"}  # 2.3 reads a file's name there: the family decides, so the model refuses it
    for line in (CORPUS / "vectors.jsonl").read_text().splitlines():
        vector = json.loads(line)
        if family == "23" and vector["name"] in only_24:
            continue
        tree = read(vector["text"])
        assert agrees(tree, ok=vector[f"ok{family}"], errors=vector[f"err{family}"]), vector["name"]


@needs_corpus
def test_agrees_with_doveconf_on_real_files() -> None:
    seen = 0
    for line in (CORPUS / "verdicts.jsonl").read_text().splitlines():
        verdict = json.loads(line)
        source = (CORPUS.parent / verdict["file"]).read_bytes()
        lossless(source)
        assert agrees(read(source), ok=verdict["ok"], errors=verdict["errors"]), verdict["file"]
        seen += 1
    assert seen > 600


@pytest.mark.daemon
@pytest.mark.skipif(DOVECONF is None, reason="doveconf is not installed")
@pytest.mark.parametrize(
    ("source", "ok"),
    [
        ("log_path = /x \\\n# c\n", True),
        ("log_path \\\n = /x\n", True),
        ("= x\n", False),
        ("log_path\n", False),
        ('namespace "a"{\n}\n', True),
        ('namespace "a"b {\n}\n', False),
        ("namespace a{ {\n}\n", True),
        ("namespace a {\n}}\n", False),
        ("{\n}\n", False),
        ("!include\n", True),
        ("!include_try /a b\n", True),
        ('login_greeting = "\n', True),
        ('login_greeting = "a \\\n b"\n', True),
        ("log_path += /x\n", False),
        ("namespace a {\n}\r\n", True),
        ("namespace a\n{\n}\n", False),
        ("\ufefflog_path = /x\n", False),
        ("\ufeff# c\n", False),
    ],
)
def test_doubtful_lines_are_read_as_doveconf_does(tmp_path: Path, source: str, ok: bool) -> None:
    path = tmp_path / "dovecot.conf"
    path.write_text(source)
    run = subprocess.run([str(DOVECONF), "-n", "-c", str(path)], capture_output=True, check=False)
    assert (run.returncode == 0) is ok
    assert (problems(source) == []) is ok
