"""The rules of these layers on the two examples, and what they say where evidence lacks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.folder import FolderWorld
from mailaudit.edits import Safety
from mailaudit.findings import HostReport, Place, Result, Verdict
from mailaudit.questions import Reason
from mailaudit.repair import plan
from mailaudit.settings import Settings

EXAMPLES = Path(__file__).parents[1] / "examples"
AREAS = ("ACME001", "HTTPD001", "CRED", "VIRT", "CROSS", "PF045")
BOOK = rulebook.load()
RULES = tuple(identity for identity in BOOK.pages if identity.startswith(AREAS))


def auditor(root: Path) -> Auditor:
    return Auditor(FolderWorld(root), BOOK, Settings(), Options(), RULES)


def audit(root: Path) -> HostReport:
    host = auditor(root)
    report = host.examine(*host.learn())
    assert not host.crashes
    return report


def failing(report: HostReport) -> list[tuple[str, int]]:
    found = []
    for result in report.results:
        if result.verdict is Verdict.FAIL:
            place = next(each for each in result.places if isinstance(each, Place))
            found.append((result.rule, place.corners()[0]))
    return sorted(found)


def one(report: HostReport, rule: str) -> Result:
    [result] = [each for each in report.results if each.rule == rule]
    return result


def test_the_corrected_host_is_clean() -> None:
    report = audit(EXAMPLES / "corrected")
    assert {result.verdict for result in report.results} <= {Verdict.PASS, Verdict.NOT_APPLICABLE}


def test_the_published_host_has_its_known_defects() -> None:
    report = audit(EXAMPLES / "as-published")
    assert [rule for rule, _ in failing(report)] == ["CRED002", "CRED013", "CROSS020", "PF045"]
    assert {r.verdict for r in report.results} <= {Verdict.PASS, Verdict.FAIL, Verdict.NOT_APPLICABLE}
    assert "4190" in one(report, "CROSS020").message
    word = next(place for place in one(report, "PF045").places if isinstance(place, Place))
    assert word.span is not None
    assert word.span.chars == "https"


def test_the_published_host_mends(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "as-published", tmp_path / "host")
    mended = plan(auditor(tmp_path / "host"), frozenset({Safety.SAFE, Safety.UNSAFE}))
    assert mended.converged
    assert {result.rule for result, _ in mended.left} == {"CRED002"}
    assert "http submission smtp imaps sieve" in mended.files["/etc/pf.conf"]


def bare(tmp_path: Path, *paths: str) -> Path:
    for path in paths:
        target = tmp_path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(EXAMPLES / "as-published" / path, target)
    return tmp_path


def test_a_repository_of_pf_alone_is_told_nothing_about_listeners(tmp_path: Path) -> None:
    report = audit(bare(tmp_path, "etc/pf.conf"))
    assert one(report, "CROSS020").verdict is Verdict.NOT_APPLICABLE
    assert one(report, "CROSS021").verdict is Verdict.UNKNOWN
    assert one(report, "CROSS021").reason is Reason.NOT_RECORDED


def test_without_a_record_modes_are_unknown_and_ports_are_judged(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLES / "as-published" / "etc", tmp_path / "etc")
    report = audit(tmp_path)
    assert one(report, "CRED002").verdict is Verdict.UNKNOWN
    assert one(report, "CRED002").reason is Reason.NOT_RECORDED
    assert one(report, "PF045").verdict is Verdict.FAIL


def test_a_file_that_cannot_be_read_is_no_verdict(tmp_path: Path) -> None:
    root = bare(tmp_path, "etc/pf.conf", "etc/httpd.conf", "etc/mail/smtpd.conf", "etc/dovecot/dovecot.conf")
    (root / "etc/httpd.conf").unlink()
    (root / "etc/httpd.conf").mkdir()
    (root / "etc/mail/credentials").mkdir()
    report = audit(root)
    for rule in ("HTTPD001", "CRED005", "CRED007", "CRED008", "VIRT001"):
        assert one(report, rule).verdict in (Verdict.UNKNOWN, Verdict.NOT_APPLICABLE), rule
    assert one(report, "HTTPD001").verdict is Verdict.UNKNOWN


def test_a_map_that_was_partly_read_is_claimed_nothing_of(tmp_path: Path) -> None:
    root = bare(tmp_path, "etc/mail/credentials", "etc/mail/virtuals", "etc/mail/smtpd.conf")
    (root / "etc/mail/virtuals").write_bytes(b"root@example.com: x@example.com\nexample_user@exam\0ple.com: vmail\n")
    report = audit(root)
    assert one(report, "VIRT001").verdict is Verdict.UNKNOWN
    assert one(report, "VIRT001").reason is Reason.NOT_READ


def test_no_finding_shows_a_hash(tmp_path: Path) -> None:
    root = bare(tmp_path, "etc/mail/smtpd.conf", "etc/mail/virtuals")
    secret = "$6$salt$verysecret"
    (root / "etc/mail/credentials").write_text(f"a@example.com:{secret}:1:1::/h\nbroken:{secret}\n:{secret}:1:1::/h\n")
    report = audit(root)
    assert {result.rule for result in report.results if result.verdict is Verdict.FAIL} >= {"CRED005", "CRED008"}
    told = [result.message + result.fingerprint + repr(result.fix and result.fix.title) for result in report.results]
    assert not any(secret in text for text in told)
    assert secret in {value for _, value in report.secrets}


@pytest.mark.parametrize(("mode", "verdict"), [("0440", Verdict.PASS), ("0444", Verdict.FAIL), (None, Verdict.UNKNOWN)])
def test_the_mode_of_the_credentials(tmp_path: Path, mode: str | None, verdict: Verdict) -> None:
    root = bare(tmp_path, "etc/mail/credentials")
    stat = {"type": "file", "owner": "_smtpd", "group": "_dovecot"} | ({"mode": mode} if mode else {})
    (root / "answers.json").write_text(json.dumps({"stat": {"/etc/mail/credentials": stat}}))
    assert one(audit(root), "CRED002").verdict is verdict
