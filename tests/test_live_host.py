"""What real daemons show to the network, and `scan DIRECTORY --online`: told by the same rules as a record of it."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from daemons import HERE, need
from lab import Lab
from lab.host import listening
from lab.space import HOST, RESOLVER
from lab.zones import CORRECTED

PORTS = """
import asyncio, json
from mailaudit.collect.online import Network, Outside
from mailaudit.questions import Found, Handshake
asked = [Handshake(host, port, protocol) for host in ("203.0.113.9", "2001:db8::9")
         for port, protocol in ((25, "smtp"), (465, "smtps"), (587, "smtp"), (993, "imaps"), (4190, "sieve"), (143, "tcp"))]
answers = asyncio.run(Network(Outside()).ask(asked))
print(json.dumps({str(q): dict(a.value.fields) if isinstance(a, Found) else str(a.reason) for q, a in answers.items()}))
"""
OLD = "".join(
    [
        'pki mail cert "/run/old/cert.pem"\npki mail key "/run/old/key.pem"\n',
        *(
            f"listen on {host} {offer}\n"
            for host in HOST
            for offer in ("tls pki mail", "port 587 tls pki mail", "smtps pki mail")
        ),
        'action "in" mbox\nmatch from any for domain "example.com" action "in"\n',
    ]
)

pytestmark = pytest.mark.daemon


def shown(lab: Lab) -> Any:
    """What the ports show."""
    done = lab.run(sys.executable, "-c", PORTS)
    assert done.code == 0, done.errors
    return json.loads(done.out)


@pytest.fixture(scope="module")
def ports(lab: Lab) -> Any:
    return shown(lab)


@pytest.mark.parametrize("host", HOST)
def test_real_listeners_are_seen_as_they_are(ports: Any, host: str) -> None:
    for port, protocol in ((25, "smtp"), (587, "smtp")):
        seen = ports[f"{host} {port} {protocol}"]
        assert seen["greeting"].startswith("220 host7.example.com ESMTP OpenSMTPD")
        assert seen["starttls"] is True
        assert "STARTTLS" not in seen["ehlo_tls"]
    assert any(line.startswith("AUTH PLAIN") for line in ports[f"{host} 587 smtp"]["ehlo_tls"])
    assert any(line.startswith("AUTH PLAIN") for line in ports[f"{host} 465 smtps"]["ehlo_tls"])
    assert ports[f"{host} 993 imaps"]["greeting"].startswith("* OK [CAPABILITY IMAP4rev1")
    sieve = ports[f"{host} 4190 sieve"]
    assert sieve["greeting"].startswith("OK ")
    assert '"STARTTLS"' in sieve["capabilities"]
    for port, protocol in ((25, "smtp"), (465, "smtps"), (587, "smtp"), (993, "imaps"), (4190, "sieve")):
        seen = ports[f"{host} {port} {protocol}"]
        assert seen["protocols"] == ["TLSv1.2", "TLSv1.3"], (port, seen)
        assert len(seen["chain"]) == 2
    assert ports[f"{host} 143 tcp"] == "refused"


def test_a_scan_of_a_folder_asks_dns_and_the_ports(lab: Lab) -> None:
    target = lab.space.seen(lab.home / "host7")
    shutil.copytree(CORRECTED, target)
    (target / "answers.json").unlink()
    scan = lab.scan("--online", "--resolver", RESOLVER, "--trust-anchor", "anchor", target="./host7")
    assert scan.code in (1, 4), scan.errors
    assert scan.report["online"] is True
    passed = ("DNS001", "DNS002", "DNS006", "DNS020", "TLS010", "TLS012")
    assert {rule: scan.verdicts[rule] for rule in passed} == dict.fromkeys(passed, "pass")
    served = {message for rule, verdict, message, _ in scan.results if (rule, verdict) == ("TLS014", "fail")}
    assert "25 and 465 and 587" in " ".join(served)  # the certificates shown are the lab's, not the folder's
    assert not {each[3] for each in scan.results} & {"offline", "crashed", "timeout", "protocol"}


@contextmanager
def old_smtpd(lab: Lab) -> Iterator[None]:
    """This machine's own OpenSMTPD in place of the newer one."""
    lab.space.do("mount", "-t", "tmpfs", "-o", "mode=0755", "lab", "/var/spool")
    lab.space.do("install", "-d", "-m", "0711", "/var/spool/smtpd", "/run/old")
    for name, path in (("cert", "/etc/ssl/mail.example.com.pem"), ("key", "/etc/ssl/private/mail.example.com.key")):
        lab.space.do("install", "-m", "0600", f"{lab.host.root}{path}", f"/run/old/{name}.pem")
    lab.space.seen("/run/old/smtpd.conf").write_text(OLD)
    lab.host.stop(["smtpd"])
    try:
        lab.space.start("old", "smtpd", "-d", "-f", "/run/old/smtpd.conf")
        until = time.monotonic() + 20
        while not {25, 465, 587} <= listening(lab.space) and time.monotonic() < until:
            time.sleep(0.02)
        yield
    finally:
        lab.space.stop("old")
        lab.host.start(["smtpd"])


def test_a_daemon_whose_handshakes_fail_is_told_so(lab: Lab) -> None:
    """OpenSMTPD 6.8 with OpenSSL 3 ends each handshake by an alert."""
    need(HERE, "smtpd")
    version = HERE.run("smtpd", "-h").stderr
    if "OpenSMTPD 6.8" not in version:
        pytest.skip(f"another smtpd is installed: {version[:60]}")
    with old_smtpd(lab):
        found = shown(lab)
    for question in ("203.0.113.9 25 smtp", "203.0.113.9 465 smtps", "2001:db8::9 587 smtp"):
        assert found[question]["protocols"] == [], (found, lab.space.log("old"))
        assert "alert" in found[question]["tls_error"]
