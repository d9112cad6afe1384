"""Expanded rules as pfctl prints them.

Source: print_rule(), print_fromto(), print_pool() and print_addr() of pfctl, expand_label() of its parse.y.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import md5
from ipaddress import IPv4Address, IPv6Address

from mailaudit.models.pf.expand import NAT_HIGH, NAT_LOW, Expanded, Pool
from mailaudit.models.pf.print_options import states
from mailaudit.models.pf.rules import FLAGS
from mailaudit.models.pf.settings import Settings, settings
from mailaudit.models.pf.values import (
    ICMP_CODES,
    ICMP_TYPES,
    PROTOCOLS,
    TCP,
    UNREACHABLE,
    WIDTH,
    Compared,
    Peer,
    PortTest,
)

_MODIFIERS = ("network", "broadcast", "peer", "0")
_PROTOCOL_NAMES = {number: name for name, number in reversed(PROTOCOLS.items())}
_TYPE_NAMES = {family: {number: name for name, number in reversed(names.items())} for family, names in ICMP_TYPES.items()}
_CODE_NAMES = {key: {number: name for name, number in reversed(names.items())} for key, names in ICMP_CODES.items()}


def rule_text(made: Expanded, number: int = 0, anchor: str | None = None) -> str:
    """One rule; an anchor's if it has a name (an empty one where it was given none). `number` is its place in its ruleset."""
    said = settings(made.rule)
    words = [_action(made, said, anchor)]
    if made.direction:
        words.append(made.direction)
    words += _log(said)
    if made.rule.quick:
        words.append("quick")
    words += _interface(made)
    if made.family:
        words.append("inet" if made.family == 4 else "inet6")
    if made.protocol:
        words += ["proto", _PROTOCOL_NAMES.get(made.protocol, str(made.protocol))]
    words += _from_to(made)
    words += _conditions(made, said, is_anchor=anchor is not None)
    words += _set(said)
    words += states(made, said, is_anchor=anchor is not None)
    words += _scrub(made, said)
    words += _marks(made, said, number)
    words += _ways(made) if anchor is None else []
    return " ".join(words)


def _action(made: Expanded, said: Settings, anchor: str | None) -> str:
    rule = made.rule
    if anchor is not None:
        return f'anchor "{anchor}"' if anchor else "anchor"
    if rule.action != "block":
        return rule.action
    if rule.returns == "return-rst":
        ttl = said["return-rst ttl"].value if "return-rst ttl" in said else 0
        return f"block return-rst(ttl {ttl})" if ttl else "block return-rst"
    if rule.returns not in ("return-icmp", "return-icmp6"):
        return f"block {rule.returns}"
    code4, code6 = _unreachable(said, 4), _unreachable(said, 6)
    if made.family == 4:
        return f"block return-icmp({code4})"
    return f"block return-icmp6({code6})" if made.family == 6 else f"block return-icmp({code4}, {code6})"


def _unreachable(said: Settings, family: int) -> str:
    name = "return-icmp code" if family == 4 else "return-icmp6 code"
    if name in said:
        number = int(said[name].value)
    elif family == 6 and "return-icmp code" in said:
        number = 3  # pfctl puts IPv4's default there
        return str(number)
    else:
        number = 3 if family == 4 else 4
    return _CODE_NAMES[family, UNREACHABLE[family]].get(number, str(number))


def _log(said: Settings) -> list[str]:
    if "log" not in said:
        return []
    parts = [kind for kind in ("all", "matches", "user") if f"log {kind}" in said]
    interface = str(said["log to"].value) if "log to" in said else "pflog0"
    if int(interface.removeprefix("pflog")):
        parts.append(f"to {interface}")
    return ["log", f"({', '.join(parts)})"] if parts else ["log"]


def _interface(made: Expanded) -> list[str]:
    item = made.interface
    if item is None:
        return ["on", made.scope] if made.scope else []
    name = item.name if item.rdomain is None else f"rdomain {item.rdomain}"
    return ["on", "!", name] if item.negated else ["on", name]


def _from_to(made: Expanded) -> list[str]:
    source, target = _peer(made.source, made.family), _peer(made.target, made.family)
    if source == target == "any" and not made.source_port and not made.target_port and not made.system:
        return ["all"]
    words = ["from", source, *_port(made.source_port)]
    if made.system:
        words += ["os", f'"{made.system}"']
    return [*words, "to", target, *_port(made.target_port)]


