"""Live findings: what is told once, what stays unknown, and what nobody may claim of a host that was not asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import make_certificates
import pytest

from mailaudit import rulebook, settings
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.folder import FolderWorld
from mailaudit.findings import Evidence, HostReport, Place, Verdict
from mailaudit.models.probed import read_probe
from mailaudit.questions import Reason

BOOK = rulebook.load()
SMTPD = """\
pki mail.example.com cert "/etc/ssl/mail.example.com.pem"
pki mail.example.com key "/etc/ssl/private/mail.example.com.key"
action "local" mbox
listen on all tls pki mail.example.com
listen on all port submission tls-require pki mail.example.com
match from any for domain "example.com" action "local"
"""
SITE = '[site]\nmail_host = "mail.example.com"\nipv4 = ["203.0.113.9"]\nipv6 = ["2001:db8::9"]\n'
GOOD = {"greeting": "220 mail.example.com ESMTP", "ehlo": ["STARTTLS"], "starttls": True, "protocols": ["TLSv1.2", "TLSv1.3"]}
REFUSED, TIMEOUT = {"error": "refused"}, {"error": "timeout"}
CHAIN = [make_certificates.make(name) for name in ("good", "intermediate")]
OLD = [make_certificates.make(name) for name in ("soon", "intermediate")]
FILE = "".join(CHAIN)
PS = "PID USER STARTED COMMAND\n1 root Fri Nov 20 09:30:02 2026 /sbin/init\n41833 root Fri Nov 20 09:30:21 2026 /usr/sbin/smtpd\n"


def both(port: int, protocol: str, first: dict[str, Any], second: dict[str, Any] | None = None) -> dict[str, Any]:
    other = first if second is None else second
    return {f"203.0.113.9 {port} {protocol}": first, f"2001:db8::9 {port} {protocol}": other}


def audited(
    root: Path, rule: str, endpoints: dict[str, Any] | None, files: dict[str, str] | None = None, **more: Any
) -> HostReport:
    held = {"/etc/mail/smtpd.conf": SMTPD, "/mailaudit.toml": SITE, **(files or {})}
    if endpoints is not None or more:
        held["/answers.json"] = json.dumps({"endpoints": endpoints or {}, **more})
    for path, text in held.items():
        file = root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    world = FolderWorld(root)
    host = Auditor(world, BOOK, settings.load(world.settings), Options(), (rule,))
    report = host.examine(*host.learn())
    assert not host.crashes
    return report


def verdict(report: HostReport) -> tuple[Verdict, Reason | None]:
    (result,) = {(each.verdict, each.reason) for each in report.results}
    return result


RULES = ("TLS010", "TLS011", "TLS014", "TLS015", "CROSS022")


@pytest.mark.parametrize("rule", RULES)
def test_a_repository_is_quietly_unknown(tmp_path: Path, rule: str) -> None:
    found, reason = verdict(audited(tmp_path, rule, None))
    assert found is Verdict.UNKNOWN
    assert reason in (Reason.OFFLINE, Reason.NOT_RECORDED)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("error", ["timeout", "protocol"])
def test_who_says_nothing_is_unknown_and_never_missing(tmp_path: Path, rule: str, error: str) -> None:
    silent = {"error": error}
    endpoints = {**both(25, "smtp", silent), **both(587, "smtp", silent), **both(465, "smtps", REFUSED)}
    report = audited(tmp_path, rule, endpoints, {"/etc/ssl/mail.example.com.pem": FILE})
    assert verdict(report) == (Verdict.UNKNOWN, Reason(error))


def test_one_family_that_says_nothing_does_not_hide_the_other(tmp_path: Path) -> None:
    endpoints = both(25, "smtp", TIMEOUT, {**GOOD, "starttls": False, "protocols": []})
    report = audited(tmp_path, "TLS010", endpoints)
    assert verdict(report) == (Verdict.FAIL, None)


@pytest.mark.parametrize("rule", ["TLS010", "TLS014"])
@pytest.mark.parametrize("greeting", ["421 4.3.2 busy", "554 5.7.1 you are listed"])
def test_who_is_turned_away_claims_nothing(tmp_path: Path, greeting: str, rule: str) -> None:
    files = {"/etc/ssl/mail.example.com.pem": FILE}
    report = audited(tmp_path, rule, both(25, "smtp", {"greeting": greeting}), files)
    assert verdict(report) == (Verdict.UNKNOWN, Reason.REFUSED)
    assert "turned away" in report.results[0].message


def test_nobody_on_port_25_is_one_rules_finding(tmp_path: Path) -> None:
    endpoints = {**both(25, "smtp", REFUSED), **both(587, "smtp", GOOD), **both(465, "smtps", REFUSED)}
    failing = [rule for rule in RULES if Verdict.FAIL in {r.verdict for r in audited(tmp_path / rule, rule, endpoints).results}]
    assert failing == ["CROSS022"]


def test_a_daemon_that_runs_older_files_is_host036s(tmp_path: Path) -> None:
    stat = {"/etc/mail/smtpd.conf": {"type": "file", "mode": "0644", "mtime": "2026-11-20T10:00:00Z"}}
    endpoints = {**both(25, "smtp", REFUSED), **both(587, "smtp", {**GOOD, "chain": OLD}), **both(465, "smtps", REFUSED)}
    more = {"stat": stat, "commands": {"ps": {"status": 0, "stdout": PS}}}
    files = {"/etc/ssl/mail.example.com.pem": FILE}
    for rule in ("CROSS022", "TLS014"):
        assert verdict(audited(tmp_path / rule, rule, endpoints, files, **more))[0] is Verdict.NOT_APPLICABLE
    assert verdict(audited(tmp_path / "HOST036", "HOST036", endpoints, files, **more))[0] is Verdict.FAIL


def test_what_pf_keeps_shut_is_cross020s(tmp_path: Path) -> None:
    files = {"/etc/pf.conf": "set skip on lo\nblock return all\npass out\npass in proto tcp to port 587\n"}
    report = audited(tmp_path, "CROSS022", {**both(25, "smtp", REFUSED), **both(587, "smtp", GOOD)}, files)
    assert verdict(report)[0] is Verdict.NOT_APPLICABLE


FILTERED = {"filtered": "no answer in 2.5 seconds, while port 587 answers"}


@pytest.mark.parametrize("rule", ["TLS010", "TLS011", "TLS014", "TLS015"])
def test_a_port_that_is_dropped_is_nobodys_doubt_but_cross022s(tmp_path: Path, rule: str) -> None:
    answered = {**GOOD, "chain": CHAIN}
    endpoints = {**both(25, "smtp", FILTERED), **both(587, "smtp", answered), **both(465, "smtps", FILTERED)}
    report = audited(tmp_path, rule, endpoints, {"/etc/ssl/mail.example.com.pem": FILE})
    assert verdict(report)[0] in (Verdict.PASS, Verdict.NOT_APPLICABLE)


def test_what_must_be_open_and_is_dropped_is_unknown_and_says_by_whom(tmp_path: Path) -> None:
    report = audited(tmp_path, "CROSS022", {**both(25, "smtp", FILTERED), **both(587, "smtp", GOOD)})
    assert verdict(report) == (Verdict.UNKNOWN, Reason.TIMEOUT)
    assert "dropped by a firewall" in report.results[0].message
    assert "port 25" in report.results[0].message
    (evidence,) = report.results[0].places
    assert evidence == Evidence("203.0.113.9 25 smtp", f"203.0.113.9 25 smtp: {FILTERED['filtered']}")


def test_what_pf_drops_is_cross020s(tmp_path: Path) -> None:
    files = {"/etc/pf.conf": "set skip on lo\nblock drop all\npass out\npass in proto tcp to port 587\n"}
    report = audited(tmp_path, "CROSS022", {**both(25, "smtp", FILTERED), **both(587, "smtp", GOOD)}, files)
    assert verdict(report)[0] is Verdict.NOT_APPLICABLE


def test_without_a_way_to_ipv6_the_rest_is_quietly_unknown(tmp_path: Path) -> None:
    offline = {"error": "offline", "detail": "there is no IPv6 from here to 2001:db8::9, so it was not asked"}
    report = audited(tmp_path, "CROSS022", {**both(25, "smtp", GOOD, offline), **both(587, "smtp", GOOD, offline)})
    assert verdict(report) == (Verdict.UNKNOWN, Reason.OFFLINE)
    assert "no IPv6 from here" in report.results[0].message


def test_mail_before_tls_is_smtpd023s_where_the_file_allows_it(tmp_path: Path) -> None:
    taken = both(587, "smtp", {**GOOD, "mail_reply": "250 2.0.0 Ok"})
    files = {"/etc/mail/smtpd.conf": SMTPD.replace("tls-require", "tls")}
    assert verdict(audited(tmp_path / "told", "TLS011", taken, files))[0] is not Verdict.FAIL
    assert verdict(audited(tmp_path / "live", "TLS011", taken))[0] is Verdict.FAIL


def test_a_file_that_is_broken_explains_what_is_not_trusted(tmp_path: Path) -> None:
    shown = {**GOOD, "chain": CHAIN[:1], "trusted": False, "trust_error": "unable to get local issuer certificate"}
    for name, text, count in (("broken", CHAIN[0], 1), ("whole", FILE, 1)):
        report = audited(tmp_path / name, "TLS006", both(25, "smtp", shown), {"/etc/ssl/mail.example.com.pem": text})
        assert [each.verdict for each in report.results] == [Verdict.FAIL] * count
        assert ("leads to no authority" in report.results[0].message) == (name == "whole")


PROBED = {**GOOD, "greeting": "220 host7.example.com ESMTP", "client": "198.51.100.7"}
RELAYING = {
    "/etc/mail/smtpd.conf": SMTPD.replace('action "local" mbox\n', 'action "local" mbox\naction "outbound" relay\n')
    + 'match from src 192.0.2.0/24 for any action "outbound"\n',
    "/mailaudit.toml": SITE + 'domains = ["example.com"]\n',
}


def probed(*answers: tuple[str, str], **more: Any) -> dict[str, Any]:
    relay = [{"sender": "", "recipient": recipient, "reply": reply} for recipient, reply in answers]
    return both(25, "smtp", {**PROBED, "relay": relay, **more})


@pytest.mark.parametrize(
    ("answers", "client", "expected"),
    [
        ([("a@example.org", "550 no")], "198.51.100.7", Verdict.PASS),
        ([("a@example.org", "250 ok")], "198.51.100.7", Verdict.FAIL),
        ([("a@example.org", "250 ok")], "192.0.2.7", Verdict.PASS),  # it may relay
        ([("a@example.org", "250 ok")], "10.0.0.7", Verdict.UNKNOWN),  # behind a router: who knows
        ([("a@example.org", "250 ok")], "", Verdict.UNKNOWN),
        ([("a@example.org", "451 later")], "198.51.100.7", Verdict.UNKNOWN),
        ([("a%example.org@example.com", "250 ok")], "198.51.100.7", Verdict.PASS),  # without comparison
        ([("a%example.org@example.com", "250 ok"), ("a@example.com", "250 ok")], "198.51.100.7", Verdict.PASS),
        ([("a%example.org@example.com", "250 ok"), ("a@example.com", "550 no")], "198.51.100.7", Verdict.FAIL),
        ([("@example.com:a@example.org", "250 ok")], "198.51.100.7", Verdict.FAIL),
        ([('"a@example.org"', "250 ok"), ("a@example.com", "550 no")], "198.51.100.7", Verdict.FAIL),
        ([("postmaster@example.com", "250 ok")], "198.51.100.7", Verdict.PASS),
    ],
)
def test_what_a_probe_means_hangs_on_who_asked(
    tmp_path: Path, answers: list[tuple[str, str]], client: str, expected: Verdict
) -> None:
    report = audited(tmp_path, "SMTPD044", probed(*answers, client=client), RELAYING)
    assert verdict(report)[0] is expected, report.results


def test_a_probe_that_was_broken_off_is_unknown(tmp_path: Path) -> None:
    report = audited(tmp_path, "SMTPD044", probed(("a@example.org", "550 no"), relay_end="421 too many errors"), RELAYING)
    assert verdict(report) == (Verdict.UNKNOWN, Reason.REFUSED)


def test_without_a_probe_the_files_decide(tmp_path: Path) -> None:
    assert verdict(audited(tmp_path / "files", "SMTPD044", None, RELAYING))[0] is Verdict.PASS
    assert verdict(audited(tmp_path / "live", "SMTPD044", both(25, "smtp", GOOD), RELAYING))[0] is Verdict.PASS


@pytest.mark.parametrize("relay", [None, 1, "x", {}, [None, 1, "x", {}], [{"sender": 1, "recipient": None, "reply": []}]])
def test_odd_probes_claim_nothing(relay: object) -> None:
    probe = read_probe({"relay": relay, "client": 1})
    assert probe is None or not (probe.relayed(()) or probe.accounts or probe.client)


def test_a_submission_that_is_clear_in_the_file_is_smtpd023s(tmp_path: Path) -> None:
    files = {"/etc/mail/smtpd.conf": SMTPD.replace("submission tls-require pki mail.example.com", "submission")}
    report = audited(tmp_path, "TLS011", both(587, "smtp", {"greeting": "220 x", "ehlo": [], "starttls": False}), files)
    assert verdict(report)[0] is not Verdict.FAIL


def test_the_first_place_is_the_listener_so_that_addresses_are_in_no_fingerprint(tmp_path: Path) -> None:
    bad = {**GOOD, "starttls": False, "protocols": []}
    prints = set()
    for number, address in enumerate(("203.0.113.9", "198.51.100.7")):
        site = f'[site]\nmail_host = "mail.example.com"\nipv4 = ["{address}"]\n'
        (result,) = audited(tmp_path / str(number), "TLS010", {f"{address} 25 smtp": bad}, {"/mailaudit.toml": site}).results
        prints.add(result.fingerprint)
        first, second = result.places
        assert isinstance(first, Place)
        assert isinstance(second, Evidence)
        assert second.question == f"{address} 25 smtp"
    assert len(prints) == 1


def test_hostile_words_are_shortened(tmp_path: Path) -> None:
    bad = {**GOOD, "ehlo": ["AUTH " + "\x1b[31m" * 1000, "STARTTLS"]}
    report = audited(tmp_path, "TLS011", {**both(587, "smtp", bad)})
    (result,) = report.results
    assert result.verdict is Verdict.FAIL
    assert all(len(place.answer) <= 300 for place in result.places if isinstance(place, Evidence))


def test_a_chain_that_is_none_is_unknown(tmp_path: Path) -> None:
    report = audited(tmp_path, "TLS010", both(25, "smtp", {**GOOD, "chain": ["-----BEGIN CERTIFICATE-----"]}))
    assert verdict(report) == (Verdict.UNKNOWN, Reason.PROTOCOL)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [("454 4.7.0 TLS not available", (Verdict.UNKNOWN, Reason.REFUSED)), ("502 5.5.1 no", (Verdict.FAIL, None))],
)
def test_starttls_that_is_refused(tmp_path: Path, reply: str, expected: tuple[Verdict, Reason | None]) -> None:
    said = {"greeting": "220 x ESMTP", "ehlo": ["STARTTLS"], "starttls": True, "starttls_reply": reply}
    assert verdict(audited(tmp_path, "TLS010", both(25, "smtp", said))) == expected


@pytest.mark.parametrize(("agreed", "expected"), [("TLSv1.3", Verdict.UNKNOWN), ("TLSv1.1", Verdict.FAIL)])
def test_versions_that_were_not_tried_are_not_claimed(tmp_path: Path, agreed: str, expected: Verdict) -> None:
    said = {**GOOD, "protocols_seen": [agreed]}
    del said["protocols"]
    endpoints = {**both(25, "smtp", said), **both(587, "smtp", GOOD), **both(465, "smtps", REFUSED)}
    assert verdict(audited(tmp_path, "TLS015", endpoints))[0] is expected


@pytest.mark.parametrize(
    ("where", "expected"), [("all", Verdict.FAIL), ("203.0.113.9", Verdict.PASS), ("2001:db8::9", Verdict.FAIL)]
)
def test_who_listens_on_one_address_need_not_answer_on_another(tmp_path: Path, where: str, expected: Verdict) -> None:
    text = SMTPD.replace("listen on all tls", f"listen on {where} tls").replace("listen on all port", "listen on lo0 port")
    report = audited(tmp_path, "CROSS022", both(25, "smtp", GOOD, REFUSED), {"/etc/mail/smtpd.conf": text})
    assert verdict(report)[0] is expected
