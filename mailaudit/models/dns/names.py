"""Names as questions: which text may be asked for, how an address is asked backwards, and what lies above a name."""

from __future__ import annotations

import re
from ipaddress import ip_address

from mailaudit.models.registrable import registrable

LONGEST = 253  # characters of a name without its final dot (RFC 1035, section 2.3.4)
_LABEL = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")
_NOT_ASKED = 2  # labels that a name has at least: nothing is asked of the root or of a top-level domain


def askable(name: str) -> str | None:
    """The name as a question has it, in lower case with its final dot; None for what is no host's or record's name.

    A name may start with `*`, which asks for a random label there. What records say comes here before it is asked for, so
    nothing else than letters, digits, `-` and `_` is.
    """
    bare = name.removesuffix(".")
    if not bare.isascii():
        try:
            bare = bare.encode("idna").decode("ascii")
        except UnicodeError:
            return None
    labels = bare.split(".")
    rest = labels[1:] if labels[0] == "*" else labels
    if len(bare) > LONGEST or len(labels) < _NOT_ASKED or not all(_LABEL.fullmatch(label) for label in rest):
        return None
    return f"{bare.lower()}."


def bare(name: str) -> str:
    """A name in lower case, without its final dot."""
    return name.lower().removesuffix(".")


def reverse(address: str) -> str:
    """The name that an address is asked by, with its final dot."""
    return f"{ip_address(address).reverse_pointer}."


def listing(address: str, blocklist: str) -> str:
    """The name at which a blocklist says whether an address is on it (RFC 5782, section 2)."""
    return f"{reverse(address).rpartition('.in-addr.arpa')[0] or reverse(address).rpartition('.ip6.arpa')[0]}.{bare(blocklist)}."


def above(name: str) -> tuple[str, ...]:
    """A name and those above it up to the registered domain, where its owner's say ends; nothing of a registry's is asked."""
    labels = bare(name).split(".")
    top = registrable(name)
    depth = len(top.split(".")) if top is not None else _NOT_ASKED
    return tuple(".".join(labels[at:]) for at in range(len(labels) - min(depth, len(labels)) + 1))


def is_below(name: str, domain: str) -> bool:
    """True for the domain itself and what is in it."""
    return bare(name) == bare(domain) or bare(name).endswith(f".{bare(domain)}")
