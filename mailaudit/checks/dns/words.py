"""What rules about DNS have in common: the evidence of a reply, the doubt of one that could not be told, records to publish."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from datetime import datetime

from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Finding
from mailaudit.models.dkim_record import DkimRecords, strings
from mailaudit.models.dns.names import bare, is_below, reverse
from mailaudit.models.dns.policies import is_mta_sts
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.site import Site
from mailaudit.questions import KeyFacts, Reason

TTL = 300
DELETED = "; delete: "
_PLAIN = re.compile(r"[A-Za-z0-9._-]+")
NO_ADDRESSES = "Which addresses this host has is not known: [site] ipv4 and ipv6 of mailaudit.toml say it."


def seen(*replies: Reply) -> tuple[Evidence, ...]:
    """Replies as evidence."""
    return tuple(Evidence(reply.question, reply.shown) for reply in replies)


def doubts(*replies: Reply) -> Iterator[Doubt]:
    """A doubt for each reply that could not be told."""
    for reply in replies:
        if reply.failed is not None:
            message = reply.failed.detail or f"{reply.question} could not be told: {reply.failed.reason}"
            yield Doubt(reply.failed.reason, message, seen(reply))


def no_addresses() -> Doubt:
    """The doubt of a rule that compares with the host's addresses."""
    return Doubt(Reason.NOT_RECORDED, NO_ADDRESSES)


def publish(title: str, *records: str) -> Fix:
    """A fix that is records to copy."""
    return Fix(title, Safety.MANUAL, records=records)


def record(owner: str, type_: str, data: str) -> str:
    """A line of zone text."""
    return f"{bare(owner)}. {TTL} IN {type_} {data}"


def instead(title: str, new: str, reply: Reply, is_old: Callable[[str], object]) -> Fix:
    """A fix that is one TXT record in the place of those that are there."""
    old = (delete(reply.owner, "TXT", strings(text)) for text in reply.texts if is_old(text))
    return publish(title, new, *(line for line in old if line != f"{DELETED}{new}"))


def new_mta_sts(title: str, reply: Reply, now: datetime) -> Fix:
    """An MTA-STS record with an id that it had never before: the time."""
    return instead(title, txt(reply.owner, f"v=STSv1; id={now:%Y%m%dT%H%M%S};"), reply, is_mta_sts)


def delete(owner: str, type_: str, data: str) -> str:
    """A line of zone text for a record that is to be taken out: a comment to whatever reads it."""
    return f"{DELETED}{record(owner, type_, data)}"


def txt(owner: str, text: str) -> str:
    """A line of zone text: as many strings as a long text takes."""
    return record(owner, "TXT", strings(text))


def dkim_fix(records: DkimRecords, domain: str, selector: str) -> Fix:
    """The record of the key that mail is signed with; the command that prints it where its public half was not at hand."""
    of, owner = (domain.lower(), selector.lower()), f"{selector.lower()}._domainkey.{domain}"
    data, path = records.texts.get(of), records.paths.get(of)
    if data is not None:
        return publish("Publish the public half of the key that rspamd signs with", record(owner, "TXT", data))
    printed = printed_record(owner, path) if path is not None else None
    if printed is not None:
        return Fix("Publish what this prints", Safety.MANUAL, commands=(printed,))
    return Fix(f"Publish the public half of the key that signs with the selector {selector}", Safety.MANUAL)


def printed_record(owner: str, path: str) -> str | None:
    """The command that prints the record of a private key where the key lies: its base64 in strings that are short enough.

    None for an owner that is no name: nothing else may stand in a command.
    """
    if not _PLAIN.fullmatch(owner):
        return None
    public = f"openssl pkey -in {shlex.quote(path)} -pubout -outform DER | openssl base64 -A | fold -w 250"
    parts = f"""$({public} | sed 's/.*/"&"/' | tr '\\n' ' ')"""
    return f"""printf '{bare(owner)}. {TTL} IN TXT "v=DKIM1;k=rsa;p=" %s\\n' "{parts}\""""


def tlsa(name: str, key: KeyFacts) -> str:
    """A line of zone text that names the key of a certificate that port 25 shows (RFC 7672, section 3.1.1)."""
    return record(f"_25._tcp.{name}", "TLSA", f"3 1 1 {key.spki.rpartition(':')[2]}")


def pointer(address: str, name: str) -> str:
    """A line of zone text for whoever holds the address."""
    return record(reverse(address), "PTR", f"{bare(name)}.")


def lacks(message: str, reply: Reply, fix: Fix | None, about: str) -> Finding:
    """The finding that something is not there."""
    return Finding(message, seen(reply), fix, about, "missing", absence=True)


def own_domains(dns: Dns, site: Site) -> tuple[str, ...]:
    """The domains that this host is named in: their own addresses are to lead here. Of others their owners decide."""
    names = [name for name in (site.mail_host, site.host_name) if name]
    return tuple(domain for domain in dns.domains if any(is_below(name, domain) for name in names)) or dns.domains[:1]


def host_names(dns: Dns, site: Site) -> tuple[str, ...]:
    """What this host is called: its name, the mail host's, those in HELO."""
    names = (site.host_name, site.mail_host, *dns.helo_names)
    return tuple(dict.fromkeys(bare(name) for name in names if name))
