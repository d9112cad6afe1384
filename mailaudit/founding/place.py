"""Where the files of a host from nothing go: owner, group and mode of each file and directory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """A path's mode, owner and group."""

    path: str
    mode: int = 0o644
    owner: str = "root"
    group: str = "wheel"

    @property
    def installed(self) -> str:
        """The command that puts the file there, from the folder that it lies in."""
        return f"install {self._as} {self.path[1:]} {self.path}"

    @property
    def begun(self) -> str:
        """The command that makes the file, empty."""
        return f"install {self._as} /dev/null {self.path}"

    @property
    def made(self) -> str:
        """The command that makes the directory."""
        return f"install -d {self._as} {self.path}"

    @property
    def _as(self) -> str:
        return f"-o {self.owner} -g {self.group} -m {self.mode:04o}"


CREDENTIALS = Place("/etc/mail/credentials", 0o440, "_smtpd", "_dovecot")
SIEVE = "/usr/local/lib/dovecot/sieve"
_CLOSED = {
    each.path: each
    for each in (
        CREDENTIALS,
        Place("/etc/pf.conf", 0o600),
        Place("/etc/mail/smtpd.conf", 0o600),
        Place("/etc/rspamd/local.d/worker-controller.inc", 0o640, "root", "_rspamd"),
        Place(f"{SIEVE}/learn-ham.sh", 0o755),
        Place(f"{SIEVE}/learn-spam.sh", 0o755),
    )
}
DIRECTORIES = (
    Place("/etc/ssl/private", 0o700),
    Place("/etc/ssl/dovecot", 0o755),
    Place("/etc/mail/dkim", 0o755),
    Place("/etc/rspamd/local.d", 0o755),
    Place(SIEVE, 0o755),
    Place("/var/www/acme", 0o755, "root", "daemon"),
    Place("/var/vmail", 0o700, "vmail", "vmail"),
)
"""What the checklist makes, where it is not there."""


def place(path: str) -> Place:
    """Where a file goes."""
    return _CLOSED.get(path) or Place(path, 0o640 if path.startswith("/etc/hostname.") else 0o644)


def parents(paths: Iterable[str]) -> list[Place]:
    """The directories above some paths that the system and its packages bring, with what they are there."""
    made = {each.path for each in DIRECTORIES}
    above = {path[:at] for path in paths for at, mark in enumerate(path) if mark == "/" and at}
    return [Place(path, 0o755, "root", "daemon" if path == "/var/www" else "wheel") for path in sorted(above - made)]
