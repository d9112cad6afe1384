"""All measures by subject, and the policy of a site: what it expects of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mailaudit.models.policy.daemons import DOVECOT, PF, SMTPD
from mailaudit.models.policy.measure import Found, Measure
from mailaudit.models.policy.operators import Expectation
from mailaudit.models.policy.system import SYSTEM
from mailaudit.models.policy.trust import CERTIFICATES, DNS, FILTERS
from mailaudit.models.sources import Known, Lacking, Model, NotHere, Slot
from mailaudit.questions import Failed

SUBJECTS: Mapping[str, tuple[Measure, ...]] = {
    "pf": PF,
    "smtpd": SMTPD,
    "dovecot": DOVECOT,
    "certificates": CERTIFICATES,
    "filters": FILTERS,
    "dns": DNS,
    "system": SYSTEM,
}
"""The tables of a policy, and what may stand in each."""


@dataclass(frozen=True)
class Policy(Model):
    """A site's expectations, in the order of the file."""

    expectations: tuple[Expectation, ...] = ()

    def of(self, subject: str) -> dict[Measure, list[Expectation]]:
        """The expectations of a subject by what they measure."""
        found: dict[Measure, list[Expectation]] = {}
        for each in self.expectations:
            if each.subject == subject:
                measure = next(measure for measure in SUBJECTS[subject] if measure.name == each.name)
                found.setdefault(measure, []).append(each)
        return found


def read_policy(expectations: tuple[Expectation, ...]) -> Slot[Policy]:
    """The policy, where the site has one."""
    return Known(Policy(expectations)) if expectations else NotHere("mailaudit.toml has no [policy]")


def taken(measure: Measure, slots: Mapping[type, Slot[object]]) -> Found | Failed | None:
    """What a measure gives on a host, or why it cannot be taken; None where there is nothing to take it of."""
    models = []
    for slot in map(slots.get, measure.needs):
        if isinstance(slot, Lacking):
            return Failed(slot.reason, slot.detail or slot.path)
        if not isinstance(slot, Known):
            return None
        models.append(slot.value)
    return measure.take(*models)
