"""What smtpd calls itself, where a file says so: the first line of /etc/mail/mailname."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailaudit.models.sources import Known, Lacking, Model, Slot, Sources
from mailaudit.questions import Failed
from mailaudit.text import Span, Text

PATH = "/etc/mail/mailname"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_QUALIFIED = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")


@dataclass(frozen=True, eq=False)
class MailName(Model):
    """mailname(5). `line` is its first line without the newline; None without such a file, or with an empty one."""

    line: Span | None = None

    @property
    def name(self) -> str | None:
        """The name as smtpd says it, with all that stands on the line: nothing is taken off, not even blanks."""
        return None if self.line is None else self.line.chars


def read_mail_name(sources: Sources) -> Slot[MailName]:
    """The file, or that it says nothing."""
    text = sources.file(PATH)
    if isinstance(text, Failed):
        return Lacking(text.reason, text.detail, PATH)
    return Known(MailName(line=first_line(text) if isinstance(text, Text) and text.chars else None))


def first_line(text: Text) -> Span:
    """The first line without its newline."""
    end = text.chars.find("\n")
    return Span(text, 0, len(text.chars) if end < 0 else end)


def is_qualified(name: str) -> bool:
    """True for a host name of several labels, as RFC 5321, section 4.1.2, wants one; no address, no domain of this host alone."""
    lowered = name.lower()
    numeric = all(label.isdigit() for label in lowered.split(".")[-1:])
    return (
        _QUALIFIED.fullmatch(name) is not None
        and len(name) < 254
        and not numeric
        and not lowered.endswith((".localdomain", ".local", ".localhost", ".lan", ".invalid"))
    )
