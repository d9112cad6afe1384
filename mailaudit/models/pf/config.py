"""The packet filter's ruleset: what it lets through, and what it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Literal

from mailaudit.models.interfaces import LOOPBACK, Address, Interface, Interfaces, read_interfaces
from mailaudit.models.pf.addresses import LINK_LOCAL, AddressBook
from mailaudit.models.pf.definitions import Queue
from mailaudit.models.pf.egress import egress_of
from mailaudit.models.pf.eval import DEFAULT, Filter, to_port
from mailaudit.models.pf.items import Fault
from mailaudit.models.pf.loads import filled
from mailaudit.models.pf.packet import Packet
from mailaudit.models.pf.reach import OpenPorts, admits, open_ports, open_to_strangers, own_address
from mailaudit.models.pf.reader import Found, RulesReader, Skip
from mailaudit.models.pf.rules import Anchor, Entry, Rule, Table, all_rules
from mailaudit.models.pf.tables import TableFiles
from mailaudit.models.pf.traffic import ALL_PORTS, CLIENT_PORTS, Traffic
from mailaudit.models.pf.values import Range
from mailaudit.models.services import Services
from mailaudit.models.sources import Known, Model, Slot, Sources, all_trees
from mailaudit.parsers.pf import parse
from mailaudit.parsers.tree import Problem, Statement, Tree, nothing
from mailaudit.questions import Absent
from mailaudit.text import Text

PATH = "/etc/pf.conf"

Value = Literal["yes", "no", "doubt"]


@dataclass(frozen=True, slots=True)
class Answer3:
    """Yes, no, or doubt, with the rules that decide (none: no rule does, or the interface is skipped).

    With `partly` it is no for some sources only. `doubts` are the rules that are in doubt.
    """

    value: Value
    rules: tuple[Rule, ...] = ()
    doubts: tuple[Rule, ...] = ()
    partly: bool = False
    skip: Skip | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a packet.

    `action` is `pass`, `block`, `skip`, `default` (no rule matched: pass), `malformed` (dropped before any rule), `ip-options`
    (passed by a rule, dropped for its options) or `in-doubt`.
    """

    action: str
    rule: Rule | None = None
    doubts: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class Ruleset(Model):
    """A ruleset as pf would have it, what pfctl refuses mended or left out.

    `egress` are the interfaces that may be the one to the Internet: more than one if it cannot be told which it is.
    """

    text: Text
    entries: tuple[Entry, ...] = field(default=(), repr=False)
    tables: Mapping[str, Table] = field(default_factory=dict, repr=False)
    skips: tuple[Skip, ...] = ()
    options: Mapping[str, list[Statement]] = field(default_factory=dict, repr=False)
    faults: tuple[Fault, ...] = ()
    interfaces: Interfaces = field(default_factory=Interfaces)
    egress: tuple[Interface, ...] = ()
    book: AddressBook = field(default_factory=lambda: AddressBook((), lambda _table: ([], True)), repr=False)
    not_there: tuple[Problem, ...] = ()
    services: Services = field(default_factory=Services, repr=False)
    queues: tuple[Queue, ...] = field(default=(), repr=False)
    definitions: Mapping[int, Table] = field(default_factory=dict, repr=False)

    @property
    def not_read(self) -> list[Problem]:
        """What pfctl would read and mailaudit could not, included files that were not recorded among it."""
        return [*super().not_read, *self.not_there]

    @cached_property
    def rules(self) -> list[Rule]:
        """All rules in order, those of anchors in place."""
        return list(all_rules(self.entries))

    @property
    def families(self) -> tuple[int, ...]:
        """The families in which the host has an address on the way to the Internet; both where that is not recorded."""
        known = [address for each in self.egress for address in each.addresses or ()]
        if any(each.addresses is None for each in self.egress):
            return (4, 6)
        return tuple(family for family in (4, 6) if any(_is_global(address, family) for address in known))

    def skipped(self, interface: Interface) -> Skip | None:
        """The `set skip on` that an interface falls under."""
        for skip in self.skips:
            if interface.called(skip.name):
                return skip
        return None

    def with_line(self, line: str, after: Statement | None = None) -> Ruleset:
        """The ruleset as it would be with one more rule below a statement, or above all others."""
        read = RulesReader(self.services, self.interfaces).read(parse(Text.of(PATH, line + "\n"), nothing))
        entries: list[Entry] = list(self.entries)
        at = 0
        for number, entry in enumerate(entries, 1):
            statement = entry.rule.statement if isinstance(entry, Anchor) else entry.statement
            if statement is after:
                at = number
        return replace(self, entries=(*entries[:at], *read.entries, *entries[at:]))

    def with_rule(self, rule: Rule, instead_of: Rule) -> Ruleset:
        """The ruleset as it would be with one top-level rule changed."""
        return replace(self, entries=tuple(rule if entry is instead_of else entry for entry in self.entries))

    @cached_property
    def filter(self) -> Filter:
        """The rules, ready to be asked about traffic on interfaces that are not skipped."""
        return Filter(self.entries, self.tables, self.book)

    def admits(  # noqa: PLR0913  they are the fields of a packet
        self,
        family: int,
        protocol: int,
        port: int = 0,
        direction: str = "in",
        *,
        icmp: tuple[int, int] | None = None,
        user: str | None = None,
        network: Range | None = None,
    ) -> Answer3:
        """Whether a connection to a port, or an ICMP message, passes between this host and all of the Internet or a network."""
        answers = [
            self._admits(
                Traffic(
                    direction=direction,
                    interface=interface,
                    family=family,
                    protocol=protocol,
                    sources=own_address(interface, family),
                    targets=own_address(interface, family),
                    target_ports=((port, port),),
                    icmp=icmp,
                    user=user,
                ),
                network,
            )
            for interface in self.egress
        ]
        return one_of(answers)

    def passes_in(self, family: int, protocol: int, port: int) -> Answer3:
        """Whether anybody on the Internet can connect to a port; the answer's first rule is the one that says so."""
        return self.admits(family, protocol, port)

    def is_shut(self, family: int, protocol: int, port: int) -> bool:
        """True if nobody can connect to a port, wherever he is: a rule blocks all, and none lets anybody in."""
        for interface in self.egress:
            own = own_address(interface, family)
            path = to_port(self.filter.lane(Traffic("in", interface, family, protocol, own, own, ((port, port),))), port)
            rules = [each for each in path.entries if isinstance(each, Rule)]
            lets_in = len(rules) < len(path.entries) or any(each.action == "pass" for each in rules)
            if self.skipped(interface) is not None or lets_in or all(each.sources for each in rules if each.action == "block"):
                return False
        return bool(self.egress) and self.passes_in(family, protocol, port).value == "no"

    def admits_answers(self, family: int, protocol: int, port: int, icmp: tuple[int, int] | None, flags: int) -> Answer3:
        """Whether answers from a port pass in by themselves, where no state lets them."""
        answers = []
        for interface in self.egress:
            own = own_address(interface, family)
            traffic = Traffic("in", interface, family, protocol, own, own, ((port, port),), CLIENT_PORTS, icmp, flags)
            answers.append(self._admits(traffic, None))
        return one_of(answers)

    def answer(self, traffic: Traffic) -> Answer3:
        """Whether traffic passes, as it is."""
        skip = self.skipped(traffic.interface)
        if skip is not None:
            return Answer3("yes", skip=skip)
        outcome = self.filter.run(traffic)
        rule, doubts = outcome.deciding()
        rules = (rule,) if rule is not None else ()
        if outcome.in_doubt:
            return Answer3("doubt", rules, tuple(doubts))
        return Answer3("yes" if outcome.passed else "no", rules)

    def _admits(self, traffic: Traffic, network: Range | None) -> Answer3:
        skip = self.skipped(traffic.interface)
        if skip is not None:
            return Answer3("yes", skip=skip)
        found = admits(self.filter, traffic, network)
        if found.value == "yes":
            return Answer3("yes", (found.passing,) if found.passing else ())
        if found.value == "doubt":
            return Answer3("doubt", doubts=found.doubts)
        rules = tuple(rule for rule in (found.blocking, found.passing) if rule is not None)
        return Answer3("no", rules, found.doubts, partly=found.value == "partly" or found.passing is not None)

    def open_ports(self, family: int, protocol: int) -> list[OpenPorts]:
        """The ports that packets from the Internet can or may reach, by the rule that lets them in."""
        found: list[list[OpenPorts]] = []
        for interface in self.egress:
            if self.skipped(interface) is not None:
                found.append([OpenPorts(ALL_PORTS, None, sure=True)])
                continue
            own = own_address(interface, family)
            found.append(open_ports(self.filter, Traffic("in", interface, family, protocol, own, own)))
        if len(found) == 1:
            return found[0]
        return [replace(each, sure=each.sure and _in_all(each, found)) for ports in found for each in ports]

    def open_to_strangers(self, family: int, protocol: int) -> tuple[Range, ...]:
        """The ports that surely anybody on the Internet can reach whom no rule names, over any of the host's interfaces."""
        found: list[Range] = []
        for interface in self.egress:
            own = own_address(interface, family)
            skipped = self.skipped(interface) is not None
            found += (
                ALL_PORTS if skipped else open_to_strangers(self.filter, Traffic("in", interface, family, protocol, own, own))
            )
        return tuple(found)

    def verdict(self, packet: Packet) -> Decision:
        """What becomes of one packet that begins a connection, or belongs to none."""
        traffic = packet.traffic
        if self.skipped(traffic.interface) is not None:
            return Decision("skip")
        if packet.malformed:
            return Decision("malformed")
        outcome = self.filter.run(traffic)
        rule, doubts = outcome.deciding()
        if outcome.in_doubt:
            return Decision("in-doubt", rule, tuple(doubts))
        if outcome.blocked:
            return Decision("block", rule)
        if traffic.ip_options and rule is not None and not rule.options.allow_opts:
            return Decision("ip-options", rule)
        return Decision("pass" if rule is not None else DEFAULT, rule)


