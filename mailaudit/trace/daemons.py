"""The hops at which a daemon must be there: its configuration loads, it starts, its certificate is good."""

from __future__ import annotations

from collections.abc import Iterator

from mailaudit.findings import Evidence, Place
from mailaudit.models.certificates import NotReadError
from mailaudit.models.clock import Clock
from mailaudit.models.credentials import Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.files import Access, Denied, Files, Gone
from mailaudit.models.pem import PemFiles
from mailaudit.models.rc import PATH as RC
from mailaudit.models.secret_files import SMTPD_USER, auth_user
from mailaudit.models.smtpd.config import PATH, SmtpdConfig
from mailaudit.models.sources import Known, Missing, Model
from mailaudit.questions import Absent, Failed, Reason
from mailaudit.text import Span
from mailaudit.trace.hops import Hop, Kind, broken, lost, ok, unknown
from mailaudit.trace.host import Host, why_not

DOVECOT = "/etc/dovecot/dovecot.conf"
_FILE_TABLES = ("file", "passwd", "db")


def smtpd_of(host: Host) -> SmtpdConfig:
    """What smtpd.conf says; the chain ends where it is not at hand."""
    slot = host.slot(SmtpdConfig)
    if isinstance(slot, Known):
        return slot.value
    if isinstance(slot, Missing):
        raise broken(Kind.DAEMON, "smtpd", f"{PATH} is not there: smtpd does not start.", Place.whole(PATH))
    raise lost(Kind.DAEMON, "smtpd", *why_not(slot))


def smtpd_starts(host: Host, smtpd: SmtpdConfig) -> Hop:
    """Whether smtpd loads its configuration and starts."""
    _loads("smtpd", smtpd)
    files = host.known(Files)
    for table in smtpd.tables.values():
        if table.path is not None and table.backend in _FILE_TABLES and _is_gone(files, table.path):
            message = f"{table.path}, the table {table.name}, is not there: smtpd does not start."
            raise broken(Kind.DAEMON, "smtpd", message, Place.at(table.at.span))
    credentials = host.known(Credentials)
    if credentials is not None and credentials.refusals and any(t.backend == "passwd" for t in smtpd.credential_tables):
        first = credentials.refusals[0]
        message = f"One line that is not well-formed keeps smtpd from running: {first.message}."
        raise broken(Kind.DAEMON, "smtpd", message, Place.at(first.span))
    for table in smtpd.credential_tables:
        if table.backend == "passwd" and table.path is not None:
            _readable(host, "smtpd", SMTPD_USER, table.path, "smtpd does not stay up")
    return _runs(host, "smtpd", smtpd, smtpd.path)


def _readable(host: Host, name: str, user: str, path: str, so: str) -> None:
    """Break where an account that has to read a file may not."""
    files = host.known(Files)
    verdict = files.may(user, path, Access.READ) if files is not None else None
    if isinstance(verdict, Denied):
        raise broken(Kind.DAEMON, name, f"{user} may not read {path}: {so}.", Evidence.stat(verdict.path, verdict.stat))


def _is_gone(files: Files | None, path: str) -> bool:
    """True if a host was looked at and has no such file."""
    return files is not None and files.of_host and isinstance(files.stat(path), Gone)


def dovecot_of(host: Host) -> DovecotConfig:
    """What Dovecot's files say; the chain ends where they are not at hand."""
    slot = host.slot(DovecotConfig)
    if isinstance(slot, Known):
        return slot.value
    if isinstance(slot, Missing):
        raise broken(Kind.DAEMON, "dovecot", f"{slot.path} is not there: Dovecot does not start.", Place.whole(slot.path))
    raise lost(Kind.DAEMON, "dovecot", *why_not(slot))


