"""`scan DIRECTORY --online` against real daemons: what DNS and the ports say is told by the same rules as a record of it."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import dns_lab
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from daemons import HERE, NEWER, Root, need

ROOT = Path(__file__).parents[1]
CORRECTED = ROOT / "examples" / "corrected"
LAB = Path(__file__).with_name("lab_host.py")
ALONE = ("unshare", "-mnpf", "--kill-child")
SERVER = "203.0.113.53"
RESOLVER = "203.0.113.54"
ZONES = ("example.com.", "exampleregistrar.com.", "113.0.203.in-addr.arpa.", "8.b.d.0.1.0.0.2.ip6.arpa.")
PORTS = """
import asyncio, json
from mailaudit.collect.online import Network, Outside
from mailaudit.questions import Found, Handshake
asked = [Handshake(host, port, protocol) for host in ("203.0.113.9", "2001:db8::9")
         for port, protocol in ((25, "smtp"), (465, "smtps"), (587, "smtp"), (993, "imaps"), (4190, "sieve"), (143, "tcp"))]
answers = asyncio.run(Network(Outside()).ask(asked))
print(json.dumps({str(q): dict(a.value.fields) if isinstance(a, Found) else str(a.reason) for q, a in answers.items()}))
"""

pytestmark = pytest.mark.daemon


def zones(room: Path) -> None:
    """The zones that the corrected example's record was taken from, as far as the record shows them."""
    recorded = json.loads((CORRECTED / "answers.json").read_text("utf-8"))["dns"]
    texts = {
        zone: f"@ 300 IN SOA ns.{zone} h.{zone} 1 3600 900 1209600 300\n@ 300 IN NS ns1.exampleregistrar.com.\n" for zone in ZONES
    }
    for question, answer in recorded.items():
        owner, type_ = question.split()
        zone = next((each for each in ZONES if owner.endswith(each)), None)
        if zone is None or type_ in ("SOA", "NS", "DS", "CNAME") or answer.get("cname") or owner.startswith("*"):
            continue
        if "exampleregistrar" not in owner:
            texts[zone] += "".join(f"{owner} 300 IN {type_} {data}\n" for data in answer.get("records", ()))
    texts["exampleregistrar.com."] += f"ns1 300 IN A {SERVER}\n"
    for zone, text in texts.items():
        (room / f"{zone}zone").write_text(f"$ORIGIN {zone}\n{text}")


def certificate(room: Path) -> None:
    """A certificate of the host's own for its name."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.example.com")])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + dt.timedelta(days=900))
    named = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("mail.example.com")]), critical=False)
    (room / "cert.pem").write_bytes(named.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (room / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))


def made(factory: pytest.TempPathFactory) -> Path:
    """A folder with the zones and the certificate of the lab; skips where its programs are not there."""
    lacking = dns_lab.missing()
    if lacking:
        pytest.skip(f"{lacking} is not installed")
    if subprocess.run([*ALONE, "true"], check=False, capture_output=True, timeout=10).returncode != 0:
        pytest.skip("namespaces of its own are not allowed here")
    room = factory.mktemp("lab")
    zones(room)
    certificate(room)
    return room


def ran(root: str, room: Path, commands: list[tuple[str, ...]]) -> list[tuple[int, str, str]]:
    """Status, output and errors of commands run on the lab's host."""
    job = json.dumps({"root": root, "room": str(room), "commands": commands})
    lab = [*ALONE, sys.executable, str(LAB)]
    done = subprocess.run(lab, input=job, capture_output=True, text=True, timeout=200, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    said: list[tuple[int, str, str]] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """What the ports showed, and the report of a scan."""
    if not (NEWER / "usr").is_dir():
        pytest.skip("Debian 13's daemons are not there: make newer")
    newer = Root("newer", NEWER)
    for program in ("smtpd", "dovecot"):
        need(newer, program)
    room = made(tmp_path_factory)
    target = room / "host7"
    shutil.copytree(CORRECTED, target)
    (target / "answers.json").unlink()
    scan = (sys.executable, "-m", "mailaudit", "scan", str(target), "--online", "--resolver", RESOLVER, "--format", "json")
    commands = [(sys.executable, "-c", PORTS), scan]
    (status, shown, errors), (code, report, wrong) = ran(str(NEWER), room, commands)
    assert status == 0, errors
    assert code in (1, 4), wrong
    return json.loads(shown), json.loads(report)


@pytest.mark.parametrize("host", ["203.0.113.9", "2001:db8::9"])
def test_real_listeners_are_seen_as_they_are(told: tuple[Any, Any], host: str) -> None:
    shown, _ = told
    for port, protocol in ((25, "smtp"), (587, "smtp")):
        seen = shown[f"{host} {port} {protocol}"]
        assert seen["greeting"].startswith("220 host7.example.com ESMTP OpenSMTPD")
        assert seen["starttls"] is True
        assert "STARTTLS" not in seen["ehlo_tls"]
    assert any(line.startswith("AUTH PLAIN") for line in shown[f"{host} 587 smtp"]["ehlo_tls"])
    assert any(line.startswith("AUTH PLAIN") for line in shown[f"{host} 465 smtps"]["ehlo_tls"])
    assert shown[f"{host} 993 imaps"]["greeting"].startswith("* OK [CAPABILITY IMAP4rev1")
    sieve = shown[f"{host} 4190 sieve"]
    assert sieve["greeting"].startswith("OK ")
    assert '"STARTTLS"' in sieve["capabilities"]
    for port, protocol in ((25, "smtp"), (465, "smtps"), (587, "smtp"), (993, "imaps"), (4190, "sieve")):
        seen = shown[f"{host} {port} {protocol}"]
        assert seen["protocols"] == ["TLSv1.2", "TLSv1.3"], (port, seen)
        assert len(seen["chain"]) == 1
    assert shown[f"{host} 143 tcp"] == "refused"


def results(report: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for each in report["hosts"][0]["results"]:
        found.setdefault(each["rule"], []).append(each)
    return found


def test_a_scan_of_a_folder_asks_dns_and_the_ports(told: tuple[Any, Any]) -> None:
    _, report = told
    assert report["hosts"][0]["online"] is True
    of = results(report)
    passed = ("DNS002", "DNS006", "DNS020", "TLS010", "TLS012")
    assert {rule: of[rule][0]["verdict"] for rule in passed} == dict.fromkeys(passed, "pass")
    assert {each["verdict"] for each in of["TLS014"]} == {"fail"}  # the certificates shown are the lab's, not the folder's
    assert "25 and 465 and 587" in " ".join(each["message"] for each in of["TLS014"])
    assert "nobody answers" in of["HTTPD005"][0]["message"]
    silent = {each["reason"] for each in report["hosts"][0]["results"]}
    assert not silent & {"offline", "crashed", "timeout", "protocol"}


def test_a_daemon_whose_handshakes_fail_is_told_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    """OpenSMTPD 6.8 with OpenSSL 3 ends each handshake by an alert."""
    need(HERE, "smtpd")
    version = HERE.run("smtpd", "-h").stderr
    if "OpenSMTPD 6.8" not in version:
        pytest.skip(f"another smtpd is installed: {version[:60]}")
    (status, shown, errors), *_ = ran("", made(tmp_path_factory), [(sys.executable, "-c", PORTS)])
    assert status == 0, errors
    for question in ("203.0.113.9 25 smtp", "203.0.113.9 465 smtps", "2001:db8::9 587 smtp"):
        seen = json.loads(shown)[question]
        assert seen["protocols"] == []
        assert "alert" in seen["tls_error"]
    assert json.loads(shown)["203.0.113.9 993 imaps"] == "refused"
