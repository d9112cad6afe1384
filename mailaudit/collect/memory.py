"""A host root held in memory: the members of an archive, or the files of a rule's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mailaudit.collect.directory import MAX_FILE, RefusedError
from mailaudit.collect.root import SETTINGS, Metadata, RootWorld, host_name, own_file, own_settings
from mailaudit.questions import Stat
from mailaudit.recording import ANSWERS, parse_answers


@dataclass
class Entry:
    """One file or directory. `why` says why a file's bytes are not there."""

    stat: Stat
    data: bytes = b""
    why: str = ""
    below: dict[str, Entry] = field(default_factory=dict)


def directory_entry() -> Entry:
    """A directory that is there because something lies in it."""
    return Entry(Stat("directory"))


class MemoryDirectory:
    """A directory in memory."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    @classmethod
    def of(cls, files: Mapping[str, bytes]) -> MemoryDirectory:
        """A root that holds these files by absolute path."""
        root = directory_entry()
        for path, data in files.items():
            place(root, path.strip("/").split("/"), Entry(Stat("file", size=len(data)), data))
        return cls(root)

    def look(self, name: str) -> Stat | None:
        """An entry's metadata, or None if there is none."""
        entry = self._entry.below.get(name)
        return None if entry is None else entry.stat

    def enter(self, name: str) -> MemoryDirectory:
        """A directory below."""
        return MemoryDirectory(self._entry.below[name])

    def names(self) -> list[str]:
        """The names of all entries."""
        return list(self._entry.below)

    def read(self, name: str) -> bytes:
        """The bytes of a file."""
        entry = self._entry.below[name]
        if entry.why:
            raise RefusedError(entry.why)
        if len(entry.data) > MAX_FILE:
            raise RefusedError(f"{name} is over {MAX_FILE} bytes, the most that mailaudit reads")
        return entry.data

    def close(self) -> None:
        """Nothing to be done."""


def place(root: Entry, parts: list[str], entry: Entry) -> None:
    """Put an entry below a root; the directories on the way are made, what stood in its place goes."""
    at = root
    for part in parts[:-1]:
        following = at.below.get(part)
        if following is None or following.stat.type != "directory":
            following = at.below[part] = directory_entry()
        at = following
    old = at.below.get(parts[-1])
    if old is not None and old.stat.type == entry.stat.type == "directory":
        entry = replace(entry, below=old.below)
    at.below[parts[-1]] = entry


class MemoryWorld(RootWorld):
    """The world of a root in memory; a record that lies in it is read. Raises as `FolderWorld` does."""

    def __init__(self, directory: MemoryDirectory, host: str, target: str, metadata: Metadata = Metadata.NOTHING) -> None:
        data = own_file(directory, ANSWERS)
        record = None if data is None else parse_answers(data, f"{target}/{ANSWERS}")
        super().__init__(
            directory=directory,
            record=record,
            host=host_name(directory, record, host),
            target=target,
            metadata=metadata,
            settings=own_settings(directory, f"{target}/{SETTINGS}"),
        )
