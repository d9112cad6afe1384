"""What sudo 1.9 refuses: told apart from what the command says, and with the line of sudoers that would allow it."""

from __future__ import annotations

import pytest

from mailaudit.apply.host import ApplierError
from mailaudit.collect.ssh.answering import answers
from mailaudit.collect.ssh.commands import root_line
from mailaudit.collect.ssh.output import Asked, Said
from mailaudit.questions import Answer, Command, CommandOutput, Failed, Found, Reason, RunCommand, refusal

CRONTAB = RunCommand(Command.CRONTAB_ROOT)
LOST = "sudo: unable to resolve host mx1: Name or service not known\n"


def answered(text: str) -> Answer:
    """What is made of root's crontab where sudo, or the command by it, ends with 1 and says this."""
    said = (Said("out", 0, become=True, data=b""), Said("end", 1, become=True, data=text.encode()))
    return answers(CRONTAB, Asked("audit", "sudo -n", "Linux", "gnu", said={1: said}), 1)[CRONTAB]


@pytest.mark.parametrize(
    "text",
    [
        "sudo: a password is required\n",
        "Sorry, user audit is not allowed to execute '/usr/bin/crontab -l -u root' as root on mx1.\n",
        "audit is not in the sudoers file.\nThis incident has been reported to the administrator.\n",
        "sudo: sorry, you must have a tty to run sudo\n",
        "/etc/sudoers.d/x:1:18: syntax error\naudit ALL=(root NOPASSWD: /bin/cat\n   ^~~~\nsudo: a password is required\n",
        LOST + "sudo: a password is required\n",
    ],
)
def test_what_sudo_refuses_is_told_with_the_line_that_would_allow_it(text: str) -> None:
    found = answered(text)
    assert isinstance(found, Failed)
    assert found.reason is Reason.UNREADABLE
    said, file, line = refusal(found.detail)
    assert said.startswith(f"{CRONTAB}: ")
    assert "unable to resolve" not in said
    assert (file, line) == ("sudoers", "audit ALL=(root) NOPASSWD: /usr/bin/crontab -l -u root")


def test_what_a_command_says_behind_a_complaint_of_sudo_is_its_own() -> None:
    assert answered(f"{LOST}crontab: no crontab for root\n") == Found(CommandOutput(1, ""))


def test_a_line_of_sudoers_names_one_exact_command() -> None:
    assert root_line("sudo -n", "audit", "/bin/cat", "/etc/a b*:1,2=#\\") == (
        "sudoers",
        "audit ALL=(root) NOPASSWD: /bin/cat /etc/a\\ b\\*\\:1\\,2\\=\\#\\\\\\\\",
    )
    assert root_line("sudo -n", "audit", "/bin/x") == ("sudoers", 'audit ALL=(root) NOPASSWD: /bin/x ""')
    assert root_line("doas -n", "audit", "/bin/x", "y") == ("doas.conf", "permit nopass audit as root cmd /bin/x args y")


def test_who_may_not_run_the_applier_is_told_the_line_of_what_he_has() -> None:
    lines = [ApplierError("", "audit", means, installed=True).hints[-1] for means in ("doas -n", "sudo -n")]
    assert lines == [
        "in /etc/doas.conf: permit nopass audit as root cmd /usr/local/libexec/mailaudit-apply",
        "in /etc/sudoers: audit ALL=(root) NOPASSWD: /usr/local/libexec/mailaudit-apply",
    ]
