"""Wrong verdicts that other tools of DNS and mail are known for: one test each, named after what it keeps us from.

Their names stand in the comments: checkdmarc, Internet.nl, mox, Mail-in-a-Box, YunoHost, mailcow, DomainDetective, testssl.sh,
sslyze, openship, openagentemail, dss.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mailaudit.audit import audit
from mailaudit.auditor import Options
from mailaudit.findings import Report, Result, Verdict
from mailaudit.models.dns.policies import Dmarc, dkim_key, dmarc_records, tags
from mailaudit.models.mta_sts import read_policy
from mailaudit.models.spf.check import Limits, Looked, check_host
from mailaudit.questions import Failed, Reason

SITE = """\
[site]
domains = ["example.com"]
mail_host = "mail.example.com"
host_name = "host7.example.com"
ipv4 = ["203.0.113.9"]
ipv6 = ["2001:db8::9"]
selectors = { "example.com" = "selector0" }
"""
KEY = "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE="  # Ed25519, as a SubjectPublicKeyInfo
RSA = (
    "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/"
    "BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB"
)
PASS = {Verdict.PASS}
FAIL = {Verdict.FAIL}
UNKNOWN = {Verdict.UNKNOWN}


def there(*records: str, **more: Any) -> dict[str, Any]:
    return {"rcode": "NOERROR", "records": list(records), **more}


def txt(*texts: str) -> dict[str, Any]:
    return there(*(f'"{text}"' for text in texts))


NOTHING: dict[str, Any] = {"rcode": "NXDOMAIN"}
ADDRESSES = {
    "mail.example.com. A": there("203.0.113.9"),
    "mail.example.com. AAAA": there("2001:db8::9"),
    "host7.example.com. A": there("203.0.113.9"),
    "host7.example.com. AAAA": there("2001:db8::9"),
}


def judged(
    root: Path,
    rule: str,
    dns: Mapping[str, Any],
    *,
    site: str = SITE,
    files: Mapping[str, str] | None = None,
    **sections: Any,
) -> Report:
    """A report on a host of which DNS says this."""
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/myname").write_text("host7.example.com\n")
    (root / "etc/acme-client.conf").write_text("")
    for path, text in (files or {}).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    (root / "mailaudit.toml").write_text(site)
    answers = {"format": "mailaudit.snapshot/1", "taken": "2026-11-22T12:00:00Z", "host": "host7.example.com", "dns": dict(dns)}
    (root / "answers.json").write_text(json.dumps({**answers, **sections}))
    return audit([str(root)], Options(select=(rule,)))


def results(root: Path, rule: str, dns: Mapping[str, Any], **more: Any) -> tuple[Result, ...]:
    return judged(root, rule, dns, **more).hosts[0].results


def verdicts(root: Path, rule: str, dns: Mapping[str, Any], **more: Any) -> set[Verdict]:
    return {result.verdict for result in results(root, rule, dns, **more)}


# ---- could not look is not "not there" (checkdmarc 90 and 195, YunoHost 2130, mox 116, testssl.sh 327, sslyze)


@pytest.mark.parametrize("trouble", [{"error": "timeout"}, {"rcode": "SERVFAIL"}])
@pytest.mark.parametrize(
    ("rule", "question"),
    [
        ("DNS004", "mail.example.com. A"),
        ("DNS006", "example.com. MX"),
        ("DNS014", "9.113.0.203.in-addr.arpa. PTR"),
        ("DNS020", "example.com. TXT"),
        ("DNS030", "selector0._domainkey.example.com. TXT"),
        ("DNS040", "_dmarc.example.com. TXT"),
    ],
)
def test_a_resolver_that_fails_is_no_missing_record(rule: str, question: str, trouble: dict[str, str], tmp_path: Path) -> None:
    assert verdicts(tmp_path, rule, {**ADDRESSES, question: trouble}) == UNKNOWN


def test_a_failed_question_is_never_success(tmp_path: Path) -> None:
    """checkdmarc, mox and sslyze end with 0 whatever they could not see."""
    assert judged(tmp_path, "DNS020", {"example.com. TXT": {"error": "timeout"}}).exit_code == 4


def test_a_finding_reaches_the_exit_code(tmp_path: Path) -> None:
    """checkdmarc, mox's dnscheck and testssl.sh end with 0 with findings."""
    assert judged(tmp_path, "DNS020", {"example.com. TXT": NOTHING}).exit_code == 1


