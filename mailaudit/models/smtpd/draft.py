"""What has been read of smtpd.conf so far, and what smtpd would refuse of it: a name is defined above its use, or not at all."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Protocol

from mailaudit.models.release import NEWEST, Number, shown
from mailaudit.models.smtpd.parts import Action, Cause, Filter, Listener, Options, Pki, Proc, Refusal, Rule, Table, string
from mailaudit.models.smtpd.releases import PAIRS
from mailaudit.parsers.tree import Node, Problem, Token

QUEUE_KEY_LENGTH = 32  # characters, not bytes that they encode (crypto.c, crypto_setup)
_DELAYS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SCALES = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50, "E": 2**60}
_DELAY = re.compile(r"\s*\+?(\d+)([smhd])", re.ASCII)  # strtonum(3), and the unit
_LONGEST_DELAY = 2**31 - 1
_SIZE = re.compile(r"\s*([+-]?)(\d*)(?:\.(\d*))?(?:([BKMGTPE])(?:[^A-Za-z0-9][\s\S]*)?)?", re.ASCII | re.IGNORECASE)
_GENERATED = re.compile(r"\{\{generate:hex(\d{1,9})\}\}")
_MASKED = re.compile(r"\{\{masked:[^:{}]*:(\d{1,9}):[^{}]*\}\}")


class Services(Protocol):
    """What services(5) says: the number of a named port, or None. `assumed` names what stood in for the file."""

    @property
    def assumed(self) -> tuple[str, ...]:
        """The stock values that stood in for missing evidence."""

    def port(self, name: str, protocol: str, /) -> int | None:
        """The port of a service."""


@dataclass
class Draft:
    """The definitions so far, in the order smtpd reads them, and the refusals."""

    services: Services
    release: Number = NEWEST
    pki: dict[str, Pki] = field(default_factory=dict)
    has_odd_pki: bool = False  # a name that is refused: what it says may have been meant for another
    cas: dict[str, Token] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    procs: dict[str, Proc] = field(default_factory=dict)
    filters: dict[str, Filter] = field(default_factory=dict)
    wrappers: set[str] = field(default_factory=set)
    actions: dict[str, Action] = field(default_factory=dict)
    below: dict[str, Action] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    rules: list[Rule] = field(default_factory=list)
    options: Options = field(default_factory=Options)
    refusals: list[Refusal] = field(default_factory=list)
    secrets: list[tuple[str, str]] = field(default_factory=list)
    inline: list[Table] = field(default_factory=list)

    def refuse(  # noqa: PLR0913, PLR0917  what there is to say of a refusal; most give two
        self, message: str, at: Token, cause: Cause = Cause.OTHER, name: str = "", where: str = "", mend: str | None = None
    ) -> None:
        """Note that smtpd refuses this; `mend` is what plainly should stand there."""
        self.refusals.append(Refusal(cause, Problem(message, at.place, mend=mend), name, where))

    def table(self, node: Node, use: str, *kinds: str) -> tuple[Table, bool] | None:
        """The table that stands below an option's node, and whether it holds regular expressions; None if it has none.

        `kinds` are those that the option can look things up in: list or hash.
        """
        regex = node.node("regex")
        holder = regex or node
        for kind in ("ref", "inline", "value"):
            child = holder.node(kind)
            if child is not None:
                table = self._table(child, kind, use)
                since = PAIRS.get(use) if regex is None else None
                if since is not None and since <= self.release:
                    kinds = (*kinds, "hash")
                if table.kind is not None and table.kind not in (*kinds, "dynamic"):
                    what = "single values" if table.kind == "list" else "keys with values"
                    who = f"smtpd before {shown(since)}" if since is not None else f'"{use}"'
                    things = f' "{use}"' if since is not None else " things"
                    self.refuse(f"{who} can not look{things} up in a table of {what}", table_at(child))
                return table, regex is not None
        return None

    def _table(self, child: Node, kind: str, use: str) -> Table:
        if kind == "ref":
            named = string(child)
            known = self.tables.get(named.value)
            if known is not None:
                return known
            self.refuse(f"the table <{named.value}> is not defined above", named, Cause.TABLE, named.value, use)
            return Table(named.value, named, "undefined")
        name = f"<dynamic:{len(self.inline)}>"
        if kind == "value":
            value = string(child)
            table = Table(name, value, "static", None, ((value, None),), "list")
        else:
            entries, content = inline_entries(child)
            table = Table(name, child.first, "static", None, entries, content)
        self.inline.append(table)
        return table

    def chain(self, tokens: list[Token]) -> tuple[Token, ...]:
        """The filters of a chain, those that smtpd refuses in it too."""
        seen: set[str] = set()
        for token in tokens:
            known = self.filters.get(token.value)
            if known is None:
                self.no_filter(token)
            elif known.kind == "chain":
                self.refuse(f'the filter "{token.value}" is a chain, and a chain can not hold another', token)
            elif token.value in seen:
                self.refuse(f'the filter "{token.value}" stands twice in one chain', token)
            seen.add(token.value)
        return tuple(tokens)

    def no_filter(self, name: Token) -> None:
        """Refuse the name of a filter that is not defined."""
        self.refuse(f'the filter "{name.value}" is not defined above', name, Cause.FILTER, name.value)

    def filter_use(self, node: Node) -> tuple[Token, ...]:
        """The filters that a `filter` option names."""
        chain = node.node("chain")
        if chain is not None:
            listed = chain.node("list")
            return self.chain(values(listed)) if listed is not None else ()
        name = string(node)
        if name.value not in self.filters:
            self.no_filter(name)
        return (name,)

    def set(self, words: str, value: Token) -> None:
        """Keep a global option's value."""
        self.options = replace(self.options, settings={**self.options.settings, words: value})

    def once(self, options: list[Node], kinds: tuple[str, ...] | None = None) -> None:
        """Refuse an option that is given twice."""
        seen: set[str] = set()
        for option in options:
            if option.kind in seen and (kinds is None or option.kind in kinds):
                self.refuse(f'"{option.kind}" is given twice', option.first)
            seen.add(option.kind)

    def delay(self, token: Token) -> int | None:
        """Seconds of a time such as 4d, or None if smtpd refuses it."""
        found = seconds(token.value)
        if found is None:
            self.refuse(f'"{token.value}" is no time: expected a number and s, m, h or d, such as 4d', token)
        return found


