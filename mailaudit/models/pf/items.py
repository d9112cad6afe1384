"""Reads the items of pf's lists from their tokens: addresses, ports, protocols, ICMP types, users, interfaces.

A reader raises `Refused` for what pfctl refuses by meaning; where it is plain what was meant, the problem is noted in `faults`
and reading goes on with that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from mailaudit.models.pf.values import (
    ICMP_CODES,
    ICMP_TYPES,
    MAX_PORT,
    PROTOCOLS,
    WIDTH,
    Compared,
    Peer,
    Ports,
    PortTest,
    address4,
    address6,
    can_be_a_host,
    merged,
    port_range,
    strtoul,
)
from mailaudit.models.services import Services
from mailaudit.parsers.nearest import swapped
from mailaudit.parsers.tree import Problem, Token

MODIFIERS = frozenset(["network", "broadcast", "peer", "0"])
_PORT_RANGE = re.compile(r"[0-9]+-[0-9]+\Z")
_COMPARISONS = frozenset(["=", "!=", "<", "<=", ">", ">="])
_BETWEEN = frozenset(["<>", "><"])
_PUNCTUATION = frozenset(["newline", ",", "{", "}"])


@dataclass(frozen=True, slots=True)
class Fault:
    """What pfctl refuses: the problem, and where macros were used that brought it there."""

    problem: Problem
    uses: tuple[Token, ...] = ()


class Refused(Exception):  # noqa: N818  it is no error of ours
    """A statement that pfctl refuses by its meaning."""

    def __init__(self, message: str, token: Token, mend: str | None = None, meant: str | None = None) -> None:
        super().__init__(message)
        self.token = token
        self.meant = meant
        self.problem = Problem(message, token.span, mend=mend)


def not_known(message: str, token: Token, known: Iterable[str]) -> Refused:
    """What to say of a word that is not known: with the known one that it is most like, if there is one."""
    words = sorted(known)
    lower = token.value.lower()
    near = (
        lower if lower in words else swapped(lower, words) or next(iter(get_close_matches(lower, words, n=1, cutoff=0.7)), None)
    )
    if near is None:
        return Refused(message, token)
    return Refused(f'{message}; did you mean "{near}"?', token, written_like(token, near), near)


@dataclass(frozen=True, slots=True)
class OnInterface:
    """One item of `on`: a name, `any`, or `rdomain N` (then the name is empty)."""

    name: str
    negated: bool
    at: Token
    rdomain: int | None = None


@dataclass
class Reader:
    """Reads items; `faults` are what pfctl refuses and it is plain what was meant."""

    services: Services
    faults: list[Refused] = field(default_factory=list)

    def ports(self, tokens: Sequence[Token]) -> Ports:
        """The ports of a list."""
        at = {id(token): number for number, token in enumerate(tokens)}
        tests = [self._port_item(operator, operands, at[id(operands[0])]) for operator, operands in comparisons(tokens)]
        ranges = [each for test in tests for each in port_range(test.operator, test.low, test.high)]
        return Ports(tuple(tests), merged(ranges))

    def _port_item(self, operator: str, operands: list[Token], number: int) -> PortTest:
        first = operands[0]
        if len(operands) == 1 and _PORT_RANGE.match(first.value):
            colon = first.value.replace("-", ":")
            message = f'a range of ports is written with a colon: "{colon}"'
            self.faults.append(Refused(message, first, written_like(first, colon)))
            first = Token(first.kind, colon, first.text, first.start, first.end, first.via)
        if len(operands) == 1 and ":" in first.value and first.kind != "number":
            low, high = self.port_pair(first)
            if operator != "=" and low != high:
                raise Refused(f'"{first.value}" cannot be used with another port operator', first)
            if low > high:
                raise Refused(f'the range of ports "{first.value}" ends before it begins', first)
            return PortTest(operator if low == high else ":", low, high, number)
        numbers = [self.port(token) for token in operands]
        second = numbers[-1]
        if operator in _BETWEEN and (numbers[0] > second or (operator == "><" and numbers[0] == second)):
            raise Refused("a range of ports that ends before it begins", first)
        return PortTest(operator, numbers[0], second, number)

    def port_pair(self, token: Token) -> tuple[int, int]:
        """Both ends of `22:25`."""
        low, _, high = token.value.partition(":")
        return self._port_named(low, token), self._port_named(high, token)

    def port(self, token: Token) -> int:
        """One port by number or name."""
        if token.kind == "number":
            value = int(token.value)
            if not 0 <= value <= MAX_PORT:
                raise Refused(f"{value} is no port: they end at {MAX_PORT}", token)
            return value
        return self._port_named(token.value, token)

    def _port_named(self, name: str, token: Token) -> int:
        number = strtoul(name)
        if number is not None:
            if number > MAX_PORT:
                raise Refused(f"{name} is no port: they end at {MAX_PORT}", token)
            return number
        found = self.services.port(name)
        if found is not None:
            return found
        meant = self.services.meant(name)
        message = f'the port name "{name}" is not in /etc/services'
        if meant is None or name != token.value:
            raise Refused(message, token)
        self.faults.append(Refused(f"{message}; the service is called {meant}", token, mend=written_like(token, meant)))
        port = self.services.port(meant)
        assert port is not None
        return port

    def protocols(self, tokens: Sequence[Token]) -> tuple[int, ...]:
        """The protocol numbers of a list."""
        return tuple([self._protocol(token) for token in tokens if token.kind not in _PUNCTUATION])

    def _protocol(self, token: Token) -> int:
        number = int(token.value) if token.kind == "number" else PROTOCOLS.get(token.value)
        if number is None:
            number = PROTOCOLS[self._meant(f'the protocol "{token.value}" is not known', token, PROTOCOLS)]
        if not 0 < number <= 255:
            raise Refused(f"{number} is no protocol that a rule can name", token)
        return number

    def icmp(self, tokens: Sequence[Token], family: int) -> tuple[tuple[int, int | None], ...]:
        """The ICMP types of a list, each with its code or None."""
        found: list[tuple[int, int | None]] = []
        rest = [token for token in tokens if token.kind not in _PUNCTUATION]
        at = 0
        while at < len(rest):
            kind = self._icmp_type(rest[at], family)
            at += 1
            code = None
            if at + 1 < len(rest) and rest[at].kind == "code":
                code = self.icmp_code(rest[at + 1], family, kind)
                at += 2
            found.append((kind, code))
        return tuple(found)

    def _icmp_type(self, token: Token, family: int) -> int:
        number = int(token.value) if token.kind == "number" else ICMP_TYPES[family].get(token.value)
        if number is None:
            message = f'the ICMP type "{token.value}" is not known for inet{"" if family == 4 else "6"}'
            number = ICMP_TYPES[family][self._meant(message, token, ICMP_TYPES[family])]
        if not 0 <= number <= 255:
            raise Refused(f"{number} is no ICMP type", token)
        return number

    def icmp_code(self, token: Token, family: int, kind: int) -> int:
        """The code of an ICMP type by number or name."""
        names = ICMP_CODES.get((family, kind), {})
        number = int(token.value) if token.kind == "number" else names.get(token.value)
        if number is None:
            number = names[self._meant(f'"{token.value}" is no code of this ICMP type', token, names)]
        if not 0 <= number <= 255:
            raise Refused(f"{number} is no ICMP code", token)
        return number

    def _meant(self, message: str, token: Token, known: Iterable[str]) -> str:
        """The known word that an unknown one plainly means, noted as a fault; `Refused` if there is none."""
        refused = not_known(message, token, known)
        if refused.meant is None:
            raise refused
        self.faults.append(refused)
        return refused.meant

    def peers(self, tokens: Sequence[Token]) -> tuple[Peer, ...]:
        """The addresses of a list; `any` among them makes it `any`."""
        if len(tokens) == 1:
            return (peer_of(tokens[0]),)
        found = tuple(_peers(tokens))
        for peer in found:
            if peer.kind == "any":
                return (peer,)
        return found


def written_like(token: Token, text: str) -> str:
    """A word in the quotes of the token that it stands for."""
    written = token.span.chars
    if token.kind == "string" and written[:1] in ("'", '"') and written != token.value:
        return f"{written[0]}{text}{written[0]}"
    return text


def comparisons(tokens: Sequence[Token]) -> Iterator[tuple[str, list[Token]]]:
    """The items of a list of ports, users or groups: operator and operands."""
    size = len(tokens)
    at = 0
    while at < size:
        kind = tokens[at].kind
        if kind in _PUNCTUATION:
            at += 1
        elif kind in _COMPARISONS:
            yield kind, [tokens[at + 1]]
            at += 2
        elif at + 1 < size and tokens[at + 1].kind in _BETWEEN:
            yield tokens[at + 1].kind, [tokens[at], tokens[at + 2]]
            at += 3
        else:
            yield "=", [tokens[at]]
            at += 1


def compared(tokens: Sequence[Token]) -> tuple[Compared, ...]:
    """The users or groups of a list."""
    return tuple(
        Compared(operator, tuple(token.value for token in operands), operands[0]) for operator, operands in comparisons(tokens)
    )


def interfaces(tokens: Sequence[Token]) -> tuple[OnInterface, ...]:
    """The interfaces of a list."""
    found: list[OnInterface] = []
    negated = False
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "!":
            negated = True
        elif token.kind == "rdomain":
            at += 1
            found.append(OnInterface("", negated, token, int(tokens[at].value)))
        elif token.kind not in _PUNCTUATION and token.kind not in ("(", ")"):
            if len(token.value) > 15:
                raise Refused(f'"{token.value}" is too long for the name of an interface', token)
            found.append(OnInterface(token.value, negated, token))
        if token.kind != "!":
            negated = False
        at += 1
    return tuple(found)


def _peers(tokens: Sequence[Token]) -> Iterator[Peer]:
    size = len(tokens)
    at = 0
    negated = False
    while at < size:
        token = tokens[at]
        kind = token.kind
        at += 1
        if kind == "!":
            negated = True
            continue
        if kind in _PUNCTUATION:
            continue
        following = tokens[at].kind if at < size else ""
        if kind == "<":
            peer = Peer("table", tokens[at], name=tokens[at].value)
            at += 2
        elif kind == "(":
            peer = _dynamic(tokens[at])
            at += 2
            if at < size and tokens[at].kind == "/":
                peer = replace(peer, bits=_dynamic_bits(tokens[at + 1]))
                at += 2
        elif kind == "route":
            peer = Peer("label", tokens[at], name=tokens[at].value)
            at += 1
        elif following == "/":
            peer = _with_mask(token, tokens[at + 1])
            at += 2
        elif following == "-":
            peer = _address_range(token, tokens[at + 1])
            at += 2
        else:
            peer = peer_of(token)
        if at < size and tokens[at].kind == "weight":
            peer = replace(peer, weight=_weight(tokens[at + 1]))
            at += 2
        yield replace(peer, negated=True) if negated else peer
        negated = False


def _weight(token: Token) -> int:
    if not 1 <= int(token.value) <= MAX_PORT:
        raise Refused(f"a weight is a number from 1 to {MAX_PORT}", token)
    return int(token.value)


def peer_of(token: Token) -> Peer:
    """A lone word as an address: a keyword, an address, an interface or a name."""
    kind = token.kind
    if kind in ("any", "no-route", "urpf-failed"):
        return Peer(kind, token)
    text = token.value
    value = address4(text)
    if value is not None:
        return Peer("net", token, family=4, low=value, high=value)
    value = address6(text)
    if value is not None:
        return Peer("net", token, family=6, low=value, high=value)
    return _named(token)


def _named(token: Token) -> Peer:
    name, *modifiers = token.value.split(":")
    if modifiers:
        return Peer("interface", token, name=name, modifiers=_modifiers(token, modifiers))
    if name == "any":
        raise Refused('"any" in quotes is the name of a host, not the keyword', token, mend="any")
    if "@" in name or not can_be_a_host(name):
        raise Refused(f'"{name}" is no address, and no name that could be looked up', token)
    if "." in name or name == "localhost":
        return Peer("name", token, name=name)
    return Peer("interface", token, name=name)


def _modifiers(token: Token, modifiers: list[str]) -> tuple[str, ...]:
    for modifier in modifiers:
        if modifier not in MODIFIERS:
            name, _, port = token.value.partition(":")
            if address4(name) is not None:
                mend = f"{name} port {port}"
                raise Refused(f'a port stands behind its address as a word of its own: "{mend}"', token, mend)
            raise not_known(f'":{modifier}" cannot follow the name of an interface', token, [f"{name}:{m}" for m in MODIFIERS])
    if len(set(modifiers) - {"0"}) > 1:
        raise Refused("only one of :network, :broadcast and :peer can follow the name of an interface", token)
    return tuple(modifiers)


def _dynamic(token: Token) -> Peer:
    name, *modifiers = token.value.split(":")
    if not name[:1].isalpha():
        raise Refused(f'"{token.value}" is no name of an interface', token)
    return Peer("interface", token, name=name, modifiers=_modifiers(token, modifiers), dynamic=True)


def _dynamic_bits(token: Token) -> int:
    bits = int(token.value)
    if not 0 <= bits <= 128:
        raise Refused(f"a mask of {bits} bits is too long", token)
    return bits


def _with_mask(token: Token, mask: Token) -> Peer:
    bits = int(mask.value)
    text = str(int(token.value)) if token.kind == "number" else token.value
    value, family = address4(text, short=True), 4
    if value is None:
        value, family = address6(text), 6
    if value is None:
        peer = _named(token)
        if peer.kind == "interface" and set(peer.modifiers) & {"network", "broadcast"}:
            raise Refused(f'"{token.value}" is a network already, a mask cannot follow', mask)
        return replace(peer, bits=bits)
    width = WIDTH[family]
    if not 0 <= bits <= width:
        raise Refused(f"a mask of {bits} bits is too long for an IPv{family} address", mask)
    size = 1 << (width - bits)
    low = value // size * size
    return Peer("net", token, family=family, low=low, high=low + size - 1)


def _address_range(first: Token, last: Token) -> Peer:
    low, high = peer_of(first), peer_of(last)
    if low.kind != "net" or high.kind != "net" or low.family != high.family:
        raise Refused("a range of addresses needs two addresses of one family", last)
    return Peer("net", first, family=low.family, low=low.low, high=high.high, is_range=True)
