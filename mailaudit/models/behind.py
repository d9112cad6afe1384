"""Which daemons surely run older files than those on disk."""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit.models.clock import moment
from mailaudit.models.files import Files
from mailaudit.models.processes import Processes, is_younger
from mailaudit.models.sources import Known, Model, Slot
from mailaudit.questions import Stat


@dataclass(frozen=True)
class Behind(Model):
    """The daemons by name, in lower case; HOST036 tells of them, so that what they show need not be told again."""

    daemons: frozenset[str] = frozenset()

    def __contains__(self, daemon: str) -> bool:
        return daemon.lower() in self.daemons


def read_behind(processes: Slot[object], files: Files) -> Behind:
    """Those whose files changed after they were read; where a daemon may have read them again unseen it does not count."""
    if not isinstance(processes, Known) or not isinstance(processes.value, Processes):
        return Behind()
    known = processes.value
    return Behind(daemons=frozenset(daemon for daemon in known.files if _is_behind(known, files, daemon)))


def _is_behind(processes: Processes, files: Files, daemon: str) -> bool:
    read = processes.read_at(daemon)
    if read is None or read[1]:
        return False
    stats = (files.stat(path) for path in processes.files[daemon])
    times = (moment(stat.mtime) for stat in stats if isinstance(stat, Stat) and stat.mtime)
    return any(is_younger(time, read[0]) for time in times if time is not None)
