"""Rules about logins: wrong passwords cost time, nobody holds connections without end, no password is written to the log."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.checks.dovecot.demands import Demand, unmet
from mailaudit.checks.registry import rule
from mailaudit.findings import Outcome
from mailaudit.models.dovecot.config import DovecotConfig

SHORTEST = 2000  # milliseconds; Dovecot's own default


LIMITS = (
    Demand(
        "auth_failure_delay",
        lambda value: not isinstance(value, int) or value >= SHORTEST,
        "auth_failure_delay is {}: a wrong password is answered so soon that many can be tried in a short time.",
        "2 secs",
    ),
    Demand(
        "mail_max_userip_connections",
        lambda value: value not in (0, "unlimited"),
        "One user may hold any number of connections from one address: mail_max_userip_connections is {}.",
        "10",
    ),
)
SILENCE = (
    Demand(
        "auth_verbose_passwords",
        lambda value: value == "no",
        "Wrong passwords, which are often right ones with a slip, go to the log: auth_verbose_passwords is {}.",
        "no",
    ),
    Demand(
        "auth_debug_passwords",
        lambda value: value is not True,
        "Every password goes to the log, the right ones too: auth_debug_passwords is {}.",
        "no",
    ),
)


@rule("DOVECOT072")
def logins_are_limited(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """A wrong password costs time, and a user's connections are counted."""
    for demand in LIMITS:
        yield from unmet(dovecot, demand)


@rule("DOVECOT073")
def passwords_are_not_logged(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """No password is written to the log, right or wrong."""
    for demand in SILENCE:
        yield from unmet(dovecot, demand)
