"""rspamd's workers and the sockets that they listen on.

Source: rspamd_parse_bind_line() and the workers' settings in rspamd 3.4; 4.1.5 does the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from mailaudit.models.ucl.values import Value

DEFAULT_PORT = 11333
FILES = {"normal": "normal", "controller": "controller", "rspamd_proxy": "proxy", "fuzzy": "fuzzy"}
_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:]*))(?:(?P<colon>:)(?P<port>[^:]*))?")
_PORT = re.compile(r"-?[0-9]*", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Bind:
    """A socket that a worker listens on.

    `host` is as written (`*` for all addresses), `port` None where the kernel chooses one; `path` is that of a local socket. Host
    and path are None where a template or systemd decides, and where rspamd refuses what is written, which `wrong` says then.
    """

    value: Value
    host: str | None = None
    port: int | None = None
    path: str | None = None
    wrong: str = ""

    @property
    def is_loopback(self) -> bool | None:
        """True if only this host can reach it; None where that is not known."""
        if self.path is not None or self.host == "localhost":
            return True
        if self.host is None:
            return None
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False if self.host.startswith("*") else None


@dataclass(frozen=True, slots=True, eq=False)
class Worker:
    """A worker.

    `kind` is `normal`, `controller`, `rspamd_proxy`, `fuzzy` or one that rspamd's plugins bring; `file` is the one in local.d
    that its settings go into, None for those.
    """

    kind: str
    section: Value
    binds: tuple[Bind, ...]
    file: str | None

    @property
    def is_enabled(self) -> bool | None:
        """True if rspamd starts it: its count is not zero or less, and it is not switched off; None where that is not known."""
        enabled, count = self.section.get("enabled"), self.section.get("count")
        if enabled is not None and enabled.truth is not True:
            return enabled.truth
        if count is None:
            return True
        return None if count.number is None else count.number > 0


def bind(value: Value) -> Bind:
    """A socket of its setting."""
    written = value.text
    if written is None or written.startswith("systemd:"):
        return Bind(value)
    if written.startswith(("/", ".")):
        return Bind(value, path=written.split()[0])
    match = _ADDRESS.match(written)
    assert match is not None
    port = match["port"] or ""
    if not _PORT.fullmatch(port):
        what = "a local socket's path alone" if port.startswith("/") else "a port's number after the colon, IPv6 in brackets"
        return Bind(value, wrong=f"expected {what}")
    number = int(port) if port.isdecimal() and len(port) < 6 else None if match["colon"] else DEFAULT_PORT
    return Bind(value, match["six"] or match["host"] or "localhost", number)


def workers(root: Value) -> Iterator[Worker]:
    """All workers that the files define."""
    for chained in root.all("worker"):
        for kind, sections in chained.members.items():
            for section in sections:
                if section.kind == "object":
                    binds = tuple(map(bind, section.all("bind_socket")))
                    yield Worker(kind, section, binds, f"worker-{FILES[kind]}.inc" if kind in FILES else None)
