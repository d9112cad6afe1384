"""`mailaudit rules`: the catalogue, or one rule's page."""

from __future__ import annotations

from difflib import get_close_matches

from mailaudit import output, rulebook
from mailaudit.choices import Color
from mailaudit.commands.telling import UsageError, shown
from mailaudit.reports.terminal import pages


def rules(identity: str | None, color: Color) -> int:
    """Show the catalogue, a part of it, or one rule's page."""

    def make() -> str:
        book = rulebook.load()
        where = output.screen(color)
        if identity is None:
            return pages.catalogue(list(book.pages.values()), where)
        found = [book.pages[each] for each in book.matching(identity)]
        if not found:
            near = get_close_matches(identity, book.called, n=1)
            raise UsageError(f"no rule is called {identity}", *(f"did you mean {each}?" for each in near), "mailaudit rules")
        return pages.one(found[0], where) if len(found) == 1 else pages.catalogue(found, where)

    return shown(make, debug=False)
