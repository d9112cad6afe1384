"""Whether strangers may relay: for each listener that they reach an envelope that proves it, and the rule that lets it through.

The walk through the rules takes each open criterion the way the stranger wants it, and so finds every relay and some that are
none: two rules may want different things of one sender. What it finds is therefore tried as a whole message before it is
called certain. Tested against observed answers of OpenSMTPD 7.8, and against the installed one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product

from mailaudit.models.registrable import registrable
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import Envelope, Session, Truth, address_match, applies, hostname_match, network_of
from mailaudit.models.smtpd.parts import Criterion, Filter, Listener, Rule
from mailaudit.models.smtpd.reach import is_outward
from mailaudit.models.smtpd.route import Route, Router

MOST_ALIKE = 50  # domains and patterns of the site that look-alikes are made of
MOST_TRIED = 8  # senders, and names for HELO, that a relay is tried with
_WIDE = {4: 23, 6: 47}  # a network with a prefix no longer than this holds more hosts than one site owns
_USUAL = ("relay-test.example.org", "foreign.com", "foreign.net", "foreign.org", "foreign.de", "foreign.co.uk", "foreign.io")
_FILLERS = ("foreign", "x", "q")
_PLAIN = re.compile(r"\\(.)|[\^$()]")  # what makes a simple pattern of a text
_STRANGER = "somebody@stranger.example.net"


@dataclass(frozen=True, slots=True)
class Relay:
    """A witness that strangers may relay: where they come in, the rule that lets them, and a sample message.

    `session` and `envelope` are such that `route` answers with the rule; a sender or a HELO that is None may be any. `certain` is
    False where a rule that is in doubt stands before it or is it; `sources` says which strangers, if not all.
    """

    listener: Listener
    rule: Rule
    envelope: Envelope
    certain: bool = True
    doubtful: Rule | None = None
    sources: str = ""
    session: Session = field(default_factory=Session)


def open_relays(smtpd: SmtpdConfig, own: tuple[str, ...] = ()) -> Iterator[Relay]:
    """Witnesses that an unauthenticated stranger may send to foreign addresses, at most one for each listener.

    `own` are the site's domains, from which look-alikes of foreign domains are made.
    """
    domains = _foreign(smtpd, own[:MOST_ALIKE])
    for listener in smtpd.listeners:
        if not is_outward(listener) or listener.requires_auth:
            continue
        session = Session(tag=listener.tag.value if listener.tag else "", listener=listener)
        router = Router(smtpd, session, lambda rule: bool(_wide_networks(smtpd, rule)))
        found = [witness for domain in domains for witness in _witnesses(smtpd, router, session, domain)]
        best = next((witness for witness in found if witness.certain), found[0] if found else None)
        if best is not None:
            yield best


def _witnesses(smtpd: SmtpdConfig, router: Router, session: Session, domain: str) -> Iterator[Relay]:
    """The relays to one foreign domain, in the order of the rules, up to the rule that decides for all strangers."""
    listener = session.listener
    assert listener is not None
    doubtful: Rule | None = None
    avoided = False  # a rule that the stranger has to keep out of, or into which he got
    for rule in router.rules(domain):
        envelope = _to_named_user(smtpd, rule, domain)
        stranger, sources = session, ""
        truth = applies(smtpd, rule, session, envelope)
        if truth is Truth.NO and rule.action is not None and rule.action.is_relay:
            sources = next(iter(_wide_networks(smtpd, rule)), "")
            stranger = replace(session, address=sources.split("/")[0]) if sources else session
            truth = applies(smtpd, rule, stranger, envelope)
        if truth is Truth.NO:
            continue
        if truth is Truth.TEMPFAIL:
            return
        if rule.action is not None and rule.action.is_relay and not _is_barred(smtpd, stranger, envelope):
            doubt = doubtful or (rule if truth is Truth.DOUBT else None)
            tried = _tried(smtpd, rule, stranger, envelope) if doubt is None else None
            if tried is not None:
                yield Relay(listener, rule, tried[1], sources=sources, session=tried[0])
            elif doubt is None and not avoided and _is_any_text(rule):
                yield Relay(listener, rule, envelope, sources=sources, session=stranger)
            else:
                yield Relay(listener, rule, envelope, certain=False, doubtful=doubt or rule, sources=sources, session=stranger)
        if truth is Truth.YES and not sources:
            return
        doubtful = doubtful or (rule if truth is Truth.DOUBT else None)
        avoided = avoided or truth is Truth.CHOICE


def _tried(smtpd: SmtpdConfig, wanted: Rule, stranger: Session, envelope: Envelope) -> tuple[Session, Envelope] | None:
    """A whole message that the rule is certain to relay, if one of those that the rules themselves suggest does it."""
    senders = [_STRANGER, *_suggested(smtpd, wanted.mail_from, _sender)]
    names = ["stranger.example.net", *_suggested(smtpd, wanted.helo, _filled), *_suggested(smtpd, wanted.helo, _name)]
    for helo, sender in product(names[: 2 * MOST_TRIED], senders[:MOST_TRIED]):
        session = replace(stranger, helo=helo)
        if _relays(Router(smtpd, session).route(envelope.recipient, sender), wanted):
            return session, replace(envelope, sender=sender)
    return None


def _is_any_text(rule: Rule) -> bool:
    """True if all that a rule wants of the stranger are texts that fit patterns: whoever reads the patterns can write one."""
    open_ = [each for each in (rule.mail_from, rule.helo) if each is not None and not (each.regex and not each.negated)]
    return not open_


def _relays(way: Route, wanted: Rule) -> bool:
    """True if a rule takes a message, what hangs on the stranger's reverse name being as he wants it."""
    chosen = next((rule for rule, truth in way.maybe if rule is wanted and truth is Truth.CHOICE), way.rule)
    return chosen is wanted and not way.doubts


