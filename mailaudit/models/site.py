"""Whose mail this is: domains, names and addresses, declared in settings or inferred from the other models."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from mailaudit.models.policy.operators import Expectation
from mailaudit.models.sources import Model, Sources
from mailaudit.questions import Found, LookUp, ReadFile, RRset

T = TypeVar("T")
REFERENCE_TCP = frozenset({22, 25, 80, 443, 465, 587, 993, 4190})
"""The ports that the reference opens or may open."""


@dataclass(frozen=True, slots=True)
class Declared:
    """The `[site]` and `[policy]` tables of mailaudit.toml (contract, section 7); None or empty where nothing is declared."""

    domains: tuple[str, ...] = ()
    mail_host: str | None = None
    host_name: str | None = None
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    selectors: Mapping[str, str] = field(default_factory=dict)
    old_selectors: Mapping[str, date] = field(default_factory=dict)
    open_tcp: tuple[int, ...] = ()
    open_udp: tuple[int, ...] = ()
    admin_networks: tuple[str, ...] = ()
    managesieve: str = "public"
    catch_all: tuple[str, ...] = ()
    forwards_to: tuple[str, ...] = ()
    backup_days: int | None = None
    ca_file: str | None = None
    policy: tuple[Expectation, ...] = ()
    blocklists: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Site(Model):
    """The site as judged: lower-case names without a final dot, addresses as text, DKIM selectors by domain.

    `inferred` tells of each of them that is not declared from what it was inferred.
    """

    domains: tuple[str, ...] = ()
    mail_host: str | None = None
    host_name: str | None = None
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    selectors: Mapping[str, str] = field(default_factory=dict)
    declared: Declared = field(default_factory=Declared)
    inferred: Mapping[str, str] = field(default_factory=dict)

    @property
    def open_tcp(self) -> frozenset[int]:
        """The TCP ports that may be open beyond the reference's own."""
        return frozenset(self.declared.open_tcp)

    def as_report(self) -> dict[str, object]:
        """The `site` object of the JSON report."""
        return {
            "domains": list(self.domains),
            "mail_host": self.mail_host,
            "host_name": self.host_name,
            "ipv4": list(self.ipv4),
            "ipv6": list(self.ipv6),
            "selectors": dict(self.selectors),
        }


@dataclass(frozen=True, slots=True)
class Hints:
    """What other models say about the site, best first: domains that mail is accepted for, names on certificates, login names.

    `paths` has the files that say so: of the other two under their fields' names, of a certificate under its own.
    """

    accepted_domains: tuple[str, ...] = ()
    certificate_names: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    paths: Mapping[str, str] = field(default_factory=dict)


Inferred = tuple[T, str]
"""What was inferred, and from what."""


def read_site(sources: Sources, declared: Declared, hints: Hints) -> Site:
    """The site: what is declared wins, the rest is inferred."""
    host_name, of_host = (declared.host_name, "") if declared.host_name else _host_name(sources)
    domains, of_domains = (declared.domains, "") if declared.domains else _domains(hints, host_name)
    mail_host, of_mail = (declared.mail_host, "") if declared.mail_host else _mail_host(hints, domains, host_name)
    names = [name for name in (mail_host, host_name) if name]
    ipv4, of_ipv4 = (declared.ipv4, "") if declared.ipv4 else _addresses(sources, names, "A")
    ipv6, of_ipv6 = (declared.ipv6, "") if declared.ipv6 else _addresses(sources, names, "AAAA")
    inferred = {"domains": of_domains, "mail_host": of_mail, "host_name": of_host, "ipv4": of_ipv4, "ipv6": of_ipv6}
    return Site(
        domains=tuple(domain.lower() for domain in domains),
        mail_host=mail_host,
        host_name=host_name,
        ipv4=ipv4,
        ipv6=ipv6,
        selectors=dict(declared.selectors) or dict.fromkeys(domains, "selector0"),
        declared=declared,
        inferred={name: said for name, said in inferred.items() if said},
    )


def _host_name(sources: Sources) -> Inferred[str | None]:
    answer = sources.ask(ReadFile("/etc/myname"))
    if isinstance(answer, Found) and isinstance(answer.value, bytes):
        first = answer.value.decode("utf-8", "replace").split("\n", 1)[0].strip().lower()
        if "." in first:
            return first, "/etc/myname"
    host = sources.snapshot.host.lower()
    return (host, "the record's host") if sources.snapshot.recorded and "." in host else (None, "")


def _domains(hints: Hints, host_name: str | None) -> Inferred[tuple[str, ...]]:
    if hints.accepted_domains:
        return _unique(hints.accepted_domains), f"domains that {hints.paths['accepted_domains']} takes mail for"
    of_logins = [login.rsplit("@", 1)[1] for login in hints.logins if "@" in login]
    if of_logins:
        return _unique(of_logins), f"the logins in {hints.paths['logins']}"
    names = [*hints.certificate_names, *([host_name] if host_name else [])]
    above = _unique(name.split(".", 1)[1] for name in names[:1] if name.count(".") > 1)
    return above, f"the domain above {names[0].lower()}" if above else ""


def _mail_host(hints: Hints, domains: tuple[str, ...], host_name: str | None) -> Inferred[str | None]:
    of_domains = [name for name in hints.certificate_names if any(name == d or name.endswith("." + d) for d in domains)]
    for name in (*of_domains, *hints.certificate_names):
        if "." in name:  # a pki may be called anything
            return name.lower(), f"the name of a certificate in {hints.paths[name]}"
    if domains:
        return f"mail.{domains[0].lower()}", "the usual name in the first domain"
    return host_name, "the host's own name" if host_name else ""


def _addresses(sources: Sources, names: Iterable[str], kind: str) -> Inferred[tuple[str, ...]]:
    for name in names:
        answer = sources.snapshot.answer(LookUp(f"{name}.", kind))
        if isinstance(answer, Found) and isinstance(answer.value, RRset) and answer.value.records:
            return answer.value.records, f"DNS: {name}. {kind}"
    return (), ""


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.lower() for name in names))
