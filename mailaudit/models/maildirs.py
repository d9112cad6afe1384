"""The maildirs on the disk, and where the mail users' own should be."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from mailaudit.models.accounts import Accounts
from mailaudit.models.credentials import Credentials, Entry
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.mail_owner import read_mail_owner
from mailaudit.models.sources import Known, Model, Slot, Sources
from mailaudit.questions import Absent, Failed, Stat


@dataclass(frozen=True, eq=False)
class Maildirs(Model):
    """Where mail should be, and where it is.

    `places` are the directories of each user's mail and home by address; `found` what lies two levels below the home of all mail,
    or why that is not known; `stats` what is known of all these.
    """

    home: str
    entries: tuple[Entry, ...] = ()
    places: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    found: tuple[str, ...] | Failed = ()
    stats: Mapping[str, Stat | Absent | Failed] = field(default_factory=dict, repr=False)

    @property
    def pattern(self) -> str:
        """What the maildirs are listed with."""
        return f"{self.home}/*/*"

    @property
    def by_domain(self) -> bool:
        """True if users have their mail at `<domain>/<name>` below the home of all mail, or deeper."""
        return any(self._depth(path) >= 2 for paths in self.places.values() for path in paths)

    def of(self, path: str) -> str | None:
        """The address whose mail lies at a path, above it or below it; None if it is nobody's."""
        above = (path[:at] for at, char in enumerate(f"{path}/") if char == "/" and at)
        return self._ways.get(path) or next((self._owners[each] for each in above if each in self._owners), None)

    @cached_property
    def _owners(self) -> dict[str, str]:
        """The address of each place that is not the home of all mail or directly below it."""
        return {path: address for address, paths in self.places.items() for path in paths if self._depth(path) >= 2}

    @cached_property
    def _ways(self) -> dict[str, str]:
        """The directories that lead to those places, each with an address whose mail is below it."""
        return {
            path[:at]: address for path, address in self._owners.items() for at, char in enumerate(path) if char == "/" and at
        }

    def _depth(self, path: str) -> int:
        return path.removeprefix(self.home).count("/") if _within(path, self.home) else 0


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def read_maildirs(
    sources: Sources, credentials: Slot[Credentials], dovecot: Slot[DovecotConfig], accounts: Slot[Accounts]
) -> Slot[Maildirs]:
    """The maildirs of the users in the credentials; without Dovecot's settings, their homes."""
    if not isinstance(credentials, Known):
        return credentials
    known = credentials.value
    owner = read_mail_owner(accounts, credentials)
    config = dovecot.value if isinstance(dovecot, Known) else None
    places = {entry.address: _places(entry, config) for entry in known.entries}
    listed = sources.list(f"{owner.home}/*/*")
    named = {path for paths in places.values() for path in paths}
    listed_paths = () if isinstance(listed, Failed) else listed
    stats = {path: sources.stat(path) for path in sorted({*named, *listed_paths})}
    return Known(
        Maildirs(
            trees=known.trees,
            refusals=known.refusals,
            home=owner.home,
            entries=known.entries,
            places=places,
            found=listed,
            stats=stats,
        )
    )


def _places(entry: Entry, dovecot: DovecotConfig | None) -> tuple[str, ...]:
    home = entry.home.value.rstrip("/")
    mail = dovecot.mail_path(entry.address, home or None) if dovecot is not None else None
    own = dovecot.home(entry.address) if dovecot is not None and not home else home
    return tuple(
        dict.fromkeys(posixpath.normpath(path) for path in (mail, own) if path and path.startswith("/") and "%" not in path)
    )
