"""Dovecot's filters (local, local_name, remote, protocol): in which order they nest, and which networks lie in which."""

from __future__ import annotations

import ipaddress
import re

from mailaudit.models.dovecot.sections import Scope, Section
from mailaudit.models.dovecot.settings import FILTERS, NEW

_PART = re.compile(r"0[xX][0-9a-fA-F]{1,8}|0[0-7]{0,11}|[1-9][0-9]{0,9}")
_Net = ipaddress.IPv4Network | ipaddress.IPv6Network


def misplaced(type_: str, name: str, around: list[Scope], family: str) -> str:
    """Why a filter may not stand in the sections around it, or empty. `around` are the open scopes, the outermost first."""
    named = next((scope.section for scope in around if scope.kind != "filter" or scope.section.type not in ("", *FILTERS)), None)
    if family == NEW and named is not None:
        if named.type.startswith("@"):
            return f'"{type_}" may not stand in a group'
        return f'"{type_}" may not stand in "{named.type}"; write it the other way round'
    outer = [scope.section for scope in around if scope.kind == "filter" and scope.section.type in FILTERS]
    wrong = next((each.type for each in outer if FILTERS.index(each.type) > FILTERS.index(type_)), None)
    if wrong is not None:
        return f'"{type_}" may not stand in "{wrong}"; write it the other way round'
    if type_ == "protocol":
        return '"protocol" may not stand in "protocol"' if any(each.type == "protocol" for each in outer) else ""
    if type_ == "local_name":
        return "local_name takes one name in Dovecot 2.4" if family == NEW and " " in name else ""
    return _of_network(type_, name, [each for each in outer if each.type == type_])


def _of_network(type_: str, name: str, outer: list[Section]) -> str:
    if not name:
        return f'"{type_}" needs an address'
    here = network(name)
    mask = name.partition("/")[2]
    if "/" in name and here is None and not (mask.isascii() and mask.isdigit() and int(mask[:4]) <= 128):
        return f'"{mask}" is no network mask'
    nets = [network(each.name) for each in outer]
    if here is not None and any(net is not None and not _lies_in(here, net) for net in nets):
        return f'the network of a "{type_}" in a "{type_}" must lie inside that one\'s'
    return ""


def network(name: str) -> _Net | None:
    """A network or an address; None for a host's name."""
    address, slash, mask = name.partition("/")
    try:
        return ipaddress.ip_network(f"{_in_full(address.strip('[]'))}{slash}{mask}", strict=False)
    except ValueError:
        return None


def _in_full(address: str) -> str:
    """An IPv4 address with all its parts in decimal, as inet_aton(3) reads 203.0x71.9; anything else as it is."""
    parts = address.split(".")
    if len(parts) > 4 or not all(_PART.fullmatch(part) for part in parts):
        return address
    numbers = [int(part, 16 if part[1:2] in "xX" and part[1:2] else 8 if part[0] == "0" else 10) for part in parts]
    rest = 256 ** (5 - len(parts))
    if any(number > 255 for number in numbers[:-1]) or numbers[-1] >= rest:
        return address
    whole = sum(number << (24 - 8 * at) for at, number in enumerate(numbers[:-1])) + numbers[-1]
    return str(ipaddress.IPv4Address(whole))


def _lies_in(inner: _Net, outer: _Net) -> bool:
    return inner.version == outer.version and outer.prefixlen <= inner.prefixlen and inner.network_address in outer
