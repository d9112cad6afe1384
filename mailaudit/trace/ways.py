"""The three ways: a message that comes in, a message that a user sends, a user who reads."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from mailaudit.choices import Way
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.release import read_release
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import Envelope, Session
from mailaudit.models.smtpd.parts import Listener
from mailaudit.trace import firewall, listeners, mailbox, network, sending
from mailaudit.trace.addresses import Address
from mailaudit.trace.daemons import dovecot_of, dovecot_starts, smtpd_of, smtpd_starts
from mailaudit.trace.delivery import delivered
from mailaudit.trace.filters import filtered
from mailaudit.trace.hops import ChainEndError, Hop, Kind, Trace, broken
from mailaudit.trace.host import Host

Steps = Generator[Hop, None, str]
TAKES_NO_SHELL = (7, 9)
SOMEBODY = "somebody"
ELSEWHERE = ("example.net", "example.org", "somewhere.example")
"""Domains of nobody: one that is not the host's own stands for the rest of the world."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be traced.

    `address` is the recipient of what comes in, and the login of who sends or reads. `sender` is the address in MAIL FROM: of
    what comes in somebody elsewhere where None, of what a user sends the login. `recipient` is that of what a user sends,
    somebody elsewhere where None. `port` is that of the listener, None for the usual one.
    """

    way: Way
    address: Address
    sender: Address | None = None
    recipient: Address | None = None
    port: int | None = None


def follow(host: Host, asked: Asked) -> Trace:
    """All hops of what is asked, up to the end or to where the chain ends before."""
    ways = {Way.INBOUND: _inbound, Way.SUBMISSION: _submission, Way.IMAP: _imap}
    steps = ways[asked.way](host, asked)
    hops: list[Hop] = []
    while True:
        try:
            hops.append(next(steps))
        except StopIteration as done:
            return Trace(tuple(hops), is_whole=True, end=done.value)
        except ChainEndError as error:
            return Trace((*hops, error.hop), is_whole=False)


def _inbound(host: Host, asked: Asked) -> Steps:
    address = asked.address
    addresses = yield from network.mail_exchanger(host, address.domain)
    yield firewall.comes_in(host, listeners.SMTP, addresses)
    smtpd = smtpd_of(host)
    yield smtpd_starts(host, smtpd)
    listener = listeners.exchanger(smtpd, addresses)
    yield listeners.smtpd_listens(listener, "mail of other servers")
    yield from network.greeting(host, addresses, listeners.SMTP, "smtp")
    yield listeners.smtpd_certificate(host, smtpd, listener, for_people=False)
    _taken(host, address)
    sender = str(asked.sender or Address(SOMEBODY, _elsewhere(host)))
    session = Session(tag=_tag(listener), listener=listener, ordinary=True)
    yield from filtered(host, smtpd, session, Envelope(str(address), sender))
    end = yield from delivered(host, smtpd, session, str(address), sender)
    return f"Mail for {address} {end}."


def _submission(host: Host, asked: Asked) -> Steps:
    login = str(asked.address)
    sender = asked.sender or asked.address
    recipient = asked.recipient or Address(SOMEBODY, _elsewhere(host))
    port = asked.port or _submission_port(host)
    addresses = yield from network.addresses_of(host, host.site.mail_host)
    yield firewall.comes_in(host, port, addresses)
    smtpd = smtpd_of(host)
    yield smtpd_starts(host, smtpd)
    listener = listeners.submission(smtpd, addresses, asked.port)
    yield listeners.smtpd_listens(listener, "mail of users")
    protocol = listeners.protocol_of(port, tls_first=listener.tls == "smtps")
    yield from network.greeting(host, addresses, port, protocol)
    yield listeners.smtpd_certificate(host, smtpd, listener, for_people=True)
    yield sending.login(host, listener, login)
    _taken(host, sender, "553 5.1.0 Sender address syntax error")
    yield sending.sender(host, listener, login, str(sender), smtpd.options.sub_address_delimiter)
    _taken(host, recipient)
    session = Session(authenticated=True, user=login, tag=_tag(listener), listener=listener, ordinary=True)
    yield from filtered(host, smtpd, session, Envelope(str(recipient), str(sender)))
    end = yield from delivered(host, smtpd, session, str(recipient), str(sender))
    return f"Mail of {login} from {sender} to {recipient} {end}."


def _imap(host: Host, asked: Asked) -> Steps:
    addresses = yield from network.addresses_of(host, host.site.mail_host)
    port = asked.port or _imap_port(host)
    yield firewall.comes_in(host, port, addresses)
    dovecot = dovecot_of(host)
    yield dovecot_starts(host, dovecot)
    listener = listeners.imap_listener(dovecot, asked.port)
    yield listeners.imap_listens(dovecot, listener)
    protocol = listeners.protocol_of(port, tls_first=listener.ssl, imap=True)
    yield from network.greeting(host, addresses, listener.port, protocol)
    yield listeners.imap_certificate(host, dovecot, listener)
    path = yield from mailbox.logged_in(host, dovecot, str(asked.address))
    return f"{asked.address} logs in with the right password and reads {path or 'mail in a place that could not be told'}."


def _taken(host: Host, address: Address, reply: str = "501 5.1.3 Recipient address syntax error") -> None:
    message = ""
    if not address.is_plain:
        message = f"smtpd takes no quotes and no odd characters before the @, so it refuses {address}: {reply}."
    elif address.is_for_a_shell and not read_release(host.sources).before(TAKES_NO_SHELL):
        message = f"Since OpenSMTPD 7.9 smtpd takes none of $ ` {{ | }} before the @, so it refuses {address}: {reply}."
    if message:
        raise broken(Kind.ADDRESS, str(address), message)


def _tag(listener: Listener) -> str:
    return listener.tag.value if listener.tag is not None else ""


def _elsewhere(host: Host) -> str:
    smtpd = host.known(SmtpdConfig)
    own = {*host.site.domains, *(smtpd.accepted_domains if smtpd is not None else ())}
    return next((each for each in ELSEWHERE if each not in own), ELSEWHERE[-1])


def _submission_port(host: Host) -> int:
    """The port of the listener that users send at, 587 where there is none."""
    smtpd = host.known(SmtpdConfig)
    offered = listeners.submission_ports(smtpd) if smtpd is not None else []
    return offered[0] if offered else listeners.SUBMISSION


def _imap_port(host: Host) -> int:
    dovecot = host.known(DovecotConfig)
    if dovecot is None:
        return listeners.IMAPS
    try:
        return listeners.imap_listener(dovecot, None).port
    except ChainEndError:
        return listeners.IMAPS
