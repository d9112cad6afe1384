"""The host that a way leads through: its models, and what can be asked of it besides."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar, cast

from mailaudit.models.daemons import Daemons
from mailaudit.models.facts import Facts
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Known, Lacking, Missing, NotHere, Slot, Sources
from mailaudit.questions import Answer, Question, Reason

T = TypeVar("T")


@dataclass(frozen=True)
class Host:
    """The facts, and the sources for further questions: what is asked in vain goes into the next wave.

    `secrets` are pairs of kind and value that were met on the way and that no report may show; `assumed` what was taken for
    granted.
    """

    facts: Facts
    sources: Sources
    secrets: list[tuple[str, str]] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def slot(self, kind: type[T]) -> Slot[T]:
        """The slot of a model."""
        return cast("Slot[T]", self.facts.slots[kind])

    def known(self, kind: type[T]) -> T | None:
        """A model, or None where it could not be made."""
        slot = self.slot(kind)
        return slot.value if isinstance(slot, Known) else None

    def ask(self, question: Question) -> Answer:
        """The answer to a question; not recorded where it is still to be asked."""
        return self.sources.ask(question)

    @cached_property
    def site(self) -> Site:
        """Whose mail this is."""
        return self.facts.site

    @cached_property
    def names(self) -> frozenset[str]:
        """The names of this host, in lower case."""
        smtpd = self.known(SmtpdConfig)
        named = (self.site.mail_host, self.site.host_name, smtpd.server_name if smtpd is not None else None)
        return frozenset(name.lower() for name in named if name)

    @cached_property
    def addresses(self) -> frozenset[str]:
        """The addresses of this host, as text."""
        return frozenset((*self.site.ipv4, *self.site.ipv6))

    @property
    def daemons(self) -> Daemons | None:
        """What starts and runs."""
        return self.known(Daemons)


def why_not(slot: Missing | Lacking | NotHere) -> tuple[Reason, str]:
    """Why a model could not be made, as a reason and a sentence."""
    match slot:
        case Lacking(reason, detail, _):
            return reason, f"{detail[:1].upper()}{detail[1:]}."
        case Missing(path):
            return Reason.NOT_RECORDED, f"{path} is not there."
        case NotHere(why):
            return Reason.NOT_RECORDED, f"{why[:1].upper()}{why[1:]}."
