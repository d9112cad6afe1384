"""Ways down into a host root: symbolic links are followed within it only, and what cannot be read is refused by name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache
from typing import Protocol, Self

from mailaudit.questions import Stat
from mailaudit.wording import why_not

MAX_FILE = 16 * 1024 * 1024  # bytes; contract, section 10
MAX_PATH = 4096  # characters; PATH_MAX of the systems at hand is less or equal
MAX_LINKS = 40  # symbolic links on one way; the kernels stop at 32 or 40
MAX_NAMES = 100_000  # entries of one directory
MAX_MATCHES = 10_000  # paths that one glob may give

_MAGIC = re.compile(r"[*?\[]")
_ARTICLES = {
    "directory": "a directory",
    "fifo": "a FIFO",
    "socket": "a socket",
    "device": "a device",
    "symlink": "a symbolic link",
}


class RefusedError(Exception):
    """Something in the target that is not followed or not read; the message names it and says why."""


class Directory(Protocol):
    """An open directory of a host root. Names are single components; no method follows a symbolic link."""

    def look(self, name: str) -> Stat | None:
        """An entry's metadata, or None if there is none."""

    def enter(self, name: str) -> Self:
        """A directory below."""

    def names(self) -> list[str]:
        """The names of all entries, in any order."""

    def read(self, name: str) -> bytes:
        """The bytes of a regular file, at most `MAX_FILE`."""

    def close(self) -> None:
        """Done with it."""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a way led.

    The path after links were followed, what is there (None: nothing), whether links were followed, and its name in the
    directory that was reached (empty: it is that directory itself).
    """

    path: str
    stat: Stat | None
    linked: bool
    name: str = ""


def components(path: str) -> list[str]:
    """The components of a host's absolute path."""
    if not path.startswith("/"):
        raise RefusedError(f"{path} is not an absolute path")
    if len(path) > MAX_PATH:
        raise RefusedError(f"{path[:60]}... is a path of {len(path)} characters; mailaudit follows paths of up to {MAX_PATH}")
    if "\0" in path:
        raise RefusedError(f"{path} holds a NUL character")
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise RefusedError(f'{path} goes up with ".."; mailaudit does not follow that')
    return parts


class Walk:
    """One way down from a root, with the directories it entered, which are closed when it is done."""

    def __init__(self, root: Directory) -> None:
        self._root = root
        self._entered: list[Directory] = []
        self._names: list[str] = []

    @property
    def here(self) -> Directory:
        """The directory that was reached."""
        return self._entered[-1] if self._entered else self._root

    def close(self) -> None:
        """Close the directories that were entered."""
        while self._entered:
            self._leave()

    def _leave(self) -> None:
        self._names.pop()
        self._entered.pop().close()

    def _path(self, *more: str) -> str:
        return "/" + "/".join((*self._names, *more))

    def find(self, path: str, *, follow: bool) -> Spot:
        """What is at a path. Links on the way are followed, one at its end only with `follow`.

        Afterwards `here` is the directory that holds it.
        """
        todo = components(path)[::-1]
        links = 0
        while todo:
            name = todo.pop()
            if name == "..":
                if not self._names:
                    raise RefusedError(f"{path} is a symbolic link that leads out of the root")
                self._leave()
                continue
            stat = self.here.look(name)
            if stat is None:
                return Spot(self._path(name, *reversed(todo)), None, links > 0)
            if stat.type == "symlink" and (todo or follow):
                links += 1
                if links > MAX_LINKS:
                    raise RefusedError(f"{path} leads through more than {MAX_LINKS} symbolic links, a loop at {self._path(name)}")
                todo += self._link(path, stat.target or "")[::-1]
                continue
            if not todo:
                return Spot(self._path(name), stat, links > 0, name)
            if stat.type != "directory":
                return Spot(self._path(name, *reversed(todo)), None, links > 0)
            self._entered.append(self.here.enter(name))
            self._names.append(name)
        return Spot(self._path(), Stat("directory"), links > 0)

    def _link(self, path: str, target: str) -> list[str]:
        if len(target) > MAX_PATH:
            raise RefusedError(f"{path} is a symbolic link of {len(target)} characters")
        if target.startswith("/"):
            self.close()
        return [part for part in target.split("/") if part not in ("", ".")]


@contextmanager
def walking(root: Directory, path: str) -> Iterator[Walk]:
    """A walk whose failures of the system become `RefusedError`, naming `path`."""
    walk = Walk(root)
    try:
        yield walk
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {why_not(error)}") from error
    finally:
        walk.close()


def look(root: Directory, path: str) -> Spot:
    """What is at a path; a symbolic link at its end is not followed."""
    with walking(root, path) as walk:
        return walk.find(path, follow=False)


def read(root: Directory, path: str) -> tuple[Spot, bytes]:
    """The bytes of a file and where it was found; no bytes where nothing is (`Spot.stat` is None)."""
    with walking(root, path) as walk:
        spot = walk.find(path, follow=True)
        if spot.stat is None:
            return spot, b""
        where = path if spot.path == path else f"{path} leads to {spot.path}, which"
        if spot.stat.type != "file":
            raise RefusedError(f"{where} is {_ARTICLES.get(spot.stat.type, spot.stat.type)}; mailaudit reads regular files only")
        if (spot.stat.size or 0) > MAX_FILE:
            raise RefusedError(f"{where} is {_mib(spot.stat.size or 0)}; mailaudit reads files of up to {_mib(MAX_FILE)}")
        return spot, walk.here.read(spot.name)


def _mib(size: int) -> str:
    return f"{size / (1024 * 1024):.0f} MiB"


def glob(root: Directory, pattern: str) -> tuple[str, ...]:
    """List the paths that match a glob of `*`, `?` and `[]`, sorted; only a dot matches a leading dot."""
    parts = components(pattern)
    found = [""]
    for part in parts:
        if _MAGIC.search(part):
            found = [path for base in found for path in _matches(root, base, part)]
        else:
            found = [f"{base}/{part}" for base in found]
        if len(found) > MAX_MATCHES:
            raise RefusedError(f"{pattern} matches more than {MAX_MATCHES} paths")
    if parts and not _MAGIC.search(parts[-1]):
        found = [path for path in found if look(root, path).stat is not None]
    return tuple(sorted(found))


def _matches(root: Directory, base: str, part: str) -> list[str]:
    wanted = _matcher(part)
    return [f"{base}/{name}" for name in listing(root, base or "/") if wanted(name)]


def listing(root: Directory, path: str) -> list[str]:
    """The names in a directory; none where there is no directory."""
    with walking(root, path) as walk:
        spot = walk.find(path, follow=True)
        if spot.stat is None or spot.stat.type != "directory":
            return []
        if not spot.name:
            return _bounded(path, walk.here.names())
        inside = walk.here.enter(spot.name)
        try:
            return _bounded(path, inside.names())
        finally:
            inside.close()


def _bounded(path: str, names: list[str]) -> list[str]:
    if len(names) > MAX_NAMES:
        raise RefusedError(f"{path} holds more than {MAX_NAMES} entries")
    return names


@lru_cache(maxsize=256)
def _matcher(part: str) -> Callable[[str], bool]:
    """Tells whether a name matches one component of a glob."""
    dotted = part.startswith(".")
    match = re.compile(translate(part)).match
    return lambda name: (dotted or not name.startswith(".")) and match(name) is not None
