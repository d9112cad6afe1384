"""The line for the nightly mail, run by a cron: nothing is mailed while nothing changes, and only what did when it does."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from github_action import installed
from test_integrations import BLOCKS, HOST, Table

NIGHTLY = BLOCKS["crontab(5) for the nightly mail"]
WRONG = ("tls-require", "tls")
LONGEST = 90  # seconds: cron looks at the full minute

SURROUNDED = """
set -e
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /var/spool/cron
mount -t tmpfs tmpfs /etc/cron.d
mount --bind /dev/null /etc/crontab
mount --bind {sendmail} "$(realpath /usr/sbin/sendmail)"
mkdir -m 1730 /var/spool/cron/crontabs
install -m 600 {table} /var/spool/cron/crontabs/root
exec cron -f
"""


def table(home: Path, text: str = NIGHTLY) -> Table:
    """The page's crontab, of a user who has the hosts' files at home."""
    return Table.of(text, {"/usr/local/bin": home / "bin", "mx1.example.com": "./host", "mx2.example.com": "./other"})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    shutil.copytree(HOST, folder / "host")
    shutil.copytree(HOST.parent / "corrected", folder / "other")
    (folder / "mailaudit").mkdir()
    (folder / "bin").symlink_to(installed(folder / "installed") / "venv" / "bin")
    return folder


def spoil(home: Path) -> None:
    """Make one mistake in a host's files."""
    smtpd = home / "other" / "etc" / "mail" / "smtpd.conf"
    assert WRONG[0] in smtpd.read_text()
    smtpd.write_text(smtpd.read_text().replace(*WRONG))


@pytest.mark.daemon
def test_only_what_changed_is_said(home: Path) -> None:
    ((code, said),) = table(home).run(home)
    assert (code, "PF001" in said) == (1, True), "all is news in the first night"
    assert table(home).run(home) == [(0, "")]
    spoil(home)
    ((code, said),) = table(home).run(home)
    assert code == 1
    assert "SMTPD023" in said
    assert "PF001" not in said
    assert table(home).run(home) == [(0, "")]


def lacks() -> str:
    """What this machine lacks to run a cron of our own, or nothing."""
    for program in ("cron", "unshare"):
        if shutil.which(program, path="/usr/sbin:/usr/bin") is None:
            return f"{program} is not installed"
    if not Path("/usr/sbin/sendmail").exists():
        return "there is no sendmail, whose place a file of ours takes"
    return "" if os.geteuid() == 0 else "only root can run a cron of its own"


def end(unshare: subprocess.Popen[bytes]) -> None:
    """End the first process of the namespace, and with it all others."""
    inside = Path(f"/proc/{unshare.pid}/task/{unshare.pid}/children").read_text().split()
    for process in inside:
        os.kill(int(process), signal.SIGKILL)
    unshare.wait(10)


@pytest.mark.daemon
@pytest.mark.skipif(bool(lacks()), reason=lacks())
def test_cron_mails_what_changed_and_nothing_else(home: Path, tmp_path: Path) -> None:
    quiet = NIGHTLY.replace("last.json", "quiet.json").replace(" mx2.example.com", "")  # a host at which nothing changes
    tables = [table(home, text) for text in (NIGHTLY, quiet)]
    assert [each.run(home)[0][0] for each in tables] == [1, 1]
    spoil(home)
    mails, sendmail = tmp_path / "mails", tmp_path / "sendmail"
    mails.mkdir()
    sendmail.write_text(f'#!/bin/sh\ncd {shlex.quote(str(mails))} && cat > "$$.new" && mv "$$.new" "$$"\n')
    sendmail.chmod(0o755)
    jobs = [f"* * * * * {command}" for each in tables for _, command in each.jobs]  # at every minute, without OpenBSD's flags
    (tmp_path / "table").write_text("\n".join((f"PATH={home / 'bin'}:/usr/bin:/bin", f"HOME={home}", *jobs, "")))
    script = SURROUNDED.format(sendmail=shlex.quote(str(sendmail)), table=shlex.quote(str(tmp_path / "table")))
    cron = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script])
    try:
        until = time.monotonic() + LONGEST
        while time.monotonic() < until and not any(each.suffix != ".new" for each in mails.iterdir()):
            assert cron.poll() is None, "cron ended"
            time.sleep(0.5)
        time.sleep(2)  # the other line's mail, were there one
    finally:
        end(cron)
    said = [each.read_text() for each in mails.iterdir()]
    assert len(said) == 1, said
    assert "SMTPD023" in said[0]
    assert "PF001" not in said[0]
