"""The host's users and groups: passwd(5), group(5), and master.passwd(5) as far as it is told: never a hash."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mailaudit.models.passwords import EMPTY, LOCKED, PLAIN, Password, is_masked, password_of
from mailaudit.models.sources import Known, Missing, Model, Slot, Sources, refused_statements
from mailaudit.parsers.tree import Problem, Token, Tree
from mailaudit.text import Span, decimal

USERS = "/etc/passwd"
GROUPS = "/etc/group"
MASTER = "/etc/master.passwd"
SHORT = 8  # no hash is as short: it is a mark such as `x` or `*LK*`, which must not blot out half a report


@dataclass(frozen=True, slots=True, eq=False)
class Secret:
    """What master.passwd adds to a user: the password's kind, the login class, when password and account end.

    `change` and `expire` are seconds since 1970, 0 for never, None where they are no number. An empty class means `default`.
    """

    name: Token
    password: Password
    login_class: Token
    change: int | None
    expire: int | None

    @property
    def has_password(self) -> bool:
        """True if a password lets the user in: there is one, and it can match."""
        return self.password.scheme not in (EMPTY, LOCKED, PLAIN)


@dataclass(frozen=True, slots=True, eq=False)
class User:
    """One account. `secret` is what master.passwd says of it, None where that is not told."""

    name: Token
    uid: int
    gid: int
    home: Token
    shell: Token
    secret: Secret | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One group; members named here, not those whose primary group it is."""

    name: Token
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Accounts(Model):
    """All users and groups; of two lines with one name the first counts, as getpwnam(3) has it.

    `has_master` tells whether master.passwd was read; where passwd is not there, its users are those of master.passwd.
    """

    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    has_master: bool = False

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
    """The host's accounts. Without /etc/group there are no groups, without /etc/master.passwd no login classes."""
    slot = sources.slot(USERS, sources.tree(USERS, "passwd"), (USERS,))
    master = sources.tree(MASTER, "master.passwd")
    if not isinstance(slot, Known) and not (isinstance(slot, Missing) and isinstance(master, Tree)):
        return slot
    groups = sources.tree(GROUPS, "group")
    trees = tuple(tree for tree in (slot.value if isinstance(slot, Known) else None, master, groups) if isinstance(tree, Tree))
    refusals = list(refused_statements(trees))
    secrets = {fields[0].value: _secret(fields) for fields in reversed(_rows(master))}
    users = [_user(fields, MASTER if fields[0].text.path == MASTER else USERS, secrets, refusals) for fields in _rows(trees[0])]
    if isinstance(slot, Known):
        for fields in _rows(master):
            _numbers(fields[2:4], ("uid", "gid"), refusals)
    found = [_group(fields, refusals) for fields in _rows(groups)]
    return Known(
        Accounts(
            trees=trees,
            refusals=tuple(refusals),
            secrets=tuple(_hashes(trees)),
            users=tuple(user for user in users if user is not None),
            groups=tuple(group for group in found if group is not None),
            has_master=isinstance(master, Tree),
        )
    )


def _rows(tree: Tree | object) -> list[list[Token]]:
    """The fields of all well-formed lines but those that stand for others, from YP."""
    statements = tree.statements if isinstance(tree, Tree) else ()
    rows = [statement.node.leaves() for statement in statements if statement.problem is None]
    return [fields for fields in rows if fields[0].value[:1] not in ("+", "-")]


def _user(fields: list[Token], path: str, secrets: Mapping[str, Secret], refusals: list[Problem]) -> User | None:
    uid, gid = _numbers(fields[2:4], ("uid", "gid"), refusals)
    if uid is None or gid is None:
        return None
    home, shell = fields[8:] if path == MASTER else fields[5:]
    return User(fields[0], uid, gid, home, shell, secrets.get(fields[0].value))


def _secret(fields: list[Token]) -> Secret:
    change, expire = (decimal(field.value) if field.value else 0 for field in fields[5:7])
    return Secret(fields[0], password_of(fields[1].value), fields[4], change, expire)


def _group(fields: list[Token], refusals: list[Problem]) -> Group | None:
    (gid,) = _numbers(fields[2:3], ("gid",), refusals)
    members = tuple(name for name in fields[3].value.split(",") if name)
    return None if gid is None else Group(fields[0], gid, members)


def _numbers(fields: list[Token], names: tuple[str, ...], refusals: list[Problem]) -> list[int | None]:
    """The ids that fields hold. One that is none is refused: getpwnam(3) and getgrnam(3) do not find the line."""
    found: list[int | None] = []
    for name, field in zip(names, fields, strict=True):
        found.append(decimal(field.value))
        if found[-1] is None:
            span = field.span if field.value else Span(field.text, field.start - 1, field.start)
            refusals.append(Problem(f'expected a number as the {name}, found "{field.value}"', span))
    return found


def _hashes(trees: Iterable[Tree]) -> Iterator[tuple[str, str]]:
    """The passwords, so that no report shows them, though a snapshot should not hold any."""
    for tree in trees:
        for statement in tree.statements:
            fields = [token.value for token in statement.tokens if token.kind == "field"]
            for value in dict.fromkeys(fields[1:2] + [field for field in fields if "$" in field]):
                password = password_of(value)
                if password.length > SHORT and password.scheme != LOCKED and not is_masked(value):
                    yield password.kind, value
