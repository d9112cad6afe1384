"""`fix HOST --write`, `rollback`, `history`: the real sshd and the real doas; pfctl and rcctl are stand-ins (see ssh_host)."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jsonschema
import pytest
from ssh_host import USER, SshHost, running, stand_ins

from mailaudit.apply.host import PLACE
from mailaudit.apply.transaction import applier

pytestmark = pytest.mark.daemon

ROOT = Path(__file__).parents[1]
CORRECTED = ROOT / "examples" / "corrected"
SPOILED = (" tls-require pki", " tls pki")  # of the submission listener
DOES = """#!/bin/sh
# A stand-in: it notes that it ran, does as /var/say/NAME tells it to, else as the record says.
name=${0##*/}
echo "$name $*" >> /var/say/ran
if [ -e "/var/say/$name" ]; then . "/var/say/$name"; fi
case "$*" in *-n*-f*|*-nf*|-f*|reload*|restart*|check*) exit 0 ;; esac
exec "$0.told" "$@"
"""
MORE = f"""
mkdir -p /var/say /usr/local/libexec; chmod 1777 /var/say
chown root:root /usr/local /usr/local/libexec; chmod 755 /usr/local /usr/local/libexec
for program in /usr/sbin/smtpd /usr/sbin/rcctl /sbin/pfctl; do
	[ ! -e $program ] || mv $program $program.told
	cp /usr/share/does $program; chmod 755 $program
done
install -o root -m 0555 /usr/share/applier {PLACE}
chmod -R go-w /etc/mail /etc/pf.conf /etc/dovecot /etc/rspamd; chmod 600 /etc/mail/credentials
grep -q ^wheel: /etc/group || echo wheel:x:0: >> /etc/group
"""
KILL = """
for pid in $(pgrep -f 'PATTERN'); do
	[ "$(readlink /proc/$pid/ns/mnt)" != "$(readlink /proc/self/ns/mnt)" ] || kill -9 $pid
