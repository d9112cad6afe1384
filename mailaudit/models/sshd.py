"""The ports that sshd listens on: the way in for whoever mends the host."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from mailaudit.models.sources import Model, Sources
from mailaudit.questions import Command, CommandOutput, Found, RunCommand
from mailaudit.text import Text

PATH = "/etc/ssh/sshd_config"
_PORT = re.compile(r"^[ \t]*port[ \t]*[= \t][ \t]*([0-9]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class SshdConfig(Model):
    """sshd's ports, at least one."""

    ports: tuple[int, ...] = field(default=(22,))


def read_sshd(sources: Sources) -> SshdConfig:
    """The ports that `sshd -T` named, else those of sshd_config, else 22."""
    answer = sources.ask(RunCommand(Command.SSHD))
    if isinstance(answer, Found) and isinstance(answer.value, CommandOutput) and answer.value.status == 0:
        ports = _ports(answer.value.stdout)
        if ports:
            return SshdConfig(ports=ports)
    text = sources.file(PATH)
    if isinstance(text, Text):
        return SshdConfig(ports=_ports(text.chars) or (22,))
    return SshdConfig(assumed=("sshd listens on port 22",))


def _ports(chars: str) -> tuple[int, ...]:
    found = (int(match[1]) for match in _PORT.finditer(chars))
    return tuple(dict.fromkeys(port for port in found if 0 < port < 65536))
