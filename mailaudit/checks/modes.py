"""What rules about modes and owners have in common: looking at a path, and saying what was seen there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from shlex import quote

from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Finding, Outcome, Place
from mailaudit.models.files import Files, Unsure, Way
from mailaudit.questions import Reason, Stat

OTHERS_READ, OTHERS_ENTER = 0o004, 0o001
OTHERS_WRITE = 0o022  # a group's others too


@dataclass(frozen=True, slots=True)
class RootsDirectory:
    """A directory that is to be root's, with no more permissions than those of `mode`; `absent` and `opened` say what if not."""

    path: str
    mode: int
    absent: str
    opened: str

    def judged(self, files: Files, about: str, named: Place) -> Iterator[Outcome]:
        """What is wrong with it; `named` is the place that names something in it."""
        stat = looked(files, self.path)
        if isinstance(stat, Doubt):
            yield Doubt(stat.reason, stat.message, (named,))
        elif stat is None or stat.type != "directory":
            make = f"install -d -o root -g wheel -m {self.mode:04o} {quote(self.path)}"
            fix = Fix("Make the directory", Safety.SAFE, commands=(make,))
            yield Finding(self.absent, (Evidence.stat(self.path, stat), named), fix, about, "absent")
        elif stat.owner != "root" or (stat.mode or 0) & 0o077 & ~self.mode:
            message = f"{self.opened}: it has mode {stat.mode:04o} and belongs to {stat.owner}."
            commands = (f"chown root:wheel {quote(self.path)}", f"chmod {self.mode:04o} {quote(self.path)}")
            fix = Fix("Close it to others", Safety.SAFE, commands=commands)
            yield Finding(message, (Evidence.stat(self.path, stat), named), fix, about, f"{stat.mode:04o}")


def looked(files: Files, path: str) -> Stat | Doubt | None:
    """What a path leads to, with mode and owner; None if there is nothing."""
    stat = files.stat(path)
    if isinstance(stat, Unsure):
        return Doubt(stat.reason, stat.detail or f"{path} could not be looked at")
    if not isinstance(stat, Stat):
        return None
    if stat.mode is None or stat.owner is None:
        return Doubt(Reason.NOT_RECORDED, f"mode and owner of {path} were not recorded")
    return stat


def open_to_all(files: Files, path: str) -> Stat | Doubt | None:
    """What every account of the host can read: the file's mode and those of all directories on the way let it; None if not."""
    stat = looked(files, path)
    if not isinstance(stat, Stat) or not (stat.mode or 0) & OTHERS_READ:
        return stat if isinstance(stat, Doubt) else None
    way = files.way(path)
    above = way.directories if isinstance(way, Way) else ()
    hidden = any(each.mode is not None and not each.mode & OTHERS_ENTER for _, each in above)
    return None if hidden else stat
