"""Which rules of smtpd.conf apply to a host at all: not to a file in the grammar before 6.4, some not where no mail comes in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import wraps

from mailaudit.checks.registry import Check, rule
from mailaudit.findings import Exempt, Outcome
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.reach import Reach, reach
from mailaudit.models.sources import Lacking, Missing, NotHere

Mail = SmtpdConfig | Missing | Lacking | NotHere

_OLD = "smtpd.conf is written in the grammar before OpenSMTPD 6.4, which is not judged"
_NO_MAIL = "this host takes no mail from others"
_NO_USERS = "this host has no mail users: it hands all mail but its own to a smarthost"


def leaves_by_smarthost(smtpd: SmtpdConfig, not_by: int | None = None) -> bool:
    """True if all mail that leaves goes to a server that it logs in to, on another port than `not_by`."""
    relays = [action for action in smtpd.actions.values() if action.is_relay]
    if not relays or not all({"host", "auth"} <= action.tables.keys() for action in relays):
        return False
    hosts = [key.value for action in relays for key, _ in action.tables["host"].entries]
    return not_by is None or (bool(hosts) and all(_port(host) != not_by for host in hosts))


def _port(host: str) -> int:
    """The port that a relay's host is asked on."""
    number = re.search(r":(\d+)\Z", host)
    return int(number[1]) if number else 465 if host.startswith("smtps://") else 25


def has_no_users(smtpd: SmtpdConfig) -> bool:
    """True if what is not for the host itself goes to a smarthost, whoever sends it: as a router's smtpd does."""
    has_domains = any("virtual" in action.tables for action in smtpd.actions.values()) or any(
        rule.destination.kind == "domain" or rule.rcpt_to is not None for rule in smtpd.rules
    )
    is_open = any(listener.auth != "none" or reach(listener) is Reach.PUBLIC for listener in smtpd.listeners)
    return leaves_by_smarthost(smtpd) and not has_domains and not is_open


def takes_no_mail(smtpd: Mail) -> Exempt | None:
    """Why nobody connects to this host to bring mail or to fetch any, if smtpd.conf says so."""
    if isinstance(smtpd, SmtpdConfig) and not smtpd.old_grammar and (smtpd.only_sends or has_no_users(smtpd)):
        return Exempt(_NO_MAIL if smtpd.only_sends else _NO_USERS)
    return None


def smtpd_rule(identity: str, *, needs_mail: bool = False) -> Callable[[Check], Check]:
    """Declare the check of a rule about smtpd.conf; with `needs_mail`, of hosts that take mail from others."""

    def declare(function: Check) -> Check:
        @wraps(function)
        def check(smtpd: SmtpdConfig, **others: object) -> Iterator[Outcome]:
            if smtpd.old_grammar:
                yield Exempt(_OLD)
            elif needs_mail and smtpd.only_sends:
                yield Exempt(_NO_MAIL)
            elif needs_mail and has_no_users(smtpd):
                yield Exempt(_NO_USERS)
            else:
                yield from function(smtpd=smtpd, **others)

        return rule(identity)(check)

    return declare
