"""A host root that is a folder, or this machine itself: opened component by component, so that no link can lead out of it."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat as modes
from functools import lru_cache
from pathlib import Path

from mailaudit.collect.directory import MAX_FILE, RefusedError
from mailaudit.collect.root import SETTINGS, Metadata, RootWorld, host_name, own_file, own_settings
from mailaudit.questions import Stat, mtime
from mailaudit.recording import ANSWERS, parse_answers

_CHUNK = 1024 * 1024
_TYPES = {
    modes.S_IFREG: "file",
    modes.S_IFDIR: "directory",
    modes.S_IFLNK: "symlink",
    modes.S_IFIFO: "fifo",
    modes.S_IFSOCK: "socket",
}


class FolderDirectory:
    """A directory of the file system.

    The root is known by its path, those below by a descriptor that was opened without following links, so that a directory
    that is swapped for a link while it is read leads nowhere.
    """

    def __init__(self, prefix: str, descriptor: int | None = None) -> None:
        self._prefix = prefix
        self._descriptor = descriptor

    @classmethod
    def at(cls, root: Path) -> FolderDirectory:
        """A root; a link to it is followed, for it is what the user named."""
        return cls(str(root.resolve()).rstrip("/") + "/")

    def look(self, name: str) -> Stat | None:
        """An entry's metadata, or None if there is none."""
        try:
            status = os.stat(self._prefix + name, dir_fd=self._descriptor, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None
        link = modes.S_ISLNK(status.st_mode)
        target = os.readlink(self._prefix + name, dir_fd=self._descriptor) if link else None
        return Stat(
            type=_TYPES.get(modes.S_IFMT(status.st_mode), "device"),
            mode=modes.S_IMODE(status.st_mode),
            owner=_user(status.st_uid),
            group=_group(status.st_gid),
            size=status.st_size,
            mtime=mtime(status.st_mtime),
            target=target,
        )

    def _open(self, name: str, flags: int) -> int:
        flags |= os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
        return os.open(self._prefix + name, flags, dir_fd=self._descriptor)

    def enter(self, name: str) -> FolderDirectory:
        """A directory below."""
        return FolderDirectory("", self._open(name, os.O_DIRECTORY))

    def names(self) -> list[str]:
        """The names of all entries."""
        with os.scandir(self._prefix if self._descriptor is None else self._descriptor) as entries:
            return [entry.name for entry in entries]

    def read(self, name: str) -> bytes:
        """The bytes of a regular file. What it is is asked again once it is open: it may have been swapped in between."""
        descriptor = self._open(name, 0)
        try:
            if not modes.S_ISREG(os.fstat(descriptor).st_mode):
                raise RefusedError(f"{name} changed into something else while it was read")
            chunks: list[bytes] = []
            size = 0
            while chunk := os.read(descriptor, _CHUNK):
                size += len(chunk)
                if size > MAX_FILE:
                    raise RefusedError(f"{name} is over {MAX_FILE // _CHUNK} MiB, the most that mailaudit reads")
                chunks.append(chunk)
            return b"".join(chunks)
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)


@lru_cache(maxsize=1024)
def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


@lru_cache(maxsize=1024)
def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


class FolderWorld(RootWorld):
    """The world of a host root, a snapshot, or `/`, this machine itself.

    Raises `RecordingError` if its answers.json is not as it must be, `RefusedError` if that or its mailaudit.toml cannot be read.
    """

    def __init__(self, root: Path, target: str | None = None, *, online: bool = False) -> None:
        directory = FolderDirectory.at(root)
        resolved = root.resolve()
        data = own_file(directory, ANSWERS)
        record = None if data is None else parse_answers(data, str(root / ANSWERS))
        super().__init__(
            directory=directory,
            record=record,
            host=host_name(directory, record, resolved.name or socket.gethostname()),
            target=str(root) if target is None else target,
            metadata=Metadata.OWN if resolved == Path("/") else Metadata.NOTHING,
            online=online,
            root=root,
            settings=own_settings(directory, str(root / SETTINGS)),
        )