# ---- DNSSEC (checkdmarc: a set that verifies with the zone's own key is called signed)


def test_a_signed_island_is_not_secure(tmp_path: Path) -> None:
    signature = "SOA 13 2 300 20261215000000 20261115000000 2642 example.com. AAECAwQF"
    dns = {"example.com. RRSIG": there(signature)}
    [found] = results(tmp_path, "DNS001", dns, dnssec={"example.com.": "insecure"})
    assert found.verdict is Verdict.FAIL
    assert "no DS record" in found.message


# ---- wildcards and aliases (checkdmarc's UnrelatedTXTRecordFoundAtMTASTS, Internet.nl 1025 and 470)

WILDCARD = there('"v=spf1 a -all"', cname=["example.com."])


def test_spf_at_a_policys_name_is_no_policy_and_no_mistake(tmp_path: Path) -> None:
    dns = {"_mta-sts.example.com. TXT": WILDCARD, "_smtp._tls.example.com. TXT": WILDCARD}
    assert verdicts(tmp_path, "DNS050", dns) == {Verdict.NOT_APPLICABLE}
    assert verdicts(tmp_path, "DNS051", dns) == {Verdict.NOT_APPLICABLE}


def test_a_wildcards_answer_is_no_dkim_key(tmp_path: Path) -> None:
    dns = {"selector0._domainkey.example.com. TXT": WILDCARD, "*.example.com. TXT": WILDCARD}
    assert verdicts(tmp_path, "DNS030", dns) == FAIL


def test_a_key_counts_though_nothing_is_at_the_name_above_it(tmp_path: Path) -> None:
    dns = {
        "_domainkey.example.com. TXT": NOTHING,
        "selector0._domainkey.example.com. TXT": txt(f"v=DKIM1; k=ed25519; p={KEY[-44:]}"),
        "selector0._domainkey.example.com. CNAME": NOTHING,
    }
    assert verdicts(tmp_path, "DNS030", dns) == PASS


def test_an_exchanger_that_is_an_alias_is_told(tmp_path: Path) -> None:
    """Of the tools that were looked at only two see it."""
    alias = there("203.0.113.9", cname=["host7.example.com."])
    dns = {"example.com. MX": there("0 mail.example.com."), "mail.example.com. A": alias, "mail.example.com. AAAA": NOTHING}
    assert verdicts(tmp_path, "DNS006", dns) == FAIL


# ---- SPF (Internet.nl's counter, YunoHost 2523 and 1621, mailcow's and openship's comparison of text)


def counted(record: str, zone: Mapping[tuple[str, str], tuple[str, ...]]) -> Any:
    def look(name: str, type_: str) -> Looked:
        return Looked((record,) if (name, type_) == ("example.com", "TXT") else zone.get((name, type_), ()))

    return check_host("0.0.0.0", "postmaster@example.com", "example.com", look, Limits(30, 30))


@pytest.mark.parametrize("term", ["a", "a:mail.example.com", "a/24", "mx", "mx:example.net", "exists:x.example.com", "ptr"])
def test_each_kind_of_lookup_counts(term: str) -> None:
    assert counted(f"v=spf1 {term} -all", {}).lookups == 1


def test_names_that_are_not_there_are_counted() -> None:
    assert counted("v=spf1 a:x1.example.com a:x2.example.com a:x3.example.com -all", {}).voids == 3


@pytest.mark.parametrize(
    "record",
    [
        "v=spf1 ip4:203.0.113.9 ip6:2001:db8::9 ~all",
        "v=spf1 ip4:198.51.100.0/24 ip4:203.0.113.0/24 ip6:2001:db8::/32 -all",
        "v=spf1 +a:mail.example.com ?ip4:192.0.2.1 ~all",
    ],
)
def test_spf_is_evaluated_not_compared(record: str, tmp_path: Path) -> None:
    assert verdicts(tmp_path, "DNS021", {**ADDRESSES, "example.com. TXT": txt(record)}) == PASS


