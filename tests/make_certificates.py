"""Makes the certificates in the pages of rules, the same ones each time: `python tests/make_certificates.py [NAME]` prints them.

Nothing here is secret: each key is a number that stands in this file.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import sys
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TAKEN = "2026-11-22T12:00:00Z"
MAIL = ("mail.example.com",)
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)
BOTH = (*SERVER, ExtendedKeyUsageOID.CLIENT_AUTH)


def _time(day: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{day}T00:00:00+00:00")


def _curve(number: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(number, ec.SECP256R1())


def _is_prime(number: int) -> bool:
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7, 11, 13))  # enough for keys that nobody trusts


def _weak() -> rsa.RSAPrivateKey:
    """An RSA key of 1024 bits, of the first primes above two round numbers."""
    e = 65537
    p, q = (next(n for n in range(start, start + 10_000, 2) if _is_prime(n)) for start in (3 * 2**510 + 1, 7 * 2**509 + 1))
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(e, p * q))
    return numbers.private_key()


LEAF, OTHER, INTERMEDIATE, STRANGER, ROOT = (_curve(number) for number in (11, 12, 21, 22, 31))


@dataclass(frozen=True)
class Made:
    """What a certificate is to say."""

    names: tuple[str, ...] = MAIL
    first: str = "2026-10-20"
    last: str = "2027-01-18"
    key: CertificateIssuerPrivateKeyTypes = LEAF
    signer: ec.EllipticCurvePrivateKey = INTERMEDIATE
    issuer: str = "Example Intermediate"
    is_ca: bool = False
    usage: tuple[x509.ObjectIdentifier, ...] = SERVER
    must_staple: bool = False


CERTIFICATES = {
    "good": Made(),
    "soon": Made(first="2026-09-01", last="2026-11-30"),
    "late": Made(first="2026-09-13", last="2026-12-12"),  # 70 of 90 days old
    "expired": Made(first="2026-08-01", last="2026-10-30"),
    "future": Made(first="2026-12-01", last="2027-03-01"),
    "short": Made(first="2026-11-19", last="2026-11-26"),
    "other-name": Made(names=("example.com", "www.example.com")),
    "wildcard": Made(names=("*.example.com",)),
    "other-key": Made(key=OTHER),
    "weak": Made(key=_weak()),
    "staple": Made(must_staple=True),
    "client": Made(usage=BOTH),
    "self-signed": Made(signer=LEAF, issuer="mail.example.com"),
    "intermediate": Made(("Example Intermediate",), "2025-01-01", "2035-01-01", INTERMEDIATE, ROOT, "Example Root", is_ca=True),
    "stranger": Made(("Example Stranger",), "2025-01-01", "2035-01-01", STRANGER, ROOT, "Example Root", is_ca=True),
    "policy": Made(names=("mta-sts.example.com",)),
    "policy-expired": Made(names=("mta-sts.example.com",), first="2026-08-01", last="2026-10-30"),
}


def make(name: str) -> str:
    """A certificate as PEM text."""
    made = CERTIFICATES[name]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, made.names[0])]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, made.issuer)]))
        .public_key(made.key.public_key())
        .serial_number(list(CERTIFICATES).index(name) + 1)
        .not_valid_before(_time(made.first))
        .not_valid_after(_time(made.last))
        .add_extension(x509.BasicConstraints(made.is_ca, None), critical=True)
    )
    if not made.is_ca:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(each) for each in made.names]), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(made.usage), critical=False)
    if made.must_staple:
        builder = builder.add_extension(x509.TLSFeature([x509.TLSFeatureType.status_request]), critical=False)
    signed = builder.sign(made.signer, hashes.SHA256(), ecdsa_deterministic=True)
    return signed.public_bytes(Encoding.PEM).decode()


def digest(name: str) -> str:
    """The digest of a certificate's key, as `answers.json` has it."""
    der = CERTIFICATES[name].key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"sha256:{hashlib.sha256(der).hexdigest()}"


if __name__ == "__main__":
    for wanted in sys.argv[1:] or CERTIFICATES:
        sys.stdout.write(f"{wanted} {digest(wanted)}\n{make(wanted)}")
