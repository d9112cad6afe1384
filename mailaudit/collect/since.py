"""Which hosts of a folder differ from a revision of git: by their own files, and by what they share with others.

The files are compared here, not by git, which would run what the repository's configuration names (decision 20).
"""

from __future__ import annotations

import hashlib
import os
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mailaudit.collect.directory import Directory, RefusedError
from mailaudit.collect.folder import FolderDirectory
from mailaudit.collect.git import RevisionError, held_since
from mailaudit.collect.root import SETTINGS
from mailaudit.collect.roots import KNOWN, MAX_DEPTH
from mailaudit.questions import Stat

MOST_FILES = 100_000  # of one host; one with more is not compared, but taken for touched
_ROOT = re.compile(
    rf"((?:/[^/.][^/]*)*)(?:{'|'.join(re.escape(each).replace(re.escape('*'), '[^/.][^/]*') for each in KNOWN)})",
)
"""The path of a file that makes a folder a host root, which is the group."""
Files = Mapping[str, tuple[str, str]]
"""Files by path: `file`, `link` or `submodule`, and the name that git gives to such bytes."""


@dataclass(frozen=True)
class Since:
    """A folder, and what it held at a revision."""

    folder: Path
    target: str
    revision: str
    files: Files
    digest: str
    _names: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, target: str, revision: str) -> Since:
        """The folder that a target is. Raises `RevisionError`."""
        if not Path(target).is_dir():
            raise RevisionError(f"--since {revision}: {target} is no folder in a git repository")
        folder = Path(target).resolve()
        held = held_since(folder, revision)
        kinds = {"120000": "link", "160000": "submodule"}
        files = {path: (kinds.get(each.mode, "file"), each.name) for path, each in held.files.items()}
        return cls(folder, target, revision, files, "sha1" if len(held.commit) == 40 else "sha256", sorted(files))

    def touches(self, root: Path, shared: Iterable[Path] = ()) -> bool:
        """True if a host's files are not what they were, or a file above it that it shares with others."""
        path = self._path(root)
        if path is None:
            return True
        above = [f"{each}/{SETTINGS}".lstrip("/") for each in _above(path)]
        others = [each for each in map(self._path, shared) if each is not None]
        return any(map(self._differs, (*above, *others))) or self._held(path) != self._now(path)

    def gone(self, roots: Iterable[Path]) -> Iterator[str]:
        """A sentence for each host that was there and is not any more; or that has another name, if it is the same otherwise."""
        here = {path for path in map(self._path, roots) if path is not None}
        found = (_ROOT.fullmatch(f"/{file}") for file in self.files)
        before = {match[1].lstrip("/") for match in found if match is not None}
        before = {path for path in before if before.isdisjoint(_above(path))}
        new = {path: self._now(path) for path in sorted(here - before)}
        for path in sorted(before - here):
            held = self._held(path)
            now = next((name for name, files in new.items() if files == held), None)
            what = "is no host any more" if now is None else f"is {Path(self.target) / now} now"
            if here.isdisjoint(_above(path)):
                yield f"{Path(self.target) / path} was a host at {self.revision}, and {what}"

    def _path(self, there: Path) -> str | None:
        """A path from the folder; None for what lies elsewhere."""
        try:
            found = there.resolve().relative_to(self.folder)
        except (ValueError, OSError, RuntimeError):
            return None
        return "" if found == Path() else str(found)

    def _held(self, path: str) -> Files:
        """The files that were below a path."""
        if not path:
            return self.files
        first, last = (bisect_left(self._names, f"{path}{mark}") for mark in "/0")  # 0 is what follows /
        return {name[len(path) + 1 :]: self.files[name] for name in self._names[first:last]}

    def _now(self, path: str) -> Files | None:
        """The files that are below a path; None where that cannot be told."""
        found: dict[str, tuple[str, str]] = {}
        try:
            self._walk(FolderDirectory.at(self.folder / path), "", found)
        except (OSError, RefusedError):
            return None
        return found

    def _walk(self, directory: Directory, path: str, found: dict[str, tuple[str, str]]) -> None:
        for name in directory.names():
            stat = directory.look(name)
            if name == ".git" or stat is None:
                continue
            if len(found) == MOST_FILES or path.count("/") == MAX_DEPTH:
                raise RefusedError(f"{path} holds too much to compare")
            if stat.type != "directory":
                found[path + name] = self._seen(directory, name, stat)
                continue
            below = directory.enter(name)
            try:
                self._walk(below, f"{path}{name}/", found)
            finally:
                below.close()

    def _seen(self, directory: Directory, name: str, stat: Stat) -> tuple[str, str]:
        if stat.type not in ("file", "symlink"):
            return stat.type, ""
        data = directory.read(name) if stat.type == "file" else os.fsencode(stat.target or "")
        named = hashlib.new(self.digest, b"blob %d\0" % len(data), usedforsecurity=False)
        named.update(data)
        return "file" if stat.type == "file" else "link", named.hexdigest()

    def _differs(self, path: str) -> bool:
        """True if one file is not what it was. Where a link leads is not followed: what it leads to may be another."""
        folder, _, name = path.rpartition("/")
        try:
            directory = FolderDirectory.at(self.folder / folder)
            stat = directory.look(name)
            now = None if stat is None else self._seen(directory, name, stat)
        except (OSError, RefusedError):
            return True
        return now != self.files.get(path) or (now is not None and now[0] != "file")


def _above(path: str) -> Iterator[str]:
    """The paths of the folders above one, that of the target included."""
    while path:
        path = path.rpartition("/")[0]
        yield path
