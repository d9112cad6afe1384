"""The name of a live host on the command line: `name`, `user@name`, `ssh://user@name:port` (contract, section 1)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from ipaddress import ip_address

from mailaudit.collect.world import TargetError

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+$-]*")
_SCHEME = "ssh://"


@dataclass(frozen=True, slots=True)
class Address:
    """Whom to log in to: a name of ssh_config(5) or DNS, or an address; a user and a port where they were said."""

    host: str
    user: str | None = None
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host and self.port else self.host
        return f"{self.user}@" * bool(self.user) + host + f":{self.port}" * bool(self.port)


def is_path(target: str) -> bool:
    """True if a target is a path: it has a slash or a leading dot, or something of that name exists."""
    return not target.startswith(_SCHEME) and ("/" in target or target.startswith(".") or os.path.lexists(target))


def read_address(target: str) -> Address:
    """The host that a target names. Raises `TargetError` with code 2 where it is no name of a host."""
    rest = target.removeprefix(_SCHEME)
    is_url = rest != target
    user, at, host = rest.rpartition("@")
    port = None
    if is_url:
        host = host.removesuffix("/")
        match = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::([0-9]{1,5}))?", host)
        if match is None:
            raise _wrong(target)
        host, port = match[1], int(match[2]) if match[2] else None
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (at and not _USER.fullmatch(user)) or (port is not None and not 0 < port < 65536) or not _is_host(host):
        raise _wrong(target)
    return Address(host, user or None, port)


def _is_host(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return len(host) < 255 and _NAME.fullmatch(host) is not None
    return True


def _wrong(target: str) -> TargetError:
    alike = "user@mail.example.com or ssh://mail.example.com:2222"
    return TargetError(f"{target}: neither a path that exists nor the name of a host, like {alike}", 2)
