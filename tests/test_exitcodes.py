"""The exit codes: one enum, from which help and documentation are made."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from mailaudit.exitcodes import ExitCode, epilog, settle, table, worst

WORST_FIRST = [143, 130, 70, 2, 5, 4, 3, 1, 0]  # contract, section 2


def test_the_worst_wins() -> None:
    assert [int(code) for code in ExitCode] == WORST_FIRST
    for pair in itertools.combinations(WORST_FIRST, 2):
        assert worst(pair) == worst(reversed(pair)) == pair[0]
    assert worst(()) is ExitCode.OK


@pytest.mark.parametrize(
    ("codes", "exit_zero", "allow_incomplete", "settled"),
    [
        ((1,), True, False, 0),
        ((4, 1), True, False, 4),
        ((4, 1), False, True, 1),
        ((4, 1), True, True, 0),
        ((4,), False, True, 0),
        ((2, 1), True, True, 2),
        ((3,), True, True, 3),
        ((5, 4), True, True, 5),
    ],
)
def test_what_the_options_change(codes: tuple[int, ...], exit_zero: bool, allow_incomplete: bool, settled: int) -> None:
    assert settle(codes, exit_zero=exit_zero, allow_incomplete=allow_incomplete) == settled


def test_help_and_documentation_name_every_code() -> None:
    for code in ExitCode:
        assert f"| {int(code)} | {code.meaning} |\n" in table()
        assert f" {int(code)}  {code.short}" in epilog()


def test_the_documentation_is_as_the_code() -> None:
    page = (Path(__file__).parents[1] / "docs" / "exit-codes.md").read_text()
    assert table() in page
    assert ", ".join(map(str, WORST_FIRST)) in page
