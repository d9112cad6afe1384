"""One command of ours on a host, with its input and what it says line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncssh

from mailaudit.collect.ssh.connection import Connection


async def converse(
    connection: Connection, command: str, given: bytes, heard: Callable[[str], None], seconds: float
) -> int | None:
    """Run a command, give it its input, hand over each line as it comes; its status, None where it was cut off.

    The command stands in the program, never in what a host or a file says. What it complains of is heard as well.
    """
    live = connection._connection  # noqa: SLF001  the way in that both ways of talking share
    assert live is not None
    try:
        async with asyncio.timeout(seconds):
            process = await live.create_process(command, encoding=None, stderr=asyncssh.STDOUT)
            process.stdin.write(given)
            process.stdin.write_eof()
            while line := await process.stdout.readline():
                heard(line.decode("utf-8", "replace").rstrip("\n"))
            await process.wait_closed()
            return process.exit_status
    except (TimeoutError, OSError, asyncssh.Error):
        return None
