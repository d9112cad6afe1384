"""The rules of a ruleset as data: what each compares, with its lists not yet multiplied out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from mailaudit.models.pf.items import OnInterface
from mailaudit.models.pf.values import TCP, Compared, Peer, PortTest, Range
from mailaudit.parsers.tree import Node, Statement, Template, Token

FLAGS = {letter: 1 << number for number, letter in enumerate("FSRPAUEW")}
SYN, ACK = FLAGS["S"], FLAGS["A"]


@dataclass(frozen=True, slots=True)
class Translation:
    """Where `nat-to`, `rdr-to` or `route-to` sends a packet: addresses, and the ports if they are set.

    `how` an address is chosen is `bitmask`, `random`, `source-hash` (with its `key`), `round-robin`, `least-states` or not said.
    """

    targets: tuple[Peer, ...]
    ports: tuple[Range, ...] = ()
    static_port: bool = False
    how: str = ""
    key: str = ""
    sticky: bool = False
    onward: bool = False  # `port 8080:*`: as many ports as the rule looks at


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a rule, those that few rules have."""

    family: int = 0  # that of the addresses to translate, route or divert to: the rule takes it on
    icmp: tuple[tuple[int, int | None], ...] = ()
    icmp_family: int = 0
    flags: tuple[int, int] | None = None  # those that must be set, of those that are looked at; (0, 0) for `flags any`
    state: str = ""  # keep, modulate, synproxy or no; empty if nothing was said
    state_options: tuple[str, ...] = ()
    overload: str = ""
    fragment: bool = False
    allow_opts: bool = False
    once: bool = False
    tag: str = ""
    tagged: str = ""
    not_tagged: bool = False
    users: tuple[Compared, ...] = ()
    groups: tuple[Compared, ...] = ()
    systems: tuple[str, ...] = ()
    probability: str = ""
    received_on: OnInterface | None = None
    tos: str = ""
    prio: int | None = None
    nat: Translation | None = None
    rdr: Translation | None = None
    binat: bool = False
    af_to: int = 0
    route: str = ""
    route_to: Translation | None = None
    divert: str = ""
    divert_to: Peer | None = None
    divert_port: int = 0
    label: str = ""


NO_OPTIONS = Options()


@dataclass(frozen=True, slots=True, eq=False)
class Defaults:
    """What the `set` statements above a rule make of what it leaves unsaid.

    `lock` is the state policy, `if-bound` or `floating`; `states` the reading of `set state-defaults`, for pass rules that say
    nothing of states; `reassembles` is False below `set reassemble no`.
    """

    lock: str = "floating"
    states: Node | None = None
    reassembles: bool = True


