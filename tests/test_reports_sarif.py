"""SARIF says what the report says: places, fixes, waivers, what was not evaluated, how the run ended."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
import report_formats
import report_samples as samples

from mailaudit import __version__
from mailaudit.choices import SarifProfile
from mailaudit.findings import Report, WaivedBy
from mailaudit.reports.sarif import write
from mailaudit.reports.sarif.places import message
from mailaudit.reports.view import Reader
from mailaudit.rulebook import read_page

PAGE = """+++
severity = "critical"
basis = "guide"
evidence = ["F"]
sources = ["pf.conf(5), Macros"]
since = "0.1"
+++
# pf.conf loads

The file loads: `pfctl -nf` takes it.

## Why it matters
Nothing is filtered else.

## Wrong
```/etc/pf.conf
frob  # <--
```
"""
READER = Reader({"PF001": read_page("PF001-pf-conf-loads.md", PAGE)})
GITHUB = replace(READER, sarif_profile=SarifProfile.GITHUB)


def run_of(report: Report, reader: Reader = READER) -> dict[str, Any]:
    text = write(report, reader)
    report_formats.sarif(text)
    run: dict[str, Any] = json.loads(text)["runs"][0]
    return run


def result_of(run: dict[str, Any], rule: str) -> dict[str, Any]:
    (found,) = [each for each in run["results"] if each["ruleId"] == rule]
    return dict(found)


def test_a_rule_carries_its_page_and_its_severity() -> None:
    rules = {rule["id"]: rule for rule in run_of(samples.usual())["tool"]["driver"]["rules"]}
    assert len(rules) == len({result.rule for result in samples.usual().hosts[0].results})
    rule = rules["PF001"]
    assert rule["help"]["markdown"] == (
        "# pf.conf loads\n\nThe file loads: `pfctl -nf` takes it.\n\n## Why it matters\nNothing is filtered else.\n\n"
        "Sources: pf.conf(5), Macros.\n"
    )
    assert rule["fullDescription"]["text"] == "The file loads: `pfctl -nf` takes it."
    assert rule["defaultConfiguration"] == {"level": "error"}
    assert rule["properties"]["security-severity"] == "9.5"
    assert rule["properties"]["tags"] == ["pf", "guide", "security"]


def test_a_result_has_its_places() -> None:
    run = run_of(samples.usual())
    found = result_of(run, "PF001")
    assert run["tool"]["driver"]["rules"][found["ruleIndex"]]["id"] == "PF001"
    (primary,) = found["locations"]
    assert primary["physicalLocation"] == {
        "artifactLocation": {"uri": "examples/corrected/etc/pf.conf", "uriBaseId": "SRCROOT"},
        "region": {"startLine": 3, "startColumn": 19, "endLine": 3, "endColumn": 23},
        "contextRegion": {"startLine": 3, "endLine": 3, "snippet": {"text": 'tcp_services = "{ sshd, smtp, http }"'}},
    }
    assert primary["message"] == {"text": "no such service"}
    assert [each["id"] for each in found["relatedLocations"]] == [1]
    (host,) = samples.usual().hosts
    (mine,) = [each for each in host.results if each.rule == "PF001"]
    assert found["partialFingerprints"] == {"mailaudit/v1": mine.fingerprint}


def test_a_fix_is_what_fix_does() -> None:
    (fix,) = result_of(run_of(samples.usual()), "PF001")["fixes"]
    (change,) = fix["artifactChanges"]
    (replacement,) = change["replacements"]
    assert fix["description"]["text"] == "Name the service ssh. `mailaudit fix` does this (safe)."
    assert replacement == {
        "deletedRegion": {"startLine": 3, "startColumn": 19, "endLine": 3, "endColumn": 23},
        "insertedContent": {"text": "ssh"},
    }
    by_hand = result_of(run_of(samples.usual()), "DNS011")
    assert "fixes" not in by_hand
    assert by_hand["properties"]["byHand"] == ['example.com. 3600 IN CAA 0 issue "letsencrypt.org"']


@pytest.mark.parametrize(("inline", "kind"), [(True, "inSource"), (False, "external")])
def test_a_waiver_is_a_suppression(inline: bool, kind: str) -> None:
    report = samples.usual()
    (host,) = report.hosts
    results = tuple(replace(each, waived_by=WaivedBy.INLINE if inline else WaivedBy.SETTINGS) for each in host.results)
    run = run_of(replace(report, hosts=(replace(host, results=results),)))
    assert result_of(run, "PF033")["suppressions"] == [
        {"kind": kind, "status": "accepted", "justification": "the disk is small, until 2027-03-31"}
    ]
    assert result_of(run, "PF001")["suppressions"] == []
    assert not [each for each in run_of(report, GITHUB)["results"] if each["ruleId"] == "PF033"]


def test_what_was_not_evaluated_is_told() -> None:
    (invocation,) = run_of(samples.usual())["invocations"]
    assert not invocation["executionSuccessful"]
    assert invocation["exitCode"] == 4
    told = invocation["toolExecutionNotifications"]
    assert [each["level"] for each in told] == ["error", "error", "warning", "note"]
    aliases, smtpd, relay, offline = told
    assert "/etc/mail/aliases was not read whole: unreadable: it is a FIFO" in aliases["message"]["text"]
    assert smtpd["locations"][0]["physicalLocation"]["region"]["startLine"] == 7
    assert relay["associatedRule"]["id"] == "SMTPD031"
    assert offline["message"]["text"].endswith("(offline): DNS020 DNS021")


@pytest.mark.parametrize(
    ("code", "successful"), [(0, True), (1, True), (2, False), (3, False), (4, False), (5, False), (70, False), (130, False)]
)
def test_success_is_told_truthfully(code: int, successful: bool) -> None:
    (invocation,) = run_of(replace(samples.failed(), exit_code=code))["invocations"]
    assert invocation["executionSuccessful"] is successful
    assert invocation.get("exitSignalName") == ("SIGINT" if code == 130 else None)
    where = "toolConfigurationNotifications" if code == 2 else "toolExecutionNotifications"
    assert [each["message"]["text"] for each in invocation[where]] == ["./nowhere is not there"]


def test_a_live_host_is_a_folder_of_its_name() -> None:
    report = samples.usual()
    live = replace(report, hosts=(replace(report.hosts[0], live=True),))
    found = result_of(run_of(live, GITHUB), "PF001")
    artifact = found["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "host7.example.com/etc/pf.conf", "uriBaseId": "HOSTS"}
    assert found["partialFingerprints"]["primaryLocationLineHash"].endswith(":1")
    assert "primaryLocationLineHash" not in result_of(run_of(report, GITHUB), "PF001")["partialFingerprints"]


def test_github_gets_a_place_for_what_stands_in_no_file() -> None:
    (plain,) = result_of(run_of(samples.usual()), "DNS011")["locations"]
    assert "physicalLocation" not in plain
    assert plain["message"]["text"] == "example.com. CAA: NOERROR, no records"
    (place,) = result_of(run_of(samples.usual(), GITHUB), "DNS011")["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "examples/corrected/etc/mail/smtpd.conf"


def test_words_are_no_links_and_no_placeholders() -> None:
    assert message("see [x](http://y), a[0] and {0}, {{masked:key}}") == {
        "text": "see \\[x](http://y), a[0] and {{0}}, {{masked:key}}"
    }


def test_masks_are_named() -> None:
    run = run_of(samples.usual())
    assert run["redactionTokens"] == ["{{masked:hash}}", "{{masked:queue-key}}"]
    assert run["tool"]["driver"]["semanticVersion"] == __version__
