"""Rules about what listeners show from outside: TLS that works, and no password before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailaudit.checks.dovecot.demands import unmet
from mailaudit.checks.dovecot.settings import VERSION, no_password_in_the_clear
from mailaudit.checks.host.services import RESTARTS
from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.listeners import public
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.certificates import NotReadError
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.endpoints import Endpoints, Filtered, Seen
from mailaudit.models.listening import Listening
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Failed, Reason
from mailaudit.text import Span

IMAP, SIEVE, IMAPS = 143, 4190, 993
SMTP, SUBMISSION, SUBMISSIONS = 25, 587, 465
UPDATE = Fix(
    "Update what answers there: OpenSMTPD speaks no old TLS since 7.4", Safety.MANUAL, commands=("syspatch", "sysupgrade")
)
_SHOWN = 300  # characters of what was said, in evidence


@dataclass(frozen=True, slots=True)
class Listener:
    """A port as a daemon's files have it: what the rules speak of, and where it is written."""

    daemon: str
    number: int
    place: Place

    @property
    def about(self) -> str:
        """The key of findings about it."""
        return f"port {self.number}"

    @property
    def restart(self) -> Fix:
        """The daemon is made to do what its files say."""
        name = self.daemon.lower()
        return Fix(f"Have {self.daemon} read its files", Safety.UNSAFE, commands=RESTARTS.get(name, ()))


def listener(listening: Listening, number: int, *daemons: str) -> Listener | None:
    """The first listener of a port that the Internet may reach, of some daemons or of any."""
    for port in listening.ports:
        if port.number == number and not port.private and (not daemons or port.daemon in daemons):
            place = Place.at(port.at) if isinstance(port.at, Span) else Place.whole(port.at, "by default")
            return Listener(port.daemon, number, place)
    return None


def heard(endpoints: Endpoints, number: int) -> Iterator[Seen | Doubt | Exempt]:
    """What was said on a port at each address; a doubt where it could not be told, an exemption where nobody answers at all."""
    yield from silent(endpoints, number)
    for _, seen in endpoints.on(number):
        if isinstance(seen, Failed):
            continue
        yield turned_away(seen) if seen.turns_away else seen


def turned_away(seen: Seen) -> Doubt:
    """That a listener wants nothing to do with whoever asks, now or ever."""
    words = seen.refusal or seen.greeting
    message = f"{seen.at}: mailaudit was turned away ({words[:80]}), so this could not be told."
    return Doubt(Reason.REFUSED, message, (said(seen, words),))


def silent(endpoints: Endpoints, *numbers: int) -> Iterator[Doubt | Exempt]:
    """What answers that are none mean. That connections are refused, or dropped, is for CROSS022 and HTTPD005 to tell."""
    answers = endpoints.on(*numbers)
    failed = [(question, each) for question, each in answers if isinstance(each, Failed)]
    for question, each in failed:
        if each.reason is not Reason.REFUSED and not isinstance(each, Filtered):
            shown = (Evidence(str(question), str(each.reason)),)
            yield Doubt(each.reason, each.detail or f"{question}: {each.reason}", shown)
    if len(failed) == len(answers):
        yield Exempt(f"nobody answers on port {' or '.join(map(str, numbers))}")


def said(seen: Seen, words: str) -> Evidence:
    """What a listener said, as evidence."""
    return Evidence(str(seen.at), words[:_SHOWN])


def at(some: Sequence[Seen], all_: Sequence[Seen]) -> str:
    """Where it is so, in words: nothing where it is so at each address."""
    return f" at {' and '.join(dict.fromkeys(each.at.address for each in some))}" if len(some) < len(all_) else ""


