"""Rules about what keeps smtpd from starting though its checker is content, and from hearing what it should."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence

from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.editing.smtpd import remove
from mailaudit.edits import Fix, Safety, replace
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.accounts import Accounts
from mailaudit.models.clock import moment
from mailaudit.models.files import Files
from mailaudit.models.interfaces import Address, Interface, Interfaces
from mailaudit.models.processes import Processes, is_younger
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import LIBEXEC, Cause, Listener, Proc, Refusal
from mailaudit.models.sockets import Sockets
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Absent, Failed, Reason, Stat
from mailaudit.text import Span

_ALL = "all"  # the group that every interface is in
_BUILT_IN = ("db", "getpwnam", "proc", "passwd")  # programs of their own rule, or none


@smtpd_rule("SMTPD002")
def starts(smtpd: SmtpdConfig, accounts: Accounts | Missing | NotHere | Lacking) -> Iterator[Outcome]:
    """What smtpd needs when it starts is there: programs of tables, accounts of filters, an address for each listener alone."""
    for table in smtpd.tables.values():
        if table.kind == "dynamic" and table.backend not in _BUILT_IN and table.statement is not None:
            yield from _program(smtpd, table.name, f"{LIBEXEC}/table-{table.backend}", table.statement.span)
    for proc in smtpd.procs.values():
        yield from _accounts(proc, accounts)
    for number, listener in enumerate(smtpd.listeners):
        before = next((each for each in smtpd.listeners[:number] if _collide(each, listener)), None)
        if before is not None:
            message = f"Two listeners want port {listener.port} of the same address: smtpd dies when it starts."
            places = (Place.at(listener.span), Place.at(before.span, "the other"))
            fix = Fix("Keep one of them", Safety.UNSAFE, remove(listener.statement))
            yield Finding(message, places, fix, f"listener {listener.port}", "twice")


def _program(smtpd: SmtpdConfig, name: str, path: str, at: Span) -> Iterator[Outcome]:
    stat = smtpd.stat(path)
    if isinstance(stat, Absent):
        message = f"The program {path} of the table <{name}> is not there, so smtpd does not start."
        yield Finding(message, (Place.at(at), Evidence(f"stat {path}", "absent")), None, f"table {name}", "absent")
    elif isinstance(stat, Failed):
        yield Doubt(stat.reason, f"Whether {path} is there was not recorded.", (Place.at(at),))


def _accounts(proc: Proc, accounts: Accounts | Missing | NotHere | Lacking) -> Iterator[Outcome]:
    """Findings for a program that is to run as somebody who is not there."""
    for word, token in proc.values.items():
        if word not in ("user", "group"):
            continue
        if not isinstance(accounts, Accounts):
            reason = accounts.reason if isinstance(accounts, Lacking) else Reason.NOT_RECORDED
            yield Doubt(reason, f"Whether there is a {word} {token.value} is not known.", (Place.at(token.span),))
        elif (accounts.user(token.value) if word == "user" else accounts.group(token.value)) is None:
            message = f'The filter "{proc.name.value}" is to run as the {word} {token.value}, which is not there: smtpd dies.'
            yield Finding(message, (Place.at(token.span),), None, f"filter {proc.name.value}", f"no {word}")


def _collide(one: Listener, other: Listener) -> bool:
    """True if two listeners are certain to want one address and port."""
    if one.is_socket or other.is_socket or one.port is None or one.port != other.port:
        return False
    if None not in (one.family, other.family) and one.family != other.family:
        return False
    if one.where == other.where:
        return True
    return _ALL in (one.where, other.where) and not any(_is_wildcard(each.where) for each in (one, other))


def _is_wildcard(where: str) -> bool:
    return where in ("0.0.0.0", "::")  # noqa: S104  compared with, not listened on


@smtpd_rule("SMTPD004")
def names_are_no_words(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """No table and no macro bears the name of a word of the language, but in quotes."""
    found: dict[str, list[Refusal]] = {}
    for refusal in smtpd.meanings:
        if refusal.cause is Cause.RESERVED:
            found.setdefault(refusal.name, []).append(refusal)
    for name, refusals in found.items():
        places = [Place.at(each.problem.span, "" if number == 0 else "here too") for number, each in enumerate(refusals)]
        edits = tuple(replace(each.problem.span, each.problem.mend or "") for each in refusals)
        fix = Fix(f"Put {name} in quotes", Safety.SAFE, edits)
        message = f'"{name}" is a word of smtpd.conf and can be a name only in quotes: smtpd does not start.'
        yield Finding(message, tuple(places), fix, "reserved name", name)


@smtpd_rule("SMTPD027")
def addresses_are_bound(  # noqa: PLR0913, PLR0917  each is evidence of its own
    smtpd: SmtpdConfig,
    sockets: Sockets,
    interfaces: Interfaces,
    site: Site,
    files: Files,
    processes: Processes | Missing | NotHere | Lacking,
) -> Iterator[Outcome]:
    """On each lasting address that an interface has now, smtpd listens if it is told to listen there."""
    listeners = [each for each in smtpd.listeners if not each.is_socket and each.port is not None]
    if not interfaces.known:
        yield Doubt(Reason.NOT_RECORDED, "Which addresses the host has was not recorded.")
        return
    if not any(socket.port == each.port for socket in sockets.listening for each in listeners):
        yield Exempt("smtpd does not run, which HOST031 is about")
        return
    runs_older = _runs_older(smtpd, files, processes)
    for listener in listeners:
        bound = [socket for socket in sockets.listening if socket.port == listener.port]
        everywhere = {socket.family for socket in bound if socket.address == "*"}
        for address in _addresses(listener, interfaces, site):
            is_bound = address in [socket.address for socket in bound] or ipaddress.ip_address(address).version in everywhere
            if is_bound or not bound or runs_older:
                continue
            if runs_older is None and all(socket.is_loopback for socket in bound):
                message = f"smtpd hears this host alone on port {listener.port}; it may run with an older smtpd.conf."
                yield Doubt(Reason.NOT_RECORDED, message, (Place.at(listener.at.span),))
            else:
                yield _unbound(listener, address)


def _runs_older(smtpd: SmtpdConfig, files: Files, processes: Processes | Missing | NotHere | Lacking) -> bool | None:
    """True if smtpd.conf is younger than smtpd, which is HOST036's to tell; None if that is not known."""
    main = processes.main("smtpd") if isinstance(processes, Processes) else None
    stats = [files.stat(tree.text.path) for tree in smtpd.trees]
    times = [moment(stat.mtime) for stat in stats if isinstance(stat, Stat) and stat.mtime]
    if main is None or len(times) < len(stats):
        return None
    return any(time is not None and is_younger(time, main.started) for time in times)


