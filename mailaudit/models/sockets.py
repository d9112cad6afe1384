"""What listens on the host right now: TCP sockets out of netstat(1)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailaudit.models.services import Services
from mailaudit.models.sources import Known, Lacking, Model, Slot, Sources
from mailaudit.questions import Command, CommandOutput, Failed, Found, Reason, RunCommand
from mailaudit.text import decimal

_LISTENING = re.compile(r"^(tcp6?)\s+\d+\s+\d+\s+(\S+)\.([^.\s]+)\s+\S+\s+LISTEN\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Socket:
    """A listening socket: family 4 or 6, local address (`*` for any), port."""

    family: int
    address: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """True if nobody else can reach it."""
        return self.address.startswith("127.") or self.address == "::1" or self.address.startswith("fe80::1%lo")


@dataclass(frozen=True)
class Sockets(Model):
    """All listening TCP sockets."""

    listening: tuple[Socket, ...] = ()

    def public(self, port: int) -> bool:
        """True if something that others can reach listens on a port."""
        return any(socket.port == port and not socket.is_loopback for socket in self.listening)


def read_sockets(sources: Sources, services: Services) -> Slot[Sockets]:
    """The sockets, where netstat's output is at hand."""
    answer = sources.ask(RunCommand(Command.NETSTAT))
    if not isinstance(answer, Found):
        reason = answer.reason if isinstance(answer, Failed) else Reason.NOT_RECORDED
        return Lacking(reason, "what listens on the host was not recorded")
    assert isinstance(answer.value, CommandOutput)
    if answer.value.status != 0:
        return Lacking(Reason.UNREADABLE, f"netstat ended with status {answer.value.status}")
    found: list[Socket] = []
    for match in _LISTENING.finditer(answer.value.stdout):
        protocol, address, written = match.groups()
        number = decimal(written)
        port = services.port(written, "tcp") if number is None else number
        if port is not None:
            found.append(Socket(6 if protocol == "tcp6" else 4, address, port))
    return Known(Sockets(listening=tuple(found)))
