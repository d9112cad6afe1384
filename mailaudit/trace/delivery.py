"""The hops from the match rule on: the action, what the maps make of the recipient, and the ends that mail comes to."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Generator, Iterator

from mailaudit.findings import Place
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.dovecot.sockets import GROUP, OTHERS, OWNER, Socket, sockets
from mailaudit.models.pf.values import MAX_PORT
from mailaudit.models.release import read_release
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.delivery import REJECT, TEMPFAIL, Delivery, End, Step, deliver
from mailaudit.models.smtpd.maps import Maps
from mailaudit.models.smtpd.match import Session
from mailaudit.models.sources import Known
from mailaudit.models.virtuals import DEEPEST
from mailaudit.questions import Reason
from mailaudit.text import Span
from mailaudit.trace import firewall, mailbox
from mailaudit.trace.daemons import dovecot_starts
from mailaudit.trace.hops import ChainEndError, Hop, Kind, at, broken, lost, ok, unknown
from mailaudit.trace.host import Host, why_not
from mailaudit.trace.listeners import SMTP

RUNS_AS_RECIPIENT = (7, 5)  # the release since which LMTP is spoken as the user that mail is for
LDA = ("dovecot-lda", "deliver")
_HOST = re.compile(r"(?:(?P<scheme>[A-Za-z0-9+-]+)://)?(?:[^@/]*@)?(?P<host>\[[^\]]*\]|[^:/@, ]+)(?::(?P<port>[0-9]{1,5}))?")
_LOOPBACK = re.compile(r"localhost|127\.[0-9.]+|\[?::1\]?")
_PORTS = {"smtps": 465, "lmtp": 24}
Steps = Generator[Hop, None, str]


def delivered(host: Host, smtpd: SmtpdConfig, session: Session, recipient: str, sender: str | None) -> Steps:
    """All hops from the match rule to the ends; those of several ends stand one after the other. Gives the ends in words."""
    slot = host.slot(Maps)
    if not isinstance(slot, Known):
        raise lost(Kind.RULE, recipient, *why_not(slot))
    way = deliver(slot.value, session, recipient, sender)
    host.assumed.extend(way.assumed)
    hops = list(_steps(smtpd, way))
    refused = _refusal(smtpd, way)
    if refused is not None:
        yield from hops[:-1] if hops and hops[-1].subject == refused.hop.subject and hops[-1].kind is refused.hop.kind else hops
        raise refused
    yield from hops
    gaps = list(_gaps(way, recipient))
    if not way.ends:
        yield from gaps[:-1]
        message = "Where this mail ends could not be told."
        raise ChainEndError(gaps[-1]) if gaps else lost(Kind.EXPANSION, recipient, Reason.IN_DOUBT, message)
    yield from gaps
    return (yield from _branches(host, way.ends))


def _steps(smtpd: SmtpdConfig, way: Delivery) -> Iterator[Hop]:
    left = dict(smtpd.actions)
    for step in way.steps:
        places = at([step.span])
        if step.kind != "rule":
            yield _expanded(step, places)
            continue
        if step.rule is None:
            continue
        yield ok(Kind.RULE, step.name, f"Mail for {step.name} goes by this rule: {step.says}.", *places)
        action = left.pop(step.rule.action.name.value, None) if step.rule.action is not None else None
        if action is not None:  # each is told of once
            what = "goes on to other servers" if action.is_relay else f"is delivered here, by {action.kind}"
            yield ok(Kind.ACTION, action.name.value, f"The mail {what}.", Place.at(action.at))


def _expanded(step: Step, places: tuple[Place, ...]) -> Hop:
    if step.missed is not None:
        return ok(Kind.EXPANSION, step.name, f"{step.name} is {step.says}.", *_table(step), *places)
    words = {
        "virtual": f"The virtual map has, for {step.name}: {step.says}.",
        "alias": f"The aliases have, for {step.name}: {step.says}.",
        "include": f"A list is included for {step.name}: {step.says}.",
        "account": f"{step.name} is delivered as an account of the host: {step.says}.",
        "forward": f"The .forward of {step.name} says: {step.says}.",
    }
    return ok(Kind.EXPANSION, step.name, words.get(step.kind, step.says), *places)


def _refusal(smtpd: SmtpdConfig, way: Delivery) -> ChainEndError | None:
    """The hop at which smtpd refuses the recipient, if it surely does."""
    if way.answer not in (REJECT, TEMPFAIL):
        return None
    last = way.steps[-1] if way.steps else None
    places = at([way.decided]) or (at([last.span]) if last is not None else ()) or (Place.whole(smtpd.path),)
    if last is None or last.kind == "rule":
        says = "No rule takes this mail" if last is None or last.rule is None else "This rule refuses the mail"
        return broken(Kind.RULE, way.recipient if last is None else last.name, f"{says}: smtpd answers {way.reply}.", *places)
    places = (*_table(last), *places)
    return broken(Kind.EXPANSION, last.name, f"{_why(last)}: smtpd answers {way.reply}.", *places)


def _table(step: Step) -> tuple[Place, ...]:
    """The file of the table that a name is not in."""
    return (Place.whole(step.missed.path),) if step.missed is not None and step.missed.path is not None else ()


def _why(last: Step) -> str:
    if last.missed is not None:
        return f"{last.name} is {last.says}"
    if last.kind == "account":
        return f"Mail for {last.name} would go to an account of the host, and {last.says}"
    if last.depth >= DEEPEST - 1:
        return f"Names lead to names more than {DEEPEST} deep, or in a circle, at last {last.name} to {last.says}"
    return f"This ends nowhere: {last.name} leads to {last.says}"


def _gaps(way: Delivery, recipient: str) -> Iterator[Hop]:
    for gap in way.gaps:
        kind = Kind.EXPANSION if gap.rule is None else Kind.RULE
        yield unknown(kind, recipient, gap.reason, f"{gap.says[:1].upper()}{gap.says[1:]}.", *at([gap.span]))


def _branches(host: Host, ends: tuple[End, ...]) -> Steps:
    """The hops of each end; a break in one of several ends that branch alone."""
    told: dict[str, None] = {}
    for end in ends:
        branch = f"{end.kind} {end.where or end.address}" if len(ends) > 1 else ""
        hops = _ended(host, end)
        while True:
            try:
                yield _in_branch(next(hops), branch)
            except StopIteration as done:
                told[done.value] = None
                break
            except ChainEndError as error:
                if not branch:
                    raise
                yield _in_branch(error.hop, branch)
                break
    return " and ".join(told)


def _in_branch(hop: Hop, branch: str) -> Hop:
    return Hop(hop.kind, hop.subject, hop.verdict, hop.message, hop.places, hop.reason, branch)


def _ended(host: Host, end: End) -> Steps:
    place = Place.at(end.span)
    if end.bounce:
        raise broken(Kind.DELIVERY, end.address, f"smtpd takes the mail and sends it back: {end.bounce}.", place)
    match end.kind:
        case "relay":
            return (yield from _relayed(host, end, place))
        case "lmtp":
            return (yield from _handed_over(host, end, place))
        case "maildir":
            return (yield from _stored(host, end, place))
        case "mbox":
            yield ok(Kind.DELIVERY, end.address, f"The mail is in {end.where}, for the account {end.user}.", place)
            return f"arrives in {end.where}"
        case "file":
            yield ok(Kind.DELIVERY, end.address, f"The mail is written to the file {end.where}.", place)
            return f"arrives in {end.where}"
    return (yield from _given(host, end, place))


def _given(host: Host, end: End, place: Place) -> Steps:
    """A program gets the mail: Dovecot's own is followed, no other is."""
    words = (end.where or "").split() or [end.kind]
    command = " ".join(words)
    name = words[words.index("-d") + 1] if "-d" in words[:-1] else None
    dovecot = host.known(DovecotConfig)
    if posixpath.basename(words[0]) not in LDA or name is None or dovecot is None:
        message = f"A program gets the mail: {command}. What it does is not known."
        yield unknown(Kind.DELIVERY, end.address, Reason.IN_DOUBT, message, place)
        return f"goes to the program {command}"
    yield ok(Kind.DELIVERY, end.address, f"Dovecot's program gets the mail: {command}.", place)
    path = yield from mailbox.delivered(host, dovecot, name, "lda")
    return f"arrives in {path}" if path is not None else f"goes to the program {command}"


