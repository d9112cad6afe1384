"""Where mail for an address ends: smtpd's virtual map and its aliases, looked up and expanded as smtpd does.

Source: aliases_virtual_get() and lka_expand() of smtpd 7.8; EXPAND_DEPTH is 10.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Table
from mailaudit.models.sources import Known, Lacking, Model, NotHere, Slot, Sources, refused_statements
from mailaudit.parsers.tree import Problem, Statement, Token, Tree
from mailaudit.questions import Reason

SMTPD = "/etc/mail/smtpd.conf"
DEEPEST = 10
CATCH_ALL = "@"
_USER = re.compile(r"[A-Za-z0-9_.+-]{1,255}", re.ASCII)
_ADDRESS = re.compile(r"[A-Za-z0-9!#$%*/?|^{}`~&'+=_.-]+@.+", re.ASCII | re.DOTALL)  # smtpd looks at the local part alone
_ERROR = re.compile(r":?error:[45][0-9]{2} [A-Za-z0-9].*", re.ASCII | re.IGNORECASE | re.DOTALL)
_INCLUDE = re.compile(r":?include:/.*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """Where an entry leads: `user` (an account), `address`, `command`, `file`, `include`, `error`, or `invalid`."""

    kind: str
    token: Token

    @property
    def value(self) -> str:
        """The name, the address in lower case, or the rest as it is written."""
        return self.token.value.lower() if self.kind == "address" else self.token.value


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One line of a map; `source` is the path of its file, or the name of a table in smtpd.conf itself."""

    key: Token
    targets: tuple[Target, ...]
    statement: Statement | None = None
    source: str = ""

    @property
    def is_sound(self) -> bool:
        """False if smtpd can make nothing of a target: it then puts off all mail for the key."""
        return all(target.kind != "invalid" for target in self.targets)

    @property
    def name(self) -> str:
        """The key as smtpd keeps it: in lower case."""
        return self.key.value.lower()


@dataclass(frozen=True, slots=True, eq=False)
class Leaf:
    """An end of an expansion: the target, the entry it stands in, and the address that is delivered to."""

    target: Target
    entry: Entry
    address: str


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """A chain that leads back to itself: its entries, the first few of them, and the target that closes it."""

    entries: tuple[Entry, ...]
    closing: Entry
    target: Target


@dataclass(frozen=True, eq=False)
class _Map(Model):
    """A map of names to targets, out of one file or several; of equal keys in one file the last counts.

    `tables` are the names of the tables in smtpd.conf.
    """

    tables: tuple[str, ...] = ()
    entries: tuple[Entry, ...] = ()
    delimiter: str = "+"

    @cached_property
    def by_name(self) -> dict[str, Entry]:
        """The entries that count, by name."""
        return {entry.name: entry for entry in self.entries}

    def entry(self, name: str) -> Entry | None:
        """The entry of exactly this name."""
        return self.by_name.get(name.lower())

    def lookup(self, name: str) -> Entry | None:
        """The entry for a user: user+tag, user."""
        keys = alias_keys(name, self.delimiter)
        return next((found for key in keys if (found := self.by_name.get(key)) is not None), None)

    def bare(self, user: str) -> str:
        """A user's name without its tag."""
        return user.split(self.delimiter, 1)[0] if self.delimiter else user

    def follow(self, name: str, target: Target) -> str | None:
        """The name that is looked up next when the entry for a name has this target; None if the chain ends with it.

        A user that leads to itself is delivered to.
        """
        found = target.value.lower()
        return found if target.kind == "user" and found != name and self.lookup(found) is not None else None

    def expand(self, name: str) -> tuple[Leaf, ...]:
        """All ends of an address or a user. What leads to itself has no end; each name is followed once."""
        leaves: list[Leaf] = []
        seen: set[str] = set()
        waiting = [(name.lower(), name.lower())]
        while waiting:
            at, within = waiting.pop()
            entry = self.lookup(at)
            if at in seen or entry is None:
                continue
            seen.add(at)
            within = at if "@" in at else within
            for target in entry.targets if entry.is_sound else (each for each in entry.targets if each.kind == "invalid"):
                following = self.follow(at, target)
                if following is not None:
                    waiting.append((following, within))
                else:
                    leaves.append(Leaf(target, entry, within))
        return tuple(leaves)

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        """The places where a chain leads back to itself."""
        return self._walked[0]

    @cached_property
    def depths(self) -> dict[str, int]:
        """For each key the number of steps to its farthest end, loops left out."""
        return {name: self._walked[1][name] for name in self.by_name}

    @cached_property
    def _walked(self) -> tuple[tuple[Loop, ...], dict[str, int]]:
        loops: list[Loop] = []
        depths: dict[str, int] = {}
        for start in self.by_name:
            if start not in depths:
                self._walk(start, loops, depths)
        return tuple({id(loop.target.token): loop for loop in reversed(loops)}.values())[::-1], depths

    def _walk(self, start: str, loops: list[Loop], depths: dict[str, int]) -> None:
        """Follow all chains from a name, depth first; `depths` gains those of all names on the way."""
        path = [self._begun(start, depths)]
        on_path = {start: 0}
        while path:
            name, entry, targets = path[-1]
            target = next(targets, None)
            if target is None:
                path.pop()
                del on_path[name]
                if path:
                    depths[path[-1][0]] = max(depths[path[-1][0]], depths[name] + 1)
                continue
            following = self.follow(name, target)
            if following is None:
                continue
            if following in on_path:
                round_ = path[on_path[following] :][:DEEPEST]
                loops.append(Loop(tuple(each for _, each, _ in round_), entry, target))
            elif following in depths:
                depths[name] = max(depths[name], depths[following] + 1)
            else:
                on_path[following] = len(path)
                path.append(self._begun(following, depths))

    def _begun(self, name: str, depths: dict[str, int]) -> tuple[str, Entry, Iterator[Target]]:
        entry = self.lookup(name)
        if entry is None:
            raise LookupError(name)
        depths[name] = 1
        return name, entry, iter(entry.targets)


