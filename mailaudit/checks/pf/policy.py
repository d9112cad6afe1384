"""Rules about what the packet filter does with what no rule names, with what the host sends, and with IPv6 neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mailaudit.checks.pf.edits import rule_line, top_rules
from mailaudit.checks.pf.words import NAMES, doubt, families_text, place_of
from mailaudit.checks.registry import rule
from mailaudit.checks.smtpd.scope import Mail, leaves_by_smarthost
from mailaudit.edits import Fix, Safety
from mailaudit.findings import Doubt, Finding, Outcome, Place
from mailaudit.models.interfaces import LOOPBACK, Interface
from mailaudit.models.pf.config import Answer3, Ruleset, one_of
from mailaudit.models.pf.reach import own_address
from mailaudit.models.pf.rules import ACK, SYN, Anchor, Entry, Rule
from mailaudit.models.pf.traffic import Addresses, Traffic
from mailaudit.models.pf.values import ICMP, ICMP6, TCP, UDP
from mailaudit.models.smtpd.config import SmtpdConfig

FAMILIES = (4, 6)
NEEDED = (22, 25, 80, 587, 993)
_RESOLVERS = ("other", "root", "_unbound")
OUTBOUND = (  # what goes out, and in whose name: that it may for one of them is enough
    (TCP, 25, ("_smtpd", "other")),
    (TCP, 53, _RESOLVERS),
    (TCP, 80, ("root",)),
    (TCP, 443, ("root",)),
    (UDP, 53, _RESOLVERS),
    (UDP, 123, ("_ntp", "root", "other")),
)
PROBES = ((TCP, 1), (UDP, 1), (47, 0), (50, 0))
NEIGHBOURS_IN = "pass in quick inet6 proto icmp6 icmp6-type { neighbrsol neighbradv }"
_NEIGHBOURS = {135: "neighbrsol", 136: "neighbradv"}


@rule("PF020")
def default_deny(pf: Ruleset) -> Iterator[Outcome]:
    """What no rule lets through is blocked, both ways."""
    open_ways = _open_ways(replace(pf, entries=_only_blocks(pf.entries)))
    if isinstance(open_ways, dict) and open_ways:  # unless another program's rules block it: those of anchors may
        filled_in = _open_ways(replace(pf, entries=_only_blocks(pf.entries, unfilled=None)))
        open_ways = filled_in if isinstance(filled_in, Doubt) else open_ways
    if not isinstance(open_ways, dict):
        yield open_ways
    elif open_ways:
        yield _no_default(pf, open_ways)


def _open_ways(blocks: Ruleset) -> dict[str, set[int]] | Finding | Doubt:
    """The directions, and the families of each, in which packets pass that no rule names."""
    ways: dict[str, set[int]] = {}
    for direction in ("in", "out"):
        for family in FAMILIES:
            for protocol, port in PROBES:
                answer = blocks.admits(family, protocol, port, direction, user="other")
                if answer.skip is not None:
                    return _skipped(answer)
                if answer.value == "doubt":
                    return doubt(blocks, answer.doubts, f"what no rule names is blocked on the way {direction}")
                if answer.value == "yes" or answer.partly:
                    ways.setdefault(direction, set()).add(family)
    return ways


def _only_blocks(entries: tuple[Entry, ...], unfilled: tuple[Entry, ...] | None = ()) -> tuple[Entry, ...]:
    kept: list[Entry] = []
    for entry in entries:
        if isinstance(entry, Anchor):
            body = unfilled if entry.body is None else _only_blocks(entry.body, unfilled)
            kept.append(replace(entry, body=body))
        elif entry.action != "pass":
            kept.append(entry)
    return tuple(kept)


def _skipped(answer: Answer3) -> Finding:
    assert answer.skip is not None
    message = f"pf looks at no packet on {answer.skip.name}, the way to the Internet, so nothing is blocked there."
    return Finding(message, (Place.at(answer.skip.at.span, "skipped here"),), None, "default", "skipped")


def _no_default(pf: Ruleset, ways: dict[str, set[int]]) -> Finding:
    text = " and ".join(f"{way}{families_text(frozenset(families))}" for way, families in ways.items())
    message = f"Nothing blocks by default what comes or goes: on the way {text}, packets that no rule names pass."
    fix = Fix("Block by default", Safety.UNSAFE, rule_line(pf, None, *_default_lines(pf)))
    value = ",".join(f"{way}{family}" for way, families in ways.items() for family in sorted(families))
    return Finding(message, (Place.whole(pf.text),), fix, "default", value, absence=True)


def _default_lines(pf: Ruleset) -> list[str]:
    """`block all`, and with it rules for what this host needs and what would be cut off."""
    lines = ["block all"]
    blocked = pf.with_line("block all")
    if pf.skipped(LOOPBACK) is None:
        lines.insert(0, "set skip on lo")
    if _blocked_out(blocked):
        lines.append("pass out")
    if not _blocked_neighbours(pf) and _blocked_neighbours(blocked):
        lines.append(NEIGHBOURS_IN)
    closed = [port for port in NEEDED if _is_open(pf, port) and not _is_open(blocked, port)]
    if closed:
        names = " ".join(pf.services.name(port) or str(port) for port in closed)
        lines.append(f"pass in on egress proto tcp to port {{ {names} }}")
    return lines


def _is_open(pf: Ruleset, port: int) -> bool:
    return all(pf.admits(family, TCP, port).value == "yes" for family in FAMILIES)


@rule("PF021")
def everything_goes_out(pf: Ruleset, smtpd: Mail) -> Iterator[Outcome]:
    """The host can reach DNS, time, mail and web servers, and gets their answers."""
    needless = (TCP, 25) if isinstance(smtpd, SmtpdConfig) and leaves_by_smarthost(smtpd, not_by=25) else None
    blocked = [each for each in _blocked_out(pf) if needless is None or each[0] != f"{NAMES[TCP]}/25"]
    if blocked:
        yield _cannot_go_out(pf, blocked)
        return
    for family, protocol, port in _outbound(pf):
        answer = _goes_out(pf, family, protocol, port)
        if answer.value == "doubt" and (protocol, port) != needless:
            yield doubt(pf, answer.doubts, f"{NAMES[protocol]}/{port} goes out over IPv{family}")
            return


def _outbound(pf: Ruleset) -> Iterator[tuple[int, int, int]]:
    for family in pf.families:
        for protocol, port, _ in OUTBOUND:
            yield family, protocol, port
        yield family, ICMP if family == 4 else ICMP6, 0


def _goes_out(pf: Ruleset, family: int, protocol: int, port: int) -> Answer3:
    """Whether a connection goes out for one of the users who need it; if not, the answer for the first in doubt, or the first."""
    users = next((users for *what, users in OUTBOUND if what == [protocol, port]), ("other",))
    answers = []
    for user in users:
        answer = _goes_out_for(pf, family, protocol, port, user)
        if answer.value == "yes":
            return answer
        answers.append(answer)
    return next((answer for answer in answers if answer.value == "doubt"), answers[0])


def _goes_out_for(pf: Ruleset, family: int, protocol: int, port: int, user: str) -> Answer3:
    icmp = {ICMP: (8, 0), ICMP6: (128, 0)}.get(protocol)
    answer = pf.admits(family, protocol, port, "out", icmp=icmp, user=user)
    if answer.value != "yes" or answer.skip is not None or (answer.rules and answer.rules[0].stateful):
        return answer
    return _answers_come_in(pf, family, protocol, port)


def _answers_come_in(pf: Ruleset, family: int, protocol: int, port: int) -> Answer3:
    """Whether the answers to packets that made no state pass by themselves."""
    icmp = {ICMP: (0, 0), ICMP6: (129, 0)}.get(protocol)
    return pf.admits_answers(family, protocol, port, icmp, SYN | ACK)


def _blocked_out(pf: Ruleset) -> list[tuple[str, int, Answer3]]:
    found = []
    for family, protocol, port in _outbound(pf):
        answer = _goes_out(pf, family, protocol, port)
        if answer.value == "no":
            name = NAMES[protocol] if protocol in (ICMP, ICMP6) else f"{NAMES[protocol]}/{port}"
            found.append((name, family, answer))
    return found


def _cannot_go_out(pf: Ruleset, blocked: list[tuple[str, int, Answer3]]) -> Finding:
    names = list(dict.fromkeys(name for name, _, _ in blocked))
    families = frozenset(family for _, family, _ in blocked)
    message = f"The host cannot reach others by {', '.join(names)}{families_text(families)}: a rule blocks it on the way out."
    rules = blocked[0][2].rules
    title = "Let out what the host sends"
    fix = None
    last = top_rules(pf)[-1:]
    after = last[0] if last else None
    if _by_user(pf):
        fix = Fix(title, Safety.MANUAL)
    elif not _blocked_out(pf.with_line("pass out", after.statement if after else None)):
        fix = Fix(title, Safety.UNSAFE, rule_line(pf, after, "pass out"))
    places = (place_of(pf, rules[0] if rules else None, "this rule decides"),)
    return Finding(message, places, fix, "out", ",".join(names), absence=True)


def _by_user(pf: Ruleset) -> bool:
    """True if the ruleset lets some users' connections out and not others': all must not go out then."""
    return any(each.direction != "in" and (each.options.users or each.options.groups) for each in pf.rules)


@rule("PF022")
def only_smtpd_sends_mail(pf: Ruleset) -> Iterator[Outcome]:
    """No other user's programs connect to port 25 of others."""
    answers = [_others_send(pf, family) for family in pf.families]
    found = next((each for each in answers if each.value == "yes"), None)
    if found is not None:
        deciding = found.rules[0] if found.rules else None
        message = "Any user's program can send mail past smtpd: connections to port 25 of others go out for everybody."
        place = place_of(pf, deciding, "lets them out")
        yield Finding(message, (place,), _let_smtpd_alone_out(pf), "tcp 25 out", "anybody")
        return
    for answer in answers:
        if answer.value == "doubt":
            yield doubt(pf, answer.doubts, "programs of other users than smtpd's can connect to port 25 of others")
            return


