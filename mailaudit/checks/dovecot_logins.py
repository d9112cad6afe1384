"""Rules about logins: wrong passwords cost time, nobody holds connections without end, no password is written to the log."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mailaudit.checks.dovecot_edits import place_of, set_to
from mailaudit.checks.registry import rule
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Finding, Outcome, Place
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.values import comes_to

SHORTEST = 2000  # milliseconds; Dovecot's own default


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a setting's value, as the daemon takes it: milliseconds of a time. `says` has the value in `{}`."""

    name: str
    holds: Callable[[object], bool]
    says: str
    good: str


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
        yield from _unmet(dovecot, demand)


@rule("DOVECOT073")
def passwords_are_not_logged(dovecot: DovecotConfig) -> Iterator[Outcome]:
    """No password is written to the log, right or wrong."""
    for demand in SILENCE:
        yield from _unmet(dovecot, demand)


def _unmet(dovecot: DovecotConfig, demand: Demand) -> Iterator[Finding]:
    """A finding wherever a setting is not as asked for, for all connections or for some."""
    known = catalogue(dovecot.family).get(demand.name)
    for setting in dovecot.everywhere(demand.name):
        value = comes_to(known, setting.value, is_new=dovecot.family == NEW) if known is not None else setting.value
        if value is None or demand.holds(value):  # what the daemon does not take at all is told by DOVECOT001
            continue
        yield Finding(
            demand.says.format(setting.value),
            (place_of(dovecot) if setting.is_default else Place.at(setting.span),),
            Fix(f"Set {demand.name} to {demand.good}", Safety.SAFE, set_to(dovecot, setting, demand.name, demand.good)),
            demand.name,
            setting.value,
            absence=setting.is_default,
        )
