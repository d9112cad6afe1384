"""The parts of an httpd.conf: servers, the addresses they listen on, their locations."""

from __future__ import annotations

import fnmatch
import ipaddress
from dataclasses import dataclass, field

from mailaudit.models.included import WithIncludes
from mailaudit.parsers.tree import Statement, Token

CHROOT = "/var/www"
ROOT = "/htdocs"
BOTH = ("inet", "inet6")


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """An address and a port that a server listens on; `port` is None where the port's name is not known."""

    address: Token
    port: int | None
    port_token: Token
    tls: bool
    statement: Statement

    @property
    def families(self) -> tuple[str, ...]:
        """`inet` and `inet6`, as far as the address says; an interface's or a host's name may have both."""
        if self.address.value == "*":
            return BOTH
        try:
            version = ipaddress.ip_address(self.address.value.split("%")[0]).version
        except ValueError:
            return BOTH
        return ("inet",) if version == 4 else ("inet6",)

    @property
    def is_loopback(self) -> bool:
        """True if nobody else can reach it."""
        value = self.address.value.split("%")[0]
        if value in ("localhost", "lo", "lo0"):
            return True
        try:
            return ipaddress.ip_address(value).is_loopback
        except ValueError:
            return False


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """How a server or a location answers: from a directory, a FastCGI program, or with a refusal. Unset is None."""

    root: Token | None = None
    strip: int | None = None
    block: bool | None = None
    code: int | None = None
    uri: Token | None = None
    fastcgi: bool | None = None
    auto_index: bool | None = None
    index: Token | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Location:
    """A location: a glob over the path, a Lua pattern if `is_pattern`; `found` restricts it to paths that (do not) exist."""

    path: Token
    is_pattern: bool
    found: bool | None
    answer: Answer
    statement: Statement

    def covers(self, path: str) -> bool | None:
        """Whether it is meant for a path; None for a Lua pattern and where existence on disk decides."""
        if self.is_pattern:
            return None
        hit = fnmatch.fnmatchcase(path.lower(), _glob(self.path.value.lower()))
        return None if hit and self.found is not None else hit


@dataclass(frozen=True, slots=True, eq=False)
class Server:
    """One server block."""

    name: Token
    is_pattern: bool
    statement: Statement
    aliases: tuple[tuple[Token, bool], ...] = ()
    listeners: tuple[Listener, ...] = ()
    locations: tuple[Location, ...] = ()
    answer: Answer = field(default_factory=Answer)
    tls: tuple[tuple[str, Token], ...] = ()

    def tls_option(self, name: str) -> Token | None:
        """The last value of a TLS option."""
        return next((token for option, token in reversed(self.tls) if option == name), None)

    def answers_to(self, host: str) -> bool | None:
        """Whether its name or an alias is this host's; None where a Lua pattern decides."""
        names = ((self.name, self.is_pattern), *self.aliases)
        if any(not pattern and fnmatch.fnmatchcase(host.lower(), _glob(name.value.lower())) for name, pattern in names):
            return True
        return None if any(pattern for _, pattern in names) else False


@dataclass(frozen=True, eq=False)
class HttpdConfig(WithIncludes):
    """All servers in the order of the file. A request that no name fits goes to the first on its port."""

    servers: tuple[Server, ...] = ()
    chroot: Token | None = None

    @property
    def listeners(self) -> tuple[Listener, ...]:
        """The listeners of all servers."""
        return tuple(listener for server in self.servers for listener in server.listeners)

    def server_for(self, host: str, port: int) -> Server | None:
        """The server that answers for a host's name on a port."""
        on_port = [server for server in self.servers if any(each.port == port for each in server.listeners)]
        return next((server for server in on_port if server.answers_to(host)), on_port[0] if on_port else None)


def _glob(pattern: str) -> str:
    """A pattern of fnmatch(3) for Python's fnmatch: escapes become sets of one."""
    out: list[str] = []
    escaped = False
    for char in pattern:
        if escaped:
            out.append(f"[{char}]" if char in "*?[" else char)
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            out.append(char)
    return "".join(out)