def _others_send(pf: Ruleset, family: int) -> Answer3:
    return pf.admits(family, TCP, 25, "out", user="other")


def _let_smtpd_alone_out(pf: Ruleset) -> Fix | None:
    title = "Let smtpd alone send mail"
    own = top_rules(pf)
    for quick, after in (("", own[-1] if own else None), (" quick", None)):
        line = f"block return out log{quick} proto tcp to port smtp user != _smtpd"
        mended = pf.with_line(line, after.statement if after else None)
        sends = [mended.admits(family, TCP, 25, "out", user="_smtpd").value for family in mended.families]
        if all(_others_send(mended, family).value == "no" for family in mended.families) and set(sends) == {"yes"}:
            return Fix(title, Safety.UNSAFE, rule_line(pf, after, line))
    return None


@rule("PF033")
def neighbour_discovery_passes(pf: Ruleset) -> Iterator[Outcome]:
    """IPv6 neighbours find this host: neighbour solicitations and advertisements come in."""
    blocked = _blocked_neighbours(pf)
    if blocked:
        yield _not_found(pf, blocked)
        return
    for kind, answer in _neighbours(pf):
        if answer.value == "doubt":
            yield doubt(pf, answer.doubts, f"ICMPv6 {_NEIGHBOURS[kind]} comes in")
            return


