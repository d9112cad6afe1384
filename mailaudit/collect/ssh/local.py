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
from mailaudit.collect.ssh.connection import MAX_ANSWER
from mailaudit.collect.ssh.host import HostWorld
from mailaudit.collect.ssh.target import Address

ROOT = Path("/")
_CHUNK = 1 << 18


@dataclass
class Shell:
    """/bin/sh on this machine, run as whoever runs mailaudit."""

    running: set[asyncio.subprocess.Process] = field(default_factory=set)

    async def open(self) -> None:
        """Nothing is to be opened."""

    async def run(self, script: bytes, seconds: float) -> bytes:
        """What the collector prints, as far as it comes in so many seconds."""
        pipe, nowhere = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            "/bin/sh", stdin=pipe, stdout=pipe, stderr=nowhere, cwd=ROOT, start_new_session=True
        )
        self.running.add(process)
        said = bytearray()
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(_give(process, script), _take(process, said))
        except TimeoutError:
            pass
        finally:
            self._end(process)
            await process.wait()
        return bytes(said)

    def _end(self, process: asyncio.subprocess.Process) -> None:
        """End the shell and all that it started."""
        self.running.discard(process)
        if process.returncode is None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)

    async def close_rudely(self) -> None:
        """End what runs."""
        for process in tuple(self.running):
            self._end(process)

    async def close(self) -> None:
        """End what runs."""
        await self.close_rudely()


async def _give(process: asyncio.subprocess.Process, script: bytes) -> None:
    assert process.stdin is not None
    with suppress(ConnectionError):
        process.stdin.write(script)
        await process.stdin.drain()
    process.stdin.close()


async def _take(process: asyncio.subprocess.Process, said: bytearray) -> None:
    assert process.stdout is not None
    while len(said) < MAX_ANSWER and (chunk := await process.stdout.read(_CHUNK)):
        said += chunk


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

    def channel(self) -> Shell:
        """A shell here."""
        return Shell()
