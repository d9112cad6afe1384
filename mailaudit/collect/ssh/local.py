"""The machine that asks as the host that is asked: by the same collector, in a shell here, without any connection."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mailaudit.collect.directory import Directory
from mailaudit.collect.folder import FolderDirectory
from mailaudit.collect.root import SETTINGS, host_name, own_settings
from mailaudit.collect.ssh.host import HostWorld
from mailaudit.collect.ssh.target import Address

ROOT = Path("/")
_CHUNK = 1 << 18


@dataclass(eq=False)
class LocalShell:
    """/bin/sh on this machine, run as whoever runs mailaudit, and all that it starts."""

    process: asyncio.subprocess.Process

    def tell(self, words: bytes) -> None:
        """Give it more to do."""
        assert self.process.stdin is not None
        self.process.stdin.write(words)

    async def hear(self) -> bytes:
        """More of what it prints; nothing at its end."""
        assert self.process.stdout is not None
        return await self.process.stdout.read(_CHUNK)

    async def end(self) -> None:
        """End it and all that it started."""
        if self.process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
        await self.process.wait()


@dataclass
class Machine:
    """The way to this machine's own shells."""

    shells: list[LocalShell] = field(default_factory=list)

    async def open(self) -> None:
        """Nothing is to be opened."""

    async def shell(self) -> LocalShell:
        """Another shell."""
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", stdin=pipe, stdout=pipe, stderr=nowhere, cwd=ROOT, start_new_session=True
        )
        self.shells.append(LocalShell(process))
        return self.shells[-1]

    async def close(self) -> None:
        """End what runs."""
        await asyncio.gather(*(shell.end() for shell in self.shells))


class LocalWorld(HostWorld):
    """The machine itself. Its settings are those in its root, its own addresses on loopback belong to it."""

    def __init__(self, target: str, key: str, become: str, seconds: float) -> None:
        super().__init__(Address(socket.gethostname()), target, key, become, seconds, root=ROOT)
        directory: Directory = FolderDirectory.at(ROOT)
        self.settings = own_settings(directory, str(ROOT / SETTINGS))
        self._name = host_name(directory, None, self.address.host)

    @property
    def host(self) -> str:
        """Its name, as it says itself."""
        return self._name

    def channel(self) -> Machine:
        """The way to its own shells."""
        return Machine()
