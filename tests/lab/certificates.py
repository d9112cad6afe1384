"""A certificate authority of the lab's own: a root, an intermediate, and what it signs for the mail host."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Certificate:
    """What is signed: the names, the days from now between which it is valid, whether the intermediate goes with it."""

    names: tuple[str, ...] = ("mail.example.com",)
    since: float = -34.0
    until: float = 56.0
    chain: bool = True


def pem_key(key: Key) -> bytes:
    """A private key as acme-client(1) writes it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_der(key: Key) -> bytes:
    """The public half."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def public_pem(key: Key) -> bytes:
    """The public half, as a file."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A key of the host's own."""
    return rsa.generate_private_key(65537, bits)


def _name(common: str) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Example CA"), x509.NameAttribute(NameOID.COMMON_NAME, common)]
    return x509.Name(parts)


class Authority:
    """Signs for a test session; `root` is the file that an auditor's `ca_file` names."""

    def __init__(self) -> None:
        self._top, self._middle = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        self.now = dt.datetime.now(dt.UTC).replace(microsecond=0)

    @cached_property
    def _root(self) -> x509.Certificate:
        return self._authority("Example Root X", self._top, "Example Root X", self._top)

    @cached_property
    def _intermediate(self) -> x509.Certificate:
        return self._authority("Example Intermediate 1", self._middle, "Example Root X", self._top)

    @property
    def root(self) -> bytes:
        """The root's certificate."""
        return self._root.public_bytes(Encoding.PEM)

    def _authority(self, name: str, key: Key, issuer: str, by: Key) -> x509.Certificate:
        years = dt.timedelta(days=3650)
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        return (
            x509.CertificateBuilder(_name(issuer), _name(name), key.public_key(), x509.random_serial_number())
            .not_valid_before(self.now - years)
            .not_valid_after(self.now + years)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), critical=False)
            .sign(by, hashes.SHA256())
        )

    def sign(self, wanted: Certificate, key: Key) -> bytes:
        """The file of a certificate, the intermediate's behind it unless it is left out."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.names[0])])
        alternatives = x509.SubjectAlternativeName([x509.DNSName(each) for each in wanted.names])
        made = (
            x509.CertificateBuilder(_name("Example Intermediate 1"), subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(self.now + dt.timedelta(days=wanted.since))
            .not_valid_after(self.now + dt.timedelta(days=wanted.until))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(alternatives, critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._middle.public_key()), critical=False)
            .sign(self._middle, hashes.SHA256())
        )
        rest = self._intermediate.public_bytes(Encoding.PEM) if wanted.chain else b""
        return made.public_bytes(Encoding.PEM) + rest
