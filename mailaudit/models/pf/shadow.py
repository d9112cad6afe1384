"""Rules that never decide over any packet, and the rules that decide in their place.

A rule is called so only where that is sure: what depends on what is not known may let it decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mailaudit.models.interfaces import Interface, driver_of
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.eval import Outcome
from mailaudit.models.pf.match import Matcher, concerns, on_interface
from mailaudit.models.pf.reachable import Kind, interfaces_of, kinds
from mailaudit.models.pf.reader import Skip
from mailaudit.models.pf.rules import ACK, FLAGS, SYN, Options, Rule, Standing, standings
from mailaudit.models.pf.space import WITH_PORTS, cells
from mailaudit.models.pf.traffic import Addresses, Masks, everyone
from mailaudit.models.pf.values import TCP, Peer, Range, merged

MOST_KILLERS = 5
MOST_CELLS = 20_000  # of one rule and kind of packets; beyond that nothing is claimed of the rule
_SENSIBLE = tuple(
    flags
    for flags in range(64)
    if (flags & SYN and not flags & (FLAGS["R"] | FLAGS["F"]))
    or (not flags & SYN and (flags & ACK or (flags & FLAGS["R"] and not flags & (FLAGS["F"] | FLAGS["P"] | FLAGS["U"]))))
)  # the combinations of TCP flags that pf does not drop before any rule


@dataclass(frozen=True, slots=True, eq=False)
class Shadowed:
    """A rule that never decides: the rules that do so in its place, or the `skip` for which it is never asked.

    Without either it can match nothing.
    """

    rule: Rule
    killers: tuple[Rule, ...] = ()
    skip: Skip | None = None


def shadowed(ruleset: Ruleset, rules: Iterable[Rule] | None = None) -> Iterator[Shadowed]:
    """Those of all pass and block rules, or of some, that surely never decide."""
    places = {id(rule): standing for rule, standing in standings(ruleset.entries, ruleset.tables)}
    for rule in ruleset.rules if rules is None else rules:
        if rule.action in ("pass", "block") and rule.statement.kind != "antispoof":  # what pfctl makes of that is its own affair
            found = _shadow(ruleset, rule, places[id(rule)])
            if found is not None:
                yield found


def _is_odd(options: Options) -> bool:
    """True of rules about packets that are none of those that are looked at here; others set tags too, as iked(8)."""
    return bool(options.fragment or options.received_on or options.once or options.prio is not None or options.tagged)


def _shadow(ruleset: Ruleset, rule: Rule, standing: Standing) -> Shadowed | None:
    if any(_is_odd(each.options) for each in (*standing.around, rule)):
        return None
    killers: dict[Rule, None] = {}
    skips: list[Skip] = []
    about = [each for each in _interfaces(ruleset) if on_interface(rule.interfaces, each)]
    if not about:
        return None  # the interface may come
    for interface in about:
        skip = ruleset.skipped(interface)
        if skip is not None:
            skips.append(skip)
            continue
        for direction in (rule.direction,) if rule.direction else ("in", "out"):
            for family in (rule.family,) if rule.family else (4, 6):
                for kind in _kinds(ruleset, rule, direction, interface, family):
                    if not _dies(ruleset, rule, standing, kind, killers):
                        return None
    if any(item.rdomain is not None for killer in killers for item in killer.interfaces):
        return None  # packets of other routing domains are not looked at
    return Shadowed(rule, tuple(killers)[:MOST_KILLERS], skips[0] if len(skips) == len(about) else None)


def _interfaces(ruleset: Ruleset) -> Iterator[Interface]:
    """The interfaces that rules may be about: the recorded ones, else those that some rule names, and one that none does."""
    if ruleset.interfaces.known:
        known: Sequence[Interface] = ruleset.interfaces.known
        names: set[str] = set()
    else:
        known = interfaces_of(ruleset)
        names = {item.name for each in ruleset.rules for item in each.interfaces if item.name} - {"any"}
        bare = (Interface(each.name) for each in known if each.name and each.groups)  # its groups are but assumed
        known = (*known, *bare, *(_named(name) for name in sorted(names - {each.name for each in known})), Interface("other0"))
    yield from known
    if names:  # a named interface may be in any group
        yield from (
            replace(each, groups=each.groups | {name})
            for each in known
            if each.name
            for name in sorted(names)
            if not driver_of(name)
        )


def _named(name: str) -> Interface:
    return Interface(name) if driver_of(name) else Interface("", frozenset([name]))


def _kinds(ruleset: Ruleset, rule: Rule, direction: str, interface: Interface, family: int) -> Iterator[Kind]:
    """The kinds of packets that a rule may be about; of TCP, each combination of flags that some rule tells apart."""
    for kind in kinds([ruleset], direction, interface, family):
        if not _is_asked(ruleset, rule, kind):
            continue
        if kind.protocol != TCP:
            yield kind
            continue
        for flags in _flags(ruleset, rule):
            yield replace(kind, traffic=replace(kind.traffic, flags=flags))


def _is_asked(ruleset: Ruleset, rule: Rule, kind: Kind) -> bool:
    """False if a rule, or an anchor around it, cannot be about packets of a kind."""
    traffic = kind.traffic
    if not concerns(rule, traffic.direction, traffic.interface, traffic.family, traffic.protocol):
        return False
    listed = rule.options.icmp
    if traffic.icmp is not None and listed and not any(number == traffic.icmp[0] for number, _ in listed):
        return False
    return ruleset.filter.asks(rule, traffic)


def _flags(ruleset: Ruleset, rule: Rule) -> Iterable[int]:
    """Combinations of flags that a rule matches, one for all that the same rules do."""
    tests = {each.tcp_flags for each in ruleset.rules}
    want, looked_at = rule.tcp_flags
    mine = [flags for flags in _SENSIBLE if flags & looked_at == want]
    return {tuple(flags & mask == set_ for set_, mask in tests): flags for flags in mine}.values()


def _dies(ruleset: Ruleset, rule: Rule, standing: Standing, kind: Kind, killers: dict[Rule, None]) -> bool:
    """True if a rule surely decides over no packet of a kind; the rules that do so in its place are added to the killers."""
    traffic = kind.traffic
    family = traffic.family
    ends = _end(ruleset, traffic.interface, rule.sources, family), _end(ruleset, traffic.interface, rule.targets, family)
    if ends[0] is None or ends[1] is None:
        return False
    has_ports = traffic.protocol in WITH_PORTS
    if has_ports and rule.source_ports:
        traffic = replace(traffic, source_ports=rule.source_ports)
    if has_ports and rule.target_ports:
        ports = tuple((max(low, 1), high) for low, high in rule.target_ports if high)
        if not ports:
            return True
        traffic = replace(traffic, target_ports=ports)
    for number, cell in enumerate(cells([ruleset.filter], traffic, ends[0], ends[1], _tags(ruleset))):
        if number >= MOST_CELLS:
            return False
        outcome = cell.outcomes[0]
        if _decides(rule, outcome):
            return False
        mine = outcome.all
        for each in (*standing.around, rule):
            mine &= Matcher(cell.traffic, ruleset.book).match(each, standing.tables, _perhaps(outcome.all))[1]
        for other, classes in outcome.decisions():
            if classes & mine and other is not None:
                killers.setdefault(other)
    return True


def _tags(ruleset: Ruleset) -> frozenset[str]:
    """The tags that are looked at: a packet that is forwarded brings along those that it got as it came in."""
    return frozenset(rule.options.tagged for rule, _ in standings(ruleset.entries, {}) if rule.options.tagged)


def _perhaps(classes: int) -> Callable[[Options], Masks]:
    """What is said of tags where it does not matter which there are."""
    return lambda _options: (0, classes)


def _decides(rule: Rule, outcome: Outcome) -> bool:
    """True if a rule may decide over one of the classes."""
    undecided = outcome.all
    for passage in reversed(outcome.passages):
        if passage.rule is rule and passage.maybe & (outcome.all if rule.quick else undecided):
            return True
        undecided &= ~passage.sure | outcome.ended
    return False


def _end(ruleset: Ruleset, interface: Interface, peers: tuple[Peer, ...], family: int) -> tuple[Addresses, ...] | None:
    """The addresses that a rule may match at one end; None where they are not known, as those that a table is to hold."""
    known = bool(ruleset.interfaces.known)
    if not peers or any(peer.negated or peer.kind == "any" for peer in peers):
        return (everyone(family),) if known else (everyone(family), Addresses(own=True))
    found: list[Range] = []
    notion = False
    for peer in peers:
        if peer.family and peer.family != family:
            continue
        if peer.kind == "net":
            found.append((peer.low, peer.high))
        elif peer.kind == "interface" and known:
            spans = ruleset.book.edges(peer, family)
            if not spans and peer.dynamic:
                return None  # it may be given an address
            found += spans
        elif peer.kind == "interface" and not peer.modifiers and peer.bits is None and interface.called(peer.name):
            notion = True
        else:
            return None
    parts = [Addresses(merged(found))] if found else []
    return (*parts, Addresses(own=True)) if notion else tuple(parts)