def dovecot_starts(host: Host, dovecot: DovecotConfig) -> Hop:
    """Whether Dovecot loads its configuration and starts."""
    _loads("dovecot", dovecot)
    for path, text in dovecot.passwd_files.items():
        if isinstance(text, Absent) and host.sources.snapshot.recorded:
            at = [each.path.span for each in (*dovecot.passdbs, *dovecot.userdbs) if each.path is not None]
            raise broken(Kind.DAEMON, "dovecot", f"{path} is not there: nobody is known.", *map(Place.at, at))
        _readable(host, "dovecot", auth_user(dovecot), path, "Dovecot knows nobody")
    path = dovecot.trees[0].text.path if dovecot.trees else DOVECOT
    return _runs(host, "dovecot", dovecot, path)


def _loads(name: str, model: Model) -> None:
    if model.refusals:
        first = model.refusals[0]
        message = f"{name} refuses its configuration, so it does not start again: {first.message}."
        raise broken(Kind.DAEMON, name, message, Place.at(first.span))


def _runs(host: Host, name: str, model: Model, path: str) -> Hop:
    daemons = host.daemons
    if daemons is not None and daemons.enabled(name) is False:
        service = daemons.rc.service(name) if daemons.rc is not None else None
        place: Place | Evidence = Evidence("rcctl ls on", f"without {name}")
        if service is not None:
            place = Place.at(service.by.span) if service.by is not None else Place.whole(RC)
        raise broken(Kind.DAEMON, name, f"{name} is not enabled: it does not start at boot.", place)
    if daemons is not None and daemons.running(name) is False:
        raise broken(Kind.DAEMON, name, f"{name} does not run now.", Evidence(f"{name} runs", "no"))
    if model.not_read:
        first = model.not_read[0]
        message = f"Not all of the configuration could be read: {first.message}. What follows goes by the rest."
        return unknown(Kind.DAEMON, name, Reason.NOT_READ, message, Place.at(first.span))
    return ok(Kind.DAEMON, name, f"{name} loads its configuration.", Place.whole(path))


def certificate(host: Host, subject: str, path: str, at: Span, *, for_people: bool) -> Hop:
    """The certificate that a listener shows: mail programs (`for_people`) check its time and name, other servers do not."""
    pem, files, clock = host.known(PemFiles), host.known(Files), host.known(Clock)
    found = pem.chain(path) if pem is not None else Failed(Reason.NOT_RECORDED, f"{path} was not recorded")
    place = Place.at(at)
    if isinstance(found, NotReadError):
        raise broken(Kind.TLS, subject, f"{path} holds {found}: there is no certificate to show.", place)
    if isinstance(found, Absent) and files is not None and files.of_host:
        raise broken(Kind.TLS, subject, f"The certificate {path} is not there.", place)
    if isinstance(found, Absent | Failed):
        reason = found.reason if isinstance(found, Failed) else Reason.NOT_RECORDED
        return unknown(Kind.TLS, subject, reason, f"The certificate {path} was not looked at.", place)
    leaf = found[0]
    wrong = list(_wrong(leaf.not_before > clock.now, clock.now > leaf.not_after) if clock is not None else ())
    if host.site.mail_host is not None and not leaf.covers(host.site.mail_host):
        wrong.append(f"is not for the name {host.site.mail_host}")
    places = (place, *((Place.at(leaf.span),) if leaf.span is not None else ()))
    if wrong and for_people:
        message = f"The certificate {path} {' and '.join(wrong)}: mail programs refuse the connection."
        raise broken(Kind.TLS, subject, message, *places)
    if wrong:
        message = f"The certificate {path} {' and '.join(wrong)}; most servers do not check that, those that do turn away."
        return ok(Kind.TLS, subject, message, *places)
    until = f"{leaf.not_after:%Y-%m-%d}"
    return ok(Kind.TLS, subject, f"The certificate is for {', '.join(leaf.names) or leaf.subject}, until {until}.", place)


def _wrong(is_early: bool, is_late: bool) -> Iterator[str]:
    if is_early:
        yield "is not valid yet"
    if is_late:
        yield "has expired"
