"""What findings are known by: the same over whatever does not matter, another for another finding, nothing secret in it."""

from __future__ import annotations

import random
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bench.metamorphic.identity import WAYS, Wrong, flapping, judged, moved, prints, published, wrongs
from mailaudit import fingerprints
from mailaudit.findings import Basis, Evidence, Finding, Place, Result, Severity, Verdict
from mailaudit.fingerprints import Unsaid, fingerprint, identity, numbered

WRONGS = wrongs()
NOTHING = Unsaid()
WORDS = st.text("abz09 ./-_:\u00e9\udc80", max_size=12)


def finding(path: str = "/etc/pf.conf", about: str = "", value: str = "", message: str = "m") -> Finding:
    return Finding(message, (Place.whole(path),), about=about, value=value)


@given(st.sampled_from(WRONGS), st.integers(0, 1000))
@hypothesis_settings(max_examples=25)
def test_a_finding_is_known_again_however_the_host_is_written(wrong: Wrong, seed: int) -> None:
    """Comments, blank lines, another order, host, address or time; `make metamorphic` tries all pages."""
    assert list(moved(wrong, seed)) == []


@pytest.fixture(scope="module")
def example() -> list[str]:
    """What the findings of the published example are known by."""
    return prints(judged(None, published()))


@pytest.mark.parametrize("way", WAYS)
def test_the_published_example_is_known_again(way: str, example: list[str]) -> None:
    files = WAYS[way](published(), random.Random(way))
    assert len(example) > 30
    assert prints(judged(None, files, "another")) == example


@pytest.mark.parametrize("rule", ["TLS002", "DNS001", "DNS016", "CROSS091", "HOST003", "SMTPD050", "DNS054", "TLS005"])
def test_those_that_hang_on_time_names_and_answers_are_known_again(rule: str) -> None:
    for wrong in WRONGS:
        if wrong.page.id == rule:
            assert list(moved(wrong, 0)) == []


@given(st.sampled_from([wrong for wrong in WRONGS if "D" in wrong.page.evidence]))
@hypothesis_settings(max_examples=12)
def test_an_answer_that_times_out_makes_no_other_finding(wrong: Wrong) -> None:
    """What is found without it is what is found with it; all pages are tried by `make metamorphic`."""
    assert list(flapping(wrong)) == []


def test_a_wildcard_is_known_again_by_whichever_type_shows_it() -> None:
    assert not [line for wrong in WRONGS if wrong.page.id == "DNS011" for line in flapping(wrong)]


def test_days_that_go_by_are_no_other_finding() -> None:
    (wrong, *_) = [each for each in WRONGS if each.page.id in {"ACME010", "TLS002"}]
    before = judged(wrong.page, wrong.files)
    after = judged(wrong.page, wrong.files, later=timedelta(hours=30))
    assert prints(before) == prints(after)


