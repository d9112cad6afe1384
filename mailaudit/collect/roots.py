"""Finds the hosts in a target: one root, a repository with several at any depth, or an archive of either."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from errno import ENAMETOOLONG
from pathlib import Path

from mailaudit.collect.directory import Directory, RefusedError, glob, look
from mailaudit.collect.folder import FolderDirectory, FolderWorld
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.collect.root import SETTINGS, Metadata, RootWorld, own_settings
from mailaudit.collect.world import Layers, TargetError
from mailaudit.questions import Stat
from mailaudit.settings.tables import SettingsError
from mailaudit.wording import why_not

KNOWN = (
    "/etc/pf.conf",
    "/etc/mail/smtpd.conf",
    "/etc/dovecot/*.conf",
    "/etc/acme-client.conf",
    "/etc/httpd.conf",
    "/etc/rspamd/local.d/*",
)
"""The files one of which makes a directory a host root (contract, section 6)."""
MAX_DEPTH = 64  # directories, one in another
MAX_LOOKED = 200_000  # entries that are looked at in search of roots
MAX_LINKS_SEEN = 1000  # symbolic links on the way that may lead to a root
MAX_LOOKED_INSIDE = 5_000  # the same in a root
OF_A_HOST = frozenset(
    ("altroot", "bin", "boot", "dev", "etc", "home", "mnt", "root", "sbin", "stand", "sys", "tmp", "usr", "var")
)
"""The directories at the top of a host, hier(7); what is in them is the host's."""