def _peer(peer: Peer | None, family: int) -> str:
    if peer is None:
        return "any"
    return f"! {address(peer, family)}" if peer.negated else address(peer, family)


def _port(test: PortTest | None) -> list[str]:
    return ["port", compared(test.operator, str(test.low), str(test.high))] if test is not None else []


def compared(operator: str, low: str, high: str) -> str:
    """A comparison of ports, users or groups."""
    if operator == ":":
        return f"{low}:{high}"
    return f"{low} {operator} {high}" if operator in ("><", "<>") else f"{operator} {low}"


def address(peer: Peer, family: int) -> str:
    """An address as print_addr() has it: of a table or an interface its name, of a network its prefix."""
    kind = peer.kind
    if kind == "net":
        return network(peer)
    if kind == "table":
        return f"<{peer.name}>"
    if kind == "label":
        return f'route "{peer.name}"'
    if kind != "interface":
        return peer.name if kind == "name" else kind
    name = ":".join((peer.name, *(each for each in _MODIFIERS if each in peer.modifiers)))
    mask = f"/{peer.bits}" if peer.bits is not None and peer.bits < (WIDTH[4] if family == 4 else WIDTH[6]) else ""
    return f"({name}){mask}" if peer.dynamic else f"{name}{mask}"


def network(peer: Peer) -> str:
    """A network or a range of addresses; all addresses are `any`."""
    width = WIDTH[peer.family]
    if peer.is_range:
        return f"{written(peer.family, peer.low)} - {written(peer.family, peer.high)}"
    bits = width - (peer.high - peer.low).bit_length()
    if not bits:
        return "any"
    text = written(peer.family, peer.low)
    return text if bits == width else f"{text}/{bits}"


def written(family: int, value: int) -> str:
    """An address as inet_ntop(3) has it: the last 32 bits of some IPv6 addresses in dots."""
    if family == 4:
        return str(IPv4Address(value))
    if value >> 32 == 0xFFFF:
        return f"::ffff:{IPv4Address(value & 0xFFFFFFFF)}"
    if not value >> 32 and value >> 16:
        return f"::{IPv4Address(value)}"
    return str(IPv6Address(value))


def _conditions(made: Expanded, said: Settings, *, is_anchor: bool) -> Iterator[str]:
    received = made.rule.options.received_on
    if received is not None:
        yield f"{'!' if received.negated else ''}received-on {received.name}"
    if made.user is not None:
        yield f"user {_owner(made.user)}"
    if made.group is not None:
        yield f"group {_owner(made.group)}"
    want, looked_at = made.flags
    if looked_at:
        yield f"flags {_letters(want)}/{_letters(looked_at)}"
    elif made.stateful and made.protocol in (0, TCP) and not made.rule.options.fragment and not is_anchor:
        yield "flags any"
    if made.icmp is not None:
        yield _icmp(*made.icmp, made.rule.options.icmp_family)
    if "tos" in said and said["tos"].value:
        yield f"tos 0x{said['tos'].value:02x}"
    if "prio" in said:
        yield f"prio {said['prio'].value}"
    if "max-pkt-rate" in said and said["max-pkt-rate"].value:
        yield f"max-pkt-rate {said['max-pkt-rate'].value}/{said['max-pkt-rate seconds'].value}"


def _owner(item: Compared) -> str:
    return compared(item.operator, item.values[0], item.values[-1])


def _letters(flags: int) -> str:
    return "".join(letter for letter, bit in FLAGS.items() if flags & bit)


def _icmp(kind: int, code: int | None, family: int) -> str:
    words = "icmp-type" if family == 4 else "icmp6-type"
    words += f" {_TYPE_NAMES[family].get(kind, str(kind))}"
    if code is None:
        return words
    return f"{words} code {_CODE_NAMES.get((family, kind), {}).get(code, str(code))}"


def _set(said: Settings) -> list[str]:
    parts = []
    if "set prio" in said:
        first, second = said["set prio"].value, said["set prio for acks"].value
        parts.append(f"prio {first}" if first == second else f"prio({first}, {second})")
    if "set queue" in said:
        first = said["set queue"].value
        second = said["set queue for acks"].value if "set queue for acks" in said else ""
        parts.append(f"queue({first}, {second})" if second else f"queue {first}")
    if "set tos" in said:
        parts.append(f"tos 0x{said['set tos'].value:02x}")
    if "set delay" in said:
        parts.append(f"delay {said['set delay'].value}")
    return ["set", f"({', '.join(parts)})"] if parts else []


