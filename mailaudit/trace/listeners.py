"""The hops at which a daemon takes the connection: which listener, and what it asks for."""

from __future__ import annotations

from collections.abc import Iterable

from mailaudit.findings import Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.parts import Listener as DovecotListener
from mailaudit.models.dovecot.reading import Setting
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.parts import Listener
from mailaudit.models.smtpd.reach import Reach, covers, is_outward, reach
from mailaudit.questions import Reason
from mailaudit.trace.daemons import certificate
from mailaudit.trace.hops import Hop, Kind, broken, ok, unknown
from mailaudit.trace.host import Host
from mailaudit.trace.network import is_address

SMTP, SUBMISSION, SUBMISSIONS, IMAP, IMAPS = 25, 587, 465, 143, 993


def exchanger(smtpd: SmtpdConfig, addresses: Iterable[str]) -> Listener:
    """The listener that other servers come to."""
    subject = f"port {SMTP}"
    listener = _reached(smtpd, SMTP, addresses)
    if listener.tls == "smtps":
        message = "This listener speaks TLS from the first byte on; other servers do not on this port."
        raise broken(Kind.LISTENER, subject, message, Place.at((listener.tls_at or listener.at).span))
    if listener.requires_auth:
        message = "This listener takes mail of nobody who has not logged in: 530 Must issue an AUTH command first."
        raise broken(Kind.LISTENER, subject, message, Place.at((listener.auth_at or listener.at).span))
    return listener


def submission(smtpd: SmtpdConfig, addresses: Iterable[str], port: int | None) -> Listener:
    """The listener that users send at: on a port, or that of 587, 465 and all others that lets users log in."""
    wanted = [port] if port is not None else submission_ports(smtpd)
    if not wanted:
        message = "No listener lets users log in: there is none with auth that others than this host can reach."
        raise broken(Kind.LISTENER, "submission", message, Place.whole(smtpd.path))
    listener = _reached(smtpd, wanted[0], addresses)
    if listener.auth == "none":
        message = f"The listener on port {wanted[0]} lets nobody log in: it has no auth."
        raise broken(Kind.LISTENER, f"port {wanted[0]}", message, Place.at(listener.span))
    return listener


def submission_ports(smtpd: SmtpdConfig) -> list[int]:
    """The ports at which users log in from outside, the usual ones first."""
    offered = [
        each.port for each in smtpd.listeners if each.auth != "none" and each.port is not None and reach(each) is not Reach.HOST
    ]
    return sorted(dict.fromkeys(offered), key=lambda each: (each != SUBMISSION, each != SUBMISSIONS, each))


def _reached(smtpd: SmtpdConfig, port: int, addresses: Iterable[str]) -> Listener:
    """The first listener on a port that the Internet reaches, at one of these addresses where they are known."""
    subject = f"port {port}"
    there = [each for each in smtpd.listeners if each.port == port and not each.is_socket]
    if not there:
        raise broken(Kind.LISTENER, subject, f"smtpd does not listen on port {port}.", Place.whole(smtpd.path))
    if all(reach(each) is Reach.HOST for each in there):
        message = f"smtpd listens on port {port} for this host itself only."
        raise broken(Kind.LISTENER, subject, message, *(Place.at(each.span) for each in there))
    outward = [each for each in there if is_outward(each)]
    known = tuple(address for address in addresses if is_address(address))
    bound = [each for each in outward if not known or any(covers(each, address) for address in known)]
    inside = [each for each in there if each not in outward and reach(each) is not Reach.HOST]
    if not bound and not inside:
        message = f"smtpd does not listen on port {port} of {', '.join(known)}."
        raise broken(Kind.LISTENER, subject, message, *(Place.at(each.span) for each in outward))
    return (bound or inside)[0]


def smtpd_listens(listener: Listener, words: str) -> Hop:
    """What the listener is."""
    tls = {
        "none": "in clear",
        "tls": "with TLS if the other side wishes",
        "tls-require": "with TLS alone",
        "smtps": "with TLS from the first byte",
    }
    message = f"smtpd takes {words} here, {tls[listener.tls]}."
    if listener.tls == "tls-require" and listener.port == SMTP:
        message += " Servers without TLS are turned away."
    if not is_outward(listener):
        message = "smtpd listens on an address inside; whether anybody outside is led to it is not known."
        return unknown(Kind.LISTENER, f"port {listener.port}", Reason.IN_DOUBT, message, Place.at(listener.span))
    return ok(Kind.LISTENER, f"port {listener.port}", message, Place.at(listener.span))