def tls_works(endpoints: Endpoints, port: Listener) -> Iterator[Outcome]:
    """A handshake comes about on a port, and STARTTLS is offered where it begins in clear."""
    answers = list(heard(endpoints, port.number))
    yield from (each for each in answers if not isinstance(each, Seen))
    seen = [each for each in answers if isinstance(each, Seen)]
    clear = [each for each in seen if each.starttls is False]
    if clear:
        words = (said(each, f"EHLO: {', '.join(each.lines or ())}") for each in clear)
        message = f"On port {port.number}{at(clear, seen)} STARTTLS is not offered, though {port.daemon} is told to offer it."
        yield Finding(message, (port.place, *words), port.restart, port.about, "no starttls")
    dead = [each for each in seen if each.starttls is not False and each.speaks_tls is False]
    if dead:
        words = (said(each, each.refusal or "the handshake fails") for each in dead)
        message = f"On port {port.number}{at(dead, seen)} no TLS handshake comes about."
        yield Finding(message, (port.place, *words), port.restart, port.about, "no handshake")
    for each in seen:
        if isinstance(each.chain, NotReadError):
            yield Doubt(Reason.PROTOCOL, f"On port {port.number} {each.chain} is shown for a certificate.", (said(each, ""),))
        elif each.speaks_tls is None:
            yield Doubt(Reason.NOT_RECORDED, f"{each.at}: the handshake was not recorded", (said(each, each.greeting),))


@rule("TLS010")
def starttls_works_for_servers(smtpd: SmtpdConfig, endpoints: Endpoints) -> Iterator[Outcome]:
    """Other servers can encrypt what they bring to port 25."""
    found = [each for each in public(smtpd, SMTP) if each.tls != "none"]
    if not found:
        yield Exempt("smtpd.conf offers no TLS on port 25: SMTPD022 tells of that")
        return
    yield from tls_works(endpoints, Listener("smtpd", SMTP, Place.at(found[0].span)))


@rule("TLS012")
def imaps_works(dovecot: DovecotConfig, listening: Listening, endpoints: Endpoints) -> Iterator[Outcome]:
    """Users' mail programs get their TLS on port 993, and on 4190 where ManageSieve is open."""
    if dovecot.ssl.value == "no":
        yield Exempt("TLS is off in Dovecot: DOVECOT010 tells of that")
        return
    ports = [port for number in (IMAPS, SIEVE) if (port := listener(listening, number, "Dovecot")) is not None]
    if not ports:
        yield Exempt("Dovecot listens on port 993 for nobody outside")
    for port in ports:
        yield from tls_works(endpoints, port)


@rule("TLS013")
def submissions_works(smtpd: SmtpdConfig, listening: Listening, endpoints: Endpoints) -> Iterator[Outcome]:
    """Where port 465 is open, TLS is spoken there from the first byte."""
    port = listener(listening, SUBMISSIONS)
    if port is None or any(each.tls != "smtps" for each in public(smtpd, SUBMISSIONS)):
        yield Exempt("port 465 is not open, or not for TLS from the first byte")
        return
    yield from tls_works(endpoints, port)


@rule("TLS011")
def passwords_travel_in_tls(
    smtpd: SmtpdConfig,
    listening: Listening,
    endpoints: Endpoints,
    dovecot: DovecotConfig | Missing | NotHere | Lacking,
) -> Iterator[Outcome]:
    """Port 587 has its TLS, and no port takes a login before it."""
    port = listener(listening, SUBMISSION)
    found = public(smtpd, SUBMISSION)
    if port is not None and not any(each.tls == "none" for each in found):
        yield from tls_works(endpoints, port)
    if port is not None and not any(each.tls in ("none", "tls") for each in found):  # SMTPD023 tells of these
        yield from _mail_in_clear(endpoints, port)
    for number, takes in ((SMTP, _mail_login), (SUBMISSION, _mail_login), (IMAP, _imap_login), (SIEVE, _sieve_login)):
        seen = [each for each in endpoints.seen(number) if not each.turns_away]
        bare = [(each, words) for each in seen if (words := takes(each))]
        place = listener(listening, number)
        is_told = place is not None and place.daemon == "Dovecot" and isinstance(dovecot, DovecotConfig)
        if not bare or (is_told and isinstance(dovecot, DovecotConfig) and _is_open(dovecot)):
            continue
        message = f"Port {number}{at([each for each, _ in bare], seen)} takes logins in clear: it offers them before TLS."
        evidence = [said(each, words) for each, words in bare]
        places: tuple[Place | Evidence, ...] = (*((place.place,) if place is not None else ()), *evidence)
        yield Finding(message, places, place.restart if place is not None else None, f"port {number}", "login in clear")


