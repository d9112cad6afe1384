"""What is left to do once the files are written, in an order that works: commands to type, records to publish, times to wait."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from mailaudit.edits import Fix
from mailaudit.models.taking_effect import ORDER, Step


class Kind(StrEnum):
    """What one is asked for."""

    COMMAND = "command"
    RECORD = "record"
    WAIT = "wait"


class Phase(IntEnum):
    """When something is done; each phase needs what the ones before it have made."""

    ACCOUNTS = 0
    PACKAGES = 1
    PLACES = 2
    KEYS = 3
    RIGHTS = 4
    DATABASES = 5
    BOOT = 6
    NAMES = 7  # addresses, and who may issue for them: the authority asks for both before it issues
    NAMES_SEEN = 8
    FIREWALL = 9
    WEB = 10  # answers the authority
    CERTIFICATE = 11
    POLICIES = 12  # keys and policies: before anything is signed with the one or refused by the other
    POLICIES_SEEN = 13
    DAEMONS = 14
    EXCHANGERS = 15  # names of exchangers and ids of policies: once the certificate has the name, and the policy is served
    LOGINS = 16
    LAST = 17


COMMANDS: tuple[tuple[re.Pattern[str], Phase], ...] = tuple(
    (re.compile(pattern), phase)
    for pattern, phase in (
        (r"(?:user|group)(?:add|mod|del)\b", Phase.ACCOUNTS),
        (r"pkg_add\b|cp /usr/local/share/", Phase.PACKAGES),
        (r"(?:install|mkdir|mv|rm|cp|hostname)\b", Phase.PLACES),
        (r"openssl (?:gen|rsa|pkey|dhparam|ecparam|ec\b)", Phase.KEYS),
        (r"ch(?:own|mod|grp)\b", Phase.RIGHTS),
        (r"cap_mkdb\b|sievec\b|makemap\b|newaliases\b|pwd_mkdb\b", Phase.DATABASES),
        (r"rcctl (?:enable|disable|order|set)\b|\(?crontab\b", Phase.BOOT),
        (r"pfctl\b", Phase.FIREWALL),
        (r"rcctl \w+ httpd\b", Phase.WEB),
        (r"acme-client (?!-v)", Phase.CERTIFICATE),
        (r"printf '\S+\._domainkey\.", Phase.POLICIES),  # prints a record where the key lies
        (r"rcctl \w+ sshd\b", Phase.LOGINS),
        (r"rcctl (?:restart|reload|start|stop)\b|smtpctl update\b", Phase.DAEMONS),
    )
)
"""Which phase a command belongs to, by how it begins; one that is not named is for looking, and comes last."""

RECORDS: tuple[tuple[re.Pattern[str], Phase], ...] = tuple(
    (re.compile(pattern), phase)
    for pattern, phase in (
        (r"_mta-sts\.\S+ ", Phase.EXCHANGERS),
        (r"(?:\S+ )*IN (?:A|AAAA|CNAME|CAA|NS|DS|PTR) ", Phase.NAMES),
        (r"(?:\S+ )*IN TXT ", Phase.POLICIES),
    )
)
"""The same for records; those of all other types lead others here, and come when all is ready."""

DELETED = "; delete: "
"""Stands before a record that is to be taken out: zone files take such a line for a comment."""
_TOLD = re.compile(r"(?:rcctl (?P<how>restart|reload|start) |pfctl -(?P<flags>e?f) \S*?(?P<pf>pf)\.conf)(?P<who>\w+)?\Z")
_STRENGTH = ("reload", "start", "restart")
_CHECKS = {each.check: each.daemon for each in ORDER if each.check}
_RANK = {each.daemon: number for number, each in enumerate(ORDER)}


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing to do: its words, what must be content before it, the time in seconds that it takes (of a wait), and what for.

    `because` are paths of files that were written, or titles of fixes.
    """

    kind: Kind
    text: str
    because: tuple[str, ...] = ()
    check: str = ""
    seconds: int | None = None


Ttl = Callable[[str], int]
"""For how long others may remember what a record's owner had before, in seconds."""


@dataclass(frozen=True, slots=True)
class _Placed:
    deed: Deed
    key: tuple[int, int, int]


