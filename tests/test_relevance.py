"""What `parse --annotate` calls irrelevant is: its removal changes no verdict of any rule's examples."""

from __future__ import annotations

import pytest

from mailaudit import rulebook, settings
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.models.facts import Facts
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import Statement, nothing
from mailaudit.relevance import load, name_of
from mailaudit.rulebook import Page
from mailaudit.text import Text

BOOK = rulebook.load()
RELEVANCE = load(BOOK.root)


def judged(page: Page, files: dict[str, bytes]) -> tuple[Facts, set[tuple[str, str]]]:
    """The facts, and each verdict with its message."""
    world = MemoryWorld(MemoryDirectory.of({"/etc/": b"", **files}), "host", "host")
    auditor = Auditor(world, BOOK, settings.load(world.settings), Options(), (page.id,))
    snapshot, facts = auditor.learn()
    return facts, {(str(each.verdict), each.message) for each in auditor.examine(snapshot, facts).results}


def without(statement: Statement) -> bytes:
    """A file without the lines of one statement."""
    span = statement.whole
    start, _ = span.text.line_span(span.start)
    _, end = span.text.line_span(max(span.start, span.end - 1))
    chars = span.text.chars
    return (chars[:start] + chars[end:]).encode("utf-8", "surrogateescape")


@pytest.mark.parametrize("page", BOOK.pages.values(), ids=lambda page: page.id)
def test_what_no_rule_asks_about_changes_no_verdict(page: Page) -> None:
    for case in page.cases:
        files = {f"/{path.lstrip('/')}": text.encode() for path, text in case.files.items()}
        facts, before = judged(page, files)
        for path, tree in facts.trees.items():
            for statement in tree.walk():
                if path not in files or statement.problem is not None or RELEVANCE.asks(tree.language, statement):
                    continue
                _, after = judged(page, {**files, path: without(statement)})
                assert after == before, f"{statement.kind} {name_of(statement)} belongs in rules/relevance.toml"


def test_only_known_languages_are_told_of() -> None:
    assert set(RELEVANCE.kinds) <= set(LANGUAGES)


def test_a_statement_is_named_by_what_it_is_about() -> None:
    tree = LANGUAGES["pf"].parse(Text.of("/etc/pf.conf", "set skip on lo\nset limit states 10\npass\n"), nothing)
    assert [name_of(statement) for statement in tree.statements] == ["skip", "limit", "pass"]
    assert [RELEVANCE.asks("pf", statement) for statement in tree.statements] == [True, False, True]
