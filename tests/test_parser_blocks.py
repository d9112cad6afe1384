"""acme-client.conf and httpd.conf: nothing is lost, reading goes on after an error, and the daemons agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit.parsers import acme, httpd
from mailaudit.parsers.tree import Language, Problem, Tree, gaps, nothing, render
from mailaudit.text import Text

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not beside this checkout")
LANGUAGES = [acme.LANGUAGE, httpd.LANGUAGE]

ACME = """\
# authority first
le = "letsencrypt"
authority letsencrypt {
	api url "https://acme-v02.api.letsencrypt.org/directory"
	account key "/etc/ssl/private/letsencrypt.key" ecdsa
	contact "mailto:root@example.com"
}
domain mail.example.com {
	alternative names { example.com, # two lines
		"www.example.com" }
	domain key "/etc/ssl/private/mail.example.com.key" rsa
	domain full chain certificate "/etc/ssl/mail.example.com.pem"
	sign with $le
}
"""
HTTPD = """\
ext_addr = "*"
prefork 2
types {
	include "/usr/share/misc/mime.types"
	text/plain txt 1
}
server "mail.example.com" {
	alias "example.com"
	listen on $ext_addr port 80
	listen on * tls port https
	tls { certificate "/etc/ssl/a.pem"
		key "/etc/ssl/private/a.key" }
	location "/.well-known/acme-challenge/*" {
		root "/acme"
		request strip 2
	}
	location * { block return 302 "https://$HTTP_HOST$REQUEST_URI" }
}
"""


def parse(language: Language, source: str | bytes) -> Tree:
    data = source if isinstance(source, bytes) else source.encode()
    return language.parse(Text("/etc/x.conf", data), nothing)


def kinds(tree: Tree) -> list[str]:
    return [statement.kind for statement in tree.walk()]


def problems(tree: Tree) -> list[Problem]:
    return [statement.problem for statement in tree.unread() if statement.problem is not None]


def laws_hold(language: Language, data: bytes) -> Tree:
    tree = parse(language, data)
    assert render(tree) == data
    for gap in gaps(tree):
        assert language.trivia.fullmatch(gap.chars), gap.chars
    return tree


def test_acme_is_read_whole() -> None:
    tree = parse(acme.LANGUAGE, ACME)
    assert not tree.unread()
    assert kinds(tree) == [
        "macro", "authority", "api", "account", "contact", "domain", "alternative", "key", "full_chain", "sign",
    ]  # fmt: skip
    domain = tree.statements[2]
    assert domain.is_block
    assert [t.value for t in domain.close] == ["}"]
    sign = domain.body[-1].node.leaves()[-1]
    assert sign.value == "letsencrypt"
    assert sign.span.chars == "letsencrypt"
    assert sign.span.line == 2
    names = domain.body[0].node.node("names")
    assert names is not None
    assert [t.value for t in names.leaves() if t.is_string] == ["example.com", "www.example.com"]


def test_httpd_is_read_whole() -> None:
    tree = parse(httpd.LANGUAGE, HTTPD)
    assert not tree.unread()
    assert kinds(tree) == [
        "macro", "prefork", "types", "include", "type", "server", "alias", "listen", "listen", "tls",
        "location", "root", "request", "location", "block",
    ]  # fmt: skip
    listen = tree.statements[3].body[1].node
    assert [t.value for t in listen.leaves()] == ["listen", "on", "*", "port", "80"]


@pytest.mark.parametrize(
    ("language", "source", "message", "line"),
    [
        (acme.LANGUAGE, 'authority a {\n\tapi url \n\taccount key "/k"\n}\n', "found the end of the line", 2),
        (acme.LANGUAGE, 'domain a\n{\n\tdomain key "/k"\n}\n', 'expected "{" at the end of the line', 1),
        (acme.LANGUAGE, "domain a {\n\tdomain key $k\n}\n", 'macro "k" is not defined', 2),
        (acme.LANGUAGE, 'domain a { domain key "/k"\nsign with b\nsign with c }\n', "expected a new line", 3),
        (acme.LANGUAGE, "domain a {\n}\n", "at least one option", 2),
        (acme.LANGUAGE, 'domain a {\n\tdomain key "/k"\n', "the end of the file", 2),
        (acme.LANGUAGE, "authority a {\r\n", "the end of the file", 1),
        (acme.LANGUAGE, "authority a {\n\tapi url b\n\tagreement url c\n}\n", "no longer an option", 3),
        (httpd.LANGUAGE, "server a {\n\tlisten on * port 80\n\troot strip 2\n}\n", '"request strip"', 3),
        (httpd.LANGUAGE, "server a {\n\tlisten on * port 80;\n}\n", 'not with ";"', 2),
        (httpd.LANGUAGE, "server a {\n\tlisten on * port 80\n} }\n", 'found "}"', 3),
    ],
)  # fmt: skip
def test_what_the_daemon_refuses_is_named_at_its_place(language: Language, source: str, message: str, line: int) -> None:
    found = problems(laws_hold(language, source.encode()))
    assert any(message in problem.message and problem.span.line == line for problem in found), found
    assert all(problem.refused for problem in found)


def test_reading_goes_on_after_a_broken_option() -> None:
    tree = parse(acme.LANGUAGE, 'domain a {\n\tdomain kex "/k"\n\tsign with b\n}\ndomain c {\n\tsign with d\n}\n')
    assert kinds(tree) == ["domain", "unread", "sign", "domain", "sign"]


def test_a_block_that_is_never_closed_ends_where_the_next_begins() -> None:
    tree = parse(httpd.LANGUAGE, 'server "a" {\n\tlisten on * port 80\n\nserver "b" {\n\tlisten on * port 81\n}\n')
    assert kinds(tree) == ["server", "listen", "server", "listen"]
    assert [problem.span.line for problem in problems(tree)] == [4]  # where httpd notices it too


def test_carriage_returns_are_refused_but_the_rest_is_read() -> None:
    tree = laws_hold(acme.LANGUAGE, ACME.replace("\n", "\r\n").encode())
    assert {problem.mend for problem in problems(tree)} == {""}
    assert [kind for kind in kinds(tree) if kind != "empty"] == kinds(parse(acme.LANGUAGE, ACME))


def test_includes_are_entered_in_their_context() -> None:
    files = {
        "/etc/a.conf": 'name = "b"\ninclude "/etc/b.conf"\n',
        "/etc/b.conf": 'server $name {\n\tlisten on * port 80\n\tinclude "/etc/c.conf"\n}\ninclude "/etc/a.conf"\n',
        "/etc/c.conf": 'location "/x" {\n\tblock\n}\n',
    }
    tree = httpd.parse(Text.of("/etc/httpd.conf", 'include "/etc/a.conf"\n'), lambda p: Text.of(p, files[p]))
    (first,) = tree.included
    assert first.tree is not None
    (second,) = first.tree.included
    assert second.tree is not None
    assert kinds(second.tree) == ["server", "listen", "include", "include"]
    assert [problem.message for problem in problems(second.tree)] == ["/etc/a.conf includes itself"]
    (third,) = second.tree.included
    assert third.tree is not None
    assert kinds(third.tree) == ["location", "block"]


def test_an_include_bomb_is_bounded() -> None:
    def include(path: str) -> Text:
        return Text.of(path, f'include "{path}0"\n' + f'include "{path}1"\n')

    tree = httpd.parse(Text.of("/a", 'include "/b"\n'), include)
    assert tree.included


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
@given(data=st.binary(max_size=200))
def test_any_bytes_come_back(language: Language, data: bytes) -> None:
    laws_hold(language, data)


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
@settings(max_examples=300)
@given(data=st.data())
def test_any_damage_is_survived(language: Language, data: st.DataObject) -> None:
    source = ACME if language is acme.LANGUAGE else HTTPD
    at = data.draw(st.integers(0, len(source)))
    to = data.draw(st.integers(at, min(len(source), at + 40)))
    put = data.draw(st.sampled_from(["", "{", "}", "\n", '"', "'", "\\", "$", "#", "\0", "\r", "é", "include x", "server a {"]))
    laws_hold(language, (source[:at] + put + source[to:]).encode())


HUGE = {
    "braces": b"{" * 10_000,
    "server": b"server a {\n" * 5_000,
    "closing": b"}" * 10_000,
    "one line": b"domain a { alternative names { " + b"a " * 50_000 + b"} }\n",
    "lines": b'domain a.example.com {\n\tdomain key "/k"\n}\n' * 3_000,
    "quotes": b'"\n' * 10_000,
    "quote": b'domain "' + b"a" * 1_000_000,
}


@pytest.mark.parametrize("name", HUGE)
@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_huge_files_are_read_promptly(language: Language, name: str) -> None:
    laws_hold(language, HUGE[name])


GRAMMATICAL = ("syntax error", "not defined")


@needs_corpora
@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_the_grammar_agrees_with_the_daemon(language: Language) -> None:
    """What the daemon finds wrong by grammar, and nothing else, is unread; what it refuses by meaning is the model's part."""
    wrong = []
    for case in cases(language.name):
        tree = laws_hold(language, case["data"])
        own = [error for error in case["errors"] if ":" in error and not error.startswith("/etc/httpd.mime.conf")]
        expected = any(phrase in error for error in own for phrase in GRAMMATICAL)
        if bool(tree.unread()) != expected and case["name"] not in BY_MEANING:
            wrong.append(case["name"])
    assert wrong == []


