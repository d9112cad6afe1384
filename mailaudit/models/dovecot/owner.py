"""Under which uids and gids Dovecot opens mail, as far as the host's files tell."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailaudit.models.accounts import Accounts
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.parts import Database
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import FILTERS
from mailaudit.parsers.tree import Problem
from mailaudit.text import Text, decimal

VMAIL = "vmail"
VMAIL_ID = 2000  # the guide's uid and gid of vmail
CREDENTIALS = "/etc/mail/credentials"
_FIELDS = ("args", "default_fields", "override_fields")
_COLUMN = {"uid": 2, "gid": 3}
_MASK = re.compile(r"\{\{masked:[^{}]*\}\}")  # its colons part no fields


@dataclass(frozen=True, slots=True)
class Ids:
    """The ids of the mail users: those that are known, and whether there may be others.

    `is_certain` is true if the numbers are all there are. `is_guides` is true where nothing speaks against the guide's vmail:
    users are those of the file of credentials, or nothing says yet who they are. `is_elsewhere` is true where an account is
    named whose number is not known, or where the users are in a database that is no file.
    """

    numbers: frozenset[int] = frozenset()
    is_certain: bool = False
    is_guides: bool = False
    is_elsewhere: bool = False


def mail_ids(kind: str, root: Section, userdbs: tuple[Database, ...], accounts: Accounts | None, credentials: Text | None) -> Ids:
    """The mail users' uids or gids; `kind` is `uid` or `gid`."""
    written = list(_written(kind, root, userdbs))
    on_file = any(each.path is not None and each.path.value == CREDENTIALS for each in userdbs)
    if on_file and credentials is not None:
        written += _of_lines(kind, credentials)
    named_by_file = all(each.driver == "passwd-file" for each in userdbs)
    is_guides = not userdbs or (on_file and named_by_file)
    if not written and named_by_file:
        number = _number(kind, VMAIL, accounts)
        return Ids(frozenset() if number is None else frozenset((number,)), number is not None, is_guides)
    numbers = [_number(kind, each, accounts) for each in written]
    is_certain = bool(written) and None not in numbers
    return Ids(frozenset(each for each in numbers if each is not None), is_certain, is_elsewhere=not is_certain)


def _written(kind: str, root: Section, userdbs: tuple[Database, ...]) -> Iterator[str]:
    """What settings say: the fields of the userdbs, and what holds where those say nothing."""
    for each in userdbs:
        for name in _FIELDS if each.driver == "static" else _FIELDS[1:]:
            setting = each.section.get(name)
            if setting is not None:
                yield from re.findall(rf"(?:^|\s){kind}=(\S+)", setting.value)
        for fields in each.section.of("fields"):
            setting = fields.get(kind, f"{kind}:default")
            if setting is not None and setting.value:
                yield setting.value
    setting = root.get(f"mail_{kind}")
    if setting is not None and setting.value:
        yield setting.value


def _of_lines(kind: str, credentials: Text) -> Iterable[str]:
    chars = _MASK.sub("*", credentials.chars)
    lines = (line.split(":") for line in chars.splitlines() if line.strip() and not line.startswith("#"))
    return dict.fromkeys(fields[_COLUMN[kind]] for fields in lines if len(fields) > _COLUMN[kind] and fields[_COLUMN[kind]])


def _number(kind: str, written: str, accounts: Accounts | None) -> int | None:
    if written.isascii() and written.isdigit():
        return int(written) if len(written) < 11 else None
    if accounts is None:
        return None
    user = accounts.user(written)
    if kind == "uid":
        return user.uid if user else None
    group = accounts.group(written)
    return group.gid if group else user.gid if user and written == VMAIL else None


def refused_ranges(root: Section, family: str) -> Iterator[Problem]:
    """The ranges of ids that are empty, for all connections or for those of a filter; 0 for the last one is no limit."""
    for scope in (root, *(section for section in root.sections if section.type in FILTERS)):
        for kind in ("uid", "gid"):
            names = f"first_valid_{kind}", f"last_valid_{kind}"
            here = [scope.settings.get(name) for name in names]
            first, last = (_id(each or root.settings.get(name), name, family) for each, name in zip(here, names, strict=True))
            at = next((each for each in here if each is not None), None)
            if at is not None and first is not None and last and first > last:
                yield Problem(f"{names[0]} is {first}, which is larger than {names[1]}, {last}", at.span)


def _id(setting: Setting | None, name: str, family: str) -> int | None:
    value = catalogue(family).default(name) if setting is None else setting.value
    return decimal(value)
