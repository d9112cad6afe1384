"""The lines of table-passwd(5), which are those of Dovecot's passwd-file too: user, hash, uid, gid, gecos, home, shell, extra.

Source: table-passwd 1.0.2, asked live: a `#` begins a comment anywhere; a line of blanks alone is malformed, an empty one is not.
"""

from __future__ import annotations

from mailaudit.parsers import lines
from mailaudit.parsers.tree import Include, Language, Problem, Statement, Tree
from mailaudit.text import Span, Text

FIELDS = ("name", "password", "uid", "gid", "gecos", "home", "shell", "extra")
FEWEST = 6
LONGEST = 2047


def parse(text: Text, _include: Include) -> Tree:
    """The tree of a credentials file: one `entry` a line, its leaves the fields in their order, some of them empty."""
    return lines.read_lines(text, "credentials", _line, _blank)


def _blank(text: Text, start: int, end: int) -> Statement:
    return lines.unread(text, start, end, f"expected at least {FEWEST} fields between colons, found blanks alone")


def _line(text: Text, start: int, end: int) -> Statement | None:
    comment = text.chars.find("#", start, end)
    if comment >= 0:
        end = start + len(text.chars[start:comment].rstrip(lines.BLANKS))
        if end == start:
            first, _ = text.line_span(start)
            return _blank(text, first, start) if first < start else None
    if "\0" in text.chars[start:end]:
        return lines.unread(text, start, end, "the line holds a NUL byte", refused=False)
    tokens = lines.fields(text, start, end, len(FIELDS))
    return lines.entry(tokens, _malformed(text, start, end, tokens[0].span, tokens))


def _malformed(text: Text, start: int, end: int, name: Span, tokens: tuple[object, ...]) -> Problem | None:
    """Why table-passwd gives up on the whole file at this line. The place is the name: what follows may be a secret."""
    whole = Span(text, start, end)
    count = (len(tokens) + 1) // 2
    place = name if name.end > name.start else whole
    if count < FEWEST:
        return Problem(f"expected at least {FEWEST} fields between colons, found {count}", place)
    if name.end == name.start:
        return Problem("the user's name is empty", Span(text, start, start + 1))
    if text.chars[name.end : name.end + 2] == "::":  # the file loads, but each lookup of this user fails
        return Problem("the password is empty", place)
    if end - start > LONGEST:
        return Problem(f"the line is longer than {LONGEST} characters", place)
    return None


LANGUAGE = Language("credentials", parse, lines.TRIVIA, ("/etc/mail/credentials",))
