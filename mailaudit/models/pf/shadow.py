"""Rules that never decide over any packet, and the rules that decide in their place.

A rule is called so only where that is sure: what depends on what is not known may let it decide.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from mailaudit.models.interfaces import Interface, driver_of
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.eval import Evaluation, Filter, Outcome, lane
from mailaudit.models.pf.items import OnInterface
from mailaudit.models.pf.match import Matcher, concerns, on_interface
from mailaudit.models.pf.near import Box, Near, Spans
from mailaudit.models.pf.reachable import Kind, interfaces_of, kinds
from mailaudit.models.pf.reader import Skip
from mailaudit.models.pf.rules import ACK, FLAGS, SYN, Entry, Options, Rule, standings, with_anchors
from mailaudit.models.pf.space import WITH_PORTS, cells
from mailaudit.models.pf.traffic import Addresses, Masks, Traffic, everyone
from mailaudit.models.pf.values import TCP, Peer, Range, merged

MOST_KILLERS = 5
SPOTS = 4  # single packets of each kind that are tried before a rule is compared with all that it meets
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
    ground = Ground(ruleset)
    for rule in ruleset.rules if rules is None else rules:
        if rule.action in ("pass", "block") and rule.statement.kind != "antispoof":  # what pfctl makes of that is its own affair
            found = _shadow(ground, rule)
            if found is not None:
                yield found


class Ground:
    """What is the same for all rules of a ruleset, worked out once."""

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset = ruleset
        self.standings = {id(rule): standing for rule, standing in standings(ruleset.entries, ruleset.tables)}
        self.interfaces = tuple(_interfaces(ruleset))
        self.tags = frozenset(rule.options.tagged for rule in with_anchors(ruleset.entries) if rule.options.tagged)
        self.tests = {each.tcp_flags for each in ruleset.rules}
        self._on: dict[tuple[OnInterface, ...], tuple[Interface, ...]] = {}
        self._near: dict[tuple[str, int, int, int], Near] = {}
        self._of_kind: dict[tuple[object, ...], Near] = {}
        self._wide = _wide(ruleset.entries)
        self._kinds: dict[tuple[str, Interface, int], tuple[Kind, ...]] = {}
        self._flags: dict[tuple[int, int], tuple[int, ...]] = {}

    def on(self, rule: Rule) -> tuple[Interface, ...]:
        """The interfaces that a rule is about."""
        found = self._on.get(rule.interfaces)
        if found is None:
            found = self._on[rule.interfaces] = tuple(each for each in self.interfaces if on_interface(rule.interfaces, each))
        return found

    def near(self, traffic: Traffic, box: Box) -> tuple[Entry, ...]:
        """The entries that packets of one kind and between two ends may match, without those that others overrule."""
        return self.index(traffic).rules(box)

    def index(self, traffic: Traffic) -> Near:
        """Where to find them; most kinds of packets share one."""
        kind = traffic.direction, traffic.interface, traffic.family, traffic.protocol, traffic.flags, traffic.icmp
        found = self._of_kind.get(kind)
        if found is None:
            key = traffic.direction, traffic.family, *self._bounds(traffic)
            if key not in self._near:
                self._near[key] = Near(self._between(*key[2:]), *key[:2], self.ruleset.book)
            found = self._of_kind[kind] = self._near[key]
        return found

    def _bounds(self, traffic: Traffic) -> tuple[int, int]:
        """Between which entries a kind of packets is decided: from the last that matches all of it to the first with `quick`.

        All entries, where that would not spare the most of them.
        """
        count = len(self.ruleset.entries)
        matcher = Matcher(traffic, self.ruleset.book)
        key = traffic.direction, traffic.interface, traffic.family, traffic.protocol
        whole = [
            (at, rule.quick)
            for at, rule in self._wide
            if concerns(rule, *key) and matcher.match(rule, {}, _perhaps(matcher.all))[0]
        ]
        last = next((at for at, is_quick in whole if is_quick), count)
        first = max((at for at, is_quick in whole if at < last and not is_quick), default=0)
        return (first, last) if last - first < count // 2 else (0, count)

    def _between(self, first: int, last: int) -> tuple[Entry, ...]:
        """Some entries, and those before them that count all the same: with `quick`, with a tag, `match`."""
        rules = (each for each in self.ruleset.entries[:first] if isinstance(each, Rule))
        before = [each for each in rules if each.quick or each.action == "match" or each.options.tag]
        return (*before, *self.ruleset.entries[first : last + 1])

    def kinds(self, direction: str, interface: Interface, family: int) -> tuple[Kind, ...]:
        """The kinds of packets that the rules tell apart over an interface."""
        key = direction, interface, family
        found = self._kinds.get(key)
        if found is None:
            found = self._kinds[key] = tuple(kinds([self.ruleset], *key))
        return found

    def flags(self, rule: Rule) -> tuple[int, ...]:
        """Combinations of TCP's flags that a rule matches, one for all that the same rules do."""
        want, looked_at = rule.tcp_flags
        found = self._flags.get((want, looked_at))
        if found is None:
            mine = [flags for flags in _SENSIBLE if flags & looked_at == want]
            told_apart = {tuple(flags & mask == set_ for set_, mask in self.tests): flags for flags in mine}
            found = self._flags[want, looked_at] = tuple(told_apart.values())
        return found


