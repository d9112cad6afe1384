"""A DNS zone as its master file has it: records by owner and type, and what a name server would answer.

Source: RFC 1035, section 5; RFC 2181, section 5; RFC 4592 for wildcards; BIND 9.18 for what is refused. Single values are read by
dnspython, which nothing else below the neck imports; a scan that meets no zone does not load it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype

from mailaudit.models.sources import Model
from mailaudit.models.zone_generate import generated
from mailaudit.parsers.tree import Included, Problem, Statement, Token, Tree
from mailaudit.parsers.zone import seconds
from mailaudit.text import encode

_IN = frozenset({"IN", "CLASS1"})
_LONGEST_CHAIN = 16  # CNAMEs one after another
_MAX_TTL = 2**31 - 1
_BESIDE_CNAME = frozenset({"CNAME", "RRSIG", "NSEC", "KEY", "SIG", "NXT"})
_ALONE = frozenset({"CNAME", "DNAME", "SOA"})


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One record. Names are absolute and in lower case; `data` is its presentation text with absolute names.

    `tokens` are the fields it was written as, the first of them its type; there are none for one that was not read from a file.
    """

    owner: str
    type: str
    data: str
    ttl: int | None = None
    tokens: tuple[Token, ...] = ()
    statement: Statement | None = None

    @property
    def rdata(self) -> dns.rdata.Rdata:
        """The value as dnspython has it."""
        return dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(self.type), self.data, None, False)

    @property
    def strings(self) -> tuple[bytes, ...]:
        """The strings of a TXT record."""
        return tuple(getattr(self.rdata, "strings", ()))

    @property
    def text(self) -> str:
        """The strings of a TXT record as one; an octet that is no UTF-8 is one character all the same."""
        return b"".join(self.strings).decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True, eq=False)
class RecordSet:
    """All records of one owner and type: those of a zone, or an answer's."""

    owner: str
    type: str
    records: tuple[Record, ...]
    ttl: int | None = None

    @classmethod
    def of(cls, owner: str, type_: str, data: Iterable[str], ttl: int | None = None) -> RecordSet:
        """From presentation text, as an answer has it.

        Raises ValueError for text that is no value of this type.
        """
        name = owner.lower()
        try:
            records = tuple(Record(name, type_, _data(type_, each, dns.name.root), ttl) for each in data)
        except dns.exception.DNSException as error:
            raise ValueError(str(error)) from error
        return cls(name, type_, records, ttl)

    @property
    def data(self) -> tuple[str, ...]:
        """The values as text."""
        return tuple(record.data for record in self.records)


@dataclass(frozen=True, slots=True, eq=False)
class ZoneAnswer:
    """What a server of the zone answers: NOERROR or NXDOMAIN, the records, the aliases that were followed.

    `wildcard` is the name with the `*` that answered. `leaves` is the name outside of the zone that an alias leads to: what is
    there is not known.
    """

    rcode: str
    records: RecordSet | None = None
    aliases: tuple[Record, ...] = ()
    wildcard: str | None = None
    leaves: str | None = None


@dataclass(frozen=True, eq=False)
class Zone(Model):
    """A zone: its name, and its records by owner and type.

    `outside` are the records whose owners are not in it, which servers leave out; `lacking` the included files that are not at
    hand.
    """

    origin: str = "."
    sets: Mapping[tuple[str, str], RecordSet] = field(default_factory=dict)
    outside: tuple[Record, ...] = ()
    lacking: tuple[Included, ...] = ()

    def get(self, owner: str, type_: str) -> RecordSet | None:
        """The records of exactly this owner and type."""
        return self.sets.get((owner.lower(), type_))

    @cached_property
    def names(self) -> frozenset[str]:
        """All names that exist: owners, and those that only have others below them."""
        found: set[str] = set()
        for owner, _ in self.sets:
            name = owner
            while name not in found and _is_below(name, self.origin):
                found.add(name)
                name = _parent(name)
        return frozenset(found)

    def answer(self, owner: str, type_: str) -> ZoneAnswer:
        """What a server of this zone says to a question; delegations in it are not followed."""
        name = owner.lower()
        aliases: list[Record] = []
        wildcard: str | None = None
        while len(aliases) <= _LONGEST_CHAIN:
            if not _is_below(name, self.origin):
                return ZoneAnswer("NOERROR", None, tuple(aliases), wildcard, name)
            at = name if name in self.names else self._wildcard(name)
            if at is None:
                return ZoneAnswer("NXDOMAIN", None, tuple(aliases), wildcard)
            wildcard = wildcard or (at if at != name else None)
            found = self.sets.get((at, type_))
            alias = self.sets.get((at, "CNAME")) if type_ != "CNAME" else None
            if found is not None or alias is None:
                return ZoneAnswer("NOERROR", found, tuple(aliases), wildcard)
            aliases.append(alias.records[0])
            name = alias.records[0].data.lower()
        return ZoneAnswer("NOERROR", None, tuple(aliases), wildcard)

    def _wildcard(self, name: str) -> str | None:
        """The wildcard that stands for a name that does not exist: right below the closest name that does (RFC 4592)."""
        encloser = _parent(name)
        while encloser not in self.names and encloser != ".":
            encloser = _parent(encloser)
        at = "*." + encloser if encloser != "." else "*."
        return at if at in self.names else None


