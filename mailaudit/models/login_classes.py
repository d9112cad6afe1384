"""Records of login classes, and how tc= makes one class of several, as cgetent(3) does it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mailaudit.models.login_values import decoded, number_of, size_of, time_of
from mailaudit.parsers.tree import Node, Statement, Token

SIZES = frozenset(
    ["coredumpsize", "datasize", "filesize", "memorylocked", "memoryuse", "stacksize", "vmemoryuse"],
)
TIMES = frozenset(["cputime", "expire-warn", "login-timeout", "password-dead", "password-warn", "passwordtime"])
NUMBERS = frozenset(
    ["login-backoff", "login-tries", "maxproc", "minpasswordlen", "openfiles", "passwordtries", "priority", "rtable", "umask"],
)
RESOURCES = SIZES | {"cputime", "maxproc", "openfiles"}
"""What setrlimit(2) bounds: written as the name alone, with `-cur` and with `-max`."""
MOST_LEVELS = 32
MOST_CAPABILITIES = 4096  # cgetent(3) has no such bound, and would be at it for hours
TOO_MANY = "too many classes refer to one another by tc="
DEFAULT = "default"


@dataclass(frozen=True, slots=True, eq=False)
class Capability:
    """One capability as written: its operator is `=`, `#`, `@` (taken away) or empty (a boolean), which alone has no value."""

    name: Token
    operator: str = ""
    value: Token | None = None

    @classmethod
    def of(cls, node: Node) -> Capability:
        """The capability of a node."""
        name, *rest = node.leaves()
        return cls(name, rest[0].kind if rest else "", rest[1] if len(rest) > 1 else None)

    @property
    def takes_away(self) -> bool:
        """True if it says that the class lacks the capability, whatever stands behind it or in another class."""
        return self.operator == "@" or (self.value is not None and self.value.value.startswith("@"))

    @property
    def kind(self) -> str:
        """`size`, `time` or `number` by its name, else empty."""
        name = self.name.value
        resource = name.removesuffix("-cur").removesuffix("-max")
        for kind, names in (("size", SIZES), ("time", TIMES), ("number", NUMBERS)):
            if name in names or (resource in names and resource in RESOURCES):
                return kind
        return ""

    @property
    def amount(self) -> int | None:
        """Its value as bytes, seconds or a number, by its kind; None where login_cap(3) would call it invalid."""
        if self.operator != "=" or self.value is None:
            return None
        written = decoded(self.value.value)
        if self.kind == "size":
            return size_of(written)
        return time_of(written) if self.kind == "time" else number_of(written)


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One record of a file: the names it is found by, and its capabilities in their order, `tc` among them."""

    names: tuple[Token, ...]
    capabilities: tuple[Capability, ...]
    statement: Statement

    @property
    def path(self) -> str:
        """The file that it stands in."""
        return self.statement.tokens[0].text.path

    @classmethod
    def of(cls, statement: Statement) -> Record:
        """The record of a `class` statement."""
        names = statement.node.node("names")
        capabilities = tuple(Capability.of(node) for node in statement.node.nodes("capability"))
        return cls(tuple(names.leaves()) if names is not None else (), capabilities, statement)


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """What setrlimit(2) is given: soft and hard bound, and the capabilities that say so; None where a class says nothing."""

    soft: int | None
    hard: int | None
    soft_by: Capability | None
    hard_by: Capability | None


@dataclass(frozen=True, slots=True, eq=False)
class LoginClass:
    """A class as login_getclass(3) finds it: its capabilities in the order in which they are looked for, `tc` replaced."""

    name: str
    record: Record
    capabilities: tuple[Capability, ...]

    def capability(self, name: str, operator: str = "=") -> Capability | None:
        """The capability that counts, or None: the first of the name, unless it is taken away before (cgetcap)."""
        for capability in self.capabilities:
            if capability.name.value == name:
                if capability.takes_away:
                    return None
                if capability.operator == operator:
                    return capability
        return None

    def has(self, name: str) -> bool:
        """True if a boolean capability is set."""
        return self.capability(name, "") is not None

    def string(self, name: str) -> Token | None:
        """The value of a capability as written; `login_values.decoded` takes its escapes away."""
        found = self.capability(name)
        return None if found is None else found.value

    def limit(self, resource: str) -> Limit:
        """The limit of a resource: `NAME` gives both bounds, `NAME-cur` and `NAME-max` one, unless they stand behind `NAME`.

        The kernel cuts the soft bound to the hard one, and both to its own, which are not told here.
        """
        both = self._valid(resource)
        soft_by = self._before(f"{resource}-cur", resource) or both
        hard_by = self._before(f"{resource}-max", resource) or both
        soft = None if soft_by is None else soft_by.amount
        hard = None if hard_by is None else hard_by.amount
        if soft is not None and hard is not None and soft > hard:
            return Limit(hard, hard, hard_by, hard_by)
        return Limit(soft, hard, soft_by, hard_by)

    def _before(self, name: str, resource: str) -> Capability | None:
        """A capability that does not stand behind the one for both bounds."""
        found, both = self.capability(name), self.capability(resource)
        if found is not None and both is not None and self.capabilities.index(both) < self.capabilities.index(found):
            return None
        return self._valid(name)

    def _valid(self, name: str) -> Capability | None:
        """A capability with a valid amount; one that is invalid counts as if it were not there."""
        found = self.capability(name)
        return found if found is not None and found.amount is not None else None