def _wide(entries: Sequence[Entry]) -> list[tuple[int, Rule]]:
    """The rules that look at neither addresses nor ports, by number; none where an anchor or a `match` may end the search."""
    rules = [(at, each) for at, each in enumerate(entries) if isinstance(each, Rule)]
    if len(rules) < len(entries) or any(each.action == "match" and each.quick for _, each in rules):
        return []
    return [(at, each) for at, each in rules if each.action != "match" and not _looks(each)]


def _looks(rule: Rule) -> bool:
    """True if a rule looks at addresses or ports."""
    peers = (*rule.sources, *rule.targets)
    return bool(rule.source_ports or rule.target_ports) or any(each.negated or each.kind != "any" for each in peers)


def _is_odd(options: Options) -> bool:
    """True of rules about packets that are none of those that are looked at here; others set tags too, as iked(8)."""
    return bool(options.fragment or options.received_on or options.once or options.prio is not None or options.tagged)


def _shadow(ground: Ground, rule: Rule) -> Shadowed | None:
    standing = ground.standings[id(rule)]
    if any(_is_odd(each.options) for each in (*standing.around, rule)):
        return None
    about = ground.on(rule)
    if not about:
        return None  # the interface may come
    skips = [skip for skip in map(ground.ruleset.skipped, about) if skip is not None]
    reaches = _never_met(ground, rule, about)
    killers: dict[Rule, None] = {}
    near: dict[tuple[int, Box], Filter] = {}
    if reaches is None or not all(_dies(ground, rule, reach, near, killers) for reach in reaches):
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


def _kinds(ground: Ground, rule: Rule, about: Iterable[Interface]) -> Iterator[Kind]:
    """The kinds of packets that a rule may be about; of TCP, each combination of flags that some rule tells apart."""
    for interface in about:
        if ground.ruleset.skipped(interface) is not None:
            continue
        for direction in (rule.direction,) if rule.direction else ("in", "out"):
            for family in (rule.family,) if rule.family else (4, 6):
                for kind in ground.kinds(direction, interface, family):
                    if not _is_asked(ground.ruleset, rule, kind):
                        continue
                    if kind.protocol != TCP:
                        yield kind
                        continue
                    for flags in ground.flags(rule):
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


@dataclass(frozen=True, slots=True)
class _Reach:
    """What a rule may match of a kind of packets: the kind with its ports, and both ends."""

    traffic: Traffic
    sources: tuple[Addresses, ...]
    targets: tuple[Addresses, ...]

    def box(self) -> Box:
        """Its ends as numbers; those that are a notion are any."""
        ports = self.traffic.target_ports if self.traffic.protocol in WITH_PORTS else None
        return Box(_all_of(self.sources), _all_of(self.targets), ports)

    def spot(self, at: int) -> _Reach | None:
        """A single packet of it; others for other numbers. None if there is nothing to choose from."""
        if not self.sources or not self.targets:
            return None
        source, target = _one(self.sources, at), _one(self.targets, at)
        traffic = replace(self.traffic, sources=source, targets=target)
        if traffic.protocol in WITH_PORTS:
            own, other = _pick(traffic.source_ports, at), _pick(traffic.target_ports, at)
            traffic = replace(traffic, source_ports=((own, own),), target_ports=((other, other),))
        return _Reach(traffic, (source,), (target,))


