"""Asks DNS for a model: each name once, only names that are names, and never more than a bounded number of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from mailaudit.models.dns.names import askable
from mailaudit.models.dns.reply import Reply, reply_of
from mailaudit.models.sources import Sources
from mailaudit.questions import Failed, LookUp, Reason

MOST_QUESTIONS = 1000
"""Questions of one host in one audit; twenty domains with all that their records may name stay below."""


@dataclass
class Asking:
    """The replies so far, by question."""

    sources: Sources
    replies: dict[LookUp, Reply] = field(default_factory=dict)

    def look(self, name: str, type_: str) -> Reply:
        """The reply to a question; for what is no name, that there is no such name."""
        owner = askable(name)
        if owner is None:
            return Reply(name, type_, "NXDOMAIN")
        question = LookUp(owner, type_)
        known = self.replies.get(question)
        if known is None:
            known = self.replies[question] = self._ask(question)
        return known

    def _ask(self, question: LookUp) -> Reply:
        if len(self.replies) >= MOST_QUESTIONS:
            failed = Failed(Reason.IN_DOUBT, "the records name more than is asked for in one audit")
            return Reply(question.owner, question.type, failed=failed)
        return reply_of(question, self.sources.ask(question))
