"""Who may send as whom: the maps of smtpd's `senders`, from logins to addresses.

Source: smtp_session.c and lka.c (LKA_SENDER); addresses are compared as mailaddr_match() does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Table
from mailaudit.models.sources import Known, Lacking, Missing, Model, NotHere, Slot, Sources
from mailaudit.parsers.tree import Statement, Token, Tree
from mailaudit.questions import Absent, Found, ReadFile, Reason

USUAL = "/etc/mail/senders"


@dataclass(frozen=True, slots=True, eq=False)
class Sender:
    """One login, and the addresses it may send as: `user@domain`, `@domain`, `user`, or `@` for all."""

    login: Token
    addresses: tuple[Token, ...]
    statement: Statement | None = None

    @property
    def name(self) -> str:
        """The login as smtpd looks it up: in lower case."""
        return self.login.value.lower()


@dataclass(frozen=True, eq=False)
class Senders(Model):
    """The maps by the names of their tables, each by login; `lacking` says why one is not known.

    `usual` tells whether the usual file is there, None where that is not known.
    """

    maps: Mapping[str, Mapping[str, Sender]] = field(default_factory=dict)
    lacking: Mapping[str, Lacking] = field(default_factory=dict)
    usual: bool | None = None

    def tree(self, table: Table) -> Tree | None:
        """The file of a table, if it has one that was read."""
        return next((tree for tree in self.trees if tree.text.path == table.path), None)


def read_senders(sources: Sources, smtpd: Slot[SmtpdConfig]) -> Slot[Senders]:
    """The maps of all listeners."""
    if isinstance(smtpd, NotHere):
        return smtpd
    tables = smtpd.value.sender_tables if isinstance(smtpd, Known) else ()
    maps: dict[str, Mapping[str, Sender]] = {}
    lacking: dict[str, Lacking] = {}
    trees: list[Tree] = []
    for table in tables:
        found = _map(sources, table, trees)
        if isinstance(found, Lacking):
            lacking[table.name] = found
        else:
            maps[table.name] = found
    return Known(Senders(trees=tuple(trees), maps=maps, lacking=lacking, usual=_usual(sources)))


def _usual(sources: Sources) -> bool | None:
    answer = sources.ask(ReadFile(USUAL))
    if isinstance(answer, Found):
        return True
    return False if isinstance(answer, Absent) else None


def _map(sources: Sources, table: Table, trees: list[Tree]) -> Mapping[str, Sender] | Lacking:
    if table.path is None and table.is_defined:
        return {key.value.lower(): Sender(key, _split(value)) for key, value in table.entries}
    if table.path is None or table.backend != "file":
        return Lacking(Reason.NOT_RECORDED, f"The table <{table.name}> is of a kind that is not read here.")
    slot = sources.slot(table.path, sources.tree(table.path, "virtuals"), ("/etc/mail/*",))
    if not isinstance(slot, Known):
        if isinstance(slot, Lacking):
            return slot
        why = f"{slot.path} is not there" if isinstance(slot, Missing) else slot.why
        return Lacking(Reason.NOT_RECORDED, f"Who may send as whom is not known: {why}.", table.path)
    trees.append(slot.value)
    return {sender.name: sender for sender in _senders(slot.value)}


def _senders(tree: Tree) -> list[Sender]:
    found = []
    for statement in tree.statements:
        if statement.kind == "entry" and statement.template is not None:
            targets = statement.node.node("targets")
            found.append(Sender(statement.node.first, tuple(targets.leaves()) if targets is not None else (), statement))
    return found


def _split(value: Token | None) -> tuple[Token, ...]:
    """The addresses of a value that stands in smtpd.conf itself."""
    words = value.value.split(",") if value is not None else []
    return tuple(Token("word", each.strip(), value.text, value.start, value.end) for each in words if value is not None)