@dataclass(frozen=True, slots=True, eq=False)
class Unresolved:
    """A class that is not found for the value `at` of a tc=; `is_missing` if that names no class."""

    at: Token
    why: str
    is_missing: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Resolved:
    """A record's capabilities with those of other records in place of each tc=; `levels` of them, one in another."""

    capabilities: tuple[Capability, ...]
    levels: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Records:
    """The records of all files by path. What a record refers to is looked for in its own file and in those after it."""

    files: Mapping[str, tuple[Record, ...]]
    _by_name: dict[str, dict[str, Record]] = field(default_factory=dict, repr=False)
    _known: dict[int, Resolved | Unresolved] = field(default_factory=dict, repr=False)

    def find(self, name: str, paths: tuple[str, ...]) -> Record | None:
        """The first record of a name in some files."""
        for path in paths:
            found = self._names(path).get(name)
            if found is not None:
                return found
        return None

    def _names(self, path: str) -> dict[str, Record]:
        """The first record of each name in a file."""
        known = self._by_name.get(path)
        if known is None:
            known = self._by_name[path] = {}
            for record in self.files.get(path, ()):
                for name in record.names:
                    known.setdefault(name.value, record)
        return known

    def login_class(self, name: str, paths: tuple[str, ...]) -> LoginClass | None:
        """The class of a name; None if it is not found, or found and broken."""
        record = self.find(name or DEFAULT, paths)
        found = None if record is None else self.resolved(record, paths)
        return None if record is None or not isinstance(found, Resolved) else LoginClass(name, record, found.capabilities)

    def resolved(self, record: Record, paths: tuple[str, ...], within: tuple[Record, ...] = ()) -> Resolved | Unresolved:
        """What a record is once its tc= are replaced; `within` are the records that lead to it."""
        known = self._known.get(id(record))
        if known is None:
            known = self._resolve(record, paths[paths.index(record.path) :], (*within, record))
            if not isinstance(known, Unresolved) or known.why != TOO_MANY:  # of itself it may refer to few
                self._known[id(record)] = known
        return known

    def _resolve(self, record: Record, paths: tuple[str, ...], within: tuple[Record, ...]) -> Resolved | Unresolved:
        found: list[Capability] = []
        levels = 0
        for number, capability in enumerate(record.capabilities):
            if capability.name.value != "tc":
                found.append(capability)
                continue
            if capability.takes_away:  # and all that follow
                found += (each for each in record.capabilities[number:] if each.name.value != "tc")
                break
            if capability.operator != "=" or capability.value is None:
                continue
            inner = self._named(capability.value, paths, within)
            if isinstance(inner, Unresolved):
                return inner
            found += inner.capabilities
            levels = max(levels, inner.levels + 1)
            if levels > MOST_LEVELS or len(found) > MOST_CAPABILITIES:
                return Unresolved(capability.value, TOO_MANY)
        return Resolved(tuple(found), levels)

    def _named(self, at: Token, paths: tuple[str, ...], within: tuple[Record, ...]) -> Resolved | Unresolved:
        """What a tc= names."""
        record = self.find(at.value, paths)
        if record is None:
            return Unresolved(at, f'tc= names "{at.value}", which is no login class', is_missing=True)
        if any(record is each for each in within):
            return Unresolved(at, "tc= leads back to a class that refers to it")
        if len(within) > MOST_LEVELS:
            return Unresolved(at, TOO_MANY)
        return self.resolved(record, paths, within)
