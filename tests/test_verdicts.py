"""What the daemons' own checkers say is told where nothing else explains it, and forgotten once a file is written."""

from __future__ import annotations

import pytest
from hostfiles import sources

from mailaudit.models.verdicts import Refusal, read_verdicts
from mailaudit.questions import CHECKERS, Command, CommandOutput, Failed, Found, RunCommand
from mailaudit.snapshot import Snapshot

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
        (f"/etc/pf.conf:{'9' * 5000}: x\n", Refusal(f"/etc/pf.conf:{'9' * 5000}: x")),
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
    assert all(isinstance(after.answer(RunCommand(each)), Failed) for each in CHECKERS)
    sound = Snapshot("host", "target", {RunCommand(each): Found(taken) for each in CHECKERS})
    assert sound.with_files({"/etc/pf.conf": b"block all\n"}).answer(RunCommand(Command.PFCTL_CHECK)) == Found(taken)
