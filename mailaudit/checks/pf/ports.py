"""Rules about the ports that the packet filter opens to the Internet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from mailaudit.checks.pf.edits import (
    MOST_EDITS,
    add_port,
    admitting_rule,
    port_tokens,
    remove_ports,
    rule_line,
    top_rules,
    with_port,
)
from mailaudit.checks.pf.words import NAMES, doubt, elsewhere, families_text, place_of, ports_text
from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.scope import Mail, takes_no_mail
from mailaudit.editing.pf import remove
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Evidence, Finding, Outcome, Place
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.endpoints import Endpoints
from mailaudit.models.pf.config import Answer3, Ruleset
from mailaudit.models.pf.reach import OpenPorts
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.running import PfStatus
from mailaudit.models.pf.values import TCP, UDP, Range, merged
from mailaudit.models.site import REFERENCE_TCP, Site
from mailaudit.models.sources import Lacking, Missing, NotHere
from mailaudit.models.sshd import SshdConfig
from mailaudit.parsers.tree import Token

FAMILIES = (4, 6)
DHCPV6_CLIENT = 546


@rule("PF040")
def smtp_is_open(pf: Ruleset, smtpd: Mail) -> Iterator[Outcome]:
    """Other servers can connect to port 25."""
    yield from _of_mail(smtpd, opened(pf, 25, "other mail servers cannot deliver"))


def _of_mail(smtpd: Mail, outcomes: Iterator[Outcome]) -> Iterator[Outcome]:
    why = takes_no_mail(smtpd)
    if why is not None:
        yield why
    else:
        yield from outcomes


@rule("PF041")
def submission_is_open(pf: Ruleset, smtpd: Mail) -> Iterator[Outcome]:
    """Users can connect to port 587."""
    yield from _of_mail(smtpd, opened(pf, 587, "users cannot send mail"))


@rule("PF042")
def imaps_is_open(pf: Ruleset, smtpd: Mail, dovecot: DovecotConfig | Missing | Lacking | NotHere) -> Iterator[Outcome]:
    """Users can connect to port 993."""
    outcomes = opened(pf, 993, "users cannot read their mail")
    yield from outcomes if isinstance(dovecot, DovecotConfig) else _of_mail(smtpd, outcomes)


@rule("PF043")
def http_is_open(pf: Ruleset, smtpd: Mail, acme: AcmeConfig | Missing | Lacking | NotHere) -> Iterator[Outcome]:
    """The certificate authority can connect to port 80."""
    outcomes = opened(pf, 80, "the certificate cannot be renewed")
    yield from outcomes if isinstance(acme, AcmeConfig) else _of_mail(smtpd, outcomes)


@rule("PF044")
def ssh_is_open(pf: Ruleset, sshd: SshdConfig, site: Site) -> Iterator[Outcome]:
    """The administrator can connect to sshd, on one of its ports."""
    networks = _networks(site.declared.admin_networks)
    outcomes = [list(opened(pf, port, "the administrator cannot log in", networks)) for port in sshd.ports]
    if all(outcomes):
        yield from outcomes[0]


def _networks(declared: tuple[str, ...]) -> dict[int, list[Range]]:
    found: dict[int, list[Range]] = {}
    for text in declared:
        network = ip_network(text, strict=False)
        span = int(network.network_address), int(network.broadcast_address)
        found.setdefault(network.version, []).append(span)
    return found


def opened(pf: Ruleset, port: int, harm: str, networks: dict[int, list[Range]] | None = None) -> Iterator[Outcome]:
    """A finding unless a port is open over each family, to all of the Internet or to the networks that are named."""
    answers = [
        (family, pf.admits(family, TCP, port, network=network))
        for family in pf.families
        for network in (networks.get(family, []) if networks else [None])
    ]
    closed = [(family, answer) for family, answer in answers if answer.value == "no"]
    if closed:
        yield _closed(pf, port, closed, harm)
        return
    for family, answer in answers:
        if answer.value == "doubt":
            yield doubt(pf, answer.doubts, f"tcp/{port} is open over IPv{family}")
            return


def _closed(pf: Ruleset, port: int, closed: list[tuple[int, Answer3]], harm: str) -> Finding:
    families = frozenset(family for family, _ in closed)
    over = families_text(families)
    partly = all(answer.partly for _, answer in closed)
    blocking = closed[0][1].rules[0] if closed[0][1].rules else None
    if partly:
        message = f"The packet filter lets only some networks connect to tcp/{port}{over}, so {harm} from the others."
    else:
        message = f"The packet filter lets nobody connect to tcp/{port}{over}, so {harm}."
    places = [place_of(pf, blocking, "this rule decides")]
    listing = admitting_rule(pf, families)
    if listing is not None and listing is not blocking and not partly:
        places.append(Place.at(listing.statement.span, "this rule opens other ports"))
    fix = _fix(pf, port, families, listing)
    return Finding(message, tuple(places), fix, f"tcp {port} in", "partly" if partly else "closed", absence=True)


def _fix(pf: Ruleset, port: int, families: frozenset[int], listing: Rule | None) -> Fix | None:
    """Another port in the rule that opens the others, or a rule of its own; None if neither would help."""
    title = f"Let connections to tcp/{port} in"
    if listing is not None and _mended(pf.with_rule(with_port(listing, port), listing), port, families):
        return Fix(title, Safety.UNSAFE, add_port(pf, listing, port))
    line = f"pass in on egress proto tcp to port {pf.services.name(port) or port}"
    last = _last_about_tcp(pf)
    for after in dict.fromkeys([last, *reversed(top_rules(pf)[-1:])]):
        if _mended(pf.with_line(line, after.statement if after else None), port, families):
            return Fix(title, Safety.UNSAFE, rule_line(pf, after, line))
    return None


def _last_about_tcp(pf: Ruleset) -> Rule | None:
    """The last rule that lets TCP in or blocks by default: below it another one takes effect."""
    rules = [each for each in top_rules(pf) if each.direction != "out" and (TCP in each.protocols or each.action == "block")]
    return rules[-1] if rules else None


def _mended(pf: Ruleset, port: int, families: frozenset[int]) -> bool:
    return all(pf.admits(family, TCP, port).value == "yes" for family in families)


@rule("PF048")
def nothing_else_is_open(
    pf: Ruleset,
    site: Site,
    status: PfStatus | Missing | NotHere | Lacking,
    endpoints: Endpoints | Missing | NotHere | Lacking,
) -> Iterator[Outcome]:
    """No other TCP port can be reached, by the file and, where it was tried, from outside."""
    allowed = REFERENCE_TCP | site.open_tcp
    yield from _only(pf, TCP, allowed)
    if isinstance(endpoints, Endpoints) and (not isinstance(status, PfStatus) or status.enabled):  # else PF002 tells
        yield from _answering(pf, endpoints, allowed)


def _answering(pf: Ruleset, endpoints: Endpoints, allowed: frozenset[int]) -> Iterator[Finding]:
    """Ports on which somebody answers though the file keeps them shut for all, mailaudit's own network among them."""
    open_ = [each for each in endpoints.seen() if each.at.port not in allowed]
    against = [each for each in open_ if pf.is_shut(ip_address(each.at.address).version, TCP, each.at.port)]
    for number in sorted({each.at.port for each in against}):
        evidence = (Evidence(str(each.at), each.greeting or "it is open") for each in against if each.at.port == number)
        message = f"Port {number} answers from outside, though pf.conf keeps it shut: what runs is something else."
        fix = Fix("See whether pf runs, and runs these rules", Safety.MANUAL, commands=("pfctl -si", "pfctl -sr"))
        yield Finding(message, (Place.whole(pf.text), *evidence), fix, f"port {number}", "answers")


