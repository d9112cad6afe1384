"""The maildirs on the disk, and where the mail users' own should be."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailaudit.models.credentials import Credentials, Entry
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.mail_owner import MailOwner
from mailaudit.models.sources import Known, Lacking, Missing, Model, NotHere, Slot, Sources
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
        for address, paths in self.places.items():
            if any(_within(path, each) or _within(each, path) for each in paths if self._depth(each) >= 2):
                return address
        return None

    def _depth(self, path: str) -> int:
        return path.removeprefix(self.home).count("/") if _within(path, self.home) else 0


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def read_maildirs(
    sources: Sources, credentials: Slot[Credentials], dovecot: Slot[DovecotConfig], owner: MailOwner
) -> Slot[Maildirs]:
    """The maildirs of the users in the credentials; without Dovecot's settings, their homes."""
    if not isinstance(credentials, Known):
        return _without(credentials)
    known = credentials.value
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


def _without(slot: Missing | Lacking | NotHere) -> Slot[Maildirs]:
    return slot


def _places(entry: Entry, dovecot: DovecotConfig | None) -> tuple[str, ...]:
    home = entry.home.value.rstrip("/")
    mail = dovecot.mail_path(entry.address, home or None) if dovecot is not None else None
    own = dovecot.home(entry.address) if dovecot is not None and not home else home
    return tuple(
        dict.fromkeys(posixpath.normpath(path) for path in (mail, own) if path and path.startswith("/") and "%" not in path)
    )
