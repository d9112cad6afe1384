"""Certificates, challenges and renewal: what the models say, where the clock is from, and that what is not known never passes."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import make_certificates
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.findings import Verdict
from mailaudit.models.challenge import Way, answers, challenge, joined, server_for
from mailaudit.models.clock import read_clock
from mailaudit.models.cron import Crontabs
from mailaudit.models.facts import Facts
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.renewal import awakened, renewals
from mailaudit.models.shown import ShownCertificates
from mailaudit.models.site import Declared
from mailaudit.models.sources import Known
from mailaudit.models.url import Url, read_url
from mailaudit.settings import Settings

BOOK = rulebook.load()
ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "corrected"
PRESENT = datetime(2026, 11, 22, tzinfo=UTC)
SMTPD = """pki mail.example.com cert "/etc/ssl/mail.example.com.pem"
pki mail.example.com key "/etc/ssl/private/mail.example.com.key"
action "local" mbox
listen on egress tls pki mail.example.com
match for local action "local"
"""


def auditor(files: dict[str, str], *rules: str, options: Options | None = None) -> Auditor:
    held = {f"/{path.lstrip('/')}": text.encode() for path, text in files.items()}
    world = MemoryWorld(MemoryDirectory.of({"/etc/": b"", **held}), "host", "host")
    return Auditor(world, BOOK, Settings(), options or Options(), rules)


def verdicts(files: dict[str, str], rule: str, options: Options | None = None) -> set[Verdict]:
    host = auditor(files, rule, options=options)
    return {result.verdict for result in host.examine(*host.learn()).results}


def facts(files: dict[str, str]) -> Facts:
    return auditor(files).learn()[1]


def httpd(text: str) -> HttpdConfig:
    slot = facts({"/etc/httpd.conf": text}).slots[HttpdConfig]
    assert isinstance(slot, Known)
    assert isinstance(slot.value, HttpdConfig)
    return slot.value


def crontabs(**files: str) -> Crontabs:
    paths = {"root": "/var/cron/tabs/root", "daily": "/etc/daily.local", "user": "/var/cron/tabs/user"}
    slot = facts({paths[name]: text for name, text in files.items()}).slots[Crontabs]
    assert isinstance(slot, Known)
    assert isinstance(slot.value, Crontabs)
    return slot.value


def test_the_pages_certificates_are_those_that_are_made() -> None:
    made = {make_certificates.make(name) for name in make_certificates.CERTIFICATES}
    digests = {make_certificates.digest(name) for name in make_certificates.CERTIFICATES}
    block = re.compile(r"-----BEGIN CERTIFICATE-----\n.{200,}?-----END CERTIFICATE-----\n", re.DOTALL)
    shown: set[str] = set()
    for page in BOOK.pages.values():
        if page.id.startswith(("TLS", "ACME", "CROSS005")):
            for case in page.cases:
                shown |= {found for text in case.files.values() for found in block.findall(text)}
                if "answers.json" in case.files:
                    keys = json.loads(case.files["answers.json"]).get("keys", {})
                    assert {key["spki"] for key in keys.values()} <= digests
    assert shown
    assert shown <= made


def test_a_certificate_of_two_daemons_is_told_once_with_all_that_makes_a_new_one_seen() -> None:
    files = {
        "/etc/mail/smtpd.conf": SMTPD,
        "/etc/dovecot/dovecot.conf": "ssl_cert = </etc/ssl/mail.example.com.pem\n",
        "/etc/ssl/mail.example.com.pem": make_certificates.make("good") + make_certificates.make("intermediate"),
        "/etc/acme-client.conf": (EXAMPLE / "etc/acme-client.conf").read_text(),
    }
    late = Options(now=datetime(2027, 6, 1, tzinfo=UTC))
    other = Settings(site=Declared(domains=("example.net",), mail_host="mail.example.net"))
    for rule, options, site, begins in (
        (
            "TLS002",
            late,
            Settings(),
            "The certificate in /etc/ssl/mail.example.com.pem, which smtpd and Dovecot show, expired on ",
        ),
        ("TLS003", Options(), other, "The certificate that smtpd and Dovecot show is not for mail.example.net; it is for "),
    ):
        host = replace(auditor(files, rule, options=options), settings=site)
        (result,) = host.examine(*host.learn()).results
        assert result.message.startswith(begins)
        assert result.fix is not None
        if rule == "TLS002":
            assert result.fix.commands == ("acme-client -F mail.example.com", "rcctl reload dovecot", "rcctl restart smtpd")


def test_the_time_is_given_recorded_or_present() -> None:
    given = datetime(2030, 1, 1, tzinfo=UTC)
    assert read_clock(given, "2026-01-01T00:00:00Z", PRESENT).now == given
    assert read_clock(None, "2026-01-01T01:00:00+01:00", PRESENT).now == datetime(2026, 1, 1, tzinfo=UTC)
    assert read_clock(None, "2026-01-01T00:00:00", PRESENT).now == datetime(2026, 1, 1, tzinfo=UTC)
    assert read_clock(None, None, PRESENT).now == PRESENT


def test_now_decides_whether_a_certificate_is_in_time() -> None:
    pem = make_certificates.make("good") + make_certificates.make("intermediate")
    files = {"/etc/mail/smtpd.conf": SMTPD, "/etc/ssl/mail.example.com.pem": pem}
    for day, verdict in (("2026-10-19", "fail"), ("2026-11-22", "pass"), ("2026-12-18", "pass"), ("2026-12-20", "fail")):
        options = Options(now=datetime.fromisoformat(f"{day}T00:00:00+00:00"))
        assert verdicts(files, "TLS002", options) == {Verdict(verdict)}, day


LOCATION = """location "/.well-known/acme-challenge/*" {
	root "/acme"
	request strip 2
	%s
}
"""
SERVER = """server "mail.example.com" {
	listen on * port 80
	%s
}
"""


@pytest.mark.parametrize(
    ("body", "ways"),
    [
        (LOCATION % "pass", [(Way.FILE, "/var/www/acme/token")]),
        ("block\n" + LOCATION % "pass", [(Way.FILE, "/var/www/acme/token")]),
        ("block\n" + LOCATION % "no log", [(Way.BLOCK, None)]),
        ('block return 301 "https://$HTTP_HOST/"\n' + LOCATION % "no log", [(Way.REDIRECT, None)]),
        ("fastcgi\n" + LOCATION % "no log", [(Way.PROGRAM, None)]),
        ("fastcgi\n" + LOCATION % "no fastcgi", [(Way.FILE, "/var/www/acme/token")]),
        ('authenticate with "/x"\n' + LOCATION % "no authenticate", [(Way.FILE, "/var/www/acme/token")]),
        ('authenticate with "/x"\n' + LOCATION % "no log", [(Way.LOGIN, None)]),
        ("request strip 1\n" + LOCATION % "no log", [(Way.FILE, "/var/www/acme/token")]),
        ("request strip 1", [(Way.FILE, "/var/www/htdocs/acme-challenge/token")]),
        ("request strip 9", [(Way.FILE, "/var/www/htdocs")]),
        ('location match "/%.well" {\n block\n}\n' + LOCATION % "no log", [(Way.BLOCK, None), (Way.FILE, "/var/www/acme/token")]),
        (LOCATION % 'request rewrite "/x"', [(Way.REWRITE, None)]),
        ('root "/other"\nlocation "/.WELL-known/*" {\n\trequest strip 1\n}', [(Way.FILE, "/var/www/other/acme-challenge/token")]),
    ],
)
def test_how_httpd_answers_the_authority(body: str, ways: list[tuple[Way, str | None]]) -> None:
    config = httpd(SERVER % body)
    assert not config.refusals
    assert [(served.way, served.file) for served in challenge(config, config.servers[0])] == ways


def test_the_first_location_that_fits_decides() -> None:
    config = httpd(SERVER % ('location "/a/*" {\n block\n}\nlocation "/*" {\n root "/b"\n}'))
    assert [served.way for served in answers(config, config.servers[0], "/a/b")] == [Way.BLOCK]
    assert [served.file for served in answers(config, config.servers[0], "/c")] == ["/var/www/b/c"]


def test_the_server_that_answers() -> None:
    config = httpd(SERVER.replace("mail.", "www.") % "no log" + SERVER % 'alias "*.example.net"')
    names = [
        ("mail.example.com", "mail.example.com", True),
        ("a.example.net", "mail.example.com", True),
        ("x", "www.example.com", False),
    ]
    for asked, name, named in names:
        server, by_name = server_for(config, asked)
        assert server is not None
        assert (server.name.value, by_name) == (name, named)
    assert server_for(httpd(SERVER.replace("80", "8080") % "no log"), "mail.example.com") == (None, False)
    by_pattern = httpd(SERVER.replace("server", "server match") % "no log")
    assert server_for(by_pattern, "mail.example.com")[1] is None


@given(st.lists(st.text("/.a", max_size=5), max_size=4))
def test_a_joined_path_is_one_path(parts: list[str]) -> None:
    path = joined("/", *parts)
    assert path.startswith("/")
    assert "//" not in path
    assert joined(path) == path


@pytest.mark.parametrize(
    ("line", "renews"),
    [
        ("acme-client mail.example.com", True),
        ("/usr/sbin/acme-client -vF mail.example.com", True),
        ("acme-client -f /etc/acme.conf mail.example.com", True),
        ("nice acme-client mail.example.com", True),
        ("acme-client -n mail.example.com", False),
        ("acme-client -r mail.example.com", False),
        ("acme-client www.example.com", False),
        ("acme-client $name", True),
        ("echo acme-client mail.example.com", False),
    ],
)
def test_what_renews(line: str, renews: bool) -> None:
    assert bool(renewals(crontabs(root=f"~ ~ * * * {line}\n"), "mail.example.com")) is renews
    assert not renewals(crontabs(user=f"~ ~ * * * {line}\n"), "mail.example.com")


@pytest.mark.parametrize(
    ("line", "missing", "always"),
    [
        ("acme-client x && rcctl restart smtpd", False, False),
        ("acme-client x && rcctl reload smtpd", True, False),
        ("acme-client x; rcctl restart smtpd", False, True),
        ("acme-client x || rcctl restart smtpd", True, False),
        ("acme-client y && rcctl restart smtpd; acme-client x", True, False),
        ("acme-client x; acme-client y && rcctl restart smtpd", True, False),
        ("acme-client x && rcctl restart dovecot smtpd", False, False),
        ("acme-client x && for s in smtpd; do rcctl restart $s; done", False, False),
        ("if acme-client x; then /etc/rc.d/smtpd restart; fi", False, False),
        ("acme-client x && reboot", False, False),
        ("acme-client x", True, False),
    ],
)
def test_who_reads_the_new_certificate(line: str, missing: bool, always: bool) -> None:
    tables = crontabs(root=f"~ ~ * * * {line}\n")
    found = awakened(tables, renewals(tables, "x"), "smtpd")
    assert (found.missing, found.always is not None) == (missing, always)


def test_a_reload_that_does_not_ask_does_no_harm() -> None:
    tables = crontabs(root="~ ~ * * * acme-client x; rcctl reload dovecot\n")
    found = awakened(tables, renewals(tables, "x"), "Dovecot")
    assert not found.missing
    assert found.always is None


@pytest.mark.parametrize(
    ("written", "url"),
    [
        ("https://a.example/d", Url("https", "a.example", "", "/d")),
        ("HTTPS://u@A.example:8443/d?x#y", Url("https", "a.example", "8443", "/d")),
        ("/d", Url("", "", "", "/d")),
        ("", Url("", "", "", "")),
    ],
)
def test_parts_of_a_url(written: str, url: Url) -> None:
    assert read_url(written) == url


@given(st.text())
def test_any_text_has_parts(written: str) -> None:
    read_url(written)


EVIDENCE = {
    "/etc/ssl/mail.example.com.pem": ("TLS001", "TLS002", "TLS003", "TLS005", "TLS006", "TLS016", "TLS019", "ACME015"),
    "/etc/mail/smtpd.conf": ("TLS001", "TLS002", "TLS003", "TLS005", "TLS007", "ACME008", "ACME014"),
    "/etc/dovecot/dovecot.conf": ("TLS001", "TLS003", "TLS017", "ACME014"),
    "/etc/ssl/dovecot/dh.pem": ("TLS017",),
    "/etc/httpd.conf": ("HTTPD002", "HTTPD003", "HTTPD004", "HTTPD006", "HTTPD007", "ACME010", "CROSS010", "TLS002"),
    "/etc/acme-client.conf": ("ACME002", "ACME004", "ACME007", "ACME010", "ACME013", "HTTPD004"),
    "crontab-l-root": ("ACME013", "ACME014", "TLS019"),
    "stat /etc/ssl/private": ("ACME011", "TLS007", "ACME003"),
    "stat /etc/ssl/private/letsencrypt.key": ("ACME003",),
    "stat /etc/ssl/private/mail.example.com.key": ("TLS007",),
    "stat /etc/ssl/mail.example.com.pem": ("TLS008",),
    "stat /etc/ssl/dovecot": ("TLS018",),
    "stat /var/www/acme": ("ACME012", "CROSS010"),
    "keys": ("TLS005",),
}


@pytest.mark.parametrize("gone", EVIDENCE)
def test_without_its_evidence_no_rule_passes(gone: str) -> None:
    files = {
        f"/{path.relative_to(EXAMPLE).as_posix()}": path.read_text("utf-8", "surrogateescape")
        for path in EXAMPLE.rglob("*")
        if path.is_file() and path.parent != EXAMPLE
    }
    record = json.loads((EXAMPLE / "answers.json").read_text())
    files.pop(gone, None)
    record["stat"].pop(gone.removeprefix("stat "), None)
    record["commands"].pop(gone, None)
    record.pop(gone, None)
    for rule in EVIDENCE[gone]:
        found = verdicts({**files, "/answers.json": json.dumps(record)}, rule)
        assert Verdict.PASS not in found, rule


def test_what_daemons_show() -> None:
    text = SMTPD + 'pki other cert "/etc/ssl/other.pem"\npki other key "/etc/ssl/other.key"\n'
    dovecot = "ssl_cert = </etc/ssl/imap.pem\nssl_key = </etc/ssl/imap.key\n"
    slot = facts({"/etc/mail/smtpd.conf": text, "/etc/dovecot/dovecot.conf": dovecot}).slots[ShownCertificates]
    assert isinstance(slot, Known)
    assert isinstance(slot.value, ShownCertificates)
    found = [(each.daemon, each.certificate, each.key) for each in slot.value.shown]
    assert found == [
        ("smtpd", "/etc/ssl/mail.example.com.pem", "/etc/ssl/private/mail.example.com.key"),
        ("Dovecot", "/etc/ssl/imap.pem", "/etc/ssl/imap.key"),
    ]