def one_of(answers: list[Answer3]) -> Answer3:
    """What holds whichever interface is the one to the Internet."""
    if len({answer.value for answer in answers}) == 1:
        return answers[0]
    doubts = tuple(rule for answer in answers for rule in (*answer.doubts, *answer.rules))
    return Answer3("doubt", doubts=tuple(dict.fromkeys(doubts)))


def _in_all(ports: OpenPorts, found: list[list[OpenPorts]]) -> bool:
    """True if the same rule lets these ports in over every interface that may be the one to the Internet."""
    return all(any(each.rule is ports.rule and each.ranges == ports.ranges and each.sure for each in one) for one in found)


def _is_global(address: Address, family: int) -> bool:
    return address.family == family and address.value >> 118 != LINK_LOCAL


def read_pf(sources: Sources, services: Services) -> Slot[Ruleset]:
    """The ruleset of /etc/pf.conf."""
    slot = sources.slot(PATH, sources.tree(PATH, "pf"), ("/etc/pf.*", "/etc/pf/*"))
    if not isinstance(slot, Known):
        return slot
    return Known(ruleset(slot.value, sources, services, read_interfaces(sources)))


def ruleset(tree: Tree, sources: Sources, services: Services, interfaces: Interfaces) -> Ruleset:
    """The ruleset of a tree on a host with these interfaces."""
    found = _read(tree, services, interfaces)
    egress, assumed = egress_of(found, interfaces, sources)
    faults, unknown = _missing(found, sources)
    known = interfaces.known or (*egress, LOOPBACK)
    entries = filled(tuple(found.entries), found.loads)
    for path in sorted({token.value for table in (*found.tables.values(), *_anchored(entries)) for token in table.files}):
        sources.file(path)  # asked for now: the tables are read when packets are compared with them
    return Ruleset(
        trees=all_trees(tree),
        refusals=tuple(fault.problem for fault in _unique(faults)),
        assumed=(*services.assumed, *assumed),
        text=tree.text,
        entries=entries,
        tables=found.tables,
        skips=tuple(found.skips),
        options=found.options,
        faults=tuple(_unique(faults)),
        interfaces=interfaces,
        egress=egress,
        book=AddressBook(known, TableFiles(sources).read),
        not_there=unknown,
        services=services,
        queues=tuple(found.queues),
        definitions=found.definitions,
    )


