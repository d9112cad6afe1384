"""Rules about smtpd at work: the directories of its queue, the mail that waits there, and the tables that it keeps in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from shlex import quote

from mailaudit.checks.modes import looked
from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome
from mailaudit.models.behind import Behind
from mailaudit.models.clock import Clock, moment
from mailaudit.models.files import Files, Gone
from mailaudit.models.processes import Processes, is_younger
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.queue import Queue
from mailaudit.models.system import TYPED
from mailaudit.questions import Command, Reason, Stat

SPOOL = "/var/spool/smtpd"
OLD = timedelta(hours=4)  # when smtpd itself tells the sender that mail is late
MANY_OLD, MANY = 5, 200
KEPT = ("file", "passwd")  # kinds of tables that are read at the start and kept
_ROOT = re.compile(r"root|0")
_QUEUE_USER = re.compile(r"_?(?:open)?smtpq")


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory below the spool, and how smtpd wants it; `must` is False for those that it does not check itself."""

    name: str
    mode: int
    owner: str
    group: str | None = None
    must: bool = True


DIRECTORIES = (
    Directory("", 0o711, "root"),
    Directory("/offline", 0o770, "root", "_smtpq"),
    Directory("/queue", 0o700, "_smtpq"),
    Directory("/purge", 0o700, "_smtpq"),
    Directory("/incoming", 0o700, "_smtpq", must=False),
    Directory("/temporary", 0o700, "_smtpq", must=False),
)


@rule("SMTPD053")
def queue_directories_are_closed(_smtpd: SmtpdConfig, files: Files) -> Iterator[Outcome]:
    """The directories of the queue have the owners and modes that smtpd made them with."""
    for directory in DIRECTORIES:
        path = f"{SPOOL}{directory.name}"
        stat = looked(files, path)
        if isinstance(stat, Doubt):
            yield stat
        elif stat is not None and not _is_as_made(directory, stat):
            group = directory.group or "wheel"
            what = "smtpd does not start" if directory.must else "others may read or take mail from it"
            yield Finding(
                f"{path} is not {directory.mode:04o} {directory.owner}:{group}: {what}.",
                (Evidence.stat(path, stat),),
                Fix(
                    "Give it back its owner and mode",
                    Safety.SAFE,
                    commands=(f"chown {directory.owner}:{group} {quote(path)}", f"chmod {directory.mode:04o} {quote(path)}"),
                ),
                f"mode {directory.name or 'spool'}",
                f"{stat.mode or 0:04o} {stat.owner}:{stat.group}",
            )


def _is_as_made(directory: Directory, stat: Stat) -> bool:
    if not directory.must and stat.mode is not None and not stat.mode & 0o077:
        return True
    wanted = _ROOT if directory.owner == "root" else _QUEUE_USER
    group = directory.group is None or stat.group is None or _QUEUE_USER.fullmatch(stat.group) is not None
    return stat.mode == directory.mode and wanted.fullmatch(stat.owner or "") is not None and group


@rule("SMTPD054")
def queue_is_short(queue: Queue, clock: Clock) -> Iterator[Outcome]:
    """Few messages wait, and none of them long."""
    old = [each for each in queue.envelopes if clock.now - each.since > OLD]
    here = [each for each in old if each.agent == "mda"]
    fix = Fix("See what smtpd says of them", Safety.MANUAL, commands=("smtpctl show queue", "smtpctl show hosts"))
    oldest = min((each.since for each in old), default=None)
    said = f"{len(queue.envelopes)} wait, {len(old)} for more than four hours" + (
        f", the oldest since {oldest:%Y-%m-%d %H:%M}" if oldest is not None else ""
    )
    place = (Evidence(TYPED[Command.SMTPCTL_QUEUE], said),)
    if here:
        some = "Messages wait" if len(here) > 1 else "A message waits"
        yield Finding(f"{some} for delivery on this host for more than four hours.", place, fix, "queue", "mda")
    elif len(old) >= MANY_OLD:
        yield Finding(f"{len(old)} messages could not be sent for more than four hours.", place, fix, "queue", "old")
    elif len(queue.envelopes) > MANY:
        yield Finding(f"{len(queue.envelopes)} messages wait in the queue.", place, fix, "queue", "many")
    elif queue.unread:
        yield Doubt(Reason.NOT_READ, f"{queue.unread} lines of the queue could not be read.", place)


@smtpd_rule("SMTPD055")
def tables_are_those_on_disk(smtpd: SmtpdConfig, processes: Processes, files: Files, behind: Behind) -> Iterator[Outcome]:
    """No table was changed after smtpd read it."""
    main = processes.main("smtpd")
    if main is None:
        yield Exempt("smtpd does not run, which HOST031 is about")
        return
    if "smtpd" in behind:  # it reads its tables anew when it starts anew
        yield Exempt("smtpd does not run what is on disk: HOST036 tells of that")
        return
    for table in smtpd.tables.values():
        if table.path is None or table.backend not in KEPT:
            continue
        changed = _changed(files, table.path)
        if changed is None:
            yield Doubt(Reason.NOT_RECORDED, f"When {table.path} was changed was not recorded.")
        elif isinstance(changed, datetime) and is_younger(changed, main.started):
            since = Evidence(TYPED[Command.PS], f"smtpd since {main.started:%Y-%m-%d %H:%M:%S} UTC")
            yield Finding(
                f"{table.path} was changed after smtpd started, which goes on with what it read then until it is told.",
                (Evidence(f"stat {table.path}", f"changed {changed:%Y-%m-%d %H:%M:%S} UTC"), since),
                Fix("Have it read anew", Safety.SAFE, commands=(f"smtpctl update table {quote(table.name)}",)),
                f"table {table.name}",
                "stale",
            )


def _changed(files: Files, path: str) -> datetime | Gone | None:
    """When a file was changed; None if that is not known."""
    stat = files.stat(path)
    if isinstance(stat, Gone):
        return stat
    return moment(stat.mtime) if isinstance(stat, Stat) and stat.mtime else None
