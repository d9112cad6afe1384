"""Fetches MTA-STS policies as mail servers do: over HTTPS from the domain's web host, without redirects (RFC 8461, 3.3)."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping

from mailaudit.collect.budget import Trouble
from mailaudit.collect.tls.ports import Ports
from mailaudit.collect.tls.stream import AlertError, EndedError, Stream
from mailaudit.collect.trips import together
from mailaudit.questions import Answer, Endpoint, FetchPolicy, Found, Reason

PORT = 443
FETCHING = 10.0  # seconds at one address
MOST_ADDRESSES = 4  # that are tried
MOST_BYTES = 64 * 1024  # of a policy (RFC 8461, section 3.3)
MOST_HEADERS = 100
_OK = 200
_WORST = (Reason.TIMEOUT, Reason.PROTOCOL, Reason.OFFLINE, Reason.IN_DOUBT, Reason.REFUSED)


async def fetch_all(ports: Ports, questions: Iterable[FetchPolicy]) -> dict[FetchPolicy, Answer]:
    """An answer to each question."""
    wanted = list(questions)
    return dict(zip(wanted, await together(*(_fetch(ports, each) for each in wanted)), strict=True))


async def _fetch(ports: Ports, question: FetchPolicy) -> Answer:
    """The policy from the first address that answers; else why none did, of several reasons the one that leaves most open."""
    troubles = []
    for address in question.addresses[:MOST_ADDRESSES]:
        why = ports.not_to_be_asked(address)
        if why is not None:
            troubles.append(Trouble(Reason.IN_DOUBT, why))
            continue
        try:
            async with ports.turn(address, PORT):
                return Found(Endpoint(await _at(ports, question, address)))
        except Trouble as trouble:
            troubles.append(trouble)
    if not troubles:
        troubles.append(Trouble(Reason.NOT_RECORDED, f"the addresses of {question.host} are not known"))
    return min(troubles, key=lambda each: _WORST.index(each.reason) if each.reason in _WORST else 0).failed


async def _at(ports: Ports, question: FetchPolicy, address: str) -> dict[str, object]:
    stream = await ports.connect(address, PORT)
    facts: dict[str, object] = {"address": address}
    try:
        async with asyncio.timeout(ports.budget.share(FETCHING)):
            await stream.start_tls("TLSv1.2", "TLSv1.3", question.host)
            facts["chain"] = chain = stream.chain()
            facts |= ports.trust.of(chain)
            return facts | await _get(stream, question)
    except AlertError as alert:
        return facts | {"tls_error": str(alert)}
    except EndedError as ended:
        raise Trouble(Reason.PROTOCOL, f"{question}: {ended}") from ended
    except TimeoutError:
        raise Trouble(Reason.TIMEOUT, f"{question}: {address} does not go on") from None
    finally:
        await stream.close()


async def _get(stream: Stream, question: FetchPolicy) -> dict[str, object]:
    path = str(question).partition(question.host)[2]
    await stream.send(f"GET {path} HTTP/1.1\r\nHost: {question.host}\r\nUser-Agent: mailaudit\r\nConnection: close\r\n")
    status, headers = await response(stream)
    facts: dict[str, object] = {"status": status}
    facts |= {name: headers[header] for name, header in (("type", "content-type"), ("location", "location")) if header in headers}
    if status == _OK:
        body = await _body(stream, headers)
        facts |= {"body": body.decode("utf-8", "backslashreplace")} if len(body) <= MOST_BYTES else {"too_long": True}
    return facts


async def response(stream: Stream) -> tuple[int, dict[str, str]]:
    """The status of an HTTP response and its headers by name in lower case, of those that are there twice the first."""
    line = await stream.line()
    status = re.match(r"HTTP/[0-9.]+ ([1-5][0-9][0-9])(?: |$)", line)
    if status is None:
        raise Trouble(Reason.PROTOCOL, f"that is no HTTP: {line[:60]!r}")
    headers: dict[str, str] = {}
    for _ in range(MOST_HEADERS):
        name, mark, value = (await stream.line()).partition(":")
        if not mark:
            break
        headers.setdefault(name.strip().lower(), value.strip())
    return int(status[1]), headers


async def _body(stream: Stream, headers: Mapping[str, str]) -> bytes:
    """The body, or a little more of it than a policy may have."""
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return await _chunks(stream)
    length = headers.get("content-length", "")
    wanted = min(int(length), MOST_BYTES + 1) if re.fullmatch("[0-9]{1,9}", length) else MOST_BYTES + 1
    while len(stream.buffer) < wanted and await stream.more():
        pass
    if len(stream.buffer) < wanted <= MOST_BYTES:
        raise EndedError("the connection was closed in the middle of the policy")
    return bytes(stream.buffer[:wanted])


async def _chunks(stream: Stream) -> bytes:
    found = bytearray()
    while len(found) <= MOST_BYTES:
        size = re.match("[0-9A-Fa-f]{1,8}", await stream.line())
        if size is None:
            raise Trouble(Reason.PROTOCOL, "a chunk of its answer has no size")
        if not int(size[0], 16):
            break
        while len(stream.buffer) < min(int(size[0], 16), MOST_BYTES + 1):
            if not await stream.more():
                raise EndedError("the connection was closed in the middle of the policy")
        found += stream.buffer[: int(size[0], 16)]
        del stream.buffer[: int(size[0], 16)]
        if len(found) <= MOST_BYTES:
            await stream.line()
    return bytes(found)