@dataclass(frozen=True, eq=False)
class Virtuals(_Map):
    """The virtual map: addresses, users and catch-alls to targets. An address in none of `domains` is not looked up.

    smtpd has a map for each action; here all are one, but `sources` says which of them mail for a domain is looked up in.
    """

    domains: frozenset[str] = frozenset()
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def of_domain(self, domain: str) -> Virtuals:
        """The map that mail for a domain is looked up in; the whole one where smtpd.conf does not tell."""
        known = self.sources.get(domain.lower())
        return self if known is None else replace(self, entries=tuple(each for each in self.entries if each.source in known))

    def lookup(self, name: str) -> Entry | None:
        """The entry for an address: user+tag@domain, user@domain, user+tag, user, @domain, @.

        A user is looked up in the same way, as one of an empty domain, but for the catch-alls.
        """
        keys = virtual_keys(name, self.delimiter)
        return next((found for key in keys if (found := self.by_name.get(key)) is not None), None)

    def follow(self, name: str, target: Target) -> str | None:
        """As for users; an address in one of the domains of the map is followed too."""
        found = target.value
        if target.kind == "address" and found.rpartition("@")[2] in self.domains and self.lookup(found) is not None:
            return found
        return super().follow(name, target)


@dataclass(frozen=True, eq=False)
class Aliases(_Map):
    """The aliases of the host's own users; an address ends a chain here and begins another in smtpd's rules."""


def alias_keys(user: str, delimiter: str = "+") -> tuple[str, ...]:
    """The keys that a user is looked up as in a map of aliases, in order (aliases_get())."""
    user = user.lower()
    plain = user.split(delimiter, 1)[0] if delimiter else user
    return tuple(dict.fromkeys((user, plain)))


def virtual_keys(name: str, delimiter: str = "+") -> tuple[str, ...]:
    """The keys that an address is looked up as in a virtual map, in order; a user as one of no domain, without catch-alls."""
    user, _, domain = name.lower().partition("@")
    plain = user.split(delimiter, 1)[0] if delimiter else user
    catch_alls = (f"@{domain}", CATCH_ALL) if domain else ()
    return tuple(dict.fromkeys((f"{user}@{domain}", f"{plain}@{domain}", user, plain, *catch_alls)))


def target_of(token: Token) -> Target:
    """What smtpd takes a target for (text_to_expandnode())."""
    value = token.value
    if value.lower().startswith((":error:", "error:")):
        return Target("error" if _ERROR.fullmatch(value) else "invalid", token)
    if value.lower().startswith((":include:", "include:")):
        return Target("include" if _INCLUDE.fullmatch(value) else "invalid", token)
    if value.startswith("|"):
        return Target("command", token)
    if value.startswith("/"):
        return Target("file", token)
    if _ADDRESS.fullmatch(value):
        return Target("address", token)
    return Target("user" if _USER.fullmatch(value) else "invalid", token)


