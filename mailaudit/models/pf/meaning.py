"""What pfctl refuses in a rule that its grammar could read.

Source: filteropts_to_rule(), expand_rule(), rule_consistent(), collapse_redirspec() of pfctl's parse.y.
"""

from __future__ import annotations

from mailaudit.models.interfaces import Interfaces
from mailaudit.models.pf.items import Refused
from mailaudit.models.pf.rules import NO_OPTIONS, Rule
from mailaudit.models.pf.values import ICMP, ICMP6, TCP, UDP, Peer
from mailaudit.parsers.tree import Statement, Token

_TCP_UDP = frozenset([TCP, UDP])


def check(rule: Rule, statement: Statement, interfaces: Interfaces) -> None:
    """Raise `Refused` for the first thing that pfctl refuses; `statement` is where it was written.

    What an interface's name stands for is known of recorded interfaces only.
    """
    if rule.source_ports or rule.target_ports:
        _only_tcp_udp(rule, statement, "port")
    if rule.action != "anchor" and rule.targets and any(peer.kind == "urpf-failed" for peer in rule.targets):
        raise Refused('"urpf-failed" can stand in "from" only', rule.targets[0].at)
    if rule.family or (rule.sources and rule.targets):
        _families(rule, interfaces)
    if rule.protocols and (ICMP in rule.protocols or ICMP6 in rule.protocols):
        _icmp_family(rule, statement, interfaces)
    if rule.returns == "return-rst" and rule.protocols != (TCP,):
        raise Refused('"return-rst" applies to tcp only, and the rule must say "proto tcp"', statement.node.all_leaves()[1])
    if rule.options is not NO_OPTIONS:
        _options(rule, statement, interfaces)


def _token(statement: Statement, kind: str) -> Token:
    """The keyword of an option, or the rule's first token."""
    for token in statement.node.all_leaves():
        if token.kind == kind:
            return token
    return statement.node.all_leaves()[0]


def _only_tcp_udp(rule: Rule, statement: Statement, what: str) -> None:
    if not rule.protocols or not _TCP_UDP.issuperset(rule.protocols):
        raise Refused(f'"{what}" applies to tcp and udp only, and the rule must name them with "proto"', _token(statement, what))


def _families_of(peers: tuple[Peer, ...], interfaces: Interfaces) -> set[int]:
    found: set[int] = set()
    for peer in peers:
        if peer.kind == "interface" and not peer.dynamic and interfaces.known:
            named = interfaces.known if peer.name == "self" else interfaces.named(peer.name)
            found |= {address.family for each in named for address in each.addresses or ()} or {0}
        else:
            found.add(peer.family)
    return found or {0}


def _plain(peers: tuple[Peer, ...]) -> bool:
    return not peers or peers[0].dynamic or peers[0].kind != "interface"


def _families(rule: Rule, interfaces: Interfaces) -> None:
    """At least one pair of addresses must be of one family, and of the rule's."""
    if len(rule.sources) <= 1 and len(rule.targets) <= 1 and _plain(rule.sources) and _plain(rule.targets):  # most rules
        named = {peer.family for peer in (*rule.sources, *rule.targets)} | {rule.family}
        if len(named - {0}) <= 1:
            return
    for source in _families_of(rule.sources, interfaces):
        for target in _families_of(rule.targets, interfaces):
            if len({family for family in (rule.family, source, target) if family}) <= 1:
                return
    peers = rule.sources or rule.targets
    raise Refused("the rule's addresses and its family contradict one another, so it can match nothing", peers[0].at)


def _icmp_family(rule: Rule, statement: Statement, interfaces: Interfaces) -> None:
    for source in _families_of(rule.sources, interfaces):
        for target in _families_of(rule.targets, interfaces):
            families = {family for family in (rule.family, source, target) if family}
            if len(families) != 1:
                continue
            wrong = ICMP if families == {6} else ICMP6
            if wrong in rule.protocols:
                name, family = ("icmp", "inet6") if wrong == ICMP else ("icmp6", "inet")
                raise Refused(f"proto {name} does not go with {family}", _token(statement, "proto"))


def _options(rule: Rule, statement: Statement, interfaces: Interfaces) -> None:
    options = rule.options
    if options.users:
        _only_tcp_udp(rule, statement, "user")
    if options.groups:
        _only_tcp_udp(rule, statement, "group")
    if options.icmp:
        _icmp(rule, statement, interfaces)
    if (options.flags not in (None, (0, 0)) or options.systems) and rule.protocols and TCP not in rule.protocols:
        what = "flags" if options.flags not in (None, (0, 0)) else "os"
        raise Refused(f'"{what}" applies to tcp only', _token(statement, what))
    if options.systems and rule.protocols != (TCP,):
        raise Refused('"os" applies to tcp only, and the rule must say "proto tcp"', _token(statement, "os"))
    if options.fragment and (rule.source_ports or rule.target_ports or options.icmp or options.flags not in (None, (0, 0))):
        raise Refused("fragments have no ports, flags or ICMP types to look at", _token(statement, "fragment"))
    if rule.action == "anchor":
        _anchor(rule, statement)
    if rule.action != "pass":
        _not_for_pass(rule, statement)
    _translation(rule, statement, interfaces)


