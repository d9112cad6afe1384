"""Files and directories as the kernel sees them: where a path leads, and whom the modes on the way let do what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntFlag
from posixpath import dirname, join, normpath

from mailaudit.models.accounts import Accounts
from mailaudit.models.sources import Known, Model, Slot, Sources
from mailaudit.questions import Absent, Failed, Reason, Stat
from mailaudit.text import decimal

MAX_LINKS = 32  # SYMLOOP_MAX of OpenBSD's <limits.h>
SHIPPED = frozenset(
    f"{above}{name}"
    for above, names in (
        ("/", ("", "bin", "dev", "etc", "home", "sbin", "usr", "var")),
        ("/etc/", ("mail", "ssh", "ssl")),
        ("/usr/", ("bin", "libexec", "libexec/smtpd", "local", "sbin")),
        ("/usr/local/", ("bin", "lib", "lib/dovecot", "libexec", "libexec/smtpd", "sbin")),
        ("/var/", ("spool", "www")),
    )
    for name in names
)
"""Directories that OpenBSD or its packages make and open to everyone (0755, root:wheel): taken for that where not looked at."""

BASE = frozenset(path for path in SHIPPED if not path.startswith("/usr/local"))
"""Those of OpenBSD itself: a repository in which nothing lies below one does not say that a host lacks it."""


class Access(IntFlag):
    """What one wants of a file: as in access(2). Of a directory, `EXECUTE` is to go through it."""

    READ = 4
    WRITE = 2
    EXECUTE = 1


@dataclass(frozen=True, slots=True)
class Allowed:
    """The kernel lets it be done."""


@dataclass(frozen=True, slots=True)
class Denied:
    """The kernel forbids it: `path` is the file or the directory on the way whose mode does."""

    path: str
    stat: Stat


@dataclass(frozen=True, slots=True)
class Gone:
    """There is no such file: `path` is the first part of the way that is not there, or the link that leads nowhere."""

    path: str


@dataclass(frozen=True, slots=True)
class Unsure:
    """It could not be told, and why."""

    reason: Reason
    detail: str


Verdict = Allowed | Denied | Gone | Unsure


@dataclass(frozen=True, slots=True)
class Way:
    """The way to a file: the directories that are gone through, links followed, and the file itself at its end."""

    directories: tuple[tuple[str, Stat], ...]
    path: str
    stat: Stat


@dataclass(frozen=True, eq=False)
class Files(Model):
    """What is known of the metadata of the paths that rules ask about, of the directories above them and the links among them.

    `of_host` is true if it was looked at on a host or recorded there: of a repository, what is not there says nothing of what
    packages and people left on the host beside it.
    """

    found: Mapping[str, Stat | Absent | Failed] = field(default_factory=dict, repr=False)
    accounts: Slot[Accounts] | None = None
    of_host: bool = True

    def way(self, path: str) -> Way | Gone | Unsure:
        """The way to a path from the root, links followed."""
        gone_through: list[tuple[str, Stat]] = []
        parts = _parts(path)
        at, links = "/", 0
        stat = self._look("/")
        while isinstance(stat, Stat):
            if stat.type == "symlink":
                links += 1
                if links > MAX_LINKS or not stat.target:
                    return Gone(at)
                parts = [*_parts(normpath(join(dirname(at), stat.target))), *parts]
                at = "/"
            elif not parts:
                return Way(tuple(gone_through), at, stat)
            elif stat.type != "directory":
                return Gone(at)
            else:
                gone_through.append((at, stat))
                at = join(at, parts.pop(0))
            stat = self._look(at)
        return Gone(at) if isinstance(stat, Absent) else Unsure(stat.reason, stat.detail)

    def stat(self, path: str) -> Stat | Gone | Unsure:
        """The metadata of what a path leads to, links followed."""
        way = self.way(path)
        if isinstance(way, Unsure) and isinstance(self.found.get(normpath(path)), Absent):
            return Gone(path)  # wherever the way leads, it is not there
        return way.stat if isinstance(way, Way) else way

    def may(self, user: str, path: str, access: Access) -> Verdict:
        """Whether a user may do something with what a path leads to: every directory on the way counts (access(2))."""
        way = self.way(path)
        if not isinstance(way, Way):
            return way
        for directory, stat in way.directories:
            verdict = self._lets(user, directory, stat, Access.EXECUTE)
            if not isinstance(verdict, Allowed):
                return verdict
        return self._lets(user, way.path, way.stat, access)

    def _look(self, path: str) -> Stat | Absent | Failed:
        known = self.found.get(path)
        has_no_mode = isinstance(known, Stat) and known.type == "directory" and known.mode is None
        unknown = known is None or (isinstance(known, Failed) and known.reason is not Reason.UNREADABLE)
        if path in SHIPPED and (has_no_mode or unknown or (path in BASE and isinstance(known, Absent))):
            return Stat("directory", 0o755, "root", "wheel")
        if known is None:
            return Failed(Reason.NOT_RECORDED, f"the metadata of {path} was not recorded")
        return known

    def _lets(self, user: str, path: str, stat: Stat, access: Access) -> Verdict:
        if user == "root":
            needs_a_bit = access & Access.EXECUTE and stat.type != "directory"
            if not needs_a_bit:
                return Allowed()
        if stat.mode is None or stat.owner is None or stat.group is None:
            return Unsure(Reason.NOT_RECORDED, f"mode and owner of {path} were not recorded")
        if user == "root":
            return Allowed() if stat.mode & 0o111 else Denied(path, stat)
        if self._is_user(user, stat.owner):
            bits = stat.mode >> 6 & 7
        else:
            member = self._in_group(user, stat.group)
            bits = (stat.mode >> 3 if member else stat.mode) & 7
            if member is None:
                both = stat.mode >> 3 & stat.mode & 7
                either = (stat.mode >> 3 | stat.mode) & 7
                if both & access != access and either & access == access:
                    why = f"whether {user} is in group {stat.group}, which {path} belongs to, is not known"
                    return Unsure(Reason.NOT_RECORDED, why)
                bits = either
        return Allowed() if bits & access == access else Denied(path, stat)

    def _known(self) -> Accounts | None:
        return self.accounts.value if isinstance(self.accounts, Known) else None

    def _is_user(self, name: str, owner: str) -> bool:
        if name == owner:
            return True
        known = self._known()
        user = known.user(name) if known is not None else None
        return user is not None and str(user.uid) == owner

    def _in_group(self, name: str, group: str) -> bool | None:
        """True if a user is in a group, by its account or by /etc/group; None where that cannot be told."""
        known = self._known()
        user = known.user(name) if known is not None else None
        gid = decimal(group)
        found = known and (known.group(group) or (None if gid is None else known.group_by_id(gid)))
        if found and name in found.members:
            return True
        if user is not None:
            if found:
                return user.gid == found.gid
            return None if gid is None else user.gid == gid
        return True if group == name else None  # OpenBSD's own accounts each have a group of their name


def read_files(sources: Sources, accounts: Slot[Accounts], paths: Iterable[str]) -> Files:
    """What is to be known of these absolute paths, asked from the root down."""
    found: dict[str, Stat | Absent | Failed] = {}
    open_ = [normpath(path) for path in paths if path.startswith("/")]
    seen: set[str] = set()
    while open_:
        path = open_.pop()
        if path in seen:
            continue
        seen.add(path)
        stat = found[path] = sources.stat(path)
        if path != "/":
            open_.append(dirname(path))
        if isinstance(stat, Stat) and stat.type == "symlink" and stat.target and len(seen) < MAX_LINKS * 64:
            target = normpath(join(dirname(path), stat.target))
            open_.append(target)
            open_ += [target + each.removeprefix(path) for each in (*found, *open_) if each.startswith(path + "/")]
    of_host = sources.snapshot.recorded or any(isinstance(stat, Stat) and stat.mode is not None for stat in found.values())
    return Files(found=found, accounts=accounts, of_host=of_host, assumed=_taken_as_shipped(found) if of_host else ())


def _taken_as_shipped(found: Mapping[str, Stat | Absent | Failed]) -> tuple[str, ...]:
    """The directories of the system that were not looked at; what every host has at its root needs no word."""
    unknown = (path for path, stat in sorted(found.items()) if path != "/" and path in SHIPPED and _was_not_asked(stat))
    return tuple(f"{path} is as OpenBSD or its package makes it" for path in unknown)


def _was_not_asked(stat: Stat | Absent | Failed) -> bool:
    if isinstance(stat, Stat):
        return stat.mode is None
    return isinstance(stat, Failed) and stat.reason is not Reason.UNREADABLE


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part and part != "."]
