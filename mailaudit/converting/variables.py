"""The %variables of Dovecot 2.3 in the words of 2.4: `%Ld` is `%{user | domain | lower}`."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OLD = re.compile(
    r"%(?:(?P<percent>%)|(?P<zero>0)?(?P<from>-?[0-9]{1,4}(?=\.))?\.?(?P<width>-?[1-9][0-9]{0,3})?(?P<change>[A-Z]*)"
    r"(?:\{(?P<long>[^{}]+)\}|(?P<short>[a-z$])))"
)
_CHANGES = {"L": "lower", "U": "upper", "R": "reverse", "X": "hex", "T": "rtrim"}
_USER = {"u": "user", "n": "user | username", "d": "user | domain"}
_CONNECTION = {"r": "remote_ip", "l": "local_ip", "a": "local_port", "b": "remote_port"}
MAIL = {**_USER, **_CONNECTION, "h": "home", "s": "protocol", "p": "process:pid"}
"""Letters in settings of the mail, of plugins and of what a userdb gives."""
AUTH = {
    **_USER,
    **_CONNECTION,
    "h": "home",
    "s": "protocol",
    "p": "client_pid",
    "w": "password",
    "m": "mechanism",
    "c": "secured",
}
"""Letters in settings of passdb and userdb, queries and filters among them."""
_LOGIN = {**AUTH, "p": "process:pid", "e": "mail_pid", "k": "ssl_security", "$": "message"}
LETTERS: dict[str, dict[str, str]] = {
    "auth_username_format": AUTH,
    "login_log_format": {"s": "elements", "$": "message"},
    "login_log_format_elements": _LOGIN,
    "mail_log_prefix": {**MAIL, "s": "service"},
    "deliver_log_format": {
        "$": "message",
        "m": "msgid",
        "s": "subject",
        "f": "from",
        "e": "from_envelope",
        "p": "size",
        "w": "vsize",
    },
    "rejection_reason": {"n": 'literal("\\r\\n")', "s": "subject", "r": "reason", "t": "to"},
    "rejection_subject": {"n": 'literal("\\r\\n")', "s": "subject", "r": "reason", "t": "to"},
    "pop3_uidl_format": {"u": "uid", "v": "uidvalidity", "f": "filename", "m": "md5", "g": "guid"},
    "imap_logout_format": {"i": "input", "o": "output"},
    "submission_logout_format": {"i": "input", "o": "output"},
    "managesieve_logout_format": {"i": "input", "o": "output"},
    "pop3_logout_format": {
        "t": "top_count",
        "T": "top_bytes",
        "r": "retr_count",
        "R": "retr_bytes",
        "d": "deleted_count",
        "m": "message_count",
        "s": "message_bytes",
        "i": "input",
        "o": "output",
        "u": "uidl_change",
    },
}
"""The letters of the settings in which they stand for something of their own."""
_LONG = {
    "username": "user | username",
    "domain": "user | domain",
    "service": "protocol",
    "mech": "mechanism",
    "lip": "local_ip",
    "rip": "remote_ip",
    "lport": "local_port",
    "rport": "remote_port",
    "real_lip": "real_local_ip",
    "real_rip": "real_remote_ip",
    "real_lport": "real_local_port",
    "real_rport": "real_remote_port",
    "pid": "process:pid",
    "hostname": "system:hostname",
    "orig_user": "original_user",
    "orig_username": "original_user | username",
    "orig_domain": "original_user | domain",
    "auth_username": "auth_user | username",
    "auth_domain": "auth_user | domain",
    "login_username": "login_user | username",
    "login_domain": "login_user | domain",
    "owner_username": "owner_user | username",
    "owner_domain": "owner_user | domain",
    "session_pid": "mail_pid",
}
_SAME = re.compile(
    r"user|home|protocol|session|auth_user|login_user|master_user|owner_user|owner_home|password|mechanism|secured|cert"
    r"|local_name|local_ip|remote_ip|local_port|remote_port|login|host|input|output|[a-z_]+:.+|sha1|msgid|subject|from|size|vsize"
    r"|client_id|requested_username|hashed_password|trashed|expunged|deleted|fetch_\w+|delivery_time|session_time|to_envelope"
)


class UnknownVariable(ValueError):  # noqa: N818  it says what was met
    """A variable of 2.3 that 2.4 cannot say in one word."""


def replacements(template: str, letters: dict[str, str] = MAIL) -> Iterator[tuple[int, int, str]]:
    """The variables of a template of 2.3: where each stands, and what 2.4 writes there.

    Raises `UnknownVariable` with the one that cannot be said.
    """
    at = 0
    while (percent := template.find("%", at)) >= 0:
        match = _OLD.match(template, percent)
        if match is None or template.startswith("%%{", percent):  # what is a plain %{ in 2.3 has no name in 2.4
            raise UnknownVariable(template[percent : percent + 3])
        yield percent, match.end(), "%" if match["percent"] else _one(match, letters)
        at = match.end()


def in_new_words(template: str, letters: dict[str, str] = MAIL) -> str:
    """A template of 2.3 as 2.4 writes it. Raises `UnknownVariable` with the variable that cannot be said."""
    out: list[str] = []
    at = 0
    for start, end, new in replacements(template, letters):
        out += (template[at:start], new)
        at = end
    return "".join((*out, template[at:]))


def _hashed(match: re.Match[str], word: str) -> str | None:
    """`%2.256Nu`: a number below 256 made of the user, in two hexadecimal digits; None where it is not that."""
    if match["change"] != "N" or not match["width"] or (match["from"] or "").startswith("-"):
        return None
    digits = f"({match['from']})" if match["from"] else ""
    return f"%{{{word} | md5 | substr(0, 8) % {match['width']} | hex{digits}}}"


def _one(match: re.Match[str], letters: dict[str, str]) -> str:
    changes = match["change"] or ""
    if match["short"] is None:
        name = match["long"]
        word = _LONG.get(name) or (name if _SAME.fullmatch(name) else None)
    else:
        word = letters.get(match["short"])
    if word is None:
        raise UnknownVariable(match[0])
    if (hashed := _hashed(match, word)) is not None:
        return hashed
    filters = [word, *_filters(changes, match)]
    return "%{" + " | ".join(filters) + "}"


def _filters(changes: str, match: re.Match[str]) -> list[str]:
    found: list[str] = []
    width = match["width"]
    start = match["from"]
    for change in changes:
        if change == "X" and match["zero"] and width and not start:
            found.append(f"hex({width})")
            width = None
        elif change == "M":
            found += ["md5", "hexlify"]
        elif change in _CHANGES:
            found.append(_CHANGES[change])
        else:
            raise UnknownVariable(match[0])
    if start is not None and width:
        found.append(f"substr({start}, {width})")
    elif start is not None:
        found.append(f"substr({start})")
    elif width is not None:
        found.append(f"substr(0, {width.lstrip('-')})")  # a sign says how to fill up, and nothing is filled up
    return found
