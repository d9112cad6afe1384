"""Rules about the fields of each mail user's line: account, home, password, and what stands there twice."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.editing import tables
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.accounts import Accounts
from mailaudit.models.credentials import Credentials, Entry
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.user import mail_user
from mailaudit.models.mail_owner import VMAIL, VMAIL_ID, MailOwner
from mailaudit.models.passwords import BCRYPT
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.parsers.tree import Token
from mailaudit.questions import Reason

UID, GID, HOME, EXTRA = 2, 3, 5, 7
LOWEST_COST = 8
ENCRYPT = "smtpctl encrypt"  # without an argument it reads the password from standard input
READABLE = ("plain", "des-crypt", "empty")
PREFIXES = ("{PLAIN}", "{CLEARTEXT}", "{PLAIN-TRUNC}")
_MAIL = re.compile(r"(?:\A| )userdb_mail=(\S*)")

Known = DovecotConfig | Missing | NotHere | Lacking


@rule("CRED006")
def dovecot_takes_the_line(
    credentials: Credentials, accounts: Accounts | Missing | NotHere | Lacking, owner: MailOwner, dovecot: Known
) -> Iterator[Outcome]:
    """Each line names an account and a group that Dovecot can open mail as."""
    yield from unread(accounts, dovecot)
    for entry in credentials.entries:
        for number, kind, token in ((UID, "uid", entry.uid), (GID, "gid", entry.gid)):
            written = token.value
            if written.isascii() and written.isdigit():
                continue
            fix = _field(credentials, entry, number, str(_number_of(owner, kind)), f"Write vmail's {kind}")
            if not written and isinstance(dovecot, Lacking):
                yield Doubt(
                    dovecot.reason, f"Whether Dovecot's settings give the {kind} is not known.", (Place.at(entry.name.span),)
                )
            elif not written and not _is_set(dovecot, kind):
                message = f"The line of {entry.name.value} has no {kind}, so Dovecot lets the user in and opens no mailbox."
                yield Finding(message, (Place.at(entry.name.span),), fix, f"{kind} of {entry.address}", "empty")
            elif written and not isinstance(accounts, Accounts):
                reason = accounts.reason if isinstance(accounts, Lacking) else Reason.NOT_RECORDED
                if written != VMAIL:
                    yield Doubt(reason, f"Whether there is an account {written} is not known.", (Place.at(token.span),))
            elif written and isinstance(accounts, Accounts) and not _exists(accounts, kind, written):
                what = "user" if kind == "uid" else "group"
                message = f"There is no {what} {written}, so Dovecot refuses {entry.name.value} with an invalid {kind.upper()}."
                yield Finding(message, (Place.at(token.span),), fix, f"{kind} of {entry.address}", written)


def _exists(accounts: Accounts, kind: str, name: str) -> bool:
    return (accounts.user(name) if kind == "uid" else accounts.group(name)) is not None


def _is_set(dovecot: Known, kind: str) -> bool:
    """True if Dovecot's settings give what the line does not."""
    if not isinstance(dovecot, DovecotConfig):
        return False
    setting = dovecot.root.get(f"mail_{kind}")
    from_fields = any(
        re.search(rf"(?:^|\s){kind}=", value.value)
        for userdb in dovecot.userdbs
        for name in ("default_fields", "override_fields")
        if (value := userdb.section.get(name)) is not None
    )
    blocks = (fields for userdb in dovecot.userdbs for fields in userdb.section.of("fields"))
    in_blocks = any(fields.get(kind, f"{kind}:default") is not None for fields in blocks)
    return (setting is not None and bool(setting.value)) or from_fields or in_blocks


def _number_of(owner: MailOwner, kind: str) -> int:
    if owner.user is None:
        return VMAIL_ID
    return owner.user.uid if kind == "uid" else owner.user.gid


def _field(credentials: Credentials, entry: Entry, number: int, value: str, title: str) -> Fix:
    edits = tables.set_field(credentials.tree, entry.statement, number, value) or ()
    return Fix(title, Safety.UNSAFE if edits else Safety.MANUAL, edits)


@rule("CRED009")
def no_readable_passwords(credentials: Credentials) -> Iterator[Outcome]:
    """No password stands there as it is typed."""
    for entry in credentials.entries:
        password = entry.password
        if password.scheme not in READABLE and password.scheme not in PREFIXES:
            continue
        yield Finding(
            f"The second field of {entry.name.value} is no hash: it is the password itself, or a mark in its place.",
            (Place.at(entry.name.span, "the second field of this line"),),
            Fix("Set a new password; type it when asked", Safety.MANUAL, commands=(ENCRYPT,)),
            f"password of {entry.address}",
            password.kind,
        )


@rule("CRED010")
def hashes_are_slow(credentials: Credentials) -> Iterator[Outcome]:
    """Each bcrypt hash costs at least 2^8 rounds."""
    for entry in credentials.entries:
        if entry.password.scheme != BCRYPT:
            continue
        cost = entry.password.cost
        place = Place.at(entry.name.span, "the second field of this line")
        if cost is None:
            yield Doubt(Reason.NOT_RECORDED, f"How slow the hash of {entry.name.value} is was not recorded.", (place,))
        elif cost < LOWEST_COST:
            message = f"The hash of {entry.name.value} was made with the cost {cost}, so passwords are tried fast."
            fix = Fix("Make a new hash; type the password when asked", Safety.MANUAL, commands=(ENCRYPT,))
            yield Finding(message, (place,), fix, f"cost of {entry.address}", f"{cost:02}")


