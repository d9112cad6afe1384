"""The DNS model: it asks in waves, only what belongs to the site, and tells not there from could not tell."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.models.dns.asking import MOST_QUESTIONS, Asking
from mailaudit.models.dns.host import read_host
from mailaudit.models.dns.names import above, askable, reverse
from mailaudit.models.dns.reply import reply_of
from mailaudit.models.dns.site_records import Dns, Subjects, read_dns
from mailaudit.models.interfaces import Interfaces
from mailaudit.models.site import Declared, Site
from mailaudit.models.sources import Known, Lacking, NotHere, Slot, Sources
from mailaudit.questions import Answer, Failed, Found, LookUp, Question, Reason, RRset
from mailaudit.snapshot import Snapshot

NONE = NotHere("not in this test")
SITE = Site(
    domains=("example.com",),
    mail_host="mail.example.com",
    host_name="host7.example.com",
    declared=Declared(ipv4=("203.0.113.9",)),
)
ZONE: Mapping[str, RRset] = {
    "example.com. MX": RRset("NOERROR", ("10 MX.example.net.", "0 mail.example.com.")),
    "mail.example.com. A": RRset("NOERROR", ("203.0.113.9",)),
    "9.113.0.203.in-addr.arpa. PTR": RRset("NOERROR", ("host7.example.com.",)),
    "example.com. CAA": RRset("NOERROR", ('0 issue "letsencrypt.org"',)),
}


def asked_in_waves(zone: Mapping[str, RRset | Failed]) -> tuple[Slot[Dns], list[set[str]]]:
    answers: dict[Question, Answer] = {}
    waves: list[set[str]] = []
    while True:
        sources = Sources(Snapshot("host7.example.com", "test", answers))
        found = read_dns(sources, SITE, Subjects(NONE, NONE, NONE, NONE, Interfaces()))
        if not sources.wanted:
            return found, waves
        waves.append({str(question) for question in sources.wanted})
        for question in sources.wanted:
            value = zone.get(str(question), RRset("NXDOMAIN"))
            answers[question] = value if isinstance(value, Failed) else Found("insecure" if "DNSSEC" in str(question) else value)


def test_each_answer_names_what_is_asked_next() -> None:
    found, waves = asked_in_waves(ZONE)
    assert isinstance(found, Known)
    assert "example.com. MX" in waves[0]
    assert "9.113.0.203.in-addr.arpa. PTR" in waves[0]
    assert "mx.example.net. A" in waves[1]
    assert "_25._tcp.mail.example.com. TLSA" in waves[1]
    assert [each.name for each in found.value.exchangers("example.com")] == ["mail.example.com", "mx.example.net"]
    assert found.value.pointer("203.0.113.9").data == ("host7.example.com.",)


def test_nothing_is_asked_that_is_not_the_sites() -> None:
    _, waves = asked_in_waves(ZONE)
    asked = {question.rpartition(" ")[0] for wave in waves for question in wave}
    ours = ("example.com.", "mx.example.net.", "9.113.0.203.in-addr.arpa.")
    assert not [name for name in asked if not name.endswith(ours)]


def test_caa_is_that_of_the_closest_name() -> None:
    found, _ = asked_in_waves(ZONE)
    assert isinstance(found, Known)
    assert found.value.climb("mail.example.com").data == ('0 issue "letsencrypt.org"',)
    found, _ = asked_in_waves({**ZONE, "mail.example.com. CAA": Failed(Reason.TIMEOUT)})
    assert isinstance(found, Known)
    assert found.value.climb("mail.example.com").failed == Failed(Reason.TIMEOUT)


def test_a_network_that_was_not_asked_is_the_reason() -> None:
    offline = Failed(Reason.OFFLINE, "the network was not asked")
    sources = Sources(Snapshot("host", "test"))
    read_dns(sources, SITE, Subjects(NONE, NONE, NONE, NONE, Interfaces()))
    again = Sources(Snapshot("host", "test", dict.fromkeys(sources.wanted, offline)))
    found = read_dns(again, SITE, Subjects(NONE, NONE, NONE, NONE, Interfaces()))
    assert isinstance(found, Lacking)
    assert found.reason is Reason.OFFLINE
    assert isinstance(read_dns(again, Site(), Subjects(NONE, NONE, NONE, NONE, Interfaces())), NotHere)


def test_a_wildcards_answer_is_known_as_one() -> None:
    apex = RRset("NOERROR", ('"v=spf1 -all"',), cname=("example.com.",))
    zone = {"*.example.com. TXT": apex, "_mta-sts.example.com. TXT": apex}
    found, _ = asked_in_waves({**ZONE, **zone, "_dmarc.example.com. TXT": RRset("NOERROR", ('"v=DMARC1; p=none"',))})
    assert isinstance(found, Known)
    dns = found.value
    assert dns.is_from_wildcard(dns.look("_mta-sts.example.com", "TXT"))
    assert not dns.is_from_wildcard(dns.look("_dmarc.example.com", "TXT"))


@pytest.mark.parametrize(
    ("rcode", "there", "absent", "reason"),
    [
        ("NXDOMAIN", False, True, None),
        ("NOERROR", False, True, None),
        ("SERVFAIL", False, False, Reason.SERVFAIL),
        ("REFUSED", False, False, Reason.REFUSED),
        ("NOTIMP", False, False, Reason.PROTOCOL),
    ],
)
def test_only_two_codes_say_that_nothing_is_there(rcode: str, there: bool, absent: bool, reason: Reason | None) -> None:
    reply = reply_of(LookUp("example.com.", "A"), Found(RRset(rcode)))
    assert (reply.is_there, reply.is_absent) == (there, absent)
    assert (reply.failed.reason if reply.failed else None) is reason


def test_what_is_no_record_could_not_be_told() -> None:
    reply = reply_of(LookUp("example.com.", "MX"), Found(RRset("NOERROR", ("mail.example.com.",))))
    assert reply.failed is not None
    assert reply.failed.reason is Reason.PROTOCOL


def test_servers_that_do_not_know_the_zone_are_lame() -> None:
    servers: dict[str, dict[str, object]] = {
        "192.0.2.1": {"rcode": "NOERROR", "aa": True, "records": ["1.2.3.4"]},
        "192.0.2.2": {"rcode": "REFUSED"},
        "192.0.2.3": {"rcode": "NOERROR", "aa": False, "records": []},
        "192.0.2.4": {"error": "timeout"},
        "192.0.2.5": {"rcode": "SERVFAIL", "aa": False},
        "192.0.2.6": {"rcode": "NOTAUTH", "aa": False},
        "192.0.2.7": {"rcode": "FORMERR", "aa": False},
        "192.0.2.8": {"error": "no word of ours"},
    }
    reply = reply_of(LookUp("example.com.", "A"), Found(RRset("NOERROR", ("1.2.3.4",), servers=servers)))
    assert [each.lame for each in reply.servers] == [False, True, True, False, False, True, False, False]
    failed = [None, None, None, Reason.TIMEOUT, Reason.SERVFAIL, None, Reason.PROTOCOL, Reason.PROTOCOL]
    assert [each.failed for each in reply.servers] == failed


def test_questions_are_bounded() -> None:
    asking = Asking(Sources(Snapshot("host", "test")))
    for number in range(MOST_QUESTIONS + 10):
        asking.look(f"a{number}.example.com", "A")
    assert len(asking.sources.wanted) == MOST_QUESTIONS


@given(st.text() | st.from_regex(r"[a-z0-9_.*-]+", fullmatch=True))
def test_only_names_are_asked_for(text: str) -> None:
    name = askable(text)
    if name is not None:
        assert name.endswith(".")
        assert len(name) <= 254
        assert all(0 < len(label) <= 63 and label.isascii() for label in name[:-1].split("."))
        assert askable(name) == name


def test_climbing_ends_where_the_owners_say_ends() -> None:
    assert above("a.mail.example.com.") == ("a.mail.example.com", "mail.example.com", "example.com")
    assert above("mail.example.co.uk") == ("mail.example.co.uk", "example.co.uk")
    assert above("example.com") == ("example.com",)
    assert reverse("2001:db8::9").endswith("8.b.d.0.1.0.0.2.ip6.arpa.")


def test_without_evidence_mail_leaves_from_where_the_mail_host_is() -> None:
    site = Site(domains=("example.com",), mail_host="mail.example.com", host_name="host7.example.com")
    answers: dict[Question, Answer] = {LookUp("mail.example.com.", "A"): Found(RRset("NOERROR", ("203.0.113.9",)))}
    sources = Sources(Snapshot("host7.example.com", "test", answers))
    found = read_dns(sources, site, Subjects(NONE, NONE, NONE, NONE, Interfaces()))
    assert isinstance(found, Known)
    assert found.value.host.known == ()
    assert found.value.sending.addresses == ("203.0.113.9",)
    assert found.value.assumed
    assert LookUp("9.113.0.203.in-addr.arpa.", "PTR") in sources.wanted


def test_a_selector_that_nobody_named_is_not_looked_for() -> None:
    _, waves = asked_in_waves(ZONE)
    assert not [question for wave in waves for question in wave if "_domainkey" in question]


def test_who_declares_ipv4_alone_has_no_ipv6() -> None:
    host = read_host(SITE, NONE, Interfaces())
    assert (host.ipv4, host.ipv6) == (("203.0.113.9",), ())
    assert read_host(Site(), NONE, Interfaces()).ipv4 is None
