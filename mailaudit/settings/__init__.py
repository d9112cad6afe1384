"""mailaudit.toml: the site's own names, the choice of rules, and waivers (contract, section 7)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from mailaudit.findings import Severity
from mailaudit.models.site import Declared
from mailaudit.settings import values
from mailaudit.settings.policy import read_policy
from mailaudit.settings.tables import Expected, Lines, Said, SettingsError, Table, read_toml
from mailaudit.settings.waivers import BadWaiver, Waived, Waiver, inline_waivers, told_once, waive

__all__ = [
    "SITE",
    "BadWaiver",
    "Declared",
    "Layer",
    "Said",
    "Settings",
    "SettingsError",
    "Waived",
    "Waiver",
    "inline_waivers",
    "load",
    "parse_settings",
    "read_layer",
    "together",
    "told_once",
    "waive",
]

PROFILES = ("guide", "recommended", "strict")


@dataclass(frozen=True, slots=True)
class Settings:
    """What the files of settings that go with a host say together; without any, the defaults.

    `severity` is in the order in which it is applied: of two selectors that name a rule the later decides. `said` tells where
    each thing stands, by its keys: `("site", "domains")`, `("rules", "ignore", "DNS013")`. `files` are the files, those of the
    repository before those of the host.
    """

    site: Declared = field(default_factory=Declared)
    profile: str = "recommended"
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=dict)
    waivers: tuple[Waiver, ...] = ()
    said: Mapping[tuple[str, ...], Said] = field(default_factory=dict, compare=False)
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file says, and the place of each thing that it says; tables are laid flat."""

    origin: str
    values: Mapping[tuple[str, ...], Any]
    said: Mapping[tuple[str, ...], Said]
    waivers: tuple[Waiver, ...]


SITE: Mapping[str, Expected] = {
    "domains": Expected('a list of domains like ["example.com"]', values.domains),
    "mail_host": Expected('a host name like "mail.example.com"', values.domain),
    "host_name": Expected('a host name like "host7.example.com"', values.domain),
    "ipv4": Expected('a list of IPv4 addresses like ["203.0.113.9"]', values.ipv4),
    "ipv6": Expected('a list of IPv6 addresses like ["2001:db8::9"]', values.ipv6),
    "selectors": Expected('a table of DKIM selectors like { "example.com" = "selector0" }', values.selectors),
    "old_selectors": Expected(
        "a table of selectors and the last day of each like { selector0 = 2026-03-31 }", values.days_of_names
    ),
    "open_ports": Expected("a table of ports from 1 to 65535 like { tcp = [22, 25], udp = [] }", values.ports),
    "admin_networks": Expected('a list of networks like ["192.0.2.0/24"]', values.networks),
    "managesieve": Expected('"public", "local" or "off"', values.one_of("public", "local", "off")),
    "catch_all": Expected('a list of domains like ["example.com"]', values.domains),
    "forwards_to": Expected('a list of domains like ["example.com"]', values.domains),
    "backup_days": Expected(f"a number of days from 1 to {values.MOST_DAYS}", values.days),
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
    "reason": Expected("a reason, in words", values.sentence),
    "expires": Expected("a date like 2027-03-31, without quotes", values.day),
    "host": Expected('a glob of host names like "mx1.*"', values.host_glob),
    "match": Expected("a finding's fingerprint, 64 hexadecimal digits, as --format json tells it", values.fingerprint),
}
_TOP: Mapping[str, Expected] = {
    "site": Expected("a table", values.table),
    "rules": Expected("a table", values.table),
    "waiver": Expected("tables, each headed [[waiver]]", values.tables),
    "policy": Expected("a table", values.table),
}


@lru_cache(maxsize=64)
def read_layer(data: bytes, origin: str) -> Layer:
    """Read one mailaudit.toml; that of a repository is read once for all of its hosts. Raises `SettingsError`."""
    source, document = read_toml(data, origin)
    top = Table(origin, Lines(source), (), document)
    found = top.read(_TOP)
    site = top.below("site", found.get("site", {}))
    rules = top.below("rules", found.get("rules", {}))
    ruled = rules.read(_RULES)
    severity = rules.below("severity", ruled.pop("severity", {}))
    for selector in severity.content:
        if not selector.strip():
            raise severity.error(selector, "is no rule")
    said: dict[tuple[str, ...], Any] = {("site", key): value for key, value in site.read(SITE).items()}
    said |= {("rules", key): value for key, value in ruled.items()}
    said |= {
        ("rules", "severity", key): value for key, value in severity.read(dict.fromkeys(severity.content, _SEVERITY)).items()
    }
    for each in read_policy(top.below("policy", found.get("policy", {}))):
        key = ("policy", each.subject, each.name)
        said[key] = (*said.get(key, ()), each)
    waivers = (_waiver(top.below(f"waiver[{number}]", each)) for number, each in enumerate(found.get("waiver", ()), 1))
    return Layer(origin, said, {keys: top.said(*keys) for keys in said}, tuple(waivers))


def together(layers: Iterable[Layer]) -> Settings:
    """What several files say together, the farthest from the host first.

    Each key of `[site]`, each rule of `[rules.severity]` and each measure of `[policy]` is what the nearest file says of it, as a
    whole; what is ignored and waived adds up.
    """
    values: dict[tuple[str, ...], Any] = {}
    said: dict[tuple[str, ...], Said] = {}
    ignored: dict[str, Said] = {}
    severity: dict[str, Severity] = {}
    every = tuple(layers)
    for layer in every:
        values |= layer.values
        said |= layer.said
        for selector in layer.values.get(("rules", "ignore"), ()):
            ignored.setdefault(selector, layer.said["rules", "ignore"])
        for keys, value in sorted(layer.values.items(), key=lambda each: len(each[0][-1])):
            if keys[:2] == ("rules", "severity"):
                severity.pop(keys[2], None)
                severity[keys[2]] = value
    said.pop(("rules", "ignore"), None)
    return Settings(
        site=_declared(values),
        profile=values.get(("rules", "profile"), "recommended"),
        ignore=tuple(ignored),
        severity=severity,
        waivers=tuple(waiver for layer in every for waiver in layer.waivers),
        said=said | {("rules", "ignore", selector): place for selector, place in ignored.items()},
        files=tuple(layer.origin for layer in every),
    )


def parse_settings(data: bytes, origin: str = "mailaudit.toml") -> Settings:
    """Read a mailaudit.toml. Raises `SettingsError`, which names the origin, the line and the key."""
    return together([read_layer(data, origin)])


def load(found: Iterable[tuple[str, bytes]]) -> Settings:
    """The settings of a host by the files that go with it (`World.settings`) or the one that was named.

    Raises `SettingsError` for what is not as it must be.
    """
    return together([read_layer(data, origin) for origin, data in found])


def _declared(values: Mapping[tuple[str, ...], Any]) -> Declared:
    site = {keys[1]: value for keys, value in values.items() if keys[0] == "site"}
    ports = site.pop("open_ports", {})
    policy = tuple(each for keys, said in values.items() if keys[0] == "policy" for each in said)
    return Declared(**site, open_tcp=ports.get("tcp", ()), open_udp=ports.get("udp", ()), policy=policy)


def _waiver(table: Table) -> Waiver:
    found = table.read(_WAIVER, needs=("rule", "reason"))
    return Waiver(
        rule=found["rule"],
        reason=found["reason"],
        expires=found.get("expires"),
        host=found.get("host"),
        match=found.get("match"),
        origin=str(table.said()),
    )