def _mail_in_clear(endpoints: Endpoints, port: Listener) -> Iterator[Finding]:
    """TLS that is offered is not yet required: who asks must send no mail without it."""
    seen = [each for each in endpoints.seen(port.number) if each.mail_reply]
    taken = [each for each in seen if each.mail_reply.startswith("2")]
    if taken:
        message = f"Port {port.number}{at(taken, seen)} takes mail before STARTTLS, which a client may then leave out."
        words = (said(each, f"MAIL before STARTTLS: {each.mail_reply}") for each in taken)
        yield Finding(message, (port.place, *words), port.restart, port.about, "mail in clear")


def _mail_login(seen: Seen) -> str:
    """The line that offers AUTH before STARTTLS (RFC 4954)."""
    return next((line for line in seen.lines or () if line.upper().split(" ")[0].split("=")[0] == "AUTH"), "")


def _imap_login(seen: Seen) -> str:
    """The greeting, if its capabilities let people log in: without LOGINDISABLED any may (RFC 9051, section 6.2.3)."""
    words = seen.greeting.upper()
    return seen.greeting if "[CAPABILITY" in words and "LOGINDISABLED" not in words else ""


def _sieve_login(seen: Seen) -> str:
    """The line that names mechanisms before STARTTLS (RFC 5804, section 1.7)."""
    for line in seen.lines or ():
        name, _, value = line.partition(" ")
        if name.strip('"').upper() == "SASL" and value.strip(' "'):
            return line
    return ""


def _is_open(dovecot: DovecotConfig) -> bool:
    """True if Dovecot's own files let people log in without TLS: DOVECOT021 says so."""
    return any(isinstance(each, Finding) for each in no_password_in_the_clear(dovecot))


@rule("TLS015")
def no_old_tls_is_spoken(
    listening: Listening, endpoints: Endpoints, dovecot: DovecotConfig | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """No listener accepts a version of TLS before 1.2."""
    told = isinstance(dovecot, DovecotConfig) and any(isinstance(each, Finding) for each in unmet(dovecot, VERSION))
    judged = False
    for number in (SMTP, SUBMISSIONS, SUBMISSION, IMAPS, SIEVE):
        seen = [each for each in endpoints.seen(number) if each.protocols or each.agreed]
        old = [each for each in seen if each.old_protocols]
        port = listener(listening, number)
        judged = judged or bool(seen)
        for each in seen if not old else ():
            if each.protocols is None:
                yield Doubt(Reason.NOT_RECORDED, f"{each.at}: which versions of TLS are taken beside the best was not tried")
        if port is not None and not old:
            yield from (each for each in silent(endpoints, number) if isinstance(each, Doubt))
        if not old or (told and port is not None and port.daemon == "Dovecot"):
            continue
        versions = list(dict.fromkeys(version for each in old for version in each.old_protocols))
        evidence = tuple(said(each, ", ".join(each.protocols or each.agreed)) for each in old)
        message = f"Port {number}{at(old, seen)} still speaks {' and '.join(versions)}."
        places: tuple[Place | Evidence, ...] = (*((port.place,) if port is not None else ()), *evidence)
        fix = port.restart if port is not None and port.daemon == "Dovecot" else UPDATE
        yield Finding(message, places, fix, f"port {number}", " ".join(versions))
    if not judged:
        yield Exempt("no port speaks TLS")