def read_zone(tree: Tree, origin: str) -> Zone:
    """The zone of this name (with or without its final dot) from a master file's tree."""
    reading = _Reading(dns.name.from_text(origin))
    reading.file(tree, reading.apex)
    return reading.zone(tree)


def absolute(name: str, origin: str) -> str:
    """A name as written, made absolute, in lower case.

    Raises ValueError for what is no name.
    """
    try:
        return _name(name, dns.name.from_text(origin)).to_text()
    except dns.exception.DNSException as error:
        raise ValueError(str(error)) from error


class _RefusedError(Exception):
    """What is wrong with an entry, and where."""

    def __init__(self, message: str, at: tuple[Token, ...]) -> None:
        super().__init__(message)
        self.problem = Problem(message, at[0].span.to(at[-1].span))


class _Reading:
    """One pass over the entries: the current origin, owner and TTL, and what has been read."""

    def __init__(self, apex: dns.name.Name) -> None:
        self.apex = apex
        self._origin = apex
        self._owner: dns.name.Name | None = None
        self._default_ttl: int | None = None
        self._last_ttl: int | None = None
        self._records: dict[tuple[str, str], list[Record]] = {}
        self._types: dict[str, set[str]] = {}
        self._outside: list[Record] = []
        self._lacking: list[Included] = []
        self._refusals: list[Problem] = []
        self._trees: list[Tree] = []

    def zone(self, tree: Tree) -> Zone:
        sets = {
            (owner, type_): RecordSet(owner, type_, tuple(records), records[0].ttl)
            for (owner, type_), records in self._records.items()
        }
        return Zone(
            trees=tuple(self._trees) or (tree,),
            refusals=tuple(self._refusals),
            origin=self.apex.canonicalize().to_text(),
            sets=sets,
            outside=tuple(self._outside),
            lacking=tuple(self._lacking),
        )

    def file(self, tree: Tree, origin: dns.name.Name) -> None:
        """Read a file; what it says of the origin and the owner holds to its end."""
        before = self._origin, self._owner
        self._origin = origin
        self._trees.append(tree)
        included = iter(tree.included)
        for statement in tree.statements:
            try:
                self._statement(statement, included)
            except _RefusedError as error:
                self._refusals.append(error.problem)
        self._origin, self._owner = before

    def _statement(self, statement: Statement, included: Iterator[Included]) -> None:
        if statement.problem is not None:
            self._refusals += [statement.problem] if statement.problem.refused else []
        elif statement.kind == "origin":
            self._origin = self._named(_field(statement, "name"))
        elif statement.kind == "ttl":
            self._default_ttl = seconds(_field(statement, "ttl").value)
        elif statement.kind == "include":
            self._include(statement, next(included))
        elif statement.kind == "generate":
            self._generate(statement)
        elif statement.kind == "record":
            self._record(statement)

    def _include(self, statement: Statement, included: Included) -> None:
        node = statement.node.node("name")
        origin = self._named(node.first) if node is not None else self._origin
        if included.tree is None:
            self._lacking.append(included)
        else:
            self.file(included.tree, origin)

    def _named(self, token: Token) -> dns.name.Name:
        try:
            return _name(_escaped(token), self._origin)
        except dns.exception.DNSException as error:
            raise _RefusedError(f"this is no name: {_why(error)}", (token,)) from error

    def _generate(self, statement: Statement) -> None:
        node = statement.node
        data = node.node("rdata")
        owner, span = _field(statement, "owner"), _field(statement, "range")
        first, last = (int(each) for each in span.value.partition("/")[0].split("-"))
        if last < first:
            raise _RefusedError("a range goes from the smaller number to the greater", (span,))
        for name, fields in generated(span.value, owner.value, [_escaped(leaf) for leaf in data.leaves()] if data else []):
            self._add(statement, self._named(Token("word", name, owner.text, owner.start, owner.end)), " ".join(fields))

    def _record(self, statement: Statement) -> None:
        node = statement.node
        owner = node.node("owner")
        if owner is not None:
            self._owner = None  # a name that is none leaves the entries below it without one
            self._owner = self._named(owner.first)
        if self._owner is None:
            raise _RefusedError("no entry above says whose record this is", (statement.tokens[0],))
        data = node.node("rdata")
        self._add(statement, self._owner, " ".join(_escaped(leaf) for leaf in data.leaves()) if data else "")

    def _add(self, statement: Statement, owner: dns.name.Name, data: str) -> None:
        node = statement.node
        kind = _field(statement, "type")
        leaves = data_node.leaves() if (data_node := node.node("rdata")) is not None else []
        tokens = (kind, *leaves)
        class_ = node.node("class")
        if class_ is not None and class_.first.value.upper() not in _IN:
            raise _RefusedError(f"a zone is of one class, IN, and this is {class_.first.value}", (class_.first,))
        type_ = _type(kind)
        try:
            text = _data(type_, data, self._origin)
        except (dns.exception.DNSException, ValueError) as error:
            raise _RefusedError(f"this is no value for {type_}: {_why(error)}", tokens) from error
        name = owner.canonicalize().to_text()
        record = Record(name, type_, text, self._ttl(statement, type_, text), tokens, statement)
        if not owner.is_subdomain(self.apex):
            self._outside.append(record)
            return
        self._keep(record)

    def _ttl(self, statement: Statement, type_: str, data: str) -> int:
        written = statement.node.node("ttl")
        found = seconds(written.first.value) if written is not None else None
        if found is None:
            found = self._default_ttl if self._default_ttl is not None else self._last_ttl
        if found is None and type_ == "SOA":
            found = int(data.rpartition(" ")[2])
        if found is None:
            raise _RefusedError("no TTL here, and no $TTL above", (_field(statement, "type"),))
        found = 0 if found > _MAX_TTL else found
        self._last_ttl = found
        return found

    def _keep(self, record: Record) -> None:
        types = self._types.setdefault(record.owner, set())
        known = self._records.get((record.owner, record.type), [])
        others = {*types, record.type}
        if "CNAME" in others and others - _BESIDE_CNAME:
            raise _RefusedError("a name that is an alias has no other records", record.tokens)
        if record.type == "SOA" and record.owner != self.apex.canonicalize().to_text():
            raise _RefusedError("SOA stands at the top of the zone", record.tokens)
        same = any(each.data == record.data for each in known)
        if known and record.type in _ALONE and not same:
            raise _RefusedError(f"a name has one {record.type}, and this is the second", record.tokens)
        types.add(record.type)
        if not same:
            self._records.setdefault((record.owner, record.type), []).append(record)