@rule("PF049")
def no_udp_port_is_open(pf: Ruleset, site: Site) -> Iterator[Outcome]:
    """No UDP port can be reached; that of a DHCPv6 client is none that anything serves."""
    yield from _only(pf, UDP, frozenset((*site.declared.open_udp, DHCPV6_CLIENT)))


def _only(pf: Ruleset, protocol: int, allowed: frozenset[int]) -> Iterator[Outcome]:
    sure: dict[int, tuple[Rule | None, list[Range], set[int]]] = {}
    unsure: list[OpenPorts] = []
    for family in FAMILIES:
        for each in pf.open_ports(family, protocol):
            other = _without(each.ranges, allowed)
            if not other:
                continue
            if not each.sure:
                unsure.append(each)
                continue
            _, ranges, families = sure.setdefault(id(each.rule), (each.rule, [], set()))
            ranges += other
            families.add(family)
    for found, ranges, families in sure.values():
        yield _exposed(pf, found, Exposed(protocol, merged(ranges), frozenset(families), allowed))
    if unsure and not sure:
        rules = tuple(each.rule for each in unsure if each.rule is not None)
        name = NAMES[protocol]
        yield doubt(pf, rules, f"{name} ports {ports_text(_without(unsure[0].ranges, allowed))} are closed to the Internet")


