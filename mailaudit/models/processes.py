"""The processes that run now, since when, and which files their daemons read when they start."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.redis import RedisConfig
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Lacking, Model, Slot, Sources
from mailaudit.models.system import said
from mailaudit.questions import Command

_LINE = re.compile(r"\s*(\d+)\s+(\S+)\s+[A-Z][a-z]{2}\s+([A-Z][a-z]{2})\s+(\d+)\s+(\d+):(\d\d):(\d\d)\s+(\d{4})\s+(\S.*)")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


_INEXACT = timedelta(seconds=2)


def is_younger(changed: datetime, started: datetime) -> bool:
    """True if a file was surely changed after a process began.

    ps(1) counts from the boot, by a clock that may have been set since: a daemon that is started as soon as its file is written,
    as behind acme-client(1), can seem to be older by a second.
    """
    return changed > started + _INEXACT


@dataclass(frozen=True, slots=True)
class Process:
    """One process: its user, its command line, and when it started, in UTC: the collector asks ps(1) for that (TZ=UTC)."""

    pid: int
    user: str
    started: datetime
    command: str


@dataclass(frozen=True, slots=True)
class Kind:
    """How a daemon is known among processes: by `main`; those of `again` are new ones whenever it is told to reload.

    `reloads` is true if it can read its files again without a new main process.
    """

    main: re.Pattern[str]
    again: re.Pattern[str] | None = None
    reloads: bool = False


KINDS: Mapping[str, Kind] = {
    "dovecot": Kind(re.compile(r"(?:\S*/)?dovecot(?: -.*)?\Z"), re.compile(r"dovecot/(?:anvil|config|log)\b"), reloads=True),
    "httpd": Kind(re.compile(r"(?:\S*/)?httpd(?: -.*)?\Z|httpd: parent\b"), reloads=True),
    "redis": Kind(re.compile(r"(?:\S*/)?redis-server\b|redis-server:")),
    "rspamd": Kind(re.compile(r"rspamd: main\b|(?:\S*/)?rspamd(?: -.*)?\Z"), re.compile(r"rspamd: (?!main )"), reloads=True),
    "smtpd": Kind(re.compile(r"(?:\S*/)?smtpd(?: -.*)?\Z")),
    "valkey": Kind(re.compile(r"(?:\S*/)?valkey-server\b|valkey-server:")),
}
READS: Mapping[type, str] = {
    DovecotConfig: "dovecot",
    HttpdConfig: "httpd",
    RedisConfig: "redis",
    RspamdConfig: "rspamd",
    SmtpdConfig: "smtpd",
}
"""Which daemon reads a configuration."""


@dataclass(frozen=True, eq=False)
class Processes(Model):
    """The processes, and by daemon the files that it reads at its start and not again until it is told to.

    `lacking` are the daemons whose files are not known, each with the reason.
    """

    processes: tuple[Process, ...] = ()
    files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lacking: Mapping[str, Lacking] = field(default_factory=dict)

    def has(self, daemon: str) -> bool | None:
        """True if a daemon runs; None for one whose processes are not known here."""
        kind = KINDS.get(daemon)
        return None if kind is None else any(kind.main.match(each.command) for each in self.processes)

    def main(self, daemon: str) -> Process | None:
        """The first process of a daemon: the others are its children."""
        kind = KINDS[daemon]
        found = [each for each in self.processes if kind.main.match(each.command)]
        return min(found, key=lambda each: each.started, default=None)

    def read_at(self, daemon: str) -> tuple[datetime, bool] | None:
        """When a daemon last read its files, as far as its processes show, and whether it may have done so since unseen."""
        kind, main = KINDS[daemon], self.main(daemon)
        if main is None:
            return None
        again = [each.started for each in self.processes if kind.again is not None and kind.again.match(each.command)]
        return max([main.started, *again]), kind.reloads and not again


def read_processes(sources: Sources, slots: Mapping[type, Slot[object]]) -> Slot[Processes]:
    """The processes that ps(1) showed."""
    output = said(sources, Command.PS)
    if isinstance(output, Lacking):
        return output
    found = (_process(match) for line in output.splitlines() if (match := _LINE.match(line)) is not None)
    files: dict[str, list[str]] = {}
    for slot in slots.values():
        if isinstance(slot, Known):
            for daemon, path in _read_at_start(slot.value):
                files.setdefault(daemon, []).append(path)
    unique = {daemon: tuple(dict.fromkeys(paths)) for daemon, paths in files.items()}
    lacking = {daemon: config for kind, daemon in READS.items() if isinstance(config := slots.get(kind), Lacking)}
    return Known(Processes(processes=tuple(each for each in found if each is not None), files=unique, lacking=lacking))


def _process(match: re.Match[str]) -> Process | None:
    pid, user, month, day, hour, minute, second, year, command = match.groups()
    try:
        started = datetime(int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
        return Process(int(pid), user, started, command.strip())
    except (ValueError, OverflowError):
        return None


def _read_at_start(model: object) -> Iterator[tuple[str, str]]:
    """The files of a daemon: its configuration, certificates and keys; not tables, which can be read anew by themselves."""
    match model:
        case SmtpdConfig():
            yield from (("smtpd", tree.text.path) for tree in model.trees if tree.language == "smtpd")
            for pki in model.pki.values():
                yield from (("smtpd", token.value) for token in (pki.cert, pki.key) if token and token.value.startswith("/"))
        case DovecotConfig():
            yield from (("dovecot", tree.text.path) for tree in model.trees if tree.language == "dovecot")
            for setting in (model.certificate, model.key):
                yield from (("dovecot", path) for path in (model.path_of(setting),) if path)
        case HttpdConfig():
            yield from (("httpd", tree.text.path) for tree in model.trees if tree.language == "httpd")
        case RspamdConfig():
            yield from (("rspamd", tree.text.path) for tree in model.trees)
        case RedisConfig():
            yield from (("redis", tree.text.path) for tree in model.trees)