def _relayed(host: Host, end: End, place: Place) -> Steps:
    if end.where is None:
        yield unknown(Kind.DELIVERY, end.address, Reason.NOT_RECORDED, "To which servers the mail goes is not known.", place)
        return "goes on to other servers"
    to, port, name = f"to the servers of {end.where}", SMTP, ""
    through = _HOST.match(end.where) if "host" in end.action.tables else None
    if through is not None:
        name = through["host"]
        port = min(int(through["port"] or 0), MAX_PORT) or _PORTS.get((through["scheme"] or "").lower(), SMTP)
        to = f"through {name}, port {port}"
    if not _LOOPBACK.fullmatch(name):
        yield firewall.goes_out(host, port)
    yield ok(Kind.DELIVERY, end.address, f"The mail goes on {to}.", place)
    return f"goes on {to}"


def _stored(host: Host, end: End, place: Place) -> Steps:
    if end.where is None:
        message = "In which directory smtpd stores the mail could not be told."
        yield unknown(Kind.DELIVERY, end.address, Reason.IN_DOUBT, message, place)
        return "is stored in a place that is not known"
    yield ok(Kind.DELIVERY, end.address, f"smtpd stores the mail in {end.where}, as {end.user}.", place)
    yield from mailbox.read_from(host, end, place)
    return f"arrives in {end.where}"


