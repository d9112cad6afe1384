"""One packet as it is written on a command line: `dir=in if=em0 proto=tcp src=192.0.2.1 dst=203.0.113.9 dport=25`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mailaudit.models.interfaces import Interface
from mailaudit.models.pf.rules import FLAGS
from mailaudit.models.pf.traffic import ALL_PORTS, CLIENT_PORTS, Addresses, Traffic, everyone
from mailaudit.models.pf.values import ICMP, ICMP6, PROTOCOLS, TCP, UDP, Range, address4, address6


class BadPacketError(ValueError):
    """A packet that makes no sense as it is written."""


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet: the name of its interface, and the traffic that it is."""

    interface: str
    traffic: Traffic

    @property
    def malformed(self) -> bool:
        """True if pf drops it before any rule, for its flags, ports or family make no sense."""
        traffic = self.traffic
        if traffic.protocol in (ICMP, ICMP6):
            return (traffic.protocol == ICMP) != (traffic.family == 4)
        if traffic.fragment:
            return False
        if traffic.protocol in (TCP, UDP) and traffic.target_ports == ((0, 0),):
            return True
        return traffic.protocol == TCP and _senseless(traffic.flags)


def _senseless(flags: int) -> bool:
    if flags & FLAGS["S"]:
        return bool(flags & FLAGS["R"])
    if not flags & (FLAGS["A"] | FLAGS["R"]):
        return True
    return not flags & FLAGS["A"] and bool(flags & (FLAGS["F"] | FLAGS["P"] | FLAGS["U"]))


def read_packet(text: str, interfaces: Mapping[str, Interface]) -> Packet:
    """A packet from its words; raises `BadPacketError`. What is not said is any address, a client's port, a first packet."""
    words = dict(_word(word) for word in text.split())
    family, sources, targets = _addresses(words)
    name = words.get("if", "")
    protocol = _protocol(words.get("proto", "tcp"))
    icmp = (int(words["type"]), int(words.get("code", "0"))) if "type" in words else None
    letters = words.get("flags", "S")
    flags = sum(FLAGS[letter] for letter in set("" if letters == "none" else letters))
    if flags & FLAGS["S"]:
        flags &= ~FLAGS["F"]
    return Packet(
        name,
        Traffic(
            direction=words.get("dir", "in"),
            interface=interfaces.get(name, Interface(name)),
            family=family,
            protocol=protocol,
            sources=sources,
            targets=targets,
            source_ports=_port(words.get("sport"), CLIENT_PORTS),
            target_ports=_port(words.get("dport"), ALL_PORTS),
            icmp=icmp,
            flags=flags,
            user=words.get("uid", words.get("user")),
            fragment=words.get("frag") == "1",
            ip_options=words.get("opts") == "1",
            prio=int(words["prio"]) if "prio" in words else None,
        ),
    )


def _word(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals:
        raise BadPacketError(f'"{word}" is not of the form name=value')
    return name, value


def _addresses(words: Mapping[str, str]) -> tuple[int, Addresses, Addresses]:
    found: dict[str, tuple[int, int]] = {}
    for name in ("src", "dst"):
        if name in words:
            value, family = address4(words[name]), 4
            if value is None:
                value, family = address6(words[name]), 6
            if value is None:
                raise BadPacketError(f'"{words[name]}" is no address')
            found[name] = family, value
    families = {family for family, _ in found.values()}
    if len(families) > 1:
        raise BadPacketError("source and destination are of different families")
    family = families.pop() if families else 4
    sets = [Addresses(((found[name][1], found[name][1]),)) if name in found else everyone(family) for name in ("src", "dst")]
    return family, sets[0], sets[1]


def _protocol(name: str) -> int:
    number = int(name) if name.isdigit() else PROTOCOLS.get(name)
    if number is None:
        raise BadPacketError(f'"{name}" is no protocol')
    return number


def _port(text: str | None, otherwise: tuple[Range, ...]) -> tuple[Range, ...]:
    return ((int(text), int(text)),) if text is not None else otherwise
