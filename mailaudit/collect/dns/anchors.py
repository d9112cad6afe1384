"""Trust anchors of the root from a file, as unbound and BIND keep them: DS and DNSKEY records, or a `trust-anchors` block."""

from __future__ import annotations

import re

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdtypes.ANY.DNSKEY
import dns.rdtypes.ANY.DS
import dns.rrset
import dns.zonefile

from mailaudit.collect.dns.chain import ALGORITHMS, DIGESTS

MOST_ANCHORS = 16
_ZONE_KEY = 0x0100  # RFC 4034, section 2.1.1
_REVOKED = 0x0080  # RFC 5011, section 2.1
_NOT_TRUSTED = re.compile(r";;state=[0145]\b")  # unbound: seen and not yet accepted, revoked, removed
_BLOCK = re.compile(r"\b(trust-anchors|managed-keys|trusted-keys)\s*\{([^{}]*)\}\s*;")
_ENTRY = re.compile(
    r'\s*"?(?P<zone>[^\s";]+)"?\s+(?:(?:initial|static)-(?P<kind>key|ds)\s+)?'
    r"(?P<numbers>\d+\s+\d+\s+\d+)\s+(?P<data>[^;]+)"
)
_BIND_COMMENT = re.compile(r'("[^"]*")|/\*.*?\*/|(?://|#)[^\n]*', re.DOTALL)


class AnchorError(ValueError):
    """A text that holds no trust anchor of the root; the message says what is wrong."""


def read_anchors(text: str) -> tuple[str, ...]:
    """The root's anchors as DS records in presentation text. Raises `AnchorError`."""
    try:
        rrsets = dns.zonefile.read_rrsets(_records(text), rdclass=None, default_ttl=0)
    except (dns.exception.DNSException, ValueError) as error:
        raise AnchorError(" ".join(re.sub(r"<input>:[0-9]+: ", "", str(error)).split())) from error
    except (RecursionError, AssertionError, AttributeError, TypeError) as error:  # dnspython, of text that is no zone's
        raise AnchorError("neither DS nor DNSKEY records") from error
    found = [anchor for rrset in rrsets for rdata in rrset for anchor in _anchor(rrset, rdata)]
    if not found:
        raise AnchorError("no DS and no DNSKEY record of the root that is in force")
    if len(found) > MOST_ANCHORS:
        raise AnchorError(f"{len(found)} anchors, and the root has a few")
    return tuple(dict.fromkeys(found))


def _records(text: str) -> str:
    """The file's records as zone text, whichever form it has; a key that unbound does not trust is left out."""
    if not re.search(r"^\s*(?:trust-anchors|managed-keys|trusted-keys)\b", text, re.MULTILINE):
        return "".join(f"{'' if _NOT_TRUSTED.search(line) else line}\n" for line in text.split("\n"))
    plain = _BIND_COMMENT.sub(lambda found: found[1] or " ", text)
    if _BLOCK.sub("", plain).strip():
        raise AnchorError("something stands outside of trust-anchors { ... };")
    return "".join(_record(entry) for _, body in _BLOCK.findall(plain) for entry in body.split(";") if entry.strip())


def _record(entry: str) -> str:
    found = _ENTRY.fullmatch(entry)
    if found is None:
        raise AnchorError(f"expected a zone, what it is, three numbers and a key, found {' '.join(entry.split())[:60]!r}")
    kind = "DS" if found["kind"] == "ds" else "DNSKEY"
    return " ".join((found["zone"], "IN", kind, found["numbers"], *found["data"].replace('"', "").split())) + "\n"


def _anchor(rrset: dns.rrset.RRset, rdata: dns.rdata.Rdata) -> tuple[str, ...]:
    """A record as DS; nothing of a key that was revoked. Raises `AnchorError` for what is no anchor of the root."""
    if rrset.name != dns.name.root or rrset.rdclass != dns.rdataclass.IN:
        raise AnchorError(f"it is about {rrset.name}: only anchors of the root (.) are used")
    if isinstance(rdata, dns.rdtypes.ANY.DNSKEY.DNSKEY):
        if rdata.flags & _REVOKED:
            return ()
        if not rdata.flags & _ZONE_KEY:
            raise AnchorError("a DNSKEY that is no zone's key (flags 257 are right)")
        rdata = dns.dnssec.make_ds(dns.name.root, rdata, "SHA256")
    if not isinstance(rdata, dns.rdtypes.ANY.DS.DS):
        raise AnchorError(f"a record of type {rrset.rdtype.name}, where DS or DNSKEY must stand")
    if rdata.algorithm not in ALGORITHMS or rdata.digest_type not in DIGESTS:
        raise AnchorError(f"algorithm {int(rdata.algorithm)} with digest {int(rdata.digest_type)} cannot be validated")
    return (rdata.to_text(),)