def _anchored(entries: tuple[Entry, ...]) -> Iterator[Table]:
    """The tables of anchors."""
    for entry in entries:
        if isinstance(entry, Anchor):
            yield from entry.tables.values()
            yield from _anchored(entry.body or ())


_LAST: list[tuple[Tree, Services, Interfaces, Found]] = []


def _read(tree: Tree, services: Services, interfaces: Interfaces) -> Found:
    """The rules of a tree; the last reading is kept, for each wave of questions reads the models again."""
    for last, named, known, found in _LAST:
        if last is tree and named.ports == services.ports and known.known == interfaces.known:
            return found
    found = RulesReader(services, interfaces).read(tree)
    _LAST[:] = [(tree, services, interfaces, found)]
    return found


def _unique(faults: list[Fault]) -> Iterator[Fault]:
    seen: set[tuple[str, int, int]] = set()
    for fault in faults:
        span = fault.problem.span
        key = (span.path, span.start, span.end)
        if key not in seen:
            seen.add(key)
            yield fault


def _missing(found: Found, sources: Sources) -> tuple[list[Fault], tuple[Problem, ...]]:
    """Included files that are not there are refused; those that were not recorded leave the ruleset partly read."""
    faults = list(found.faults)
    unknown: list[Problem] = []
    for path, span in found.missing:
        if isinstance(sources.file(path), Absent):
            faults.append(Fault(Problem(f"the file {path} is not there", span)))
        else:
            unknown.append(Problem(f"the file {path} was not recorded", span, refused=False))
    return faults, tuple(unknown)