def read_virtuals(sources: Sources, smtpd: Slot[SmtpdConfig]) -> Slot[Virtuals]:
    """The virtual map of smtpd's actions, or the usual file where there is no smtpd.conf to name one."""
    slot = _tables(sources, smtpd, "virtual", "virtuals", "/etc/mail/virtuals")
    if not isinstance(slot, Known):
        return slot
    trees, entries = slot.value
    domains = [entry.name.rpartition("@")[2] for entry in entries if "@" in entry.name]
    if isinstance(smtpd, Known):
        domains += smtpd.value.accepted_domains
    return Known(
        Virtuals(
            trees=trees,
            refusals=_refusals(trees),
            tables=_names(smtpd, "virtual"),
            entries=entries,
            domains=frozenset(domains),
            delimiter=smtpd.value.options.sub_address_delimiter if isinstance(smtpd, Known) else "+",
            sources=_sources(smtpd.value) if isinstance(smtpd, Known) else {},
        )
    )


def _sources(smtpd: SmtpdConfig) -> dict[str, tuple[str, ...]]:
    """For each domain that rules deliver here, the sources of the maps of their actions."""
    found: dict[str, tuple[str, ...]] = {}
    for rule in smtpd.rules:
        way = rule.destination
        table = rule.action.tables.get("virtual") if rule.action is not None else None
        if way.kind == "domain" and way.table is not None and not way.negated and table is not None and table.is_defined:
            for key in smtpd.keys(way.table) or ():
                known = found.get(key.lower(), ())
                found[key.lower()] = tuple(dict.fromkeys((*known, table.path or table.name)))
    return found


def read_aliases(sources: Sources, smtpd: Slot[SmtpdConfig]) -> Slot[Aliases]:
    """The aliases of smtpd's actions, or the usual file where there is no smtpd.conf to name one."""
    slot = _tables(sources, smtpd, "alias", "aliases", "/etc/mail/aliases")
    if not isinstance(slot, Known):
        return slot
    trees, entries = slot.value
    return Known(Aliases(trees=trees, refusals=_refusals(trees), tables=_names(smtpd, "alias"), entries=entries))


def _used(smtpd: SmtpdConfig, option: str) -> tuple[Table, ...]:
    return smtpd.virtual_tables if option == "virtual" else smtpd.alias_tables


def _names(smtpd: Slot[SmtpdConfig], option: str) -> tuple[str, ...]:
    return tuple(table.name for table in _used(smtpd.value, option)) if isinstance(smtpd, Known) else ()


def _tables(
    sources: Sources, smtpd: Slot[SmtpdConfig], option: str, language: str, usual: str
) -> Slot[tuple[tuple[Tree, ...], tuple[Entry, ...]]]:
    """The files of the tables that smtpd's actions name by an option, and all their entries."""
    paths = [usual]
    entries: list[Entry] = []
    if isinstance(smtpd, Known):
        used = _used(smtpd.value, option)
        if not used:
            return NotHere(f'no action of smtpd.conf has "{option}"')
        unread = [table for table in used if table.backend not in ("file", "static", "undefined")]
        if unread:
            return Lacking(Reason.NOT_RECORDED, f"table {unread[0].name} is of the kind {unread[0].backend}, which is not read")
        defined = [table for table in used if table.is_defined]
        if defined:  # a table that no statement defines is taken for the usual file
            paths = list(dict.fromkeys(table.path for table in defined if table.path is not None))
            entries += (written_entry(key, value, table.name) for table in defined for key, value in table.entries)
    trees: list[Tree] = []
    for path in paths:
        slot = sources.slot(path, sources.tree(path, language), (path, SMTPD))
        if not isinstance(slot, Known):
            return slot
        trees.append(slot.value)
        entries += entries_of(slot.value)
    return Known((tuple(trees), tuple(entries)))


def entries_of(tree: Tree) -> Iterator[Entry]:
    """The entries of a file table."""
    for statement in tree.statements:
        if statement.kind == "entry":
            targets = statement.node.node("targets")
            tokens = targets.leaves() if targets is not None else []
            yield Entry(statement.node.first, tuple(target_of(token) for token in tokens), statement, tree.text.path)


def written_entry(key: Token, value: Token | None, table: str) -> Entry:
    """An entry that stands in smtpd.conf itself."""
    targets = value.value.split(",") if value is not None else []
    tokens = [Token("word", each.strip(), value.text, value.start, value.end) for each in targets if value is not None]
    return Entry(key, tuple(target_of(token) for token in tokens if token.value), source=table)


def _refusals(trees: tuple[Tree, ...]) -> tuple[Problem, ...]:
    lists = (next((each for each in tree.statements if each.kind == "key"), None) for tree in trees)
    mistaken = (Problem("this file is a list of keys; a map needs a value for each", each.span) for each in lists if each)
    return (*refused_statements(trees), *mistaken)
