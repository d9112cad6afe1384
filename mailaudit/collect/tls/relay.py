"""Asks port 25 whether it relays for strangers, where the user wants it: recipients elsewhere, as open relays take them.

Nothing is ever sent: after the recipients comes RSET, never DATA. It is asked in the conversation that heard the greeting: no
connection is made for it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

from mailaudit.collect.budget import Trouble
from mailaudit.collect.tls.dialogues import Dialogue, DoneError, reply
from mailaudit.collect.tls.stream import EndedError, can_be_sent

ASKING = 20.0  # seconds for all of it; some servers wait before each refusal
FOREIGN = ("example.org", "example.net", "example.com")  # RFC 2606: nobody's mail
PROBE = "mailaudit-probe"
_CLOSING = 421  # RFC 5321, section 3.8


async def probe(talk: Dialogue) -> None:
    """Senders and recipients and what each got, as `relay`; `relay_end` is why it ended too early."""
    tried: list[dict[str, str]] = []
    talk.facts["client"] = str(talk.stream.writer.get_extra_info("sockname")[0]).partition("%")[0]
    try:
        async with asyncio.timeout(ASKING):
            await _transactions(talk, tried)
    except (EndedError, Trouble, TimeoutError) as error:
        talk.facts["relay_end"] = str(error) or "it does not go on"
        raise DoneError from error
    finally:
        talk.facts["relay"] = tuple(tried)


async def _transactions(talk: Dialogue, tried: list[dict[str, str]]) -> None:
    for sender, recipients in _envelopes(talk):
        answer = await _say(talk, f"MAIL FROM:<{sender}>")
        if not _is_good(answer):
            tried.append({"sender": sender, "recipient": "", "reply": answer})
            continue
        for recipient in recipients:
            answer = await _say(talk, f"RCPT TO:<{recipient}>")
            tried += [{"sender": sender, "recipient": recipient, "reply": answer}]
        await _say(talk, "RSET")


def _envelopes(talk: Dialogue) -> Iterator[tuple[str, list[str]]]:
    """Senders, and recipients for each. The first are in nobody's domain here; one is in ours, but of no user, for comparison."""
    domain, address = talk.question.domain, talk.question.address
    foreign = next(each for each in FOREIGN if not domain.endswith(each))
    literal = f"[IPv6:{address}]" if ":" in address else f"[{address}]"
    greeted = str(talk.facts.get("greeting", ""))[4:].split(" ")[0].lower()
    recipients = [f"{PROBE}@{foreign}"]
    if can_be_sent(domain):
        recipients += [f"@{domain}:{PROBE}@{foreign}", f"{PROBE}%{foreign}@{domain}", f'"{PROBE}@{foreign}"@{domain}']
        recipients += [f"{foreign}!{PROBE}@{domain}", f"{PROBE}@{domain}"]
    recipients += [f"{PROBE}%{foreign}@{literal}", f'"{PROBE}@{foreign}"', f"{foreign}!{PROBE}"]
    yield "", [*recipients, *([f"root@{greeted}"] if can_be_sent(greeted) else []), "root@localhost", f"root@{literal}"]
    if can_be_sent(domain):
        yield f"postmaster@{domain}", [f"{PROBE}@{foreign}"]


async def _say(talk: Dialogue, words: str) -> str:
    await talk.stream.send(words)
    code, lines = await reply(talk.stream)
    if code == _CLOSING:
        raise EndedError(lines[0])
    return lines[0]


def _is_good(answer: str) -> bool:
    return re.match("[23]", answer) is not None
