"""Rules about what lies below the directory of all mail: a maildir for each user, owned by who opens it, and nobody else's."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from posixpath import basename, dirname

from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.accounts import Accounts
from mailaudit.models.credentials import Entry
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.mail_owner import MailOwner
from mailaudit.models.maildirs import Maildirs
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.virtuals import Virtuals
from mailaudit.questions import Failed, Reason, Stat

OF_FILES = frozenset({"passwd-file", "static", "prefetch"})  # drivers by which the file of credentials says who there is


@rule("CROSS053")
def no_maildir_is_nobodys(
    maildirs: Maildirs, dovecot: DovecotConfig | Missing | NotHere | Lacking, virtuals: Virtuals | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """Each maildir below a domain's directory is a user's."""
    yield from unread(dovecot, virtuals)
    if isinstance(maildirs.found, Failed):
        yield Doubt(maildirs.found.reason, f"Which maildirs there are was not recorded ({maildirs.pattern}).")
        return
    elsewhere = _elsewhere(maildirs, dovecot) if isinstance(dovecot, DovecotConfig) else ""
    if elsewhere or not maildirs.by_domain:
        yield Exempt(f"Dovecot has users in {elsewhere} too" if elsewhere else "mail does not lie by domain and name")
        return
    delimiter = virtuals.delimiter if isinstance(virtuals, Virtuals) else "+"
    for path in maildirs.found:
        stat, name, domain = maildirs.stats[path], basename(path), basename(dirname(path))
        is_mail = isinstance(stat, Stat) and stat.type == "directory" and "." in domain[1:] and not domain.startswith(".")
        if not is_mail or name.startswith(".") or maildirs.of(path) is not None or _is_told(maildirs, name):
            continue
        user, tag, _ = name.partition(delimiter) if delimiter else (name, "", "")
        if tag and maildirs.of(f"{dirname(path)}/{user}") is not None:
            message = f"Mail to {name}@{domain} lies in {path}, where {user}@{domain} never sees it."
        else:
            message = f"{path} holds mail that nobody can open: the credentials have no {name}@{domain}."
        fix = Fix("Look whose it is, and move it to its owner or away", Safety.MANUAL, commands=(f"ls -la {shlex.quote(path)}",))
        yield Finding(
            message, (Evidence(f"ls {maildirs.pattern}", path),), fix, f"maildir {domain}/{name}", "tag" if tag else "orphan"
        )


def _elsewhere(maildirs: Maildirs, dovecot: DovecotConfig) -> str:
    """Where Dovecot looks users up besides the credentials, empty where it does not."""
    path = maildirs.trees[0].text.path
    for each in (*dovecot.passdbs, *dovecot.userdbs):
        if each.driver not in OF_FILES:
            return each.driver
        if each.path is not None and each.path.value != path and not each.denies:
            return each.path.value
    return ""


def _is_told(maildirs: Maildirs, name: str) -> bool:
    """True if a line that is broken speaks of the name: CRED005 tells of it."""
    return any(name in problem.span.chars for problem in maildirs.refusals)


@rule("CROSS060")
def maildirs_are_their_openers(
    maildirs: Maildirs, accounts: Accounts | Missing | NotHere | Lacking, owner: MailOwner
) -> Iterator[Outcome]:
    """Each user's maildir belongs to the account that the user's line names."""
    yield from unread(accounts)
    known = accounts if isinstance(accounts, Accounts) else None
    if not maildirs.entries:
        yield Exempt("the credentials have no user")
    for entry in maildirs.entries:
        if not maildirs.places[entry.address]:
            message = f"Where the mail of {entry.name.value} lies was not recorded."
            yield Doubt(Reason.NOT_RECORDED, message, (Place.at(entry.name.span),))
        for path in maildirs.places[entry.address]:
            stat = maildirs.stats[path]
            if isinstance(stat, Failed):
                yield Doubt(stat.reason, f"Whom {path} belongs to was not recorded.", (Place.at(entry.name.span),))
            elif isinstance(stat, Stat):
                yield from _owned(path, stat, entry, known, owner)


def _owned(path: str, stat: Stat, entry: Entry, known: Accounts | None, owner: MailOwner) -> Iterator[Outcome]:
    wanted = entry.owner or entry.uid.value or owner.name
    same = None if stat.owner is None else stat.owner == wanted or _numbers(known, stat.owner, wanted)
    if same is None:
        yield Doubt(Reason.NOT_RECORDED, f"Whether {path} belongs to {wanted} was not recorded.", (Place.at(entry.name.span),))
    elif not same:
        group = owner.name if wanted == owner.name else ""
        fix = Fix(
            "Give it to its owner",
            Safety.UNSAFE,
            commands=(f"chown -R {wanted}{f':{group}' if group else ''} {shlex.quote(path)}",),
        )
        message = f"The mail of {entry.name.value} is opened as {wanted}, and {path} belongs to {stat.owner}."
        yield Finding(
            message,
            (Evidence.stat(path, stat), Place.at(entry.uid.span, "as here")),
            fix,
            f"owner of {entry.address}",
            stat.owner or "",
        )


def _numbers(known: Accounts | None, one: str, other: str) -> bool | None:
    """Whether two names or numbers are one account's; None where that cannot be told."""
    if one.isdigit() == other.isdigit():
        return False
    if known is None:
        return None
    name, number = (other, one) if one.isdigit() else (one, other)
    user = known.user(name)
    return user is not None and str(user.uid) == number
