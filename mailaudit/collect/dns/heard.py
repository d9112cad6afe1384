"""What name servers said in one run, whichever host's audit asked them: hosts of one site share their zones."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncio

    import dns.message
    import dns.name

    from mailaudit.collect.trips import Steps

Key = tuple[Any, Any]
"""A `Server` and a `Query` of `wire`, which imports this."""


@dataclass
class Heard:
    """What all hosts of a run share of DNS. They are asked on one loop, so nobody writes while somebody reads.

    Messages that came and queries that are under way, how often each server answered or did not, how many it is asked at once,
    and the label that stands for `*` below a domain. What one host's audit did not get is no news to others: its time may have
    been over.
    """

    known: dict[Key, dns.message.Message] = field(default_factory=dict)
    flying: dict[Key, asyncio.Task[dns.message.Message]] = field(default_factory=dict)
    chains: dict[Key, Steps] = field(default_factory=dict)
    answered: set[Any] = field(default_factory=set)
    unanswered: dict[Any, int] = field(default_factory=dict)
    gates: dict[Any, asyncio.Semaphore] = field(default_factory=dict)
    labels: dict[dns.name.Name, bytes] = field(default_factory=dict)
