"""A rule on a plain line is read as the reader of statements would read it; its tokens are made when asked for."""

from __future__ import annotations

import gc
import random

import pf_corpus
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.bench import rules
from mailaudit.models.interfaces import Interfaces
from mailaudit.models.pf.reader import RulesReader
from mailaudit.models.services import Services, _stock
from mailaudit.parsers.pf import parse
from mailaudit.parsers.pf_lines import LaterToken, LineRule, Lines
from mailaudit.parsers.tree import Statement, Token, Tree, gaps, nothing, render
from mailaudit.text import Span, Text

WORDS = """
pass block match in out log quick on inet inet6 proto tcp udp from to any all port keep state flags S/SA label tag user em0 egress
10.0.0.1 10/8 2001:db8::1 22 022 -5 80:90 80#x 1000><2000 >1024 ! != = { } ( ) < > / , <t> (em0) $a $b $a:0 $nope 'a b' "a b"
"a#b" " ' # a\\b \\ \\# é ~ [x] $ - 10.0.0.1-10.0.0.2 antispoof for set skip x = { 22, 25 } nat-to rdr-to route-to (self) no-route
"""
ODD = ["\x00", "\r", "\f", "\ufeff"]
DEFINED = 'a = "{ 22 25 }"\nb = "em0"\n'


def tree_of(source: str) -> Tree:
    return parse(Text("/etc/pf.conf", source.encode("utf-8", "surrogateescape")), nothing)


def all_of_token(token: Token) -> tuple[object, ...]:
    return token.kind, token.value, token.text.path, token.start, token.end, token.via


def all_of(statement: Statement) -> tuple[object, ...]:
    return (
        statement.kind,
        [all_of_token(token) for token in statement.tokens],
        [all_of_token(token) for token in statement.seen],
        statement.template,
        statement.problem,
        [all_of(each) for each in statement.body],
        [all_of_token(token) for token in statement.close],
        statement.is_block,
        statement.span,
        statement.whole,
    )


def same_either_way(source: str) -> int:
    """How many rules were read as plain lines."""
    quick = tree_of(source)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lines, "rule", lambda *_: None)
        slow = tree_of(source)
    assert [all_of(each) for each in quick.statements] == [all_of(each) for each in slow.statements], source
    assert render(quick) == quick.text.data
    assert list(gaps(quick)) == list(gaps(slow))
    return sum(isinstance(each, LineRule) for each in quick.walk())


@given(
    st.lists(st.lists(st.sampled_from([*WORDS.split(), *ODD]), min_size=1, max_size=12), max_size=4),
    st.sampled_from([" ", "", "\t "]),
)
@settings(max_examples=400, deadline=None)
def test_any_row_of_words(lines: list[list[str]], blank: str) -> None:
    same_either_way(DEFINED + "".join(f"pass {blank.join(words)}\n" for words in lines))


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("pass in quick on egress inet proto tcp from any to 10.0.0.1 port 22", True),
        ("  pass\t# why", True),
        ("pass label 'a # b' # c", True),
        ("pass proto tcp to port $a", True),
        ("pass on $b proto tcp to port { $a", False),
        ("pass on { $b em1 }", True),
        ("pass on {$b,em1}", True),
        ("pass from ($b)", True),
        ("pass from $b:network", False),
        ('pass on $b label "$b"', False),
        ("pass proto tcp to port 80#x", False),
        ("pass \\in", False),
        ("pass in \\", False),
        ("pass tag é", False),
        ("pass quick in", False),
        ("set skip on lo", False),
        ('pass label "\0"', False),
    ],
)
def test_which_lines_are_plain(line: str, plain: bool) -> None:
    assert same_either_way(f"{DEFINED}{line}\nblock drop\n") == plain + (not line.endswith("\\"))


def test_a_macro_that_is_defined_again_has_its_new_value_from_there_on() -> None:
    source = 'a = "22"\npass proto tcp to port $a\na = "25"\npass proto tcp to port $a\na = "{ 80 }"\npass proto tcp to port $a\n'
    same_either_way(source)
    rules_ = [each for each in tree_of(source).statements if each.kind == "rule"]
    assert [rule.seen[5].value for rule in rules_] == ["22", "25", "{"]
    assert [rule.seen[5].start for rule in rules_] == [5, 40, 75]


def test_macros_of_included_files_count() -> None:
    source = 'a = "22"\npass proto tcp to port $a\ninclude "/other"\npass proto tcp to port $a\n'

    def include(path: str) -> Text:
        return Text.of(path, 'a = "25"\npass on em0\n')

    tree = parse(Text.of("/etc/pf.conf", source), include)
    assert tree.statements[-1].seen[5].value == "25"
    assert tree.statements[-1].seen[5].text.path == "/other"


@pytest.mark.skipif(not pf_corpus.HAS_CORPUS, reason=pf_corpus.WHY_NOT)
def test_real_rulesets_and_their_mutants() -> None:
    chance = random.Random(5)
    plain = 0
    for name, _ in pf_corpus.real_rulesets():
        source = (pf_corpus.CORPUS / "real" / name).read_bytes().decode("utf-8", "surrogateescape")
        plain += same_either_way(source)
        at, size = chance.randrange(len(source)), chance.randrange(3)
        put = chance.choice(["", '"', "\\", "\n", "$", "{", "}", "#", "'", "\0", " "])
        same_either_way(source[:at] + put + source[at + size :])
    assert plain > 1000


def tokens() -> int:
    """The tokens in memory, those that are not made yet left out."""
    return sum(isinstance(each, Token) for each in gc.get_objects() if not isinstance(each, LaterToken))


def test_tokens_that_nobody_asked_for_are_not_made() -> None:
    before = tokens()
    tree = tree_of(rules(2000))
    found = RulesReader(Services(ports=_stock()), Interfaces()).read(tree)
    assert not found.faults
    assert tokens() - before < 5000
    rule = found.entries[-1]
    assert isinstance(rule.statement, LineRule)  # type: ignore[union-attr]  # no anchors here
    at = rule.targets[0].at  # type: ignore[union-attr]
    assert isinstance(at, LaterToken)
    assert at.span == Span(tree.text, at.start, at.end)
    assert at.span.chars == at.value
    assert gc.isenabled()
