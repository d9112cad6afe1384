"""What rules about modes and owners have in common: looking at a path, and saying what was seen there."""

from __future__ import annotations

from mailaudit.findings import Doubt, Evidence
from mailaudit.models.files import Files, Unsure
from mailaudit.questions import Reason, Stat


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


def shown(stat: Stat) -> str:
    """Mode and owner as ls(1) has them: `0644 root:wheel`."""
    mode = "?" if stat.mode is None else f"{stat.mode:04o}"
    return f"{mode} {stat.owner}:{stat.group}"


def evidence(path: str, stat: Stat | None) -> Evidence:
    """What was asked about a path, and the answer."""
    return Evidence(f"stat {path}", "absent" if stat is None else shown(stat))
