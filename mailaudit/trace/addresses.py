"""Mail addresses as people type them: their two parts, and what of them a server takes."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONGEST = 255  # characters of either part (SMTPD_MAXLOCALPARTSIZE, SMTPD_MAXDOMAINPARTSIZE)
_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*\.?|\[[0-9A-Fa-f:.IPv]+\]", re.ASCII)
_QUOTED = re.compile(r'"(?:[^"\\\x00-\x1f\x7f]|\\[^\x00-\x1f\x7f])*"')
_PLAIN = re.compile(r'[^\s"@<>(),:;\\\[\]\x00-\x1f\x7f]+')
_ATOM = r"[A-Za-z0-9!#$%&'*/?^`{|}~+=_-]+"
_ATOMS = re.compile(rf"{_ATOM}(?:\.{_ATOM})*", re.ASCII)
_SHELL = re.compile(r"[$`{|}]")


class BadAddressError(ValueError):
    """What is no address; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mail address. `user` is the local part as typed, with its quotes if it has them; `domain` is empty for a bare login."""

    user: str
    domain: str = ""

    def __str__(self) -> str:
        return f"{self.user}@{self.domain}" if self.domain else self.user

    @property
    def is_plain(self) -> bool:
        """True if smtpd takes the local part: atoms and dots, never quotes (valid_localpart() of util.c)."""
        return _ATOMS.fullmatch(self.user) is not None

    @property
    def is_for_a_shell(self) -> bool:
        """True if the local part has a character that smtpd takes no more since 7.9, for a shell would read it."""
        return _SHELL.search(self.user) is not None


def read_address(written: str, *, bare: bool = False) -> Address:
    """An address of the form `user@domain`; with `bare`, a login's name without a domain too. Raises `BadAddressError`."""
    if not written.strip():
        raise BadAddressError("it is empty")
    user, sign, domain = written.rpartition("@")
    if not sign:
        user, domain = written, ""
        if not bare:
            raise BadAddressError("expected user@domain, found no @")
    if not user:
        raise BadAddressError("there is nothing before the @")
    if sign and not domain:
        raise BadAddressError("there is nothing behind the @")
    if not (_QUOTED if user.startswith('"') else _PLAIN).fullmatch(user):
        raise BadAddressError(f"the part before the @ holds what no address may: {_odd(user)}")
    if domain and not domain.isascii():
        raise BadAddressError("write the domain as DNS has it: its names begin with xn--")
    if domain and not _DOMAIN.fullmatch(domain):
        raise BadAddressError(f"{domain} is no domain")
    if max(len(user), len(domain)) > LONGEST:
        raise BadAddressError(f"neither part has more than {LONGEST} characters")
    return Address(user, domain.removesuffix(".").lower())


def _odd(user: str) -> str:
    if user.startswith('"'):
        return "the quotes are not closed, or it has a control character"
    return ", ".join(dict.fromkeys("a blank" if char == " " else repr(char) for char in user if not _PLAIN.fullmatch(char)))
