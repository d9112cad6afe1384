"""Help as somebody sees it who is new: 80 columns, everything in a group, the same words for the same thing."""

from __future__ import annotations

import re
from collections import defaultdict

import pytest
from command_line import Run

from mailaudit.cli import app
from mailaudit.cli.help import GROUPS
from mailaudit.cli.tree import tree
from mailaudit.exitcodes import ExitCode, epilog

PROGRAM = tree(app)
VERBS = {" ".join(each.path): each for each in PROGRAM.all()}


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")


@pytest.mark.parametrize("path", VERBS)
def test_help_is_whole_and_fits_a_terminal(path: str, run: Run) -> None:
    code, out, err = run(*path.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: mailaudit {path} [OPTIONS]".replace("  ", " "))
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out
    assert "{" not in out
    assert "\n  -h, --help" in out.partition("General:" if not VERBS[path].below else "Options:")[2]
    assert f"{int(ExitCode.USAGE):>5}  {ExitCode.USAGE.short}" in out
    for each in VERBS[path].below:
        assert re.search(rf"^  {each.name}  ", out, re.MULTILINE), each.name
    assert "...\n" not in out.partition("Commands:")[2]


def test_every_command_stands_in_a_group() -> None:
    """Those that are not there yet may be named there already."""
    assert {each.name for each in PROGRAM.below} <= {name for names in GROUPS.values() for name in names}


@pytest.mark.parametrize("path", VERBS)
def test_every_option_and_argument_is_told_in_a_sentence(path: str, run: Run) -> None:
    _, out, _ = run(*path.split(), "--help")
    told = " ".join(out.split())
    for option in VERBS[path].options:
        assert re.search(rf"{option.names[-1]}\b[^.]*[.\]]", told), option.names
    for argument in VERBS[path].arguments:
        assert argument.told, argument


def test_an_option_is_told_alike_wherever_it_means_the_same() -> None:
    """An option that is told in several ways means several things, which its value shows."""
    told = defaultdict(set)
    for verb in PROGRAM.all():
        for option in verb.options:
            told[option.names, option.value].add(option.told.split(";")[0])
    several = {names: each for (names, _), each in told.items() if len(each) > 1}
    assert set(several) <= {("--to",), ("-o", "--out"), ("--format",), ("--baseline",)}, several


def test_a_command_has_its_own_words_for_codes_and_none_that_it_never_ends_with() -> None:
    told = epilog(ExitCode.FIX_FAILED, ok="the chain is whole", findings="the chain breaks")
    assert "    0  the chain is whole\n    1  the chain breaks\n    2  " in told
    assert "a fix failed" not in told
