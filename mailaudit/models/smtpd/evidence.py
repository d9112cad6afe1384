"""What smtpd.conf needs to know of the host besides itself: included files, its name, the files that it names, tables of keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from mailaudit.models.hostname_if import read_hostname_if
from mailaudit.models.interfaces import read_interfaces
from mailaudit.models.smtpd.draft import Draft
from mailaudit.models.smtpd.parts import LIBEXEC, Listener, Rule
from mailaudit.models.smtpd.reach import Reach, reach
from mailaudit.models.sources import Known, Sources
from mailaudit.parsers.tree import Included, Problem, Tree
from mailaudit.questions import Absent, Failed, Stat


def includes(sources: Sources, tree: Tree) -> tuple[list[Problem], tuple[Problem, ...]]:
    """Includes that smtpd refuses because the file is not there, and those of which it is not known."""
    missing: list[Problem] = []
    unknown: list[Problem] = []
    for each in _all_included(tree):
        if each.tree is not None or each.why != "not there, or not known yet":
            continue
        found = sources.file(each.path)
        if isinstance(found, Absent):
            missing.append(Problem(f"the included file {each.path} is not there", each.at))
        elif isinstance(found, Failed):
            unknown.append(Problem(f"the included file {each.path} could not be read", each.at, refused=False))
    return missing, tuple(unknown)


def _all_included(tree: Tree) -> Iterator[Included]:
    for each in tree.included:
        yield each
        if each.tree is not None:
            yield from _all_included(each.tree)


def server_name(sources: Sources) -> tuple[str | None, tuple[str, ...]]:
    """What smtpd calls itself: the first line of mailname(5), else the host's name."""
    assumed: tuple[str, ...] = ()
    for path in ("/etc/mail/mailname", "/etc/myname"):
        text = sources.file(path)
        if isinstance(text, Failed) and path == "/etc/mail/mailname":
            assumed = (f"no {path}",)
        if not isinstance(text, Absent | Failed):
            name = text.chars.split("\n", 1)[0].strip().lower()
            if name:
                return name, assumed
    return None, assumed


def stats(sources: Sources, draft: Draft) -> dict[str, Stat | Absent | Failed]:
    """What is known of key and certificate files, table files, table and filter programs."""
    paths = [token.value for pki in draft.pki.values() for token in (pki.cert, pki.key) if token is not None]
    paths += [table.path for table in draft.tables.values() if table.path is not None]
    paths += [f"{LIBEXEC}/table-{t.backend}" for t in draft.tables.values() if t.kind == "dynamic" and t.backend != "db"]
    paths += [path for each in draft.filters.values() if (path := each.program_path) is not None]
    return {path: sources.stat(path) for path in dict.fromkeys(paths)}


def lists(sources: Sources, rules: list[Rule]) -> dict[str, tuple[str, ...] | Absent | Failed]:
    """The keys of the file tables that rules look addresses and domains up in; never of one that holds passwords."""
    found: dict[str, tuple[str, ...] | Absent | Failed] = {}
    for rule in rules:
        for criterion in (rule.source, rule.destination, rule.tag, rule.helo, rule.mail_from, rule.rcpt_to):
            table = criterion.table if criterion is not None else None
            if table is None or table.path is None or table.backend != "file":
                continue
            tree = sources.tree(table.path, "table")
            found[table.path] = _keys(tree) if isinstance(tree, Tree) else tree
    return found


def _keys(tree: Tree) -> tuple[str, ...]:
    return tuple(s.node.first.value for s in tree.statements if s.template is not None)


def own_addresses(sources: Sources) -> frozenset[str]:
    """The addresses of the host: what comes from them is local to smtpd, as it is from 127.0.0.1."""
    addresses = (address for interface in read_interfaces(sources).known for address in interface.addresses or ())
    return frozenset(str((IPv4Address if address.family == 4 else IPv6Address)(address.value)) for address in addresses)


def located(sources: Sources, listeners: Iterable[Listener]) -> Iterator[Listener]:
    """The listeners, those on an interface or a group with its addresses, where there is evidence of them."""
    for listener in listeners:
        addresses = _addresses(sources, listener) if reach(listener) is Reach.UNKNOWN else None
        yield listener if addresses is None else replace(listener, addresses=addresses)


def _addresses(sources: Sources, listener: Listener) -> tuple[str, ...] | None:
    """What ifconfig says of a name, else what its hostname.if sets for good; None where neither tells all."""
    found = [each.addresses for each in read_interfaces(sources).named(listener.where)]
    if not found:
        slot = read_hostname_if(sources)
        configured = slot.value.interface(listener.where) if isinstance(slot, Known) else None
        if configured is None or configured.autoconf or configured.commands:
            return None
        static = [each.address for each in configured.addresses]
        found = [tuple(address for address in static if address is not None) if None not in static else None]
    if any(addresses is None for addresses in found):
        return None
    known = [address for addresses in found for address in addresses or ()]
    own = [address for address in known if listener.family in (None, address.family)]
    return tuple(str(IPv4Address(address.value) if address.family == 4 else IPv6Address(address.value)) for address in own)
