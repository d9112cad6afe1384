"""Dovecot's sockets and ports taken together: none may stand twice, and each has its name."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailaudit.models.dovecot.catalogue import Catalogue
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.dovecot.sections import Section
from mailaudit.models.dovecot.settings import NEW, OLD_PROTOCOLS
from mailaudit.models.dovecot.values import is_true
from mailaudit.parsers.tree import Problem
from mailaudit.text import Span, decimal

_MAY_BE_MANY = frozenset(("dict-expire", "stats"))  # they have one process of their own accord only
_SOCKETS = ("unix_listener", "fifo_listener")


def nameless(root: Section) -> Iterator[Problem]:
    """Services without a name."""
    for service in root.of("service"):
        if service.visits and not service.name and service.visits[0].statement.node.node("name") is None:
            yield Problem("a service has a name", service.visits[0].statement.tokens[0].span)


def doubled(root: Section, known: Catalogue) -> Iterator[Problem]:
    """Sockets without a path, and ports and sockets that two listeners would have, of the services that run."""
    seen: set[str] = set()
    protocols = _protocols(root, known)
    configured = {service.name: service for service in root.of("service")}
    presets = [path[0].partition(" ")[2] for path in known.preset if len(path) == 1 and path[0].startswith("service ")]
    for name in dict.fromkeys((*presets, *configured)):
        service = configured.get(name, Section("service", name))
        protocol = _value(service.get("protocol"), known, f"service {name}", "", "protocol")
        if protocol and protocol not in protocols:
            continue
        for each in service.sections:
            if each.type in _SOCKETS and not each.name and each.visits:
                yield Problem(f"a {each.type} has a path", each.visits[0].statement.tokens[0].span)
        for what, at in sorted(_places(service, root, known), key=lambda place: place[1] is not None):
            if what in seen and at is not None:
                yield Problem(f"a second listener on {what}", at)
            seen.add(what)


def crowded(root: Section, known: Catalogue) -> Iterator[Problem]:
    """Services of more processes than they may have, or of more waiting ones than of all."""
    default = root.settings.get("default_process_limit")
    for service in root.of("service"):
        head = f"service {service.name}"
        limit, waiting = service.get("process_limit"), service.get("process_min_avail")
        most = decimal(_value(limit, known, head, "", "process_limit"))
        fewest = decimal(_value(waiting, known, head, "", "process_min_avail"))
        is_single = known.preset.get((head,), {}).get("process_limit") == "1" and service.name not in _MAY_BE_MANY
        if limit and is_single and most is not None and most > 1:
            yield Problem(f"the service {service.name} has one process", limit.span)
        most = most or decimal(default.value if default else known.default("default_process_limit"))
        at = waiting or limit
        if at and at.statement and most is not None and fewest is not None and fewest > most:
            yield Problem(f"process_min_avail of {service.name} is larger than its process_limit, {most}", at.span)


def _protocols(root: Section, known: Catalogue) -> set[str]:
    setting = root.settings.get("protocols")
    block = root.named("protocols", "")
    words = re.split(r"[ ,]+", setting.value if setting else known.default("protocols"))
    found = {OLD_PROTOCOLS.get(word, word) for word in words}
    return found | {each.name for each in (block.settings.values() if block else ()) if is_true(each.value)}


def _places(service: Section, root: Section, known: Catalogue) -> Iterator[tuple[str, Span | None]]:
    """Each port with its address and each socket's path, and where it is written if it is."""
    head = f"service {service.name}"
    written = {f"{each.type} {each.name}": each for each in service.sections}
    preset = [path[1] for path in known.preset if len(path) == 2 and path[0] == head]
    for listener in dict.fromkeys((*preset, *written)):
        type_, _, name = listener.partition(" ")
        section = written.get(listener, Section(type_, name))
        at = section.visits[0].statement.tokens[0].span if section.visits else None
        if type_ in _SOCKETS:
            mode = _value(section.get("mode"), known, head, listener, "mode") or "0600"
            if mode.strip("0"):
                base = root.settings.get("base_dir")
                yield name if name.startswith("/") else f"{base.value if base else known.default('base_dir')}/{name}", at
        elif type_ == "inet_listener":
            port = _value(section.get("port"), known, head, listener, "port")
            if port.strip("0"):
                for address in _addresses(section, root, known):
                    yield f"port {port} of {address or 'all addresses'}", at


def _addresses(section: Section, root: Section, known: Catalogue) -> list[str]:
    own = section.get("address", "listen")
    if known.family != NEW:
        return [own.value if own else ""]
    value = own.value if own else root.settings["listen"].value if "listen" in root.settings else known.default("listen")
    return [word for word in re.split(r"[ ,]+", value) if word]


def _value(setting: Setting | None, known: Catalogue, head: str, listener: str, name: str) -> str:
    path = (head, listener) if listener else (head,)
    return setting.value if setting else known.preset.get(path, {}).get(name, "")