def _suggested(smtpd: SmtpdConfig, criterion: Criterion | None, whole: Callable[[str], str]) -> list[str]:
    """What a criterion asks for, as whole addresses or names; nothing for one that asks for the opposite."""
    if criterion is None or criterion.table is None or criterion.negated:
        return []
    keys = (smtpd.keys(criterion.table) or ())[:MOST_TRIED]
    return [whole(_PLAIN.sub(r"\1", key) if criterion.regex else key) for key in keys]


def _sender(key: str) -> str:
    user, at, domain = key.rpartition("@")
    if not at:
        user, domain = domain, ""
    return f"{user or 'somebody'}@{_filled(domain) or 'stranger.example.net'}"


def _name(key: str) -> str:
    return _filled(key) if "." in key else f"stranger.{_filled(key)}"


def _filled(pattern: str) -> str:
    return next((name for each in _FILLERS if hostname_match(name := pattern.replace("*", each), pattern)), pattern)


def _foreign(smtpd: SmtpdConfig, own: tuple[str, ...]) -> tuple[str, ...]:
    """Domains that are not the site's: of several ends, look-alikes of its own, and what patterns of the rules let in."""
    alike = [f"{'q' if domain.startswith('x') else 'x'}{domain}" for domain in own]
    names = dict.fromkeys((*_USUAL, *alike, *_patterned(smtpd)))
    return tuple(name for name in names if not any(name == domain or name.endswith(f".{domain}") for domain in own))


def _patterned(smtpd: SmtpdConfig) -> Iterator[str]:
    """Domains that anybody may register and that fit a pattern of a rule that relays."""
    relays = [rule for rule in smtpd.rules if rule.action is not None and rule.action.is_relay]
    tables = [each.table for rule in relays for each in (rule.destination, rule.rcpt_to) if each is not None and not each.regex]
    keys = dict.fromkeys(key.rpartition("@")[2] for table in tables if table is not None for key in smtpd.keys(table) or ())
    for key in [key.lower() for key in keys if "*" in key][:MOST_ALIKE]:
        for filler in _FILLERS:
            name = key.replace("*", filler)
            if hostname_match(name, key) and filler in (registrable(name) or ""):
                yield name
                break


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


def _is_barred(smtpd: SmtpdConfig, stranger: Session, envelope: Envelope) -> bool:
    """True if smtpd's own filters are certain to refuse a stranger before the rules are asked."""
    filters = smtpd.filters_of(stranger.listener) if stranger.listener is not None else ()
    if any(each.effect == "bypass" for each in filters):
        return False
    return any(each.effect in ("reject", "disconnect") and _bars(smtpd, each, stranger, envelope) for each in filters)


def _bars(smtpd: SmtpdConfig, known: Filter, stranger: Session, envelope: Envelope) -> bool:
    """True for a filter that refuses all but those with a login, from some networks, or to some recipients."""
    condition = known.condition
    if condition is None or not condition.negated:
        return False
    if condition.kind == "auth":
        return True
    keys = smtpd.keys(condition.table) if condition.table is not None and not condition.regex else None
    if keys is None:
        return False
    if condition.kind == "src":
        networks = [network for key in keys if (network := network_of(key)) is not None]
        wide = [network for network in networks if network.prefixlen <= _WIDE[network.version]]
        return stranger.address is None and not [network for network in wide if network.is_global or not network.prefixlen]
    if condition.kind == "rcpt-to":
        return not any(address_match(envelope.recipient, key, smtpd.options.sub_address_delimiter) for key in keys)
    return False
