"""What rules demand of one setting of Dovecot's: a value, for all connections and for those of each filter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mailaudit.checks.dovecot.edits import place_of, set_to
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Finding, Place
from mailaudit.models.dovecot.catalogue import catalogue
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.settings import NEW
from mailaudit.models.dovecot.values import comes_to


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a setting's value, as the daemon takes it: milliseconds of a time. `says` has the value in `{}`."""

    name: str
    holds: Callable[[object], bool]
    says: str
    good: str


def unmet(dovecot: DovecotConfig, demand: Demand) -> Iterator[Finding]:
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
