"""The JSON report against the contract and its schema."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import report_samples as samples

from mailaudit.audit import audit
from mailaudit.auditor import Options
from mailaudit.edits import Edit, Fix, Safety, apply
from mailaudit.findings import HostReport, Report, Verdict
from mailaudit.reports.json import LONGEST, as_data, write
from mailaudit.text import Text

ROOT = Path(__file__).parents[1]
SCHEMA = json.loads((ROOT / "mailaudit/reports/schema/report.schema.json").read_text())
GOLDEN = Path(__file__).parent / "fixtures" / "reports"


def validated(report: Report) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(write(report))
    jsonschema.Draft202012Validator(SCHEMA).validate(data)
    return data


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("make", [samples.usual, samples.hostile, samples.failed])
def test_reports_are_as_the_schema_says(make: Any) -> None:
    assert validated(make())["schema"] == "mailaudit.report/1"


def test_the_schema_is_closed() -> None:
    for change in ("report", "host", "result", "place"):
        data = as_data(samples.usual())
        host = data["hosts"][0]
        found = {"report": data, "host": host, "result": host["results"][0], "place": host["results"][-1]["places"][0]}
        found[change]["surprise"] = 1
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.Draft202012Validator(SCHEMA).validate(data)


def test_the_usual_report_is_as_it_was() -> None:
    assert write(samples.usual()).replace('"0.1.0"', '"VERSION"') == (GOLDEN / "usual.json").read_text()


def test_the_report_is_ascii_and_the_same_each_time() -> None:
    once = write(samples.hostile())
    assert once == write(samples.hostile())
    assert once.isascii()
    assert all(char.isprintable() or char == "\n" for char in once)


def test_results_are_sorted() -> None:
    def key(result: dict[str, Any]) -> tuple[str, int, int, str]:
        place = result["places"][0] if result["places"] else {}
        return place.get("path", ""), place.get("line", 0), place.get("column", 0), result["rule"]

    results = validated(samples.usual())["hosts"][0]["results"]
    assert [key(result) for result in results] == sorted(key(result) for result in results)


def test_places_count_from_one_and_the_first_is_primary() -> None:
    (found,) = [r for r in validated(samples.usual())["hosts"][0]["results"] if r["rule"] == "PF001"]
    first, second = found["places"]
    assert first == {
        "path": "/etc/pf.conf",
        "line": 3,
        "column": 19,
        "end_line": 3,
        "end_column": 23,
        "label": "no such service",
        "primary": True,
    }
    assert not second["primary"]


def test_edits_are_byte_offsets_of_the_file_as_read() -> None:
    data = validated(samples.usual())
    for result in data["hosts"][0]["results"]:
        for edit in (result["fix"] or {"edits": []})["edits"]:
            text = {"/etc/pf.conf": samples.PF, "/etc/mail/smtpd.conf": samples.SMTPD}[edit["path"]]
            new = text.data[: edit["start"]] + edit["text"].encode() + text.data[edit["end"] :]
            assert new in {
                samples.PF.data.replace(b"sshd", b"ssh", 1),
                samples.SMTPD.data.replace(b"tls", b"tls-require", 1),
                samples.SMTPD.data.replace(samples.QUEUE_KEY.encode(), b"{{generate:hex16}}"),
            }


def test_edits_of_files_with_undecodable_bytes_are_exact() -> None:
    text = Text("/etc/pf.conf", "# caf\udce9 ü\nblock\n".encode("utf-8", "surrogateescape"))
    at = text.chars.index("block")
    edit = Edit(text.path, at, at + 5, "block log # caf\udce9")
    host = one_host(text, Fix("x", Safety.SAFE, (edit,)))
    (made,) = validated(report_of(host))["hosts"][0]["results"][0]["fix"]["edits"]
    new = text.data[: made["start"]] + made["text"].encode("utf-8", "surrogateescape") + text.data[made["end"] :]
    assert new == apply(text.chars, [edit]).encode("utf-8", "surrogateescape")


def test_a_fix_of_a_text_the_report_does_not_have_is_a_defect() -> None:
    host = one_host(samples.PF, Fix("x", Safety.SAFE, (Edit("/etc/other", 3, 4, ""),)))
    with pytest.raises(LookupError, match="/etc/other"):
        write(report_of(host))


def test_secrets_stand_nowhere() -> None:
    written = write(samples.usual())
    assert samples.QUEUE_KEY not in written
    assert samples.PASSWORD_HASH not in written


def test_a_waiver_tells_its_reason() -> None:
    (found,) = [r for r in validated(samples.usual())["hosts"][0]["results"] if r["verdict"] == Verdict.WAIVED]
    assert found["message"] == "Blocked packets are not logged. Waived: the disk is small, until 2027-03-31"


def test_an_unread_statement_of_a_mebibyte_is_clipped() -> None:
    text = Text.of("/etc/pf.conf", "x" * 2**20)
    from mailaudit.findings import Coverage, FileStatus  # noqa: PLC0415  only here

    files = (Coverage(text.path, "pf", FileStatus.REFUSED, samples.digest(text), 1, ((samples.span(text, text.chars), "?"),)),)
    host = HostReport("h", "t", online=False, site=samples.SITE, files=files, results=())
    (unread,) = validated(report_of(host))["hosts"][0]["files"][0]["unread"]
    assert unread == {"line": 1, "column": 1, "text": "x" * LONGEST}


def one_host(text: Text, fix: Fix) -> HostReport:
    finding = samples.result("PF020", "default-deny", Verdict.FAIL, "wrong", fix=fix)
    return HostReport("h", "t", online=False, site=samples.SITE, files=(), results=(finding,), texts={text.path: text})


def report_of(host: HostReport) -> Report:
    return Report("recommended", 1, "2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z", (host,), exit_code=1)


def test_certificates_are_told_with_their_lifetimes_and_the_time_they_were_judged_at() -> None:
    report = audit([str(ROOT / "examples" / "corrected")], Options(select=("TLS002",)))
    (host,) = validated(report)["hosts"]
    assert host["now"] == "2026-11-22T12:00:00Z"
    at = [each["at"] for each in host["certificates"]]
    assert at[:2] == ["/etc/ssl/mail.example.com.pem", "203.0.113.9:25"]
    assert "[2001:db8::9]:993" in at
    first = host["certificates"][0]
    assert (first["names"], first["not_after"]) == (["mail.example.com"], "2027-01-18T08:20:30Z")
