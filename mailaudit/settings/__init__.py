"""mailaudit.toml: the site's own names, the choice of rules, and waivers (contract, section 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from mailaudit.findings import Severity
from mailaudit.models.policy.operators import Expectation
from mailaudit.models.site import Declared
from mailaudit.settings import values
from mailaudit.settings.policy import read_policy
from mailaudit.settings.tables import Expected, SettingsError, Table, read_toml
from mailaudit.settings.waivers import BadWaiver, Waived, Waiver, inline_waivers, waive

__all__ = [
    "BadWaiver",
    "Declared",
    "Settings",
    "SettingsError",
    "Waived",
    "Waiver",
    "inline_waivers",
    "load",
    "parse_settings",
    "waive",
]

PROFILES = ("guide", "recommended", "strict")


@dataclass(frozen=True, slots=True)
class Settings:
    """What a mailaudit.toml says; without one, the defaults. `origin` is the file's path, empty without one."""

    site: Declared = field(default_factory=Declared)
    profile: str = "recommended"
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    origin: str = ""


_SITE: Mapping[str, Expected] = {
    "domains": Expected('a list of domains like ["example.com"]', values.domains),
    "mail_host": Expected('a host name like "mail.example.com"', values.domain),
    "host_name": Expected('a host name like "host7.example.com"', values.domain),
    "ipv4": Expected('a list of IPv4 addresses like ["203.0.113.9"]', values.ipv4),
    "ipv6": Expected('a list of IPv6 addresses like ["2001:db8::9"]', values.ipv6),
    "selectors": Expected('a table of DKIM selectors like { "example.com" = "selector0" }', values.selectors),
    "open_ports": Expected("a table of ports from 1 to 65535 like { tcp = [22, 25], udp = [] }", values.ports),
    "admin_networks": Expected('a list of networks like ["192.0.2.0/24"]', values.networks),
    "managesieve": Expected('"public", "local" or "off"', values.one_of("public", "local", "off")),
    "catch_all": Expected('a list of domains like ["example.com"]', values.domains),
    "forwards_to": Expected('a list of domains like ["example.com"]', values.domains),
    "backup_days": Expected("a number of days, 1 or more", values.days),
    "blocklists": Expected('a list of zones like ["zen.spamhaus.org"]', values.domains),
    "ca_file": Expected('a path like "etc/ssl/ca.pem"', values.text),
}
_RULES: Mapping[str, Expected] = {
    "profile": Expected(f"one of {', '.join(PROFILES)}", values.one_of(*PROFILES)),
    "ignore": Expected('a list of rules like ["DNS013"]', values.texts),
    "severity": Expected("a table of severities", values.table),
}
_SEVERITY = Expected(f"one of {', '.join(str(severity) for severity in Severity)}", values.severity)
_WAIVER: Mapping[str, Expected] = {
    "rule": Expected('a rule like "DNS011"', values.text),
    "reason": Expected("a reason, in words", values.text),
    "expires": Expected("a date like 2027-03-31, without quotes", values.day),
    "host": Expected('a glob of host names like "mx1.*"', values.text),
    "match": Expected("a finding's fingerprint", values.fingerprint),
}
_TOP: Mapping[str, Expected] = {
    "site": Expected("a table", values.table),
    "rules": Expected("a table", values.table),
    "waiver": Expected("tables, each headed [[waiver]]", values.tables),
    "policy": Expected("a table", values.table),
}


def parse_settings(data: bytes, origin: str = "mailaudit.toml") -> Settings:
    """Read a mailaudit.toml. Raises `SettingsError`, which names the origin, the line and the key."""
    source, document = read_toml(data, origin)
    top = Table(origin, source, (), document)
    found = top.read(_TOP)
    rules_table = top.below("rules", found.get("rules", {}))
    rules = rules_table.read(_RULES)
    severity = rules_table.below("severity", rules.get("severity", {}))
    return Settings(
        site=_declared(
            top.below("site", found.get("site", {})).read(_SITE), read_policy(top.below("policy", found.get("policy", {})))
        ),
        profile=rules.get("profile", "recommended"),
        ignore=rules.get("ignore", ()),
        severity=severity.read(dict.fromkeys(severity.content, _SEVERITY)),
        waivers=tuple(_waiver(top.below(f"waiver[{number}]", each)) for number, each in enumerate(found.get("waiver", ()), 1)),
        origin=origin,
    )


def _declared(site: Mapping[str, Any], policy: Iterable[Expectation]) -> Declared:
    fields = {name: value for name, value in site.items() if name != "open_ports"}
    ports = site.get("open_ports", {})
    return Declared(**fields, open_tcp=ports.get("tcp", ()), open_udp=ports.get("udp", ()), policy=tuple(policy))


def _waiver(table: Table) -> Waiver:
    found = table.read(_WAIVER, needs=("rule", "reason"))
    expires: date | None = found.get("expires")
    line = table.line()
    return Waiver(
        rule=found["rule"],
        reason=found["reason"],
        expires=expires,
        host=found.get("host"),
        match=found.get("match"),
        origin=f"{table.origin}:{line}" if line else table.origin,
    )


def load(found: tuple[str, bytes] | None) -> Settings:
    """The settings that lie with the target (`World.settings`) or were named, else the defaults.

    Raises `SettingsError` for what is not as it must be.
    """
    return Settings() if found is None else parse_settings(found[1], found[0])
