"""What the mail and web daemons listen on for other hosts, by their configurations, and what does so now."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.parts import Listener as DovecotListener
from mailaudit.models.dovecot.settings import LISTENERS
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.httpd_parts import Listener as HttpdListener
from mailaudit.models.interfaces import driver_of
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Listener as SmtpdListener
from mailaudit.models.sockets import Sockets
from mailaudit.models.sources import Known, Lacking, Missing, Model, Slot
from mailaudit.parsers.tree import Problem, Statement
from mailaudit.text import Span, Text

BOTH = (4, 6)
_BY_DEFAULT = frozenset(name for _, _, ports in LISTENERS for name, _, _ in ports)
_LOOPBACK = frozenset({"lo", "lo0", "localhost"})
_PRIVATE = tuple(ipaddress.ip_network(net) for net in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fe80::/10"))


@dataclass(frozen=True, slots=True)
class Port:
    """A port that a daemon listens on for other hosts.

    `at` is where that is written; without a span it is a default of the file. `interface` is the one interface that it is on,
    if it is. `private` is true for addresses that the Internet does not route. `block` is a block that makes this listener and
    nothing else: without it there is none. `addresses` are the only ones that it is bound to; empty for any, and for those of an
    interface or a name that are not known.
    """

    daemon: str
    number: int
    families: tuple[int, ...]
    at: Span | Text | str
    name: str = ""
    interface: str = ""
    private: bool = False
    block: Statement | None = None
    addresses: tuple[str, ...] = ()

    def is_bound_to(self, address: str) -> bool:
        """True if it listens on an address, as far as is known."""
        wanted = ipaddress.ip_address(address)
        return wanted.version in self.families and (not self.addresses or wanted in map(_address, self.addresses))


@dataclass(frozen=True)
class Listening(Model):
    """All such ports. `lacking` are the daemons' configurations that could not be read, `complete` is true if none is missing.

    `sockets` is None where netstat's output is not recorded.
    """

    ports: tuple[Port, ...] = ()
    lacking: tuple[Lacking, ...] = ()
    complete: bool = False
    sockets: Sockets | None = None
    partly: tuple[Problem, ...] = ()

    @property
    def not_read(self) -> list[Problem]:
        """What the daemons would read of their files and mailaudit could not."""
        return list(self.partly)


def read_listening(
    smtpd: Slot[SmtpdConfig], dovecot: Slot[DovecotConfig], httpd: Slot[HttpdConfig], sockets: Slot[Sockets]
) -> Listening:
    """The ports of all three daemons."""
    slots = (smtpd, dovecot, httpd)
    models: list[Model] = [slot.value for slot in slots if isinstance(slot, Known)]
    ports: list[Port] = []
    if isinstance(smtpd, Known):
        ports += (port for listener in smtpd.value.listeners if (port := _of_smtpd(listener)) is not None)
    if isinstance(dovecot, Known):
        ports += (_of_dovecot(each, dovecot.value) for each in dovecot.value.listeners if each.is_public)
    if isinstance(httpd, Known):
        ports += (port for listener in httpd.value.listeners if (port := _of_httpd(listener)) is not None)
    return Listening(
        trees=tuple(tree for model in models for tree in model.trees),
        refusals=tuple(problem for model in models for problem in model.refusals),
        assumed=tuple(text for model in models for text in model.assumed),
        ports=tuple(ports),
        lacking=tuple(slot for slot in slots if isinstance(slot, Lacking)),
        complete=all(isinstance(slot, Known | Missing) for slot in slots),
        sockets=sockets.value if isinstance(sockets, Known) else None,
        partly=tuple(problem for model in models for problem in model.not_read),
    )


def _of_smtpd(listener: SmtpdListener) -> Port | None:
    where = listener.where
    if listener.is_socket or listener.port is None or where in _LOOPBACK:
        return None
    address = _address(where)
    if address is None:
        families = BOTH if listener.family is None else (listener.family,)
        interface = where if driver_of(where) else ""
        return Port("smtpd", listener.port, families, listener.span, interface=interface, addresses=listener.addresses or ())
    if address.is_loopback:
        return None
    return Port("smtpd", listener.port, (address.version,), listener.span, private=_is_private(where), addresses=_bound(where))


def _of_dovecot(listener: DovecotListener, dovecot: DovecotConfig) -> Port:
    section = listener.section
    port = listener.settings.get("port")
    at: Span | Text | str = dovecot.own
    if port is not None and port.statement is not None:
        at = port.span
    elif section is not None and section.visits:
        at = section.visits[-1].statement.span
    own = listener.name not in _BY_DEFAULT and section is not None and len(section.visits) == 1
    return Port(
        "Dovecot",
        listener.port,
        tuple(sorted(4 if family == "inet" else 6 for family in listener.families)),
        at,
        listener.name,
        private=all(_is_private(address) for address in listener.addresses),
        block=section.visits[0].statement if own and section is not None else None,
        addresses=_bound(*listener.addresses),
    )


def _of_httpd(listener: HttpdListener) -> Port | None:
    if listener.port is None or listener.is_loopback:
        return None
    families = tuple(4 if family == "inet" else 6 for family in listener.families)
    where = listener.address.value
    interface = where if driver_of(where) else ""
    at, private = listener.statement.span, _is_private(where)
    return Port("httpd", listener.port, families, at, interface=interface, private=private, addresses=_bound(where))


def _address(written: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(written.strip("[]").partition("%")[0])
    except ValueError:
        return None


def _bound(*written: str) -> tuple[str, ...]:
    """Addresses, if all are plain ones of the host; nothing where one stands for any, or is a name."""
    found = [_address(each) for each in written]
    return tuple(map(str, found)) if all(each is not None and not each.is_unspecified for each in found) else ()


def _is_private(written: str) -> bool:
    address = _address(written)
    return address is not None and any(address.version == net.version and address in net for net in _PRIVATE)


def for_the_internet(ports: tuple[Port, ...], egress: frozenset[str]) -> Iterator[Port]:
    """One for each daemon and port that the Internet may be meant to reach, with the families of all its listeners.

    `egress` are the names of the interfaces to the Internet; an empty name is one that is not known.
    """
    merged: dict[tuple[str, int], list[Port]] = {}
    for port in ports:
        elsewhere = port.interface and "" not in egress and port.interface not in egress
        if not port.private and not elsewhere:
            merged.setdefault((port.daemon, port.number), []).append(port)
    for first, *more in merged.values():
        families = tuple(sorted({family for port in (first, *more) for family in port.families}))
        yield Port(first.daemon, first.number, families, first.at, first.name, block=None if more else first.block)
