"""Macros of SPF records (RFC 7208, section 7)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

LONGEST = 253  # characters of a name
_MACRO = re.compile(r"%(?:\{([A-Za-z])([0-9]*)([rR]?)([.+,/_=-]*)\}|([%_-]))")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_PLAIN = {"%": "%", "_": " ", "-": "%20"}


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a receiver knows of a client: its address, HELO name and sender."""

    address: IPv4Address | IPv6Address
    helo: str
    local_part: str
    sender_domain: str

    @property
    def backwards(self) -> str:
        """The name that the address is asked by."""
        return self.address.reverse_pointer

    def letter(self, letter: str, domain: str, validated: Callable[[], str]) -> str:
        """What a macro's letter stands for; `validated` is asked only for `p`."""
        if letter == "p":
            return validated()
        return {
            "s": f"{self.local_part}@{self.sender_domain}",
            "l": self.local_part,
            "o": self.sender_domain,
            "d": domain,
            "i": _dotted(self.address),
            "v": "in-addr" if self.address.version == 4 else "ip6",
            "h": self.helo,
            "c": str(self.address),
            "r": "unknown",
            "t": "0",
        }[letter]


def _dotted(address: IPv4Address | IPv6Address) -> str:
    if address.version == 4:
        return str(address)
    return ".".join(address.exploded.replace(":", "").upper())


def expand(text: str, transaction: Transaction, domain: str, validated: Callable[[], str]) -> str:
    """A text with its macros replaced; it is well formed already."""

    def one(found: re.Match[str]) -> str:
        letter, digits, reverse, delimiters, plain = found.groups()
        if plain:
            return _PLAIN[plain]
        value = transaction.letter(letter.lower(), domain, validated)
        parts = re.split("[" + re.escape(delimiters or ".") + "]", value)
        if reverse:
            parts.reverse()
        if digits:
            parts = parts[-int(digits[:4]) :]
        joined = ".".join(parts)
        return _escaped(joined) if letter.isupper() else joined

    return _MACRO.sub(one, text)


def _escaped(text: str) -> str:
    """A text as a part of an URL (RFC 3986, section 2.3: what is unreserved stays)."""
    octets = text.encode("utf-8", "replace")
    return "".join(chr(each) if chr(each) in _UNRESERVED else f"%{each:02X}" for each in octets)


def cut(name: str) -> str:
    """A name that is not too long: labels are left out from its left (section 7.3)."""
    bare = name.removesuffix(".")
    while len(bare) > LONGEST and "." in bare:
        bare = bare.partition(".")[2]
    return bare
