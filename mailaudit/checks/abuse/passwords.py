"""Rules about passwords that are soon found: in clear or under a weak hash outside the credentials, or shared by two users."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.passwd_file import lines_of
from mailaudit.models.passwords import EMPTY, LOCKED, PLAIN, password_of
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Failed, Reason
from mailaudit.text import Span, Text

READABLE = frozenset({"plain", "{PLAIN}", "{CLEARTEXT}", "{CLEAR}", "{PLAIN-TRUNC}"})
FAST = frozenset(
    {
        "des-crypt",
        "md5-crypt",
        "{DES-CRYPT}",
        "{MD5-CRYPT}",
        "{MD5}",
        "{PLAIN-MD5}",
        "{LDAP-MD5}",
        "{SMD5}",
        "{SHA}",
        "{SHA1}",
        "{SSHA}",
    }
    | {"{CRAM-MD5}", "{HMAC-MD5}", "{DIGEST-MD5}", "{NTLM}", "{LANMAN}", "{RPA}"}
)
ENCRYPT = "smtpctl encrypt"  # without an argument it reads the password from standard input
Smtpd = SmtpdConfig | Missing | NotHere | Lacking
Dovecot = DovecotConfig | Missing | NotHere | Lacking


@dataclass(frozen=True, slots=True)
class _Kept:
    """A user's password as it stands in a file: the user with his place, what is written, and the scheme that it is read by."""

    user: str
    at: Span
    written: str
    scheme: str


def _elsewhere(smtpd: Smtpd, dovecot: Dovecot, credentials: str) -> Iterator[_Kept | Doubt]:
    """The passwords in Dovecot's files of users and in smtpd's tables, those in the credentials left out."""
    for of in dovecot.passdbs if isinstance(dovecot, DovecotConfig) else ():
        path = of.path.value if of.path is not None else ""
        if (
            of.driver != "passwd-file"
            or of.denies
            or posixpath.normpath(path or ".") == credentials
            or not isinstance(dovecot, DovecotConfig)
        ):
            continue
        text = dovecot.passwd_files.get(path, Failed(Reason.NOT_RECORDED, f"{path} was not recorded"))
        if isinstance(text, Failed):
            yield Doubt(text.reason, text.detail or f"{path} could not be read")
        for line in lines_of(text).values() if isinstance(text, Text) else ():
            field = line.field(1)
            if field is not None:
                yield _Kept(line.name.lower(), line.span, field.chars, _scheme(field.chars, of.scheme))
    for table in smtpd.credential_tables if isinstance(smtpd, SmtpdConfig) else ():
        if table.path is not None and table.path != credentials:
            yield Doubt(Reason.NOT_RECORDED, f"The passwords in {table.path} are not read.", (Place.at(table.at.span),))
        for user, value in table.entries:
            if value is not None:
                yield _Kept(user.value.lower(), user.span, value.value, _scheme(value.value, "CRYPT"))


def _scheme(written: str, usual: str) -> str:
    """The scheme that a password is read by: that of its prefix or its form, else the one that is usual there."""
    password = password_of(written)
    if password.scheme == "{CRYPT}":
        return password.behind
    return f"{{{usual.upper()}}}" if password.scheme == PLAIN and usual.upper() != "CRYPT" else password.scheme


def _path(credentials: Credentials | Missing | NotHere | Lacking) -> str:
    return credentials.path if isinstance(credentials, Credentials | Missing) else ""


@rule("ABUSE003")
def passwords_take_long_to_find(
    smtpd: Smtpd, dovecot: Dovecot, credentials: Credentials | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """No password outside the credentials is kept in clear or under a hash that is tried fast."""
    yield from unread(smtpd, dovecot, credentials)
    count = 0
    for kept in _elsewhere(smtpd, dovecot, _path(credentials)):
        count += 1
        if isinstance(kept, Doubt):
            yield kept
        elif kept.scheme in READABLE | FAST:
            how = (
                "in clear"
                if kept.scheme in READABLE
                else f"as {kept.scheme.strip('{}')}, which is tried a billion times a second"
            )
            fix = Fix("Set a new password as a bcrypt hash; type it when asked", Safety.MANUAL, commands=(ENCRYPT,))
            message = f"The password of {kept.user} is kept {how}."
            yield Finding(
                message, (Place.at(kept.at, "the password of this user"),), fix, f"password of {kept.user}", kept.scheme
            )
    if not count:
        yield Exempt("there are no passwords but those in the credentials, of which CRED008 and CRED009 tell")


@rule("ABUSE004")
def no_password_is_handed_on(
    credentials: Credentials | Missing | NotHere | Lacking, smtpd: Smtpd, dovecot: Dovecot
) -> Iterator[Outcome]:
    """No two users have the very same hash."""
    yield from unread(smtpd, dovecot, credentials)
    found = [each for each in _elsewhere(smtpd, dovecot, _path(credentials)) if isinstance(each, _Kept)]
    if isinstance(credentials, Credentials):
        own = ((entry, entry.statement.node.leaves()[1].value) for entry in credentials.entries)
        found = [*(_Kept(entry.address, entry.name.span, written, entry.password.scheme) for entry, written in own), *found]
    hashes = [each for each in found if each.scheme not in (EMPTY, LOCKED, *READABLE)]
    if not hashes:
        yield Exempt("no user's hash is at hand")
    first: dict[str, _Kept] = {}
    for each in hashes:
        before = first.setdefault(each.written, each)
        if before.user != each.user:
            message = f"{each.user} has the hash of {before.user}: the line was copied, and both have one password."
            fix = Fix("Set a new password; type it when asked", Safety.MANUAL, commands=(ENCRYPT,))
            places = (Place.at(each.at, "the copy"), Place.at(before.at, "the same hash"))
            yield Finding(message, places, fix, f"password of {each.user}", "copied")