def _field(statement: Statement, kind: str) -> Token:
    node = statement.node.node(kind)
    assert node is not None
    return node.first


def _name(written: str, origin: dns.name.Name) -> dns.name.Name:
    return dns.name.from_text(written, origin).canonicalize()


def _escaped(token: Token) -> str:
    r"""A field as ASCII: an octet beyond it as `\DDD`, a string in its quotes."""
    if token.kind == "string":
        inside = "".join(
            chr(octet) if 32 <= octet < 127 and octet not in b'"\\' else f"\\{octet:03d}" for octet in encode(token.value)
        )
        return f'"{inside}"'
    return "".join(chr(octet) if 32 < octet < 127 else f"\\{octet:03d}" for octet in encode(token.value))


def _type(token: Token) -> str:
    try:
        type_ = dns.rdatatype.from_text(token.value)
    except (dns.exception.DNSException, ValueError):
        type_ = dns.rdatatype.NONE
    if not type_ or dns.rdatatype.is_metatype(type_):
        raise _RefusedError(f'there is no type of record "{token.value}"', (token,))
    return dns.rdatatype.to_text(type_)


def _data(type_: str, text: str, origin: dns.name.Name) -> str:
    rdata = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(type_), text, origin, False)
    return rdata.to_text()


def _why(error: Exception) -> str:
    cause = error.__cause__ or error
    return str(cause).partition("\n")[0].rstrip(".") or type(cause).__name__


def _parent(name: str) -> str:
    return dns.name.from_text(name).parent().to_text() if name != "." else "."


def _is_below(name: str, origin: str) -> bool:
    return origin in (name, ".") or name.endswith("." + origin)
