"""rspamd's workers and the sockets that they listen on.

Source: rspamd_parse_bind_line() and the workers' settings in rspamd 3.4.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from mailaudit.models.ucl.values import Value

DEFAULT_PORT = 11333
FILES = {"normal": "normal", "controller": "controller", "rspamd_proxy": "proxy", "fuzzy": "fuzzy"}
_ADDRESS = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:\s]*))(?::(?P<port>[^:\s]*))?(?::\d+)?(?:\s.*)?\Z")


@dataclass(frozen=True, slots=True, eq=False)
class Bind:
    """A socket that a worker listens on.

    `host` is as written (`*` for all addresses), `port` None where it is no number; `path` is that of a local socket. Host and
    path are None where a template decides.
    """

    value: Value
    host: str | None = None
    port: int | None = None
    path: str | None = None

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
        """True if rspamd starts it: its count is not below zero, and it is not switched off; None where that is not known."""
        enabled, count = self.section.get("enabled"), self.section.get("count")
        if enabled is not None and enabled.truth is not True:
            return enabled.truth
        if count is None:
            return True
        return None if count.number is None else count.number >= 0


def bind(value: Value) -> Bind:
    """A socket of its setting."""
    written = value.text
    if written is None:
        return Bind(value)
    if written.startswith(("/", "unix:")):
        return Bind(value, path=written.removeprefix("unix:").split()[0])
    match = _ADDRESS.match(written)
    if match is None:  # an IPv6 address without brackets
        return Bind(value, written.split()[0], DEFAULT_PORT)
    port = match["port"]
    number = DEFAULT_PORT if not port else int(port) if port.isascii() and port.isdecimal() and len(port) < 6 else None
    host = match["six"] if match["six"] is not None else match["host"]
    return Bind(value, host or "*", number)


def workers(root: Value) -> Iterator[Worker]:
    """All workers that the files define."""
    for chained in root.all("worker"):
        for kind, sections in chained.members.items():
            for section in sections:
                if section.kind == "object":
                    binds = tuple(map(bind, section.all("bind_socket")))
                    yield Worker(kind, section, binds, f"worker-{FILES[kind]}.inc" if kind in FILES else None)
