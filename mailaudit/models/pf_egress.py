"""Which interface leads to the Internet, where no record says so."""

from __future__ import annotations

from mailaudit.models.interfaces import NEVER_EGRESS, Interface, Interfaces, driver_of
from mailaudit.models.pf_reader import Found
from mailaudit.models.pf_rules import all_rules
from mailaudit.models.sources import Sources

_GROUP_EXISTS = "the group egress exists, with addresses of both families"


def egress_of(found: Found, interfaces: Interfaces, sources: Sources) -> tuple[tuple[Interface, ...], tuple[str, ...]]:
    """The interfaces that may lead to the Internet, and what was assumed to find them."""
    if interfaces.egress:
        return tuple(interfaces.egress), ()
    group = frozenset(["egress"])
    configured = [path.removeprefix("/etc/hostname.") for path in _listed(sources)]
    configured = [name for name in configured if _may_be_egress(name)]
    if len(configured) == 1:
        name = configured[0]
        return (Interface(name, group),), (f"{name} is the interface to the Internet, for it is the only one configured",)
    names, uses_group = _named(found)
    names = [name for name in names if not configured or name in configured or not driver_of(name)]
    if not names:
        return (Interface("", group),), (_GROUP_EXISTS,)
    if len(names) == 1:
        text = f"{names[0]} is the interface to the Internet, for the ruleset names no other"
        return (_called(names[0]),), (text,)
    unnamed = [Interface("", group)] if uses_group else []
    return (*unnamed, *(_called(name) for name in names)), (_GROUP_EXISTS,)


def _called(name: str) -> Interface:
    """The interface to the Internet, if a name or group is it."""
    if driver_of(name):
        return Interface(name, frozenset(["egress"]))
    return Interface("", frozenset(["egress", name]))


def _listed(sources: Sources) -> tuple[str, ...]:
    listed = sources.list("/etc/hostname.*")
    return listed if isinstance(listed, tuple) else ()


def _may_be_egress(name: str) -> bool:
    return bool(driver_of(name)) and driver_of(name) not in NEVER_EGRESS


def _named(found: Found) -> tuple[list[str], bool]:
    """The names that may be that of the interface to the Internet, and whether rules use the group egress."""
    names: dict[str, None] = {}
    for rule in all_rules(found.entries):
        for item in rule.interfaces:
            names[item.name] = None
        nat = rule.options.nat.targets if rule.options.nat is not None else ()
        for peer in (*rule.sources, *rule.targets, *nat):
            if peer.kind == "interface" and (peer.modifiers or peer.dynamic or driver_of(peer.name)):
                names[peer.name] = None
    for skip in found.skips:
        names[skip.name] = None
    uses_group = "egress" in names
    odd = {"", "any", "egress", "self", "all", "none"}
    return [
        name for name in names if name not in odd and name not in NEVER_EGRESS and driver_of(name) not in NEVER_EGRESS
    ], uses_group
