"""Certificates, the public halves of keys, and Diffie-Hellman parameters, out of PEM text. The one door to cryptography."""

from __future__ import annotations

import base64
import hashlib
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import TYPE_CHECKING, TypeVar

from mailaudit.questions import KeyFacts
from mailaudit.text import Span, Text

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

Extension = TypeVar("Extension", bound="x509.ExtensionType")

# cryptography is imported where it is used: a host without certificates to read does not pay for it.

MAX_CERTIFICATES = 16  # of one file; a chain has two to four
_BLOCK = re.compile(r"-----BEGIN ([A-Z0-9. ]{1,40})-----[ \t\r]*\n[A-Za-z0-9+/=\s]{0,200000}?-----END \1-----")
_SEQUENCE, _INTEGER = 0x30, 0x02  # tags of DER
_STAPLE = "1.3.6.1.5.5.7.1.24"  # id-pe-tlsfeature, RFC 7633


class NotReadError(Exception):
    """A PEM text that holds not what it should; the message says what was found, in a part of a sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """One certificate (RFC 5280). Times are aware and in UTC; `names` are dNSNames in lower case, `addresses` iPAddresses.

    `span` is its first line in a file: the rest tells nobody anything.
    """

    span: Span | None
    subject: str
    issuer: str
    names: tuple[str, ...]
    addresses: tuple[IPv4Address | IPv6Address, ...]
    not_before: datetime
    not_after: datetime
    key: KeyFacts
    is_ca: bool
    must_staple: bool
    server: bool
    client: bool
    digest: str
    _parsed: x509.Certificate

    @property
    def lifetime(self) -> float:
        """Seconds from its first to its last valid second."""
        return (self.not_after - self.not_before).total_seconds()

    def left(self, now: datetime) -> float:
        """The share of its lifetime that is left at a time: 1 when new, 0 or less when expired."""
        return (self.not_after - now).total_seconds() / self.lifetime if self.lifetime > 0 else 0.0

    def covers(self, name: str) -> bool:
        """True if it is valid for a host name: a dNSName is it, or has a wildcard in the place of its first label (RFC 9525)."""
        wanted = name.lower().removesuffix(".")
        parent = wanted.partition(".")[2]
        return any(each == wanted or (parent and each == f"*.{parent}") for each in self.names)

    def issued(self, other: Certificate) -> bool:
        """True if this one's key signed the other."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

        try:
            other._parsed.verify_directly_issued_by(self._parsed)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


def read_certificates(text: Text) -> tuple[Certificate, ...]:
    """The certificates of a PEM file in their order, at least one. Raises `NotReadError`."""
    found: list[Certificate] = []
    for match in _BLOCK.finditer(text.chars):
        if match[1] in ("CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"):
            if len(found) == MAX_CERTIFICATES:
                raise NotReadError(f"more than {MAX_CERTIFICATES} certificates")
            head = match.group().partition("\n")[0].rstrip()
            found.append(_certificate(match.group(), Span(text, match.start(), match.start() + len(head))))
    if not found:
        kinds = [match[1].lower() for match in _BLOCK.finditer(text.chars)]
        raise NotReadError(f"no certificate, but a {kinds[0]}" if kinds else "no PEM block of a certificate")
    return tuple(found)


def read_certificate(pem: str) -> Certificate:
    """One certificate, as an endpoint sent it. Raises `NotReadError`."""
    return _certificate(pem, None)


