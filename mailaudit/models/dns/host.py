"""The addresses of the host: as declared, else as its interfaces have them, else as they are to be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from mailaudit.models.hostname_if import HostnameIf
from mailaudit.models.interfaces import Address, Interfaces
from mailaudit.models.site import Site
from mailaudit.models.sources import Known, Slot

MOST = 16  # addresses of a family that are asked about
IP = IPv4Address | IPv6Address
# Not seen from the Internet (RFC 6890). Networks for documentation are told apart by no one: they are examples' real ones.
_INNER = tuple(
    ip_network(each)
    for each in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"),
        *("198.18.0.0/15", "224.0.0.0/3", "::/127", "fc00::/7", "fe80::/10", "ff00::/8"),
    )
)


@dataclass(frozen=True, slots=True)
class HostAddresses:
    """The host's own addresses, as text in RFC 5952's form. `None` for a family of which nothing is known.

    `declared` are the site's, `configured` those of its interfaces that the Internet may see; `moving` is true where a family's
    addresses come by autoconfiguration and are not declared, so that others than these may be used.
    """

    declared: tuple[str, ...] = ()
    configured: tuple[str, ...] = ()
    ipv4: tuple[str, ...] | None = None
    ipv6: tuple[str, ...] | None = None
    moving: frozenset[int] = frozenset()

    def family(self, version: int) -> tuple[str, ...] | None:
        """The addresses of a family, or None if nothing is known of it."""
        return self.ipv4 if version == 4 else self.ipv6

    @property
    def known(self) -> tuple[str, ...]:
        """All addresses that are known."""
        return (*(self.ipv4 or ()), *(self.ipv6 or ()))


def is_public(address: str) -> bool:
    """True for an address that the Internet may see."""
    parsed = ip_address(address)
    return not any(parsed in network for network in _INNER if _of_family(network, parsed))


def canonical(address: str) -> str | None:
    """An address in its one written form; None for what is none."""
    try:
        return str(ip_address(address))
    except ValueError:
        return None


def read_host(site: Site, static: Slot[HostnameIf], interfaces: Interfaces) -> HostAddresses:
    """The addresses: declared ones win, and who declares those of one family alone has no others but what an interface has.

    Addresses inferred from DNS are what is to be proved, so they do not count here.
    """
    declared = _texts((*site.declared.ipv4, *site.declared.ipv6))
    running = tuple(_of_interfaces(interfaces))
    fixed = tuple(_of_files(static))
    configured = _texts(each for each in (*running, *fixed) if is_public(each))
    seen = bool(interfaces.known) or isinstance(static, Known)
    moving = frozenset(
        version
        for version in (4, 6)
        if isinstance(static, Known) and static.value.is_autoconfigured(version) and not _of(version, declared)
    )
    families = {}
    for version in (4, 6):
        mine = _of(version, declared) or _of(version, configured)
        inner = any(ip_address(each).version == version for each in (*running, *fixed) if not _is_local(each))
        unknown = not mine and (version in moving or (not declared and (inner or not seen)))
        families[version] = None if unknown else mine[:MOST]
    return HostAddresses(declared, configured, families[4], families[6], moving)


def _of(version: int, addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in addresses if ip_address(each).version == version)


def _texts(addresses: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text for text in map(canonical, addresses) if text is not None))


def _of_interfaces(interfaces: Interfaces) -> Iterator[str]:
    for interface in interfaces.known:
        if not interface.loopback:
            yield from (_text(address) for address in interface.addresses or ())


def _of_files(static: Slot[HostnameIf]) -> Iterator[str]:
    if isinstance(static, Known):
        for version in (4, 6):
            yield from (_text(each.address) for each in static.value.addresses(version) if each.address is not None)


def _text(address: Address) -> str:
    return str(IPv4Address(address.value) if address.family == 4 else IPv6Address(address.value))


def _is_local(address: str) -> bool:
    """True for an address that never leaves the host or its wire."""
    parsed = ip_address(address)
    return parsed.is_loopback or parsed.is_link_local


def _of_family(network: IPv4Network | IPv6Network, address: IP) -> bool:
    return network.version == address.version
