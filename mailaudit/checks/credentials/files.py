"""Rules about the file of credentials: it is there, both daemons read it, no service writes it, no copy of it is open."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from mailaudit.checks.lacking import unread
from mailaudit.checks.modes import looked
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.credentials import COPIES, Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.files import Access, Denied, Files, Unsure, Way
from mailaudit.models.secret_files import SMTPD_USER, auth_user
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Reason, Stat

OTHERS_READ = 0o004
ROOT = ("root", "0")


@rule("CRED001")
def file_is_there(
    credentials: Credentials | Missing, smtpd: SmtpdConfig | Missing | NotHere | Lacking, files: Files
) -> Iterator[Outcome]:
    """The file is there, on a host that takes mail."""
    yield from unread(smtpd)
    if isinstance(credentials, Credentials):
        return
    if isinstance(smtpd, SmtpdConfig) and smtpd.only_sends:
        yield Exempt("this host takes no mail from others")
        return
    path = credentials.path
    if not files.of_host:
        yield Doubt(Reason.NOT_RECORDED, f"Whether {path} is on the host is not known: no repository should hold it.")
        return
    yield Finding(
        f"There is no {path}: smtpd dies when it starts, and nobody can log in.",
        (Place.whole(path),),
        Fix("Make the file, closed from its first moment", Safety.SAFE, commands=(_install(path),)),
        "missing",
    )


def _install(path: str) -> str:
    return f"install -o _smtpd -g _dovecot -m 0440 /dev/null {shlex.quote(path)}"


@rule("CRED003")
def both_daemons_read_it(
    credentials: Credentials, files: Files, dovecot: DovecotConfig | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """The table-passwd of smtpd and Dovecot's auth process may read the file."""
    yield from unread(dovecot)
    path = credentials.path
    effects = {SMTPD_USER: "table-passwd cannot read it and takes smtpd down when it starts"}
    config = dovecot if isinstance(dovecot, DovecotConfig) else None
    effects.setdefault(auth_user(config), "Dovecot cannot look anybody up, so nobody can read mail")
    for user, effect in effects.items():
        verdict = files.may(user, path, Access.READ)
        if isinstance(verdict, Unsure):
            yield Doubt(verdict.reason, verdict.detail or f"Whether {user} may read {path} is not known.")
        elif isinstance(verdict, Denied):
            way = files.way(path)
            is_file = isinstance(way, Way) and way.path == verdict.path
            what = path if is_file else f"{path}, for {verdict.path} is closed to it"
            yield Finding(
                f"{user} may not read {what}: {effect}.",
                (Evidence.stat(verdict.path, verdict.stat), Place.whole(credentials.tree.text)),
                Fix("Give the file to both daemons", Safety.SAFE, commands=_opened(path)) if is_file else _way(verdict.path),
                f"read by {user}",
                f"{verdict.stat.mode:04o}" if verdict.stat.mode is not None else "",
            )


def _way(directory: str) -> Fix:
    return Fix("Let everybody through, as it comes", Safety.UNSAFE, commands=(f"chmod o+x {shlex.quote(directory)}",))


def _opened(path: str) -> tuple[str, ...]:
    quoted = shlex.quote(path)
    return (f"chown _smtpd:_dovecot {quoted}", f"chmod 0440 {quoted}")


@rule("CRED004")
def no_service_writes_it(credentials: Credentials, files: Files) -> Iterator[Outcome]:
    """Nobody but root may write the file."""
    path = credentials.path
    stat = looked(files, path)
    if isinstance(stat, Doubt):
        yield stat
        return
    if stat is None or stat.mode is None:
        return
    excess = stat.mode & (0o022 if stat.owner in ROOT else 0o222)
    if excess:
        who = f"user {stat.owner}" if excess & 0o200 else f"group {stat.group}" if excess & 0o020 else "every account"
        command = f"chmod {stat.mode & ~excess:04o} {shlex.quote(path)}"
        yield Finding(
            f"Not only root may write {path}, but {who} too: a broken service could give itself a mailbox and a login.",
            (Evidence.stat(path, stat), Place.whole(credentials.tree.text)),
            Fix("Let nobody but root write it", Safety.SAFE, commands=(command,)),
            "write",
            f"{excess:o}",
        )


@rule("CRED015")
def no_open_copies(credentials: Credentials, files: Files) -> Iterator[Outcome]:
    """No copy that an editor or a person left is open to everyone."""
    for suffix in COPIES:
        copy = credentials.path + suffix
        stat = looked(files, copy)
        if isinstance(stat, Doubt):
            yield stat
        elif isinstance(stat, Stat) and (stat.mode or 0) & OTHERS_READ:
            yield Finding(
                f"{copy} is a copy of the password hashes that every account on this host can read.",
                (Evidence.stat(copy, stat), Evidence("copy of", credentials.path)),
                Fix("Remove the copy", Safety.SAFE, commands=(f"rm {shlex.quote(copy)}",)),
                f"copy {suffix}",
                f"{(stat.mode or 0) & 0o007:o}",
            )
