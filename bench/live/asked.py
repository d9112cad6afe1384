"""Everything that one scan sends: its collector's scripts, DNS queries and connections, as data for a bare script to repeat.

Run as a program in the lab: `python -m bench.live.asked FILE ARGUMENT...` scans with the arguments, and writes FILE.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mailaudit.collect.dns.wire import Exchange
from mailaudit.collect.ssh.connection import RemoteShell
from mailaudit.collect.tls import ports


def listen() -> dict[str, list[Any]]:
    """Note what goes out, from now on: what each shell is told, queries (server, name, type, flags) and connections."""
    noted: dict[str, list[Any]] = {"scripts": [], "queries": [], "connections": []}
    shells: dict[int, int] = {}
    tell, send, talk = RemoteShell.tell, Exchange._send, ports._Look._talk  # noqa: SLF001  the lowest places that say all of it

    def telling(self: RemoteShell, words: bytes) -> None:
        if id(self.process) not in shells:
            shells[id(self.process)] = len(noted["scripts"])
            noted["scripts"].append("")
        noted["scripts"][shells[id(self.process)]] += words.decode("latin-1")
        tell(self, words)

    async def sending(self: Exchange, server: Any, query: Any) -> Any:
        flags = [query.recurse, query.dnssec, query.tcp]
        noted["queries"].append([server.address, server.port, str(query.name), str(query.type.name), *flags])
        return await send(self, server, query)

    async def talking(self: Any, least: str, most: str, *args: Any, **options: Any) -> None:
        asked = self.question
        noted["connections"].append([asked.address, asked.port, asked.protocol, least, most])
        await talk(self, least, most, *args, **options)

    RemoteShell.tell = telling  # type: ignore[method-assign]
    Exchange._send = sending  # type: ignore[method-assign]  # noqa: SLF001
    ports._Look._talk = talking  # type: ignore[method-assign]  # noqa: SLF001
    return noted


def main() -> int:
    """Scan, and write what was sent."""
    from mailaudit.cli import main as mailaudit  # noqa: PLC0415  after the places are watched

    file, *arguments = sys.argv[1:]
    noted = listen()
    sys.argv = ["mailaudit", *arguments]
    try:
        mailaudit()
    except SystemExit as end:
        code = int(end.code or 0)
    Path(file).write_text(json.dumps(noted))
    return code


if __name__ == "__main__":
    sys.exit(main())
