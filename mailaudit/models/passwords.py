"""What may be said of a password: its scheme and its length, never more."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

BCRYPT = "bcrypt"
EMPTY = "empty"
LOCKED = "locked"
PLAIN = "plain"
PREFIXED = "prefixed"

_COST = re.compile(r"\$2[ab]\$([0-9]{2})\$|bcrypt-([0-9]{2})")
_MASKED = re.compile(r"\{\{masked:([^:{}]+):([0-9]{1,9}):[^{}]*\}\}")
_SCHEMES = (
    (re.compile(r"\{([A-Za-z0-9_.-]+)\}(.*)", re.DOTALL), PREFIXED),
    (re.compile(r"\$2[ab]\$[0-9]{2}\$[./A-Za-z0-9]{53}"), BCRYPT),
    (re.compile(r"\$2[xy]?\$[0-9]{2}\$[./A-Za-z0-9]{53}"), "bcrypt as other systems mark it"),  # OpenBSD's takes a and b alone
    (re.compile(r"\$2[abxy]?\$.*", re.DOTALL), "broken bcrypt"),
    (re.compile(r"\$1\$.*", re.DOTALL), "md5-crypt"),
    (re.compile(r"\$5\$.*", re.DOTALL), "sha256-crypt"),
    (re.compile(r"\$6\$.*", re.DOTALL), "sha512-crypt"),
    (re.compile(r"\$y\$.*", re.DOTALL), "yescrypt"),
    (re.compile(r"\$argon2[a-z]*\$.*", re.DOTALL), "argon2"),
    (re.compile(r"\$.*", re.DOTALL), "unknown crypt scheme"),
    (re.compile(r"[*!]+"), LOCKED),
    (re.compile(r"[./A-Za-z0-9]{13}"), "des-crypt"),
)


@dataclass(frozen=True, slots=True)
class Password:
    """What may be said of a password: its scheme and its length in characters, never the password.

    `scheme` is `bcrypt` or another crypt(3) scheme, `plain`, `empty`, `locked`, or a Dovecot prefix in braces: `{BLF-CRYPT}`;
    `behind` is then the scheme of what follows the prefix. `cost` is that of bcrypt; a mask without it leaves it unknown.
    """

    scheme: str
    length: int
    behind: str = ""
    cost: int | None = field(default=None, compare=False)

    @property
    def is_prefixed(self) -> bool:
        """True for a Dovecot scheme prefix, which smtpd takes for part of the hash."""
        return self.scheme.startswith("{")

    @property
    def kind(self) -> str:
        """The scheme as the KIND of a mask: a prefix without its braces, a plus, and what follows it; bcrypt's with its cost."""
        kind = f"{self.scheme[1:-1]}+{self.behind}" if self.is_prefixed else self.scheme
        costly = self.cost is not None and BCRYPT in (self.scheme, self.behind)
        return f"{kind}-{self.cost:02}" if costly else kind


def is_masked(written: str) -> bool:
    """True for a mask that stands for a password."""
    return _MASKED.fullmatch(written) is not None


def password_of(written: str) -> Password:
    """The kind of a password; a masked one is told by its mask."""
    masked = _MASKED.fullmatch(written)
    if masked is not None:
        prefix, found, rest = re.sub("(?<=bcrypt)-[0-9]{2}", "", masked[1]).partition("+")
        return Password(f"{{{prefix}}}" if found else prefix, int(masked[2]), rest, _cost(masked[1]))
    scheme, behind = _scheme(written)
    return Password(scheme, len(written), "" if behind is None else _scheme(behind)[0], _cost(written))


def _cost(written: str) -> int | None:
    found = _COST.search(written)
    return int(found[1] or found[2]) if found else None


def _scheme(written: str) -> tuple[str, str | None]:
    """The scheme, and what follows it where it is a prefix."""
    if not written:
        return EMPTY, None
    for pattern, scheme in _SCHEMES:
        match = pattern.fullmatch(written)
        if match is not None:
            return (f"{{{match[1].upper()}}}", match[2]) if scheme == PREFIXED else (scheme, None)
    return PLAIN, None
