"""What `--probe-relay` heard on port 25, for the rules about open relay and about accounts of the system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_address

from mailaudit.checks.smtpd.listeners import public
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Finding, Place
from mailaudit.models.dns.host import is_public
from mailaudit.models.endpoints import SMTP, Endpoints, Seen
from mailaudit.models.probed import Probe, Tried
from mailaudit.models.site import Site
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.smtpd.match import Envelope, Session
from mailaudit.models.smtpd.route import Route, route
from mailaudit.questions import Reason

WHO = Fix("See which program answers on port 25, and what it has read: fstat | grep internet", Safety.MANUAL)


def relayed(smtpd: SmtpdConfig, site: Site, endpoints: object) -> Iterator[Finding | Doubt]:
    """Port 25 takes mail for other domains from somebody whom smtpd.conf does not know."""
    own = {*site.domains, *(name for name in (site.mail_host, site.host_name, smtpd.server_name) if name)}
    for seen, probe in _probes(endpoints):
        taken = probe.relayed(own)
        if not taken:
            yield from _unsure(seen, probe)
        elif any(_goes_out(way) for way in _ways(smtpd, probe, taken[0])):
            continue  # the one who asked sits in a network that may relay
        elif not _is_known(probe.client) and any(_trusts_networks(smtpd)):
            message = "Port 25 took mail for another domain; whether from a network that smtpd.conf trusts is not known."
            yield Doubt(Reason.IN_DOUBT, message, _said(seen, taken))
        else:
            message = f"Port {SMTP} takes mail from strangers for other domains: to {taken[0].recipient}, for one."
            yield Finding(message, (_place(smtpd), *_said(seen, taken)), WHO, "open relay", "port 25")
            return


def reached(smtpd: SmtpdConfig, site: Site, endpoints: object) -> Iterator[Finding | Doubt]:
    """Port 25 takes mail for root at the host's own names."""
    for seen, probe in _probes(endpoints):
        taken = [each for each in probe.accounts if each.domain not in site.domains]
        if taken:
            message = f"Port {SMTP} takes mail from outside for {taken[0].recipient}."
            yield Finding(message, (_place(smtpd), *_said(seen, taken)), WHO, "local names", "from outside")
            return
        yield from _unsure(seen, probe)


def _probes(endpoints: object) -> Iterator[tuple[Seen, Probe]]:
    for seen in endpoints.seen(SMTP) if isinstance(endpoints, Endpoints) else ():
        if seen.probe is not None:
            yield seen, seen.probe


def _unsure(seen: Seen, probe: Probe) -> Iterator[Doubt]:
    """What was put off, or not asked to the end, tells nothing."""
    waiting = [each for each in probe.tried if each.put_off]
    if waiting or probe.end:
        why = probe.end or waiting[0].reply
        yield Doubt(Reason.REFUSED, f"{seen.at}: the probe was not answered to the end ({why}).", _said(seen, waiting))


def _ways(smtpd: SmtpdConfig, probe: Probe, tried: Tried) -> Iterator[Route]:
    """What smtpd.conf says of the envelope, from the one who asked."""
    if _is_address(probe.client):
        for listener in public(smtpd, SMTP):
            session = Session(address=probe.client, tag=listener.tag.value if listener.tag else "", listener=listener)
            yield route(smtpd, session, Envelope(tried.recipient, tried.sender))


def _goes_out(way: Route) -> bool:
    return way.rule is not None and way.rule.action is not None and way.rule.action.is_relay and way.rule.source.kind != "any"


def _trusts_networks(smtpd: SmtpdConfig) -> Iterable[bool]:
    return (each.action is not None and each.action.is_relay and each.source.kind == "src" for each in smtpd.rules)


def _is_known(client: str) -> bool:
    """True if the host saw the same address as the one who asked: nobody translates it on the way."""
    return _is_address(client) and is_public(client)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _place(smtpd: SmtpdConfig) -> Place:
    listeners = public(smtpd, SMTP)
    return Place.at(listeners[0].span) if listeners else Place.whole(smtpd.path)


def _said(seen: Seen, tried: Iterable[Tried]) -> tuple[Evidence, ...]:
    return tuple(
        Evidence(str(seen.at), f"MAIL FROM:<{each.sender}> RCPT TO:<{each.recipient}>: {each.reply}") for each in list(tried)[:5]
    )
