"""Rules about ICMP and ICMPv6: what lets others see that the host is there, and tells it of trouble on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mailaudit.checks.pf.edits import rule_line, top_rules
from mailaudit.checks.pf.words import doubt, elsewhere, place_of
from mailaudit.checks.registry import rule
from mailaudit.editing import lists
from mailaudit.editing.pf import lists_of, shared_items
from mailaudit.edits import Edit, Fix, Safety
from mailaudit.findings import Doubt, Exempt, Finding, Outcome, Place
from mailaudit.models.daemons import Daemons
from mailaudit.models.hostname_if import Configured, HostnameIf
from mailaudit.models.pf.config import Answer3, Ruleset, one_of
from mailaudit.models.pf.origins import origins
from mailaudit.models.pf.rules import Rule
from mailaudit.models.pf.traffic import Addresses, Traffic
from mailaudit.models.pf.values import ICMP, ICMP6, TCP, UDP
from mailaudit.questions import Reason

PROTOCOLS: Mapping[int, int] = {4: ICMP, 6: ICMP6}
KEYWORDS: Mapping[int, str] = {4: "inet proto icmp icmp-type", 6: "inet6 proto icmp6 icmp6-type"}
ROUTER_ADVERTISEMENT = 134
ALL_NODES = (0xFF02 << 112) + 1
DHCPV6 = ("dhcp6leased", "dhcpcd")
DHCPV6_IN = "pass in on egress inet6 proto udp from fe80::/10 port 547 to port 546"
NO_IPV6 = "the host has no IPv6 address"


@dataclass(frozen=True, slots=True)
class Message:
    """A kind of ICMP message: its family, its number, and its name in pf.conf(5)."""

    family: int
    number: int
    name: str


ECHO = Message(4, 8, "echoreq")
ECHO6 = Message(6, 128, "echoreq")
ERRORS = (Message(4, 3, "unreach"), Message(4, 11, "timex"))
ERRORS6 = (Message(6, 1, "unreach"), Message(6, 2, "toobig"), Message(6, 3, "timex"), Message(6, 4, "paramprob"))
ADVERTISEMENT = Message(6, ROUTER_ADVERTISEMENT, "routeradv")
OBSOLETE = (Message(4, 4, "squench"), Message(4, 30, "trace"), Message(4, 0, "echorep"))


def comes_in(pf: Ruleset, message: Message) -> Answer3:
    """Whether a message comes in from anywhere; of router advertisements, from the router next door."""
    if message == ADVERTISEMENT:
        return one_of([pf.answer(each) for each in _advertisements(pf)])
    return pf.admits(message.family, PROTOCOLS[message.family], icmp=(message.number, 0))


def _advertisements(pf: Ruleset) -> Iterator[Traffic]:
    router = Addresses((((0xFE80 << 112) + 1,) * 2,), neighbour=True)
    nodes = Addresses(((ALL_NODES, ALL_NODES),))
    for interface in pf.egress:
        yield Traffic("in", interface, 6, ICMP6, router, nodes, icmp=(ROUTER_ADVERTISEMENT, 0))


def _blocked(pf: Ruleset, wanted: Sequence[Message], harm: str, *related: Place) -> Iterator[Outcome]:
    """A finding if some of these messages do not come in; `related` are places that say why they should."""
    answers = [(message, comes_in(pf, message)) for message in wanted]
    closed = [message for message, answer in answers if answer.value == "no"]
    if closed:
        first = next(answer for message, answer in answers if message is closed[0])
        kind = "ICMP" if closed[0].family == 4 else "ICMPv6"
        names = ", ".join(message.name for message in closed)
        partly = all(answer.partly for message, answer in answers if message in closed)
        who = "only some networks are let in" if partly else "a rule blocks it on the way in"
        text = f"{kind} {names}: {who}, so {harm}."
        deciding = first.rules[0] if first.rules else None
        safety = Safety.UNSAFE if ADVERTISEMENT in closed else Safety.SAFE
        fix = Fix(f"Let {names} in", safety, edits) if (edits := let_in(pf, closed)) else None
        places = (place_of(pf, deciding, "this rule decides"), *related)
        yield Finding(text, places, fix, f"{kind.lower()} in", names, absence=True)
        return
    for message, answer in answers:
        if answer.value == "doubt":
            yield doubt(pf, answer.doubts, f"{message.name} comes in over IPv{message.family}")
            return


def let_in(pf: Ruleset, messages: Sequence[Message]) -> tuple[Edit, ...]:
    """Edits that let messages of one family in: in the rule that lets others of the kind in, else by a rule of their own."""
    listing = _listing(pf, messages[0].family)
    if listing is not None:
        more = tuple((message.number, None) for message in messages)
        options = replace(listing.options, icmp=(*listing.options.icmp, *more))
        if _all_come_in(pf.with_rule(replace(listing, options=options), listing), messages):
            edits = _longer(listing, messages)
            if edits:
                return edits
    names = " ".join(message.name for message in messages)
    words = f"{{ {names} }}" if len(messages) > 1 else names
    for quick in ("", " quick"):
        line = f"pass in{quick} {KEYWORDS[messages[0].family]} {words}"
        for after in dict.fromkeys([_last_about_icmp(pf), *top_rules(pf)[-1:], None]):
            if _all_come_in(pf.with_line(line, after.statement if after else None), messages):
                return rule_line(pf, after, line)
    return ()


def _all_come_in(pf: Ruleset, messages: Sequence[Message]) -> bool:
    return all(comes_in(pf, message).value == "yes" for message in messages)


def _listing(pf: Ruleset, family: int) -> Rule | None:
    """The rule that lets most kinds of messages in."""
    found = [
        each
        for each in top_rules(pf)
        if each.action == "pass" and each.direction != "out" and each.options.icmp and each.options.icmp_family == family
    ]
    return max(found, key=lambda each: len(each.options.icmp), default=None)


def _longer(listing: Rule, messages: Sequence[Message]) -> tuple[Edit, ...]:
    for node in lists_of(listing.statement):
        if node.kind == "icmp":
            listed = shared_items(node)
            near, _ = listed.around(len(listed.items) - 1)
            first, last = near.items[0][0], near.items[-1][-1]
            comma = "," if "," in first.text.chars[first.start : last.end] else ""
            return lists.insert_item(near, f"{comma} ".join(message.name for message in messages)) or ()
    return ()


def _last_about_icmp(pf: Ruleset) -> Rule | None:
    """The last rule about ICMP, or that blocks by default: below it another one takes effect."""
    about = {ICMP, ICMP6}
    rules = [each for each in top_rules(pf) if about & set(each.protocols) or (each.action == "block" and not each.protocols)]
    return rules[-1] if rules else None


@rule("PF030")
def echo_requests_come_in(pf: Ruleset) -> Iterator[Outcome]:
    """The host answers ping over IPv4."""
    if 4 not in pf.families:
        yield Exempt("the host has no IPv4 address")
        return
    yield from _blocked(pf, (ECHO,), "nobody can see by ping whether the host is there")


@rule("PF031")
def errors_reach_the_host(pf: Ruleset) -> Iterator[Outcome]:
    """Unreachable and time exceeded reach the host: with the state of what they are about, or by a rule of their own."""
    answers = [pf.admits(4, protocol, port, "out", user="other") for protocol, port in ((TCP, 80), (UDP, 53))]
    stateless = [each for each in answers if not _makes_state(each)]
    if not stateless:
        return
    harm = "the host waits for a timeout where it could know at once that nobody answers"
    blocked = list(_blocked(pf, ERRORS, harm))
    if blocked and all(each.value == "doubt" for each in stateless):
        yield doubt(pf, stateless[0].doubts, "what goes out makes a state, which the errors about it come in by")
        return
    yield from blocked


def _makes_state(answer: Answer3) -> bool:
    return answer.value == "yes" and answer.skip is None and bool(answer.rules) and answer.rules[0].stateful


@rule("PF032")
def obsolete_messages_stay_out(pf: Ruleset) -> Iterator[Outcome]:
    """Source quench and traceroute do not come in, nor answers to an echo request that nobody sent."""
    answers = [(message, comes_in(pf, message)) for message in OBSOLETE]
    by_rule: dict[Rule | None, list[Message]] = {}
    for message, answer in answers:
        if answer.value == "yes" and answer.skip is None:
            by_rule.setdefault(answer.rules[0] if answer.rules else None, []).append(message)
    for deciding, messages in by_rule.items():
        names = ", ".join(f"{message.name} ({message.number})" for message in messages)
        text = f"ICMP {names} comes in, which hosts have long ceased to heed."
        places = (place_of(pf, deciding, "lets it in"), *_named(deciding, messages))
        yield Finding(text, places, _without(pf, deciding, messages), "icmp in", names)
    if not by_rule:
        unsure = next(((message, answer) for message, answer in answers if answer.value == "doubt"), None)
        if unsure is not None:
            yield doubt(pf, unsure[1].doubts, f"ICMP {unsure[0].name} stays out")


def _named(deciding: Rule | None, messages: Sequence[Message]) -> tuple[Place, ...]:
    """Where a rule's kinds are written, if that is a macro."""
    if deciding is None:
        return ()
    written = [origin.at for origin in origins(deciding) if origin.name in ("icmp-type", "icmp6-type")]
    kinds = [kind for kind, _ in deciding.options.icmp]
    wanted = {message.number for message in messages}
    return elsewhere([at for kind, at in zip(kinds, written, strict=False) if kind in wanted])


