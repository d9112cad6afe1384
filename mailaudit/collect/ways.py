"""Whether there is a way from here to an address, as far as this machine can tell without sending anything."""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, ip_address

from mailaudit.collect.budget import Trouble
from mailaudit.questions import Reason

_ANY_PORT = 53  # a route has no port, connect(2) wants one


def no_way(address: str) -> Trouble | None:
    """That nothing can be sent to an address, because this machine has no route to it; else None. Others may see it."""
    if _source(address) is not None:
        return None
    return Trouble(Reason.OFFLINE, f"there is no IPv{6 if ':' in address else 4} from here to {address}, so it was not asked")


def unheard(address: str, otherwise: str) -> Trouble:
    """What silence means: of IPv6, where this machine has only an inner address, that there is no way; else a timeout."""
    source = _source(address)
    if isinstance(source, IPv6Address) and not source.is_global and ip_address(_bare(address)).is_global:
        return Trouble(Reason.OFFLINE, f"nothing comes back by IPv6 from {address} to {source}, which is no public address")
    return Trouble(Reason.TIMEOUT, otherwise)


def _source(address: str) -> IPv4Address | IPv6Address | None:
    """The address that packets to this one would have; None where there is no way."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as tried:
            tried.connect((address, _ANY_PORT))
            return ip_address(_bare(tried.getsockname()[0]))
    except OSError:
        return None


def _bare(address: str) -> str:
    return address.partition("%")[0]
