"""The rules that pf is given: a rule with lists is one for each combination of their items.

Source: expand_rule(), collapse_redirspec() and apply_redirspec() of pfctl's parse.y.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from mailaudit.models.pf.items import OnInterface
from mailaudit.models.pf.resolve import Resolver
from mailaudit.models.pf.rules import Anchor, Entry, Rule, Translation
from mailaudit.models.pf.values import MAX_PORT, TCP, Compared, Peer, PortTest

_ANYTHING = (None,)
NAT_LOW, NAT_HIGH = 50001, MAX_PORT  # the ports that nat-to chooses from unless told otherwise


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Where a rule translates or routes to: its addresses, one or (as a table that pfctl makes) many, and the ports."""

    translation: Translation
    targets: tuple[Peer, ...]
    ports: tuple[int, int] = (0, 0)
    table: str = ""

    @property
    def how(self) -> str:
        """How an address is chosen; `round-robin` where nothing was said of several."""
        if self.translation.how or not (self.table or _is_many(self.targets[0])):
            return self.translation.how
        return "round-robin"


def _is_many(peer: Peer) -> bool:
    if peer.kind == "table":
        return True
    return peer.dynamic and not ("0" in peer.modifiers and peer.name[-1:].isdigit())


class Expanded:
    """One rule as pf has it: what it compares, one value each, None or 0 for what it does not look at.

    `rule` is what was written, with the options that all of its combinations have. `scope` is the interface that a link-local
    address belongs to, where the rule names none.
    """

    __slots__ = (
        "direction",
        "divert",
        "family",
        "group",
        "icmp",
        "interface",
        "nat",
        "protocol",
        "rdr",
        "route",
        "rule",
        "scope",
        "source",
        "source_port",
        "system",
        "target",
        "target_port",
        "user",
    )

    def __init__(  # noqa: PLR0913, PLR0917  made by the hundred thousand, in one place
        self,
        rule: Rule,
        direction: str,
        interface: OnInterface | None,
        family: int,
        protocol: int,
        icmp: tuple[int, int | None] | None,
        source: Peer | None,
        target: Peer | None,
        source_port: PortTest | None,
        target_port: PortTest | None,
    ) -> None:
        self.rule = rule
        self.direction = direction
        self.interface = interface
        self.scope = ""
        self.family = family
        self.protocol = protocol
        self.icmp = icmp
        self.source = source
        self.target = target
        self.source_port = source_port
        self.target_port = target_port
        self.system: str = ""
        self.user: Compared | None = None
        self.group: Compared | None = None
        self.divert: Peer | None = None
        self.nat: Pool | None = None
        self.rdr: Pool | None = None
        self.route: Pool | None = None

    @property
    def stateful(self) -> bool:
        """True if it makes states."""
        return self.rule.stateful

    @property
    def flags(self) -> tuple[int, int]:
        """The TCP flags that must be set, of those that are looked at."""
        return self.rule.tcp_flags if self.protocol in (0, TCP) else (0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class ExpandedAnchor:
    """An anchor for one combination. pfctl puts the rules in braces into the first one only; None if it was given none."""

    condition: Expanded
    name: str
    body: tuple[Expanded | ExpandedAnchor, ...] | None


class Expander:
    """Expands the rules of a ruleset, in order: pools of several addresses become numbered tables."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver = resolver
        self.tables = 0

    def all(self, entries: Sequence[Entry]) -> Iterator[Expanded | ExpandedAnchor]:
        """The expanded rules of a ruleset or of an anchor's body."""
        for entry in entries:
            if isinstance(entry, Anchor):
                yield from self.anchor(entry)
            elif not entry.options.binat or entry.direction != "in":  # what goes the other way comes with what goes out
                yield from self.rule(entry)

    def anchor(self, anchor: Anchor) -> Iterator[ExpandedAnchor]:
        """An anchor's combinations."""
        body = tuple(self.all(anchor.body)) if anchor.body is not None else None
        for condition in self.rule(anchor.rule):
            yield ExpandedAnchor(condition, anchor.name, body)
            body = () if body is not None else None

    def rule(self, rule: Rule) -> Iterator[Expanded]:
        """A rule's combinations, the list that is written first outermost."""
        options = rule.options
        sources: Sequence[Peer | None] = self.resolver.peers(rule.sources) if rule.sources else _ANYTHING
        targets: Sequence[Peer | None] = self.resolver.peers(rule.targets) if rule.targets else _ANYTHING
        translates = options.nat is not None or options.rdr is not None or options.route_to is not None
        more = bool(options.systems or options.users or options.groups)
        family = rule.family or _common(sources) or _common(targets)
        divert = self._divert(options.divert_to, family)
        family = family or (divert.family if divert is not None else 0)
        for interface, protocol, icmp, source, target, source_port, target_port in product(
            rule.interfaces or _ANYTHING,
            rule.protocols or (0,),
            options.icmp or _ANYTHING,
            sources,
            targets,
            rule.source_tests or _ANYTHING,
            rule.target_tests or _ANYTHING,
        ):
            of_source = source.family if source is not None else 0
            of_target = target.family if target is not None else 0
            one = family or of_source or of_target
            if (of_source and of_source != one) or (of_target and of_target != one):
                continue
            made = Expanded(rule, rule.direction, interface, one, protocol, icmp, source, target, source_port, target_port)
            if (of_source == 6 or of_target == 6) and not self._placed(made):
                continue
            made.divert = divert
            if translates and not self._translate(made, family):
                continue
            yield from self._by_owner(made) if more else (made,)
            if options.binat and made.nat is not None:
                yield _back(made, made.nat)

    def _divert(self, peer: Peer | None, family: int) -> Peer | None:
        """The address to divert to: the first one of the family."""
        found = self.resolver.peer(peer) if peer is not None else ()
        return next((each for each in found if not family or not each.family or each.family == family), None)

    def _placed(self, made: Expanded) -> bool:
        """False if a link-local address is of another interface than the rule."""
        scopes = [peer.name for peer in (made.source, made.target) if peer is not None and peer.kind == "net" and peer.name]
        if not scopes:
            return True
        if made.interface is not None and made.interface.rdomain is None:
            return all(self.resolver.index(made.interface.name) == scope for scope in scopes)
        made.scope = scopes[0]
        return len(set(scopes)) == 1

    def _by_owner(self, made: Expanded) -> Iterator[Expanded]:
        options = made.rule.options
        for system, user, group in product(options.systems or ("",), options.users or _ANYTHING, options.groups or _ANYTHING):
            each = _copy(made)
            each.system = system
            each.user, each.group = self.resolver.owner(user), self.resolver.owner(group, group=True)
            yield each

    def _translate(self, made: Expanded, family: int) -> bool:
        """Work out the pools, which may decide the family; False if they do not go with it."""
        options = made.rule.options
        naf = options.af_to
        decided = made.family if naf else family
        for name, translation in (("rdr", options.rdr), ("nat", options.nat), ("route", options.route_to)):
            if translation is None:
                continue
            hosts = self.resolver.peers(translation.targets)
            wanted = naf or decided
            chosen = tuple(host for host in hosts if not host.family or not wanted or host.family == wanted)
            if not chosen:
                return False
            decided = decided or chosen[0].family
            table = ""
            if len(chosen) > 1:
                table = f"__automatic_{self.tables}"
                self.tables += 1
            setattr(made, name, Pool(translation, chosen, _ports(name, translation, made.target_port), table))
        sides = [peer.family for peer in (made.source, made.target) if peer is not None and peer.family]
        made.family = decided or made.family
        return not decided or all(side == decided for side in sides)


def _common(peers: Sequence[Peer | None]) -> int:
    """The family of all items, 0 if they differ or are of none."""
    first = peers[0] if peers else None
    if first is None:
        return 0
    return first.family if all(peer is not None and peer.family == first.family for peer in peers) else 0


def _ports(name: str, translation: Translation, looked_at: PortTest | None) -> tuple[int, int]:
    if name == "route" or (name == "nat" and translation.static_port):
        return 0, 0
    if not translation.ports:
        return (NAT_LOW, NAT_HIGH) if name == "nat" else (0, 0)
    low, high = translation.ports[0]
    if name == "rdr" and translation.onward:
        wide = looked_at is not None and looked_at.operator in (":", "><", "<>")
        first, last = (looked_at.low, looked_at.high if wide else 0) if looked_at is not None else (0, 0)
        return low, (low + last - first) & MAX_PORT
    return low, high


def _copy(made: Expanded) -> Expanded:
    copy = object.__new__(Expanded)
    for name in Expanded.__slots__:
        setattr(copy, name, getattr(made, name))
    return copy


def _back(made: Expanded, nat: Pool) -> Expanded:
    """What binat-to does with the packets that come back: their target is the translated address."""
    back = _copy(made)
    back.direction = "in"
    back.source, back.source_port, back.target_port = made.target, made.target_port, made.source_port
    back.target = nat.targets[0]
    back.nat = None
    targets = (made.source,) if made.source is not None else ()
    back.rdr = Pool(Translation(targets, (), how=nat.translation.how), targets) if targets else None
    return back
