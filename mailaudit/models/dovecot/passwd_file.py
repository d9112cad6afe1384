"""The users of a passwd-file as Dovecot reads it: user, password, uid, gid, gecos, home, shell, further fields.

Source: src/auth/db-passwd-file.c; asked live of 2.3.19 and 2.4.1.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from mailaudit.models.accounts import Accounts
from mailaudit.models.passwords import EMPTY, LOCKED, password_of
from mailaudit.text import Span, Text

VMAIL = "vmail"  # the account that is taken to be there where accounts are not known
_FIELD = re.compile(r"(?:\{\{masked:[^{}]*\}\}|[^:])*")
_FIRST_OF_USER = 2  # the index of the first field that a userdb reads
_EXTRA = 7


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One user. `fields` are all that stand between colons, the last one with the colons that follow."""

    fields: tuple[Span, ...]

    @property
    def name(self) -> str:
        """The key it is found under, by exact comparison."""
        return self.fields[0].chars

    @property
    def span(self) -> Span:
        """The name: what follows may be a secret."""
        return self.fields[0]

    @property
    def has_password(self) -> bool:
        """True if some password can match."""
        return len(self.fields) > 1 and password_of(self.fields[1].chars).scheme not in (EMPTY, LOCKED)

    def field(self, number: int) -> Span | None:
        """A field by its number from 0, None where it is empty or not there."""
        found = self.fields[number] if len(self.fields) > number else None
        return found if found is not None and found.chars else None

    def extras(self) -> Iterator[tuple[str, str, Span]]:
        """The further fields: name, value (empty without one) and place."""
        last = self.field(_EXTRA)
        for match in re.finditer(r"[^ ]+", last.chars) if last is not None else ():
            assert last is not None
            key, _, value = match[0].partition("=")
            yield key, value, Span(last.text, last.start + match.start(), last.start + match.end())

    def is_user(self, accounts: Accounts | None) -> bool | None:
        """True if a userdb takes the line: its ids are numbers above 0 or names of accounts; None where that is not known."""
        if len(self.fields) <= _FIRST_OF_USER:
            return False
        known = [_is_id(self.field(2), accounts, "uid"), _is_id(self.field(3), accounts, "gid")]
        return False if False in known else None if None in known else True


def _is_id(field: Span | None, accounts: Accounts | None, kind: str) -> bool | None:
    if field is None:
        return True
    written = field.chars
    if written.isascii() and written.isdigit():
        return 0 < int(written[:20]) < 2**32 - 1
    if accounts is None:
        return True if written == VMAIL else None
    return (accounts.user(written) if kind == "uid" else accounts.group(written)) is not None


@lru_cache(maxsize=32)
def lines_of(text: Text) -> Mapping[str, Line]:
    """The users by name, as written; of two lines with one name the first counts."""
    found: dict[str, Line] = {}
    at = 0
    for written in text.chars.split("\n"):
        line = written.removesuffix("\r")
        if line and line[0] not in ":#":
            spans = tuple(Span(text, at + start, at + end) for start, end in _cut(line))
            found.setdefault(spans[0].chars, Line(spans))
        at += len(written) + 1
    return found


def _cut(line: str) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    at = 0
    while len(found) < _EXTRA:
        match = _FIELD.match(line, at)
        assert match is not None
        found.append(match.span())
        at = match.end() + 1
        if at > len(line):
            return found
    return [*found, (at, len(line))]


def secrets_of(text: Text) -> Iterator[tuple[str, str]]:
    """Each password and its kind, those that are masked left out."""
    for line in lines_of(text).values():
        password = line.field(1)
        if password is not None and not password.chars.startswith("{{masked:") and len(password.chars) > 1:
            yield password_of(password.chars).kind, password.chars
