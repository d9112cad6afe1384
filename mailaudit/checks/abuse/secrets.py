"""Rules about who reads secrets: the daemon that needs one, root, and nobody else."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TypeGuard

from mailaudit.checks.dkim.keys import other_reader
from mailaudit.checks.lacking import unread
from mailaudit.checks.modes import looked, open_to_all
from mailaudit.checks.registry import rule
from mailaudit.checks.tls.files import MOST_OF_A_KEY
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.accounts import MASTER, Accounts
from mailaudit.models.credentials import COPIES, Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.files import Access, Allowed, Denied, Files, Unsure
from mailaudit.models.secret_files import SMTPD_USER, SecretFile, SecretFiles
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.parsers.tree import Token
from mailaudit.questions import Reason, Stat
from mailaudit.text import Span

OTHERS = 0o007
ADMINISTRATORS = ("wheel", "root")  # groups whose members may become root
MOST_NAMES = 3

Config = DovecotConfig | Missing | NotHere | Lacking


@rule("CROSS061")
def secrets_have_their_readers_alone(
    secrets: SecretFiles,
    accounts: Accounts | Missing | NotHere | Lacking,
    smtpd: SmtpdConfig | Missing | NotHere | Lacking,
    files: Files,
) -> Iterator[Outcome]:
    """No account can read a secret but root and those that have to; smtpd can read its tables anew."""
    yield from unread(*secrets.lacking, accounts)
    known = accounts if isinstance(accounts, Accounts) else None
    if known is not None and not known.groups:
        yield Doubt(Reason.NOT_RECORDED, "Who is in which group was not recorded.")
    if not secrets.configurations and len(secrets.files) < 2:  # the directory of all mail is always there
        yield Exempt("the files at hand name no secret")
    outcomes = [list(_readers(each, known, files)) for each in secrets.files]
    exempt = [each for found in outcomes for each in found if isinstance(each, Exempt)]
    yield from exempt if len(exempt) == len(outcomes) else ()
    yield from (each for found in outcomes for each in found if not isinstance(each, Exempt))
    if isinstance(smtpd, SmtpdConfig):
        yield from _tables(smtpd, files)


def _is_told(secret: SecretFile, stat: Stat, files: Files) -> str:
    """The rule that tells what is wrong with the mode of this very file, empty if none does."""
    mode = stat.mode or 0
    match secret.kind:
        case "key":
            return "TLS007" if stat.owner != "root" or mode & ~MOST_OF_A_KEY else ""
        case "signing key":
            return "DKIM004" if other_reader(files, secret.path, stat) is not None else ""
        case "hashes":
            return "CRED002" if mode & OTHERS else ""
        case "mail":
            return "HOST055" if mode & OTHERS else "HOST054" if (stat.owner, stat.group) != (secret.owner, secret.group) else ""
        case _:
            return "ABUSE013" if isinstance(open_to_all(files, secret.path), Stat) else ""


def _place(secret: SecretFile) -> Place:
    return Place.at(secret.at, "here") if isinstance(secret.at, Span) else Place.whole(secret.at)


def _readers(row: SecretFile, accounts: Accounts | None, files: Files) -> Iterator[Outcome]:
    stat = looked(files, row.path)
    if isinstance(stat, Doubt):
        yield Doubt(stat.reason, stat.message, (_place(row),))
        return
    if stat is None:
        yield Exempt(f"{row.path} is not there")
        return
    if told := _is_told(row, stat, files):
        yield Exempt(f"{told} tells of the mode of {row.path}")
        return
    if accounts is None:
        if (stat.mode or 0) & 0o040 and stat.group not in (*ADMINISTRATORS, *row.readers):
            yield Doubt(
                Reason.NOT_RECORDED, f"Who is in group {stat.group}, which can read {row.path}, was not recorded.", (_place(row),)
            )
        return
    names = [
        name for name in _others(accounts, frozenset(row.readers)) if isinstance(files.may(name, row.path, Access.READ), Allowed)
    ]
    if names:
        more = f" and {len(names) - MOST_NAMES} more accounts" if len(names) > MOST_NAMES else ""
        who = f"{', '.join(names[:MOST_NAMES])}{more}"
        message = f"{who} can read {row.path}; {row.what} is for {_rightful(row)} alone."
        yield Finding(
            message, (Evidence.stat(row.path, stat), _place(row)), _closed(row), f"readers of {row.path}", " ".join(names)
        )


def _rightful(row: SecretFile) -> str:
    *others, last = ["root", *sorted(row.readers)]
    return f"{', '.join(others)} and {last}" if others else last


def _others(accounts: Accounts, readers: frozenset[str]) -> list[str]:
    """All accounts but root, those that may become root, and those that are to read it."""
    trusted = {name for group in ADMINISTRATORS if (found := accounts.group(group)) is not None for name in found.members}
    trusted |= {user.name.value for user in accounts.users if user.gid == 0}
    numbers = {0} | {user.uid for name in readers if (user := accounts.user(name)) is not None}
    skipped = trusted | readers
    return [user.name.value for user in accounts.users if user.name.value not in skipped and user.uid not in numbers]


def _closed(row: SecretFile) -> Fix:
    quoted = shlex.quote(row.path)
    commands = (f"chown {row.owner}:{row.group} {quoted}", f"chmod {row.mode} {quoted}")
    return Fix("Give it to its readers alone", Safety.SAFE, commands=commands)


def _is_file(path: Token | None) -> TypeGuard[Token]:
    return path is not None and path.value.startswith("/")


def _tables(smtpd: SmtpdConfig, files: Files) -> Iterator[Outcome]:
    """Findings for tables that smtpd, which reads them anew as _smtpd, cannot read."""
    used = [
        table for action in smtpd.actions.values() for option, table in action.tables.items() if option in ("virtual", "alias")
    ]
    used += smtpd.sender_tables
    for table in {each.name: each for each in used}.values():
        path = table.path
        if path is None or table.backend not in ("file", "db"):
            continue
        verdict = files.may(SMTPD_USER, path, Access.READ)
        if isinstance(verdict, Unsure):
            yield Doubt(verdict.reason, verdict.detail or f"Whether {SMTPD_USER} may read {path} was not recorded.")
        elif isinstance(verdict, Denied):
            message = f"{SMTPD_USER} may not read {path}: smtpctl update table {table.name} fails, and the old entries go on."
            quoted = shlex.quote(path)
            opened = (f"chown root:wheel {quoted}", f"chmod 0644 {quoted}") if verdict.stat.type == "file" else ()
            fix = Fix("Open it to smtpd", Safety.SAFE, commands=opened) if opened else None
            yield Finding(
                message,
                (Evidence.stat(verdict.path, verdict.stat), Place.at(table.at.span, "named here")),
                fix,
                f"table {table.name}",
                "unreadable",
            )


@rule("ABUSE013")
def no_secret_lies_open(secrets: SecretFiles, files: Files) -> Iterator[Outcome]:
    """No configuration file that holds a secret can be read by everyone."""
    yield from unread(*secrets.lacking)
    if not secrets.configurations:
        yield Exempt("no configuration file at hand holds a secret")
    if secrets.configurations and all(looked(files, each.path) is None for each in secrets.configurations):
        yield Exempt("the files that would hold secrets are not there")
    for each in secrets.configurations:
        stat = open_to_all(files, each.path)
        if isinstance(stat, Doubt):
            yield Doubt(stat.reason, stat.message, (_place(each),))
        elif stat is not None:
            quoted = shlex.quote(each.path)
            commands = (f"chown {each.owner}:{each.group} {quoted}", f"chmod {each.mode} {quoted}")
            yield Finding(
                f"Every account of this host can read {each.path}, and {each.what} stands in it.",
                (Evidence.stat(each.path, stat), _place(each)),
                Fix("Close it to others", Safety.SAFE, commands=commands),
                f"mode of {each.path}",
                f"{stat.mode:04o}",
            )


@rule("ABUSE002")
def no_hashes_lie_open(
    smtpd: SmtpdConfig | Missing | NotHere | Lacking,
    dovecot: Config,
    credentials: Credentials | Missing | NotHere | Lacking,
    accounts: Accounts | Missing | NotHere | Lacking,
    files: Files,
) -> Iterator[Outcome]:
    """No file of password hashes besides the credentials, and no copy of one, can be read by everyone."""
    yield from unread(smtpd, dovecot, credentials, accounts)
    named: dict[str, Place] = {}
    if isinstance(dovecot, DovecotConfig):
        named |= {each.path.value: Place.at(each.path.span, "named here") for each in dovecot.passdbs if _is_file(each.path)}
    if isinstance(smtpd, SmtpdConfig):
        named |= {
            table.path: Place.at(table.at.span, "named here") for table in smtpd.credential_tables if table.path is not None
        }
    if isinstance(accounts, Accounts) and accounts.has_master:
        named[MASTER] = Place.whole(MASTER)
    for path in [path for path in named if "%" in path]:
        yield Doubt(Reason.NOT_RECORDED, f"Which files {path} stands for is not known.", (named.pop(path),))
    named.pop(credentials.path if isinstance(credentials, Credentials | Missing) else "", None)
    if not named:
        yield Exempt("there are no hashes but those in the credentials, of which CRED002 and CRED015 tell")
    if named and all(looked(files, path) is None for path in named):
        yield Exempt("the files that would hold hashes are not there")
    for path, place in named.items():
        for each in (path, *(path + suffix for suffix in COPIES if path != MASTER)):
            stat = open_to_all(files, each)
            if isinstance(stat, Doubt):
                yield Doubt(stat.reason, stat.message, (place,))
            elif isinstance(stat, Stat):
                what = "holds password hashes" if each == path else f"is a copy of the password hashes in {path}"
                quoted = shlex.quote(each)
                mode = "0600" if path == MASTER else f"{(stat.mode or 0) & 0o770:04o}"
                fix = Fix(
                    "Close it to others", Safety.SAFE, commands=(f"chmod {mode} {quoted}" if each == path else f"rm {quoted}",)
                )
                message = f"{each} {what}, and every account of this host can read it."
                yield Finding(message, (Evidence.stat(each, stat), place), fix, f"mode of {each}", f"{stat.mode:04o}")
