"""A host root that is asked: its files first, its record for the rest, and what their silence means (contract, section 3)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path

from mailaudit.collect.directory import Directory, RefusedError, Spot, glob, listing, look, read
from mailaudit.collect.world import Layers
from mailaudit.questions import (
    Absent,
    Answer,
    CommandOutput,
    Failed,
    Found,
    ListFiles,
    Question,
    ReadFile,
    Reason,
    Stat,
    StatFile,
)
from mailaudit.recording import Recording
from mailaudit.settings.tables import SettingsError
from mailaudit.snapshot import unanswered

SETTINGS = "mailaudit.toml"
MADE_ON_THE_HOST = (
    "/etc/passwd",
    "/etc/master.passwd",
    "/etc/group",
    "/etc/fstab",
    "/etc/resolv.conf",
    "/etc/login.conf",
    "/etc/rc",
    "/etc/rc.d/*",
    "/etc/ssh/*",
    "/etc/ssl",
    "/etc/ssl/*",
    "/etc/acme/*",
    "/etc/mail/dkim",
    "/etc/mail/dkim/*",
    "*.db",
    "*.key",
    "*.pem",
    "*.crt",
    "*.svbin",
    "*/dkim",
    "*/private",
    "*/private/*",
)
"""What every host has or makes for itself, so that a repository without it does not say that the host lacks it."""
PROGRAMS = ("/bin/*", "/sbin/*", "/usr/*bin/*", "/usr/libexec/*", "/usr/local/*bin/*", "/usr/local/libexec/*")
"""What packages install; a repository may add to these directories, but it never lists them."""


class Metadata(Enum):
    """What the modes and owners of a root's files say of the host."""

    NOTHING = "a checkout's own"
    ARCHIVED = "a tar archive's headers"
    OWN = "this machine's own"


@dataclass
class RootWorld:
    """A world that answers from a directory and a record. `FolderWorld` and `MemoryWorld` say from which."""

    directory: Directory
    record: Recording | None
    host: str
    target: str
    metadata: Metadata = Metadata.NOTHING
    online: bool = False
    root: Path | None = None
    settings: Layers = ()

    @property
    def recorded(self) -> bool:
        """True if an `answers.json` tells what was asked."""
        return self.record is not None

    @property
    def taken(self) -> str | None:
        """When the record was made, as it says."""
        return self.record.taken if self.record else None

    def ask(self, wave: Collection[Question]) -> dict[Question, Answer]:
        """An answer to each question of a wave."""
        return {question: self.answer(question) for question in wave}

    def answer(self, question: Question) -> Answer:
        """The answer to one question."""
        try:
            match question:
                case ReadFile(path):
                    return self._read(path)
                case StatFile(path):
                    return self._stat(path)
                case ListFiles(pattern):
                    return self._list(pattern)
        except RefusedError as error:
            return Failed(Reason.UNREADABLE, str(error))
        known = self.record.answer(question) if self.record else None
        if isinstance(known, Found) and isinstance(known.value, CommandOutput):
            return Found(replace(known.value, of_before=True))
        return known or unanswered(question, self.online)

    def _read(self, path: str) -> Answer:
        spot, data = read(self.directory, path)
        if spot.stat is not None:
            return Found(data)
        if spot.linked and self.metadata is not Metadata.OWN:
            return Failed(Reason.UNREADABLE, f"{path} leads through a symbolic link to {spot.path}, which is not in this root")
        return self._missing(ReadFile(path), path)

    def _stat(self, path: str) -> Answer:
        spot = look(self.directory, path)
        if self.record is None:
            return self._missing(StatFile(path), path) if spot.stat is None else self._seen(spot)
        known = self.record.answer(StatFile(path))
        if isinstance(known, Found | Failed):
            return known
        # A file that is there was written after the record said that it was absent: by `fix`, or by the record's editor.
        return self._missing(StatFile(path), path) if spot.stat is None else self._seen(spot)

    def _seen(self, spot: Spot) -> Found:
        assert spot.stat is not None
        if self.metadata is Metadata.NOTHING or self.record is not None:
            return Found(Stat(spot.stat.type, size=spot.stat.size, target=spot.stat.target))
        return Found(spot.stat)

    def _list(self, pattern: str) -> Answer:
        found = glob(self.directory, pattern)
        if self.record is not None:
            return self.record.listed(pattern, found)
        if found or self.metadata is Metadata.OWN or self._keeps(pattern):
            return Found(found)
        return unanswered(ListFiles(pattern), self.online)

    def _missing(self, question: ReadFile | StatFile, path: str) -> Answer:
        """What it means that a path is not there."""
        if self.record is not None:
            return self.record.missing(question)
        if self.metadata is Metadata.OWN or self._keeps(path):
            return Absent()
        return unanswered(question, self.online)

    def _keeps(self, path: str) -> bool:
        """True if a root without a record would hold this path if the host had it.

        Configuration below /etc is what a repository is kept for. Elsewhere it is where a file lies in the same directory.
        """
        if any(fnmatchcase(path, pattern) for pattern in MADE_ON_THE_HOST):
            return False
        if path.startswith("/etc/"):
            return True
        if any(fnmatchcase(path, pattern) for pattern in PROGRAMS):
            return False
        parent = path.rsplit("/", 1)[0]
        names = listing(self.directory, parent) if parent else []
        return any(self._is_file(f"{parent}/{name}") for name in names)

    def _is_file(self, path: str) -> bool:
        stat = look(self.directory, path).stat
        return stat is not None and stat.type == "file"


def host_name(directory: Directory, record: Recording | None, otherwise: str) -> str:
    """A host's name: its record's, else the first line of its /etc/myname, else that of its directory (contract, section 4)."""
    if record is not None and record.host:
        return record.host
    try:
        spot, data = read(directory, "/etc/myname")
    except RefusedError:
        return otherwise
    first = data.split(b"\n", 1)[0].strip() if spot.stat is not None else b""
    name = first.decode("ascii", "replace")
    return name if name and name.isprintable() and "\ufffd" not in name and " " not in name else otherwise


def own_file(directory: Directory, name: str) -> bytes | None:
    """A file of mailaudit's own that lies beside etc/, or None; raises `RefusedError` where it cannot be read."""
    spot, data = read(directory, f"/{name}")
    if spot.stat is None and spot.linked:
        raise RefusedError(f"/{name} is a symbolic link to {spot.path}, which is not in this root")
    return data if spot.stat is not None else None


def own_settings(directory: Directory, origin: str) -> Layers:
    """The mailaudit.toml of a directory, if there is one. One that cannot be read raises `SettingsError`."""
    try:
        data = own_file(directory, SETTINGS)
    except RefusedError as error:
        raise SettingsError(f"{origin} cannot be read: {error}") from error
    return () if data is None else ((origin, data),)
