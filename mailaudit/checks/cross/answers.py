"""Rules about whether anybody answers: where the daemons' files say that they listen, and where the authority looks for proof."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from mailaudit.checks.cross.ports import NAMES
from mailaudit.checks.host.services import RESTARTS
from mailaudit.checks.lacking import unread
from mailaudit.checks.registry import rule
from mailaudit.checks.tls.endpoints import IMAPS, SIEVE, SMTP, SUBMISSION, SUBMISSIONS
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Evidence, Exempt, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.behind import Behind
from mailaudit.models.daemons import Daemons
from mailaudit.models.endpoints import Endpoints, Filtered, Seen
from mailaudit.models.listening import Listening, Port, for_the_internet
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.values import TCP
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.questions import Failed, Handshake, Reason
from mailaudit.text import Span

MAIL = frozenset({SMTP, SUBMISSIONS, SUBMISSION, IMAPS, SIEVE})
HTTP = 80
HTTPD_CONF = "/etc/httpd.conf"
_ANYWHERE = frozenset({""})


@rule("CROSS022")
def somebody_answers(
    listening: Listening,
    endpoints: Endpoints | Missing | NotHere | Lacking,
    pf: Ruleset | Missing | NotHere | Lacking,
    daemons: Daemons | Missing | NotHere | Lacking,
    behind: Behind,
) -> Iterator[Outcome]:
    """On each port for mail that a daemon's files name, that daemon answers, at each of the host's addresses."""
    egress = frozenset(each.name for each in pf.egress) if isinstance(pf, Ruleset) else _ANYWHERE
    ports = [port for port in for_the_internet(listening.ports, egress) if port.number in MAIL]
    yield from unread(*listening.lacking)
    if not ports:
        yield Exempt("no daemon for mail listens for other hosts")
    elif not isinstance(endpoints, Endpoints) and listening.sockets is None:
        reason = endpoints.reason if isinstance(endpoints, Lacking) else Reason.NOT_RECORDED
        yield Doubt(reason, "Whether anybody answers on the ports was not asked.")
        return
    for port in ports:
        answers = asked(endpoints, port, listening) if isinstance(endpoints, Endpoints) else []
        refused, closed = _refused(answers), _closed(answers)
        bare = listening.sockets is not None and not listening.sockets.public(port.number)
        if (closed or bare) and (why := _told_elsewhere(port, closed, pf, daemons, behind)) is not None:
            yield Exempt(why)
        elif not refused and not bare:
            yield from unsure(answers)
        else:
            yield _nobody(port, refused, answers, bare=bare)


def asked(endpoints: Endpoints, port: Port, listening: Listening) -> list[tuple[Handshake, Seen | Failed]]:
    """What was asked of a port at the addresses that its daemon listens on."""
    alike = [each for each in listening.ports if (each.daemon, each.number) == (port.daemon, port.number)]
    return [each for each in endpoints.on(port.number) if any(one.is_bound_to(each[0].address) for one in alike)]


def _refused(answers: list[tuple[Handshake, Seen | Failed]]) -> list[Handshake]:
    return [question for question, each in answers if isinstance(each, Failed) and each.reason is Reason.REFUSED]


def _closed(answers: list[tuple[Handshake, Seen | Failed]]) -> list[Handshake]:
    """Where connections are refused, or dropped by some firewall."""
    return [*_refused(answers), *(question for question, each in answers if isinstance(each, Filtered))]


def unsure(answers: list[tuple[Handshake, Seen | Failed]]) -> Iterator[Doubt]:
    """A doubt for each answer that is none; connections that are refused are an answer."""
    for question, each in answers:
        if isinstance(each, Filtered):
            yield Doubt(each.reason, _dropped(question), (Evidence(str(question), each.detail),))
        elif isinstance(each, Failed) and each.reason is not Reason.REFUSED:
            evidence = (Evidence(str(question), str(each.reason)),)
            yield Doubt(each.reason, each.detail or f"{question}: {each.reason}", evidence)


def _dropped(question: Handshake) -> str:
    """A firewall stands in between; which one, nobody can tell from here."""
    whose = "the host's, its provider's, or one of the network that mailaudit is in"
    often = ", as many networks let nobody out to port 25" if question.port == SMTP else ""
    return f"Port {question.port} at {question.address} is dropped by a firewall: {whose}{often}. Look from another network."


def _told_elsewhere(port: Port, closed: list[Handshake], pf: object, daemons: object, behind: Behind) -> str | None:
    """Why nobody answers, where another rule says so."""
    name = port.daemon.lower()
    if isinstance(daemons, Daemons) and daemons.running(name) is False:
        return f"{name} does not run: HOST030 to HOST033 tell of that"
    if name in behind:
        return f"{name} does not run what is on disk: HOST036 tells of that"
    if closed and isinstance(pf, Ruleset) and _is_shut(pf, port, closed):
        return f"pf lets nobody in on port {port.number}: CROSS020 tells of that"
    return None


def _is_shut(pf: Ruleset, port: Port, closed: list[Handshake]) -> bool:
    families = {ip_address(question.address).version for question in closed}
    return all(pf.passes_in(family, TCP, port.number).value == "no" for family in families)


def _nobody(port: Port, refused: list[Handshake], answers: list[tuple[Handshake, Seen | Failed]], *, bare: bool) -> Finding:
    place = Place.at(port.at) if isinstance(port.at, Span) else Place.whole(port.at, "by default")
    where = f" at {' and '.join(each.address for each in refused)}" if len(refused) < len(answers) else ""
    evidence = [Evidence(str(question), "refused") for question in refused]
    if bare:
        evidence.append(Evidence("netstat", f"no socket of port {port.number} that others reach"))
    return Finding(
        f"{port.daemon} is to listen on port {port.number}, and nobody answers there{where}.",
        (place, *evidence),
        Fix(f"Have {port.daemon} listen", Safety.UNSAFE, commands=RESTARTS.get(port.daemon.lower(), ())),
        f"{port.daemon} {port.number}",
        " ".join(NAMES[version] for version in sorted({ip_address(each.address).version for each in refused})),
        absence=not isinstance(port.at, Span),
    )


@rule("HTTPD005")
def the_authority_gets_in(
    acme: AcmeConfig,
    listening: Listening,
    endpoints: Endpoints,
    pf: Ruleset | Missing | NotHere | Lacking,
    daemons: Daemons | Missing | NotHere | Lacking,
) -> Iterator[Outcome]:
    """Over IPv4 and over IPv6 somebody answers on port 80, where the authority looks for its proof."""
    egress = frozenset(each.name for each in pf.egress) if isinstance(pf, Ruleset) else _ANYWHERE
    port = next((each for each in for_the_internet(listening.ports, egress) if each.number == HTTP), None)
    lacking = [each for each in listening.lacking if each.path == HTTPD_CONF]
    if lacking:
        yield from unread(*lacking)
        return
    if not acme.domains or port is None:
        yield Exempt("no certificate is got through port 80" if not acme.domains else "nobody listens on port 80: see HTTPD003")
        return
    answers = asked(endpoints, port, listening)
    refused, closed = _refused(answers), _closed(answers)
    if isinstance(daemons, Daemons) and daemons.running(port.daemon.lower()) is False:
        yield Exempt("httpd does not run: HOST030 tells of that")
    elif isinstance(pf, Ruleset) and closed and _is_shut(pf, port, closed):
        yield Exempt("pf lets nobody in on port 80: CROSS020 tells of that")
    elif refused:
        versions = sorted({ip_address(each.address).version for each in refused})
        over = "" if len(refused) == len(answers) else f" over {' and '.join(NAMES[version] for version in versions)}"
        message = f"On port 80 nobody answers{over}, and that is where the certificate authority comes."
        place = Place.at(port.at) if isinstance(port.at, Span) else Place.whole(port.at)
        evidence = (Evidence(str(question), "refused") for question in refused)
        fix = Fix("See who should answer at this address", Safety.MANUAL, commands=RESTARTS["httpd"])
        yield Finding(message, (place, *evidence), fix, "port 80", " ".join(NAMES[version] for version in versions))
    else:
        yield from unsure(answers)
