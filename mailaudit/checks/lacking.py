"""What rules say where a file that would help them is there and could not be read."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.findings import Doubt
from mailaudit.models.files import Unsure
from mailaudit.models.sources import Lacking
from mailaudit.questions import Reason


def unread(*slots: object) -> Iterator[Doubt]:
    """A doubt for each file that could not be read, for it might say otherwise; what was never recorded is passed over."""
    for slot in slots:
        if isinstance(slot, Lacking) and slot.reason is not Reason.NOT_RECORDED:
            yield Doubt(slot.reason, slot.detail or f"{slot.path} could not be looked at")


def whether_there(path: str, why: Unsure) -> Doubt:
    """That it is not known whether there is a file or directory."""
    return Doubt(why.reason, f"Whether there is a {path} is not known: {why.detail or 'it was not recorded'}.")