done
"""
DOAS = f"""
permit nopass {USER} as root cmd {PLACE}
permit nopass {USER} as root cmd /bin/cat
permit nopass {USER} as root cmd /usr/bin/stat
permit nopass {USER} as root cmd /sbin/pfctl
permit nopass {USER} as root cmd /usr/sbin/smtpd
permit nopass {USER} as root cmd /usr/sbin/rcctl
"""


def tree_of(folder: Path) -> Path:
    """The corrected example with one listener spoiled."""
    tree = Path(shutil.copytree(CORRECTED, folder / "tree"))
    for name in ("passwd", "group"):
        (tree / "etc" / name).unlink()
    stand_ins(tree, CORRECTED / "answers.json")
    smtpd = tree / "etc/mail/smtpd.conf"
    smtpd.write_text(smtpd.read_text().replace(*SPOILED))
    (tree / "usr/share").mkdir(parents=True, exist_ok=True)
    (tree / "usr/share/does").write_text(DOES)
    (tree / "usr/share/applier").write_bytes(applier())
    return tree


@contextmanager
def made(folder: Path, more: str = "", doas: str = DOAS, user: str = USER) -> Iterator[SshHost]:
    tree = tree_of(folder)
    script = f"{MORE}\ncat > /etc/doas.conf <<'E'\n{doas}E\nchmod 600 /etc/doas.conf\n{more}"
    with running(folder, tree, more=script) as host:
        host.target = f"ssh://{user}@127.0.0.1:{host.port}"
        yield host


@pytest.fixture
def host(tmp_path: Path) -> Iterator[SshHost]:
    with made(tmp_path) as found:
        yield found


def start(host: SshHost, *arguments: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "HOME": str(host.home), "XDG_CONFIG_HOME": str(host.home / ".config")}
    words = [sys.executable, "-m", "mailaudit", *map(str, arguments)]
    return subprocess.Popen(words, env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def mailaudit(host: SshHost, *arguments: object) -> subprocess.CompletedProcess[str]:
    process = start(host, *arguments)
    out, err = process.communicate(timeout=200)
    return subprocess.CompletedProcess([], process.returncode, out, err)


FIX = ("--offline", "--select", "SMTPD023", "--write", "--unsafe", "--timeout", 20)


def fix(host: SshHost, *arguments: object) -> subprocess.CompletedProcess[str]:
    return mailaudit(host, "fix", host.target, *FIX, *arguments)


def inside(host: SshHost, script: str) -> str:
    words = ["nsenter", "-t", str(host.process.pid), "-m", "sh", "-ec", script]
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=60).stdout


def until(host: SshHost, words: str) -> None:
    for _ in range(600):
        if words in inside(host, "cat /var/mailaudit/runs/*/journal 2>/dev/null || true"):
            return
        time.sleep(0.05)
    raise AssertionError(inside(host, "cat /var/mailaudit/runs/*/journal 2>/dev/null || true"))


def state(host: SshHost) -> str:
    return inside(host, "cd /etc; find pf.conf mail -type f -printf '%m %u:%g ' -exec sha256sum {} \\; | sort -k 4")


def is_mended(host: SshHost) -> bool:
    return "tls-require" in inside(host, "cat /etc/mail/smtpd.conf")


def test_a_host_is_mended_and_taken_back(host: SshHost) -> None:
    before = state(host)
    planned = mailaudit(host, "fix", host.target, "--offline", "--select", "SMTPD023", "--unsafe")
    assert planned.returncode == 1, planned.stderr
    assert "+listen on all port submission tls-require" in planned.stdout
    assert state(host) == before
    done = fix(host, "--reload")
    assert done.returncode in (0, 4), done.stdout + done.stderr
    assert is_mended(host)
    assert "run 1: 1 file written" in done.stdout
    assert "smtpd accepts the files" in done.stdout
    assert "done: rcctl restart smtpd" in done.stdout
    assert "rcctl restart smtpd\nrcctl check smtpd" in inside(host, "cat /var/say/ran")
    assert ".mailaudit" not in state(host)
    listed = mailaudit(host, "history", host.target, "--format", "json")
    (run,) = json.loads(listed.stdout)["runs"]
    assert (run["run"], run["end"], run["files"]) == (1, "kept", ["/etc/mail/smtpd.conf"])
    assert re.fullmatch(rf"{USER} \(\S+@\S+\)", run["by"])
    again = fix(host)
    assert again.returncode in (0, 4)
    assert "run 2" not in again.stdout
    back = mailaudit(host, "rollback", host.target)
    assert (back.returncode, back.stdout) == (0, "run 1 was taken back: everything is as it was before it (rolled back)\n")
    assert state(host) == before
    assert "taken back" in mailaudit(host, "history", host.target).stdout
    assert "ok    fix --write may write there" in mailaudit(host, "doctor", host.target).stdout
    none = mailaudit(host, "rollback", host.target)
    assert none.returncode == 2
    assert "there is no run to roll back" in none.stderr


def test_without_reload_no_daemon_is_told(host: SshHost) -> None:
    refused = fix(host, "--become", "none")
    assert refused.returncode == 4
    assert "cannot become root, who alone writes" in refused.stderr
    out = host.home / "words"
    done = fix(host, "--format", "json", "--output", f"terminal:{out}")
    assert done.returncode in (0, 4), done.stdout + done.stderr
    assert is_mended(host)
    assert "rcctl restart" not in inside(host, "cat /var/say/ran")
    assert re.search(r"to do, in this order:\n +1 +smtpd -n && rcctl restart smtpd", out.read_text())
    report = json.loads(done.stdout)
    jsonschema.validate(report, json.loads((ROOT / "mailaudit/reports/schema/report.schema.json").read_text()))
    applied = report["hosts"][0]["plan"]["applied"]
    assert applied == {"run": 1, "end": "kept", "checks": ["smtpd accepts"], "commands": []}


def test_root_needs_no_applier_and_no_doas(tmp_path: Path) -> None:
    more = f"rm {PLACE} /etc/doas.conf; sed -i 's/^root:[^:]*/root:*/' /etc/shadow"
    with made(tmp_path, more, user="root") as host:
        done = fix(host, "--reload")
        assert done.returncode in (0, 4), done.stdout + done.stderr
        assert is_mended(host)
        assert mailaudit(host, "rollback", host.target, "1").returncode == 0
        assert not is_mended(host)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (f"rm {PLACE}", "is not there"),
        (f"echo '#' >> {PLACE}", "is of another version of mailaudit"),
        (f"chmod 575 {PLACE}", "others than root may write"),
        ("echo > /etc/doas.conf", "may not run"),
    ],
)
def test_what_lets_nobody_write_is_told_with_what_to_do(tmp_path: Path, more: str, says: str) -> None:
    with made(tmp_path, more) as host:
        done = fix(host)
        assert done.returncode == 4
        assert says in done.stderr
        assert f"in /etc/doas.conf: permit nopass {USER} as root cmd {PLACE}" in done.stderr
        if "doas" not in more:
            assert f"install -o root -g wheel -m 0555 mailaudit-apply {PLACE}" in done.stderr
        assert not is_mended(host)
        told = mailaudit(host, "doctor", host.target).stdout.replace(host.target.removeprefix("ssh://"), USER)
        assert f"fix --write could not write there, which no scan needs: {USER}" in told


def test_the_applier_is_printed() -> None:
    done = subprocess.run([sys.executable, "-m", "mailaudit", "fix", "--show-applier"], capture_output=True, check=True, cwd=ROOT)
    assert done.stdout == applier()


def test_a_daemon_that_does_not_come_back_takes_it_all_back(host: SshHost) -> None:
    inside(host, "echo 'case \"$1\" in restart) echo no such luck; exit 1;; esac' > /var/say/rcctl")
    before = state(host)
    done = fix(host, "--reload")
    assert done.returncode == 5
    assert "no such luck" in done.stderr
    assert state(host) == before


def test_a_checker_refuses(host: SshHost) -> None:
    inside(host, "echo 'case \"$*\" in *tree*) echo line 7: no; exit 1;; esac' > /var/say/smtpd")
    before = state(host)
    done = fix(host)
    assert done.returncode == 5
    assert "smtpd refuses the changed files: line 7: no; nothing was changed" in done.stderr
    assert state(host) == before


def test_no_new_connection_is_possible(host: SshHost) -> None:
    """As a ruleset would do that blocks it: the daemons' restart moves the keys away, and the host restores by itself."""
    inside(
        host, "echo 'case \"$1\" in restart) chmod 000 /run/sshd/authorized; rm -f /run/sshd/authorized;; esac' > /var/say/rcctl"
    )
    before = state(host)
    process = start(host, "fix", host.target, *FIX, "--reload")
    _, err = process.communicate(timeout=200)
    assert process.returncode == 5
    assert "the login was refused" in err
    assert "no new connection came within 20 seconds" in err
    assert state(host) == before


