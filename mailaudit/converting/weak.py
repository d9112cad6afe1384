"""Passwords that 2.3 takes and 2.4 refuses unless it is told to: those of schemes that are easily guessed.

Asked of 2.4.1, which says of each "Weak password scheme used and refused".
"""

from __future__ import annotations

from mailaudit.converting.writing import Work
from mailaudit.models.dovecot.parts import Database
from mailaudit.models.dovecot.passwd_file import lines_of
from mailaudit.models.passwords import password_of
from mailaudit.text import Span, Text

ALLOWED = "auth_allow_weak_schemes = yes"
WEAK = frozenset(("DES-CRYPT", "HMAC-MD5", "LDAP-MD5", "MD5", "MD5-CRYPT", "PLAIN-MD4", "PLAIN-MD5", "SMD5"))
_WEAK_CRYPT = frozenset(("des-crypt", "md5-crypt"))


def is_weak(written: str, default: str) -> bool:
    """True for a password that 2.4 refuses; `default` is the scheme of one that names none."""
    password = password_of(written)
    scheme = password.scheme[1:-1].partition(".")[0].upper() if password.is_prefixed else default.upper()
    if scheme == "CRYPT":
        return (password.behind if password.is_prefixed else password.scheme) in _WEAK_CRYPT
    return scheme in WEAK


def weak_users(work: Work) -> bool:
    """True if a file of users has such a password, which is told."""
    found = False
    for each in work.config.passdbs:
        text = work.config.passwd_files.get(each.path.value) if each.path is not None else None
        place = _weak_one(text, each) if isinstance(text, Text) else None
        if place is not None:
            work.note(place, "2.4 refuses a password of this scheme, so auth_allow_weak_schemes is turned on; set a new password")
            found = True
    return found


def _weak_one(text: Text, passdb: Database) -> Span | None:
    """The first user with such a password."""
    for line in lines_of(text).values():
        password = line.field(1)
        if line.has_password and password is not None and is_weak(password.chars, passdb.scheme):
            return line.span
    return None