def _icmp(rule: Rule, statement: Statement, interfaces: Interfaces) -> None:
    options = rule.options
    keyword = _token(statement, "icmp-type" if options.icmp_family == 4 else "icmp6-type")
    if rule.protocols != ((ICMP,) if options.icmp_family == 4 else (ICMP6,)):
        wanted = "icmp" if options.icmp_family == 4 else "icmp6"
        raise Refused(f'"{keyword.value}" needs "proto {wanted}"', keyword)
    families = _families_of(rule.sources, interfaces) | _families_of(rule.targets, interfaces)
    if not rule.family and families == {0}:
        family = "inet" if options.icmp_family == 4 else "inet6"
        raise Refused(f'"{keyword.value}" needs the address family: "{family}" before "proto"', keyword)


def _anchor(rule: Rule, statement: Statement) -> None:
    if rule.options.state not in ("", "no"):
        raise Refused("an anchor cannot keep state", _token(statement, rule.options.state))
    if rule.options.route:
        raise Refused("an anchor cannot route", _token(statement, rule.options.route))
    if rule.options.once:
        raise Refused('"once" is for pass and block rules', _token(statement, "once"))


def _not_for_pass(rule: Rule, statement: Statement) -> None:
    options = rule.options
    if options.state not in ("", "no"):
        raise Refused(f'"{options.state} state" is for pass rules', _token(statement, options.state))
    if options.allow_opts:
        raise Refused('"allow-opts" is for pass rules', _token(statement, "allow-opts"))
    if options.route:
        raise Refused(f'"{options.route}" is for pass rules', _token(statement, options.route))
    if options.af_to:
        raise Refused('"af-to" is for pass rules', _token(statement, "af-to"))
    if rule.action == "match" and options.once:
        raise Refused('"once" is for pass and block rules', _token(statement, "once"))
    if rule.action == "match" and options.divert:
        raise Refused(f'"{options.divert}" is not for match rules', _token(statement, options.divert))
    if (options.nat or options.rdr) and rule.action == "block":
        raise Refused("a block rule cannot translate addresses", _token(statement, "nat-to" if options.nat else "rdr-to"))


def _translation(rule: Rule, statement: Statement, interfaces: Interfaces) -> None:
    options = rule.options
    keyword = "af-to" if options.af_to else "binat-to" if options.binat else "nat-to" if options.nat else "rdr-to"
    if options.af_to and rule.direction != "in":
        raise Refused('"af-to" is for rules with "in"', _token(statement, "af-to"))
    if (options.nat or options.rdr) and not options.af_to:
        if options.binat and rule.direction:
            raise Refused('"binat-to" works both ways, the rule cannot have a direction', _token(statement, keyword))
        if not options.binat and not rule.direction:
            raise Refused(f'"{keyword}" needs a direction, "in" or "out"', _token(statement, keyword))
        if rule.action == "pass" and options.state == "no":
            raise Refused(f'"{keyword}" needs a rule that keeps state', _token(statement, keyword))
    if options.rdr and options.rdr.static_port:
        raise Refused('"static-port" is for nat-to', _token(statement, "static-port"))
    if options.nat and options.nat.static_port and options.nat.ports:
        raise Refused('"static-port" cannot be combined with a port', _token(statement, "static-port"))
    for translation in (options.nat, options.rdr):
        if translation is not None and not options.af_to:
            _one_family(rule, translation.targets, interfaces)
    if options.route:
        _route(rule, statement)
    if (options.divert, rule.direction) in (("divert-to", "out"), ("divert-reply", "in")):
        raise Refused(f'"{options.divert}" does not go with "{rule.direction}"', _token(statement, options.divert))


def _one_family(rule: Rule, targets: tuple[Peer, ...], interfaces: Interfaces) -> None:
    family = rule.family
    for peers in (rule.sources, rule.targets):
        named = _families_of(peers, interfaces)
        family = family or (named.pop() if len(named) == 1 else 0)
    families = _families_of(targets, interfaces)
    if family and 0 not in families and family not in families:
        raise Refused("the addresses to translate to are of another family than the rule", targets[0].at)
    if not family and len(families - {0}) > 1:
        raise Refused("the addresses to translate to are of both families, so the rule must name one", targets[0].at)


def _route(rule: Rule, statement: Statement) -> None:
    keyword = _token(statement, rule.options.route)
    if rule.options.route != "dup-to" and not rule.direction:
        raise Refused(f'"{rule.options.route}" needs a direction, "in" or "out"', keyword)
    if rule.options.state == "no":
        raise Refused(f'"{rule.options.route}" needs a rule that keeps state', keyword)