@rule("CRED011")
def mail_is_of_its_owner(
    credentials: Credentials, accounts: Accounts | Missing | NotHere | Lacking, owner: MailOwner
) -> Iterator[Outcome]:
    """Each line gives the uid and the gid of the account that owns the mail."""
    yield from unread(accounts)
    known = accounts if isinstance(accounts, Accounts) else None
    if known is not None and owner.user is None:
        yield Exempt(f"there is no user {owner.name}")
        return
    for entry in credentials.entries:
        for number, kind, token in ((UID, "uid", entry.uid), (GID, "gid", entry.gid)):
            wanted, found = _number_of(owner, kind), _meant(known, kind, token)
            if found == wanted or not token.value or (known is not None and found is None):
                continue  # what is empty or means nobody is told of by CRED006
            if known is None:
                yield Doubt(Reason.NOT_RECORDED, f"Which account {token.value} is was not recorded.", (Place.at(token.span),))
                continue
            yield Finding(
                f"The mail of {entry.name.value} is opened with the {kind} {found}; it belongs to {owner.name}, {wanted}.",
                (Place.at(token.span),),
                _field(credentials, entry, number, str(wanted), f"Write {owner.name}'s {kind}"),
                f"{kind} of {entry.address}",
                token.value,
            )


def _meant(known: Accounts | None, kind: str, token: Token) -> int | None:
    """The number that a field means; vmail has the guide's where accounts are not known."""
    written = token.value
    if written.isascii() and written.isdigit():
        return int(written) if len(written) < 11 else -1
    if known is None:
        return VMAIL_ID if written == VMAIL else None
    if kind == "uid":
        user = known.user(written)
        return user.uid if user is not None else None
    group = known.group(written)
    return group.gid if group is not None else None


@rule("CRED012")
def homes_are_the_users_own(credentials: Credentials, owner: MailOwner, dovecot: Known) -> Iterator[Outcome]:
    """Each home is a directory by domain and name below that of the mail, or goes with where Dovecot looks."""
    yield from unread(dovecot)
    config = dovecot if isinstance(dovecot, DovecotConfig) else None
    for entry in credentials.entries:
        user, _, domain = entry.address.partition("@")
        home = entry.home.value
        if not domain or (not home and config is not None and mail_user(config, entry.address).home.value is not None):
            continue
        wanted = f"{owner.home}/{domain}/{user.split('+')[0]}"
        if _is_below(home.lower(), wanted) or (config is not None and _goes_with(config, entry)):
            continue
        is_empty = not home
        what = "has no home" if is_empty else f"has the home {home}, which is not {wanted} nor below it"
        yield Finding(
            f"{entry.name.value} {what}: Sieve scripts and mail are looked for in another place than the mail's.",
            (Place.at(entry.name.span if is_empty else entry.home.span),),
            _field(credentials, entry, HOME, wanted, f"Write {wanted}"),
            f"home of {entry.address}",
            home,
        )


def _is_below(path: str, directory: str) -> bool:
    return path.rstrip("/") == directory or path.startswith(f"{directory}/")


def _goes_with(dovecot: DovecotConfig, entry: Entry) -> bool:
    """True if Dovecot's own path of the mail, written without the home, lies in the home or the home in it."""
    path = dovecot.mail_path(entry.address, None)
    home = entry.home.value.rstrip("/")
    return path is not None and home.startswith("/") and (_is_below(path, home) or _is_below(home, path))


@rule("CRED013")
def no_second_word_on_the_mail(credentials: Credentials, dovecot: DovecotConfig) -> Iterator[Outcome]:
    """No line says again where the mail lies."""
    for entry in credentials.entries:
        found = mail_field(entry)
        if found is None or entry.extra is None:
            continue
        template = dovecot.mail_path(entry.address, entry.home.value or None)
        if dovecot.family != NEW and path_of(found, entry) != template:
            continue  # it decides where the mail lies: CROSS052 compares
        why = "Dovecot 2.4 does not read it" if dovecot.family == NEW else "the settings say the same, and Dovecot 2.4 ignores it"
        yield Finding(
            f"The line of {entry.name.value} says where the mail lies a second time: {why}.",
            (Place.at(entry.extra.span),),
            without_mail(credentials, entry, Safety.SAFE, "Remove it"),
            f"userdb_mail of {entry.address}",
            "again",
        )


def without_mail(credentials: Credentials, entry: Entry, safety: Safety, title: str) -> Fix:
    """A line that does not say where the mail lies."""
    rest = _MAIL.sub("", entry.extra.value).strip() if entry.extra is not None else ""
    return Fix(title, safety, tables.set_field(credentials.tree, entry.statement, EXTRA, rest) or ())


def mail_field(entry: Entry) -> str | None:
    """What `userdb_mail` in the last field says, None where it is not there."""
    match = _MAIL.search(entry.extra.value) if entry.extra is not None else None
    return match[1] if match else None


def path_of(location: str, entry: Entry) -> str:
    """The path in a location such as `maildir:~/Maildir:INDEX=MEMORY`."""
    kind, colon, rest = location.partition(":")
    path = rest if colon and kind.isalnum() else location
    path = path.split(":", 1)[0].rstrip("/")
    return entry.home.value.rstrip("/") + path[1:] if path.startswith("~") else path


@rule("CRED014")
def users_stand_there_once(credentials: Credentials) -> Iterator[Outcome]:
    """No user has two lines."""
    first: dict[str, Entry] = {}
    for entry in credentials.entries:
        before = first.setdefault(entry.address, entry)
        if before is not entry:
            yield Finding(
                f"{entry.name.value} has two lines: with which password the user gets in depends on the daemon that is asked.",
                (Place.at(entry.name.span, "the second"), Place.at(before.name.span, "the first")),
                Fix("Delete the line that is not meant", Safety.MANUAL),
                "user twice",
                entry.address,
            )
