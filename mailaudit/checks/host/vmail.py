"""Rules about the account that owns the mail, and about its home."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from mailaudit.checks.host.users import GROUPS, MASTER, NO_LOGIN, knows_groups
from mailaudit.checks.lacking import whether_there
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.accounts import Accounts, User
from mailaudit.models.files import Files, Unsure
from mailaudit.models.mail_owner import HOME, VMAIL_ID, MailOwner
from mailaudit.models.passwords import EMPTY
from mailaudit.models.sources import Missing
from mailaudit.questions import Failed, Reason, Stat
from mailaudit.text import Span

CREATE = f'useradd -c "Virtual Mail User" -d {HOME} -s /sbin/nologin -u {VMAIL_ID} -g =uid -L staff vmail'


@rule("HOST050")
def vmail_is_there(accounts: Accounts | Missing, owner: MailOwner) -> Iterator[Outcome]:
    """The account that owns the mail exists."""
    if isinstance(accounts, Missing):
        yield Finding(f"There is no {accounts.path}.", (Place.whole(accounts.path),), None, "missing")
        return
    if accounts.user(owner.name) is not None:
        return
    refused = [problem for problem in accounts.refusals if is_of(problem.span, owner.name) and problem.span.path != GROUPS]
    if refused:
        message = f"The line of user {owner.name} is broken, so that nobody finds the user: {refused[0].message}."
        yield Finding(message, (Place.at(refused[0].span),), None, "vmail", "broken")
        return
    yield Finding(
        f"There is no user {owner.name}, who owns all mail: none can be delivered or read.",
        (Place.whole(accounts.trees[0].text),),
        Fix(f"Create {owner.name}", Safety.SAFE, commands=(CREATE,)),
        "vmail",
        absence=True,
    )


def is_of(span: Span, name: str) -> bool:
    """True if a place is in the line of an account."""
    start, end = span.text.line_span(span.start)
    return span.text.chars[start:end].startswith(f"{name}:")


@rule("HOST051")
def vmail_has_its_number(accounts: Accounts, owner: MailOwner) -> Iterator[Outcome]:
    """The user that owns the mail has the number that the credentials say, and a group of its own."""
    user = accounts.user(owner.name)
    if user is None:
        yield _no_user(owner)
        return
    if owner.lacking is not None:
        yield Doubt(owner.lacking.reason, f"Which number the mail belongs to is not known: {owner.lacking.detail}.")
    elif user.uid not in (number for number, _ in owner.numbers):
        number, span = min(owner.numbers, key=lambda each: each[0])
        yield Finding(
            f"User {owner.name} has the number {user.uid}, and the mail belongs to {number}.",
            (Place.at(user.name.span), *([Place.at(span, "as it is here")] if span is not None else [])),
            Fix(f"Renumber {owner.name}, and give it what it owned", Safety.UNSAFE, commands=_renumber(owner, number)),
            f"uid of {owner.name}",
            str(user.uid),
        )
    yield from _group(accounts, user)


def _group(accounts: Accounts, user: User) -> Iterator[Outcome]:
    """A finding if a user's group is not its own."""
    name = user.name.value
    group = accounts.group_by_id(user.gid)
    if group is None and not knows_groups(accounts):
        yield Doubt(Reason.NOT_RECORDED, f"Whether {name} has a group of its own is not known: {GROUPS} was not read.")
    elif group is None:
        message = f"The group of {name}, {user.gid}, does not exist."
        yield Finding(message, (Place.at(user.name.span),), None, f"gid of {name}", str(user.gid))
    elif group.name.value != name or user.gid != user.uid:
        yield Finding(
            f"User {name} has the group {group.name.value} ({user.gid}) in place of one of its own with its own number.",
            (Place.at(user.name.span), Place.at(group.name.span, "this group")),
            Fix(f"Give {name} its own group", Safety.UNSAFE, commands=_regroup(user)),
            f"gid of {name}",
            str(user.gid),
        )


def _no_user(owner: MailOwner) -> Exempt:
    return Exempt(f"there is no user {owner.name}")


def _renumber(owner: MailOwner, number: int) -> tuple[str, ...]:
    name = owner.name
    return (
        f"groupmod -g {number} {quote(name)}",
        f"usermod -u {number} -g {number} {quote(name)}",
        f"chown -R {quote(name)}:{quote(name)} {quote(owner.home)}",
    )


def _regroup(user: User) -> tuple[str, ...]:
    name, number = user.name.value, user.uid
    return (
        f"groupadd -g {number} {quote(name)}",
        f"usermod -g {number} {quote(name)}",
        f"chown -R {quote(name)}:{quote(name)} {quote(user.home.value)}",
    )


