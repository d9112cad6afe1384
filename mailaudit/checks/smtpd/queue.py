"""Rules about what smtpd.conf says of all mail: the size it may have, and how it waits in the queue."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.smtpd.edits import add_line, instead
from mailaudit.checks.smtpd.scope import smtpd_rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Finding, Outcome, Place
from mailaudit.models.smtpd.config import SmtpdConfig

SMALLEST = 35 * 1024 * 1024  # bytes: 25 MiB of attachments, which Gmail takes, and what base64 adds


@smtpd_rule("SMTPD030", needs_mail=True)
def queue_is_compressed(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """The queue is compressed."""
    if smtpd.options.queue_compression is None:
        fix = Fix("Compress the queue", Safety.UNSAFE, add_line(smtpd, "queue", "queue compression"))
        message = "Mail that waits in the queue is not compressed."
        yield Finding(message, (Place.whole(smtpd.path),), fix, "queue compression", "missing", absence=True)


@smtpd_rule("SMTPD032", needs_mail=True)
def messages_may_be_large(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """Messages of 35 MiB are taken."""
    size, at = smtpd.options.max_message_size, smtpd.options.max_message_size_at
    if at is not None and size < SMALLEST:
        shown = f"{size / 1024 / 1024:.1f}".removesuffix(".0")
        edits = instead(at, "35M")
        fix = Fix("Take messages of 35M", Safety.SAFE, edits) if edits else None
        message = f"smtpd takes no message of more than {shown} MiB: attachments that other servers take are refused here."
        yield Finding(message, (Place.at(at.span),), fix, "max-message-size", str(size))
