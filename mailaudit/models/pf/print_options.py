"""The state options of rules, queues and `set` options as pfctl prints them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mailaudit.models.pf.expand import Expanded
from mailaudit.models.pf.settings import Settings, state_settings
from mailaudit.models.pf.values import TCP

_ORDER = (
    *(f"tcp.{each}" for each in ("first", "opening", "established", "closing", "finwait", "closed")),
    *(f"udp.{each}" for each in ("first", "single", "multiple")),
    *(f"icmp.{each}" for each in ("first", "error")),
    *(f"other.{each}" for each in ("first", "single", "multiple")),
    "frag",
    "interval",
    "adaptive.start",
    "adaptive.end",
    "src.track",
    "tcp.tsdiff",
)  # of the kernel's own list
_WHOLE = (1 << 32) - 1


def states(made: Expanded, said: Settings, *, is_anchor: bool) -> Iterator[str]:
    """What a rule does about states, and its probability, which stands among that."""
    rule = made.rule
    options = list(_options(made, said)) if made.stateful and not is_anchor else []
    kind = rule.options.state or "keep"
    if kind in ("modulate", "synproxy") and made.protocol not in (0, TCP):
        kind = "keep"
    if rule.action == "pass" and not is_anchor:
        if not made.stateful:
            yield "no state"
        elif options or kind != "keep":
            yield f"{kind} state"
    if "probability" in said:
        yield f"probability {_chance(str(said['probability'].value))}%"
    if options:
        yield f"({', '.join(options)})"


def _options(made: Expanded, said: Settings) -> Iterator[str]:
    defaults = made.rule.defaults
    if "state" not in said:
        said = state_settings(defaults.states) if defaults.states is not None else {}
    if said.get("max") is not None and said["max"].value:
        yield f"max {said['max'].value}"
    if "no-sync" in said:
        yield "no-sync"
    by_rule = any(name in said for name in ("max-src-conn", "max-src-conn-rate", "max-src-nodes"))
    if by_rule or "source-track" in said or "max-src-states" in said:
        of_rule = by_rule or ("source-track" in said and said["source-track"].value == "rule")
        yield f"source-track {'rule' if of_rule else 'global'}"
    for name in ("max-src-states", "max-src-conn"):
        if name in said:
            yield f"{name} {said[name].value}"
    if "max-src-conn-rate" in said:
        yield f"max-src-conn-rate {said['max-src-conn-rate'].value}/{said['max-src-conn-rate seconds'].value}"
    if "max-src-nodes" in said:
        yield f"max-src-nodes {said['max-src-nodes'].value}"
    if "overload" in said:
        flush = f" flush {said['flush'].value}".rstrip() if "flush" in said else ""
        yield f"overload <{said['overload'].value}>{flush}"
    if (said["state-policy"].value if "state-policy" in said else defaults.lock) == "if-bound":
        yield "if-bound"
    for name in ("sloppy", "pflow"):
        if name in said:
            yield name
    yield from _timeouts(said)


def _timeouts(said: Settings) -> Iterator[str]:
    found = {name: int(said[name].value) for name in _ORDER if name in said}
    if "max" in said and "adaptive.start" not in found and "adaptive.end" not in found:
        tenth = int(said["max"].value) // 10
        found |= {"adaptive.start": tenth * 6, "adaptive.end": tenth * 12}
    if "max-src-conn-rate seconds" in said:
        found["src.track"] = max(found.get("src.track", 0), int(said["max-src-conn-rate seconds"].value))
    for name in _ORDER:
        if found.get(name):
            yield f"{name} {found[name]}"


def _chance(text: str) -> str:
    """A probability as pf keeps it, in 32 bits, in per cent."""
    chance = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    kept = max(1, math.floor(chance * _WHOLE + 0.5))
    return f"{kept * 100 / (_WHOLE + 1):f}".rstrip("0").rstrip(".")
