"""The accounts of the mail users: the file that smtpd's table-passwd and Dovecot's passwd-file read."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass, field

from mailaudit.models.accounts import Accounts, read_accounts
from mailaudit.models.smtpd import SmtpdConfig
from mailaudit.models.sources import Known, Model, Slot, Sources, refused_statements
from mailaudit.parsers.tree import Statement, Token, Tree
from mailaudit.questions import Absent, Failed, Reason, Stat

PATH = "/etc/mail/credentials"
SMTPD = "/etc/mail/smtpd.conf"
MOST_LINKS = 8
BCRYPT = "bcrypt"
EMPTY = "empty"
LOCKED = "locked"
PLAIN = "plain"
PREFIXED = "prefixed"

_MASKED = re.compile(r"\{\{masked:([^:{}]+):([0-9]+):[^{}]*\}\}")
_SCHEMES = (
    (re.compile(r"\{([A-Za-z0-9_.-]+)\}(.*)", re.DOTALL), PREFIXED),
    (re.compile(r"\$2[abxy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}"), BCRYPT),
    (re.compile(r"\$2[abxy]?\$.*", re.DOTALL), "broken bcrypt"),
    (re.compile(r"\$1\$.*", re.DOTALL), "md5-crypt"),
    (re.compile(r"\$5\$.*", re.DOTALL), "sha256-crypt"),
    (re.compile(r"\$6\$.*", re.DOTALL), "sha512-crypt"),
    (re.compile(r"\$y\$.*", re.DOTALL), "yescrypt"),
    (re.compile(r"\$argon2[a-z]*\$.*", re.DOTALL), "argon2"),
    (re.compile(r"\$.*", re.DOTALL), "unknown crypt scheme"),
    (re.compile(r"[*!]+"), LOCKED),
    (re.compile(r"[./A-Za-z0-9]{13}"), "des-crypt"),
)


@dataclass(frozen=True, slots=True)
class Password:
    """What may be said of a password: its scheme and its length in characters, never the password.

    `scheme` is `bcrypt` or another crypt(3) scheme, `plain`, `empty`, `locked`, or a Dovecot prefix in braces: `{BLF-CRYPT}`;
    `behind` is then the scheme of what follows the prefix.
    """

    scheme: str
    length: int
    behind: str = ""

    @property
    def is_prefixed(self) -> bool:
        """True for a Dovecot scheme prefix, which smtpd takes for part of the hash."""
        return self.scheme.startswith("{")

    @property
    def kind(self) -> str:
        """The scheme as the KIND of a mask: a prefix without its braces, a plus, and what follows it."""
        return f"{self.scheme[1:-1]}+{self.behind}" if self.is_prefixed else self.scheme


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One mail user. `owner` is the name of the account that `uid` means, None where that is not known."""

    name: Token
    password: Password
    uid: Token
    gid: Token
    home: Token
    extra: Token | None
    owner: str | None
    statement: Statement

    @property
    def address(self) -> str:
        """The name as both daemons look it up: in lower case."""
        return self.name.value.lower()


@dataclass(frozen=True, eq=False)
class Credentials(Model):
    """The file at `path`; `stat` is that of the file itself, where `path` is a symbolic link that of what it leads to.

    `entries` are the well-formed lines; the others are in `refusals`, and each of them alone keeps smtpd from running.
    """

    path: str = PATH
    entries: tuple[Entry, ...] = ()
    stat: Stat | Absent | Failed = field(default_factory=lambda: Failed(Reason.NOT_RECORDED))

    @property
    def tree(self) -> Tree:
        """The file as read."""
        return self.trees[0]

    def entry(self, address: str) -> Entry | None:
        """The user of an address."""
        return next((entry for entry in self.entries if entry.address == address.lower()), None)


def password_of(written: str) -> Password:
    """The kind of a password; a masked one is told by its mask."""
    masked = _MASKED.fullmatch(written)
    if masked is not None:
        prefix, found, behind = masked[1].partition("+")
        return Password(f"{{{prefix}}}" if found else prefix, int(masked[2]), behind)
    if not written:
        return Password(EMPTY, 0)
    for pattern, scheme in _SCHEMES:
        match = pattern.fullmatch(written)
        if match is not None and scheme == PREFIXED:
            return Password(f"{{{match[1].upper()}}}", len(written), password_of(match[2]).scheme)
        if match is not None:
            return Password(scheme, len(written))
    return Password(PLAIN, len(written))


def read_credentials(sources: Sources, smtpd: Slot[SmtpdConfig]) -> Slot[Credentials]:
    """The file that smtpd's credentials table names, or the usual one where it names none."""
    path = _path(smtpd)
    slot = sources.slot(path, sources.tree(path, "credentials"), (path, SMTPD))
    if not isinstance(slot, Known):
        return slot
    tree = slot.value
    accounts = read_accounts(sources)
    known = accounts.value if isinstance(accounts, Known) else None
    return Known(
        Credentials(
            trees=(tree,),
            refusals=refused_statements((tree,)),
            secrets=_secrets(tree),
            path=path,
            entries=tuple(_entry(statement, known) for statement in tree.statements if statement.problem is None),
            stat=_stat(sources, path),
        )
    )


def _path(smtpd: Slot[SmtpdConfig]) -> str:
    if isinstance(smtpd, Known):
        for table in smtpd.value.credential_tables:
            if table.backend == "passwd" and table.path is not None:
                return table.path
    return PATH


def _entry(statement: Statement, accounts: Accounts | None) -> Entry:
    fields = statement.node.leaves()
    uid = fields[2]
    return Entry(
        name=fields[0],
        password=password_of(fields[1].value),
        uid=uid,
        gid=fields[3],
        home=fields[5],
        extra=fields[7] if len(fields) > 7 and fields[7].value else None,
        owner=_owner(uid.value, accounts),
        statement=statement,
    )


def _owner(uid: str, accounts: Accounts | None) -> str | None:
    if not (uid.isascii() and uid.isdigit()):
        return uid or None
    user = accounts.user_by_id(int(uid)) if accounts is not None and len(uid) < 20 else None
    return None if user is None else user.name.value


def _secrets(tree: Tree) -> tuple[tuple[str, str], ...]:
    """The passwords; of a line that is not well-formed, whatever may be one."""
    found: list[tuple[str, str]] = []
    for statement in tree.statements:
        fields = [token.value for token in statement.tokens if token.kind == "field"]
        values = fields[1:2]
        if statement.problem is not None:
            values += [value for value in fields[2:] if "$" in value]
            values += [token.value for token in statement.tokens] if len(fields) < 2 else []
        found += ((password_of(value).kind, value) for value in values if value and not _MASKED.fullmatch(value))
    return tuple(dict.fromkeys(found))


def _stat(sources: Sources, path: str) -> Stat | Absent | Failed:
    for _ in range(MOST_LINKS):
        found = sources.stat(path)
        if not isinstance(found, Stat) or found.type != "symlink" or found.target is None:
            return found
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), found.target))
    return Failed(Reason.UNREADABLE, f"{path} is a symbolic link without an end")