def _without(pf: Ruleset, deciding: Rule | None, messages: Sequence[Message], safety: Safety = Safety.SAFE) -> Fix:
    """Take the kinds out of the list that names them."""
    title = f"Do not let {', '.join(message.name for message in messages)} in"
    doomed = {message.number for message in messages}
    if deciding is None or deciding not in top_rules(pf):
        return Fix(title, Safety.MANUAL)
    for node in lists_of(deciding.statement):
        if node.kind == "icmp":
            listed = shared_items(node)
            kinds = [kind for kind, _ in deciding.options.icmp]
            gone = [number for number, kind in enumerate(kinds) if kind in doomed]
            edits = lists.remove_items(listed, gone) if len(kinds) == len(listed.items) else None
            return Fix(title, safety if edits else Safety.MANUAL, edits or ())
    return Fix(title, Safety.MANUAL)


@rule("PF034")
def echo_requests_come_in_over_ipv6(pf: Ruleset) -> Iterator[Outcome]:
    """The host answers ping over IPv6."""
    if 6 not in pf.families:
        yield Exempt(NO_IPV6)
        return
    yield from _blocked(pf, (ECHO6,), "nobody can see by ping whether the host is there over IPv6")


@rule("PF035")
def router_advertisements_come_in_where_needed(pf: Ruleset, hostname_if: HostnameIf) -> Iterator[Outcome]:
    """Router advertisements come in if, and only if, the IPv6 address is made of them."""
    outer = [each for each in hostname_if.interfaces if any(found.name in ("", each.name) for found in pf.egress)]
    asked = next((word for each in outer for family, word in each.autoconf if family == 6), None)
    if asked is not None:
        harm = "the address that the interface asks for is never made, or runs out"
        yield from _blocked(pf, (ADVERTISEMENT,), harm, Place.at(asked.span, "asks for it"))
        return
    fixed = _first_static(outer)
    answer = comes_in(pf, ADVERTISEMENT)
    if fixed is None:
        yield Exempt("no interface to the Internet has an IPv6 address by its file")
    elif answer.value == "yes" and answer.skip is None:
        deciding = answer.rules[0] if answer.rules else None
        text = "Router advertisements come in, but the IPv6 address is a fixed one: nothing needs them."
        places = (place_of(pf, deciding, "lets them in"), *_named(deciding, (ADVERTISEMENT,)), fixed)
        fix = _without(pf, deciding, (ADVERTISEMENT,), Safety.UNSAFE)
        yield Finding(text, places, fix, "icmpv6 routeradv", "needless")
    elif answer.value == "doubt":
        yield doubt(pf, answer.doubts, "router advertisements stay out")