def _certificate(pem: str, span: Span | None) -> Certificate:
    from cryptography import x509  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.x509.oid import ExtendedKeyUsageOID  # noqa: PLC0415

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd serial numbers and the like are no matter of ours
            parsed = x509.load_pem_x509_certificate(pem.encode("ascii", "replace"))
            key = key_facts(parsed.public_key())
            alternative = _extension(parsed, x509.SubjectAlternativeName)
            constraints = _extension(parsed, x509.BasicConstraints)
            usage = _extension(parsed, x509.ExtendedKeyUsage)
            return Certificate(
                span=span,
                subject=parsed.subject.rfc4514_string(),
                issuer=parsed.issuer.rfc4514_string(),
                names=tuple(each.lower() for each in alternative.get_values_for_type(x509.DNSName)) if alternative else (),
                addresses=tuple(
                    each
                    for each in (alternative.get_values_for_type(x509.IPAddress) if alternative else ())
                    if isinstance(each, IPv4Address | IPv6Address)
                ),
                not_before=parsed.not_valid_before_utc,
                not_after=parsed.not_valid_after_utc,
                key=key,
                is_ca=bool(constraints and constraints.ca),
                must_staple=any(each.oid.dotted_string == _STAPLE for each in parsed.extensions),
                server=usage is None or ExtendedKeyUsageOID.SERVER_AUTH in usage,
                client=usage is None or ExtendedKeyUsageOID.CLIENT_AUTH in usage,
                digest=f"sha256:{parsed.fingerprint(SHA256()).hex()}",
                _parsed=parsed,
            )
    except NotReadError:
        raise
    except Exception as error:  # cryptography raises many kinds, for bytes that anyone may have written
        raise NotReadError(f"a certificate that cannot be read ({error})") from error


def _extension(parsed: x509.Certificate, kind: type[Extension]) -> Extension | None:
    from cryptography.x509 import ExtensionNotFound  # noqa: PLC0415

    try:
        return parsed.extensions.get_extension_for_class(kind).value
    except ExtensionNotFound:
        return None


def read_public_key(text: Text) -> KeyFacts:
    """The key of a PEM file with a public key. Raises `NotReadError`."""
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415

    return _loaded(text.chars, load_pem_public_key, "public key")


def public_key_of(der: bytes) -> KeyFacts:
    """The key of a SubjectPublicKeyInfo or, as old DKIM records have it, of a bare RSAPublicKey (RFC 6376, section 3.6.1)."""
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    try:
        return key_facts(load_der_public_key(der))
    except Exception as error:  # see _certificate
        raise NotReadError("no public key that can be read") from error


def _loaded(chars: str, load: Callable[[bytes], PublicKeyTypes], what: str) -> KeyFacts:
    try:
        return key_facts(load(chars.encode("ascii", "replace")))
    except NotReadError:
        raise
    except Exception as error:  # see _certificate
        raise NotReadError(f"no {what} that can be read") from error


def key_facts(key: PublicKeyTypes) -> KeyFacts:
    """Kind, size and digest of a public key; the size of an Ed25519 key is 256. Raises `NotReadError` for other kinds."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415

    match key:
        case rsa.RSAPublicKey():
            kind, bits = "rsa", key.key_size
        case ec.EllipticCurvePublicKey():
            kind, bits = "ecdsa", key.curve.key_size
        case ed25519.Ed25519PublicKey():
            kind, bits = "ed25519", 256
        case _:
            raise NotReadError(f"a key of a kind that mail does not use ({type(key).__name__})")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyFacts(kind, bits, f"sha256:{hashlib.sha256(der).hexdigest()}")


def read_dh_parameters(text: Text) -> int:
    """The size in bits of the prime of a PEM file with Diffie-Hellman parameters. Raises `NotReadError`.

    They are a DER sequence whose first member is the prime (PKCS #3); cryptography is about to stop reading them.
    """
    for match in _BLOCK.finditer(text.chars):
        if match[1] in ("DH PARAMETERS", "X9.42 DH PARAMETERS"):
            body = "".join(match.group().splitlines()[1:-1])
            try:
                prime = _member(_member(base64.b64decode(body, validate=True), _SEQUENCE), _INTEGER)
            except (ValueError, IndexError) as error:
                raise NotReadError("Diffie-Hellman parameters that cannot be read") from error
            return int.from_bytes(prime, "big").bit_length()
    raise NotReadError("no PEM block of Diffie-Hellman parameters")


def _member(der: bytes, tag: int) -> bytes:
    """The content of the member that some DER begins with (X.690, section 8.1)."""
    if der[0] != tag:
        raise ValueError("another kind of member")
    size, at = der[1], 2
    if size & 0x80:
        at += size & 0x7F
        size = int.from_bytes(der[2:at], "big")
    if len(der) < at + size:
        raise ValueError("cut short")
    return der[at : at + size]