def test_a_site_verification_beside_spf_is_no_second_record(tmp_path: Path) -> None:
    assert verdicts(tmp_path, "DNS020", {"example.com. TXT": txt("v=spf1 a -all", "google-site-verification=x")}) == PASS


def test_v_spf10_is_no_spf_record(tmp_path: Path) -> None:
    assert verdicts(tmp_path, "DNS020", {"example.com. TXT": txt("v=spf1 a -all", "v=spf10 -all")}) == PASS


# ---- DMARC (Internet.nl's parser, mox's and DomainDetective's advice of RFC 7489)


@pytest.mark.parametrize(
    "record",
    [
        "v=DMARC1; rua=mailto:dmarcreport@example.com; p=quarantine",
        "v=DMARC1;p=reject;somebody=else;np=reject;psd=n;t=n",
        "v = DMARC1 ; p = quarantine",
        "v=DMARC1; p=Quarantine; adkim=r; aspf=r; fo=1;",
    ],
)
def test_tags_stand_in_any_order_and_unknown_ones_are_let_be(record: str, tmp_path: Path) -> None:
    assert verdicts(tmp_path, "DNS040", {"_dmarc.example.com. TXT": txt(record)}) == PASS
    assert verdicts(tmp_path, "DNS041", {"_dmarc.example.com. TXT": txt(record)}) == PASS


def test_a_policy_in_test_is_one_level_milder() -> None:
    [record] = dmarc_records(["v=DMARC1; p=quarantine; t=y"])
    assert (record.policy, record.applied) == ("quarantine", "none")


def test_a_record_without_p_asks_for_nothing_and_is_a_record() -> None:
    assert dmarc_records(["v=DMARC1; rua=mailto:x@example.com"]) == (
        Dmarc("v=DMARC1; rua=mailto:x@example.com", {"v": "DMARC1", "rua": "mailto:x@example.com"}),
    )


def test_no_advice_speaks_of_a_share(tmp_path: Path) -> None:
    for found in results(tmp_path, "DNS040", {"_dmarc.example.com. TXT": NOTHING, "*.example.com. TXT": NOTHING}):
        assert found.fix is not None
        assert not any("pct" in record for record in found.fix.records)


def test_records_beside_dmarc_are_no_second_policy(tmp_path: Path) -> None:
    dns = {"_dmarc.example.com. TXT": txt("v=DMARC1; p=reject", "verification=abc")}
    assert verdicts(tmp_path, "DNS040", dns) == PASS


# ---- keys of DKIM (dss: "the second tag must be k=rsa"; mailcow: k=rsa must be there; openagentemail: unreadable is missing)


@pytest.mark.parametrize(
    "record",
    [f"v=DKIM1; p={RSA}", f"p={RSA}", f"v=DKIM1; t=s; h=sha256; p={RSA}", f"v=DKIM1; p={RSA}; k=rsa", f"v=DKIM1;k=rsa;p={RSA};"],
)
def test_a_key_is_read_whatever_the_order_of_its_tags(record: str) -> None:
    found = dkim_key(record)
    assert found.fault == ""
    assert found.key is not None
    assert found.key.kind == "rsa"


def test_strings_of_a_record_are_joined_without_blanks(tmp_path: Path) -> None:
    halves = there(f'"v=DKIM1; k=rsa; p={RSA[:100]}" "{RSA[100:]}"')
    dns = {"selector0._domainkey.example.com. TXT": halves, "selector0._domainkey.example.com. CNAME": NOTHING}
    assert verdicts(tmp_path, "DNS031", dns) == PASS


def test_a_key_by_an_alias_elsewhere_is_a_key(tmp_path: Path) -> None:
    """Stalwart 1253."""
    key = there(f'"v=DKIM1; p={RSA}"', cname=["selector0.keys.example.net."])
    dns = {"selector0._domainkey.example.com. TXT": key, "*.example.com. TXT": NOTHING}
    assert verdicts(tmp_path, "DNS030", dns) == PASS


# ---- MTA-STS (checkdmarc, DomainDetective)


