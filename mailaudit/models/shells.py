"""The shells that people may log in with: shells(5)."""

from __future__ import annotations

from dataclasses import dataclass

from mailaudit.models.sources import Known, Lacking, Model, Slot, Sources
from mailaudit.questions import Failed, Reason
from mailaudit.text import Text

PATH = "/etc/shells"
STOCK = frozenset({"/bin/sh", "/bin/csh", "/bin/ksh"})
ASSUMED = f"OpenBSD's own shells, for {PATH} is not there"


@dataclass(frozen=True)
class Shells(Model):
    """The paths of the shells."""

    paths: frozenset[str] = STOCK


def read_shells(sources: Sources) -> Slot[Shells]:
    """The shells of the host; getusershell(3) takes the system's own where there is no file."""
    found = sources.file(PATH)
    if isinstance(found, Failed) and found.reason is not Reason.NOT_RECORDED:
        return Lacking(found.reason, found.detail, PATH)
    if not isinstance(found, Text):
        return Known(Shells(assumed=(ASSUMED,)))
    lines = (line.split("#", 1)[0].strip() for line in found.chars.splitlines())
    return Known(Shells(frozenset(line for line in lines if line.startswith("/"))))
