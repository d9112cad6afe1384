"""The accounts of the mail users: the file that smtpd's table-passwd and Dovecot's passwd-file read."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field

from mailaudit.models.accounts import Accounts, read_accounts
from mailaudit.models.passwords import Password, is_masked, password_of
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Model, Slot, Sources, refused_statements
from mailaudit.parsers.tree import Statement, Token, Tree
from mailaudit.questions import Absent, Failed, Reason, Stat

PATH = "/etc/mail/credentials"
SMTPD = "/etc/mail/smtpd.conf"
MOST_LINKS = 8
COPIES = ("~", ".bak", ".orig", ".old", ".save")
"""What editors and people add to the name of the file for a copy of it."""


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
        found += ((password_of(value).kind, value) for value in values if value and not is_masked(value))
    return tuple(dict.fromkeys(found))


def _stat(sources: Sources, path: str) -> Stat | Absent | Failed:
    for _ in range(MOST_LINKS):
        found = sources.stat(path)
        if not isinstance(found, Stat) or found.type != "symlink" or found.target is None:
            return found
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), found.target))
    return Failed(Reason.UNREADABLE, f"{path} is a symbolic link without an end")
