"""Extended regular expressions: what Python finds is found, what POSIX has besides is understood, and nothing takes for ever."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.ere import UnreadError, compiled

ATOMS = st.sampled_from(["a", "b", "@", r"\.", ".", "[ab]", "[^a]", "[a-c]", "é"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{0,}"])).map(lambda each: f"({each[0]}){each[1]}"),
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda each: f"({'|'.join(each)})"),
    ),
    max_leaves=8,
)


@given(PATTERNS, st.sampled_from(["", "^"]), st.sampled_from(["", "$"]), st.text("abcAB@.é", max_size=8))
def test_what_python_finds_is_found(pattern: str, begin: str, end: str, chars: str) -> None:
    pattern = begin + pattern + end
    assert compiled(pattern).found_in(chars) is (re.search(pattern, chars, re.IGNORECASE) is not None)


@pytest.mark.parametrize(
    ("pattern", "chars", "is_found"),
    [
        ("@example\\.com$", "Alice@EXAMPLE.com", True),
        ("@example\\.com$", "alice@example.com.evil", False),
        ("^[[:alnum:]._-]+@", "a.b-c@example.com", True),
        ("^[[:digit:]]+$", "12a", False),
        ("[]a]", "]", True),
        ("[^]a]", "a]", False),
        ("a{2", "a{2", True),
        ("^$", "", True),
        ("x|^$", "a", False),
        (".*@(mx[0-9]|mail)\\.example\\.(com|net)$", "a@mx3.example.net", True),
        ("[A-C]", "b", True),
    ],
)
def test_posix_has_more(pattern: str, chars: str, is_found: bool) -> None:
    assert compiled(pattern).found_in(chars) is is_found


REFUSED = "( a) [a *a a||b () ^* [b-a] [[:word:]] \\w \\1 a\\ a{300} a{3,2} ((a{200}){200}){200}"


@pytest.mark.parametrize("pattern", [*REFUSED.split(), "(" * 80 + "a" + ")" * 80])
def test_what_is_refused_or_unclear_is_unread(pattern: str) -> None:
    with pytest.raises(UnreadError):
        compiled(pattern)


@pytest.mark.parametrize("pattern", ["(a*)*b", "(a|a)*b", "(a+)+$", "(.*)*(.*)*(.*)*x", "((a?){50}){20}b"])
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    """Each of these keeps a machine that goes back and forth busy for years."""
    assert not compiled(pattern).found_in("a" * 400 + "!")


@given(st.text("ab()[]{}*+?|^$.\\-:,0123", max_size=30), st.text("ab-1", max_size=10))
def test_any_pattern_is_read_or_refused(pattern: str, chars: str) -> None:
    try:
        compiled(pattern).found_in(chars)
    except UnreadError:
        return
