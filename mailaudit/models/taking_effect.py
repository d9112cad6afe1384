"""What root types once files were written, so that the daemons use them, and in which order: what others need comes first."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from shlex import quote
from typing import TypeVar

from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.files import Files
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.login import LoginConf
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.redis import RedisConfig
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.sieve.script import Sieve
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Model, Slot
from mailaudit.models.sshd import SshdConfig
from mailaudit.questions import Stat

LOGIN_CONF = "/etc/login.conf"
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Taking:
    """How a daemon takes up its files: what checks them first (empty: nothing does), and what is typed then.

    `below` are files, and directories with their final slash, that are the daemon's whatever its configuration names.
    """

    daemon: str
    check: str
    command: str
    below: tuple[str, ...]

    def owns(self, path: str) -> bool:
        """True for a file that it reads wherever it is told nothing else."""
        return any(path.startswith(each) if each.endswith("/") else path == each for each in self.below)


ORDER: tuple[Taking, ...] = (
    Taking("pf", "pfctl -nf /etc/pf.conf", "pfctl -f /etc/pf.conf", ("/etc/pf.conf",)),
    Taking("httpd", "httpd -n", "rcctl reload httpd", ("/etc/httpd.conf",)),
    Taking("redis", "", "rcctl restart redis", ("/etc/redis/",)),
    Taking("rspamd", "rspamadm configtest", "rcctl restart rspamd", ("/etc/rspamd/",)),
    Taking("dovecot", "doveconf -n > /dev/null", "rcctl reload dovecot", ("/etc/dovecot/",)),
    Taking("smtpd", "smtpd -n", "rcctl restart smtpd", ("/etc/mail/smtpd.conf", "/etc/mail/mailname", "/etc/myname")),
    Taking("sshd", "sshd -t", "rcctl reload sshd", ("/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/")),
)
"""The daemons in the order in which they take up their files: a port is opened before its listener, a filter and a mailbox are
there before the daemon that hands them mail (one whose filter is away answers 421), and what logins hang on comes last."""

_READERS: Mapping[type, tuple[str, str]] = {
    Ruleset: ("pf", "pf"),
    HttpdConfig: ("httpd", "httpd"),
    RedisConfig: ("redis", "redis"),
    RspamdConfig: ("rspamd", "ucl"),
    DovecotConfig: ("dovecot", "dovecot"),
    SmtpdConfig: ("smtpd", "smtpd"),
    SshdConfig: ("sshd", "sshd"),
}
"""Which daemon reads a configuration, and the language of its files."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that root types: the command, the checker that must be content first, and the changed files that ask for it.

    `daemon` is the one that takes files up by it; empty for what makes a file of another.
    """

    command: str
    because: tuple[str, ...]
    daemon: str = ""
    check: str = ""


def steps(changed: Iterable[str], slots: Mapping[type, Slot[object]]) -> tuple[Step, ...]:
    """What is to be done for files that were written, in order; `slots` are the models of the host after that."""
    paths = tuple(sorted(set(changed)))
    return (*_made(paths, slots), *_taken_up(paths, slots))


def _made(paths: tuple[str, ...], slots: Mapping[type, Slot[object]]) -> Iterator[Step]:
    """The files that programs make of others: scripts compiled, databases."""
    sieve, files = _model(slots, Sieve), _model(slots, Files)
    if sieve is not None:
        own = {path for use in sieve.uses if use.is_global and use.location is not None for path in use.paths}
        yield from (Step(f"sievec {shlex.quote(path)}", (path,)) for path in paths if path in own)
    for path in paths:
        if path == LOGIN_CONF and files is not None and isinstance(files.stat(f"{path}.db"), Stat):
            yield Step(f"cap_mkdb {path}", (path,))


def _taken_up(paths: tuple[str, ...], slots: Mapping[type, Slot[object]]) -> Iterator[Step]:
    classes = _classes(paths, slots)
    for taking in ORDER:
        named = _named(taking.daemon, slots)
        read = tuple(path for path in paths if taking.owns(path) or path in named)
        limits = classes.get(taking.daemon, ())
        if limits:  # a daemon gets the limits of its class when it starts, not when it reloads
            yield Step(f"rcctl restart {taking.daemon}", (*limits, *read), taking.daemon, taking.check)
        elif read:
            yield Step(taking.command, read, taking.daemon, taking.check)
        elif taking.daemon == "smtpd":
            yield from _tables(paths, slots)


def _named(daemon: str, slots: Mapping[type, Slot[object]]) -> frozenset[str]:
    """The files of a daemon's configuration as it names them, those that it includes too."""
    return frozenset(
        tree.text.path
        for kind, (of, language) in _READERS.items()
        if of == daemon and (model := _any(slots, kind)) is not None
        for tree in model.trees
        if tree.language == language
    )


def _tables(paths: tuple[str, ...], slots: Mapping[type, Slot[object]]) -> Iterator[Step]:
    """What smtpd reads anew without starting anew: its tables; a database is made of its file first."""
    smtpd = _model(slots, SmtpdConfig)
    if smtpd is None:
        return
    for table in smtpd.tables.values():
        for path in paths:
            if table.path == f"{path}.db":
                kind = " -t aliases" if any(each is table for each in smtpd.alias_tables) else ""
                yield Step(f"makemap{kind} {shlex.quote(path)}", (path,))
            if table.path in (path, f"{path}.db"):
                yield Step(f"smtpctl update table {quote(table.name)}", (path,), "smtpd")


def _classes(paths: tuple[str, ...], slots: Mapping[type, Slot[object]]) -> dict[str, tuple[str, ...]]:
    """The daemons whose login class stands in a changed file, with that file."""
    login = _model(slots, LoginConf)
    classes = {} if login is None else {each.daemon: login.login_class(each.daemon) for each in ORDER}
    return {daemon: (of.record.path,) for daemon, of in classes.items() if of is not None and of.record.path in paths}


def _any(slots: Mapping[type, Slot[object]], kind: type) -> Model | None:
    slot = slots.get(kind)
    return slot.value if isinstance(slot, Known) and isinstance(slot.value, Model) else None


def _model(slots: Mapping[type, Slot[object]], kind: type[M]) -> M | None:
    found = _any(slots, kind)
    return found if isinstance(found, kind) else None