def test_the_connection_is_cut(host: SshHost) -> None:
    """The sessions are killed while the run is at work: it goes on by itself, nobody confirms, all is restored."""
    before = state(host)
    inside(host, "echo 'case \"$1\" in restart) sleep 3;; esac' > /var/say/rcctl")
    process = start(host, "fix", host.target, *FIX, "--reload")
    until(host, "run rcctl restart")
    inside(host, KILL.replace("PATTERN", f"[s]shd.*: {USER}"))
    _, err = process.communicate(timeout=200)
    assert process.returncode == 5
    assert "no new connection came within" in err
    assert "everything was restored" in err
    assert state(host) == before


def test_the_auditor_is_interrupted(host: SshHost) -> None:
    before = state(host)
    inside(host, "echo 'case \"$1\" in restart) sleep 3;; esac' > /var/say/rcctl")
    process = start(host, "fix", host.target, *FIX, "--reload")
    until(host, "run rcctl restart")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    until(host, "end restored")
    assert state(host) == before


def test_two_auditors_at_once(host: SshHost) -> None:
    inside(host, "echo 'case \"$1\" in restart) sleep 4;; esac' > /var/say/rcctl")
    first = start(host, "fix", host.target, *FIX, "--reload")
    until(host, "begin 1")
    second = mailaudit(host, "rollback", host.target)
    first.communicate(timeout=100)
    assert second.returncode in (2, 5)
    assert f"another run is at work: run 1 by {USER}" in second.stderr
    assert first.returncode in (0, 4)


def test_power_is_cut_and_rollback_restores(host: SshHost) -> None:
    before = state(host)
    inside(host, "echo 'case \"$1\" in restart) sleep 60;; esac' > /var/say/rcctl")
    process = start(host, "fix", host.target, *FIX, "--reload")
    until(host, "run rcctl restart")
    process.kill()
    process.communicate()
    inside(host, KILL.replace("PATTERN", "[m]ailaudit-apply run") + "rm /var/say/rcctl")
    assert is_mended(host)
    refused = fix(host, "--ignore", "SMTPD023", "--select", "PF")
    assert refused.returncode != 5 or "was cut off" in refused.stderr
    assert "cut off" in mailaudit(host, "history", host.target).stdout
    assert mailaudit(host, "rollback", host.target).returncode == 0
    assert state(host) == before


def test_a_ruleset_is_tried_before_it_is_written(host: SshHost) -> None:
    """The stand-in pfctl shuts everybody out while the new ruleset is loaded: the old one comes back, nothing was written."""
    inside(host, "sed -i 's/^set loginterface egress//' /etc/pf.conf; cp /run/sshd/authorized /run/sshd/kept")
    shuts = "rm /run/sshd/authorized"
    opens = "cp /run/sshd/kept /run/sshd/authorized"
    inside(host, f'echo \'case "$*" in "-f /etc/pf.conf") {opens};; -f*) {shuts};; esac\' > /var/say/pfctl')
    before = state(host)
    done = mailaudit(host, "fix", host.target, *FIX, "--select", "PF051", "--reload")
    assert done.returncode == 5
    assert "the login was refused" in done.stderr
    assert "everything was restored" in done.stderr
    assert state(host) == before
    journal = inside(host, "cat /var/mailaudit/runs/1/journal")
    assert "step trial" in journal
    assert "step s0" not in journal
    inside(host, "rm /var/say/pfctl")
    done = mailaudit(host, "fix", host.target, *FIX, "--select", "PF051", "--reload")
    assert done.returncode in (0, 4), done.stderr
    assert inside(host, "grep '^pfctl -f' /var/say/ran").splitlines()[-2:] == [
        "pfctl -f /var/mailaudit/runs/2/tree/etc/pf.conf",
        "pfctl -f /etc/pf.conf",
    ]
