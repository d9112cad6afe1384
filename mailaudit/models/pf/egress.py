"""Which interface leads to the Internet, where no record says so."""

from __future__ import annotations

from mailaudit.models.interfaces import NEVER_EGRESS, Interface, Interfaces, driver_of
from mailaudit.models.pf.reader import Found
from mailaudit.models.pf.rules import all_rules, with_anchors
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
    if uses_group:  # the group is the way to the Internet; another name may be so too if services are opened on it
        doubtful = _opened(found)
        return (Interface("", group), *(_called(name) for name in names if name in doubtful)), (_GROUP_EXISTS,)
    if not names:
        return (Interface("", group),), (_GROUP_EXISTS,)
    if len(names) == 1:
        text = f"{names[0]} is the interface to the Internet, for the ruleset names no other"
        return (_called(names[0]),), (text,)
    return tuple(_called(name) for name in names), (_GROUP_EXISTS,)


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
    for rule in with_anchors(found.entries):
        for item in rule.interfaces:
            names[item.name] = None
        nat = rule.options.nat.targets if rule.options.nat is not None else ()
        for peer in (*rule.sources, *rule.targets, *nat):
            if peer.name == "egress" or (peer.kind == "interface" and (peer.modifiers or peer.dynamic or driver_of(peer.name))):
                names[peer.name] = None
    for skip in found.skips:
        names[skip.name] = None
    uses_group = "egress" in names
    odd = {"", "any", "egress", "self", "all", "none"} | _translated(found)
    return [
        name for name in names if name not in odd and name not in NEVER_EGRESS and driver_of(name) not in NEVER_EGRESS
    ], uses_group


def _translated(found: Found) -> set[str]:
    """The interfaces whose networks are translated on the way out: they are internal."""
    internal: set[str] = set()
    for rule in all_rules(found.entries):
        if rule.options.nat is None:
            continue
        outer = {item.name for item in rule.interfaces} | {peer.name for peer in rule.options.nat.targets}
        networks = {peer.name for peer in rule.sources if "network" in peer.modifiers and not peer.negated}
        internal |= networks - outer
    return internal


def _opened(found: Found) -> set[str]:
    """The interfaces on which rules open ports, or translate what goes out."""
    names: set[str] = set()
    for rule in with_anchors(found.entries):
        opens = rule.action == "pass" and rule.direction != "out" and rule.target_ports
        if opens or rule.options.nat is not None:
            names |= {item.name for item in rule.interfaces if not item.negated}
    return names