def _unbound(listener: Listener, address: str) -> Finding:
    message = f"smtpd does not listen on {address}, port {listener.port}, though the interface has the address now."
    places = (Place.at(listener.at.span), Evidence("netstat -ln", f"no {address}.{listener.port}"))
    fix = Fix("Start smtpd anew", Safety.UNSAFE, commands=("rcctl restart smtpd",))
    return Finding(message, places, fix, f"listener {listener.port}", "not bound")


def _addresses(listener: Listener, interfaces: Interfaces, site: Site) -> Iterator[str]:
    """The lasting addresses that a listener names by an interface or a group: the site's, else those that stand alone."""
    for interface in interfaces.named(listener.where):
        for family in (4, 6):
            if listener.family in (None, family) and not interface.loopback:
                yield from _lasting(interface, family, site)


def _lasting(interface: Interface, family: int, site: Site) -> Sequence[str]:
    own = [_shown(each) for each in interface.addresses or () if each.family == family]
    known = [address for address in own if not ipaddress.ip_address(address).is_link_local]
    published = [str(ipaddress.ip_address(each)) for each in (*site.ipv4, *site.ipv6) if _is_address(each)]
    named = [address for address in known if address in published]
    return named or (known if len(known) == 1 else [])


def _shown(address: Address) -> str:
    kind = ipaddress.IPv4Address if address.family == 4 else ipaddress.IPv6Address
    return str(kind(address.value))


def _is_address(written: str) -> bool:
    try:
        ipaddress.ip_address(written)
    except ValueError:
        return False
    return True
