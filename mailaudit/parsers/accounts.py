"""passwd(5) and group(5): an account or a group a line, its fields between colons."""

from __future__ import annotations

from functools import partial

from mailaudit.parsers import lines
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Tree
from mailaudit.text import Text

PASSWD_FIELDS = 7
GROUP_FIELDS = 4


def _line(text: Text, start: int, end: int, count: int) -> Statement | None:
    if text.chars[start] == "#":
        return None
    if "\0" in text.chars[start:end]:
        return lines.unread(text, start, end, "the line holds a NUL byte", refused=False)
    tokens = lines.fields(text, start, end, count)
    found = (len(tokens) + 1) // 2
    if found < count:
        return lines.entry(tokens, Problem(f"expected {count} fields between colons, found {found}", tokens[0].span))
    return lines.entry(tokens)


def parse(text: Text, _include: Include, name: str, count: int) -> Tree:
    """The tree of such a file: one `entry` a line, its leaves the fields in their order, some of them empty."""
    return lines.read_lines(text, name, partial(_line, count=count))


PASSWD = Language("passwd", partial(parse, name="passwd", count=PASSWD_FIELDS), lines.TRIVIA, ("/etc/passwd",))
GROUP = Language("group", partial(parse, name="group", count=GROUP_FIELDS), lines.TRIVIA, ("/etc/group",))
