"""Runs packets through a ruleset: last match wins, quick ends, anchors nest, tags and translations go with the packet.

All classes of packets go through at once, as bit sets; what is not known makes a class possibly this and possibly that.
Source: pf_test_rule() and pf_match_rule() of pf.c 1.1218.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from mailaudit.models.pf.addresses import AddressBook
from mailaudit.models.pf.match import Matcher, concerns
from mailaudit.models.pf.rules import Anchor, Entry, Options, Rule, Table, Translation
from mailaudit.models.pf.traffic import Addresses, Masks, Traffic
from mailaudit.models.pf.values import MAX_PORT, Range

NAT_PORTS: tuple[Range, ...] = ((50001, MAX_PORT),)
DEFAULT = "default"  # no rule matched: pass, without a state


@dataclass(frozen=True, slots=True)
class Lane:
    """A ruleset without the rules that cannot match packets of one direction, interface, family and protocol."""

    entries: tuple[Rule | LaneAnchor, ...]


@dataclass(frozen=True, slots=True)
class LaneAnchor:
    """An anchor in a lane."""

    anchor: Anchor
    body: Lane | None


def lane(entries: Sequence[Entry], traffic: Traffic) -> Lane:
    """The lane for some traffic."""
    kept: list[Rule | LaneAnchor] = []
    key = (traffic.direction, traffic.interface, traffic.family, traffic.protocol)
    for entry in entries:
        if isinstance(entry, Rule):
            if concerns(entry, *key):
                kept.append(entry)
        elif concerns(entry.rule, *key):
            kept.append(LaneAnchor(entry, lane(entry.body, traffic) if entry.body is not None else None))
    return Lane(tuple(kept))


def to_port(path: Lane, port: int) -> Lane:
    """A lane without the rules that are about other target ports; the same lane if ports may be translated on the way."""
    kept: list[Rule | LaneAnchor] = []
    for entry in path.entries:
        if isinstance(entry, LaneAnchor):
            kept.append(entry)
            continue
        if entry.options.rdr is not None and entry.action == "match":
            return path
        ranges = entry.target_ports
        if not ranges or any(low <= port <= high for low, high in ranges):
            kept.append(entry)
    return Lane(tuple(kept))


def rules_of(path: Lane) -> Iterator[Rule]:
    """The rules of a lane, those of anchors among them."""
    for entry in path.entries:
        if isinstance(entry, LaneAnchor):
            yield from rules_of(entry.body) if entry.body is not None else ()
        else:
            yield entry


class Filter:
    """A ruleset ready to be asked; it remembers its lanes."""

    def __init__(self, entries: Sequence[Entry], tables: Mapping[str, Table], book: AddressBook) -> None:
        self.entries = entries
        self.tables = tables
        self.book = book
        self._lanes: dict[tuple[object, ...], Lane] = {}
        self._asked: dict[tuple[object, ...], frozenset[int]] = {}

    def lane(self, traffic: Traffic) -> Lane:
        """The rules that may concern some traffic; for traffic to one port, without those about others."""
        key = (traffic.direction, traffic.interface, traffic.family, traffic.protocol)
        found = self._lanes.get(key)
        if found is None:
            found = self._lanes[key] = lane(self.entries, traffic)
        low, high = traffic.target_ports[0][0], traffic.target_ports[-1][1]
        if low != high or traffic.axis == "target_ports":
            return found
        narrow = self._lanes.get((*key, low))
        if narrow is None:
            narrow = self._lanes[*key, low] = to_port(found, low)
        return narrow

    def asks(self, rule: Rule, traffic: Traffic) -> bool:
        """True unless direction, interface, family or protocol keep a rule, or an anchor around it, from some traffic."""
        key = (traffic.direction, traffic.interface, traffic.family, traffic.protocol)
        found = self._asked.get(key)
        if found is None:
            found = self._asked[key] = frozenset(map(id, rules_of(lane(self.entries, traffic))))
        return id(rule) in found

    def run(self, traffic: Traffic) -> Outcome:
        """What becomes of some traffic."""
        return Evaluation(traffic, self.book).run(self.lane(traffic), self.tables)


@dataclass(frozen=True, slots=True)
class Passage:
    """A rule that may have decided, and whether it surely matched."""

    rule: Rule
    action: str
    maybe: int
    sure: int


@dataclass(frozen=True, slots=True)
class _Translated:
    sure: int
    maybe: int
    addresses: Addresses
    ports: tuple[Range, ...]


@dataclass
class Outcome:
    """What became of the classes: for each action the classes that may end so.

    `passages` are the rules that may have decided, in order, where there was but one class or they were asked for; `trail` of
    one class are all rules that matched or may have, those that decide nothing among them. For the classes in `ended` a `match
    quick` or a quick anchor that is in doubt may have ended the search: whatever decided until there decides then.
    """

    all: int
    passages: list[Passage] = field(default_factory=list)
    trail: list[Passage] = field(default_factory=list)
    passed: int = 0
    blocked: int = 0
    ended: int = 0

    @property
    def surely_passed(self) -> int:
        """The classes that end in pass, whatever is not known."""
        return self.passed & ~self.blocked

    @property
    def surely_blocked(self) -> int:
        """The classes that end in block, whatever is not known."""
        return self.blocked & ~self.passed

    @property
    def in_doubt(self) -> int:
        """The classes that may end either way."""
        return self.passed & self.blocked

    def decisions(self) -> Iterator[tuple[Rule | None, int]]:
        """The rules that decide if all is as it seems (None: no rule does), each with its classes."""
        left = self.all
        for passage in reversed(self.passages):
            mine = passage.sure & left
            if mine:
                yield passage.rule, mine
                left &= ~mine
        if left:
            yield None, left

    def doubts(self) -> Iterator[tuple[Rule | None, int]]:
        """The classes that are in doubt, by the last rule that is so (None: the tags or translations of rules above are)."""
        left, undecided = self.in_doubt, self.all
        for passage in reversed(self.passages):
            ends = passage.rule.quick or passage.action == "anchor"
            mine = passage.maybe & ~passage.sure & left & (self.all if ends else undecided)
            if mine:
                yield passage.rule, mine
                left &= ~mine
            undecided &= ~passage.sure
        if left:
            yield None, left

    def deciding(self) -> tuple[Rule | None, list[Rule]]:
        """The rule that decides if all is as it seems (None: no rule does), and the doubtful ones; of one class only.

        Doubtful are those below the rule that decides, and those above it that would end the search before it.
        """
        doubtful: list[Rule] = []
        deciding: Rule | None = None
        for passage in reversed(self.passages):
            if passage.sure:
                deciding = deciding or passage.rule
            elif deciding is None or passage.rule.quick or passage.action == "anchor":
                doubtful.append(passage.rule)
        return deciding, doubtful[::-1]


class Evaluation:
    """One run of traffic through a lane."""

    def __init__(self, traffic: Traffic, book: AddressBook, *, logs: bool = False, tags: Iterable[str] = ()) -> None:
        self.traffic = traffic
        self.matcher = Matcher(traffic, book)
        self.book = book
        everything = self.matcher.all
        self.logs = logs or everything == 1  # for many classes at once the log can be as large as classes times rules
        self.last = {DEFAULT: everything, "pass": 0, "block": 0}
        self.done = {DEFAULT: 0, "pass": 0, "block": 0}
        self.tags = {"": everything, **dict.fromkeys(tags, everything)}  # those that a packet may bring along
        self.moved: dict[str, list[_Translated]] = {}
        self.outcome = Outcome(everything)

    def run(self, path: Lane, tables: Mapping[str, Table]) -> Outcome:
        """What becomes of the traffic."""
        self._lane(path, tables, (self.matcher.all, self.matcher.all))
        outcome = self.outcome
        outcome.passed = self.last["pass"] | self.last[DEFAULT] | self.done["pass"] | self.done[DEFAULT]
        outcome.blocked = self.last["block"] | self.done["block"]
        return outcome

    def _lane(self, path: Lane, tables: Mapping[str, Table], within: Masks) -> Masks:
        """Run the entries of a ruleset; the classes for which one of its own rules is the last match, surely and maybe."""
        direct_sure = direct_maybe = 0
        for entry in path.entries:
            alive = self.last[DEFAULT] | self.last["pass"] | self.last["block"]
            if not alive:
                break
            if isinstance(entry, LaneAnchor):
                self._anchor(entry, tables, within)
                continue
            sure, maybe = self._match(entry, tables)
            sure, maybe = sure & within[0] & alive, maybe & within[1] & alive
            if not maybe:
                continue
            self._apply(entry, sure, maybe)
            if entry.action != "match":
                direct_sure |= sure
                direct_maybe |= maybe
        return direct_sure, direct_maybe

    def _apply(self, rule: Rule, sure: int, maybe: int) -> None:
        self._note(rule, rule.action, sure, maybe)
        if rule.options.tag:
            self._tag(rule.options.tag, sure, maybe)
        last = self.last
        if rule.action == "match":
            self._translate(rule, sure, maybe)
            if rule.quick:
                self.outcome.ended |= maybe & ~sure
                for action in last:
                    self.done[action] |= last[action] & maybe
                    last[action] &= ~sure
            return
        if self.logs:
            self.outcome.passages.append(Passage(rule, rule.action, maybe, sure))
        if rule.quick:
            self.done[rule.action] |= maybe
            for action in last:
                last[action] &= ~sure
            return
        for action in last:
            last[action] &= ~sure
        last[rule.action] |= maybe

    def _note(self, rule: Rule, action: str, sure: int, maybe: int) -> None:
        if self.matcher.all == 1:
            self.outcome.trail.append(Passage(rule, action, maybe, sure))

    def _anchor(self, entry: LaneAnchor, tables: Mapping[str, Table], within: Masks) -> None:
        rule = entry.anchor.rule
        sure, maybe = self._match(rule, tables)
        alive = self.last[DEFAULT] | self.last["pass"] | self.last["block"]
        sure, maybe = sure & within[0] & alive, maybe & within[1] & alive
        if not maybe:
            return
        self._note(rule, "anchor", sure, maybe)
        if rule.options.tag:
            self._tag(rule.options.tag, sure, maybe)
        if entry.body is None:  # another program fills it: what it holds may do anything to what comes through
            if self.logs:
                self.outcome.passages.append(Passage(rule, "anchor", maybe, 0))
            self.done["pass"] |= maybe
            self.done["block"] |= maybe
            return
        own = {**tables, **entry.anchor.tables} if entry.anchor.tables else tables
        direct_sure, direct_maybe = self._lane(entry.body, own, (sure, maybe))
        if rule.quick:
            self.outcome.ended |= direct_maybe & ~direct_sure
            for action in self.last:
                self.done[action] |= self.last[action] & direct_maybe
                self.last[action] &= ~direct_sure

    def _match(self, rule: Rule, tables: Mapping[str, Table]) -> Masks:
        if not self.moved:
            return self.matcher.match(rule, tables, self._tagged)
        return self._match_moved(rule, tables)

    def _tagged(self, options: Options) -> Masks:
        maybe = self.tags.get(options.tagged, 0)
        others = 0
        for name, classes in self.tags.items():
            if name != options.tagged:
                others |= classes
        sure = maybe & ~others
        return (self.matcher.all & ~maybe, self.matcher.all & ~sure) if options.not_tagged else (sure, maybe)

    def _tag(self, name: str, sure: int, maybe: int) -> None:
        for other in self.tags:
            self.tags[other] &= ~sure
        self.tags[name] = self.tags.get(name, 0) | maybe

    def _translate(self, rule: Rule, sure: int, maybe: int) -> None:
        options = rule.options
        if options.nat is not None:
            self._move("sources", options.nat, sure, maybe)
            if not options.nat.static_port:
                self._moved_ports("source_ports", options.nat.ports or NAT_PORTS, sure, maybe)
        if options.rdr is not None:
            self._move("targets", options.rdr, sure, maybe)
            if options.rdr.ports:
                self._moved_ports("target_ports", options.rdr.ports, sure, maybe)

    def _move(self, name: str, translation: Translation, sure: int, maybe: int) -> None:
        addresses = self._targets(translation)
        self.moved.setdefault(name, []).append(_Translated(sure, maybe, addresses, ()))

    def _moved_ports(self, name: str, ports: tuple[Range, ...], sure: int, maybe: int) -> None:
        self.moved.setdefault(name, []).append(_Translated(sure, maybe, Addresses(), ports))

    def _targets(self, translation: Translation) -> Addresses:
        family = self.traffic.family
        ranges: list[Range] = []
        for peer in translation.targets:
            if peer.kind == "net" and peer.family == family:
                ranges.append((peer.low, peer.high))
            elif peer.kind == "net":
                continue
            else:
                known = self.book.addresses(peer, family)
                if known is None:
                    return Addresses(own=True) if peer.kind == "interface" else Addresses(((0, (1 << 128) - 1),))
                ranges += known
        return Addresses(tuple(ranges))

    def _match_moved(self, rule: Rule, tables: Mapping[str, Table]) -> Masks:
        """As `match`, where `match` rules have translated addresses before: later rules see the new ones."""
        matcher = self.matcher
        bare = _without(rule, self.moved)
        sure, maybe = matcher.match(bare, tables, self._tagged)
        for name, moves in self.moved.items():
            values = getattr(rule, name)
            if not values or not maybe:
                continue
            is_ports = name.endswith("_ports")
            every, some = matcher.ports(name, values) if is_ports else matcher.peers(name, values, tables)
            for move in moves:
                new = matcher.of_ranges(move.ports, values) if is_ports else matcher.at(move.addresses, values, tables)
                every = (every & ~move.maybe) | (every & new[0] & ~move.sure) | (new[0] & move.sure)
                some = (some & ~move.sure) | (new[1] & move.maybe)
            sure, maybe = sure & every, maybe & some
        return sure, maybe


def _without(rule: Rule, names: Mapping[str, object]) -> Rule:
    return Rule(
        rule.statement,
        rule.action,
        rule.direction,
        rule.log,
        rule.quick,
        rule.interfaces,
        rule.family,
        rule.protocols,
        () if "sources" in names else rule.sources,
        () if "source_ports" in names else rule.source_ports,
        () if "targets" in names else rule.targets,
        () if "target_ports" in names else rule.target_ports,
        rule.returns,
        rule.options,
    )
