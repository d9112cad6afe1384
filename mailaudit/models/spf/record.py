"""An SPF record's terms, by the grammar of RFC 7208, section 12."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network

VERSION = "v=spf1"
LOOKING_UP = frozenset({"include", "a", "mx", "ptr", "exists", "redirect"})
"""The terms that count against the limit of ten (section 4.6.4)."""

_MACRO = r"%(?:\{[slodiphv][0-9]*r?[.+,/_=-]*\}|[%_-])"
_MACRO_IN_TEXT = r"%(?:\{[slodiphvcrt][0-9]*r?[.+,/_=-]*\}|[%_-])"
_LITERAL = r"[!-$&-~]"
_STRING = re.compile(rf"(?:{_MACRO}|{_LITERAL})*", re.IGNORECASE)
_TEXT = re.compile(rf"(?:{_MACRO_IN_TEXT}|{_LITERAL}| )*", re.IGNORECASE)
_ZERO = re.compile(r"%\{[a-z]0+r?[.+,/_=-]*\}", re.IGNORECASE)
_ENDS = re.compile(r"(?:.*\.)?(?P<top>[A-Za-z0-9-]+)\.?")
_TOP = re.compile(r"[0-9]*[A-Za-z][A-Za-z0-9]*|[A-Za-z0-9]+-[A-Za-z0-9-]*[A-Za-z0-9]")
_ENDS_IN_MACRO = re.compile(rf".*{_MACRO}", re.IGNORECASE)
_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.-]*)=(.*)", re.DOTALL)
_MECHANISM = re.compile(r"([-+?~]?)([A-Za-z][A-Za-z0-9_.-]*)(?::(.*?))?((?:/[0-9]+)?(?://[0-9]+)?)", re.DOTALL)
_LENGTHS = re.compile(r"(?:/([0-9]+))?(?://([0-9]+))?")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,2}")


class SyntaxFault(ValueError):  # noqa: N818  a fault of the record, which is permerror for whoever evaluates it
    """A term that no grammar reads; the message names it."""


@dataclass(frozen=True, slots=True)
class Term:
    """A mechanism with its qualifier, or a modifier without one.

    `domain` is its domain-spec with macros, None where it has none; `network` that of ip4 and ip6; `bits4` and `bits6` the prefix
    lengths of a and mx. `written` is the term as it stands.
    """

    written: str
    name: str
    qualifier: str = ""
    domain: str | None = None
    network: IPv4Network | IPv6Network | None = None
    bits4: int = 32
    bits6: int = 128

    @property
    def is_modifier(self) -> bool:
        """True for redirect, exp and what is not known."""
        return not self.qualifier


@dataclass(frozen=True, slots=True)
class SpfRecord:
    """The terms of a record in their order."""

    terms: tuple[Term, ...]

    @property
    def mechanisms(self) -> tuple[Term, ...]:
        """What is tried one after another."""
        return tuple(term for term in self.terms if not term.is_modifier)

    @property
    def all(self) -> Term | None:
        """The mechanism that meets whatever came so far."""
        return next((term for term in self.mechanisms if term.name == "all"), None)

    def modifier(self, name: str) -> Term | None:
        """The modifier of this name."""
        return next((term for term in self.terms if term.is_modifier and term.name == name), None)


def records_of(texts: Iterable[str]) -> tuple[str, ...]:
    """Those of the TXT records that are SPF records (section 4.5)."""
    return tuple(text for text in texts if text.lower() == VERSION or text.lower().startswith(f"{VERSION} "))


def read_record(text: str) -> SpfRecord:
    """The terms of a record that starts with its version.

    Raises SyntaxFault.
    """
    if not text.isascii():
        raise SyntaxFault("it has characters beyond ASCII")
    terms = tuple(_term(word) for word in text[len(VERSION) :].split(" ") if word)
    for name in ("redirect", "exp"):
        if sum(1 for term in terms if term.is_modifier and term.name == name) > 1:
            raise SyntaxFault(f'there are two "{name}="')
    return SpfRecord(terms)


def is_explanation(text: str) -> bool:
    """True if a text with macros may be shown as an explanation (section 6.2)."""
    return text.isascii() and _TEXT.fullmatch(text) is not None and _ZERO.search(text) is None


def _term(word: str) -> Term:  # noqa: PLR0911  one return for each form of the grammar
    modifier = _MODIFIER.fullmatch(word)
    if modifier is not None:
        name, value = modifier[1].lower(), modifier[2]
        if name in ("redirect", "exp"):
            return Term(word, name, domain=_domain(word, value))
        if not _is_macro_string(value):
            raise SyntaxFault(f'"{word}" is no modifier')
        return Term(word, name)
    mechanism = _MECHANISM.fullmatch(word)
    if mechanism is None:
        raise SyntaxFault(f'"{word}" is no mechanism')
    qualifier, name, value, lengths = mechanism[1] or "+", mechanism[2].lower(), mechanism[3], mechanism[4]
    if name == "all" and value is None and not lengths:
        return Term(word, name, qualifier)
    if name in ("ip4", "ip6") and value is not None:
        return Term(word, name, qualifier, network=_network(word, name, value + lengths))
    if name in ("include", "exists") and value is not None:
        return Term(word, name, qualifier, _domain(word, value + lengths))
    if name == "ptr" and (value is not None or not lengths):
        return Term(word, name, qualifier, None if value is None else _domain(word, value + lengths))
    if name in ("a", "mx"):
        bits4, bits6 = _bits(word, lengths)
        return Term(word, name, qualifier, None if value is None else _domain(word, value), bits4=bits4, bits6=bits6)
    raise SyntaxFault(f'"{word}" is no mechanism')


def _is_macro_string(text: str) -> bool:
    return _STRING.fullmatch(text) is not None and _ZERO.search(text) is None


def _domain(word: str, text: str) -> str:
    top = _ENDS.fullmatch(text)
    ends_well = _ENDS_IN_MACRO.fullmatch(text) is not None or (
        top is not None and "." in text.rstrip(".") and _TOP.fullmatch(top["top"]) is not None
    )
    if not _is_macro_string(text) or not ends_well:
        raise SyntaxFault(f'"{word}" names no domain')
    return text


def _network(word: str, name: str, text: str) -> IPv4Network | IPv6Network:
    address, slash, bits = text.partition("/")
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        network = None
    plain = not slash or _NUMBER.fullmatch(bits) is not None
    if network is None or not plain or network.version != int(name[2]) or "%" in address:
        raise SyntaxFault(f'"{word}" has no {"IPv4" if name == "ip4" else "IPv6"} network')
    return network


def _bits(word: str, text: str) -> tuple[int, int]:
    found = _LENGTHS.fullmatch(text)
    four, six = (found[1], found[2]) if found is not None else (None, None)
    for bits, most in ((four, 32), (six, 128)):
        if bits is not None and (not _NUMBER.fullmatch(bits) or int(bits) > most):
            raise SyntaxFault(f'"{word}" has a prefix length that is none')
    return int(four) if four is not None else 32, int(six) if six is not None else 128
