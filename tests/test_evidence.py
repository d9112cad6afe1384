"""Law 7: what could not be looked at is unknown, never fine and never missing; the rest of the host is still audited."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mailaudit.audit import audit
from mailaudit.auditor import Options
from mailaudit.checks import CHECKS
from mailaudit.findings import FileStatus, HostReport, Report, Verdict
from mailaudit.models.acme import AcmeConfig
from mailaudit.models.credentials import Credentials
from mailaudit.models.dovecot.config import DovecotConfig
from mailaudit.models.httpd import HttpdConfig
from mailaudit.models.pf.config import Ruleset
from mailaudit.models.smtpd.config import SmtpdConfig
from mailaudit.models.sources import Lacking
from mailaudit.models.virtuals import Virtuals
from mailaudit.questions import Reason

CORRECTED = Path(__file__).parents[1] / "examples" / "corrected"
FILES: dict[str, type] = {
    "etc/pf.conf": Ruleset,
    "etc/mail/smtpd.conf": SmtpdConfig,
    "etc/dovecot/dovecot.conf": DovecotConfig,
    "etc/acme-client.conf": AcmeConfig,
    "etc/httpd.conf": HttpdConfig,
    "etc/mail/credentials": Credentials,
    "etc/mail/virtuals": Virtuals,
}


def directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(20 << 20)


def link_out(path: Path) -> None:
    path.unlink()
    path.symlink_to("../../../../../../../../etc/hostname")


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


SPOILT = [directory, fifo, huge, link_out, loop]


@pytest.fixture(scope="module")
def clean() -> HostReport:
    return audit([str(CORRECTED)], Options(profile="strict")).hosts[0]


def spoil(tmp_path: Path, file: str, how: Callable[[Path], None]) -> Report:
    root = tmp_path / "host"
    shutil.copytree(CORRECTED, root)
    how(root / file)
    return audit([str(root)], Options(profile="strict"))


def needing(model: type) -> set[str]:
    """The rules that cannot do without a model: those that say themselves what they make of its absence are left out."""
    inputs = {rule: check.inputs().values() for rule, check in CHECKS.items()}
    return {rule for rule, kinds in inputs.items() if any(model in each and Lacking not in each for each in kinds)}


EACH_SPOILT = [(file, how) for number, file in enumerate(FILES) for how in (SPOILT[number % 5], SPOILT[(number + 2) % 5])]


@pytest.mark.parametrize(("file", "how"), EACH_SPOILT, ids=lambda each: getattr(each, "__name__", each))
def test_a_file_that_cannot_be_read(file: str, how: Callable[[Path], None], tmp_path: Path, clean: HostReport) -> None:
    report = spoil(tmp_path, file, how)
    host = report.hosts[0]
    status = {each.path: each.status for each in host.files}
    assert status["/" + file] is FileStatus.UNREADABLE
    assert report.exit_code == 4
    assert "/" + file in report.exit_reason
    before = {result.rule: result.verdict for result in clean.results}
    judged_by_it = needing(FILES[file])
    for result in host.results:
        if result.rule in judged_by_it:
            assert result.verdict in (Verdict.UNKNOWN, Verdict.NOT_APPLICABLE), result
            assert result.verdict is not Verdict.UNKNOWN or result.reason is Reason.UNREADABLE, result
        elif result.verdict is not before[result.rule]:
            assert result.verdict is Verdict.UNKNOWN, result  # it was judged with the help of what that file says


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_at_any_line_never_turns_into_silence(file: str, tmp_path: Path) -> None:
    """A file of which half is gone is a smaller file: whatever is then missing fails, and nothing crashes."""
    data = (CORRECTED / file).read_bytes()
    for size in (0, len(data) // 2, len(data) - 3):
        root = tmp_path / str(size)
        shutil.copytree(CORRECTED, root)
        (root / file).write_bytes(data[:size])
        report = audit([str(root)], Options(profile="strict"))
        assert not [r for r in report.hosts[0].results if r.reason is Reason.CRASHED]
        assert report.exit_code in (0, 1, 4)


def test_a_repository_without_modes_leaves_modes_unknown(tmp_path: Path) -> None:
    root = tmp_path / "repo"
    shutil.copytree(CORRECTED, root)
    (root / "answers.json").unlink()
    report = audit([str(root)], Options())
    unknown = {r.rule: r.reason for r in report.hosts[0].results if r.verdict is Verdict.UNKNOWN}
    assert unknown["CRED002"] is Reason.NOT_RECORDED
    assert set(unknown.values()) == {Reason.NOT_RECORDED, Reason.OFFLINE}
    assert report.exit_code == 0  # what was never recorded does not make a scan incomplete


def test_a_repository_of_one_daemon_is_judged_for_that_one(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    shutil.copy(CORRECTED / "etc" / "pf.conf", tmp_path / "etc" / "pf.conf")
    report = audit([str(tmp_path)], Options())
    assert report.exit_code == 0, [r for r in report.hosts[0].results if r.verdict is Verdict.FAIL]
    for result in report.hosts[0].results:
        if not result.rule.startswith("PF"):
            assert result.verdict is Verdict.NOT_APPLICABLE or result.reason in (Reason.NOT_RECORDED, Reason.OFFLINE), result


def test_of_what_a_closed_file_may_change_nothing_is_claimed(tmp_path: Path) -> None:
    """The package's file of the host says one thing, the host's own may say another; the same of crontabs."""
    root = tmp_path / "host"
    shutil.copytree(CORRECTED, root)
    (root / "etc/rspamd/worker-controller.inc").write_text('password = "q1";\n')
    directory(root / "etc/rspamd/local.d/worker-controller.inc")
    record = json.loads((root / "answers.json").read_text())
    record["commands"]["crontab-l-root"] = {"error": "unreadable", "detail": "doas: Operation not permitted"}
    (root / "answers.json").write_text(json.dumps(record))
    results = {each.rule: each for each in audit([str(root)], Options()).hosts[0].results}
    for rule in ("RSPAMD004", "HOST077"):
        assert results[rule].verdict is Verdict.UNKNOWN, results[rule]
