"""The host's users and groups: passwd(5) and group(5)."""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit.models.sources import Known, Model, Slot, Sources, refused_statements
from mailaudit.parsers.tree import Token, Tree

USERS = "/etc/passwd"
GROUPS = "/etc/group"


@dataclass(frozen=True, slots=True, eq=False)
class User:
    """One account."""

    name: Token
    uid: int
    gid: int
    home: Token
    shell: Token


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One group; members named here, not those whose primary group it is."""

    name: Token
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Accounts(Model):
    """All users and groups; of two lines with one name the first counts, as getpwnam(3) has it."""

    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()

    def user(self, name: str) -> User | None:
        """The user of a name."""
        return next((user for user in self.users if user.name.value == name), None)

    def user_by_id(self, uid: int) -> User | None:
        """The first user of an id."""
        return next((user for user in self.users if user.uid == uid), None)

    def group(self, name: str) -> Group | None:
        """The group of a name."""
        return next((group for group in self.groups if group.name.value == name), None)

    def group_by_id(self, gid: int) -> Group | None:
        """The first group of an id."""
        return next((group for group in self.groups if group.gid == gid), None)


def read_accounts(sources: Sources) -> Slot[Accounts]:
    """The host's accounts. Without /etc/group there are no groups."""
    slot = sources.slot(USERS, sources.tree(USERS, "passwd"), (USERS,))
    if not isinstance(slot, Known):
        return slot
    groups = sources.tree(GROUPS, "group")
    trees = (slot.value, groups) if isinstance(groups, Tree) else (slot.value,)
    return Known(
        Accounts(
            trees=trees,
            refusals=refused_statements(trees),
            users=tuple(user for fields in _rows(slot.value) if (user := _user(fields)) is not None),
            groups=tuple(
                group for fields in (_rows(groups) if isinstance(groups, Tree) else ()) if (group := _group(fields)) is not None
            ),
        )
    )


def _rows(tree: Tree) -> list[list[Token]]:
    return [statement.node.leaves() for statement in tree.statements if statement.problem is None]


def _user(fields: list[Token]) -> User | None:
    uid, gid = _number(fields[2]), _number(fields[3])
    return None if uid is None or gid is None else User(fields[0], uid, gid, fields[5], fields[6])


def _group(fields: list[Token]) -> Group | None:
    gid = _number(fields[2])
    members = tuple(name for name in fields[3].value.split(",") if name)
    return None if gid is None else Group(fields[0], gid, members)


def _number(token: Token) -> int | None:
    value = token.value
    return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