def _handed_over(host: Host, end: End, place: Place) -> Steps:
    """LMTP: who listens at the socket, and what Dovecot makes of the recipient."""
    over = f"is handed over at {end.where}"
    if end.where is None or not end.where.startswith("/"):
        message = f"The mail {over}; who listens there is not traced."
        yield unknown(Kind.DELIVERY, end.address, Reason.IN_DOUBT, message, place)
        return over
    slot = host.slot(DovecotConfig)
    if not isinstance(slot, Known):
        reason, message = why_not(slot)
        yield unknown(Kind.DELIVERY, end.address, reason, f"The mail {over}. {message}", place)
        return over
    dovecot = slot.value
    yield dovecot_starts(host, dovecot)
    found = [each for each in sockets(dovecot, "lmtp") if each.path == posixpath.normpath(end.where)]
    if "lmtp" not in dovecot.protocols or not found:
        what = "Dovecot has no LMTP socket there" if "lmtp" in dovecot.protocols else "Dovecot does not serve LMTP"
        protocols = dovecot.setting("protocols")
        more = () if protocols.is_default or "lmtp" in dovecot.protocols else (Place.at(protocols.span),)
        raise broken(Kind.DELIVERY, end.address, f"smtpd hands the mail over at {end.where}, and {what}.", place, *more)
    yield _connected(host, end, found[0], place)
    name = end.address if "rcpt-to" in end.action.words else end.user or end.address
    path = yield from mailbox.delivered(host, dovecot, name, "lmtp")
    return f"arrives in {path}" if path is not None else over


def _connected(host: Host, end: End, socket: Socket, place: Place) -> Hop:
    span = _socket_span(socket)
    places = (place, *at([span]))
    told = f"smtpd hands the mail to Dovecot at {socket.path}"
    if socket.mode is None or end.user is None:
        return unknown(Kind.DELIVERY, end.address, Reason.IN_DOUBT, f"{told}; whether it may is not known.", *places)
    is_open = socket.mode & OTHERS or (socket.user == end.user and socket.mode & OWNER)
    is_open = is_open or (socket.group == end.user and socket.mode & GROUP)
    if is_open or read_release(host.sources).before(RUNS_AS_RECIPIENT):
        return ok(Kind.DELIVERY, end.address, f"{told}, as {end.user}.", *places)
    message = f"{told} as {end.user}, who may not write to it: it belongs to {socket.user or 'root'}, mode {socket.mode:04o}."
    if socket.group and socket.mode & GROUP:
        message = f"{told}; whether {end.user} is in {socket.group} is not known."
        return unknown(Kind.DELIVERY, end.address, Reason.NOT_RECORDED, message, *places)
    raise broken(Kind.DELIVERY, end.address, message, *places)


def _socket_span(socket: Socket) -> Span | None:
    setting = socket.settings.get("mode") or socket.settings.get("user")
    if setting is not None and not setting.is_default:
        return setting.span
    return socket.section.opened.span if socket.section is not None and socket.section.opened is not None else None
