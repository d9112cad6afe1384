"""Whether a match rule applies to a message, in values of yes, no and three kinds of perhaps.

Source: ruleset.c and util.c of OpenSMTPD.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from mailaudit.models.ere import UnreadError, compiled
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Criterion, Listener, Rule, Table

LOCAL = "local"
_STRANGERS = ("45.67.89.10", "101.12.133.4", "203.0.113.250", "2a02:1234:5678::5")  # some of those that a pattern may fit


class Truth(Enum):
    """Whether a rule applies. CHOICE: the sender decides, by what he says of himself. TEMPFAIL: smtpd answers 451."""

    NO = 0
    YES = 1
    CHOICE = 2
    DOUBT = 3
    TEMPFAIL = 4


@dataclass(frozen=True, slots=True)
class Session:
    """Who speaks.

    `address` is an IP address, `local` for the socket, None for any host on the Internet; `helo` None stands for any name.
    `ordinary` is for mail of nobody in particular: what a rule makes an exception of (`!mail-from <blacklist>`) is not this mail.
    `internal` mail is for an address that a map or a .forward led to: smtpd takes it for local, though not for the socket's.
    """

    address: str | None = None
    authenticated: bool = False
    user: str | None = None
    tag: str = ""
    helo: str | None = None
    listener: Listener | None = None
    ordinary: bool = False
    internal: bool = False


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom to whom. `sender` None stands for any sender."""

    recipient: str
    sender: str | None = None


def may_apply(smtpd: SmtpdConfig, rule: Rule, session: Session) -> bool:
    """False if a rule applies to nothing that this session sends, whatever the envelope says."""
    truths = (
        _negated(rule.tag, lambda c: _text(smtpd, c, session.tag)),
        _source(smtpd, rule.source, session),
        _negated(rule.auth, lambda c: _login(smtpd, c, session)),
    )
    return Truth.NO not in truths


def applies(smtpd: SmtpdConfig, rule: Rule, session: Session, envelope: Envelope) -> Truth:
    """Whether a rule applies; criteria are looked at in the order of ruleset_match()."""
    sender, ordinary = envelope.sender, session.ordinary
    mixed = Truth.YES
    for truth in (
        _negated(rule.tag, lambda c: _text(smtpd, c, session.tag)),
        _source(smtpd, rule.source, session),
        _destination(smtpd, rule.destination, envelope.recipient),
        _said(rule.helo, lambda c: Truth.CHOICE if session.helo is None else _name(smtpd, c, session.helo), ordinary=ordinary),
        _negated(rule.auth, lambda c: _login(smtpd, c, session)),
        None if rule.tls is None else Truth.TEMPFAIL,
        _said(rule.mail_from, lambda c: Truth.CHOICE if sender is None else _address(smtpd, c, sender), ordinary=ordinary),
        _said(rule.rcpt_to, lambda c: _address(smtpd, c, envelope.recipient), ordinary=ordinary),
    ):
        if truth is Truth.NO:
            return Truth.NO
        if truth is Truth.TEMPFAIL:
            return truth if mixed is Truth.YES else Truth.DOUBT
        if truth is Truth.DOUBT or (truth is Truth.CHOICE and mixed is Truth.YES):
            mixed = truth
    return mixed


def _negated(criterion: Criterion | None, look: Callable[[Criterion], Truth]) -> Truth | None:
    if criterion is None:
        return None
    truth = look(criterion)
    return negation(truth) if criterion.negated else truth


def _said(criterion: Criterion | None, look: Callable[[Criterion], Truth], *, ordinary: bool) -> Truth | None:
    """A criterion that the sender has in his hand; where it is open, ordinary mail is not the exception."""
    truth = _negated(criterion, look)
    is_open = truth in (Truth.CHOICE, Truth.DOUBT)
    return Truth.YES if ordinary and is_open and criterion is not None and criterion.negated else truth


def negation(truth: Truth) -> Truth:
    """The other value; what is open stays open."""
    return {Truth.YES: Truth.NO, Truth.NO: Truth.YES}.get(truth, truth)


def _source(smtpd: SmtpdConfig, criterion: Criterion, session: Session) -> Truth:
    if session.internal and (criterion.kind == "socket" or (criterion.kind == "rdns" and criterion.table is None)):
        return Truth.NO  # negated or not
    if criterion.kind == "rdns":  # an unknown name never matches, negated or not
        return Truth.YES if session.ordinary and criterion.negated else Truth.CHOICE
    truth = Truth.DOUBT
    if criterion.kind == "any":
        truth = Truth.YES
    elif criterion.kind == "socket":
        truth = _truth(session.address == LOCAL)
    elif criterion.kind == "local":
        truth = _truth(_is_here(smtpd, session))
    elif criterion.kind == "src" and criterion.table is not None:
        truth = _network(smtpd, criterion, session)
    if truth is Truth.DOUBT and session.ordinary and criterion.negated:
        return Truth.YES
    return negation(truth) if criterion.negated else truth


