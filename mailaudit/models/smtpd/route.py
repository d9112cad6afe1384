"""What becomes of a message: the first match rule that applies decides. Tested against live answers of OpenSMTPD."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge

from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import LOCAL, Envelope, Session, Truth, applies, may_apply
from mailaudit.models.smtpd.parts import Rule
from mailaudit.models.smtpd.reach import Reach, is_outward, reach


@dataclass(frozen=True, slots=True)
class Route:
    """The way of a message. `answer` is accept, reject or tempfail; `rule` the one that decides, None where none applies.

    `maybe` are rules before it of which it depends on the sender (CHOICE) or is not known (DOUBT) whether they apply.
    """

    answer: str
    rule: Rule | None = None
    maybe: tuple[tuple[Rule, Truth], ...] = ()

    @property
    def doubts(self) -> list[Rule]:
        """The rules of which it is not known whether they apply."""
        return [rule for rule, truth in self.maybe if truth is Truth.DOUBT]


class Router:
    """The ways of many messages of one session: rules that can not apply to it are left out, the others found by domain."""

    def __init__(self, smtpd: SmtpdConfig, session: Session, keep: Callable[[Rule], bool] = lambda _: False) -> None:
        self._smtpd = smtpd
        self._session = session
        self._by_domain: dict[str, list[int]] = {}
        self._others: list[int] = []
        for number, rule in enumerate(smtpd.rules):
            if not may_apply(smtpd, rule, session) and not keep(rule):
                continue
            names = _literal_domains(smtpd, rule)
            if names is None:
                self._others.append(number)
            for name in names or ():
                self._by_domain.setdefault(name, []).append(number)

    def rules(self, domain: str) -> Iterator[Rule]:
        """The rules that may apply to mail for a domain, in order."""
        for number in merge(self._by_domain.get(domain.lower(), ()), self._others):
            yield self._smtpd.rules[number]

    def route(self, recipient: str, sender: str | None = None) -> Route:
        """The way of one message through the match rules."""
        maybe: list[tuple[Rule, Truth]] = []
        envelope = Envelope(recipient, sender)
        for rule in self.rules(recipient.rpartition("@")[2]):
            truth = applies(self._smtpd, rule, self._session, envelope)
            if truth is Truth.NO:
                continue
            if truth is Truth.TEMPFAIL:
                return Route("tempfail", rule, tuple(maybe))
            if truth is Truth.YES:
                return Route("accept" if rule.action is not None else "reject", rule, tuple(maybe))
            maybe.append((rule, truth))
        return Route("reject", None, tuple(maybe))


def route(smtpd: SmtpdConfig, session: Session, envelope: Envelope) -> Route:
    """The way of one message through the match rules."""
    return Router(smtpd, session).route(envelope.recipient, envelope.sender)


def _literal_domains(smtpd: SmtpdConfig, rule: Rule) -> tuple[str, ...] | None:
    """The domains that alone a rule is for, or None if it is for others too, or they are not known."""
    criterion = rule.destination
    if criterion.kind != "domain" or criterion.negated or criterion.regex or criterion.table is None:
        return None
    keys = smtpd.keys(criterion.table)
    if keys is None or any("*" in key for key in keys):
        return None
    return tuple(dict.fromkeys(key.lower() for key in keys))


def local_session(smtpd: SmtpdConfig) -> Session:
    """The session of what this host's own programs hand in: smtpd takes it for logged in, by no name (smtp_session.c)."""
    tags = [each.tag.value for each in smtpd.listeners if each.is_socket and each.tag is not None]
    return Session(LOCAL, authenticated=True, user="", tag=tags[0] if tags else "")


def exchanger_sessions(smtpd: SmtpdConfig) -> list[Session]:
    """Ordinary sessions of other servers: one for each tag that a public listener on port 25 gives; one if there is none."""
    takers = [each for each in smtpd.listeners if each.port == 25 and reach(each) is not Reach.HOST and not each.requires_auth]
    listeners = [each for each in takers if is_outward(each)] or takers
    by_tag = {each.tag.value if each.tag is not None else "": each for each in reversed(listeners)}
    return [Session(tag=tag, listener=by_tag[tag], ordinary=True) for tag in reversed(by_tag)] or [Session(ordinary=True)]
