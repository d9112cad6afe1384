"""Where a local action puts a message: smtpd's own format expansion (mda_variables.c) of the path in the action."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailaudit.models.smtpd.parts import Action

_TOKEN = re.compile(r"%\{([^{}:\[\]]+)(?:\[(-?\d*)(?::(-?\d*))?\])?(?::([^{}]*))?\}")
_ESCAPED = re.compile(r"[!#$%&'*?`{|}~]")  # what a stranger may put into an address and must not reach a path


@dataclass(frozen=True, slots=True, eq=False)
class Recipient:
    """A recipient after expansion: the address mail is for, and the system user that it is delivered as.

    `rcpt` is the address that the sender wrote, where a map led from it to this one. `sender` is empty for a bounce, None where
    it is not known.
    """

    user: str
    domain: str
    system_user: str = "vmail"
    home: str | None = None
    rcpt: str | None = None
    sender: str | None = "sender@example.org"


def expand(template: str, recipient: Recipient, delimiter: str = "+") -> str | None:
    """The text with its `%{...}` filled in, or None where smtpd would refuse it or the value is not known."""
    out: list[str] = []
    at = 0
    for match in _TOKEN.finditer(template):
        value = _value(match[1], recipient)
        if value is None:
            return None
        modified = _modified(value, match[4], delimiter)
        value = None if modified is None else _part(modified, match[2], match[3])
        if value is None:
            return None
        out += (template[at : match.start()], value)
        at = match.end()
    out.append(template[at:])
    expanded = "".join(out)
    return None if "%{" in "".join(out[::2]) else expanded


def mail_path(action: Action, recipient: Recipient, delimiter: str = "+") -> str | None:
    """The directory or file that an action delivers to, or None if it hands mail on, or the place is not known."""
    if action.kind == "mbox":
        return f"/var/mail/{recipient.system_user}"
    if action.kind != "maildir":
        return None
    template = action.argument.value if action.argument is not None else "~/Maildir"
    if template.startswith("~/"):
        template = "%{user.directory}/" + template[2:]
    path = expand(template, recipient, delimiter)
    return path.rstrip("/") if path is not None else None


def keeps_tag(action: Action, delimiter: str = "+") -> bool:
    """True if the sub-address of `user+tag@domain` becomes part of the path."""
    tagged = mail_path(action, Recipient(f"user{delimiter}tag", "example.org", home="/home"), delimiter)
    plain = mail_path(action, Recipient("user", "example.org", home="/home"), delimiter)
    return tagged != plain


def _value(token: str, recipient: Recipient) -> str | None:
    address = f"{recipient.user}@{recipient.domain}"
    written, sender = recipient.rcpt or address, recipient.sender
    known: dict[str, str | None] = {
        "dest": address,
        "dest.user": recipient.user,
        "dest.domain": recipient.domain,
        "rcpt": written,
        "rcpt.user": written.rpartition("@")[0],
        "rcpt.domain": written.rpartition("@")[2],
        "sender": sender,
        "sender.user": sender.rpartition("@")[0] if sender is not None else None,
        "sender.domain": sender.rpartition("@")[2] if sender is not None else None,
        "mbox.from": sender or (None if sender is None else "MAILER-DAEMON"),
        "user.username": recipient.system_user,
        "user.directory": recipient.home,
    }
    return known.get(token.lower())


def _part(value: str, begin: str | None, end: str | None) -> str | None:
    """`[n]`: one character; `[a:b]`: from a to b, that one too; both may be negative, and either left out. None: past the end."""
    if begin is None or not value:
        return value
    size = len(value)
    first = int(begin) if begin not in ("", "-") else 0
    last = first if end is None else int(end) if end not in ("", "-") else size
    if first >= size:
        return None
    first += size if first < 0 else 0
    last = min(last, size - 1)
    last += size - 1 if last < 0 else 0
    return value[first : last + 1] if 0 <= first <= last else None


def _modified(value: str, modifiers: str | None, delimiter: str) -> str | None:
    words = [word.strip() for word in (modifiers or "").split("|") if word.strip()]
    if "raw" not in words:
        value = _ESCAPED.sub(":", value)
    for word in words:
        if word == "lowercase":
            value = value.lower()
        elif word == "uppercase":
            value = value.upper()
        elif word == "strip":
            user, at, domain = value.partition("@")
            value = user.split(delimiter, 1)[0] + at + domain
        elif word != "raw":
            return None
    return value
