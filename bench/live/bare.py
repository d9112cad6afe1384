"""A bare asyncio script with asyncssh and dnspython: asks what a scan asks (`asked.py`), all at once, and does nothing with it.

`python bench/live/bare.py FILE HOST`. It imports nothing of mailaudit: it is the yardstick of `make bench-live`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import asyncssh
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message

CHANNELS = 3
VERSIONS = {
    "TLSv1": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}
CLEAR = {"smtp": b"STARTTLS\r\n", "submission": b"STARTTLS\r\n", "managesieve": b"STARTTLS\r\n"}


async def host(name: str, scripts: list[str]) -> None:
    """One connection, all scripts, three at a time."""
    if not scripts:
        return
    gate = asyncio.Semaphore(CHANNELS)

    async with asyncssh.connect(name) as connection:

        async def run(script: str) -> None:
            async with gate:
                process = await connection.create_process("exec /bin/sh", encoding=None)
                process.stdin.write(script.encode("latin-1"))
                process.stdin.write_eof()
                while await process.stdout.read(1 << 18):
                    pass

        await asyncio.gather(*map(run, scripts))


async def query(gates: dict[str, asyncio.Semaphore], asked: list[Any]) -> None:
    """One DNS query, by TCP where the answer does not fit."""
    address, port, name, type_, recurse, dnssec, tcp = asked
    flags = (dns.flags.RD | dns.flags.AD if recurse else 0) | (dns.flags.CD if dnssec else 0)
    message = dns.message.make_query(name, type_, flags=flags, use_edns=0, payload=1232, want_dnssec=dnssec)
    with contextlib.suppress(dns.exception.DNSException, OSError, EOFError):
        async with gates[address]:
            if not tcp:
                found = await dns.asyncquery.udp(message, address, timeout=3, port=port)
                if not found.flags & dns.flags.TC:
                    return
            await dns.asyncquery.tcp(message, address, timeout=4, port=port)


async def connections(asked: list[list[Any]]) -> None:
    """The connections to one port, one after the other."""
    for address, port, protocol, least, most in asked:
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError, EOFError, asyncio.IncompleteReadError):
            async with asyncio.timeout(10):
                await converse(address, port, protocol, tls(least, most))


def tls(least: str, most: str) -> ssl.SSLContext:
    """Takes whatever there is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version, context.maximum_version = VERSIONS[least], VERSIONS[most]
    return context


async def converse(address: str, port: int, protocol: str, context: ssl.SSLContext) -> None:
    """Greeting, capabilities, TLS, capabilities."""
    direct = protocol in ("smtps", "imaps", "https")
    reader, writer = await asyncio.open_connection(address, port, ssl=context if direct else None)
    try:
        if protocol in CLEAR:
            await reader.readline()
            if protocol == "managesieve":
                while not (await reader.readline()).startswith(b"OK"):
                    pass
            else:
                await ehlo(reader, writer)
            writer.write(CLEAR[protocol])
            await reader.readline()
            await writer.start_tls(context)
        if protocol in ("smtp", "submission"):
            await ehlo(reader, writer)
        elif protocol == "smtps":
            await reader.readline()
            await ehlo(reader, writer)
        elif protocol == "imaps":
            await reader.readline()
        elif protocol in ("http", "https"):
            writer.write(b"GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await reader.read(4096)
    finally:
        writer.transport.abort()


async def ehlo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """EHLO and its reply."""
    writer.write(b"EHLO bare.invalid\r\n")
    while (line := await reader.readline()) and line[3:4] == b"-":
        pass


async def main(asked: dict[str, list[Any]], name: str) -> None:
    """All of it at once."""
    ports: dict[tuple[str, int], list[list[Any]]] = defaultdict(list)
    for each in asked["connections"]:
        ports[each[0], each[1]].append(each)
    gates: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(16))
    await asyncio.gather(
        host(name, asked["scripts"]), *(query(gates, each) for each in asked["queries"]), *map(connections, ports.values())
    )


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text()), sys.argv[2]))