def _first_static(interfaces: Sequence[Configured]) -> Place | None:
    for each in interfaces:
        for address in each.addresses:
            if address.family == 6:
                return Place.at(address.host.span, "the address")
    return None


@rule("PF036")
def errors_reach_the_host_over_ipv6(pf: Ruleset) -> Iterator[Outcome]:
    """The errors without which IPv6 does not work come in, whether they match a state or not."""
    if 6 not in pf.families:
        yield Exempt(NO_IPV6)
        return
    harm = "what they tell of large packets and dead ends can get lost"
    yield from _blocked(pf, ERRORS6, harm)


@rule("PF037")
def dhcpv6_replies_come_in(pf: Ruleset, daemons: Daemons) -> Iterator[Outcome]:
    """Where the host asks for IPv6 addresses by DHCPv6, the answers come in."""
    enabled = {name: daemons.enabled(name) for name in DHCPV6}
    if not any(enabled.values()):
        if None in enabled.values():
            yield Doubt(Reason.NOT_RECORDED, "Whether a DHCPv6 client starts at boot was not recorded.")
        yield Exempt("no DHCPv6 client starts at boot")
        return
    answer = one_of([pf.answer(each) for each in _dhcpv6_replies(pf)])
    if answer.value == "no":
        name = next(name for name, starts in enabled.items() if starts)
        message = f"{name} asks for IPv6 addresses by DHCPv6, but the answers do not come in."
        last = _last_about_icmp(pf)
        mended = pf.with_line(DHCPV6_IN, last.statement if last else None)
        helps = all(mended.answer(each).value == "yes" for each in _dhcpv6_replies(mended))
        fix = Fix("Let the answers in", Safety.SAFE, rule_line(pf, last, DHCPV6_IN)) if helps else None
        places = (place_of(pf, answer.rules[0] if answer.rules else None, "this rule decides"),)
        yield Finding(message, places, fix, "dhcpv6 in", "closed", absence=True)
    elif answer.value == "doubt":
        yield doubt(pf, answer.doubts, "answers to DHCPv6 come in")


def _dhcpv6_replies(pf: Ruleset) -> Iterator[Traffic]:
    """What a server or relay on the link answers to this host's link-local address."""
    server, own = (Addresses((((0xFE80 << 112) + end,) * 2,), neighbour=end == 1) for end in (1, 9))
    for interface in pf.egress:
        yield Traffic("in", interface, 6, UDP, server, own, ((547, 547),), ((546, 546),))
