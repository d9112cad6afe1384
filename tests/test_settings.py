"""mailaudit.toml: every mistake is told with its line and key, and waivers cover what they name and nothing else."""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailaudit.collect.named import named_settings
from mailaudit.findings import Basis, Evidence, Place, Result, Severity, Verdict
from mailaudit.models.site import Declared
from mailaudit.settings import Settings, SettingsError, Waiver, inline_waivers, load, parse_settings, waive
from mailaudit.text import Span, Text

CONTRACT = """[site]                                   # what cannot or need not be inferred
domains = ["example.com"]
mail_host = "mail.example.com"
host_name = "host7.example.com"
ipv4 = ["203.0.113.9"]
ipv6 = ["2001:db8::9"]
selectors = { "example.com" = "selector0" }
old_selectors = { Selector9 = 2026-10-01 }
open_ports = { tcp = [22, 25, 80, 443, 465, 587, 993, 4190], udp = [] }   # beyond the reference's own
admin_networks = []                      # empty: anywhere
managesieve = "public"                   # public, local, off
catch_all = []                           # domains that have one on purpose
forwards_to = []                         # foreign domains that aliases may lead to
backup_days = 7                          # declared backups; absent: unknown
ca_file = "etc/ssl/ca.pem"               # further trusted roots
blocklists = ["zen.example.net"]         # lists of addresses that are asked about this host's
[rules]
profile = "recommended"
ignore = ["DNS013"]
[rules.severity]
PF052 = "info"
[[waiver]]
rule = "DNS011"
reason = "wildcard needed by the tenant portal until the move"
expires = 2027-03-31                     # inclusive, UTC, by the clock (not by --now)
host = "mx1.*"                           # optional glob
match = "%s"                            # optional fingerprint
""" % ("0" * 64)


def test_the_contract_s_example() -> None:
    found = parse_settings(CONTRACT.encode())
    assert found == Settings(
        site=Declared(
            domains=("example.com",),
            mail_host="mail.example.com",
            host_name="host7.example.com",
            ipv4=("203.0.113.9",),
            ipv6=("2001:db8::9",),
            selectors={"example.com": "selector0"},
            old_selectors={"selector9": date(2026, 10, 1)},
            open_tcp=(22, 25, 80, 443, 465, 587, 993, 4190),
            open_udp=(),
            admin_networks=(),
            managesieve="public",
            catch_all=(),
            forwards_to=(),
            backup_days=7,
            ca_file="etc/ssl/ca.pem",
            blocklists=("zen.example.net",),
        ),
        profile="recommended",
        ignore=("DNS013",),
        severity={"PF052": Severity.INFO},
        waivers=(
            Waiver(
                "DNS011",
                "wildcard needed by the tenant portal until the move",
                date(2027, 3, 31),
                "mx1.*",
                "0" * 64,
                "mailaudit.toml:22",
            ),
        ),
        files=("mailaudit.toml",),
    )


def test_without_a_file_the_defaults_hold() -> None:
    assert load(()) == Settings()
    assert parse_settings(b"", "") == Settings(files=("",))


def test_names_and_addresses_are_made_canonical() -> None:
    site = parse_settings(
        b'site = { domains = ["Example.COM."], ipv6 = ["2001:DB8:0::9"], admin_networks = ["192.0.2.7/24"] }'
    ).site
    assert (site.domains, site.ipv6, site.admin_networks) == (("example.com",), ("2001:db8::9",), ("192.0.2.0/24",))


