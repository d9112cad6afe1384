"""Rules about ports that are open for a service: open if it is there and meant for all, guarded, and not led elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mailaudit.checks.pf.edits import MOST_EDITS, remove_ports, rule_line, top_rules
from mailaudit.checks.pf.edits import port_tokens as listed_ports
from mailaudit.checks.pf.lists import named_ports, port_tokens
from mailaudit.checks.pf.ports import opened
from mailaudit.checks.pf.words import place_of
from mailaudit.checks.registry import rule
from mailaudit.editing import words
from mailaudit.editing.pf import remove
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.listening import Listening
from mailaudit.models.pf.addresses import public
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.pf.eval import Filter
from mailaudit.models.pf.match import Matcher, concerns
from mailaudit.models.pf.reach import own_address
from mailaudit.models.pf.rules import Options, Rule, Table
from mailaudit.models.pf.traffic import Addresses, Masks, Traffic
from mailaudit.models.pf.values import TCP, Peer
from mailaudit.models.rc import RcConf
from mailaudit.models.site import Site
from mailaudit.models.sources import Lacking, NotHere
from mailaudit.models.sshd import SshdConfig
from mailaudit.parsers.pf_limiters import sources
from mailaudit.questions import Reason

FAMILIES = (4, 6)
HTTPS, SUBMISSIONS, SIEVE, SPAMD = 443, 465, 4190, 8025
WITH_PASSWORDS = (587, 465, 993)
MAIL: Mapping[int, str] = {25: "smtp", 587: "submission", 465: "submissions", 993: "imaps"}
A_STRANGER = {4: (0xC6336407, 0xC6336407), 6: ((0x20010DB8 << 96) + 0x7777, (0x20010DB8 << 96) + 0x7777)}
ABUSERS = "abusers"
LIMITS = "max-src-conn-rate 30/60"


def _listens(listening: Listening, port: int) -> bool | None:
    """Whether something listens on a port for others; None where that is not known."""
    if any(each.number == port for each in listening.ports):
        return True
    if listening.sockets is not None:
        return listening.sockets.public(port)
    return False if listening.complete else None


def _closing(pf: Ruleset, port: int) -> Fix:
    """Take a port out of the lists of the rules that name it."""
    title = f"Do not let tcp/{port} in"
    edits: dict[Edit, None] = {}
    top = top_rules(pf)
    for number, _, by in [each for each in named_ports(pf) if each[0] == port][:MOST_EDITS]:
        items = listed_ports(by)
        doomed = [item[0] for item in items if len(item) == 1 and _is(pf, item[0].value, number)]
        if by not in top or not doomed:
            return Fix(title, Safety.MANUAL)
        found = remove(by.statement) if len(doomed) == len(items) else remove_ports(by, doomed)
        if not found:
            return Fix(title, Safety.MANUAL)
        edits.update(dict.fromkeys(found))
    return Fix(title, Safety.UNSAFE if edits else Safety.MANUAL, tuple(edits))


def _is(pf: Ruleset, text: str, port: int) -> bool:
    return int(text) == port if text.isdigit() else pf.services.port(text) == port


def _place_of_port(pf: Ruleset, port: int, otherwise: Rule | None) -> Place:
    for number, at, by in named_ports(pf):
        if number == port:
            return Place.at(port_tokens(by)[at].span, f"port {port}")
    return place_of(pf, otherwise, "opens it")


@rule("PF045")
def https_is_open_if_served(pf: Ruleset, listening: Listening) -> Iterator[Outcome]:
    """Port 443 is open if, and only if, something listens there."""
    answers = [pf.passes_in(family, TCP, HTTPS) for family in pf.families]
    is_open = next((each for each in answers if each.value == "yes"), None)
    listens = _listens(listening, HTTPS)
    if listens:
        yield from opened(pf, HTTPS, "nobody can read what is served there")
    elif is_open is None:
        return
    elif listens is None:
        yield Doubt(Reason.NOT_RECORDED, "Whether anything listens on port 443, which pf lets in, was not recorded.")
    else:
        place = _place_of_port(pf, HTTPS, is_open.rules[0] if is_open.rules else None)
        yield Finding("pf lets port 443 in, and nothing listens there.", (place,), _closing(pf, HTTPS), "tcp 443 in", "open")


@rule("PF046")
def submissions_is_open_if_served(pf: Ruleset, listening: Listening) -> Iterator[Outcome]:
    """Where smtpd listens for TLS from the first byte, port 465 is open."""
    listens = _listens(listening, SUBMISSIONS)
    if listens:
        yield from opened(pf, SUBMISSIONS, "mail programs that want TLS from the first byte cannot send")
    elif listens is None:
        yield Doubt(Reason.NOT_RECORDED, "Whether anything listens on port 465 was not recorded.")
    else:
        yield Exempt("nothing listens on port 465")


@rule("PF047")
def managesieve_is_open_if_meant_to_be(pf: Ruleset, listening: Listening, site: Site) -> Iterator[Outcome]:
    """Port 4190 is open if ManageSieve is offered and meant for all, else it is shut."""
    listens = _listens(listening, SIEVE)
    if listens is None:
        yield Doubt(Reason.NOT_RECORDED, "Whether anything listens on port 4190 was not recorded.")
    elif listens and site.declared.managesieve == "public":
        yield from opened(pf, SIEVE, "users cannot change their filters")
    else:
        answers = [pf.passes_in(family, TCP, SIEVE) for family in pf.families]
        found = next((each for each in answers if each.value == "yes"), None)
        if found is not None:
            why = "ManageSieve is not meant for others" if listens else "nothing listens there"
            place = _place_of_port(pf, SIEVE, found.rules[0] if found.rules else None)
            yield Finding(f"pf lets port 4190 in, but {why}.", (place,), _closing(pf, SIEVE), "tcp 4190 in", "open")


@rule("PF053")
def guessing_is_throttled(pf: Ruleset, sshd: SshdConfig) -> Iterator[Outcome]:
    """Whoever connects too often to a port with a login is shut out."""
    weak: dict[Rule, list[int]] = {}
    why = ""
    for port in dict.fromkeys((*sshd.ports, *WITH_PASSWORDS)):
        for family in pf.families:
            answer = pf.passes_in(family, TCP, port)
            if answer.value != "yes" or not answer.rules:
                continue
            lacks = _lacks(pf, answer.rules[0], family, port)
            if lacks:
                why = why or lacks
                weak.setdefault(answer.rules[0], []).append(port)
    if not weak:
        return
    ports = sorted({port for each in weak.values() for port in each})
    names = ", ".join(map(str, ports))
    places = tuple(Place.at(each.statement.span, "lets them in") for each in weak)
    message = f"Passwords can be guessed without end on tcp {names}: {why}."
    yield Finding(message, places, _throttled(pf, ports), "throttle", names, absence=True)


def _lacks(pf: Ruleset, by: Rule, family: int, port: int) -> str:
    """What a rule lacks for its limit to shut out whoever goes beyond it; nothing if it does."""
    table = by.options.overload
    if not {"max-src-conn-rate", "max-src-conn"} & set(by.options.state_options):
        tables = _of_limiters(pf, by)
        if not tables:
            return "the rule that lets them in has no limit of connections"
        table = max(tables)
    if not table:
        return "whoever goes beyond the limit is not remembered"
    token = by.statement.seen[0]
    low, high = A_STRANGER[family]
    full = Table(table, (Peer("net", token, family=family, low=low, high=high),), (), token)
    guarded = Filter(pf.entries, {**pf.tables, table: full}, pf.book)
    for interface in pf.egress:
        own = own_address(interface, family)
        stranger = Addresses(((low, high),), stranger=True)
        traffic = Traffic("in", interface, family, TCP, stranger, own, target_ports=((port, port),))
        if guarded.run(traffic).surely_passed:
            return f"no rule blocks the addresses in <{table}>"
    return ""


def _of_limiters(pf: Ruleset, by: Rule) -> list[str]:
    """The tables of the source limiters that a rule uses; empty names of those that have none."""
    names = sources(by.statement.tokens)
    known = (each.node for tree in pf.trees for each in tree.walk() if names and each.kind == "limiter")
    used = [node for node in known if node.first.value == "source" and node.leaves()[2].value in names]
    return [table.leaves()[2].value if (table := node.node("table")) is not None else "" for node in used]


def _throttled(pf: Ruleset, ports: list[int]) -> Fix | None:
    """A table, a rule that blocks it, and one with a limit below the last of those that let the ports in."""
    names = " ".join(pf.services.name(port) or str(port) for port in ports)
    top = top_rules(pf)
    if any(each.quick and TCP in (each.protocols or (TCP,)) and each.direction != "out" for each in top if each.action == "pass"):
        return Fix("Throttle connections to ports with a login", Safety.MANUAL)
    throttle = f"pass in on egress proto tcp to port {{ {names} }} keep state ({LIMITS}, overload <{ABUSERS}> flush global)"
    last = next((each for each in reversed(top) if each.direction != "out"), None)
    blocking = next((each for each in top if each.action == "block"), None)
    if last is None or blocking is None:
        return None
    shut_out = any(each.action == "block" and each.quick and f"<{ABUSERS}>" in each.statement.span.chars for each in top)
    guard = [] if shut_out else [f"block in quick on egress from <{ABUSERS}>"]
    if ABUSERS not in pf.tables:
        guard.insert(0, f"table <{ABUSERS}> persist")
    edits = (*rule_line(pf, blocking, *guard), *rule_line(pf, last, throttle)) if blocking is not last else ()
    return Fix("Throttle connections to ports with a login", Safety.UNSAFE if edits else Safety.MANUAL, edits)


@rule("PF054")
def mail_goes_to_the_mail_daemons(pf: Ruleset, rc: RcConf | NotHere | Lacking) -> Iterator[Outcome]:
    """Nothing leads connections to the ports of mail to another address or port; spamd may, where it runs."""
    for by, ports in _diverting(pf).items():
        options = by.options
        target = options.rdr.ports[0][0] if options.rdr is not None and options.rdr.ports else options.divert_port
        names = ", ".join(map(str, ports))
        if target == SPAMD and ports == [25]:
            runs = rc.service("spamd").enabled if isinstance(rc, RcConf) else None
            if runs:
                continue
            if runs is None:
                message = "Port 25 is led to spamd, and whether that runs was not recorded."
                yield Doubt(Reason.NOT_RECORDED, message, (Place.at(by.statement.span, "leads it there"),))
                continue
        how = "divert-to" if options.rdr is None else "rdr-to"
        message = f"Connections to tcp {names} are led elsewhere by {how}, so what answers there is not what is judged here."
        fix = Fix(f"Take {how} out, or the rule", Safety.UNSAFE, _straight(by)) if by in top_rules(pf) else None
        yield Finding(message, (Place.at(by.statement.span, "leads them elsewhere"),), fix, "diverted", names)


def _straight(by: Rule) -> tuple[Edit, ...]:
    node = by.statement.node.node("rdr-to") or by.statement.node.node("divert-to")
    return () if node is None else words.without(by.statement, node.all_leaves()) or ()


def _diverting(pf: Ruleset) -> dict[Rule, list[int]]:
    """The rules that lead connections to ports of mail elsewhere, and which ports."""
    found: dict[Rule, list[int]] = {}
    suspects = [
        each
        for each in pf.rules
        if (each.options.rdr is not None and not each.options.binat) or each.options.divert == "divert-to"
    ]
    if not suspects:
        return found
    for port in MAIL:
        for traffic in _from_strangers(pf, port):
            deciding, _ = pf.filter.run(traffic).deciding()
            matcher = Matcher(traffic, pf.book)
            for each in suspects:
                matches = (
                    each.action == "match"
                    and concerns(each, "in", traffic.interface, traffic.family, TCP)
                    and matcher.match(each, pf.tables, _tags_may_be)[1]
                )
                if (matches or each is deciding) and port not in found.setdefault(each, []):
                    found[each].append(port)
    return {each: ports for each, ports in found.items() if ports}


def _from_strangers(pf: Ruleset, port: int) -> Iterator[Traffic]:
    for family in pf.families:
        for interface in pf.egress:
            if pf.skipped(interface) is None:
                strangers, own = Addresses(public(family), stranger=True), own_address(interface, family)
                yield Traffic("in", interface, family, TCP, strangers, own, target_ports=((port, port),))


def _tags_may_be(_options: Options) -> Masks:
    return 0, 1
