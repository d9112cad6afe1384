"""Where a local action puts a message: smtpd's own format expansion (mda_variables.c) of the path in the action."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass

from mailaudit.models.release import NEWEST, Number
from mailaudit.models.smtpd.parts import Action

BOTH: Number = (7, 9)
"""Since when a format may have a part and modifiers, `%{dest.user[0]:lowercase}`; before, smtpd can expand it for nobody."""
_PIECE = re.compile(r"%%|%\{([^}]*)\}")
_WRITTEN = re.compile(r"%\{([a-z.]+)((?:\[[^\]]*\])?)(?::([^{}]*))?\}")
_NUMBER = re.compile(r"\s*[+-]?\d{1,18}", re.ASCII)  # strtonum(3)
_LONGEST = 1024  # EXPAND_BUFFER
_MODIFIERS = frozenset(["lowercase", "uppercase", "strip", "raw"])
_ESCAPED = re.compile(r"[!#$%&'*?`{|}~]")  # what a stranger may put into an address and must not reach a path
_ESCAPED_RAW = re.compile(r"[!#$&'*?`{|}~]")  # what must not reach a shell; since 7.9, before it nothing


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

    @property
    def dest(self) -> str:
        """The address that is delivered to."""
        return f"{self.user}@{self.domain}"

    @property
    def written(self) -> str:
        """The address that the sender wrote."""
        return self.rcpt or self.dest


_VALUES: Mapping[str, Callable[[Recipient], str | None]] = {
    "dest": lambda it: it.dest,
    "dest.user": lambda it: it.user,
    "dest.domain": lambda it: it.domain,
    "rcpt": lambda it: it.written,
    "rcpt.user": lambda it: it.written.rpartition("@")[0],
    "rcpt.domain": lambda it: it.written.rpartition("@")[2],
    "sender": lambda it: it.sender,
    "sender.user": lambda it: it.sender and it.sender.rpartition("@")[0],
    "sender.domain": lambda it: it.sender and it.sender.rpartition("@")[2],
    "mbox.from": lambda it: "MAILER-DAEMON" if it.sender == "" else it.sender,
    "user.username": lambda it: it.system_user,
    "user.directory": lambda it: it.home,
}


@dataclass(frozen=True, slots=True)
class _Format:
    """What stands between `%{` and `}`: a name, the first and the last character of the part, modifiers; all in lower case."""

    name: str
    first: int
    last: int
    modifiers: tuple[str, ...]


def expand(template: str, recipient: Recipient, delimiter: str = "+", release: Number = NEWEST) -> str | None:
    """The text with its `%{...}` filled in, or None where smtpd would refuse it or the value is not known."""
    out: list[str] = []
    at = 0
    for match in _PIECE.finditer(template):
        value: str | None = "%"
        if match[1] is not None:
            found = _read(match[1], release)
            value = _filled(found, recipient, delimiter, release) if found is not None else None
        if value is None:
            return None
        out += (template[at : match.start()], value)
        at = match.end()
    out.append(template[at:])
    return None if "%{" in out[-1] else "".join(out)


def unexpandable(template: str, release: Number = NEWEST) -> str | None:
    """The first `%{...}` that smtpd can fill in for no recipient, so that it returns all mail to its senders; None if it can."""
    formats = (match for match in _PIECE.finditer(template) if match[1] is not None)
    return next((match[0] for match in formats if _read(match[1], release) is None), None)


def mail_path(action: Action, recipient: Recipient, delimiter: str = "+", release: Number = NEWEST) -> str | None:
    """The directory or file that an action delivers to, or None if it hands mail on, or the place is not known."""
    if action.kind == "mbox":
        return f"/var/mail/{recipient.system_user}"
    if action.kind != "maildir":
        return None
    template = action.argument.value if action.argument is not None else "~/Maildir"
    if template.startswith("~/"):
        template = "%{user.directory}/" + template[2:]
    path = expand(template, recipient, delimiter, release)
    return path.rstrip("/") if path is not None else None


def with_modifier(template: str, names: Container[str], word: str, release: Number = NEWEST) -> str:
    """The template with a modifier added to the formats of these names, `dest.user`, as far as smtpd reads it there."""

    def added(match: re.Match[str]) -> str:
        words = [each for each in (match[3] or "").split("|") if each.strip()]
        if match[1] not in names or word in words or (match[2] and release < BOTH):
            return match[0]
        words.insert(0 if word == "lowercase" else len(words), word)
        return f"%{{{match[1]}{match[2]}:{'|'.join(words)}}}"

    return _WRITTEN.sub(added, template)


def _read(written: str, release: Number) -> _Format | None:
    """A format, or None where smtpd can expand it for nobody (mda_expand_token())."""
    name, bracket, rest = written.partition("[")
    part, closed, rest = rest.partition("]")
    first, last = 0, _LONGEST
    if bracket and closed:
        begin, between, end = part.partition(":")
        numbers = [_number(each) for each in ((begin or "0", end or str(_LONGEST)) if between else (begin, begin))]
        if None in numbers:
            return None
        first, last = (number or 0 for number in numbers)
        _, colon, modifiers = rest.partition(":")
        if colon and release < BOTH:
            return None
    else:
        name, colon, modifiers = written.partition(":")
    words = tuple(modifiers.lower().split("|")) if colon else ()
    known = name.lower() in _VALUES and _MODIFIERS.issuperset(words)
    return _Format(name.lower(), first, last, words) if known else None


def _number(written: str) -> int | None:
    number = int(written) if _NUMBER.fullmatch(written) else None
    return number if number is not None and abs(number) <= _LONGEST else None


def _filled(found: _Format, recipient: Recipient, delimiter: str, release: Number) -> str | None:
    value = _VALUES[found.name](recipient)
    if value is None:
        return None
    for word in found.modifiers:
        if word == "lowercase":
            value = value.lower()
        elif word == "uppercase":
            value = value.upper()
        elif word == "strip":
            value = _stripped(value, delimiter)
    is_raw = "raw" in found.modifiers
    if found.name != "user.directory" and (release >= BOTH or not is_raw):
        value = (_ESCAPED_RAW if is_raw else _ESCAPED).sub(":", value)
    return _part(value, found.first, found.last)


def _stripped(value: str, delimiter: str) -> str:
    """Without what stands from the delimiter to the @."""
    user, found, tag = value.partition(delimiter) if delimiter else (value, "", "")
    return user + "".join(tag.partition("@")[1:]) if found else value


def _part(value: str, first: int, last: int) -> str | None:
    """`[n]`: one character; `[a:b]`: from a to b, that one too; both may be negative. None: past the end."""
    size = len(value)
    if not value:
        return value
    if first >= size:
        return None
    last = min(last, size - 1)
    first += size if first < 0 else 0
    last += size - 1 if last < 0 else 0
    return value[first : last + 1] if 0 <= first <= last else None