STOCK = Defaults()


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One pass, block or match rule, or the condition of an anchor.

    Empty tuples mean that the rule does not look at that. `direction` is `in`, `out` or empty, `family` 4, 6 or 0. `returns` is
    what a block rule sends back: `drop`, `return`, `return-rst`, `return-icmp` or `return-icmp6`.
    """

    statement: Statement
    action: str
    direction: str = ""
    log: bool = False
    quick: bool = False
    interfaces: tuple[OnInterface, ...] = ()
    family: int = 0
    protocols: tuple[int, ...] = ()
    sources: tuple[Peer, ...] = ()
    source_ports: tuple[Range, ...] = ()
    targets: tuple[Peer, ...] = ()
    target_ports: tuple[Range, ...] = ()
    returns: str = ""
    options: Options = NO_OPTIONS
    source_tests: tuple[PortTest, ...] = ()
    target_tests: tuple[PortTest, ...] = ()
    defaults: Defaults = STOCK

    @property
    def stateful(self) -> bool:
        """True if it makes states: pass rules do, unless told not to."""
        return self.action == "pass" and self.options.state != "no"

    @property
    def tcp_flags(self) -> tuple[int, int]:
        """The flags that it looks at; S/SA if it says nothing, makes states, and is about no fragments."""
        if self.options.flags is not None:
            return self.options.flags
        if self.stateful and not self.options.fragment and (not self.protocols or TCP in self.protocols):
            return SYN, SYN | ACK
        return 0, 0


@dataclass(frozen=True, slots=True, eq=False)
class Anchor:
    """An anchor: the packets it is about, and its rules, None if they are filled in by another program or command."""

    rule: Rule
    name: str
    body: tuple[Entry, ...] | None
    tables: Mapping[str, Table] = field(default_factory=dict)


Entry = Rule | Anchor


def all_rules(entries: Iterable[Entry]) -> Iterator[Rule]:
    """All rules in order, those of anchors in place."""
    for entry in entries:
        if isinstance(entry, Anchor):
            yield from all_rules(entry.body or ())
        else:
            yield entry


def with_anchors(entries: Iterable[Entry]) -> Iterator[Rule]:
    """All rules in order, and the conditions of anchors before what is in them."""
    for entry in entries:
        if isinstance(entry, Anchor):
            yield entry.rule
            yield from with_anchors(entry.body or ())
        else:
            yield entry


def standings(
    entries: Iterable[Entry], tables: Mapping[str, Table], around: tuple[Rule, ...] = ()
) -> Iterator[tuple[Rule, Standing]]:
    """All rules and the conditions of anchors, each with where it stands."""
    for entry in entries:
        if isinstance(entry, Anchor):
            yield entry.rule, Standing(tables, around)
            yield from standings(entry.body or (), {**tables, **entry.tables}, (*around, entry.rule))
        else:
            yield entry, Standing(tables, around)


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rule stands: the tables that it knows, and the conditions of the anchors around it, outermost first."""

    tables: Mapping[str, Table]
    around: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its entries in the file, and the files that hold more.

    `parts` are both in their order, list by list; `options` the words `const`, `persist` and `counters`.
    """

    name: str
    entries: tuple[Peer, ...]
    files: tuple[Token, ...]
    at: Token
    parts: tuple[Token | tuple[Peer, ...], ...] = ()
    options: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Outline:
    """Which tokens of a statement are what: worked out once for all statements of one shape."""

    action: int
    how: tuple[int, ...] = ()
    direction: int | None = None
    log: bool = False
    quick: bool = False
    interfaces: tuple[int, ...] = ()
    family: int | None = None
    protocols: tuple[int, ...] = ()
    sources: tuple[int, ...] = ()
    source_ports: tuple[int, ...] = ()
    targets: tuple[int, ...] = ()
    target_ports: tuple[int, ...] = ()
    systems: tuple[int, ...] = ()
    name: int | None = None
    options: tuple[Template, ...] = ()


def flat(template: Template) -> tuple[int, ...]:
    """The numbers of all tokens below."""
    numbers: list[int] = []
    for part in template.parts:
        if isinstance(part, int):
            numbers.append(part)
        elif isinstance(part, Template):
            numbers += flat(part)
        else:
            numbers += part
    return tuple(numbers)


_LISTS = {"on": "interfaces", "proto": "protocols", "os": "systems"}


def outline(template: Template) -> Outline:
    """The outline of a rule or an anchor."""
    found: dict[str, object] = {"action": 0}
    options: list[Template] = []
    for part in template.parts:
        if not isinstance(part, Template):
            continue
        kind = part.kind
        numbers = flat(part)
        if kind == "action":
            found["action"], found["how"] = numbers[0], numbers[1:]
        elif kind in ("direction", "family", "name"):
            found[kind] = numbers[0]
        elif kind in ("log", "quick"):
            found[kind] = True
        elif kind in _LISTS:
            found[_LISTS[kind]] = numbers[1:]
        elif kind in ("from", "to"):
            found.update(_side(part, "source" if kind == "from" else "target"))
        elif kind != "all":
            options.append(part)
    return Outline(options=tuple(options), **found)  # type: ignore[arg-type]  # the names are those of the fields


def _side(template: Template, name: str) -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for part in template.parts:
        if isinstance(part, Template) and part.kind == "hosts":
            found[f"{name}s"] = flat(part)
        elif isinstance(part, Template) and part.kind == "port":
            found[f"{name}_ports"] = flat(part)[1:]
    return found
