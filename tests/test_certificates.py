"""Certificates, keys and parameters out of PEM text, made here by cryptography and, where it is installed, by openssl."""

from __future__ import annotations

import datetime as dt
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models import certificates
from mailaudit.models.certificates import NotReadError, read_certificates
from mailaudit.questions import KeyFacts
from mailaudit.text import Text

NEW = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)
OLD = dt.datetime(2026, 12, 30, tzinfo=dt.UTC)
PEM = serialization.Encoding.PEM


def certificate(
    names: list[str],
    key: CertificateIssuerPrivateKeyTypes,
    signer: CertificateIssuerPrivateKeyTypes,
    issuer: str,
    *extra: x509.ExtensionType,
) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(NEW)
        .not_valid_after(OLD)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    )
    for extension in extra:
        builder = builder.add_extension(extension, critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(PEM).decode()


@pytest.fixture(scope="module")
def leaf_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def ca_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="module")
def chain(leaf_key: ec.EllipticCurvePrivateKey, ca_key: rsa.RSAPrivateKey) -> Text:
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    leaf = certificate(["mail.example.com", "*.Lists.example.com"], leaf_key, ca_key, "ca.example", usage)
    ca = certificate(["ca.example"], ca_key, ca_key, "ca.example", x509.BasicConstraints(ca=True, path_length=0))
    return Text.of("/etc/ssl/mail.example.com.fullchain.pem", f"issued for mail\n{leaf}{ca}")


def test_a_chain_is_read(chain: Text, leaf_key: ec.EllipticCurvePrivateKey) -> None:
    leaf, ca = read_certificates(chain)
    assert (leaf.names, leaf.issuer, leaf.is_ca, ca.is_ca) == (
        ("mail.example.com", "*.lists.example.com"),
        "CN=ca.example",
        False,
        True,
    )
    assert (leaf.server, leaf.client, leaf.must_staple) == (True, False, False)
    assert (leaf.key.kind, leaf.key.bits, ca.key.kind, ca.key.bits) == ("ecdsa", 256, "rsa", 2048)
    assert (leaf.not_before, leaf.not_after) == (NEW, OLD)
    assert leaf.left(NEW + dt.timedelta(days=60)) == pytest.approx(1 / 3)
    assert leaf.left(OLD) == 0
    assert ca.issued(leaf)
    assert not leaf.issued(ca)
    assert leaf.span is not None
    assert leaf.span.line == 2
    public = leaf_key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    assert certificates.read_public_key(Text.of("/k", public)) == leaf.key


@pytest.mark.parametrize(
    ("name", "is_covered"),
    [
        ("mail.example.com", True),
        ("MAIL.example.com.", True),
        ("example.com", False),
        ("a.lists.example.com", True),
        ("lists.example.com", False),
        ("a.b.lists.example.com", False),
        ("", False),
    ],
)
def test_names_that_are_covered(chain: Text, name: str, is_covered: bool) -> None:
    assert read_certificates(chain)[0].covers(name) is is_covered


def test_stapling_that_is_demanded_is_told(leaf_key: ec.EllipticCurvePrivateKey) -> None:
    staple = x509.TLSFeature([x509.TLSFeatureType.status_request])
    (found,) = read_certificates(Text.of("/c", certificate(["a.example"], leaf_key, leaf_key, "a.example", staple)))
    assert found.must_staple
    assert found.client


def test_public_keys(ca_key: rsa.RSAPrivateKey, chain: Text) -> None:
    for key in (ca_key, ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()):
        public = key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
        assert certificates.read_public_key(Text.of("/k", public)) == certificates.key_facts(key.public_key())
    assert read_certificates(chain)[1].key == certificates.key_facts(ca_key.public_key())


@pytest.mark.parametrize(
    ("chars", "message"),
    [
        ("", "no PEM block of a certificate"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "a certificate that cannot be read"),
        ("-----BEGIN DH PARAMETERS-----\nMIIB\n-----END DH PARAMETERS-----\n", "no certificate, but a dh parameters"),
        ("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" * 17, "a certificate that cannot be read"),
    ],
)
def test_what_is_no_certificate_is_told(chars: str, message: str) -> None:
    with pytest.raises(NotReadError) as caught:
        read_certificates(Text.of("/c", chars))
    assert str(caught.value).startswith(message)


def test_a_file_of_many_certificates_is_not_read_to_its_end(chain: Text) -> None:
    with pytest.raises(NotReadError, match="more than 16 certificates"):
        read_certificates(Text.of("/c", chain.chars * 9))


def test_keys_of_other_kinds_are_told() -> None:
    public = (
        dsa.generate_private_key(1024).public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
    )
    with pytest.raises(NotReadError, match="a kind that mail does not use"):
        certificates.read_public_key(Text.of("/k", public))


@given(chars=st.text(max_size=80), cut=st.integers(0, 1500))
def test_spoilt_texts_raise_one_kind_of_error(chars: str, cut: int) -> None:
    spoilt = f"-----BEGIN CERTIFICATE-----\nMIIB{'A' * cut}\n{chars}\n-----END CERTIFICATE-----\n"
    for read in (read_certificates, certificates.read_public_key, certificates.read_dh_parameters):
        with pytest.raises(NotReadError):
            read(Text.of("/c", spoilt))


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "dh.pem"
    subprocess.run(["openssl", "dhparam", "-dsaparam", "-out", str(path), "1024"], check=True, capture_output=True)
    assert certificates.read_dh_parameters(Text("/dh", path.read_bytes())) == 1024
    key = tmp_path / "key.pem"
    subprocess.run(["openssl", "genrsa", "-out", str(key), "2048"], check=True, capture_output=True)
    pem, der = (
        subprocess.run(["openssl", "rsa", "-in", str(key), "-pubout", "-outform", form], check=True, capture_output=True).stdout
        for form in ("PEM", "DER")
    )
    found = certificates.read_public_key(Text("/k", pem))
    assert found == certificates.public_key_of(der)
    assert isinstance(found, KeyFacts)
    assert (found.kind, found.bits) == ("rsa", 2048)
