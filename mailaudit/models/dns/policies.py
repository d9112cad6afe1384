"""Policies that are published as lists of tags in TXT records: DMARC, keys of DKIM, MTA-STS, reports of TLS."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mailaudit.models.certificates import NotReadError, public_key_of
from mailaudit.models.dns.names import above, bare, is_below
from mailaudit.questions import KeyFacts

MOST_TAGS = 50
MOST_ADDRESSES = 20
POLICIES = ("none", "quarantine", "reject")
"""What may be asked of receivers, the mildest first."""
_ED25519 = bytes.fromhex("302a300506032b6570032100")  # what a SubjectPublicKeyInfo has before the 32 octets (RFC 8410)
_ED25519_OCTETS = 32
_DMARC = re.compile(r"v[ \t]*=[ \t]*DMARC1[ \t]*(?:;|$)")
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def tags(text: str) -> Mapping[str, str]:
    """Tags by name in lower case, values as they stand; of a tag that is there twice the first. What is no tag is left out."""
    found: dict[str, str] = {}
    for part in text.split(";")[:MOST_TAGS]:
        name, equals, value = part.partition("=")
        if equals and _NAME.fullmatch(name.strip()):
            found.setdefault(name.strip().lower(), value.strip())
    return found


@dataclass(frozen=True, slots=True)
class Dmarc:
    """A DMARC record (RFC 9989): its text and its tags."""

    text: str
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def policy(self) -> str:
        """What is asked for mail that fails; `none` also where the tag is not there or is no policy."""
        asked = self.tags.get("p", "none").lower()
        return asked if asked in POLICIES else "none"

    @property
    def is_test(self) -> bool:
        """True if receivers are to apply one level less than is asked."""
        return self.tags.get("t", "n").lower() == "y"

    @property
    def applied(self) -> str:
        """The policy as it is to be applied."""
        level = POLICIES.index(self.policy)
        return POLICIES[max(level - 1, 0) if self.is_test else level]


def dmarc_records(texts: Iterable[str]) -> tuple[Dmarc, ...]:
    """Those of the TXT records that are DMARC records."""
    return tuple(Dmarc(text, tags(text)) for text in texts if _DMARC.match(text))


def is_mta_sts(text: str) -> bool:
    """True for a TXT record that is one of MTA-STS (RFC 8461, section 3.1)."""
    return re.match(r"v=STSv1[ \t]*(?:;|$)", text) is not None


def mailboxes(value: str) -> tuple[str, ...]:
    """The addresses of a list of mailto URIs, domains in lower case; a size behind `!` is left out."""
    found = []
    for part in value.split(",")[:MOST_ADDRESSES]:
        scheme, colon, rest = part.strip().partition(":")
        user, at, domain = rest.partition("!")[0].partition("?")[0].rpartition("@")
        if colon and scheme.lower() == "mailto" and at and user and domain:
            found.append(f"{user}@{bare(domain)}")
    return tuple(found)


def permission(domain: str, mailbox: str) -> str | None:
    """The name at which the mailbox's domain says that it takes the domain's reports; None where none is needed (RFC 9990)."""
    of_mailbox = mailbox.rpartition("@")[2]
    return None if is_below(of_mailbox, above(domain)[-1]) else f"{bare(domain)}._report._dmarc.{of_mailbox}"


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A published key. `fault` says why it cannot be used, `cut` that it is one that was cut short; `key` is None then."""

    tags: Mapping[str, str] = field(hash=False)
    key: KeyFacts | None = None
    fault: str = ""
    cut: bool = False


def is_dkim(text: str) -> bool:
    """True for a TXT record that is meant as a key."""
    found = tags(text)
    return "p" in found and found.get("v", "DKIM1").upper() == "DKIM1"


def dkim_key(text: str) -> DkimKey:
    """The key of a record (RFC 6376, section 3.6.1; RFC 8463 for Ed25519)."""
    found = tags(text)
    kind, data = found.get("k", "rsa").lower(), re.sub(r"\s", "", found.get("p", ""))
    fault = _fault(found, kind, data)
    if fault:
        return DkimKey(found, fault=fault)
    try:
        raw = base64.b64decode(data, validate=True)
        der = _ED25519 + raw if kind == "ed25519" and len(raw) == _ED25519_OCTETS else raw
        return DkimKey(found, public_key_of(der))
    except (binascii.Error, NotReadError):
        return DkimKey(found, fault="its key ends too early, or is none", cut=True)


def _fault(found: Mapping[str, str], kind: str, data: str) -> str:
    """What is wrong with a record before its key is looked at."""
    faults = (
        ("v" in found and (found["v"] != "DKIM1" or next(iter(found)) != "v"), 'it must start with "v=DKIM1"'),
        (kind not in ("rsa", "ed25519"), f'there is no kind of key "{kind}"'),
        (not data, "its key is empty, which means revoked"),
        ("-----" in data, "it holds the lines around a PEM file's key"),
        (_BASE64.fullmatch(data) is None, "its key is no base64"),
    )
    return next((says for is_so, says in faults if is_so), "")
