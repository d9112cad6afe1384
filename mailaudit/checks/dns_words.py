"""What rules about DNS have in common: the evidence of a reply, the doubt of one that could not be told, records to publish."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Finding
from mailaudit.models.dns.names import bare, is_below, reverse
from mailaudit.models.dns.reply import Reply
from mailaudit.models.dns.site_records import Dns
from mailaudit.models.site import Site
from mailaudit.questions import Reason

TTL = 300
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


def txt(owner: str, text: str) -> str:
    """A line of zone text with one string."""
    return record(owner, "TXT", f'"{text}"')


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