@pytest.mark.parametrize(
    ("pattern", "exchanger", "allowed"),
    [
        ("mail.example.com", "mail.example.com.attacker.net", False),
        ("mail.example.com", "evilmail.example.com", False),
        ("mail.example.com", "MAIL.example.com.", True),
        ("mail.example.com", "mailxexample.com", False),
        ("*.example.com", "a.example.com", True),
        ("*.example.com", "a.b.example.com", False),
        ("*.example.com", "example.com", False),
    ],
)
def test_an_exchanger_is_matched_label_by_label(pattern: str, exchanger: str, allowed: bool) -> None:
    policy = read_policy(f"version: STSv1\nmode: enforce\nmx: {pattern}\nmax_age: 604800\n")
    assert policy.faults == ()
    assert policy.allows(exchanger) is allowed


@pytest.mark.parametrize("left_out", ["version", "mode", "mx", "max_age"])
def test_a_policy_without_a_field_that_must_be_there_is_none(left_out: str) -> None:
    lines = {"version": "STSv1", "mode": "enforce", "mx": "mail.example.com", "max_age": "604800"}
    assert read_policy("".join(f"{name}: {value}\n" for name, value in lines.items() if name != left_out)).faults


def test_a_field_that_is_not_known_is_let_be() -> None:
    body = "version: STSv1\r\nmode: testing\r\nmx: mail.example.com\r\nmax_age: 86400\r\nfuture: yes\r\n"
    assert read_policy(body).faults == ()


def test_a_redirect_is_no_policy(tmp_path: Path) -> None:
    dns = {
        "_mta-sts.example.com. TXT": txt("v=STSv1; id=1;"),
        "mta-sts.example.com. A": there("203.0.113.9"),
        "mta-sts.example.com. AAAA": NOTHING,
        "example.com. MX": there("0 mail.example.com."),
    }
    policy = {"address": "203.0.113.9", "status": 301, "location": "https://example.com/.well-known/mta-sts.txt", "trusted": True}
    found = results(tmp_path, "CROSS071", dns, policies={"example.com": policy})
    assert Verdict.PASS not in {each.verdict for each in found}


# ---- addresses (mox 17, 59, 60 and openship 240: NAT, /etc/hosts, proxies; mailcow: IPv6 judged by IPv4's answer)


def test_an_inner_address_of_an_interface_is_not_taken_for_the_public_one(tmp_path: Path) -> None:
    site = SITE.replace('ipv4 = ["203.0.113.9"]\nipv6 = ["2001:db8::9"]\n', "")
    ifconfig = "vio0: flags=8843<UP> mtu 1500\n\tinet 10.0.2.15 netmask 0xffffff00 broadcast 10.0.2.255\n"
    commands = {"ifconfig": {"status": 0, "stdout": ifconfig}}
    dns = {"mail.example.com. A": there("203.0.113.9"), "mail.example.com. AAAA": NOTHING}
    assert verdicts(tmp_path, "DNS004", dns, site=site, commands=commands) == UNKNOWN


def test_each_family_is_judged_by_its_own_answer(tmp_path: Path) -> None:
    dns = {"mail.example.com. A": there("203.0.113.9"), "mail.example.com. AAAA": NOTHING}
    assert verdicts(tmp_path, "DNS004", dns) == PASS
    assert verdicts(tmp_path, "DNS005", dns) == FAIL


def test_the_name_of_an_address_must_lead_back_and_be_no_alias(tmp_path: Path) -> None:
    """YunoHost calls it forward-confirmed and compares PTR with EHLO only."""
    dns = {
        "9.113.0.203.in-addr.arpa. PTR": there("host7.example.com."),
        f"{'.'.join(reversed('20010db8000000000000000000000009'))}.ip6.arpa. PTR": there("host7.example.com."),
        "host7.example.com. A": there("203.0.113.77"),
        "host7.example.com. AAAA": there("2001:db8::9"),
    }
    assert Verdict.FAIL in verdicts(tmp_path, "DNS016", dns)


def test_a_changed_address_makes_no_new_finding(tmp_path: Path) -> None:
    """Mail-in-a-Box 959: a mail every night about the same thing."""
    found = [results(tmp_path, "DNS004", {"mail.example.com. A": there(each)}) for each in ("198.51.100.7", "198.51.100.8")]
    assert [each[0].verdict for each in found] == [Verdict.FAIL, Verdict.FAIL]
    assert found[0][0].fingerprint == found[1][0].fingerprint


