"""Rules about the people who work on the host."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.accounts import Accounts, User
from mailaudit.models.clock import moment
from mailaudit.models.files import Files
from mailaudit.models.mail_owner import VMAIL
from mailaudit.models.passwords import BCRYPT, EMPTY, LOCKED, PLAIN
from mailaudit.models.shells import Shells
from mailaudit.questions import Reason, Stat

HUMANS = range(1000, 32767)
NO_LOGIN = frozenset({"/sbin/nologin", "/usr/sbin/nologin", "/usr/bin/false", "/bin/false"})
MASTER, GROUPS = "/etc/master.passwd", "/etc/group"


def humans(accounts: Accounts, shells: Shells) -> tuple[User, ...]:
    """The people: accounts of their own number range that may log in."""
    return tuple(
        user
        for user in accounts.users
        if user.uid in HUMANS
        and user.name.value != VMAIL
        and user.shell.value not in NO_LOGIN
        and (user.shell.value or "/bin/sh") in shells.paths
    )


def in_wheel(accounts: Accounts, user: User) -> bool:
    """True if an account is in group wheel, by the group's list or as its own."""
    wheel = accounts.group("wheel")
    return user.gid == 0 or (wheel is not None and user.name.value in wheel.members)


def knows_groups(accounts: Accounts) -> bool:
    """True if /etc/group was read."""
    return any(tree.language == "group" for tree in accounts.trees)


@rule("HOST010")
def root_has_a_password_of_its_own(accounts: Accounts, files: Files) -> Iterator[Outcome]:
    """Root's password is a hash of today's kind, and the file that holds it is younger than the system."""
    root = accounts.user("root")
    if root is None or root.secret is None:
        yield Doubt(Reason.NOT_RECORDED, "Nothing is known of root's password: master.passwd was not read.")
        return
    scheme = root.secret.password.scheme
    if scheme == EMPTY:
        yield Finding(
            "Root has no password at all.",
            (Place.at(root.secret.name.span),),
            Fix("Set one", Safety.MANUAL, commands=("passwd",)),
            "password of root",
            scheme,
        )
    elif scheme in (LOCKED, PLAIN):
        return
    elif scheme != BCRYPT:
        yield Doubt(Reason.NOT_RECORDED, f"Root's password is a hash of another kind ({scheme}), of which nothing more is known.")
    else:
        changed, installed = (_mtime(files, path) for path in (MASTER, "/etc/myname"))
        if changed is None or installed is None or changed <= installed:
            yield Doubt(
                Reason.NOT_RECORDED, "Nothing recorded shows that root's password was changed since the system was installed."
            )


def _mtime(files: Files, path: str) -> float | None:
    stat = files.stat(path)
    time = moment(stat.mtime) if isinstance(stat, Stat) and stat.mtime else None
    return None if time is None else time.timestamp()


@rule("HOST011")
def somebody_is_not_root(accounts: Accounts, shells: Shells) -> Iterator[Outcome]:
    """A person has an account."""
    if not humans(accounts, shells):
        yield Finding(
            "Nobody but root can log in: all work on this host is done as root.",
            (Place.whole(accounts.trees[0].text),),
            Fix("Make an account for each person", Safety.MANUAL, commands=("useradd -m -G wheel NAME", "passwd NAME")),
            "people",
            absence=True,
        )


@rule("HOST012")
def somebody_is_in_wheel(accounts: Accounts, shells: Shells) -> Iterator[Outcome]:
    """One of the people is in wheel."""
    people = humans(accounts, shells)
    if not people:
        yield Exempt("no person has an account here")
    elif any(in_wheel(accounts, user) for user in people):
        return
    elif not knows_groups(accounts):
        yield Doubt(Reason.NOT_RECORDED, "Who is in group wheel is not known: /etc/group was not read.")
    else:
        wheel = accounts.group("wheel")
        names = ", ".join(user.name.value for user in people)
        place = Place.at(wheel.name.span) if wheel is not None else Place.whole(GROUPS)
        commands = (
            tuple(f"usermod -G wheel {quote(user.name.value)}" for user in people[:1])
            if len(people) == 1
            else ("usermod -G wheel NAME",)
        )
        safety = Safety.SAFE if len(people) == 1 else Safety.MANUAL
        yield Finding(
            f"None of the people with an account ({names}) is in group wheel, so that none can become root.",
            (place,),
            Fix("Put the one who runs the host in wheel", safety, commands=commands),
            "wheel",
            absence=True,
        )
