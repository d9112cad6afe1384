"""The hops through pf: whether a connection comes in, and whether mail goes out."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from mailaudit.findings import Evidence, Place
from mailaudit.models.pf.config import Answer3, Ruleset
from mailaudit.models.pf.doubt import why
from mailaudit.models.pf.running import PfStatus
from mailaudit.models.pf.values import TCP
from mailaudit.models.rc import RcConf
from mailaudit.models.sources import Known
from mailaudit.questions import Reason
from mailaudit.trace.hops import Hop, Kind, broken, ok, unknown
from mailaudit.trace.host import Host, why_not
from mailaudit.trace.network import is_address

SMTPD_USER = "_smtpd"
_FAMILIES = (4, 6)


def comes_in(host: Host, port: int, addresses: Iterable[str] = ()) -> Hop:
    """Whether anybody can connect to a port at these addresses."""
    return _passes(host, port, "in", _families(addresses))


def goes_out(host: Host, port: int) -> Hop:
    """Whether smtpd can connect to a port of other servers."""
    return _passes(host, port, "out", ())


def _families(addresses: Iterable[str]) -> tuple[int, ...]:
    return tuple(sorted({ip_address(each).version for each in addresses if is_address(each)}))


def _passes(host: Host, port: int, direction: str, families: tuple[int, ...]) -> Hop:
    subject = f"port {port} {'from' if direction == 'in' else 'to'} the Internet"
    off = _off(host, subject)
    if off is not None:
        return off
    slot = host.slot(Ruleset)
    if not isinstance(slot, Known):
        reason, message = why_not(slot)
        return unknown(Kind.FIREWALL, subject, reason, f"{message} What the firewall lets through is not known.")
    pf = slot.value
    user = SMTPD_USER if direction == "out" else None
    wanted = tuple(family for family in families or _FAMILIES if family in pf.families) or pf.families or _FAMILIES
    answers = {family: pf.admits(family, TCP, port, direction, user=user) for family in wanted}
    hop = _judged(pf, port, direction, answers)
    if pf.refusals:
        first = pf.refusals[0]
        message = f"pfctl refuses the file, so the rules in force are others: {first.message}. As it was meant: {hop.message}"
        return unknown(Kind.FIREWALL, subject, Reason.IN_DOUBT, message, Place.at(first.span), *hop.places)
    if pf.not_read:
        first = pf.not_read[0]
        message = f"Not all of the file could be read: {first.message}. By the rest of it: {hop.message}"
        return unknown(Kind.FIREWALL, subject, Reason.NOT_READ, message, Place.at(first.span), *hop.places)
    return hop


def _off(host: Host, subject: str) -> Hop | None:
    """The hop where pf does not run at all."""
    status, rc = host.known(PfStatus), host.known(RcConf)
    if status is not None:
        return None if status.enabled else ok(Kind.FIREWALL, subject, "pf is off: all passes.", Evidence("pfctl-si", status.said))
    service = rc.service("pf") if rc is not None else None
    if service is None or service.enabled:
        return None
    places = (Place.at(service.by.span),) if service.by is not None else ()
    return ok(Kind.FIREWALL, subject, "pf is off: all passes.", *places)


def _judged(pf: Ruleset, port: int, direction: str, answers: dict[int, Answer3]) -> Hop:
    subject = f"port {port} {'from' if direction == 'in' else 'to'} the Internet"
    open_ = [family for family, answer in answers.items() if answer.value == "yes"]
    doubts = [rule for answer in answers.values() if answer.value == "doubt" for rule in (*answer.doubts, *answer.rules)]
    partly = [family for family, answer in answers.items() if answer.value == "no" and answer.partly]
    first = next((answers[family] for family in (*open_, *partly, *answers)), Answer3("doubt"))
    places = _places(pf, first)
    what = f"connections to port {port}"
    if open_:
        closed = [family for family in answers if family not in open_]
        rest = f" Over IPv{closed[0]} they may not pass; the other family is tried then." if closed else ""
        return ok(Kind.FIREWALL, subject, f"pf lets {what} {direction}{_over(open_, answers)}.{rest}", *places)
    if doubts:
        unsure = tuple(Place.at(rule.statement.span, why(pf, rule)) for rule in list(dict.fromkeys(doubts))[:3])
        message = f"Whether pf lets {what} {direction} could not be told: {why(pf, doubts[0])}."
        return unknown(Kind.FIREWALL, subject, Reason.IN_DOUBT, message, *unsure)
    if partly:
        message = f"pf lets {what} {direction} for some networks only: it depends on the other side's address."
        return unknown(Kind.FIREWALL, subject, Reason.IN_DOUBT, message, *places)
    if first.value == "doubt":
        message = f"Whether pf lets {what} {direction} could not be told: it depends on what is not recorded."
        return unknown(Kind.FIREWALL, subject, Reason.IN_DOUBT, message, Place.whole(pf.text))
    raise broken(Kind.FIREWALL, subject, f"pf does not let {what} {direction}.", *places)


def _over(open_: list[int], answers: dict[int, Answer3]) -> str:
    return f" over IPv{open_[0]}" if len(open_) < len(answers) else ""


def _places(pf: Ruleset, answer: Answer3) -> tuple[Place, ...]:
    """The line that decides, and the word in it that names the port where a macro does."""
    if answer.skip is not None:
        return (Place.at(answer.skip.statement.span),)
    return tuple(Place.at(rule.statement.span) for rule in answer.rules[:2]) or (Place.whole(pf.text),)