# ---- CAA (mailcow and YunoHost look at the parent alone)


def test_caa_at_the_name_itself_comes_before_that_of_its_parent(tmp_path: Path) -> None:
    acme = (
        'authority letsencrypt {\n\tapi url "https://acme-v02.api.letsencrypt.org/directory"\n'
        '\taccount key "/etc/acme/letsencrypt-privkey.pem"\n}\n'
        'domain mail.example.com {\n\tdomain key "/etc/ssl/private/mail.example.com.key"\n'
        '\tdomain full chain certificate "/etc/ssl/mail.example.com.pem"\n\tsign with letsencrypt\n}\n'
    )
    dns = {
        "mail.example.com. CAA": there('0 issue "other.example"'),
        "example.com. CAA": there('0 issue "letsencrypt.org"'),
    }
    assert verdicts(tmp_path, "CROSS070", dns, files={"etc/acme-client.conf": acme}) == FAIL


# ---- services and domains (mox 333, YunoHost 1937)


def test_a_service_that_is_said_not_to_be_offered_is_no_fault(tmp_path: Path) -> None:
    services = {"_submissions._tcp", "_imaps._tcp", "_sieve._tcp"}
    dns = {f"{service}.example.com. SRV": there("0 0 0 .") for service in services}
    assert verdicts(tmp_path, "DNS053", dns) == PASS


def test_every_domain_is_judged_not_the_first_alone(tmp_path: Path) -> None:
    site = SITE.replace('domains = ["example.com"]', 'domains = ["example.com", "example.net"]')
    dns = {"example.com. TXT": txt("v=spf1 a -all"), "example.net. TXT": NOTHING}
    assert verdicts(tmp_path, "DNS020", dns, site=site) == FAIL


# ---- blocklists (Mail-in-a-Box 2184, YunoHost 1623, openagentemail: any 127.* is taken for listed)


@pytest.mark.parametrize("code", ["127.255.255.252", "127.255.255.254", "127.255.255.255", "198.51.100.1"])
def test_a_blocklist_that_does_not_answer_lists_nobody(code: str, tmp_path: Path) -> None:
    site = SITE.replace('ipv6 = ["2001:db8::9"]\n', 'ipv6 = []\nblocklists = ["zen.example.net"]\n')
    assert verdicts(tmp_path, "DNS054", {"9.113.0.203.zen.example.net. A": there(code)}, site=site) == UNKNOWN


def test_no_blocklist_is_asked_unless_the_site_names_it(tmp_path: Path) -> None:
    assert verdicts(tmp_path, "DNS054", ADDRESSES) == {Verdict.NOT_APPLICABLE}


# ---- TLSA (checkdmarc 63, DomainDetective: fetched, never compared)


def test_a_tlsa_record_is_compared_with_the_certificate_that_is_shown(tmp_path: Path) -> None:
    recorded = json.loads((Path(__file__).parents[1] / "examples/corrected/answers.json").read_text())
    pem = recorded["endpoints"]["203.0.113.9 25 smtp"]["chain"][0]
    dns = {
        **ADDRESSES,
        "example.com. MX": there("0 mail.example.com."),
        "_25._tcp.mail.example.com. TLSA": there(f"3 1 1 {'00' * 32}"),
    }
    shown = {"greeting": "220 x", "ehlo": ["STARTTLS"], "starttls": True, "chain": [pem], "protocols": ["TLSv1.3"]}
    endpoints = {"203.0.113.9 25 smtp": shown, "2001:db8::9 25 smtp": shown}
    assert verdicts(tmp_path, "CROSS072", dns, endpoints=endpoints) == FAIL


def test_a_timeout_of_spf_is_a_temporary_error() -> None:
    def look(_name: str, _type: str) -> Looked:
        return Looked((), Failed(Reason.TIMEOUT))

    assert check_host("203.0.113.9", "x@example.com", "example.com", look).result == "temperror"


def test_a_tag_that_is_there_twice_counts_once() -> None:
    assert tags("v=DKIM1; p=a; p=b")["p"] == "a"
