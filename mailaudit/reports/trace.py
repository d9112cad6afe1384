"""A trace as JSON: schema `mailaudit.trace/1`, described by schema/trace.schema.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mailaudit import __version__
from mailaudit.findings import Evidence, Place
from mailaudit.reports.json import dump, place_data
from mailaudit.reports.masking import Mask, visible
from mailaudit.text import Span, Text
from mailaudit.trace.hops import Hop, Trace, Verdict
from mailaudit.trace.ways import Asked

SCHEMA = "mailaudit.trace/1"
LONGEST = 400  # characters of an excerpt


@dataclass(frozen=True)
class HostTrace:
    """The trace of one host. `texts` are the files that places speak of, `secrets` what no report may show."""

    name: str
    target: str
    online: bool
    trace: Trace
    assumed: tuple[str, ...] = ()
    texts: Mapping[str, Text] = field(default_factory=dict, repr=False)
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @cached_property
    def mask(self) -> Mask:
        """What masks its secrets."""
        return Mask.of(self.secrets, self.texts.values())


@dataclass(frozen=True, slots=True)
class Told:
    """What one run of `mailaudit trace` found; without a host, `errors` say why."""

    way: str
    address: str
    asked: Asked | None = None
    host: HostTrace | None = None
    errors: tuple[str, ...] = ()
    exit_code: int = 0
    exit_reason: str = ""


def write(told: Told) -> str:
    """The trace as JSON, in ASCII characters, with a final newline."""
    return dump(as_data(told))


def as_data(told: Told) -> dict[str, Any]:
    """The trace as JSON's own types."""
    host = told.host
    trace = host.trace if host is not None else Trace((), is_whole=False)
    mask = host.mask if host is not None else Mask()
    counts = Counter(hop.verdict for hop in trace.hops)
    return {
        "schema": SCHEMA,
        "tool": {"name": "mailaudit", "version": __version__},
        "asked": _asked(told),
        "host": None if host is None else _host(host),
        "verdict": None if host is None else str(trace.verdict),
        "whole": trace.is_whole,
        "end": visible(mask(trace.end)),
        "hops": [_hop(number, hop, mask) for number, hop in enumerate(trace.hops, 1)],
        "counts": {str(verdict): counts[verdict] for verdict in Verdict},
        "assumed": [visible(mask(each)) for each in (host.assumed if host is not None else ())],
        "errors": [visible(mask(each)) for each in told.errors],
        "exit_code": int(told.exit_code),
        "exit_reason": visible(mask(told.exit_reason)),
    }


def _asked(told: Told) -> dict[str, Any]:
    asked = told.asked
    return {
        "way": told.way,
        "address": visible(told.address),
        "sender": None if asked is None or asked.sender is None else visible(str(asked.sender)),
        "recipient": None if asked is None or asked.recipient is None else visible(str(asked.recipient)),
        "port": None if asked is None else asked.port,
    }


def _host(host: HostTrace) -> dict[str, Any]:
    return {"name": visible(host.name), "target": visible(host.target), "online": host.online}


def _hop(number: int, hop: Hop, mask: Mask) -> dict[str, Any]:
    return {
        "number": number,
        "kind": str(hop.kind),
        "subject": visible(mask(hop.subject)),
        "verdict": str(hop.verdict),
        "reason": None if hop.reason is None else str(hop.reason),
        "message": visible(mask(hop.message)),
        "branch": visible(mask(hop.branch)),
        "places": [_place(each, mask, primary=at == 0) for at, each in enumerate(hop.places)],
    }


def _place(place: Place | Evidence, mask: Mask, *, primary: bool) -> dict[str, Any]:
    data = place_data(place, mask, primary=primary)
    if isinstance(place, Place):
        data["excerpt"] = "" if place.span is None else _excerpt(place.span, mask)
    return data


def _excerpt(span: Span, mask: Mask) -> str:
    """The line on which a place begins, secrets masked, clipped around the place where it is long."""
    start, end = span.text.line_span(span.start)
    start = max(start, span.start - LONGEST // 2)
    end = min(end, start + 2 * LONGEST)
    return visible(mask.written(Span(span.text, start, end)).strip()[:LONGEST])