@dataclass
class Roots:
    """The hosts of a target, in the order of their paths, and what could not be looked at on the way.

    `aside` has a sentence for each root that is seen and is none of these hosts: in another's folder, or behind a link.
    """

    worlds: list[RootWorld] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    aside: dict[Path, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[RootWorld]:
        return iter(self.worlds)


@dataclass
class _Search:
    """A search for roots. `named` gives the name that people have for what lies at a path in the target."""

    errors: list[str]
    named: Callable[[str], str]
    most: int = field(default_factory=lambda: MAX_LOOKED)
    looked: int = 0
    links: list[str] = field(default_factory=list)
    inner: dict[Path, str] = field(default_factory=dict)
    _way: list[tuple[str, Directory]] = field(default_factory=list)
    _settings: dict[str, Layers] = field(default_factory=dict)

    def roots(self, directory: Directory, path: str = "") -> Iterator[tuple[str, Layers]]:
        """The host roots in a directory, itself included: their paths, and the settings in the directories above each.

        What lies in a root belongs to its host. Roots in there are told, not searched for to the end.
        """
        try:
            found = is_root(directory)
        except OSError as error:
            self._lost(path, error)
            return
        if found:
            yield path, tuple(layer for above in self._way for layer in self._of(*above))
            self._inside(directory, path)
            return
        if len(self._way) == MAX_DEPTH:
            self.errors.append(f"{self.named(path)} is nested more than {MAX_DEPTH} directories deep; it was not searched")
            return
        names = self._below(directory, path)
        self._way.append((path, directory))
        yield from self._deeper(directory, path, names)
        self._way.pop()

    def _deeper(self, directory: Directory, path: str, names: list[str]) -> Iterator[tuple[str, Layers]]:
        for name in names:
            try:
                inside = directory.enter(name)
            except OSError as error:
                self._lost(f"{path}/{name}", error)
                continue
            try:
                yield from self.roots(inside, f"{path}/{name}")
            finally:
                inside.close()

    def _lost(self, path: str, error: OSError) -> None:
        self.errors.append(f"{self.named(path)} could not be searched: {why_not(error)}")

    def _of(self, path: str, directory: Directory) -> Layers:
        """The settings in a directory above a root."""
        if path not in self._settings:
            self._settings[path] = own_settings(directory, self.named(f"{path}/{SETTINGS}"))
        return self._settings[path]

    def _inside(self, directory: Directory, path: str) -> None:
        """Tell of roots beside the host's own directories."""
        inner = _Search([], self.named, MAX_LOOKED_INSIDE)
        try:
            names = [name for name in inner._below(directory, path) if name not in OF_A_HOST]
            found = [root for root, _ in inner._deeper(directory, path, names)]
        except (TargetError, SettingsError):
            return
        for root in map(self.named, found):
            said = f"{root} lies in a host root and was not audited: move it out, or name it as a target"
            self.inner[Path(root).resolve()] = said

    def _below(self, directory: Directory, path: str) -> list[str]:
        try:
            names = sorted(name for name in directory.names() if not name.startswith("."))
        except OSError as error:
            self._lost(path, error)
            return []
        self.looked += len(names)
        if self.looked > self.most:
            raise TargetError(f"more than {self.most} files to search for host roots; name the roots themselves", 2)
        found = []
        for name in names:
            stat = directory.look(name)
            if stat is not None and stat.type == "directory":
                found.append(name)
            elif stat is not None and stat.type == "symlink" and len(self.links) < MAX_LINKS_SEEN:
                self.links.append(f"{path}/{name}")
        return found


def is_root(directory: Directory) -> bool:
    """True if a directory is a host root. A known file that cannot be looked at is there all the same.

    Raises `OSError` for a directory that may not be searched.
    """
    if directory.look("etc") is None:
        return False
    try:
        return any(glob(directory, pattern) if "*" in pattern else look(directory, pattern).stat for pattern in KNOWN)
    except (RefusedError, OSError):
        return True


def find_worlds(target: str, *, online: bool = False) -> Roots:
    """The worlds of a path: a host root, a repository with several, a snapshot, a tar archive, or `/`.

    Raises `TargetError` with code 2 if there is no such path or it is neither directory nor archive, 3 if nothing known is in
    it, 4 if it cannot be read; `RecordingError` for an answers.json that is not as it must be.
    """
    path = Path(target)
    try:
        if path.is_dir():
            return _of_folder(path, target, online)
        if path.is_file():
            return _of_archive(path, target)
        there = path.exists() or path.is_symlink()
    except OSError as error:
        code = 2 if error.errno == ENAMETOOLONG else 4
        raise TargetError(f"{target}: {why_not(error)}", code) from error
    except RefusedError as error:
        raise TargetError(f"{target}: {error}", 4) from error
    except ValueError:
        there = False
    what = "is neither a directory nor a tar archive" if there else "does not exist"
    raise TargetError(f"{target} {what}", 2)


def _of_folder(path: Path, target: str, online: bool) -> Roots:
    found = Roots()
    search = _Search(found.errors, lambda below: str(path / below.strip("/")))
    for below, settings in search.roots(FolderDirectory.at(path)):
        root = path / below.strip("/") if below else path
        world = FolderWorld(root, target if not below else str(root), online=online)
        world.settings = (*settings, *world.settings)
        found.worlds.append(world)
    found.aside = search.inner | dict(_linked(path, search, {world.root.resolve() for world in found if world.root is not None}))
    return _some(found, target)


def _linked(path: Path, search: _Search, roots: set[Path]) -> Iterator[tuple[Path, str]]:
    """A sentence for each link to a host root that is not audited where it lies; links themselves are not followed."""
    for link in search.links:
        with suppress(OSError, RuntimeError, ValueError):  # it leads nowhere, or in circles
            there = (path / link.strip("/")).resolve(strict=True)
            if there.is_dir() and there not in roots and is_root(FolderDirectory.at(there)):
                yield there, f"{search.named(link)} is a symbolic link to a host root, and is not followed: name that as a target"


def _is_a_hosts(etc: Stat | None) -> bool:
    """False if no host can have this /etc: it is somebody's or closed to all, as in a copy, whose modes are not the host's."""
    if etc is None or etc.mode is None:
        return True
    return etc.owner in ("root", "0") and etc.mode & 0o005 == 0o005


def _of_archive(path: Path, target: str) -> Roots:
    from mailaudit.collect.archive import read_archive  # noqa: PLC0415  most targets are folders, which need no tarfile

    archive = read_archive(path)
    found = Roots(errors=archive.refused)
    top = MemoryDirectory(archive.root)
    search = _Search(found.errors, lambda below: f"{target}:{below.lstrip('/')}".rstrip(":"))
    for below, settings in search.roots(top):
        directory = top
        for name in below.strip("/").split("/") if below else ():
            directory = directory.enter(name)
        name = below.rsplit("/", 1)[-1] or path.name.split(".", 1)[0] or path.name
        metadata = Metadata.ARCHIVED if archive.modes and _is_a_hosts(directory.look("etc")) else Metadata.NOTHING
        world = MemoryWorld(directory, name, f"{target}:{below[1:]}" if below else target, metadata)
        world.settings = (*settings, *world.settings)
        found.worlds.append(world)
    found.aside = search.inner
    return _some(found, target)


def _some(found: Roots, target: str) -> Roots:
    if found.worlds:
        return found
    if missed := [*found.errors, *found.aside.values()]:
        raise TargetError(f"{target}: no host root was found, and not all could be searched: {'; '.join(missed)}", 4)
    known = ", ".join(pattern.removeprefix("/etc/") for pattern in KNOWN)
    raise TargetError(f"{target}: nothing to audit: no etc/ that holds one of {known}", 3)
