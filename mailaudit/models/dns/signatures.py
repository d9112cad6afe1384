"""The signatures of a zone, as far as their times tell something: RRSIG records in presentation text (RFC 4034, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mailaudit.models.dns.reply import Reply

_TIME = "%Y%m%d%H%M%S"
_FIELDS = 9


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature: the type that it covers, when it begins to hold and when it ends."""

    covers: str
    begins: datetime
    ends: datetime

    def left(self, now: datetime) -> timedelta:
        """How long it holds from now on."""
        return self.ends - now

    def is_stale(self, now: datetime, least: timedelta) -> bool:
        """True if it ends sooner than is safe. A signer that signs anew all the time may do so for a day or two at once."""
        return self.left(now) < least and self.left(now) < (self.ends - self.begins) / 4


def signatures(reply: Reply) -> tuple[Signature, ...]:
    """The signatures of an answer."""
    return tuple(_read(reply))


def _read(reply: Reply) -> Iterator[Signature]:
    for data in reply.data:
        fields = data.split()
        if len(fields) >= _FIELDS:
            with suppress(ValueError):  # no times that there are
                begins, ends = (datetime.strptime(fields[at], _TIME).replace(tzinfo=UTC) for at in (5, 4))
                yield Signature(fields[0], begins, ends)
