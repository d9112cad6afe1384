"""The shared tokeniser and macros, by facts/pf.md section 1, and grammars over shapes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.parsers.grammar import Grammar, Kinds, Mismatch, node
from mailaudit.parsers.tokens import Lexicon, Macro, Undefined, expand, tokenise, too_deep
from mailaudit.parsers.tree import Node, Template
from mailaudit.text import Text

LEXICON = Lexicon(frozenset({"pass", "in", "on", "to", "port"}))


def read(chars: str) -> list[tuple[str, str]]:
    return [(t.kind, t.value) for t in tokenise(Text.of("/f", chars), LEXICON)]


@given(st.text())
def test_every_character_is_a_token_or_trivia(chars: str) -> None:
    text = Text.of("/f", chars)
    at = 0
    for token in tokenise(text, LEXICON):
        assert at <= token.start < token.end
        at = token.end


@pytest.mark.parametrize(
    ("chars", "tokens"),
    [
        ("pass in", [("pass", "pass"), ("in", "in")]),
        ('"pass"', [("string", "pass")]),
        ("80", [("number", "80")]),
        ("80:90", [("word", "80:90")]),
        ("pas\\\ns", [("pass", "pass")]),
        ("10.0.0.0/8", [("word", "10.0.0.0"), ("/", "/"), ("number", "8")]),
        ("# all \\\nof it\npass", [("newline", "\n"), ("pass", "pass")]),
        ("80#x", [("word", "80")]),
        ('"a\nb"', [("string", "ab")]),
        ('"a\\"b"', [("string", 'a"b')]),
        ('"never closed\npass', [("bad", '"never closed'), ("newline", "\n"), ("pass", "pass")]),
        ("{ <a><b> }", [("{", "{"), ("<", "<"), ("word", "a"), ("><", "><"), ("word", "b"), (">", ">"), ("}", "}")]),
        ("in\r\n", [("in", "in"), ("bad", "\r"), ("newline", "\n")]),
    ],
)
def test_lexical_rules(chars: str, tokens: list[tuple[str, str]]) -> None:
    assert read(chars) == tokens


def macro(definition: str) -> Macro:
    name, _, *parts = tokenise(Text.of("/m", definition), LEXICON)
    return Macro.of(name, parts)


def test_a_macro_is_text_that_remembers_where_it_was_written() -> None:
    text = Text.of("/f", "pass in on $if:network to port $ports")
    macros = {"if": macro('if = "em0"'), "ports": macro('ports = "{ sshd 80 }"')}
    seen = expand(tokenise(text, LEXICON), macros, LEXICON)
    assert not isinstance(seen, Undefined)
    assert [t.value for t in seen] == ["pass", "in", "on", "em0:network", "to", "port", "{", "sshd", "80", "}"]
    sshd = seen[7]
    assert (sshd.span.path, sshd.span.chars) == ("/m", "sshd")
    assert [use.chars for use in sshd.via] == ["$ports"]
    pasted = seen[3]
    assert (pasted.span.path, pasted.span.chars) == ("/f", "$if:network")


def test_an_undefined_macro_is_named() -> None:
    found = expand(tokenise(Text.of("/f", "pass in on $nope"), LEXICON), {}, LEXICON)
    assert isinstance(found, Undefined)
    assert found.use.value == "nope"


def test_a_comment_in_a_macro_eats_the_rest() -> None:
    seen = expand(tokenise(Text.of("/f", "pass $c in"), LEXICON), {"c": macro('c = "in # gone"')}, LEXICON)
    assert not isinstance(seen, Undefined)
    assert [t.value for t in seen] == ["pass", "in"]


def test_depth_is_bounded() -> None:
    assert too_deep(tokenise(Text.of("/f", "{" * 100_000), LEXICON)) is not None
    assert too_deep(tokenise(Text.of("/f", "{ a }" * 1000), LEXICON)) is None


def test_a_shape_is_read_once_and_an_error_names_its_token() -> None:
    kinds = Kinds()
    grammar = Grammar(kinds, node("rule", kinds.token("pass"), node("port", kinds.token("port"), kinds.token("number"))))
    first = tokenise(Text.of("/f", "pass port 1"), LEXICON)
    second = tokenise(Text.of("/f", "pass port 2"), LEXICON)
    template = grammar.read(first)
    assert isinstance(template, Template)
    assert grammar.read(second) is template
    port = Node(template, tuple(second)).node("port")
    assert port is not None
    assert [t.value for t in port.leaves()] == ["port", "2"]
    wrong = grammar.read(tokenise(Text.of("/f", "pass port in"), LEXICON))
    assert isinstance(wrong, Mismatch)
    assert (wrong.at, wrong.expected) == (2, "number")
