"""Rules about what strangers can do: reach inner services of the host, have it return forged mail to others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.checks.rspamd.edits import place_of
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.credentials import Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.listening import BOTH, Listening
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.values import TCP
from mailaudit.models.redis import RedisConfig
from mailaudit.models.rspamd.config import RspamdConfig
from mailaudit.models.site import REFERENCE_TCP, Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.delivery import ACCEPT, Delivery, End, deliver
from mailaudit.models.smtpd.maps import Maps
from mailaudit.models.smtpd.match import Session
from mailaudit.models.smtpd.parts import Table
from mailaudit.models.smtpd.reach import is_outward
from mailaudit.models.smtpd.route import exchanger_sessions
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Reason

INNER = {6379: "redis", 11332: "rspamd's proxy", 11333: "rspamd's scanner", 11334: "rspamd's controller"}
NOBODY = "nobody-here-has-this-name"
MOST = 200  # domains that are tried
Rspamd = RspamdConfig | Missing | NotHere | Lacking
Redis = RedisConfig | Missing | NotHere | Lacking


@rule("ABUSE007")
def inner_services_stay_inside(pf: Ruleset, listening: Listening, rspamd: Rspamd, redis: Redis, site: Site) -> Iterator[Outcome]:
    """The Internet does not reach redis or rspamd, whatever the site says of its ports."""
    yield from unread(rspamd, redis)
    inner = _inner(listening, rspamd, redis)
    if not inner and listening.sockets is None and not isinstance(rspamd, RspamdConfig) and not isinstance(redis, RedisConfig):
        yield Exempt("nothing of redis and rspamd is at hand")
    for port, (what, where) in inner.items():
        if port not in REFERENCE_TCP | site.open_tcp:
            continue  # PF048 tells of it
        answers = [pf.passes_in(family, TCP, port) for family in BOTH]
        rules = [found for answer in answers if answer.value == "yes" for found in answer.rules]
        if any(answer.value == "yes" for answer in answers):
            message = f"Anybody on the Internet can talk to {what}: it listens for all, and pf lets port {port} in."
            places = (*(Place.at(each.statement.span, "lets it in") for each in dict.fromkeys(rules)), where)
            yield Finding(message, places, None, f"port {port}", what)
        elif any(answer.value == "doubt" for answer in answers):
            yield Doubt(Reason.IN_DOUBT, f"Whether pf lets port {port} in cannot be told.", (where,))


def _inner(listening: Listening, rspamd: Rspamd, redis: Redis) -> Mapping[int, tuple[str, Place | Evidence]]:
    """What listens for other hosts by the port, and what says so."""
    found: dict[int, tuple[str, Place | Evidence]] = {}
    for worker in rspamd.workers if isinstance(rspamd, RspamdConfig) else ():
        for bind in worker.binds if worker.is_enabled is not False else ():
            if bind.is_loopback is False and bind.port and isinstance(rspamd, RspamdConfig):
                where = place_of(rspamd, bind.value, worker.file or "rspamd.conf.local", "listens here")
                found[bind.port] = (f"the {worker.kind} worker of rspamd", where)
    if isinstance(redis, RedisConfig) and not redis.only_loopback and redis.port:
        span = redis.place("bind")
        found[redis.port] = (
            "redis",
            Place.at(span, "listens here") if span is not None else Place.whole(redis.trees[0].text, "by default"),
        )
    for port, what in INNER.items():
        if listening.sockets is not None and listening.sockets.public(port):
            found.setdefault(port, (what, Evidence("netstat -ln", f"*.{port} LISTEN")))
    return found


@rule("ABUSE010")
def ends_of_data_are_noted(smtpd: SmtpdConfig) -> Iterator[Outcome]:
    """A note where strangers hand in mail: smtpd ends a message at bare line feeds too."""
    takers = [each for each in smtpd.listeners if each.port == 25 and is_outward(each) and not each.requires_auth]
    if takers:
        message = "smtpd ends a message at a dot between bare line feeds too, and no setting changes that."
        yield Finding(message, tuple(Place.at(each.span, "strangers hand in mail here") for each in takers), None, "end of data")


@rule("ABUSE011")
def nothing_is_taken_to_be_returned(
    maps: Maps, dovecot: DovecotConfig | Missing | NotHere | Lacking, credentials: Credentials | Missing | NotHere | Lacking
) -> Iterator[Outcome]:
    """No mail is accepted from strangers that smtpd must then return to a sender who may never have sent it."""
    yield from unread(dovecot, credentials)
    smtpd = maps.smtpd
    unknown = [table for table in _tables(smtpd) if smtpd.keys(table) is None]
    domains = _domains(smtpd)
    if smtpd.only_sends or not (domains or unknown):
        yield Exempt("this host takes no mail for whole domains from others")
        return
    for table in unknown:
        yield Doubt(
            Reason.NOT_RECORDED, f"Which domains are in the table {table.name} was not recorded.", (Place.at(table.at.span),)
        )
    sessions = exchanger_sessions(smtpd)
    told: set[object] = set()
    for domain in domains[:MOST]:
        for session in sessions:
            for outcome in _of_nobody(maps, session, domain, dovecot, credentials):
                key = outcome.places[0] if isinstance(outcome, Finding) else domain
                if key not in told:
                    told.add(key)
                    yield outcome


def _tables(smtpd: SmtpdConfig) -> list[Table]:
    """The tables of the domains that rules are for."""
    of_domains = [each.destination for each in smtpd.rules if each.destination.kind == "domain" and not each.destination.negated]
    return [each.table for each in of_domains if each.table is not None]


def _domains(smtpd: SmtpdConfig) -> list[str]:
    """The domains that rules name, patterns left out."""
    keys = [key.lower() for table in _tables(smtpd) for key in smtpd.keys(table) or ()]
    return list(dict.fromkeys(key for key in keys if "*" not in key and "." in key))


def _of_nobody(maps: Maps, session: Session, domain: str, dovecot: object, credentials: object) -> Iterator[Finding | Doubt]:
    """What becomes of mail for a name that nobody has."""
    found = deliver(maps, session, f"{NOBODY}@{domain}")
    if found.gaps:
        gap = found.gaps[0]
        yield Doubt(gap.reason, f"Whether mail for any name of {domain} is accepted is not known: {gap.says}.")
    elif found.answer == ACCEPT:
        for end in found.ends:
            if end.bounce is not None:
                message = f"Mail for any name of {domain} is accepted, and then returned: {end.bounce}."
                yield Finding(message, (Place.at(end.span),), None, f"bounce of {domain}", "by smtpd")
            elif end.kind == "relay" and end.address == found.recipient:
                yield from _relayed(maps.smtpd, found, end, domain)
            elif end.kind == "lmtp" and isinstance(dovecot, DovecotConfig) and isinstance(credentials, Credentials):
                yield from _refused(found, end, domain, dovecot, credentials)


def _relayed(smtpd: SmtpdConfig, found: Delivery, end: End, domain: str) -> Iterator[Finding]:
    by = next((each for each in smtpd.rules if found.steps and each.span == found.steps[0].span), None)
    if by is not None and by.destination.kind == "domain":
        to = end.where or "the next server"
        message = f"Mail for any name of {domain} is accepted and sent on; what {to} then refuses goes back to forged senders."
        yield Finding(
            message, (Place.at(by.span), Place.at(end.action.at, "sends it on")), None, f"relay of {domain}", "any name"
        )


def _refused(found: Delivery, end: End, domain: str, dovecot: DovecotConfig, credentials: Credentials) -> Iterator[Finding]:
    """Dovecot is asked for the address as it was sent, and knows those in the credentials alone."""
    files_alone = bool(dovecot.userdbs) and all(
        each.driver == "passwd-file" and each.path is not None for each in dovecot.userdbs
    )
    paths = {each.path.value for each in dovecot.userdbs if each.path is not None}
    whole = dovecot.login(end.address) == end.address
    if "rcpt-to" in end.action.words and end.address == found.recipient and files_alone and whole and paths == {credentials.path}:
        message = f"Mail for any name of {domain} is accepted; what Dovecot then refuses goes back to forged senders."
        lookups = [each.span for each in found.steps if each.kind == "virtual" and each.span is not None]
        related = (Place.at(lookups[0], "takes any name"),) if lookups else ()
        yield Finding(
            message, (Place.at(end.span, "by the name it was sent to"), *related), None, f"lmtp of {domain}", "any name"
        )