def _is_here(smtpd: SmtpdConfig, session: Session) -> bool:
    """True for this host's own programs: smtpd takes what comes from any of its addresses for local."""
    if session.address is None or session.address == LOCAL:
        return session.address == LOCAL
    address = ipaddress.ip_address(session.address)
    return address.is_loopback or str(address) in smtpd.addresses


def _network(smtpd: SmtpdConfig, criterion: Criterion, session: Session) -> Truth:
    assert criterion.table is not None
    keys = smtpd.keys(criterion.table)
    if keys is None:
        return Truth.DOUBT
    if criterion.regex:
        found = {_any_regex(keys, address) for address in ([session.address] if session.address else _STRANGERS)}
        return found.pop() if len(found) == 1 else Truth.CHOICE
    if session.address == LOCAL:
        return _truth(LOCAL in keys)
    networks = [network for key in keys if (network := network_of(key)) is not None]
    if session.address is None:  # some host on the Internet: in no network that somebody owns
        return _truth(any(network.prefixlen == 0 for network in networks))
    address = ipaddress.ip_address(session.address)
    return _truth(any(network.version == address.version and address in network for network in networks))


def network_of(key: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The network that an entry of a table of addresses names, or None."""
    try:
        return ipaddress.ip_network(key.strip("[]").removeprefix("IPv6:"), strict=False)
    except ValueError:
        return None


def _destination(smtpd: SmtpdConfig, criterion: Criterion, recipient: str) -> Truth:
    domain = recipient.rpartition("@")[2].lower()
    truth = Truth.DOUBT
    if criterion.kind == "any":
        truth = Truth.YES
    elif criterion.kind == "local" and not _is_address(domain):  # of the host's own addresses, releases differ
        truth = _truth(domain in ("localhost", smtpd.server_name))
    elif criterion.table is not None:
        truth = _name(smtpd, criterion, domain)
    return negation(truth) if criterion.negated else truth


def _is_address(domain: str) -> bool:
    return network_of(domain) is not None or (domain.startswith("[") and domain.endswith("]"))


def _login(smtpd: SmtpdConfig, criterion: Criterion, session: Session) -> Truth:
    if not session.authenticated:
        return Truth.NO
    table = criterion.table
    if table is None:
        return Truth.YES
    listener = session.listener
    if listener is not None and listener.auth_table is not None and listener.auth_table.name == table.name:
        return Truth.YES
    if session.user is None:
        return Truth.DOUBT
    return _text(smtpd, criterion, session.user)


def _text(smtpd: SmtpdConfig, criterion: Criterion, value: str) -> Truth:
    keys = _keys(smtpd, criterion.table)
    if keys is None:
        return Truth.DOUBT
    return _any_regex(keys, value) if criterion.regex else _truth(value.lower() in [key.lower() for key in keys])


def _name(smtpd: SmtpdConfig, criterion: Criterion, value: str) -> Truth:
    keys = _keys(smtpd, criterion.table)
    if keys is None:
        return Truth.DOUBT
    return _any_regex(keys, value) if criterion.regex else _truth(any(hostname_match(value, key) for key in keys))


def _address(smtpd: SmtpdConfig, criterion: Criterion, value: str) -> Truth:
    keys = _keys(smtpd, criterion.table)
    if keys is None:
        return Truth.DOUBT
    if criterion.regex:
        return _any_regex(keys, value)
    return _truth(any(address_match(value, key, smtpd.options.sub_address_delimiter) for key in keys))


def _keys(smtpd: SmtpdConfig, table: Table | None) -> tuple[str, ...] | None:
    return smtpd.keys(table) if table is not None else None


def _truth(value: object) -> Truth:
    return Truth.YES if value else Truth.NO


def _any_regex(patterns: tuple[str, ...], value: str) -> Truth:
    """Whether an extended regular expression is found in the value, in any case; one that could not be read is in doubt."""
    doubt = False
    for pattern in patterns:
        try:
            if compiled(pattern).found_in(value):
                return Truth.YES
        except UnreadError:
            doubt = True
    return Truth.DOUBT if doubt else Truth.NO


def hostname_match(name: str, pattern: str) -> bool:
    """Whether a name fits a pattern: `*` skips to the first place where the next character stands, and never goes back."""
    at = of = 0
    name, pattern = name.lower(), pattern.lower()
    while of < len(pattern) and at < len(name):
        if pattern[of] == "*":
            while of < len(pattern) and pattern[of] == "*":
                of += 1
            at = len(name) if of == len(pattern) else name.find(pattern[of], at)
            if at < 0:
                return False
            continue
        if pattern[of] != name[at]:
            return False
        at += 1
        of += 1
    return at == len(name) and of == len(pattern)


def address_match(address: str, pattern: str, delimiter: str = "+") -> bool:
    """Whether an address fits: a part that the pattern leaves out matches anything, and so does a tag it does not name."""
    user, _, domain = address.rpartition("@")
    wanted, at, of = pattern.rpartition("@")
    if not at:
        wanted, of = pattern, ""
    if of and not hostname_match(domain, of):
        return False
    if wanted and delimiter not in wanted:
        user = user.split(delimiter, 1)[0]
    return not wanted or user.lower() == wanted.lower()
