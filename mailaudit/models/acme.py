"""acme-client.conf(5) as meant: authorities, and the domains whose certificates they sign."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from mailaudit.models.included import WithIncludes, in_reading_order, missing_includes
from mailaudit.models.sources import Known, Slot, Sources, all_trees, refused_statements
from mailaudit.parsers.blocks import unfold
from mailaudit.parsers.tree import Problem, Statement, Token, Tree

PATH = "/etc/acme-client.conf"
RSA = "rsa"
CHALLENGE_DIRECTORY = "/var/www/acme"
_NAME = re.compile(r"[A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, eq=False)
class Authority:
    """A certificate authority; an option that is not set is None, a key is of type rsa or ecdsa."""

    name: Token
    statement: Statement
    api: Token | None = None
    account: Token | None = None
    account_type: str = RSA
    contact: Token | None = None
    insecure: Token | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Domain:
    """One certificate: its handle, its names, the files it is written to; an option that is not set is None.

    `certificate` holds the leaf alone, `chain` the intermediates, `full_chain` both.
    """

    handle: Token
    statement: Statement
    named: Token | None = None
    alternative_names: tuple[Token, ...] = ()
    key: Token | None = None
    key_type: str = RSA
    certificate: Token | None = None
    chain: Token | None = None
    full_chain: Token | None = None
    sign_with: Token | None = None
    challengedir: Token | None = None
    profile: Token | None = None

    @property
    def name(self) -> Token:
        """The name on the certificate: the `domain name`, else the handle."""
        return self.named or self.handle

    @property
    def names(self) -> tuple[str, ...]:
        """All names on the certificate in lower case."""
        return tuple(dict.fromkeys(token.value.lower() for token in (self.name, *self.alternative_names)))


@dataclass(frozen=True, eq=False)
class AcmeConfig(WithIncludes):
    """All authorities and domains in the order of the file."""

    authorities: tuple[Authority, ...] = ()
    domains: tuple[Domain, ...] = ()

    def signer(self, domain: Domain) -> Authority | None:
        """The authority that signs a domain: the one it names, else the first."""
        if domain.sign_with is None:
            return self.authorities[0] if self.authorities else None
        return next((each for each in self.authorities if each.name.value == domain.sign_with.value), None)

    def domain_for(self, name: str) -> Domain | None:
        """The domain whose certificate carries a name."""
        return next((each for each in self.domains if name.lower() in each.names), None)


@dataclass
class _Reading:
    """The file as far as it has been read; what the daemon refuses by meaning."""

    authorities: list[Authority] = field(default_factory=list)
    domains: list[Domain] = field(default_factory=list)
    refusals: list[Problem] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)

    def refuse(self, message: str, token: Token) -> None:
        self.refusals.append(Problem(message, token.place))

    def lacks(self, statement: Statement, message: str) -> None:
        """Refuse a block at its end for what it lacks, unless a part of it could not be read: that may be it."""
        if not any(each.unread for each in statement.body):
            self.refusals.append(Problem(message, statement.end))

    def read(self, tree: Tree) -> None:
        for statement, file in unfold(tree):
            if statement.kind == "authority":
                self._authority(statement, file)
            elif statement.kind == "domain":
                self._domain(statement, file)

    def _authority(self, statement: Statement, file: Tree) -> None:
        authority = Authority(statement.node.leaves()[1], statement)
        if any(each.name.value == authority.name.value for each in self.authorities):
            self.refuse(f'authority "{authority.name.value}" is already defined', authority.name)
            return
        for option in _options(statement, file):
            if option.kind in ("api", "account", "contact"):
                value = _value(option)
                if getattr(authority, option.kind) is not None:
                    self.refuse(f"duplicate {option.kind}", value)
                else:
                    chosen: dict[str, Any] = {option.kind: value}
                    if option.kind == "account":
                        chosen["account_type"] = _key_type(option)
                    authority = replace(authority, **chosen)
            elif option.kind == "insecure":
                authority = replace(authority, insecure=option.node.first)
        if authority.api is None:
            self.lacks(statement, f'authority "{authority.name.value}" has no "api url"')
        if authority.account is None:
            self.lacks(statement, f'authority "{authority.name.value}" has no "account key"')
        self.authorities.append(authority)

    def _domain(self, statement: Statement, file: Tree) -> None:
        domain = Domain(statement.node.leaves()[1], statement)
        self._check_name(domain.handle)
        if any(each.handle.value == domain.handle.value for each in self.domains):
            self.refuse(f'domain "{domain.handle.value}" is already defined', domain.handle)
            return
        for option in _options(statement, file):
            domain = self._option(domain, option)
        if domain.key is None:
            self.lacks(statement, f'domain "{domain.handle.value}" has no "domain key"')
        if domain.certificate is None and domain.full_chain is None:
            message = f'domain "{domain.handle.value}" has neither "domain certificate" nor "domain full chain certificate"'
            self.lacks(statement, message)
        self.domains.append(domain)

    def _option(self, domain: Domain, option: Statement) -> Domain:
        if option.kind == "alternative":
            names = option.node.node("names")
            found = tuple(token for token in names.leaves() if token.is_string) if names is not None else ()
            for token in found:
                self._check_name(token)
            return replace(domain, alternative_names=(*domain.alternative_names, *found))
        attribute = _ATTRIBUTES.get(option.kind)
        if attribute is None:
            return domain
        value = _value(option)
        if getattr(domain, attribute) is not None:
            self.refuse(f"duplicate {option.kind.replace('_', ' ')}", value)
            return domain
        if option.kind in ("key", "certificate") and not value.value.startswith("/"):
            self.refuse("not an absolute path", value)
        if option.kind in ("key", "certificate", "chain", "full_chain"):
            if value.value in self.paths:
                self.refuse(f"{value.value} is already used for another file", value)
            self.paths.add(value.value)
        if option.kind == "sign" and value.value not in {each.name.value for each in self.authorities}:
            self.refuse(f'authority "{value.value}" is not defined above', value)
        chosen: dict[str, Any] = {attribute: value}
        if option.kind == "key":
            chosen["key_type"] = _key_type(option)
        return replace(domain, **chosen)

    def _check_name(self, token: Token) -> None:
        if not _NAME.fullmatch(token.value):
            self.refuse(f'"{token.value}" is no domain name: letters, digits, ".", "_" and "-" alone', token)


_ATTRIBUTES = {
    "name": "named",
    "key": "key",
    "certificate": "certificate",
    "chain": "chain",
    "full_chain": "full_chain",
    "sign": "sign_with",
    "challengedir": "challengedir",
    "profile": "profile",
}


def _options(statement: Statement, file: Tree) -> Iterator[Statement]:
    return (option for option, _ in unfold(file, statement.body) if option.template is not None)


def _value(option: Statement) -> Token:
    """The one value of an option: its only string."""
    return next(token for token in option.node.leaves() if token.is_string)


def _key_type(option: Statement) -> str:
    last = option.node.leaves()[-1]
    return last.value if last.kind == "ecdsa" else RSA


def understood(tree: Tree) -> AcmeConfig:
    """The model of a tree alone."""
    reading = _Reading()
    reading.read(tree)
    trees = all_trees(tree)
    return AcmeConfig(
        trees=trees,
        refusals=in_reading_order(trees, (*refused_statements(trees), *reading.refusals)),
        authorities=tuple(reading.authorities),
        domains=tuple(reading.domains),
    )


def read_acme(sources: Sources) -> Slot[AcmeConfig]:
    """The model of the host's acme-client.conf."""
    slot = sources.slot(PATH, sources.tree(PATH, "acme"), (PATH,))
    return Known(missing_includes(understood(slot.value), sources)) if isinstance(slot, Known) else slot