def _neighbours(pf: Ruleset) -> Iterator[tuple[int, Answer3]]:
    if 6 not in pf.families:
        return
    of_each = [list(_neighbours_on(pf, interface)) for interface in pf.egress]
    for asked in zip(*of_each, strict=True):
        yield asked[0][0], one_of([answer for _, answer in asked])


def _neighbours_on(pf: Ruleset, interface: Interface) -> Iterator[tuple[int, Answer3]]:
    link_local = Addresses((((0xFE80 << 112) + 0x99,) * 2,), neighbour=True)
    solicited = Addresses((((0xFF02 << 112) + (1 << 32) + 0xFF000009,) * 2,))
    own = own_address(interface, 6)
    for kind in _NEIGHBOURS:
        for source in (link_local, Addresses(neighbour=True)):
            for target in (solicited, own) if kind == 135 else (own,):
                traffic = Traffic("in", interface, 6, ICMP6, source, target, icmp=(kind, 0))
                yield kind, pf.answer(traffic)


def _blocked_neighbours(pf: Ruleset) -> dict[int, Rule | None]:
    found: dict[int, Rule | None] = {}
    for kind, answer in _neighbours(pf):
        if answer.value == "no":
            found.setdefault(kind, answer.rules[0] if answer.rules else None)
    return found


def _not_found(pf: Ruleset, blocked: dict[int, Rule | None]) -> Finding:
    names = " and ".join(_NEIGHBOURS[kind] for kind in sorted(blocked))
    message = f"ICMPv6 {names} is blocked on the way in, so the neighbours lose this host's IPv6 address."
    deciding = next(iter(blocked.values()))
    places = (place_of(pf, deciding, "this rule blocks it"),)
    return Finding(message, places, _let_neighbours_in(pf, blocked), "icmp6 in", names, absence=True)


def _let_neighbours_in(pf: Ruleset, blocked: dict[int, Rule | None]) -> Fix | None:
    title = "Let neighbour discovery in"
    own = top_rules(pf)
    deciding = next((each for each in blocked.values() if each in own), None)
    for after in dict.fromkeys([deciding, *own[-1:], None]):
        if not _blocked_neighbours(pf.with_line(NEIGHBOURS_IN, after.statement if after else None)):
            return Fix(title, Safety.UNSAFE, rule_line(pf, after, NEIGHBOURS_IN))
    return None
