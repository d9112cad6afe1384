"""Copies of the configuration that were put aside: whether they are there, and whether a secret is in them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailaudit.models.sources import Model, Sources
from mailaudit.questions import Absent, Failed
from mailaudit.text import Text

SMTPD = "/etc/smtpd.conf.bak"
_SECRET = re.compile(r"^[ \t]*(?:queue[ \t]+encryption\b|srs[ \t]+key\b)|\$2[aby]\$", re.MULTILINE)


@dataclass(frozen=True)
class Copies(Model):
    """`in_smtpd` is true if the copy of smtpd.conf holds a queue or SRS key or a password's hash, None if that is not known."""

    in_smtpd: bool | None = None
    why: Failed | None = None


def read_copies(sources: Sources) -> Copies:
    """The copy that the guide has one make of smtpd.conf."""
    found = sources.file(SMTPD)
    match found:
        case Text():
            return Copies(_SECRET.search(found.chars) is not None)
        case Absent():
            return Copies(in_smtpd=False)
        case _:
            return Copies(why=found)
