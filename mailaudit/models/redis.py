"""redis.conf: where redis listens, who may talk to it, what it keeps."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mailaudit.models.included import WithIncludes, in_reading_order
from mailaudit.models.ordered import Visits
from mailaudit.models.sources import Known, Slot, Sources, refused_statements
from mailaudit.parsers.redis_directives import ALIASES, SECRET, size
from mailaudit.parsers.tree import Statement, Token, Tree
from mailaudit.text import Span

PATH = "/etc/redis/redis.conf"
_FILES = (PATH, "/etc/redis/*.conf")
_ADDED = frozenset({"save", "client-output-buffer-limit", "user", "loadmodule", "rename-command"})
"""Directives of which each statement adds to those before; of all others the last counts."""
DEFAULTS = {
    "appendfsync": "everysec",
    "appendonly": "no",
    "bind": "* -::*",
    "daemonize": "no",
    "databases": "16",
    "dbfilename": "dump.rdb",
    "dir": "./",
    "maxmemory": "0",
    "maxmemory-policy": "noeviction",
    "port": "6379",
    "protected-mode": "yes",
    "requirepass": "",
    "tls-port": "0",
    "unixsocket": "",
}
"""What counts where nothing is written."""


@dataclass(frozen=True, slots=True, eq=False)
class Setting:
    """One statement: its directive by its present name, and its arguments."""

    name: str
    directive: Token
    arguments: tuple[Token, ...]
    statement: Statement

    @property
    def value(self) -> str:
        """The arguments, joined by blanks."""
        return " ".join(token.value for token in self.arguments)

    @property
    def span(self) -> Span:
        """The whole statement."""
        return self.statement.span


@dataclass(frozen=True, eq=False)
class RedisConfig(WithIncludes):
    """redis's configuration: all statements in the order in which redis comes to them, includes in their places."""

    settings: tuple[Setting, ...] = ()

    def written(self, name: str) -> tuple[Setting, ...]:
        """The statements of a directive that count: the last, or all where each adds to the others. `save ""` takes all back."""
        name = ALIASES.get(name, name)
        found = tuple(setting for setting in self.settings if setting.name == name)
        if name == "save":
            emptied = max((number for number, setting in enumerate(found) if not setting.value), default=-1)
            return found[emptied:] if emptied >= 0 else found
        return found if name in _ADDED else found[-1:]

    def value(self, name: str) -> str | None:
        """What counts: as written, or the default; None where there is neither."""
        found = self.written(name)
        return " ".join(setting.value for setting in found).strip() if found else DEFAULTS.get(ALIASES.get(name, name))

    def is_on(self, name: str) -> bool:
        """True if a flag is `yes`."""
        return (self.value(name) or "").lower() == "yes"

    def place(self, name: str) -> Span | None:
        """Where the value that counts is written, if it is written."""
        found = self.written(name)
        return found[-1].span if found else None

    @property
    def port(self) -> int:
        """The TCP port; 0 for none."""
        return int(self.value("port") or "0")

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses that redis listens on, without the marks of optional ones; none if it listens on no port."""
        if not self.port and self.value("tls-port") in (None, "0"):
            return ()
        return tuple(word.removeprefix("-") for word in (self.value("bind") or "").split())

    @property
    def only_loopback(self) -> bool:
        """True if no other host can reach it, whatever else is set."""
        return all(_is_loopback(address) for address in self.addresses)

    @property
    def protected(self) -> bool:
        """True if redis turns away other hosts while no password is set, or asks them for one."""
        return self.is_on("protected-mode") or bool(self.value("requirepass"))

    @property
    def socket(self) -> Token | None:
        """The path of its local socket, if it has one."""
        found = self.written("unixsocket")
        return found[0].arguments[0] if found and found[0].value else None

    @property
    def most_memory(self) -> int:
        """The bytes it may use for data; 0 for no bound."""
        return size(self.value("maxmemory") or "0") or 0


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"


def read_redis(sources: Sources) -> Slot[RedisConfig]:
    """redis.conf with what it includes."""
    slot = sources.slot(PATH, sources.tree(PATH, "redis"), _FILES)
    if not isinstance(slot, Known):
        return slot
    visits = Visits(sources, "redis", lambda path: path, must=True)
    settings = tuple(_setting(statement) for statement, _ in visits.of(slot.value) if statement.kind == "setting")
    refusals = in_reading_order(visits.trees, (*refused_statements(visits.trees), *visits.refused))
    return Known(
        RedisConfig(
            trees=tuple(visits.trees),
            refusals=refusals,
            unknown=tuple(visits.unknown),
            settings=settings,
            secrets=tuple(_secrets(settings, visits.trees)),
        )
    )


def _setting(statement: Statement) -> Setting:
    directive, *arguments = statement.node.leaves()
    return Setting(ALIASES.get(directive.value, directive.value), directive, tuple(arguments), statement)


def _secrets(settings: tuple[Setting, ...], trees: Iterable[Tree]) -> Iterator[tuple[str, str]]:
    """Passwords as redis sees them and as they are written, those in lines that it refuses too."""
    tokens = [token for setting in settings if setting.name in SECRET for token in setting.arguments]
    for tree in trees:
        for statement in tree.unread():
            name = statement.tokens[0].value.lower()
            if ALIASES.get(name, name) in SECRET:
                tokens += statement.tokens[1:]
    tokens += [
        token for setting in settings if setting.name == "user" for token in setting.arguments[1:] if token.value[:1] in "><#!"
    ]
    for token in tokens:
        written = token.span.chars
        for value in (token.value, written[1:-1] if written[:1] in "\"'" else written):
            if not value.startswith("{{"):
                yield "redis-password", value.lstrip("><#!") if value[:1] in "><#!" else value
