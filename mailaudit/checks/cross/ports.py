"""Rules about the chain of ports: what the daemons listen on, and what pf lets in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailaudit.checks.pf.edits import MOST_EDITS
from mailaudit.checks.pf.lists import add_port, named_ports, port_tokens, without
from mailaudit.checks.registry import rule
from mailaudit.editing import dovecot
from mailaudit.editing.lists import disjoint
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.listening import BOTH, Listening, Port, for_the_internet
from mailaudit.models.pf.config import Answer3, Ruleset
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.values import TCP
from mailaudit.models.services import Services
from mailaudit.models.site import REFERENCE_TCP, Site
from mailaudit.parsers.tree import Token
from mailaudit.questions import Reason
from mailaudit.text import Span

NAMES = {4: "IPv4", 6: "IPv6"}
HTTPS, SIEVE = 443, 4190  # PF045 and PF047 speak of them, in either way
SSH = 22  # sshd runs on every host that is administered from afar; its configuration is not among the files
OURS = frozenset({25, 80, 110, 143, 443, 465, 587, 993, 995, 2000, 4190})  # of mail and web: these daemons', if anybody's


SHUT = frozenset({110, 143, 2000})  # of POP3 and IMAP in clear, of ManageSieve long ago: the filter may well keep them shut


@rule("CROSS020")
def listeners_are_let_in(listening: Listening, pf: Ruleset, services: Services, site: Site) -> Iterator[Outcome]:
    """Whatever a daemon listens on for the Internet is let in by pf, on both families."""
    ports = list(for_the_internet(listening.ports, frozenset(interface.name for interface in pf.egress)))
    if not ports and not listening.lacking:
        yield Exempt("no daemon listens for other hosts")
    for port in ports:
        if port.daemon == "Dovecot" and port.number in SHUT - site.open_tcp:
            continue
        answers = {family: pf.passes_in(family, TCP, port.number) for family in port.families if _has(family, pf, site)}
        closed = {family: answer for family, answer in answers.items() if answer.value == "no" and not answer.partly}
        if closed:
            over = "" if len(closed) == len(answers) else " and ".join(NAMES[family] for family in closed)
            yield _closed(port, closed, over, _fix(port, closed, pf, services, site))
            continue
        for family, answer in answers.items():
            if answer.value == "doubt":
                message = f"Whether pf lets {NAMES[family]} in on port {port.number} cannot be told."
                yield Doubt(Reason.IN_DOUBT, message, (*_rules(answer.doubts, "in doubt"), _place(port)))
    yield from (Doubt(each.reason, each.detail) for each in listening.lacking)


def _closed(port: Port, closed: Mapping[int, Answer3], over: str, fix: Fix) -> Finding:
    name = f" ({port.name})" if port.name else ""
    return Finding(
        f"{port.daemon} listens on port {port.number}{name}, but pf lets nobody in there{f' over {over}' if over else ''}.",
        (_place(port), *_rules(_blocking(closed), "blocks it")),
        fix,
        f"{port.daemon} {port.number}",
        over,
        absence=not isinstance(port.at, Span),  # a default, which a file that was not read might change
    )


def _blocking(closed: Mapping[int, Answer3]) -> tuple[Rule, ...]:
    return tuple(rule for answer in closed.values() for rule in answer.rules[:1])


def _fix(port: Port, closed: Mapping[int, Answer3], pf: Ruleset, services: Services, site: Site) -> Fix:
    """A port of the reference is opened; any other listener goes."""
    unwanted = port.name == "sieve" and site.declared.managesieve != "public"
    if port.number in REFERENCE_TCP | site.open_tcp and not unwanted:
        edits = add_port(pf, services, port.number, closed, _blocking(closed))
        return Fix(f"Let port {port.number} in", Safety.UNSAFE if edits else Safety.MANUAL, edits)
    edits = () if port.block is None else dovecot.remove(port.block)
    return Fix(f"Do not listen on port {port.number} for others", Safety.UNSAFE if edits else Safety.MANUAL, edits)


@rule("CROSS021")
def open_ports_have_listeners(listening: Listening, pf: Ruleset, site: Site) -> Iterator[Outcome]:
    """Something listens on each port that pf names to let it in."""
    served = {port.number for port in listening.ports} | {SSH, HTTPS, SIEVE} | site.open_tcp
    named: dict[int, list[tuple[int, Rule]]] = {}
    for port, number, by in named_ports(pf):
        if port not in served:
            named.setdefault(port, []).append((number, by))
    open_ = [span for family in BOTH for span in pf.open_to_strangers(family, TCP)] if named else []
    for port, rules in named.items():
        if not any(low <= port <= high for low, high in open_):
            continue
        if listening.sockets is not None and listening.sockets.public(port):
            continue
        uses = [(port_tokens(by)[number], by) for number, by in rules]
        if listening.sockets is not None or (listening.complete and port in OURS):
            yield _nobody(port, uses)
        else:
            message = f"Whether anything listens on port {port}, which pf lets in, was not recorded."
            yield Doubt(Reason.NOT_RECORDED, message, (Place.at(uses[0][0].span),))


def _nobody(port: int, uses: list[tuple[Token, Rule]]) -> Finding:
    tokens = list({(token.text.path, token.start): token for token, _ in uses}.values())
    edits: dict[Edit, None] = {}
    if len(tokens) <= MOST_EDITS:
        each_use = [without(token, by) for token, by in uses]
        edits = dict.fromkeys(edit for found in each_use for edit in found) if all(each_use) else {}
    whole = bool(edits) and disjoint(edits)
    return Finding(
        f"pf lets port {port} in, and nothing listens there.",
        (Place.at(tokens[0].span, f"port {port}"), *(Place.at(token.span, "here too") for token in tokens[1:MOST_EDITS])),
        Fix(f"Do not let port {port} in", Safety.UNSAFE if whole else Safety.MANUAL, tuple(edits) if whole else ()),
        f"port {port}",
        str(port),
        absence=True,
    )


def _place(port: Port) -> Place:
    return Place.at(port.at) if isinstance(port.at, Span) else Place.whole(port.at, "by default")


def _rules(rules: tuple[Rule, ...], label: str) -> Iterator[Place]:
    return (Place.at(rule.statement.span, label) for rule in dict.fromkeys(rules))


def _has(family: int, pf: Ruleset, site: Site) -> bool:
    """Whether the host has addresses of a family: as its interfaces say, else as the site does; if nothing is known, both."""
    addresses = [interface.addresses for interface in pf.egress]
    if addresses and all(known is not None for known in addresses):
        return any(address.family == family for known in addresses for address in known or ())
    mine, other = (site.ipv4, site.ipv6) if family == 4 else (site.ipv6, site.ipv4)
    return bool(mine) or not other