def _all_of(parts: tuple[Addresses, ...]) -> Spans:
    return merged([span for part in parts for span in part.ranges]) if all(part.ranges for part in parts) else None


def _one(parts: tuple[Addresses, ...], at: int) -> Addresses:
    part = parts[at % len(parts)]
    value = _pick(part.ranges, at) if part.ranges else 0
    return replace(part, ranges=((value, value),)) if part.ranges else part


def _pick(ranges: Sequence[Range], at: int) -> int:
    """A number of some ranges: 1 and 2 are their ends, where a part is often left; the others lie far apart."""
    if at in (1, 2):
        return ranges[0][0] if at == 1 else ranges[-1][1]
    share = (at * 0x9E3779B1 + 0x5BD1E995) & 0xFFFFFFFF
    low, high = ranges[share * len(ranges) >> 32]
    return low + ((high - low + 1) * share >> 32)


def _reach(ruleset: Ruleset, rule: Rule, kind: Kind) -> _Reach | None:
    """What a rule may match of a kind of packets; None where that is not known."""
    traffic = kind.traffic
    sources = _end(ruleset, traffic.interface, rule.sources, traffic.family)
    targets = _end(ruleset, traffic.interface, rule.targets, traffic.family)
    if sources is None or targets is None:
        return None
    if traffic.protocol in WITH_PORTS and rule.source_ports:
        traffic = replace(traffic, source_ports=rule.source_ports)
    if traffic.protocol in WITH_PORTS and rule.target_ports:
        ports = tuple((max(low, 1), high) for low, high in rule.target_ports if high)
        if not ports:
            return _Reach(traffic, (), ())
        traffic = replace(traffic, target_ports=ports)
    return _Reach(traffic, sources, targets)


def _never_met(ground: Ground, rule: Rule, about: Iterable[Interface]) -> list[_Reach] | None:
    """What a rule may match, kind by kind; None where that is not known, or if it may decide over one of the packets tried.

    Most rules decide over the first.
    """
    found: list[_Reach] = []
    for kind in _kinds(ground, rule, about):
        reach = _reach(ground.ruleset, rule, kind)
        if reach is None or _is_met(ground, rule, reach, 0):
            return None
        found.append(reach)
    return None if any(_is_met(ground, rule, reach, at) for at in range(1, SPOTS) for reach in found) else found


def _is_met(ground: Ground, rule: Rule, reach: _Reach, at: int) -> bool:
    """True if a rule may decide over one of the packets that it may match."""
    spot = reach.spot(at)
    if spot is None:
        return False
    path = lane(ground.near(spot.traffic, spot.box()), spot.traffic)
    return _decides(
        rule, Evaluation(spot.traffic, ground.ruleset.book, logs=True, tags=ground.tags).run(path, ground.ruleset.tables)
    )


def _dies(ground: Ground, rule: Rule, reach: _Reach, near: dict[tuple[int, Box], Filter], killers: dict[Rule, None]) -> bool:
    """True if a rule surely decides over none of the packets that it may match; the rules that do so are added to the killers."""
    standing = ground.standings[id(rule)]
    box = reach.box()
    key = id(ground.index(reach.traffic)), box
    if key not in near:
        near[key] = Filter(ground.near(reach.traffic, box), ground.ruleset.tables, ground.ruleset.book)
    for number, cell in enumerate(cells([near[key]], reach.traffic, reach.sources, reach.targets, ground.tags)):
        if number >= MOST_CELLS:
            return False
        outcome = cell.outcomes[0]
        if _decides(rule, outcome):
            return False
        mine = outcome.all
        for each in (*standing.around, rule):
            mine &= Matcher(cell.traffic, ground.ruleset.book).match(each, standing.tables, _perhaps(outcome.all))[1]
        for other, classes in outcome.decisions():
            if classes & mine and other is not None:
                killers.setdefault(other)
    return True


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
