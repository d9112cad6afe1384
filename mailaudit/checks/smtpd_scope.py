"""Which rules of smtpd.conf apply to a host at all: not to a file in the grammar before 6.4, some not where no mail comes in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps

from mailaudit.checks.registry import Check, rule
from mailaudit.findings import Exempt, Outcome
from mailaudit.models.smtpd.config import SmtpdConfig

_OLD = "smtpd.conf is written in the grammar before OpenSMTPD 6.4, which is not judged"
_NO_MAIL = "this host takes no mail from others"


def smtpd_rule(identity: str, *, needs_mail: bool = False) -> Callable[[Check], Check]:
    """Declare the check of a rule about smtpd.conf; with `needs_mail`, of hosts that take mail from others."""

    def declare(function: Check) -> Check:
        @wraps(function)
        def check(smtpd: SmtpdConfig, **others: object) -> Iterator[Outcome]:
            if smtpd.old_grammar:
                yield Exempt(_OLD)
            elif needs_mail and smtpd.only_sends:
                yield Exempt(_NO_MAIL)
            else:
                yield from function(smtpd=smtpd, **others)

        return rule(identity)(check)

    return declare
