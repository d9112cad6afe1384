"""What smtpd.conf is made of: pki, tables, filters, actions, listeners and rules, each with the tokens it was written as."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from mailaudit.parsers.tree import Node, Problem, Statement, Token
from mailaudit.text import Span

LIBEXEC = "/usr/local/libexec/smtpd"


class Cause(StrEnum):
    """Why smtpd refuses a statement that its grammar reads."""

    GRAMMAR = "grammar"
    QUEUE_KEY = "queue key"
    TABLE = "undefined table"
    FILTER = "undefined filter"
    ACTION = "undefined action"
    PKI = "undefined pki"
    HALF_PKI = "pki without certificate or key"
    TLS_WITHOUT_PKI = "TLS without pki"
    AUTH_WITHOUT_TLS = "auth without TLS"
    NO_RULES = "no rules"
    RESERVED = "a name that is a word of the language"
    RELEASE = "not known to the host's release"
    OTHER = "other"


@dataclass(frozen=True, slots=True, eq=False)
class Refusal:
    """Something that smtpd refuses, and why.

    `name` is the name that is not defined; `where` the option that used it, or a listener's port: `listen 587`.
    """

    cause: Cause
    problem: Problem
    name: str = ""
    where: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Pki:
    """A certificate and its key, as all pki statements of one name give them."""

    name: str
    statements: tuple[Statement, ...]
    cert: Token | None = None
    key: Token | None = None
    dhe: Token | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table: declared by name, or written in place.

    `backend` is static, file, db, passwd, ...; `undefined` for a name that no table statement declares above its use. `kind` is
    list, hash or dynamic, None where a file decides it.
    """

    name: str
    at: Token
    backend: str
    path: str | None = None
    entries: tuple[tuple[Token, Token | None], ...] = ()
    kind: str | None = None
    statement: Statement | None = None

    @property
    def is_defined(self) -> bool:
        """False for a name that nothing declares."""
        return self.backend != "undefined"


@dataclass(frozen=True, slots=True, eq=False)
class Proc:
    """A program that filters mail, of a `proc` or a `proc-exec`; `values` are its user, group and chroot."""

    name: Token
    command: Token
    values: Mapping[str, Token] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A filter: proc-exec or proc with a program, a phase that smtpd decides itself, or a chain of others.

    At a `phase` it does its `effect` (reject, junk, ...) with the text `says`, to what meets its `condition`.
    """

    name: Token
    kind: str
    statement: Statement
    proc: Proc | None = None
    chain: tuple[Token, ...] = ()
    phase: str = ""
    condition: Criterion | None = None
    effect: str = ""
    says: Token | None = None

    @property
    def program(self) -> Token | None:
        """Its program with its arguments, where it has one."""
        return None if self.proc is None else self.proc.command

    @property
    def program_path(self) -> str | None:
        """The path of its program: relative ones are below smtpd's own directory; None where it has none."""
        words = self.program.value.split() if self.program is not None else []
        if not words:
            return None
        return words[0] if words[0].startswith("/") else f"{LIBEXEC}/{words[0]}"


@dataclass(frozen=True, slots=True, eq=False)
class Action:
    """An action (parse.y: dispatcher).

    `kind` is mbox, maildir, lmtp, mda, forward-only, expand-only or relay; `argument` the maildir's template, the LMTP socket or
    the command. `tables` and `values` are its options by word, `words` those that take nothing.
    """

    name: Token
    kind: str
    kind_at: Token
    statement: Statement
    argument: Token | None = None
    words: Mapping[str, Token] = field(default_factory=dict, hash=False)
    values: Mapping[str, Token] = field(default_factory=dict, hash=False)
    tables: Mapping[str, Table] = field(default_factory=dict, hash=False)
    filters: tuple[Token, ...] = ()

    @property
    def is_relay(self) -> bool:
        """True if mail leaves the host."""
        return self.kind == "relay"

    @property
    def at(self) -> Span:
        """Where it is declared."""
        return self.statement.span


@dataclass(frozen=True, slots=True, eq=False)
class Listener:
    """One `listen on`.

    `where` is socket, an interface, a group of interfaces, an address or a host name; `family` 4, 6 or None for both; `port` None
    for the socket and for a name that services(5) does not know. `tls` is none, tls, tls-require or smtps, `auth` none, optional
    or required.
    """

    statement: Statement
    at: Token
    where: str
    family: int | None = None
    port: int | None = None
    port_at: Token | None = None
    tls: str = "none"
    tls_at: Token | None = None
    verify: bool = False
    pki: tuple[Token, ...] = ()
    auth: str = "none"
    auth_at: Token | None = None
    auth_table: Table | None = None
    filters: tuple[Token, ...] = ()
    hostname: Token | None = None
    tag: Token | None = None
    senders: Table | None = None
    masks_source: bool = False
    words: Mapping[str, Token] = field(default_factory=dict, hash=False)
    values: Mapping[str, Token] = field(default_factory=dict, hash=False)
    hostnames: Table | None = None
    addresses: tuple[str, ...] | None = None

    @property
    def is_socket(self) -> bool:
        """True for the local socket that sendmail(8) speaks to."""
        return self.where == "socket"

    @property
    def requires_tls(self) -> bool:
        """True if nothing is said in clear."""
        return self.tls in ("tls-require", "smtps")

    @property
    def requires_auth(self) -> bool:
        """True if nobody may send without a login (`auth`, not `auth-optional`)."""
        return self.auth == "required"

    @property
    def span(self) -> Span:
        """Where it is written."""
        return self.statement.span


@dataclass(frozen=True, slots=True, eq=False)
class Criterion:
    """One thing that a rule asks for.

    `kind` is any, local, socket, src, rdns or domain for its from and for parts, else the criterion's own word; `table` is what
    it is looked up in.
    """

    kind: str
    at: Token
    negated: bool = False
    table: Table | None = None
    regex: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One match rule, with what is implied made plain.

    No `from` is `from local`, no `for` is `for local`; `from auth`, `from mail-from` and `for rcpt-to` are criteria of their own
    beside `from any` and `for any`. `action` None is `reject`.
    """

    statement: Statement
    source: Criterion
    destination: Criterion
    action: Action | None
    tag: Criterion | None = None
    helo: Criterion | None = None
    auth: Criterion | None = None
    tls: Criterion | None = None
    mail_from: Criterion | None = None
    rcpt_to: Criterion | None = None

    @property
    def span(self) -> Span:
        """Where it is written."""
        return self.statement.span


@dataclass(frozen=True, slots=True, eq=False)
class Options:
    """Global options: the queue's compression and encryption, the largest message in bytes, the delimiter of sub-addresses.

    `settings` has the values of the others by their words: `queue ttl`, `smtp limit max-rcpt`, `mta limit for domain X inet4`.
    """

    queue_compression: Token | None = None
    queue_encryption: Token | None = None
    queue_key: Token | None = None
    max_message_size: int = 35 * 1024 * 1024
    max_message_size_at: Token | None = None
    sub_address_delimiter: str = "+"
    srs_key: Token | None = None
    bounce_delays: tuple[Token, ...] = ()
    settings: Mapping[str, Token] = field(default_factory=dict, hash=False)


def leaf(node: Node, kind: str) -> Token | None:
    """The first token of a kind directly below a node."""
    return next((token for token in node.leaves() if token.kind == kind), None)


def string(node: Node, number: int = 0) -> Token:
    """The nth word or quoted string directly below a node that the grammar says has one."""
    return [token for token in node.leaves() if token.is_string][number]
