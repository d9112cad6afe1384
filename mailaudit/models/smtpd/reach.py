"""Who reaches a listener: this host, a network inside, or the Internet."""

from __future__ import annotations

import ipaddress
import re
from enum import Enum

from mailaudit.models.smtpd.parts import Listener

EVERYWHERE = ("all", "egress", "*")
_HOST = re.compile(r"localhost|lo\d*")
_TUNNEL = re.compile(r"(?:wg|tun|tap|gif|vether)\d*")
_INTERFACE = re.compile(r"[A-Za-z]+\d*")
_INSIDE = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10")
]


class Reach(Enum):
    """Who comes in: programs here, those let into a tunnel, a private network, who knows (an interface's name), everybody."""

    HOST = "host"
    TUNNEL = "tunnel"
    INSIDE = "inside"
    UNKNOWN = "unknown"
    PUBLIC = "public"


def reach(listener: Listener) -> Reach:
    """Who reaches a listener, as far as the word behind `listen on` tells, or what is known of the interface it names."""
    where = listener.where
    if listener.is_socket or _HOST.fullmatch(where):
        return Reach.HOST
    if _TUNNEL.fullmatch(where):
        return Reach.TUNNEL
    try:
        return _of_address(where)
    except ValueError:
        if where in EVERYWHERE or not _INTERFACE.fullmatch(where):
            return Reach.PUBLIC
    ways = {_of_address(each) for each in listener.addresses or ()}
    return next((way for way in (Reach.PUBLIC, Reach.INSIDE, Reach.HOST) if way in ways), Reach.UNKNOWN)


def _of_address(written: str) -> Reach:
    address = ipaddress.ip_address(written.partition("%")[0])
    if address.is_loopback:
        return Reach.HOST
    return Reach.INSIDE if any(address.version == n.version and address in n for n in _INSIDE) else Reach.PUBLIC


def is_outward(listener: Listener) -> bool:
    """True if strangers reach a listener, or may."""
    return reach(listener) in (Reach.PUBLIC, Reach.UNKNOWN)


def covers(listener: Listener, address: str) -> bool:
    """True if a listener is bound to an address. An interface, a group and a host name are taken to be the site's own."""
    wanted = ipaddress.ip_address(address)
    if listener.family not in (None, wanted.version):
        return False
    try:
        bound = ipaddress.ip_address(listener.where)
    except ValueError:
        return True
    return bound.is_unspecified or bound == wanted
