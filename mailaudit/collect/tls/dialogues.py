"""What is said on each kind of listener until TLS begins, and after; nothing is ever logged in to or delivered."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address

from mailaudit.collect.budget import Trouble
from mailaudit.collect.tls.stream import EndedError, Stream, can_be_sent
from mailaudit.questions import Handshake, Reason

MOST_LINES = 100  # of one reply
PROBE = "/.well-known/acme-challenge/mailaudit-probe"
SUBMISSION = 587
_REFUSALS = 400  # reply codes from here on
_LISTENS = 0.4  # seconds to wait for a word from a port that need not speak
_ASIDE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")

Shake = Callable[[Stream], Awaitable[None]]
"""Makes the handshake on a stream and notes what it shows."""


class DoneError(Exception):
    """All has been said that there is to say: the listener does not go on, in its own words."""


@dataclass
class Dialogue:
    """One conversation and what it has brought so far, as the fields of an `endpoints` entry (contract, section 6)."""

    stream: Stream
    question: Handshake
    shake: Shake
    facts: dict[str, object] = field(default_factory=dict)
    only_tls: bool = False  # nothing is said after the handshake
    at_last: Callable[[Dialogue], Awaitable[None]] | None = None  # what an SMTP conversation goes on with


async def smtp(talk: Dialogue) -> None:
    """Greeting, EHLO, STARTTLS, and EHLO again."""
    await _smtp_greeting(talk)
    lines = await _ehlo(talk, "ehlo")
    talk.facts["starttls"] = any(line.upper() == "STARTTLS" for line in lines)
    if talk.facts["starttls"]:
        await _smtp_tls(talk)
    if talk.at_last is not None:
        await talk.at_last(talk)
    await _bye(talk.stream, "QUIT")


async def _smtp_tls(talk: Dialogue) -> None:
    if talk.only_tls and talk.question.port == SUBMISSION and "mail_reply" not in talk.facts:
        await _mail_in_clear(talk)
    await talk.stream.send("STARTTLS")
    code, replies = await reply(talk.stream)
    if code != 220:
        talk.facts["starttls_reply"] = replies[0]
        raise DoneError
    await talk.shake(talk.stream)
    await _ehlo(talk, "ehlo_tls")


async def _mail_in_clear(talk: Dialogue) -> None:
    """Whether a message may be begun before TLS; no more of it is sent. A later conversation asks, so that the first is whole."""
    await talk.stream.send("MAIL FROM:<>")
    code, lines = await reply(talk.stream)
    talk.facts["mail_reply"] = lines[0]
    if code < _REFUSALS:
        await talk.stream.send("RSET")
        await reply(talk.stream)


async def smtps(talk: Dialogue) -> None:
    """A handshake, greeting, EHLO."""
    await talk.shake(talk.stream)
    await _smtp_greeting(talk)
    await _ehlo(talk, "ehlo_tls")
    await _bye(talk.stream, "QUIT")


async def imaps(talk: Dialogue) -> None:
    """A handshake, greeting, and what it offers where the greeting does not say so."""
    await talk.shake(talk.stream)
    line = await talk.stream.line()
    if not line.startswith("* "):
        raise _odd("IMAP", line)
    talk.facts["greeting"] = line
    if not line.upper().startswith("* OK"):
        raise DoneError
    if "[CAPABILITY " not in line.upper():
        await talk.stream.send("a CAPABILITY")
        for _ in range(MOST_LINES):
            line = await talk.stream.line()
            if line.upper().startswith("* CAPABILITY "):
                talk.facts["capabilities"] = tuple(line.split()[2:])
            if line.lower().startswith("a "):
                break
    await _bye(talk.stream, "b LOGOUT")


async def sieve(talk: Dialogue) -> None:
    """Capabilities, STARTTLS, and the capabilities again."""
    talk.facts["greeting"], talk.facts["capabilities"] = await _sieve_reply(talk)
    lines = await _after_greeting(talk)
    talk.facts["starttls"] = any(line.strip().upper() == '"STARTTLS"' for line in lines)
    if not talk.facts["starttls"]:
        return
    await talk.stream.send("STARTTLS")
    said, _ = await _sieve_reply(talk)
    if not said.upper().startswith("OK"):
        talk.facts["starttls_reply"] = said
        raise DoneError
    await talk.shake(talk.stream)
    _, talk.facts["ehlo_tls"] = await _sieve_reply(talk)
    await _bye(talk.stream, "LOGOUT")


async def http(talk: Dialogue) -> None:
    """One request for a challenge that is not there; no redirect is followed."""
    address = talk.question.address
    host = talk.question.name if can_be_sent(talk.question.name) else f"[{address}]" if ":" in address else address
    await talk.stream.send(f"GET {PROBE} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: mailaudit\r\nConnection: close\r\n")
    line = await talk.stream.line()
    status = re.match(r"HTTP/[0-9.]+ ([1-5][0-9][0-9])(?: |$)", line)
    if status is None:
        raise _odd("HTTP", line)
    talk.facts.update(name=host, path=PROBE, status=int(status[1]))
    for _ in range(MOST_LINES):
        name, mark, value = (await talk.stream.line()).partition(":")
        if not mark:
            return
        if name.strip().lower() in ("server", "location"):
            talk.facts[name.strip().lower()] = value.strip()


async def https(talk: Dialogue) -> None:
    """The same under TLS."""
    await talk.shake(talk.stream)
    await http(talk)


async def tcp(talk: Dialogue) -> None:
    """That it is open is all that is asked; a line that comes by itself is kept."""
    with contextlib.suppress(TimeoutError, Trouble, EndedError):
        async with asyncio.timeout(_LISTENS):
            line = await talk.stream.line()
            if not _ASIDE.search(line):
                talk.facts["greeting"] = line


async def _after_greeting(talk: Dialogue) -> tuple[str, ...]:
    if not str(talk.facts["greeting"]).upper().startswith("OK"):
        raise DoneError
    lines = talk.facts["capabilities"]
    assert isinstance(lines, tuple)
    return lines


async def _smtp_greeting(talk: Dialogue) -> None:
    code, lines = await reply(talk.stream)
    talk.facts["greeting"] = lines[0]
    if code != 220:
        raise DoneError


async def _ehlo(talk: Dialogue, field_: str) -> tuple[str, ...]:
    """What is offered; a listener that refuses EHLO offers nothing that can be told."""
    await talk.stream.send(f"EHLO {_own_name(talk.stream)}")
    code, lines = await reply(talk.stream)
    if code != 250:
        talk.facts[f"{field_}_reply"] = lines[0]
        raise DoneError
    found = tuple(line[4:] for line in lines[1:])
    talk.facts[field_] = found
    return found


def _own_name(stream: Stream) -> str:
    """The address that the connection comes from, as a literal: what a client without a name says (RFC 5321, 4.1.4)."""
    address = ip_address(str(stream.writer.get_extra_info("sockname")[0]).partition("%")[0])
    return f"[{address}]" if address.version == 4 else f"[IPv6:{address}]"


async def reply(stream: Stream) -> tuple[int, tuple[str, ...]]:
    """An SMTP reply: its code and its lines as they came."""
    lines: list[str] = []
    while len(lines) < MOST_LINES:
        line = await stream.line()
        found = re.match(r"([2-5][0-9][0-9])([ -]|$)", line)
        if found is None:
            raise _odd("SMTP", line)
        lines.append(line)
        if found[2] != "-":
            return int(found[1]), tuple(lines)
    raise Trouble(Reason.PROTOCOL, f"a reply of more than {MOST_LINES} lines")


async def _sieve_reply(talk: Dialogue) -> tuple[str, tuple[str, ...]]:
    """A ManageSieve reply: the line with OK, NO or BYE, and those before it."""
    lines: list[str] = []
    while len(lines) < MOST_LINES:
        line = await talk.stream.line()
        if re.match(r"(?:OK|NO|BYE)\b", line, re.IGNORECASE):
            return line, tuple(lines)
        if not line.startswith(('"', "{")) or _ASIDE.search(line):
            raise _odd("ManageSieve", line)
        lines.append(line)
    raise Trouble(Reason.PROTOCOL, f"a reply of more than {MOST_LINES} lines")


def _odd(what: str, line: str) -> Trouble:
    return Trouble(Reason.PROTOCOL, f"that is no {what}: {line[:60]!r}")


async def _bye(stream: Stream, word: str) -> None:
    with contextlib.suppress(EndedError):
        await stream.send(word)


DIALOGUES: dict[str, Callable[[Dialogue], Awaitable[None]]] = {
    "smtp": smtp,
    "smtps": smtps,
    "imaps": imaps,
    "sieve": sieve,
    "http": http,
    "https": https,
    "tcp": tcp,
}