BY_MEANING = {"location_nested"}  # the daemon's grammar reads it; here it is the grammar that has no location in a location


def cases(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for line in (CORPORA / name / "vectors.jsonl").read_text("utf-8").splitlines():
        vector = json.loads(line)
        found.append({"name": vector["name"], "data": vector["text"].encode(), "errors": vector["err"]})
    for line in (CORPORA / name / "verdicts.jsonl").read_text("utf-8").splitlines():
        verdict = json.loads(line)
        data = (CORPORA / verdict["file"]).read_bytes()
        found.append({"name": verdict["file"], "data": data, "errors": verdict["errors"]})
    return found


BY_NAME = {"acme": acme.LANGUAGE, "httpd": httpd.LANGUAGE}


@pytest.mark.parametrize(
    ("language", "chars", "meant"),
    [
        ("httpd", 'chrot "/var/www"\n', "chroot"),
        ("httpd", 'servr "b" {\n\tlisten on * port 80\n}\n', "server"),
        ("httpd", 'server "b" {\n\tlisten on * port 80\n\trequst strip 2\n}\n', "request"),
        ("httpd", 'server "b" {\n\tlisten on * port 80\n\tblock retrun 301 "x"\n}\n', "return"),
        ("acme", 'authority x {\n\tapi url "https://x/"\n\tacount key "/k"\n}\n', "account"),
        ("acme", "domain a.example {\n\tsign wiht x\n}\n", "with"),
    ],
)
def test_a_misspelt_word_is_told_as_it_was_meant(language: str, chars: str, meant: str) -> None:
    tree = BY_NAME[language].parse(Text.of("/etc/file", chars), nothing)
    messages = [each.problem.message for each in tree.walk() if each.problem is not None]
    assert any(f'did you mean "{meant}"?' in message for message in messages), messages


@pytest.mark.parametrize("number", ["9223372036854775808", "9" * 5000], ids=["one too many", "without end"])
def test_a_number_that_no_computer_holds_is_refused(number: str) -> None:
    tree = parse(httpd.LANGUAGE, HTTPD.replace("request strip 2", f"request strip {number}"))
    (problem,) = (each.problem for each in tree.walk() if each.problem is not None)
    assert problem.message.endswith("is too large a number")
    assert problem.refused
