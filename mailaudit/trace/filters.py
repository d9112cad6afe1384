"""The hops through the filters of a listener: their programs, and what smtpd refuses by itself."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.findings import Evidence, Place
from mailaudit.models.files import Files, Gone
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import Envelope, Session, Truth, address_match
from mailaudit.models.smtpd.parts import Criterion, Filter
from mailaudit.questions import Reason
from mailaudit.trace.hops import Hop, Kind, broken, ok, unknown
from mailaudit.trace.host import Host

RSPAMD = "filter-rspamd"
_REFUSING = ("reject", "disconnect")


def filtered(host: Host, smtpd: SmtpdConfig, session: Session, envelope: Envelope) -> Iterator[Hop]:
    """A hop for each filter that mail of a session meets."""
    for each in smtpd.filters_of(session.listener) if session.listener is not None else ():
        if each.program_path is not None:
            yield _program(host, each)
        elif each.effect:
            yield _phase(smtpd, each, session, envelope)


def _program(host: Host, each: Filter) -> Hop:
    name, path = each.name.value, each.program_path
    place = Place.at(each.statement.span)
    files = host.known(Files)
    if files is not None and files.of_host and path is not None and isinstance(files.stat(path), Gone):
        raise broken(Kind.FILTER, name, f"The program {path} is not there: smtpd does not start.", place)
    daemons = host.daemons
    if path is not None and path.endswith(RSPAMD) and daemons is not None and daemons.running("rspamd") is False:
        message = "rspamd does not run, so smtpd puts off all mail: 421 server internal error."
        raise broken(Kind.FILTER, name, message, Evidence("rspamd runs", "no"), place)
    message = f"The program {path} looks at the message; what it makes of the content is not traced."
    return ok(Kind.FILTER, name, message, place)


def _phase(smtpd: SmtpdConfig, each: Filter, session: Session, envelope: Envelope) -> Hop:
    """What smtpd decides itself, of ordinary mail: from a host with a name in DNS, of no list of the unwelcome."""
    name, place = each.name.value, Place.at(each.statement.span)
    if each.effect not in _REFUSING:
        return ok(Kind.FILTER, name, f"At {each.phase} smtpd may {each.effect} the message; it goes on.", place)
    truth = _met(smtpd, each.condition, session, envelope)
    says = f": {each.says.value}" if each.says is not None else ""
    if truth is Truth.YES:
        raise broken(Kind.FILTER, name, f"At {each.phase} smtpd refuses this message{says}.", place)
    if truth is Truth.NO:
        return ok(Kind.FILTER, name, f"At {each.phase} smtpd refuses others, not this message.", place)
    message = f"At {each.phase} smtpd refuses what meets this condition; whether the message does is not known."
    return unknown(Kind.FILTER, name, Reason.IN_DOUBT, message, place)


def _met(smtpd: SmtpdConfig, condition: Criterion | None, session: Session, envelope: Envelope) -> Truth:
    if condition is None:
        return Truth.YES
    if condition.table is None:
        met = {"auth": session.authenticated, "rdns": True, "fcrdns": True}.get(condition.kind)
    else:
        met = _listed(smtpd, condition, envelope)
    if met is None:
        return Truth.DOUBT
    return Truth.YES if met != condition.negated else Truth.NO


def _listed(smtpd: SmtpdConfig, condition: Criterion, envelope: Envelope) -> bool | None:
    keys = smtpd.keys(condition.table) if condition.table is not None else None
    delimiter = smtpd.options.sub_address_delimiter
    if keys is None or condition.regex:
        return None
    if condition.kind == "rcpt-to":
        return any(address_match(envelope.recipient, key, delimiter) for key in keys)
    if condition.kind == "mail-from":
        return None if envelope.sender is None else any(address_match(envelope.sender, key, delimiter) for key in keys)
    return None
