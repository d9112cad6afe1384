"""acme-client.conf and httpd.conf as meant: what is refused agrees with the daemons, and nothing at all raises."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailaudit.models import acme as acme_model
from mailaudit.models import httpd as httpd_model
from mailaudit.models.acme import AcmeConfig, read_acme
from mailaudit.models.httpd import HttpdConfig, read_httpd
from mailaudit.models.services import read_services
from mailaudit.models.sources import Known, Missing, NotHere, Sources
from mailaudit.parsers import acme, httpd
from mailaudit.parsers.tree import nothing
from mailaudit.questions import Absent, Failed, Found, ListFiles, Question, ReadFile, Reason
from mailaudit.snapshot import Snapshot
from mailaudit.text import Text

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
needs_corpora = pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not beside this checkout")
SERVICES = read_services(Sources(Snapshot("", "")))

ACME = """\
authority first {
	api url "https://first.example/directory"
	account key "/etc/acme/first.key"
}
authority second {
	api url "https://second.example/directory"
	account key "/etc/acme/second.key"
}
domain mail {
	domain name Mail.Example.com
	alternative names { example.com www.example.com }
	domain key "/etc/ssl/private/mail.key" ecdsa
	domain certificate "/etc/ssl/mail.crt"
	domain chain certificate "/etc/ssl/mail.chain.pem"
	domain full chain certificate "/etc/ssl/mail.pem"
	sign with second
	challengedir "/var/www/challenges"
	profile "shortlived"
}
domain other.example.com {
	domain key "/etc/ssl/private/other.key"
	domain full chain certificate "/etc/ssl/other.pem"
}
"""
HTTPD = """\
chroot "/srv"
server match "^a" {
	listen on 127.0.0.1 port 8080
	block drop
}
server "mail.example.com" {
	alias "*.example.org"
	listen on * port http
	listen on 2001:db8::9 tls port 443
	tls certificate "/etc/ssl/mail.pem"
	root "/htdocs"
	location match "^/x" { pass }
	location "/.well-known/acme-challenge/*" {
		root "/acme"
		request strip 2
		directory no auto index
	}
	location found "/y*" {
		fastcgi
	}
	location * {
		block return 301 "https://example.com"
	}
}
"""


def acme_of(source: str) -> AcmeConfig:
    return acme_model.understood(acme.parse(Text.of("/etc/acme-client.conf", source), nothing))


def httpd_of(source: str) -> HttpdConfig:
    return httpd_model.understood(httpd.parse(Text.of("/etc/httpd.conf", source), nothing), SERVICES)


def test_acme() -> None:
    model = acme_of(ACME)
    assert not model.refusals
    assert [each.name.value for each in model.authorities] == ["first", "second"]
    mail, other = model.domains
    assert mail.names == ("mail.example.com", "example.com", "www.example.com")
    assert [token.value for token in (mail.key, mail.certificate, mail.chain, mail.full_chain) if token] == [
        "/etc/ssl/private/mail.key",
        "/etc/ssl/mail.crt",
        "/etc/ssl/mail.chain.pem",
        "/etc/ssl/mail.pem",
    ]
    assert mail.challengedir is not None
    assert mail.challengedir.value == "/var/www/challenges"
    second, first = model.signer(mail), model.signer(other)
    assert second is not None
    assert first is not None
    assert (second.name.value, first.name.value) == ("second", "first")
    assert model.domain_for("WWW.example.com") is mail
    assert model.domain_for("example.net") is None


def test_httpd() -> None:
    model = httpd_of(HTTPD)
    assert not model.refusals
    pattern, mail = model.servers
    assert pattern.is_pattern
    assert pattern.listeners[0].is_loopback
    assert [(each.port, each.families, each.tls) for each in mail.listeners] == [
        (80, ("inet", "inet6"), False),
        (443, ("inet6",), True),
    ]
    certificate = mail.tls_option("certificate")
    assert certificate is not None
    assert certificate.value == "/etc/ssl/mail.pem"
    assert model.server_for("www.example.org", 80) is mail
    assert model.server_for("elsewhere.example", 80) is mail
    assert model.server_for("elsewhere.example", 8080) is pattern
    assert mail.locations[0].covers("/x") is None
    challenge = mail.locations[1]
    assert challenge.covers("/.well-known/acme-challenge/a/b")
    assert (challenge.answer.strip, challenge.answer.auto_index) == (2, False)
    assert challenge.answer.root is not None
    assert challenge.answer.root.value == "/acme"
    assert mail.locations[3].answer.code == 301
    assert model.chroot is not None


def files(given_files: dict[str, str | None], *, recorded: bool = False) -> Sources:
    answers: dict[Question, Any] = {}
    for path, chars in given_files.items():
        answers[ReadFile(path)] = Absent() if chars is None else Found(chars.encode())
        answers[ListFiles(path)] = Found(()) if chars is None else Found((path,))
    return Sources(Snapshot("", "", answers, recorded=recorded))


@pytest.mark.parametrize("port", ['"²"', '"--5"', "-5", "0", "65536", "nosuch"])
def test_ports_that_are_none(port: str) -> None:
    assert httpd_of(f"server a {{\n\tlisten on * port {port}\n}}\n").refusals


def test_includes_that_are_not_there_or_not_known() -> None:
    source = 'include "/etc/a.conf"\ninclude "/etc/b.conf"\n' + HTTPD
    sources = files({"/etc/httpd.conf": source, "/etc/a.conf": None})
    slot = read_httpd(sources)
    assert isinstance(slot, Known)
    assert [problem.message for problem in slot.value.refusals] == ["/etc/a.conf is not there"]
    assert [problem.message for problem in slot.value.not_read] == ["/etc/b.conf could not be read"]
    assert ReadFile("/etc/b.conf") in sources.wanted


def test_a_stock_file_is_assumed() -> None:
    source = 'types {\n\tinclude "/usr/share/misc/mime.types"\n}\n' + HTTPD
    slot = read_httpd(files({"/etc/httpd.conf": source}))
    assert isinstance(slot, Known)
    assert not slot.value.not_read
    assert len(slot.value.assumed) == 1


def test_a_file_that_is_not_there() -> None:
    assert isinstance(read_acme(files({"/etc/acme-client.conf": None})), NotHere)
    assert isinstance(read_acme(files({"/etc/acme-client.conf": None}, recorded=True)), Missing)


def test_a_file_that_cannot_be_looked_at() -> None:
    slot = read_acme(Sources(Snapshot("", "", {ReadFile("/etc/acme-client.conf"): Failed(Reason.UNREADABLE, "no")})))
    assert getattr(slot, "reason", None) is Reason.UNREADABLE


@settings(max_examples=300)
@given(data=st.data())
def test_no_damage_makes_a_model_raise(data: st.DataObject) -> None:
    source, of = data.draw(st.sampled_from([(ACME, acme_of), (HTTPD, httpd_of)]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(source)))
        to = data.draw(st.integers(at, min(len(source), at + 30)))
        put = data.draw(st.sampled_from(["", "{", "}", "\n", '"', '"²"', "-1", "99999999", ";", "/", "\\", "$", "\r", "é"]))
        source = source[:at] + put + source[to:]
    of(source)
