"""How findings about the packet filter are worded: ports, families, the lines that are in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailaudit.findings import Doubt, Place
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.doubt import why
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.values import ICMP, ICMP6, MAX_PORT, TCP, UDP, Range
from mailaudit.parsers.tree import Token
from mailaudit.questions import Reason

MOST_PORTS = 8
NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp6", 47: "gre", 50: "esp"}


def families_text(families: frozenset[int]) -> str:
    """` over IPv6`, or nothing for both."""
    return f" over IPv{next(iter(families))}" if len(families) == 1 else ""


def ports_text(ranges: Sequence[Range]) -> str:
    """Ports for people: `3306, 8000-8010`, the first few of many."""
    if len(ranges) > MOST_PORTS:
        return f"{ports_text(ranges[:MOST_PORTS])} and others"
    return ", ".join(str(low) if low == high else f"{low}-{high}" for low, high in ranges) or f"0-{MAX_PORT}"


def place_of(pf: Ruleset, rule: Rule | None, label: str) -> Place:
    """The place of a rule, or the file where no rule decides."""
    return Place.at(rule.statement.span, label) if rule is not None else Place.whole(pf.text)


def elsewhere(tokens: Iterable[Token]) -> tuple[Place, ...]:
    """Where those words of a rule are written that came into it out of a macro."""
    return tuple(Place.at(token.span, "written here") for token in tokens if token.via)


def doubt(pf: Ruleset, rules: Sequence[Rule], whether: str) -> Doubt:
    """It could not be told whether something is so, for these rules are in doubt."""
    several = len(pf.egress) > 1
    reasons = [why(pf, rule) for rule in rules[:3]]
    places = tuple(Place.at(rule.statement.span, reason) for rule, reason in zip(rules, reasons, strict=False))
    if rules:
        where = f"line {rules[0].statement.span.line}: {reasons[0]}"
    elif several:
        where = "it cannot be told which interface leads to the Internet"
    else:
        where = "it depends on what is not recorded"
    return Doubt(Reason.IN_DOUBT, f"It could not be told whether {whether}; {where}.", places)
