"""An edit changes what it names and nothing else: tried on the examples, on the tests' own files and on real ones."""

from __future__ import annotations

import pytest

from bench.agreement import CORPORA, editing
from bench.trials import Tally, Trial, fault
from mailaudit.editing import pf
from mailaudit.edits import Edit
from mailaudit.parsers.tree import Tree, nothing
from mailaudit.text import Text

LANGUAGES = sorted(editing.TRIALS)
OWN = 120  # edits of each language
REAL = 120
FEWEST = 100


def check(done: Tally) -> None:
    assert done.wrong is None
    assert done.tried >= FEWEST


@pytest.mark.parametrize("language", LANGUAGES)
def test_edits_of_our_own_files_hold(language: str) -> None:
    paths = editing.own_files()[language]
    if not paths:
        pytest.skip("no file of this language among the examples and the tests' own")
    check(editing.tally(language, paths, OWN, seed=1))


@pytest.mark.parametrize("language", LANGUAGES)
def test_edits_of_real_files_hold(language: str) -> None:
    if not CORPORA.is_dir():
        pytest.skip("the collection of real files is not beside this checkout")
    paths = editing.real_files()[language]
    if not paths:
        pytest.skip("no file of this language among the real ones")
    done = editing.tally(language, paths, REAL, seed=2)
    if not done.tried and not done.wrong:
        pytest.skip("the real files of this language hold nothing that could be edited")
    check(done)


def _tree(chars: str) -> Tree:
    return pf.STYLE.language.parse(Text.of("/f", chars), nothing)


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (Edit("/f", 0, 10, ""), "changed"),  # takes a statement along
        (Edit("/f", 10, 14, "\npass out\npass in\n"), "changed"),  # puts more in than was meant
        (Edit("/f", 10, 10, "pass out\r\n"), "the newline style"),
        (Edit("/f", 10, 10, "pass out\nnonsense\n"), "changed"),
        (Edit("/f", 10, 14, "pass out\n"), "comments"),
    ],
)
def test_a_wrong_edit_is_found(edit: Edit, what: str) -> None:
    """The trials can fail: edits that do more than they say are told apart from one that does not."""
    chars = "block all\n# c\npass in\n"
    come = ((0, "rule", ("pass", "out")),)
    assert fault(pf.STYLE.language, _tree(chars), Trial("", (Edit("/f", 10, 10, "pass out\n"),), (), come)) is None
    found = fault(pf.STYLE.language, _tree(chars), Trial("", (edit,), (), come))
    assert found is not None
    assert found.startswith(what)