def _scrub(made: Expanded, said: Settings) -> Iterator[str]:
    if "fragment" in said:
        yield "fragment"
    parts = [name for name in ("no-df", "random-id") if name in said]
    if "min-ttl" in said and said["min-ttl"].value:
        parts.append(f"min-ttl {said['min-ttl'].value}")
    if "reassemble" in said or ("divert-packet" in said and made.rule.defaults.reassembles):
        parts.append("reassemble tcp")
    if "max-mss" in said and said["max-mss"].value:
        parts.append(f"max-mss {said['max-mss'].value}")
    if parts:
        yield f"scrub ({' '.join(parts)})"
    if "allow-opts" in said:
        yield "allow-opts"


def _marks(made: Expanded, said: Settings, number: int) -> Iterator[str]:
    if "label" in said:
        yield f'label "{_filled(said["label"].value, made, number)}"'
    if "once" in said:
        yield "once"
    if "tag" in said:
        yield f"tag {_filled(said['tag'].value, made, number)}"
    if "tagged" in said:
        yield f"{'! ' if '! tagged' in said else ''}tagged {_filled(said['tagged'].value, made, number)}"
    if "rtable" in said:
        yield f"rtable {said['rtable'].value}"


def _filled(text: int | str, made: Expanded, number: int) -> str:
    """A label or tag with what its `$` words stand for."""
    label = str(text)
    if "$" not in label:
        return label
    label = label.replace("$if", made.interface.name if made.interface is not None else made.scope or "any")
    for name, peer in (("$srcaddr", made.source), ("$dstaddr", made.target)):
        label = label.replace(name, _peer(peer, made.family) if peer is None or peer.kind != "interface" else f"({peer.name})")
    for name, test in (("$srcport", made.source_port), ("$dstport", made.target_port)):
        text = compared(test.operator, str(test.low), str(test.high)).replace(" ", "") if test is not None else ""
        plain = test is not None and test.operator == "="  # of a range with a colon pfctl puts in nothing
        label = label.replace(name, "" if ":" in text else text.removeprefix("=") if plain else text)
    protocol = _PROTOCOL_NAMES.get(made.protocol, str(made.protocol)) if made.protocol else "ip"
    return label.replace("$proto", protocol).replace("$nr", str(number))


def _ways(made: Expanded) -> Iterator[str]:
    """Where packets are sent: divert, translation, route."""
    options = made.rule.options
    if made.divert is not None:
        yield f"divert-to {address(made.divert, made.family)} port {options.divert_port}"
    elif options.divert:
        yield f"divert-packet port {options.divert_port}" if options.divert_port else options.divert
    naf = made.rule.options.af_to
    if naf and made.nat is not None:
        yield f"af-to {'inet' if naf == 4 else 'inet6'} from {_pool(made.nat, naf, 'nat')}"
        if made.rdr is not None:
            yield f"to {_pool(made.rdr, naf, 'rdr')}"
    elif made.nat is not None:
        yield f"nat-to {_pool(made.nat, made.family, 'nat')}"
    elif made.rdr is not None:
        yield f"rdr-to {_pool(made.rdr, made.family, 'rdr')}"
    if made.route is not None:
        yield f"{made.rule.options.route} {_pool(made.route, made.family, 'route')}"


def _pool(pool: Pool, family: int, kind: str) -> str:
    translation = pool.translation
    words = [f"<{pool.table}>" if pool.table else address(pool.targets[0], family)]
    low, high = pool.ports
    if low and (kind != "nat" or (low, high) != (NAT_LOW, NAT_HIGH)):
        words.append(f"port {low}:{high}" if high not in (0, low) else f"port {low}")
    if pool.how:
        words.append(f"source-hash {_key(translation.key)}".rstrip() if pool.how == "source-hash" else pool.how)
    if translation.sticky:
        words.append("sticky-address")
    if kind == "nat" and pool.ports == (0, 0):
        words.append("static-port")
    return " ".join(words)


def _key(text: str) -> str:
    """A key as 128 bits: a hexadecimal one as it is, else the MD5 of the text; nothing was said: pfctl takes one by chance."""
    if not text or text.startswith("0x"):
        return text.lower()
    return "0x" + md5(text.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
