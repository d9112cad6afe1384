"""What the daemons' own checkers say is told where nothing else explains it, and forgotten once a file is written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hostfiles import sources

from mailaudit import rulebook, settings
from mailaudit.auditor import Auditor, Options
from mailaudit.checks import CHECKS
from mailaudit.checks.runner import judge
from mailaudit.collect.folder import FolderWorld
from mailaudit.findings import Verdict
from mailaudit.models.clock import Clock
from mailaudit.models.facts import read
from mailaudit.models.site import Declared
from mailaudit.models.sources import Sources
from mailaudit.models.verdicts import Refusal, Verdicts, read_verdicts
from mailaudit.questions import CHECKERS, Command, CommandOutput, Found, RunCommand
from mailaudit.recording import FORMAT
from mailaudit.snapshot import Snapshot

BOOK = rulebook.load()
WARNING = (
    "doveconf: Warning: Obsolete setting in /etc/dovecot/dovecot.conf:2: ssl_protocols has been replaced by ssl_min_protocol\n"
)
OF_DOVECONF = "Error in configuration file /etc/dovecot/local.conf line 3: Unknown setting: x"


@pytest.mark.parametrize(
    ("printed", "refusal"),
    [
        ("", Refusal("")),
        ("\n \n", Refusal("")),
        ("syntax BAD\n", Refusal("syntax BAD")),
        (
            "/etc/pf.conf:12: syntax error\npfctl: Syntax error in config file: pf rules not loaded\n",
            Refusal("/etc/pf.conf:12: syntax error", "/etc/pf.conf", 12),
        ),
        ("smtpd: invalid virtual ip or interface: em7\n", Refusal("invalid virtual ip or interface: em7")),
        (f"doveconf: Warning: x\ndoveconf: Fatal: {OF_DOVECONF}\n", Refusal(OF_DOVECONF, "/etc/dovecot/local.conf", 3)),
        (f"{WARNING}doveconf: Fatal: {OF_DOVECONF}\n", Refusal(OF_DOVECONF, "/etc/dovecot/local.conf", 3)),
        ("smtpd: warning: no place\n", Refusal("warning: no place")),
        (f"/etc/pf.conf:3: {'x' * 5000}\n", Refusal(f"/etc/pf.conf:3: {'x' * 281}...", "/etc/pf.conf", 3)),
        (f"/etc/pf.conf:{'9' * 200}: x\n", Refusal(f"/etc/pf.conf:{'9' * 200}: x")),
    ],
)
def test_a_refusal_is_the_line_that_names_its_place(printed: str, refusal: Refusal) -> None:
    asked = sources({}, {Command.SMTPD_CHECK: (1, printed)})
    assert read_verdicts(asked).refused == {Command.SMTPD_CHECK: refusal}


@pytest.mark.parametrize("status", [0, 126, 127, 137, -9])
def test_only_the_checker_itself_refuses(status: int) -> None:
    assert read_verdicts(sources({}, {Command.DOVECONF: (status, "x\n")})).refused == {}


def test_what_was_said_of_files_does_not_outlive_them() -> None:
    refused, taken = CommandOutput(1, "/etc/pf.conf:1: syntax error\n"), CommandOutput(0, "block all\n")
    before = Snapshot("host", "target", {RunCommand(each): Found(refused) for each in CHECKERS})
    after = before.with_files({"/etc/pf.conf": b"block all\n"})
    assert read_verdicts(Sources(before)).refused.keys() == set(CHECKERS)
    assert read_verdicts(Sources(after)) == Verdicts()
    sound = Snapshot("host", "target", {RunCommand(each): Found(taken) for each in CHECKERS})
    assert read_verdicts(Sources(sound)).taken == set(CHECKERS)
    assert read_verdicts(Sources(sound.with_files({"/etc/pf.conf": b"block all\n"}))) == Verdicts()


SMTPD = 'listen on lo0\nfrobnicate yes\naction "x" maildir\nmatch from any for local action "x"\n'
UNKNOWN = (
    ("/etc/pf.conf", "block all\nfrobnicate all\n", "pfctl-nvf", "PF001"),
    ("/etc/mail/smtpd.conf", SMTPD, "smtpd-n", "SMTPD001"),
)


@pytest.mark.parametrize("case", UNKNOWN, ids=lambda case: case[3])
@pytest.mark.parametrize(("status", "verdict"), [(0, Verdict.UNKNOWN), (1, Verdict.FAIL), (None, Verdict.FAIL)])
def test_what_the_daemon_takes_is_no_mistake(case: tuple[str, ...], status: int | None, verdict: Verdict) -> None:
    """A word of a release that is newer than mailaudit is not known; that the file is refused is not so."""
    path, text, checker, rule = case
    said = {} if status is None else {Command(checker): (status, f"{path}:2: syntax error\n" if status else "")}
    facts = read(sources({path: text}, said), Declared(), BOOK.reference, Clock(datetime.now(UTC)))
    assert judge(CHECKS[rule], facts.slots).verdict is verdict


def test_a_record_is_of_the_files_as_they_were(tmp_path: Path) -> None:
    """A repository's files are edited after the host was recorded."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/pf.conf").write_text("block all\nfrobnicate all\n")
    recorded = {"format": FORMAT, "commands": {"pfctl-nvf": {"status": 0, "stdout": "block drop all\n"}}}
    (tmp_path / "answers.json").write_text(json.dumps(recorded))
    world = FolderWorld(tmp_path)
    host = Auditor(world, BOOK, settings.load(world.settings), Options(), ("PF001",))
    assert [each.verdict for each in host.examine(*host.learn()).results] == [Verdict.FAIL]