def _without(ranges: tuple[Range, ...], allowed: frozenset[int]) -> list[Range]:
    """Ranges without single ports; port 0 is no port that a connection can go to."""
    left: list[Range] = []
    for low, high in ranges:
        at = max(low, 1)
        for port in sorted(port for port in allowed if at <= port <= high):
            if at < port:
                left.append((at, port - 1))
            at = port + 1
        if at <= high:
            left.append((at, high))
    return left


@dataclass(frozen=True, slots=True)
class Exposed:
    """What one rule opens: ports of a protocol over some families; those that may be open."""

    protocol: int
    ranges: tuple[Range, ...]
    families: frozenset[int]
    allowed: frozenset[int]

    def __str__(self) -> str:
        return f"{NAMES[self.protocol]} {ports_text(self.ranges)}{families_text(self.families)}"


def _exposed(pf: Ruleset, found: Rule | None, what: Exposed) -> Finding:
    value = ",".join(f"{low}-{high}" for low, high in what.ranges)
    about = f"{NAMES[what.protocol]} in"
    if found is None:
        message = f"No rule blocks connections to {what}: what no rule names passes."
        skip = next((each for each in map(pf.skipped, pf.egress) if each is not None), None)
        place = Place.at(skip.at.span, "pf looks at nothing there") if skip is not None else Place.whole(pf.text)
        return Finding(message, (place,), None, about, value)
    beyond = "beyond the ports of a mail host and those that are declared" if what.protocol == TCP else "which is not declared"
    message = f"This rule lets the Internet connect to {what}, {beyond}."
    named = [item[0] for item in port_tokens(found) if (port := _port_of(pf, item)) is not None and _within(port, what.ranges)]
    places = (Place.at(found.statement.span, "opens them"), *elsewhere(named))
    return Finding(message, places, _tighten(pf, found, what), about, value)


def _within(port: int, ranges: tuple[Range, ...]) -> bool:
    return any(low <= port <= high for low, high in ranges)


def _tighten(pf: Ruleset, found: Rule, what: Exposed) -> Fix | None:
    """Take the ports out of the rule's list, or the rule out; None where the list holds more than plain ports."""
    items = port_tokens(found)
    if found not in top_rules(pf) or not items:
        return None
    doomed: list[Token] = []
    for item in items:
        port = _port_of(pf, item)
        if port is None:
            return None
        if port not in what.allowed and _within(port, what.ranges):
            doomed.append(item[0])
    title = f"Close {NAMES[what.protocol]} {ports_text(what.ranges)}"
    if not doomed:
        return None
    both = len(found.protocols) > 1 or (what.protocol == TCP and _open_over_udp(pf, what.ranges))
    if len(doomed) > MOST_EDITS or both:
        return Fix(title, Safety.MANUAL)
    edits = remove(found.statement) if len(doomed) == len(items) else remove_ports(found, doomed)
    return Fix(title, Safety.UNSAFE if edits else Safety.MANUAL, edits)


def _open_over_udp(pf: Ruleset, ranges: tuple[Range, ...]) -> bool:
    """True if UDP is let in on one of these ports: then something listens there on purpose, as a name server does."""
    found = [span for family in pf.families for each in pf.open_ports(family, UDP) for span in each.ranges]
    return any(first <= high and low <= last for first, last in found for low, high in ranges)


def _port_of(pf: Ruleset, item: tuple[Token, ...]) -> int | None:
    """The port of an item that is one port."""
    if len(item) != 1:
        return None
    text = item[0].value
    return int(text) if text.isdigit() else pf.services.port(pf.services.meant(text) or text)
