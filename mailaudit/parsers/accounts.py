"""passwd(5), master.passwd(5) and group(5): an account or a group a line, its fields between colons.

Every line that is not blank and no comment is an `entry`, all of whose leaves, of kind `field`, are its fields in their order,
some of them empty; the tokens between them are colons. The fields of passwd: name, password, uid, gid, gecos, home, shell; of
master.passwd: name, password, uid, gid, class, change, expire, gecos, home, shell; of group: name, password, gid, members.
A line with too few or too many fields is an `entry` with a problem.

In a snapshot master.passwd is reduced: a password hash is its mask, `{{masked:bcrypt:60:...}}`, which is one field.
"""

from __future__ import annotations

from functools import partial

from mailaudit.parsers import lines
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Tree
from mailaudit.text import Text

PASSWD_FIELDS = 7
MASTER_FIELDS = 10
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
    if count != GROUP_FIELDS and ":" in tokens[-1].value:
        return lines.entry(tokens, Problem(f"expected {count} fields between colons, found more", tokens[0].span))
    return lines.entry(tokens)


def parse(text: Text, _include: Include, name: str, count: int) -> Tree:
    """The tree of such a file: one `entry` a line, its leaves the fields in their order, some of them empty."""
    return lines.read_lines(text, name, partial(_line, count=count))


PASSWD = Language("passwd", partial(parse, name="passwd", count=PASSWD_FIELDS), lines.TRIVIA, ("/etc/passwd",))
MASTER = Language(
    "master.passwd", partial(parse, name="master.passwd", count=MASTER_FIELDS), lines.TRIVIA, ("/etc/master.passwd",)
)
GROUP = Language("group", partial(parse, name="group", count=GROUP_FIELDS), lines.TRIVIA, ("/etc/group",))