def worklist(fixes: Iterable[Fix], steps: Iterable[Step], ttl: Ttl) -> tuple[Deed, ...]:
    """Everything that fixes and written files ask for, each thing once, in order."""
    deeds = [Deed(Kind.COMMAND, each.command, each.because, each.check) for each in steps]
    for fix in fixes:
        deeds += [Deed(Kind.COMMAND, each, (fix.title,)) for each in fix.commands if each not in _CHECKS]
        deeds += [Deed(Kind.RECORD, each, (fix.title,)) for each in fix.records]
    unique: dict[str, Deed] = {}
    for deed in deeds:
        key = _same(deed)
        unique[key] = _merged(unique[key], deed) if key in unique else deed
    found = [_checked(deed) for deed in unique.values() if not _is_done_by(deed, unique)]
    placed = [_Placed(deed, (_phase(deed), _rank(deed), number)) for number, deed in enumerate(found)]
    placed += _waits(placed, ttl)
    return tuple(each.deed for each in sorted(placed, key=lambda each: each.key))


def _same(deed: Deed) -> str:
    """What two deeds have in common of which one is enough: a daemon told twice, a certificate got twice."""
    daemon = daemon_of(deed.text)
    if deed.kind is Kind.COMMAND and daemon:
        return f"daemon {daemon}"
    return re.sub(r"^acme-client -F ", "acme-client ", deed.text)


def daemon_of(command: str) -> str:
    """The daemon that a command has take up its files; empty if it does nothing of the kind."""
    told = _TOLD.match(command)
    return (told["who"] or told["pf"]) if told is not None else ""


def _merged(one: Deed, other: Deed) -> Deed:
    stronger = max(one, other, key=_strength)
    return replace(stronger, because=tuple(dict.fromkeys((*one.because, *other.because))), check=one.check or other.check)


def _strength(deed: Deed) -> int:
    told = _TOLD.match(deed.text)
    if told is not None and told["how"]:
        return _STRENGTH.index(told["how"])
    return len(deed.text)  # -ef of pfctl is more than -f, and -F of acme-client more than nothing


def _checked(deed: Deed) -> Deed:
    daemon = daemon_of(deed.text)
    check = next((each.check for each in ORDER if each.daemon == daemon), "") if daemon else ""
    return replace(deed, check=deed.check or check)


def _is_done_by(deed: Deed, others: Iterable[str]) -> bool:
    """True for what another deed does as well: smtpd reads its tables when it starts, pf is enabled with its rules."""
    keys = set(others)
    if deed.text.startswith("smtpctl update table"):
        return "daemon smtpd" in keys
    if deed.text.startswith(DELETED):  # one finding's old record may be what another one wants
        return deed.text.removeprefix(DELETED) in keys
    return deed.text == "pfctl -e" and "daemon pf" in keys


def _phase(deed: Deed) -> Phase:
    table, text = (COMMANDS, deed.text) if deed.kind is Kind.COMMAND else (RECORDS, deed.text.removeprefix(DELETED))
    default = Phase.LAST if deed.kind is Kind.COMMAND else Phase.EXCHANGERS
    return next((phase for pattern, phase in table if pattern.match(text)), default)


def _rank(deed: Deed) -> int:
    """The order within a phase: daemons as they need one another, records to be taken out behind those that come in."""
    if deed.kind is Kind.RECORD:
        return int(deed.text.startswith(DELETED))
    return _RANK.get(daemon_of(deed.text) or "smtpd", len(_RANK))


def _waits(placed: list[_Placed], ttl: Ttl) -> Iterator[_Placed]:
    """The times to wait: for names before a certificate is asked for, for a key before mail is signed with it."""
    phases = {each.key[0] for each in placed}
    for made, seen, needed, why in (
        (Phase.NAMES, Phase.NAMES_SEEN, {Phase.CERTIFICATE}, "the authority looks them up"),
        (Phase.POLICIES, Phase.POLICIES_SEEN, {Phase.DAEMONS}, "receivers look up the key as soon as mail is signed with it"),
    ):
        owners = [_owner(each.deed.text) for each in placed if each.key[0] == made and _is_waited_for(each.deed)]
        if owners and phases & needed:
            seconds = max(map(ttl, owners))
            names = ", ".join(dict.fromkeys(owners))
            text = f"wait until all name servers answer so for {names}, and then {seconds} seconds: {why}"
            yield _Placed(Deed(Kind.WAIT, text, tuple(dict.fromkeys(owners)), seconds=seconds), (seen, 0, 0))


def _is_waited_for(deed: Deed) -> bool:
    """True for what somebody will look up because of what comes behind it: names of the host, and keys."""
    owner = _owner(deed.text)
    return not owner.endswith(".arpa.") and (_phase(deed) is Phase.NAMES or "._domainkey." in owner)


def _owner(deed: str) -> str:
    return deed.removeprefix(DELETED).removeprefix("printf '").split(" ", 1)[0]