def seconds(written: str) -> int | None:
    """Seconds of a time such as 4d (delaytonum()), or None if it is none."""
    match = _DELAY.fullmatch(written)
    if match is None or len(match[1].lstrip("0")) > 12:
        return None
    found = int(match[1]) * _DELAYS[match[2]]
    return found if 0 < found <= _LONGEST_DELAY else None


def table_at(node: Node) -> Token:
    """The token that names a table, or the first of one that is written in place."""
    return string(node) if node.kind != "inline" else node.first


def values(node: Node) -> list[Token]:
    """The words of a list."""
    return [token for token in node.leaves() if token.is_string]


def inline_entries(node: Node) -> tuple[tuple[tuple[Token, Token | None], ...], str]:
    """The entries of a { list } and whether they are single values (list) or keys with values (hash)."""
    pairs = node.node("pairs")
    if pairs is not None:
        words = values(pairs)
        return tuple(zip(words[::2], words[1::2], strict=True)), "hash"
    listed = node.node("list")
    return tuple((word, None) for word in values(listed)) if listed is not None else (), "list"


def scaled(written: str) -> int | None:
    """Bytes of a size such as 35M or 1.5G (scan_scaled(3), which takes nothing for 0), or None if it is none."""
    match = _SIZE.fullmatch(written)
    if match is None or len(match[2]) > 18:
        return None
    scale = _SCALES[(match[4] or "").upper()]
    fraction = int(match[3][:18]) * scale // 10 ** len(match[3][:18]) if match[3] else 0
    size = int(match[2] or 0) * scale + fraction
    return None if size >= 2**63 or (size and match[1] == "-") else size


def secret_length(value: str) -> int:
    """How many characters a secret has; `{{generate:hex16}}` and `{{masked:KIND:LENGTH:DIGEST}}` stand for one of that length."""
    generated = _GENERATED.fullmatch(value)
    if generated:
        return 2 * int(generated[1])
    masked = _MASKED.fullmatch(value)
    return int(masked[1]) if masked else len(value.encode("utf-8", "surrogateescape"))


def is_placeholder(value: str) -> bool:
    """True for a word that stands for a secret and is none itself."""
    return bool(_GENERATED.fullmatch(value) or _MASKED.fullmatch(value))