def smtpd_certificate(host: Host, smtpd: SmtpdConfig, listener: Listener, *, for_people: bool) -> Hop:
    """The certificate that a listener shows."""
    subject = f"port {listener.port}"
    if listener.tls == "none":
        return ok(Kind.TLS, subject, "The listener offers no TLS: mail comes in clear.", Place.at(listener.span))
    shown = [pki for name in listener.pki if (pki := smtpd.pki.get(name.value.lower())) is not None]
    shown = shown or [pki for name, pki in smtpd.pki.items() if name == "*"] or list(smtpd.pki.values())[:1]
    token = shown[0].cert if shown else None
    if token is None:
        message = "Which certificate the listener shows could not be told."
        return unknown(Kind.TLS, subject, Reason.IN_DOUBT, message, Place.at(listener.span))
    return certificate(host, subject, token.value, token.span, for_people=for_people)


def imap_listener(dovecot: DovecotConfig, port: int | None) -> DovecotListener:
    """The listener that a mail program reads at: on a port, or 993, else any that is public."""
    if "imap" not in dovecot.protocols:
        setting = dovecot.setting("protocols")
        raise broken(Kind.LISTENER, "imap", "The protocol imap is off.", setting_place(dovecot, setting))
    there = [each for each in dovecot.listeners if each.service == "imap-login" and each.is_public]
    chosen = [each for each in there if each.port == port] if port is not None else sorted(there, key=_preference)
    if not chosen:
        what = f"port {port}" if port is not None else "a port"
        raise broken(Kind.LISTENER, "imap", f"Dovecot does not listen on {what} for IMAP from outside.", own_place(dovecot))
    return chosen[0]


def _preference(listener: DovecotListener) -> tuple[bool, bool, int]:
    return listener.port != IMAPS, not listener.ssl, listener.port


def imap_listens(dovecot: DovecotConfig, listener: DovecotListener) -> Hop:
    """What the listener is, and whether it has TLS."""
    subject = f"port {listener.port}"
    places: tuple[Place, ...] = ()
    if "port" in listener.settings:
        places = (setting_place(dovecot, listener.settings["port"]),)
    elif listener.section is not None and listener.section.visits:
        places = (Place.at(listener.section.visits[-1].statement.span),)
    if dovecot.ssl.value == "no":
        if listener.ssl:
            message = "This port speaks TLS from the first byte on, and TLS is off."
            raise broken(Kind.LISTENER, subject, message, setting_place(dovecot, dovecot.ssl))
        return ok(Kind.LISTENER, subject, "Dovecot takes logins here, in clear.", *places)
    words = "with TLS from the first byte" if listener.ssl else "after STARTTLS"
    by_default = "" if places else " That is so by default."
    return ok(Kind.LISTENER, subject, f"Dovecot takes logins here, {words}.{by_default}", *places)


def imap_certificate(host: Host, dovecot: DovecotConfig, listener: DovecotListener) -> Hop:
    """The certificate that Dovecot shows."""
    subject = f"port {listener.port}"
    if dovecot.ssl.value == "no":
        return ok(Kind.TLS, subject, "TLS is off.", setting_place(dovecot, dovecot.ssl))
    path = dovecot.path_of(dovecot.certificate)
    if path is None or dovecot.certificate.is_default:
        message = "Which certificate Dovecot shows is not in its files."
        return unknown(Kind.TLS, subject, Reason.NOT_RECORDED, message, own_place(dovecot))
    return certificate(host, subject, path, dovecot.certificate.span, for_people=True)


def own_place(dovecot: DovecotConfig) -> Place:
    """The file that the site's own settings are in."""
    return Place.whole(dovecot.own)


def setting_place(dovecot: DovecotConfig, setting: Setting | None) -> Place:
    """Where a setting is written, or the file that it would be in where it is a default."""
    return own_place(dovecot) if setting is None or setting.is_default else Place.at(setting.span)


def protocol_of(port: int, *, tls_first: bool, imap: bool = False) -> str:
    """What is spoken on a port, in the word of a record's `endpoints`."""
    if imap:
        return "imaps" if tls_first else "tcp"
    return "smtps" if tls_first or port == SUBMISSIONS else "smtp"