@given(st.tuples(WORDS, WORDS, WORDS, WORDS), st.tuples(WORDS, WORDS, WORDS, WORDS))
def test_another_rule_path_setting_or_value_is_another_finding(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    plain = [[NOTHING.without(word) for word in words] for words in (one, other)]
    prints_ = [fingerprint(rule, finding(*rest), NOTHING) for rule, *rest in plain]
    assert (prints_[0] == prints_[1]) == (plain[0] == plain[1])


@given(st.text(max_size=20), st.text(max_size=20))
def test_the_message_does_not_matter(one: str, other: str) -> None:
    assert fingerprint("A", finding(message=one), NOTHING) == fingerprint("A", finding(message=other), NOTHING)


@given(
    st.ip_addresses(),
    st.sampled_from(("{}", "{} 25 smtp", "example.com. SOA of {} by TCP", "[{}]:25", "http://{}/x", "{}/24, a")),
)
def test_no_address_is_within(address: IPv4Address | IPv6Address, words: str) -> None:
    said = NOTHING.without(words.format(address))
    assert str(address) not in said or str(address) == "::"
    family = IPv4Address("192.0.2.1") if address.version == 4 else IPv6Address("2001:db8::1")
    assert said == NOTHING.without(words.format(family))


@given(st.ip_addresses())
def test_no_reversed_address_is_within(address: IPv4Address | IPv6Address) -> None:
    said = NOTHING.without(f"{address.reverse_pointer}. PTR")
    assert said == f"{{ipv{address.version}}}.{'in-addr' if address.version == 4 else 'ip6'}.arpa. PTR"


@pytest.mark.parametrize(
    "words", ["12:30:00", "sha256:abcdef", "a:b:c", "7.8.1", "version 1.2.3.4.5", "imap::x", "tcp in", "1-21,23-24", "2.3.21.1.9"]
)
def test_what_is_no_address_stays(words: str) -> None:
    assert NOTHING.without(words) == words


def test_the_host_is_not_within_but_other_names_are() -> None:
    unsaid = Unsaid("mx.example.com")
    assert unsaid.without("A of MX.example.com. for mx.example.com.au, amx.example.com") == (
        "A of {host}. for mx.example.com.au, amx.example.com"
    )
    assert Unsaid("mail").without("mail_home of mail") == "mail_home of mail"


def test_no_secret_is_within() -> None:
    unsaid = Unsaid("", (("queue-key", "6afd577b0de0f89e"), ("password", "abc")))
    made = identity("SMTPD001", finding(value='found "6afd577b0de0f89e"', about="abc"), unsaid)
    assert made == 'SMTPD001\0/etc/pf.conf\0abc\0found "{queue-key}"'


def test_a_question_stands_for_a_path() -> None:
    asked = Finding("m", (Evidence("203.0.113.9 25 smtp", "none"),))
    assert identity("TLS006", asked, NOTHING) == "TLS006\0\0\0"  # of the network, another may be answered first
    for question in ("example.com. MX", "*.example.com. A", "example.com. SOA of 192.0.2.2 by TCP", "2001:db8::1 25 smtp"):
        assert identity("X", Finding("m", (Evidence(question, ""),)), NOTHING) == "X\0\0\0"
    for question in ("stat /etc/pf.conf", "netstat -ln", "public half of /etc/x.key", "uname -sr"):
        assert identity("X", Finding("m", (Evidence(question, ""),)), NOTHING) == f"X\0{question}\0\0"
    assert identity("X", Finding("m", ()), NOTHING) == "X\0\0\0"


@given(st.lists(st.sampled_from(("", "1" * 64, "2" * 64)), max_size=8))
def test_equal_ones_are_numbered_in_order(given_: list[str]) -> None:
    results = [
        Result("A", "a", Verdict.FAIL, Severity.LOW, Basis.GUIDE, "", str(number), fingerprint=each)
        for number, each in enumerate(given_)
    ]
    done = numbered(results)
    assert [each.message for each in done] == [each.message for each in results]
    known = [each.fingerprint for each in done if each.fingerprint]
    assert len(set(known)) == len(known)
    assert [each for each in known if each in given_] == list(dict.fromkeys(each for each in given_ if each))
    assert numbered(results) == done


def test_no_page_has_a_finding_with_an_address_or_the_hosts_name_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    real = fingerprints.identity

    def heard(rule: str, found: Finding, unsaid: Unsaid) -> str:
        said.append(real(rule, found, unsaid))
        return said[-1]

    monkeypatch.setattr(fingerprints, "identity", heard)
    for wrong in WRONGS:
        if wrong.page.id.startswith(("DNS01", "DNS05", "RSPAMD00", "CROSS09", "SMTPD05")) and wrong.number == 0:
            judged(wrong.page, wrong.files)
    assert len(said) > 15
    assert not [each for each in said if "203.0.113" in each or "2001:db8" in each or "host7.example.com" in each]


@pytest.mark.parametrize(
    ("chars", "left"),
    [
        ("from 2001:db8::1", "from {ipv6}"),
        ("It is 2001:db8::1.", "It is {ipv6}."),
        ("It is 192.0.2.1.", "It is {ipv4}."),
        ("at 10:20:30", "at 10:20:30"),
        ("OpenSMTPD 7.8.0.1p0", "OpenSMTPD 7.8.0.1p0"),
    ],
)
def test_addresses_are_taken_out_and_no_more(chars: str, left: str) -> None:
    assert Unsaid().without(chars) == left
