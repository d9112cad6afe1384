"""Why it cannot be said what becomes of a packet: the closed list of reasons, and which of them hold for a rule.

docs/pf.md has the same list; a test compares them, and `make corpus` finds a reason for every doubt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Self

from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.match import Matcher, owner
from mailaudit.models.pf.rules import Options, Rule, Table, standings
from mailaudit.models.pf.traffic import ONE, Addresses, Masks, Traffic
from mailaudit.models.pf.values import TCP, UDP, Peer


class Doubt(StrEnum):
    """One reason: its name in reports, and a sentence."""

    sentence: str

    ANCHOR = "anchor", "The anchor is filled by another program or by hand while pf runs."
    TABLE = "table", "The table is filled from a file that is not there or was not recorded, or from names."
    OWN_ADDRESS = "own-address", "The addresses of the host's interfaces are not recorded."
    NAME = "name", "A host's name stands for the addresses that it had when the ruleset was loaded."
    ROUTES = "routes", "The routing table decides (no-route, urpf-failed, route labels)."
    USER = "user", "It depends on who owns the socket (user), and that was not said."
    GROUP = "group", "It depends on the group of the socket's process (group)."
    SYSTEM = "os", "It depends on the operating system that the packet's fingerprint shows (os)."
    PROBABILITY = "probability", "Chance decides (probability)."
    ONCE = "once", "The rule is gone after its first match (once)."
    TOS = "tos", "It depends on the packet's type of service (tos)."
    PRIO = "prio", "It depends on the packet's priority (prio)."
    UNSAID = "unsaid", "What was asked about is not said as precisely as the rule looks at it."
    TAGGED = "tagged", "It depends on a tag, and a rule that sets tags is in doubt."
    TRANSLATED = "translated", "It depends on an address that a match rule may have translated."
    ENDED = "ended", "A match rule or an anchor with quick may have ended the search before, and is in doubt."
    INTERFACE = "interface", "It is not recorded which interface leads to the Internet."

    def __new__(cls, value: str, sentence: str = "") -> Self:
        """Make a member of its name; the sentence is an attribute."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.sentence = sentence
        return member


def table() -> str:
    """The reasons as a Markdown table, for the documentation; generated so that it cannot drift."""
    return "\n".join(("| reason | means |", "|---|---|", *(f"| `{each}` | {each.sentence} |" for each in Doubt))) + "\n"


class Doubts:
    """Tells for a ruleset's rules why they are in doubt."""

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._standing = {id(rule): standing for rule, standing in standings(ruleset.entries, ruleset.tables)}
        self._translates = any(rule.action == "match" and (rule.options.nat or rule.options.rdr) for rule in ruleset.rules)

    def of(self, rule: Rule | None, traffic: Traffic) -> tuple[Doubt, ...]:
        """The reasons for which a rule may match some traffic and may not; empty if there is none.

        None stands for no rule in particular, as `Outcome.doubts` has it.
        """
        if rule is None:
            return (Doubt.ENDED,)
        standing = self._standing[id(rule)]
        found: list[Doubt] = [Doubt.ANCHOR] if rule.action == "anchor" else []
        for each in (*standing.around, rule):
            found += self._conditions(each, self._standing[id(each)].tables, traffic)
        if not found and any(each.options.tagged for each in (*standing.around, rule)):
            found.append(Doubt.TAGGED)
        if not found and self._translates and (rule.sources or rule.targets or rule.source_ports or rule.target_ports):
            found.append(Doubt.TRANSLATED)
        return tuple(dict.fromkeys(found))

    def _conditions(self, rule: Rule, tables: Mapping[str, Table], traffic: Traffic) -> Iterator[Doubt]:
        matcher = Matcher(traffic, self._ruleset.book)
        for name, own, peers in (("sources", traffic.sources, rule.sources), ("targets", traffic.targets, rule.targets)):
            if peers and _is_open(matcher.peers(name, peers, tables)):
                yield from self._peers(own, peers, traffic, tables)
        for name, ports in (("source_ports", rule.source_ports), ("target_ports", rule.target_ports)):
            if ports and _is_open(matcher.ports(name, ports)):
                yield Doubt.UNSAID
        yield from _options(rule.options, traffic)

    def _peers(self, own: Addresses, peers: Iterable[Peer], traffic: Traffic, tables: Mapping[str, Table]) -> Iterator[Doubt]:
        book = self._ruleset.book
        for peer in peers:
            every, some = book.told(own, peer, traffic.family, traffic.interface, tables)
            if every or not some:
                continue
            if peer.kind == "table":
                yield Doubt.OWN_ADDRESS if book.complete(tables.get(peer.name)) and not own.ranges else Doubt.TABLE
            elif peer.kind == "name":
                yield Doubt.NAME
            elif peer.kind in ("no-route", "urpf-failed", "label"):
                yield Doubt.ROUTES
            else:
                yield Doubt.UNSAID if peer.kind == "net" and own.ranges else Doubt.OWN_ADDRESS


def _options(options: Options, traffic: Traffic) -> Iterator[Doubt]:
    """The options of a rule that leave it in doubt."""
    if options.users and traffic.protocol in (TCP, UDP):
        told = [owner(item, traffic.user) for item in options.users]
        if any(some for _, some in told) and not any(every for every, _ in told):
            yield Doubt.USER
    checks = (
        (options.groups, Doubt.GROUP),
        (options.systems, Doubt.SYSTEM),
        (options.probability, Doubt.PROBABILITY),
        (options.once, Doubt.ONCE),
        (options.tos, Doubt.TOS),
        (options.prio is not None and traffic.prio is None, Doubt.PRIO),
        (options.icmp and traffic.icmp is None, Doubt.UNSAID),
    )
    yield from (doubt for is_so, doubt in checks if is_so)


def _is_open(told: Masks) -> bool:
    return bool(told[1] & ~told[0])


def at_port(traffic: Traffic, classes: int) -> Traffic:
    """One packet of the lowest of some classes of target ports."""
    if not traffic.axis:
        return traffic
    low, _ = traffic.classes.ranges[(classes & -classes).bit_length() - 1]
    return replace(traffic, axis="", classes=ONE, target_ports=((low, low),))


def why(pf: Ruleset, rule: Rule) -> str:
    """What is not known about a rule."""
    options = rule.options
    peers = (*rule.sources, *rule.targets)
    kinds = {peer.kind for peer in peers}
    tables = [pf.tables.get(peer.name) for peer in peers if peer.kind == "table"]
    reasons = (
        (rule.action == "anchor", "the rules of this anchor are filled in by another program"),
        (not all(map(pf.book.complete, tables)), "what its table holds is not known"),
        (bool(options.users or options.groups), "it depends on who owns the socket"),
        (bool(options.systems), "it depends on the sender's operating system"),
        (bool(options.probability), "it matches by chance"),
        ("table" in kinds, "it depends on addresses that are not recorded"),
        (bool(kinds & {"urpf-failed", "no-route", "label"}), "it depends on the routing table"),
        ("name" in kinds, "it depends on what a name resolves to"),
        (len(pf.egress) > 1 and bool(rule.interfaces), "it depends on which interface leads to the Internet"),
        (bool(kinds & {"net", "interface"}), "it depends on addresses that are not recorded"),
    )
    return next((text for holds, text in reasons if holds), "it depends on what is not recorded")