def test_settings_lie_with_the_target_or_are_named(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('[rules]\nprofile = "strict"\n')
    found = (("repo/mailaudit.toml", b'[rules]\nprofile = "guide"\n'),)
    assert load(found).profile == "guide"
    assert load(found).files == ("repo/mailaudit.toml",)
    assert load(named_settings(str(tmp_path / "own.toml"))).profile == "strict"
    for path, why in ((tmp_path / "gone", "no such file"), (tmp_path, "is a directory"), ("nul\0", "null|no such file")):
        with pytest.raises(SettingsError, match=why):
            named_settings(str(path))


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('[site]\n\ndomain = ["a.b"]', "m.toml:3: site.domain is no known key; the nearest is domains"),
        ("[sites]\n", "m.toml:1: sites is no known key; the nearest is site"),
        ("zzz = 1", "m.toml:1: zzz is no known key; known are site, rules, waiver"),
        ("[rules]\nprofil = 1", "m.toml:2: rules.profil is no known key; the nearest is profile"),
        ("[site]\n'mailhost' = 1", "m.toml:2: site.mailhost is no known key; the nearest is mail_host"),
        ("site.mail_hosts = 1", "m.toml:1: site.mail_hosts is no known key; the nearest is mail_host"),
        ('[site]\ndomains = "a.b"', 'm.toml:2: site.domains: expected a list of domains like ["example.com"], found "a.b"'),
        ("[site]\ndomains = [1]", 'm.toml:2: site.domains: expected a list of domains like ["example.com"], found [1]'),
        ('[site]\nmail_host = ""', 'm.toml:2: site.mail_host: expected a host name like "mail.example.com", found ""'),
        ('[site]\nmail_host = "a b"', "m.toml:2: site.mail_host: expected a host name"),
        ('[site]\nmail_host = "-a.b"', "m.toml:2: site.mail_host: expected a host name"),
        ('[site]\nipv4 = ["2001:db8::9"]', 'm.toml:2: site.ipv4: expected a list of IPv4 addresses like ["203.0.113.9"], found'),
        ('[site]\nipv6 = ["203.0.113.9"]', "m.toml:2: site.ipv6: expected a list of IPv6 addresses"),
        ("[site]\nselectors = []", "m.toml:2: site.selectors: expected a table of DKIM selectors"),
        ("[site]\nopen_ports = { tcp = [0] }", "m.toml:2: site.open_ports: expected a table of ports from 1 to 65535"),
        ("[site]\nopen_ports = { sctp = [1] }", "m.toml:2: site.open_ports: expected a table of ports from 1 to 65535"),
        ("[site]\nopen_ports = [25]", "m.toml:2: site.open_ports: expected a table of ports from 1 to 65535"),
        ('[site]\nadmin_networks = ["192.0.2.0/33"]', "m.toml:2: site.admin_networks: expected a list of networks"),
        ('[site]\nmanagesieve = "on"', 'm.toml:2: site.managesieve: expected "public", "local" or "off", found "on"'),
        ("[site]\nbackup_days = true", "m.toml:2: site.backup_days: expected a number of days from 1 to 36500, found true"),
        ("[site]\nbackup_days = 0", "m.toml:2: site.backup_days: expected a number of days from 1 to 36500, found 0"),
        ("[site]\nca_file = 1", 'm.toml:2: site.ca_file: expected a path like "etc/ssl/ca.pem", found 1'),
        ("site = 1", "m.toml:1: site: expected a table, found 1"),
        ('[rules]\nprofile = "best"', 'm.toml:2: rules.profile: expected one of guide, recommended, strict, found "best"'),
        ('[rules]\nignore = "DNS013"', "m.toml:2: rules.ignore: expected a list of rules"),
        (
            '[rules.severity]\nPF001 = "low"\nPF052 = "none"',
            'm.toml:3: rules.severity.PF052: expected one of info, low, medium, high, critical, found "none"',
        ),
        ("[waiver]\nrule = 'x'", "m.toml:1: waiver: expected tables, each headed [[waiver]], found a table"),
        ('[[waiver]]\nrule = "A"\n', "m.toml:1: waiver[1].reason is missing: expected a reason, in words"),
        (
            '[[waiver]]\nrule="A"\nreason="r"\n\n[[waiver]]\nreason="x"',
            "m.toml:5: waiver[2].rule is missing: expected a rule like",
        ),
        ('[[waiver]]\nrule = "A"\nreason = "  "', 'm.toml:3: waiver[1].reason: expected a reason, in words, found "  "'),
        (
            '[[waiver]]\nrule = "A"\nreason = "r"\nexpires = "2027-03-31"',
            'm.toml:4: waiver[1].expires: expected a date like 2027-03-31, without quotes, found "2027-03-31"',
        ),
        (
            '[[waiver]]\nrule = "A"\nreason = "r"\nexpires = 2027-03-31T00:00:00Z',
            'm.toml:4: waiver[1].expires: expected a date like 2027-03-31, without quotes, found "2027-03-31T00:00:00+00:00"',
        ),
        ('[[waiver]]\nrule = "A"\nreason = "r"\nmatch = "abc"', "m.toml:4: waiver[1].match: expected a finding's fingerprint"),
        (
            '[[waiver]]\nrule = "A"\nreason = "r"\nexpire = 1',
            "m.toml:4: waiver[1].expire is no known key; the nearest is expires",
        ),
        ("[site\n", "m.toml:1:6: expected ']' at the end of a table declaration"),
        ('[site]\nmail_host = "a"\nmail_host = "b"', "m.toml:3: cannot overwrite a value"),
        ('[site]\nmail_host = "a', "m.toml:2"),
        ("x = " + "[" * 100_000, "m.toml: it is nested too deeply"),
        ("x = " + "1" * 5000, "m.toml: it is nested too deeply, or holds a number that is too long"),
        ("#" * (1024 * 1024 + 1), "m.toml: it is over 1024 KiB"),
    ],
    ids=lambda value: value[:40],
)
def test_mistakes_are_told_with_line_and_key(toml: str, message: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(toml.encode(), "m.toml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_other_bytes_than_utf8() -> None:
    with pytest.raises(SettingsError, match=r"^m\.toml:2: it is not UTF-8 text$"):
        parse_settings(b"[site]\n# \xff", "m.toml")


@given(st.binary(max_size=100) | st.text("[]=\"'site.rulwav{}#\n1", max_size=60).map(str.encode))
def test_no_bytes_do_more_than_a_settings_error(data: bytes) -> None:
    with contextlib.suppress(SettingsError):
        parse_settings(data)


# ---- waivers


def result(rule: str = "PF020", verdict: Verdict = Verdict.FAIL, place: Place | Evidence | None = None, **more: str) -> Result:
    places = (place or Place.whole("/etc/pf.conf"),)
    return Result(rule, "default-deny", verdict, Severity.HIGH, Basis.GUIDE, "", "", places=places, **more)  # type: ignore[arg-type]


TODAY = date(2026, 11, 22)


def verdicts(results: list[Result], *waivers: Waiver, host: str = "mx1.example.com") -> list[str]:
    return [str(each.verdict) for each in waive(results, waivers, TODAY, host).results]


@pytest.mark.parametrize("rule", ["PF020", "pf020", "default-deny", "PF", "PF0"])
def test_a_waiver_names_a_rule_by_id_name_or_prefix(rule: str) -> None:
    done = waive([result()], [Waiver(rule, "the reason")], TODAY, "mx")
    assert done.results[0].verdict is Verdict.WAIVED
    assert done.results[0].waiver == "the reason"
    assert (len(done.used), done.expired, done.unused) == (1, (), ())


def test_only_findings_are_waived() -> None:
    results = [result(verdict=verdict) for verdict in Verdict]
    assert verdicts(results, Waiver("PF020", "r")) == ["pass", "waived", "unknown", "not-applicable", "waived"]


def test_a_waiver_is_narrowed_by_host_and_fingerprint() -> None:
    one, two = result(fingerprint="1" * 64), result(fingerprint="2" * 64)
    assert verdicts([one, two], Waiver("PF020", "r", match="1" * 64)) == ["waived", "fail"]
    assert verdicts([one], Waiver("PF020", "r", host="MX1.*")) == ["waived"]
    assert verdicts([one], Waiver("PF020", "r", host="mx2.*")) == ["fail"]


def test_what_is_missing_can_be_waived() -> None:
    assert verdicts([result("DNS011", place=Evidence("example.com. TXT", "none"))], Waiver("DNS011", "r")) == ["waived"]


@pytest.mark.parametrize(
    ("expires", "verdict"), [(date(2026, 11, 21), "fail"), (TODAY, "waived"), (date(2026, 11, 23), "waived")]
)
def test_the_last_day_counts(expires: date, verdict: str) -> None:
    waiver = Waiver("PF020", "r", expires)
    done = waive([result()], [waiver], TODAY, "mx")
    assert str(done.results[0].verdict) == verdict
    assert done.expired == ((waiver,) if verdict == "fail" else ())
    assert done.unused == ()


def test_a_waiver_is_unused_only_where_its_rule_was_decided_on_its_host() -> None:
    waiver = Waiver("PF020", "r")
    assert waive([result(verdict=Verdict.PASS)], [waiver], TODAY, "mx").unused == (waiver,)
    assert waive([result(verdict=Verdict.UNKNOWN)], [waiver], TODAY, "mx").unused == ()
    assert waive([result("SMTPD010")], [waiver], TODAY, "mx").unused == ()
    assert waive([result(verdict=Verdict.PASS)], [Waiver("PF020", "r", host="other")], TODAY, "mx").unused == ()


PF = """# mailaudit: ignore[PF020] the provider filters
pass
block # mailaudit: ignore[PF021,default-deny] until=2027-03-31 known to us

\t#mailaudit:ignore[ PF022 , PF023 ] stacked
\t# another comment
; mailaudit: ignore[PF024] in a zone\r
\tpass in
last # mailaudit: ignore[PF025] x"""


def test_inline_waivers() -> None:
    found, bad = inline_waivers(Text.of("/etc/pf.conf", PF))
    assert bad == []
    assert [(each.rule, each.lines, each.reason, each.expires, each.origin) for each in found] == [
        ("PF020", (1, 2), "the provider filters", None, "/etc/pf.conf:1"),
        ("PF021", (3,), "known to us", date(2027, 3, 31), "/etc/pf.conf:3"),
        ("default-deny", (3,), "known to us", date(2027, 3, 31), "/etc/pf.conf:3"),
        ("PF022", (5, 8), "stacked", None, "/etc/pf.conf:5"),
        ("PF023", (5, 8), "stacked", None, "/etc/pf.conf:5"),
        ("PF024", (7, 8), "in a zone", None, "/etc/pf.conf:7"),
        ("PF025", (9,), "x", None, "/etc/pf.conf:9"),
    ]


def test_an_inline_waiver_covers_its_line_or_the_next() -> None:
    text = Text.of("/etc/pf.conf", PF)
    waivers = inline_waivers(text)[0]

    def verdict(rule: str, word: str, at: Text = text) -> str:
        start = at.chars.index(word)
        return verdicts([result(rule, place=Place.at(Span(at, start, start + 1)))], *waivers)[0]

    assert verdict("PF020", "pass\n") == "waived"
    assert verdict("PF020", "block") == "waived"  # by its name
    assert verdict("PF020", "pass in") == "fail"
    assert verdict("PF021", "block") == "waived"
    assert verdict("PF021", "pass in") == "fail"
    assert verdict("PF022", "pass in") == "waived"
    assert verdict("PF025", "last") == "waived"
    assert verdict("PF020", "pass\n", Text.of("/etc/other.conf", PF)) == "fail"
    assert verdicts([result(place=Place.whole(text))], *waivers) == ["waived"]
    behind = (Evidence("stat /etc/pf.conf", "0644"), Place.whole(text))
    assert waive([Result("PF020", "x", Verdict.FAIL, Severity.LOW, Basis.GUIDE, "", "", places=behind)], waivers, TODAY, "").used
    assert verdicts([result(place=Evidence("stat /etc/pf.conf", "0644"))], *waivers) == ["fail"]


def test_only_comments_are_looked_at_where_they_are_known() -> None:
    text = Text.of("/etc/x", 'a "# mailaudit: ignore[A] r" # mailaudit: ignore[B] r')
    assert [each.rule for each in inline_waivers(text, [Span(text, 28, len(text.chars))])[0]] == ["B"]
    assert inline_waivers(text, [])[0] == []


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("ignore[PF020]", "a waiver needs a reason, in words"),
        ("ignore[PF020]   ", "a waiver needs a reason, in words"),
        ("ignore[PF020] until=2027-03-31", "a waiver needs a reason, in words"),
        ("ignore[PF020] until=soon reason", "expected a date like 2027-03-31 after until=, found 'soon'"),
        ("ignore[PF020] until=2027-13-31 reason", "expected a date like"),
        ("ignore[] reason", "expected one rule, or several with commas"),
        ("ignore[PF020 PF021] reason", "expected one rule, or several with commas"),
        ("ignore PF020 reason", "expected ignore[RULE] and a reason after mailaudit:"),
        ("disable[PF020] reason", "expected ignore[RULE] and a reason after mailaudit:"),
        ("", "expected ignore[RULE]"),
    ],
)
def test_a_comment_that_means_to_be_a_waiver_and_is_none(comment: str, message: str) -> None:
    found, bad = inline_waivers(Text.of("/etc/pf.conf", f"pass\npass # mailaudit: {comment}\npass\n"))
    assert found == []
    assert [str(each).startswith(f"/etc/pf.conf:2: {message}") for each in bad] == [True]
    assert bad[0].span.chars.startswith("# mailaudit:")


def test_many_waivers_are_read_promptly() -> None:
    text = Text.of("/etc/pf.conf", "# mailaudit: ignore[PF020] r\n" * 20_000 + "#" * 1_000_000 + " " * 1_000_000)
    assert len(inline_waivers(text)[0]) == 20_000


@given(st.text('#; mailaudit:ignore[PF02],until=7-\n\r"', max_size=80))
def test_no_text_breaks_the_reading_of_waivers(chars: str) -> None:
    found, bad = inline_waivers(Text.of("/x", f"# mailaudit:{chars}"))
    assert found or bad
