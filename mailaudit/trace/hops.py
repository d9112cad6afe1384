"""Hops, and the chain that they make: what is said of each, and what of the whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mailaudit.findings import Evidence, Place
from mailaudit.questions import NOT_ASKED, Absent, Answer, Failed, Reason
from mailaudit.text import Span


class Kind(StrEnum):
    """What a hop is about."""

    DNS = "dns"
    FIREWALL = "pf"
    DAEMON = "daemon"
    LISTENER = "listener"
    GREETING = "greeting"
    HANDSHAKE = "handshake"
    TLS = "tls"
    LOGIN = "login"
    SENDER = "sender"
    ADDRESS = "address"
    FILTER = "filter"
    RULE = "match"
    ACTION = "action"
    EXPANSION = "expansion"
    DELIVERY = "delivery"
    MAILBOX = "mailbox"
    SIEVE = "sieve"


class Verdict(StrEnum):
    """What became of a hop."""

    OK = "ok"
    BROKEN = "broken"
    UNKNOWN = "unknown"
    NOT_ASKED = "not-asked"


@dataclass(frozen=True, slots=True)
class Hop:
    """One hop. `subject` is what is looked at, `message` what is said of it, in a sentence or two.

    The first place decides. `reason` is why it could not be told or was not asked. `branch` is the end that this hop leads to
    where one message goes to several; it is empty where all go the same way.
    """

    kind: Kind
    subject: str
    verdict: Verdict
    message: str
    places: tuple[Place | Evidence, ...] = ()
    reason: Reason | None = None
    branch: str = ""


class ChainEndError(Exception):
    """The chain ends with this hop: it is broken there, or nothing beyond it can be told."""

    def __init__(self, hop: Hop) -> None:
        super().__init__(hop.message)
        self.hop = hop


@dataclass(frozen=True, slots=True)
class Trace:
    """All hops up to the end, or to the one with which the chain ends.

    `is_whole` is true if it was followed to its end, `end` says where that is.
    """

    hops: tuple[Hop, ...]
    is_whole: bool
    end: str = ""

    @property
    def breaks(self) -> tuple[Hop, ...]:
        """The hops at which it breaks."""
        return tuple(hop for hop in self.hops if hop.verdict is Verdict.BROKEN)

    @property
    def unknown(self) -> tuple[Hop, ...]:
        """The hops of which it could not be told."""
        return tuple(hop for hop in self.hops if hop.verdict is Verdict.UNKNOWN)

    @property
    def not_asked(self) -> tuple[Hop, ...]:
        """The hops that the network was not asked about."""
        return tuple(hop for hop in self.hops if hop.verdict is Verdict.NOT_ASKED)

    @property
    def verdict(self) -> Verdict:
        """Broken if a hop is; else unknown if one is, or if it was not followed to its end; else ok."""
        if self.breaks:
            return Verdict.BROKEN
        return Verdict.UNKNOWN if self.unknown or not self.is_whole else Verdict.OK

    @property
    def is_incomplete(self) -> bool:
        """True if something could have been told and was not, or if the end was not reached and nothing is broken."""
        if self.breaks:
            return False
        return not self.is_whole or any(hop.reason not in NOT_ASKED for hop in self.unknown)


def ok(kind: Kind, subject: str, message: str, *places: Place | Evidence) -> Hop:
    """The hop is in order."""
    return Hop(kind, subject, Verdict.OK, message, places)


def broken(kind: Kind, subject: str, message: str, *places: Place | Evidence) -> ChainEndError:
    """The chain breaks here; to be raised."""
    return ChainEndError(Hop(kind, subject, Verdict.BROKEN, message, places))


def unknown(kind: Kind, subject: str, reason: Reason, message: str, *places: Place | Evidence) -> Hop:
    """It could not be told."""
    return Hop(kind, subject, Verdict.UNKNOWN, message, places, reason)


def lost(kind: Kind, subject: str, reason: Reason, message: str, *places: Place | Evidence) -> ChainEndError:
    """It could not be told, and without it nothing beyond; to be raised."""
    return ChainEndError(unknown(kind, subject, reason, message, *places))


def unanswered(kind: Kind, subject: str, answer: Answer | None) -> Hop:
    """A question to the network that nobody asked, or that got no answer (contract, section 3: that is never "missing")."""
    reason = answer.reason if isinstance(answer, Failed) else Reason.NOT_RECORDED
    if reason in NOT_ASKED or isinstance(answer, Absent):
        return Hop(kind, subject, Verdict.NOT_ASKED, "The network was not asked.", reason=reason)
    detail = f": {answer.detail}" if isinstance(answer, Failed) and answer.detail else ""
    return unknown(kind, subject, reason, f"There was no answer ({reason}{detail}).")


def at(spans: Iterable[Span | None], label: str = "") -> tuple[Place, ...]:
    """The places of spans, each once; what is no place is left out."""
    return tuple(Place.at(span, label) for span in dict.fromkeys(spans) if span is not None)
