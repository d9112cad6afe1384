"""What becomes of a message: the first match rule that applies decides; and whether strangers may relay.

The procedure of the open relay is tested against observed answers of OpenSMTPD 7.8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from heapq import merge

from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import LOCAL, Envelope, Session, Truth, applies, may_apply, network_of
from mailaudit.models.smtpd.parts import Listener, Rule
from mailaudit.models.smtpd.reach import Reach, is_outward, reach

MOST_ALIKE = 50  # domains of the site that look-alikes are made of
_WIDE = {4: 23, 6: 47}  # a network with a prefix no longer than this holds more hosts than one site owns


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


@dataclass(frozen=True, slots=True)
class Relay:
    """A witness that strangers may relay: where they come in, the rule that lets them, and a sample envelope.

    `certain` is False where a rule that is in doubt stands before it or is it; `sources` says which strangers, if not all.
    """

    listener: Listener
    rule: Rule
    envelope: Envelope
    certain: bool = True
    doubtful: Rule | None = None
    sources: str = ""


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


def open_relays(smtpd: SmtpdConfig, own: tuple[str, ...] = ()) -> Iterator[Relay]:
    """Witnesses that an unauthenticated stranger may send to foreign addresses, at most one for each listener.

    `own` are the site's domains, from which look-alikes of foreign domains are made.
    """
    for listener in smtpd.listeners:
        if not is_outward(listener) or listener.requires_auth:
            continue
        session = Session(tag=listener.tag.value if listener.tag else "", listener=listener)
        router = Router(smtpd, session, lambda rule: bool(_wide_networks(smtpd, rule)))
        for domain in _foreign(own[:MOST_ALIKE]):
            witness = _witness(smtpd, router, session, domain)
            if witness is not None:
                yield witness
                break


def _witness(smtpd: SmtpdConfig, router: Router, session: Session, domain: str) -> Relay | None:
    listener = session.listener
    assert listener is not None
    doubtful: Rule | None = None
    for rule in router.rules(domain):
        envelope = _to_named_user(smtpd, rule, domain)
        truth = applies(smtpd, rule, session, envelope)
        sources = ""
        if truth is Truth.NO:
            networks = _wide_networks(smtpd, rule)
            if rule.action is None or not rule.action.is_relay or not networks:
                continue
            truth = applies(smtpd, rule, Session(address=networks[0].split("/")[0], tag=session.tag), envelope)
            sources = networks[0]
        if truth is Truth.TEMPFAIL:
            return None
        if truth is Truth.NO:
            continue
        if rule.action is not None and rule.action.is_relay:
            if truth is Truth.DOUBT:
                doubtful = doubtful or rule
            return Relay(listener, rule, envelope, doubtful is None, doubtful, sources)
        if truth is Truth.YES and not sources:
            return None
        if truth is Truth.DOUBT:
            doubtful = doubtful or rule
    return None


def _foreign(own: tuple[str, ...]) -> tuple[str, ...]:
    """Domains that are not the site's: of several ends, so that wide patterns match one, and look-alikes of its own."""
    usual = ("relay-test.example.org", "foreign.com", "foreign.net", "foreign.org", "foreign.de", "foreign.co.uk", "foreign.io")
    alike = [f"{'q' if domain.startswith('x') else 'x'}{domain}" for domain in own]
    return tuple(name for name in (*usual, *alike) if not any(name == d or name.endswith(f".{d}") for d in own))


def _wide_networks(smtpd: SmtpdConfig, rule: Rule) -> list[str]:
    """The public networks of a rule's sources that are too wide to be one site's own."""
    if rule.source.kind != "src" or rule.source.negated or rule.source.table is None or rule.source.regex:
        return []
    networks = [network for key in smtpd.keys(rule.source.table) or () if (network := network_of(key)) is not None]
    return [str(n) for n in networks if n.prefixlen <= _WIDE[n.version] and n.is_global]


def _to_named_user(smtpd: SmtpdConfig, rule: Rule, domain: str) -> Envelope:
    """An envelope to a foreign domain; to the user that a rule names without one, if it does."""
    keys = smtpd.keys(rule.rcpt_to.table) if rule.rcpt_to is not None and rule.rcpt_to.table is not None else None
    users = [key.rstrip("@") for key in keys or () if key.rstrip("@") and "@" not in key.rstrip("@")]
    return Envelope(f"{users[0] if users else 'victim'}@{domain}")
