"""Whether packets match a rule: bit sets of the classes that surely do, and of those that may.

Source: pf_match_rule() of pf.c 1.1218.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mailaudit.models.interfaces import Interface
from mailaudit.models.pf.addresses import AddressBook
from mailaudit.models.pf.items import OnInterface
from mailaudit.models.pf.rules import NO_OPTIONS, Options, Rule, Table
from mailaudit.models.pf.traffic import Addresses, Masks, Traffic
from mailaudit.models.pf.values import ICMP, ICMP6, REPLIES, TCP, UDP, USERS, Compared, Peer, Range

MANY = 64  # addresses in a list: the masks of more are put together at once


def on_interface(items: Sequence[OnInterface], interface: Interface) -> bool:
    """True if a rule is about an interface; routing domain 0 is taken for it."""
    for item in items:
        if item.name == "any":
            found = not interface.loopback
        elif item.rdomain is not None:
            found = item.rdomain == 0
        else:
            found = interface.called(item.name)
        if found != item.negated:
            return True
    return not items


def concerns(rule: Rule, direction: str, interface: Interface, family: int, protocol: int) -> bool:
    """True unless direction, interface, family or protocol alone say that a rule cannot match."""
    if rule.direction and rule.direction != direction:
        return False
    if rule.family and rule.family != family:
        return False
    if rule.protocols and protocol not in rule.protocols:
        return False
    if rule.options.icmp_family and rule.options.icmp_family != family:
        return False
    return not rule.interfaces or on_interface(rule.interfaces, interface)


class Matcher:
    """Matches traffic of one kind against rules."""

    def __init__(self, traffic: Traffic, book: AddressBook) -> None:
        self.traffic = traffic
        self.book = book
        self.all = traffic.classes.all
        self._ports: dict[tuple[str, tuple[Range, ...]], Masks] = {}
        self._named: dict[tuple[object, ...], Masks] = {}

    def match(self, rule: Rule, tables: Mapping[str, Table], tagged: Callable[[Options], Masks]) -> Masks:
        """The classes that surely match, and those that may, translations left out."""
        traffic = self.traffic
        sure = maybe = self.all
        if rule.target_ports:
            sure, maybe = self.ports("target_ports", rule.target_ports)
        if maybe and rule.sources:
            every, some = self.peers("sources", rule.sources, tables)
            sure, maybe = sure & every, maybe & some
        if maybe and rule.targets:
            every, some = self.peers("targets", rule.targets, tables)
            sure, maybe = sure & every, maybe & some
        if maybe and rule.source_ports:
            every, some = self.ports("source_ports", rule.source_ports)
            sure, maybe = sure & every, maybe & some
        if not maybe:
            return 0, 0
        if traffic.protocol == TCP and not self._flags(rule):
            return 0, 0
        options = rule.options
        if traffic.fragment and (rule.source_ports or rule.target_ports):
            return 0, 0
        if traffic.protocol in (ICMP, ICMP6) and not traffic.fragment and not self._icmp(rule):
            return 0, 0
        if options is not NO_OPTIONS:
            every, some = self._options(rule, tagged)
            sure, maybe = sure & every, maybe & some
        return sure, maybe

    def ports(self, name: str, ranges: tuple[Range, ...]) -> Masks:
        """The classes whose ports are in ranges."""
        traffic = self.traffic
        if traffic.axis == name:
            known = self._ports.get((name, ranges))
            if known is None:
                sure = maybe = 0
                for low, high in ranges:
                    every, some = traffic.classes.masks(low, high)
                    sure, maybe = sure | every, maybe | some
                known = self._ports[name, ranges] = sure, maybe
            return known
        own: tuple[Range, ...] = traffic.target_ports if name == "target_ports" else traffic.source_ports
        return self.of_ranges(own, ranges)

    def of_ranges(self, own: tuple[Range, ...], ranges: tuple[Range, ...]) -> Masks:
        """All classes or none, for a set of ports that is the same for all."""
        some = any(a <= high and b >= low for a, b in own for low, high in ranges)
        every = some and all(any(low <= a and b <= high for low, high in ranges) for a, b in own)
        return (self.all if every else 0), (self.all if some else 0)

    def peers(self, name: str, peers: tuple[Peer, ...], tables: Mapping[str, Table]) -> Masks:
        """The classes whose addresses match one of the items."""
        traffic = self.traffic
        sure = maybe = 0
        on_axis = traffic.axis == name
        own = traffic.sources if name == "sources" else traffic.targets
        if on_axis and len(peers) > MANY:
            nets = [each for each in peers if each.kind == "net" and not each.negated]
            peers = tuple(each for each in peers if each.kind != "net" or each.negated)
            sure, maybe = traffic.classes.masks_of_all((each.low, each.high) for each in nets if each.family == traffic.family)
        for peer in peers:
            if on_axis:
                every, some = self._axis(peer, tables)
            else:
                told = self.book.told(own, peer, traffic.family, traffic.interface, tables)
                every, some = (self.all if told[0] else 0), (self.all if told[1] else 0)
            sure, maybe = sure | every, maybe | some
            if sure == self.all:
                break
        return sure, maybe

    def _axis(self, peer: Peer, tables: Mapping[str, Table]) -> Masks:
        traffic = self.traffic
        if peer.kind == "any":
            return self.all, self.all
        if peer.kind == "net":
            if peer.family != traffic.family:
                return 0, 0
            every, some = traffic.classes.masks(peer.low, peer.high)
            return (self.all & ~some, self.all & ~every) if peer.negated else (every, some)
        key = (peer.kind, peer.name, peer.negated, peer.family, peer.modifiers, peer.bits, id(tables.get(peer.name)))
        found = self._named.get(key)
        if found is None:
            found = self._named[key] = self._told(peer, tables)
        return found

    def _told(self, peer: Peer, tables: Mapping[str, Table]) -> Masks:
        """The classes whose addresses match a table, an interface or a name: each is asked for."""
        traffic = self.traffic
        stranger = (traffic.sources if traffic.axis == "sources" else traffic.targets).stranger
        sure, maybe = bytearray(b"0"), bytearray(b"0")  # digits, the last class first: numbers grown bit by bit cost its square
        for span in reversed(traffic.classes.ranges):
            addresses = Addresses((span,), stranger=stranger)
            every, some = self.book.told(addresses, peer, traffic.family, traffic.interface, tables)
            sure += b"1" if every else b"0"
            maybe += b"1" if some else b"0"
        return int(sure, 2), int(maybe, 2)

    def at(self, addresses: Addresses, peers: tuple[Peer, ...], tables: Mapping[str, Table]) -> Masks:
        """All classes or none, for addresses that a translation gave them."""
        sure = maybe = 0
        for peer in peers:
            every, some = self.book.told(addresses, peer, self.traffic.family, self.traffic.interface, tables)
            sure, maybe = sure | (self.all if every else 0), maybe | (self.all if some else 0)
        return sure, maybe

    def _flags(self, rule: Rule) -> bool:
        want, looked_at = rule.tcp_flags
        if self.traffic.fragment:
            return not looked_at
        return self.traffic.flags & looked_at == want

    def _icmp(self, rule: Rule) -> bool:
        asked = self.traffic.icmp
        if asked is None:
            return True
        listed = rule.options.icmp
        if listed and not any(kind == asked[0] and code in (None, asked[1]) for kind, code in listed):
            return False
        if rule.stateful and "sloppy" not in rule.options.state_options:
            return asked[0] not in REPLIES[self.traffic.family]
        return True

    def _options(self, rule: Rule, tagged: Callable[[Options], Masks]) -> Masks:
        options = rule.options
        traffic = self.traffic
        if options.fragment and not traffic.fragment:
            return 0, 0
        if traffic.fragment and (options.icmp or options.users or options.groups):
            return 0, 0
        sure = maybe = self.all
        if options.tagged:
            sure, maybe = tagged(options)
        doubtful = bool(options.probability or options.tos or options.once or options.systems or options.groups)
        if options.icmp and traffic.icmp is None:
            doubtful = True
        if options.prio is not None:
            if traffic.prio is None:
                doubtful = True
            elif traffic.prio != options.prio:
                return 0, 0
        if options.received_on is not None and not self._received(options.received_on):
            return 0, 0
        if options.users and traffic.protocol in (TCP, UDP):
            told = [owner(item, traffic.user) for item in options.users]
            if not any(some for _, some in told):
                return 0, 0
            doubtful = doubtful or not any(every for every, _ in told)
        return (0 if doubtful else sure), maybe

    def _received(self, item: OnInterface) -> bool:
        """What goes out was received on nothing, for it is this host's own; what comes in, on the interface itself."""
        if self.traffic.direction == "out":
            return False
        return on_interface((item,), self.traffic.interface)


def owner(item: Compared, user: str | None) -> tuple[bool, bool]:
    """Whether a socket's owner surely, and whether it may, compare as a rule asks."""
    if user is None:
        return False, True
    numbers = [_number(value) for value in item.values]
    own = _number(user)
    if item.operator in ("=", "!="):
        same = numbers[0] == own
        found = same == (item.operator == "=")
        return found, found
    if own is None or isinstance(own, str) or any(isinstance(number, str) for number in numbers):
        return False, True
    low, high = int(numbers[0]), int(numbers[-1])
    found = {
        "<": own < low,
        "<=": own <= low,
        ">": own > low,
        ">=": own >= low,
        "><": low < own < high,
        "<>": own < low or own > high,
    }[item.operator]
    return found, found


def _number(name: str) -> int | str:
    if name.isdigit():
        return int(name)
    return USERS.get(name, name)
