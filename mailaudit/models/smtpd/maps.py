"""What smtpd looks recipients up in: the tables of its actions, the accounts, the users' .forward files, included lists."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mailaudit.models.accounts import Accounts
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Action, Table
from mailaudit.models.sources import Known, Model, Slot, Sources
from mailaudit.models.virtuals import Entry, Target, entries_of, target_of, written_entry
from mailaudit.parsers.aliases import items
from mailaudit.parsers.tree import Tree
from mailaudit.questions import NOT_ASKED, Absent, Failed, Reason
from mailaudit.text import Span, Text

MAPS = ("virtual", "alias")
MOST_FILES = 200  # .forward files that are asked for
_ACCOUNT = re.compile(r"(?:[^:]*:)?(\d+):\d+:(/.*)")
_COMMENT = re.compile(r"(?<!\\)#.*")


@dataclass(frozen=True, slots=True, eq=False)
class Account:
    """Who a local delivery is for; `home` is None where it is not known."""

    name: str
    uid: int | None = None
    home: str | None = None
    span: Span | None = None


@dataclass(frozen=True, eq=False)
class Maps(Model):
    """smtpd.conf with all that its actions look recipients up in.

    `tables` has the entries of each action's tables by the table's name, by key, or why they are not known; `texts` the .forward
    and :include: files by path.
    """

    smtpd: SmtpdConfig
    tables: Mapping[str, Mapping[str, Entry] | Failed] = field(default_factory=dict)
    accounts: Accounts | None = None
    texts: Mapping[str, Text | Absent | Failed] = field(default_factory=dict)

    def lookup(self, table: Table, keys: Iterable[str]) -> Entry | Failed | None:
        """The entry of the first key that a table has."""
        entries = self.tables[table.name]
        if isinstance(entries, Failed):
            return entries
        return next((found for key in keys if (found := entries.get(key)) is not None), None)

    def account(self, action: Action, name: str) -> Account | Failed | None:
        """The account of a name: of the action's userbase, else of the system."""
        userbase = action.tables.get("userbase")
        if userbase is not None:
            entry = self.lookup(userbase, (name.lower(),))
            return _of_userbase(name, entry) if isinstance(entry, Entry) else entry
        if self.accounts is None:
            return Failed(Reason.NOT_RECORDED, "the accounts are not known")
        user = self.accounts.user(name)
        return None if user is None else Account(name, user.uid, user.home.value.rstrip("/") or "/", user.name.span)

    def forward(self, account: Account) -> tuple[Target, ...] | Failed | None:
        """The targets of a user's .forward, None where there is none, or none that anybody told of."""
        text = self.texts.get(f"{(account.home or '').rstrip('/')}/.forward")
        if isinstance(text, Failed) and text.reason not in NOT_ASKED:
            return text
        return tuple(listed(text)) if isinstance(text, Text) else None

    def included(self, target: Target) -> tuple[Target, ...] | Failed | None:
        """The targets in the file that a target includes, None where it is not there."""
        text = self.texts.get(include_path(target), Failed(Reason.NOT_RECORDED, f"{include_path(target)} was not recorded"))
        if isinstance(text, Failed):
            return text
        return None if isinstance(text, Absent) else tuple(each for each in listed(text) if each.kind != "invalid")


def include_path(target: Target) -> str:
    """The path in `:include:/path`."""
    return target.value[target.value.index("/") :]


def listed(text: Text) -> Iterator[Target]:
    """The targets of a .forward or of an included file: comma lists, with comments; what they include in turn is left out."""
    for number in range(1, text.lines + 1):
        start = text.line_start(number)
        line = _COMMENT.sub("", text.line(number))
        targets = (target_of(token) for token in items(text, start, start + len(line)) if token.kind == "word")
        yield from (target for target in targets if target.kind != "include")


def read_maps(sources: Sources, smtpd: Slot[SmtpdConfig], accounts: Slot[Accounts]) -> Slot[Maps]:
    """The maps of smtpd's actions; of the .forward files those of the accounts that the maps lead to."""
    if not isinstance(smtpd, Known):
        return smtpd
    known = accounts.value if isinstance(accounts, Known) else None
    tables: dict[str, Mapping[str, Entry] | Failed] = {}
    trees: list[Tree] = []
    for action in smtpd.value.actions.values():
        for option, table in action.tables.items():
            if option in (*MAPS, "userbase") and table.name not in tables:
                tables[table.name] = _entries(sources, table, option, trees)
    targets = [t for found in tables.values() if not isinstance(found, Failed) for e in found.values() for t in e.targets]
    texts = {path: sources.file(path) for path in dict.fromkeys(include_path(t) for t in targets if t.kind == "include")}
    targets += [target for text in texts.values() if isinstance(text, Text) for target in listed(text)]
    texts |= _forwards(sources, known, targets) if known is not None else {}
    return Known(Maps(smtpd.value, tables, known, texts, trees=(*smtpd.value.trees, *trees)))


def _forwards(sources: Sources, accounts: Accounts, targets: list[Target]) -> dict[str, Text | Absent | Failed]:
    """The .forward files of the users that targets name, and of those that these name."""
    texts: dict[str, Text | Absent | Failed] = {}
    waiting = list(targets)
    while waiting and len(texts) < MOST_FILES:
        target = waiting.pop()
        user = accounts.user(target.value) if target.kind == "user" else None
        path = f"{user.home.value.rstrip('/')}/.forward" if user is not None else ""
        if path.startswith("/") and path not in texts:
            text = texts[path] = sources.file(path)
            waiting += listed(text) if isinstance(text, Text) else ()
    return texts


def _entries(sources: Sources, table: Table, option: str, trees: list[Tree]) -> Mapping[str, Entry] | Failed:
    if table.path is None and table.is_defined:
        return {entry.name: entry for entry in (written_entry(key, value, table.name) for key, value in table.entries)}
    if table.path is None or table.backend != "file":
        return Failed(Reason.NOT_RECORDED, f"the table {table.name} is of the kind {table.backend}, which is not read")
    languages = {"virtual": "virtuals", "alias": "aliases"}
    tree = sources.tree(table.path, languages.get(option, "table"))
    if isinstance(tree, Absent):
        return Failed(Reason.NOT_RECORDED, f"{table.path} is not there")
    if isinstance(tree, Failed):
        return tree
    trees.append(tree)
    return {entry.name: entry for entry in entries_of(tree)}


def _of_userbase(name: str, entry: Entry) -> Account | None:
    """An entry of a userbase: `uid:gid:home`, with a name before it or without."""
    value = entry.targets[0].token.value if len(entry.targets) == 1 else ""
    found = _ACCOUNT.fullmatch(value)
    return None if found is None else Account(name, int(found[1]), found[2].rstrip("/") or "/", entry.key.span)
