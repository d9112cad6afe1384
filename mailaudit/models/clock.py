"""What time it is for an audit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from mailaudit.models.sources import Model


@dataclass(frozen=True)
class Clock(Model):
    """The time that certificates, releases and files are judged at: that of --now, else the snapshot's own, else the clock's."""

    now: datetime


def read_clock(chosen: datetime | None, taken: str | None, current: datetime) -> Clock:
    """The time of an audit, in UTC. `chosen` is that of --now, `taken` the record's, `current` the clock's."""
    now = chosen or (moment(taken) if taken else None) or current
    return Clock(now=now.astimezone(UTC))


def moment(written: str) -> datetime | None:
    """A time as answers.json has it: `2026-11-22T12:00:00Z`; None if it is none. Without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(written)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