@rule("HOST052")
def vmail_cannot_log_in(accounts: Accounts, owner: MailOwner, files: Files) -> Iterator[Outcome]:
    """The user that owns the mail has no shell, no password and no keys."""
    user = accounts.user(owner.name)
    if user is None:
        yield _no_user(owner)
        return
    name, place = user.name.value, (Place.at(user.name.span),)
    if user.shell.value not in NO_LOGIN:
        fix = Fix("Take the shell away", Safety.SAFE, commands=(f"usermod -s /sbin/nologin {quote(name)}",))
        shell = user.shell.value or "/bin/sh"
        yield Finding(
            f"User {name}, who owns everybody's mail, has the shell {shell}.", (Place.at(user.shell.span),), fix, "shell", shell
        )
    if user.secret is None:
        yield Doubt(Reason.NOT_RECORDED, f"Whether {name} has a password is not known: {MASTER} was not read.")
    elif user.secret.has_password or user.secret.password.scheme == EMPTY:
        fix = Fix("Lock the password", Safety.SAFE, commands=(f"usermod -p '*************' {quote(name)}",))
        what = "no password that anyone would have to know" if user.secret.password.scheme == EMPTY else "a password"
        yield Finding(f"User {name}, who owns everybody's mail, has {what}.", (Place.at(user.secret.name.span),), fix, "password")
    keys = f"{user.home.value.rstrip('/')}/.ssh"
    found = files.stat(keys)
    if isinstance(found, Stat):
        fix = Fix("Look at what is in there, then move it away", Safety.MANUAL, commands=(f"mv {quote(keys)} /root/vmail.ssh",))
        yield Finding(
            f"{keys} may hold keys that let someone in as {name}.", (Evidence(f"stat {keys}", found.type), *place), fix, "keys"
        )
    elif isinstance(found, Unsure):
        yield whether_there(keys, found)


@rule("HOST053")
def vmail_has_its_home_and_class(accounts: Accounts, owner: MailOwner) -> Iterator[Outcome]:
    """The home of the user that owns the mail is where the mail is, and its login class is staff."""
    user = accounts.user(owner.name)
    if user is None:
        yield _no_user(owner)
        return
    name, home = user.name.value, user.home.value.rstrip("/")
    if home != "/var/vmail":
        fix = Fix("Write the home", Safety.SAFE, commands=(f"usermod -d /var/vmail {quote(name)}",))
        yield Finding(f"The home of {name} is {home or '/'}, not /var/vmail.", (Place.at(user.home.span),), fix, "home", home)
    if user.secret is None:
        yield Doubt(Reason.NOT_RECORDED, f"The login class of {name} is not known: {MASTER} was not read.")
    elif user.secret.login_class.value != "staff":
        found = user.secret.login_class.value or "default"
        fix = Fix("Write the class", Safety.SAFE, commands=(f"usermod -L staff {quote(name)}",))
        place = Place.at(user.secret.name.span)
        yield Finding(
            f"The login class of {name} is {found}, whose limits are tighter than those of staff.", (place,), fix, "class", found
        )


@rule("HOST054")
def mail_has_its_directory(files: Files, owner: MailOwner) -> Iterator[Outcome]:
    """The directory of all mail is there, no link, and belongs to the user that owns the mail."""
    name, home = owner.name, owner.home
    stat = files.found.get(home)
    if isinstance(stat, Failed) or stat is None:
        yield Doubt(stat.reason if stat else Reason.NOT_RECORDED, f"Owner and mode of {home} were not recorded.")
    elif not isinstance(stat, Stat):
        fix = Fix("Make it", Safety.SAFE, commands=(f"install -d -o {quote(name)} -g {quote(name)} -m 0700 {quote(home)}",))
        yield Finding(f"There is no {home}: no mail can be delivered.", (Evidence(f"stat {home}", "not there"),), fix, "missing")
    elif stat.type != "directory":
        yield Finding(f"{home} is a {stat.type}, no directory.", (Evidence(f"stat {home}", stat.type),), None, "type", stat.type)
    elif stat.owner is None or stat.group is None:
        yield Doubt(Reason.NOT_RECORDED, f"The owner of {home} was not recorded.")
    elif (stat.owner, stat.group) != (name, name):
        fix = Fix("Give it to its owner", Safety.SAFE, commands=(f"chown {quote(name)}:{quote(name)} {quote(home)}",))
        here = Evidence(f"stat {home}", f"{stat.owner}:{stat.group}")
        yield Finding(
            f"{home} belongs to {stat.owner}:{stat.group}: {name} may not be able to make mailboxes in it.",
            (here,),
            fix,
            "owner",
            stat.owner,
        )


@rule("HOST055")
def mail_is_for_its_owner(files: Files, owner: MailOwner) -> Iterator[Outcome]:
    """Others have no way into the directory of all mail."""
    home = owner.home
    stat = files.stat(home)
    if isinstance(stat, Stat) and stat.mode is not None:
        if stat.mode & 0o007:
            yield Finding(
                f"Every account on this host can look into {home} and see whose mail is there.",
                (Evidence(f"stat {home}", f"{stat.mode:04o} {stat.owner}:{stat.group}"),),
                Fix("Close it to others", Safety.SAFE, commands=(f"chmod 0700 {quote(home)}",)),
                "mode",
                f"{stat.mode & 7:o}",
            )
    elif isinstance(stat, Stat | Unsure):
        yield Doubt(Reason.NOT_RECORDED, f"The mode of {home} was not recorded.")
    else:
        yield Exempt(f"there is no {home}")


@rule("HOST056")
def mail_is_not_forwarded(files: Files, owner: MailOwner) -> Iterator[Outcome]:
    """The user that owns the mail has no .forward."""
    name, home = owner.name, owner.home
    path = f"{home}/.forward"
    stat = files.stat(path)
    if isinstance(stat, Stat):
        yield Finding(
            f"smtpd heeds {path} for every mailbox that {name} owns: all mail goes where it says.",
            (Evidence(f"stat {path}", stat.type),),
            Fix("Move it away", Safety.UNSAFE, commands=(f"mv {quote(path)} /root/vmail.forward",)),
            "forward",
        )
    elif isinstance(stat, Unsure):
        yield whether_there(path, stat)
