"""The mail that waits in smtpd's queue, as smtpctl(8) shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from mailaudit.models.sources import Known, Lacking, Model, Slot, Sources
from mailaudit.models.system import said
from mailaudit.questions import Command

AGENTS = ("mta", "mda", "bounce")
_FIRST = 7  # the place of the creation time where no address has a bar in it


@dataclass(frozen=True, slots=True)
class Waiting:
    """One envelope: for another server (`mta`), for delivery here (`mda`), or a `bounce`; since when; how often it was tried."""

    agent: str
    since: datetime
    tries: int


@dataclass(frozen=True)
class Queue(Model):
    """All envelopes. `unread` counts the lines that are none."""

    envelopes: tuple[Waiting, ...] = ()
    unread: int = 0


def read_queue(sources: Sources) -> Slot[Queue]:
    """The queue: one line for each envelope, its fields between bars (smtpctl.c, show_queue_envelope())."""
    output = said(sources, Command.SMTPCTL_QUEUE)
    if isinstance(output, Lacking):
        return output
    lines = [line for line in output.splitlines() if line.strip()]
    found = [waiting for line in lines if (waiting := _waiting(line.split("|"))) is not None]
    return Known(Queue(tuple(found), len(lines) - len(found)))


def _waiting(fields: list[str]) -> Waiting | None:
    """An envelope of its fields: id, where from, agent, flags, three addresses, creation, expiry, last try, tries, state, ..."""
    if len(fields) <= _FIRST or fields[2] not in AGENTS:
        return None
    for at in range(_FIRST, len(fields) - 4):  # an address may hold bars
        created, expires, tried, tries = fields[at : at + 4]
        if all(_is_number(each) for each in (created, expires, tried, tries)):
            return Waiting(fields[2], datetime.fromtimestamp(int(created), UTC), int(tries))
    return None


def _is_number(field: str) -> bool:
    return field.isascii() and field.isdigit() and len(field) < 12  # seconds since 1970
