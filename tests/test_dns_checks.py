"""Rules about DNS on answers that nobody would publish: no rule falls over what the network says, and reports can say it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailaudit import rulebook
from mailaudit import settings as site_settings
from mailaudit.audit import audit
from mailaudit.auditor import Auditor, Options
from mailaudit.checks.dns.reverse import is_made_up
from mailaudit.collect.folder import FolderWorld
from mailaudit.findings import Evidence, HostReport, Result, Severity, Verdict
from mailaudit.models.dns.reply import reply_of
from mailaudit.questions import Found, LookUp, Reason, RRset

EXAMPLE = Path(__file__).parents[1] / "examples" / "corrected"
BOOK = rulebook.load()
RULES = tuple(
    page for page in BOOK.pages if page.startswith(("DNS", "CROSS04", "CROSS07", "CROSS08", "CROSS091", "CROSS092", "CROSS003"))
)
NAMES = (
    "example.com.",
    "mail.example.com.",
    "host7.example.com.",
    ".",
    "a\\.b.example.com.",
    "*.example.com.",
    "\\255.example.net.",
)
name = st.sampled_from(NAMES)
number = st.integers(0, 65535)
text = st.one_of(
    st.from_regex(r"v=(spf1|DMARC1|DKIM1|STSv1|TLSRPTv1)[ ;a-z0-9=:%{}./+-]{0,60}", fullmatch=True),
    st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), max_size=60),
    st.just("v=DMARC1; p=\\255\\237\\160\\128; rua=mailto:\\200@example.com; pct=\\007"),
    st.just("v=spf1 include:example.com a:%{l}.example.com redirect=example.com"),
    st.just("v=DKIM1; p=MIIBIjANBgkq"),
)
RECORDS: dict[str, st.SearchStrategy[str]] = {
    "A": st.ip_addresses(v=4).map(str),
    "AAAA": st.ip_addresses(v=6).map(str),
    "CNAME": name,
    "NS": name,
    "PTR": name,
    "MX": st.builds("{} {}".format, number, name),
    "SRV": st.builds("{} {} {} {}".format, number, number, number, name),
    "TXT": text.map(lambda each: f'"{each}"'),
    "CAA": st.builds('{} {} "{}"'.format, st.sampled_from([0, 128]), st.sampled_from(["issue", "iodef", "tbs"]), text),
    "TLSA": st.builds(
        "{} {} 0 {}".format, st.integers(0, 255), st.integers(0, 255), st.binary(min_size=1, max_size=9).map(bytes.hex)
    ),
}


def answer(type_: str) -> st.SearchStrategy[dict[str, Any]]:
    records = RECORDS.get(type_, st.just("nonsense")) | st.text(max_size=20)
    found = st.fixed_dictionaries(
        {"rcode": st.just("NOERROR"), "records": st.lists(records, max_size=4)},
        optional={"cname": st.lists(name, max_size=2), "ttl": st.integers(0, 2**31)},
    )
    return found | st.sampled_from([{"rcode": "NXDOMAIN"}, {"rcode": "SERVFAIL"}, {"error": "timeout"}])


def audited(root: Path) -> HostReport:
    world = FolderWorld(root)
    host = Auditor(world, BOOK, site_settings.load(world.settings), Options(profile="strict"), RULES)
    return host.examine(*host.learn())


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("host")
    shutil.copytree(EXAMPLE, root / "host")
    return root / "host"


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_no_answer_makes_a_rule_fall_over(copied: Path, data: st.DataObject) -> None:
    answers = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))
    for question in data.draw(st.lists(st.sampled_from(sorted(answers["dns"])), min_size=1, max_size=8, unique=True)):
        answers["dns"][question] = data.draw(answer(question.rpartition(" ")[2]))
    (copied / "answers.json").write_text(json.dumps(answers), "utf-8")
    report = audited(copied)
    if report.crashes:
        raise report.crashes[0]
    for result in report.results:
        result.message.encode("utf-8", "surrogateescape")


def test_a_failing_network_is_never_a_finding(copied: Path) -> None:
    answers = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))
    for error in ("timeout", "servfail", "refused"):
        answers["dns"] = {question: {"error": error} for question in answers["dns"]}
        (copied / "answers.json").write_text(json.dumps(answers), "utf-8")
        report = audited(copied)
        assert not [result for result in report.results if result.verdict is Verdict.FAIL]
        reasons = {result.reason for result in report.results if result.verdict is Verdict.UNKNOWN}
        assert Reason(error) in reasons


KEY = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))["dns"]["selector0._domainkey.example.com. TXT"]


def told(root: Path, rule: str, changed: dict[str, Any]) -> Result:
    """The one finding of a rule once these answers of DNS are changed."""
    answers = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))
    answers["dns"].update(changed)
    (root / "answers.json").write_text(json.dumps(answers), "utf-8")
    (found,) = [each for each in audited(root).results if each.rule == rule and each.verdict is Verdict.FAIL]
    return found


def test_a_strangers_name_that_leads_back_is_not_said_to_be_refused_by_gmail(copied: Path) -> None:
    name_ = "static.example.net."
    pointer = {"9.113.0.203.in-addr.arpa. PTR": {"rcode": "NOERROR", "records": [name_]}}
    assert "Gmail" not in told(copied, "DNS014", pointer).message
    leads_back = {f"{name_} A": {"rcode": "NOERROR", "records": ["203.0.113.9"]}}
    assert "which Gmail is content with" in told(copied, "DNS014", pointer | leads_back).message


@pytest.mark.parametrize(
    ("name_", "failing"),
    [("pool7.example.net.", ["DNS014"]), ("pool7.example.com.", ["DNS018"]), ("mx.example.net.", ["DNS014"])],
)
def test_a_name_is_told_of_once(copied: Path, name_: str, failing: list[str]) -> None:
    answers = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))
    answers["dns"]["9.113.0.203.in-addr.arpa. PTR"] = {"rcode": "NOERROR", "records": [name_]}
    (copied / "answers.json").write_text(json.dumps(answers), "utf-8")
    found = [each for each in audited(copied).results if each.rule in ("DNS014", "DNS018") and each.verdict is Verdict.FAIL]
    assert [each.rule for each in found] == failing
    assert ("as customers' lines are by default" in found[0].message) == name_.startswith("pool")


def test_an_alias_is_not_proposed_for_helo(copied: Path) -> None:
    name_ = "front.example.com."
    pointer = {"9.113.0.203.in-addr.arpa. PTR": {"rcode": "NOERROR", "records": [name_]}}
    address = {"rcode": "NOERROR", "records": ["203.0.113.9"]}
    alias = address | {"cname": ["host7.example.com."]}
    for answer_, proposed in ((address, True), (alias, False)):
        fix = told(copied, "CROSS091", pointer | {f"{name_} A": answer_}).fix
        assert fix is not None
        assert ("relay helo" in fix.title) is proposed
        assert fix.records == ("9.113.0.203.in-addr.arpa. 300 IN PTR host7.example.com.",)


def test_a_lame_server_is_named_with_what_it_said(copied: Path) -> None:
    own = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))["dns"]["example.com. SOA"]
    servers = {"198.51.100.66": {"rcode": "REFUSED", "aa": False}}
    third = {
        "example.com. NS": {"rcode": "NOERROR", "records": ["ns1.exampleregistrar.com.", "ns3.exampleregistrar.com."]},
        "ns3.exampleregistrar.com. A": {"rcode": "NOERROR", "records": ["198.51.100.66"]},
        "example.com. SOA": own | {"servers": servers},
    }
    found = told(copied, "DNS012", third)
    assert found.message.startswith("The name server ns3.exampleregistrar.com (198.51.100.66) does not have the zone example.com")
    assert found.places == (Evidence("example.com. SOA of 198.51.100.66", "REFUSED"),)


@pytest.mark.parametrize(
    ("exchanger", "records"),
    [
        ("mx", ("example.com. 300 IN MX 0 mail.example.com.", "; delete: example.com. 300 IN MX 5 mx.example.com.")),
        ("mail", ("mail.example.com. 300 IN A 203.0.113.9", "mail.example.com. 300 IN AAAA 2001:db8::9")),
    ],
)
def test_an_exchanger_that_is_an_alias_is_replaced_or_gets_addresses(
    copied: Path, exchanger: str, records: tuple[str, ...]
) -> None:
    name_ = f"{exchanger}.example.com."
    mx = {"example.com. MX": {"rcode": "NOERROR", "records": [f"5 {name_}"]}}
    for type_, address in (("A", "203.0.113.9"), ("AAAA", "2001:db8::9")):
        mx[f"{name_} {type_}"] = {"rcode": "NOERROR", "records": [address], "cname": ["other.example.com."]}
    fix = told(copied, "DNS006", mx).fix
    assert fix is not None
    assert fix.records == records
    certificate = [each.verdict for each in audited(copied).results if each.rule == "CROSS003"]
    assert certificate == ([Verdict.NOT_APPLICABLE] if exchanger == "mx" else [Verdict.PASS])


def test_a_name_that_is_an_alias_gets_records_in_its_place(copied: Path) -> None:
    """A server takes no address beside a CNAME (RFC 2181, section 10.1)."""
    name_ = "host7.example.com."
    alias = {f"{name_} {type_}": {"rcode": "NOERROR", "records": [], "cname": ["other.example.com."]} for type_ in ("A", "AAAA")}
    alias[f"{name_} A"]["records"], alias[f"{name_} AAAA"]["records"] = ["203.0.113.9"], ["2001:db8::9"]
    pointers = {
        "9.113.0.203.in-addr.arpa. PTR": {"rcode": "NOERROR", "records": [name_]},
        "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR": {"rcode": "NOERROR", "records": [name_]},
    }
    fix = told(copied, "DNS017", alias | pointers).fix
    assert fix is not None
    assert f"; delete: {name_} 300 IN CNAME other.example.com." in fix.records


@pytest.mark.parametrize("last", ["0001-01-01", "9999-12-31"])
def test_the_last_day_of_a_selector_may_be_any(copied: Path, last: str) -> None:
    settings_ = copied / "mailaudit.toml"
    before = settings_.read_text("utf-8")
    settings_.write_text(before.replace("[site]\n", f"[site]\nold_selectors = {{ old = {last} }}\n"), "utf-8")
    published = {"rcode": "NOERROR", "records": ['"v=DKIM1; p="']} if last.startswith("9") else KEY
    try:
        message = told(copied, "CROSS041", {"old._domainkey.example.com. TXT": published}).message
    finally:
        settings_.write_text(before, "utf-8")
    assert "still has a key" in message or "no key any more" in message


def test_a_long_answer_that_is_cut_shows_it() -> None:
    long = reply_of(LookUp("a.example.", "TXT"), Found(RRset("NOERROR", tuple('"x"' for _ in range(300)))))
    assert (len(long.shown), long.shown[-3:]) == (400, "...")


def test_without_answers_all_is_quiet(copied: Path) -> None:
    answers = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))
    for section in ("dns", "dnssec", "endpoints"):
        del answers[section]
    (copied / "answers.json").write_text(json.dumps(answers), "utf-8")
    report = audited(copied)
    assert {result.verdict for result in report.results} <= {Verdict.UNKNOWN, Verdict.NOT_APPLICABLE}
    reasons = {result.reason for result in report.results if result.verdict is Verdict.UNKNOWN}
    assert reasons <= {Reason.OFFLINE, Reason.NOT_RECORDED}


@pytest.mark.parametrize(
    ("name_", "address", "made_up"),
    [
        ("203-0-113-9.example.net", "203.0.113.9", True),
        ("static.9.113.0.203.example.net", "203.0.113.9", True),
        ("cb007109.example.net", "203.0.113.9", True),
        ("dyn-7.example.net", "203.0.113.9", True),
        ("20010db8000000000000000000000009.example.net", "2001:db8::9", True),
        ("host7.example.com", "203.0.113.9", False),
        ("dynamo.example.com", "203.0.113.9", False),
        ("mx9.example.com", "2001:db8::9", False),
    ],
)
def test_made_up_names(name_: str, address: str, made_up: bool) -> None:
    assert is_made_up(name_, address) is made_up


def test_where_the_chain_to_a_bogus_zone_breaks_is_told(copied: Path) -> None:
    answers = json.loads((EXAMPLE / "answers.json").read_text("utf-8"))
    answers["dnssec"] = {"example.com.": "bogus"}
    for faults, said in (({}, "about it."), ({"example.com.": "no key"}, "about it. What is wrong: no key.")):
        (copied / "answers.json").write_text(json.dumps(answers | {"dnssec_faults": faults}), "utf-8")
        (found,) = [each for each in audited(copied).results if each.rule == "DNS001"]
        assert (found.verdict, found.message.endswith(said)) == (Verdict.FAIL, True)


@pytest.mark.parametrize(
    ("rule", "dns", "state", "severity"),
    [
        ("DNS001", {"example.com. DS": []}, "bogus", Severity.CRITICAL),
        (
            "DNS001",
            {"example.com. RRSIG": ["SOA 13 2 300 20261215000000 20261115000000 2642 example.com. AAECAwQF"]},
            "insecure",
            Severity.MEDIUM,
        ),
        ("DNS022", {"example.com. TXT": ['"v=spf1 +all"']}, "secure", Severity.HIGH),
        ("DNS022", {"example.com. TXT": ['"v=spf1 ip4:203.0.113.9 ?all"']}, "secure", Severity.MEDIUM),
        ("DNS042", {"_dmarc.example.com. TXT": ['"v=DMARC1; p=reject; pct=50"']}, "secure", Severity.MEDIUM),
        ("DNS042", {"_dmarc.example.com. TXT": ['"v=DMARC1; p=reject; pct=100"']}, "secure", Severity.LOW),
    ],
)
def test_a_worse_case_is_told_apart(rule: str, dns: dict[str, list[str]], state: str, severity: Severity, tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/acme-client.conf").touch()
    toml = '[site]\ndomains = ["example.com"]\nmail_host = "mail.example.com"\nipv4 = ["203.0.113.9"]\n'
    (tmp_path / "mailaudit.toml").write_text(toml)
    records = {question: {"rcode": "NOERROR", "records": found} for question, found in dns.items()}
    answers = {
        "format": "mailaudit.snapshot/1",
        "taken": "2026-11-22T12:00:00Z",
        "dns": records,
        "dnssec": {"example.com.": state},
    }
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    report = audit([str(tmp_path)], Options(select=(rule,)))
    assert {result.severity for result in report.hosts[0].results if result.verdict is Verdict.FAIL} == {severity}
    (tmp_path / "mailaudit.toml").write_text(f'{toml}[rules.severity]\n{rule} = "info"\n')
    assert {result.severity for result in audit([str(tmp_path)], Options(select=(rule,))).hosts[0].results} == {Severity.INFO}
