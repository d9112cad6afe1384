"""How real files are read, as one table; the collection of them lies beside the checkout or not at all."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import gaps, nothing, render
from mailaudit.text import Text

CORPORA = Path(__file__).resolve().parents[2] / "shared" / "corpora"
FOLDERS: dict[str, tuple[str, ...]] = {
    "pf": ("pf/real/*.conf",),
    "smtpd": ("smtpd/new/*", "smtpd/old/*"),
    "dovecot": ("dovecot/23/*", "dovecot/24/*"),
    "acme": ("acme/plain/*",),
    "httpd": ("httpd/plain/*",),
}
NO_FILES = {".tsv", ".jsonl", ".md"}


def files(language: str) -> Iterator[Path]:
    """The real files of a language."""
    for pattern in FOLDERS[language]:
        yield from (path for path in sorted(CORPORA.glob(pattern)) if path.is_file() and path.suffix not in NO_FILES)


def row(language: str) -> tuple[str, int, int, int, int, int, float]:
    """Files, lossless ones, statements, statements refused, statements unread, lines a second."""
    known = LANGUAGES[language]
    count = lossless = statements = refused = unread = lines = 0
    start = time.process_time()
    for path in files(language):
        text = Text(f"/etc/{path.name}", path.read_bytes())
        tree = known.parse(text, nothing)
        count += 1
        lines += text.lines
        lossless += render(tree) == text.data and all(known.trivia.fullmatch(gap.chars) for gap in gaps(tree))
        statements += sum(1 for _ in tree.walk())
        problems = [statement.problem for statement in tree.unread() if statement.problem is not None]
        refused += sum(problem.refused for problem in problems)
        unread += sum(not problem.refused for problem in problems)
    return language, count, lossless, statements, refused, unread, lines / max(time.process_time() - start, 1e-9)


def main(write: Callable[[str], object] = print) -> int:
    """Print the table; 1 if a file was not given back byte for byte or a statement was not read that its daemon would read."""
    if not CORPORA.is_dir():
        write("skipped: the collection of real files is not beside this checkout")
        return 0
    write(f"{'language':<10}{'files':>7}{'lossless':>10}{'statements':>12}{'refused':>9}{'unread':>8}{'lines/s':>10}")
    bad = 0
    for language in FOLDERS:
        name, count, lossless, statements, refused, unread, speed = row(language)
        write(f"{name:<10}{count:>7}{lossless:>10}{statements:>12}{refused:>9}{unread:>8}{speed:>10,.0f}")
        bad += count - lossless + unread
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
