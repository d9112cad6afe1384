"""Text, spans and edits: nothing is lost, places are right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.edits import Edit, Fix, Safety, apply, compatible, unified_diff
from mailaudit.text import Span, Text, encode


@given(st.binary())
def test_decoding_loses_nothing(data: bytes) -> None:
    assert encode(Text("/f", data).chars) == data


@given(st.binary())
def test_lines_and_columns_lead_back(data: bytes) -> None:
    text = Text("/f", data)
    for offset in range(len(text.chars) + 1):
        line, column = text.position(offset)
        start, end = text.line_span(offset)
        assert start + column - 1 == offset
        assert text.chars[start:end].rstrip("\n") == text.line(line)
        assert text.byte_offset(offset) == len(encode(text.chars[:offset]))


def test_an_undecodable_byte_is_one_column() -> None:
    text = Text("/f", b"\xff\xc3\xa9x\r\ny")
    assert text.position(2) == (1, 3)
    assert text.byte_offset(2) == 3
    assert text.position(text.chars.index("y")) == (2, 1)
    assert text.lines == 2


@given(st.text(), st.data())
def test_applied_edits_change_only_their_spans(chars: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(chars)), min_size=2, max_size=6)))
    edits = [Edit("/f", a, b, f"<{n}>") for n, (a, b) in enumerate(zip(cuts[::2], cuts[1::2], strict=False))]
    taken, _ = compatible([Fix("", Safety.SAFE, (edit,)) for edit in edits])
    kept = [edit for fix in taken for edit in fix.edits]
    changed = apply(chars, kept)
    for edit in kept:
        assert edit.text in changed
    assert len(changed) == len(chars) + sum(len(e.text) - (e.end - e.start) for e in kept)


def test_edits_that_touch_are_left_for_the_next_round() -> None:
    first = Fix("a", Safety.SAFE, (Edit("/f", 0, 4, "x"),))
    second = Fix("b", Safety.SAFE, (Edit("/f", 3, 5, "y"),))
    other_file = Fix("c", Safety.SAFE, (Edit("/g", 0, 4, "z"),))
    assert compatible([first, second, other_file]) == ([first, other_file], [second])
    with pytest.raises(ValueError, match="overlap"):
        apply("0123456789", [*first.edits, *second.edits])


def test_a_fix_whose_own_edits_overlap_is_never_applied() -> None:
    torn = Fix("a", Safety.SAFE, (Edit("/f", 0, 4, "x"), Edit("/f", 2, 6, "y")))
    assert compatible([torn]) == ([], [torn])


def test_the_same_edit_twice_is_done_once() -> None:
    edit = Edit("/f", 0, 0, "x\n")
    assert apply("y\n", [edit, edit]) == "x\ny\n"
    assert len(compatible([Fix("a", Safety.SAFE, (edit,)), Fix("b", Safety.SAFE, (edit,))])[0]) == 2


def test_many_fixes_of_one_file_are_laid_out_promptly() -> None:
    """A line each, of a file of many broken lines, and each of them again: linear, the suite's time limit is the judge."""
    fixes = [Fix("", Safety.SAFE, (Edit("/f", at, at, "# "), Edit("/f", at + 5, at + 6, ""))) for at in range(0, 60_000, 10)]
    other = [Fix("", Safety.SAFE, (Edit("/g", 0, 0, str(fix.edits)), Edit("/f", fix.edits[0].start, 10**6, ""))) for fix in fixes]
    assert compatible([*fixes, *other]) == (fixes, other)


def test_diff_tells_new_files_and_missing_newlines() -> None:
    diff = unified_diff(
        {"/etc/a": "x\ny", "/etc/b": None, "/etc/c": "same\n"}, {"/etc/a": "x\nz\n", "/etc/b": "n\n", "/etc/c": "same\n"}
    )
    assert "--- a/etc/a\n+++ b/etc/a\n" in diff
    assert "-y\n\\ No newline at end of file\n+z\n" in diff
    assert "--- /dev/null\n+++ b/etc/b\n" in diff
    assert "etc/c" not in diff


def test_a_span_knows_its_line_and_characters() -> None:
    text = Text.of("/f", "one\ntwo three\n")
    span = Span(text, 8, 13)
    assert (span.chars, span.line, span.path) == ("three", 2, "/f")
    assert Span(text, 4, 7).to(span).chars == "two three"
