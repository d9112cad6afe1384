"""Looking from outside, by real daemons: a relay that is probed, ports that a firewall drops, MTA-STS that is fetched."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from lab import Certificate, Lab, Variant
from lab.certificates import pem_key
from lab.host import listening

pytestmark = pytest.mark.daemon

SMTPD_CONF = "/etc/mail/smtpd.conf"
RULE = 'match from any for any action "outbound"\n'
SERVER = """
import http.server, ssl, sys
class Policy(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        sys.stderr.write(f"{self.headers['Host']} {self.path}\\n")
        body = b"version: STSv1\\r\\nmode: enforce\\r\\nmx: %s\\r\\nmax_age: 1209600\\r\\n" % sys.argv[2].encode()
        self.send_response(int(sys.argv[3]))
        self.send_header("Content-Type", "text/plain")
        self.send_header("Location", "https://203.0.113.9/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
class Server(http.server.HTTPServer):
    address_family = 10
server = Server(("::", 443), Policy)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(sys.argv[1])
server.socket = tls.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""


def endpoints(lab: Lab, place: str) -> dict[str, Any]:
    (record,) = lab.space.seen(lab.home / place).rglob("answers.json")
    found: dict[str, Any] = json.loads(record.read_text())["endpoints"]
    return found


def test_a_relay_that_the_file_does_not_show_is_found_and_nothing_is_sent(lab: Lab) -> None:
    conf = lab.host.path(SMTPD_CONF)
    good = conf.read_text()
    with lab.under(Variant("open relay", files={SMTPD_CONF: good + RULE})):
        conf.write_text(good)  # smtpd runs the other
        scan = lab.scan("--probe-relay", "--save", "relay")
        assert lab.space.do("chroot", lab.host.root, "smtpctl", "show", "queue").stdout == ""
    assert scan.verdicts["SMTPD044"] == "fail", scan.errors
    (message,) = [each[2] for each in scan.results if each[0] == "SMTPD044"]
    assert message == "Port 25 takes mail from strangers for other domains: to mailaudit-probe@example.org, for one."
    tried = endpoints(lab, "relay")["203.0.113.9 25 smtp"]["relay"]
    assert {each["reply"][:3] for each in tried if each["recipient"] == "mailaudit-probe@example.org"} == {"250"}
    again = lab.mailaudit("scan", "relay/", "--format", "json")
    assert again.verdicts["SMTPD044"] == "fail", again.errors


def test_ports_that_are_to_be_closed_may_be_dropped(lab: Lab) -> None:
    base = lab.scan()
    with lab.under(Variant("a firewall", ports={143: "drop", 2000: "drop", 443: "drop"})):
        scan = lab.scan("--save", "dropped")
    assert scan.verdicts == base.verdicts
    assert (scan.code, base.code) == (0, 0)
    said = endpoints(lab, "dropped")["2001:db8::9 143 tcp"]
    assert said["filtered"].startswith("no answer in 2.5 seconds, while port ")


def test_a_port_that_must_be_open_and_is_dropped_is_one_rules_doubt(lab: Lab) -> None:
    with lab.under(Variant("a firewall", ports={993: "drop"})):
        scan = lab.scan()
    unknown = {rule for rule, verdict in scan.verdicts.items() if verdict == "unknown"}
    assert unknown == {"CROSS022"}
    assert scan.code == 4
    assert not {rule for rule, verdict in scan.verdicts.items() if verdict == "fail"}


@contextmanager
def policy(lab: Lab, mx: str, status: int = 200, names: tuple[str, ...] = ("mta-sts.example.com",)) -> Iterator[Lab]:
    """The lab with a record for MTA-STS, and a web server that serves the policy."""
    pem = lab.space.room / "policy.pem"
    signed = lab.kit.authority.sign(Certificate(names), lab.kit.tls)
    lab.space.seen(pem).write_bytes(signed + pem_key(lab.kit.tls))
    script = lab.space.room / "policy.py"
    lab.space.seen(script).write_text(SERVER)
    records = {
        "_mta-sts.example.com. TXT": ('"v=STSv1; id=20261123;"',),
        "mta-sts.example.com. A": ("203.0.113.9",),
        "mta-sts.example.com. AAAA": ("2001:db8::9",),
    }
    lab.space.start("policy", sys.executable, str(script), str(pem), mx, str(status))
    try:
        until = time.monotonic() + 20
        while 443 not in listening(lab.space):
            assert time.monotonic() < until, lab.space.log("policy")
            time.sleep(0.05)
        with lab.under(Variant("MTA-STS", records=records)):
            yield lab
    finally:
        lab.space.stop("policy")


@pytest.mark.parametrize(
    ("mx", "status", "names", "says"),
    [
        ("mail.example.com", 200, ("mta-sts.example.com",), ""),
        ("*.example.net", 200, ("mta-sts.example.com",), "does not name the exchanger mail.example.com"),
        ("mail.example.com", 200, ("www.example.com",), "is not for that name, but for www.example.com"),
    ],
)
def test_a_policy_is_fetched_and_judged(lab: Lab, mx: str, status: int, names: tuple[str, ...], says: str) -> None:
    before = lab.space.log("policy")
    with policy(lab, mx, status, names):
        scan = lab.scan("--select", "CROSS071,DNS050")
        log = lab.space.log("policy")[len(before) :]
    (found,) = [each for each in scan.results if each[0] == "CROSS071"]
    assert (found[1], says in found[2]) == ("fail" if says else "pass", True), (found, log)
    assert scan.verdicts["DNS050"] == "pass"
    assert log.count("mta-sts.example.com /.well-known/mta-sts.txt") == 1
