"""A live host is mended under real daemons while a user writes and reads: nothing that was accepted is lost, mail is served.

pfctl and rcctl are the lab's stand-ins; rcctl's tells the real daemons. What the applier does at each fault is test_apply_live's
and test_apply_host's. The folder that `mailaudit init` writes for the lab's names is not run here once more: it is the corrected
example (test_founding has that), on which every lab runs, as test_lab shows.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lab import Lab, Scan, Variant
from lab.running import NAME
from lab.space import AUDITOR
from lab.tree import PASSWORD, USER

from mailaudit.apply.host import PLACE

pytestmark = pytest.mark.daemon

CORRESPONDENT = Path(__file__).parent / "lab" / "correspondent.py"
SMTPD, DOVECOT, PF = "/etc/mail/smtpd.conf", "/etc/dovecot/local.conf", "/etc/pf.conf"
RSPAMD = "/etc/rspamd/local.d/dkim_signing.conf"
SPOILED = Variant(
    "a host to mend",
    edits={
        SMTPD: ((" tls-require pki", " tls pki"),),
        DOVECOT: (("ssl = required", "ssl = yes\ndisable_plaintext_auth = no"),),
        RSPAMD: (("allow_pubkey_mismatch = false;\n", ""),),
        PF: (("set loginterface egress\n", ""),),
    },
)
OPEN = (SMTPD, "0644")
FIX = ("--config", "mailaudit.toml", "--trust-anchor", "anchor", "--write", "--unsafe", "--reload")
SSH = ("-i", ".ssh/id_ed25519", "-o", "UserKnownHostsFile=.ssh/known_hosts", "-l", USER)
QUIET = 8.0  # seconds in which mail may not be served, beyond which a daemon was not just restarted
PATIENCE = 60.0


@pytest.fixture(scope="module")
def host(lab: Lab) -> Lab:
    """With the applier installed as docs/mending-a-host.md says."""
    program = lab.mailaudit("fix", "--show-applier").out
    lab.host.path("/root/mailaudit-apply").write_text(program)
    lab.host.do("install", "-d", "-o", "root", "-g", "wheel", "-m", "0755", "/usr/local/libexec")
    lab.host.do("install", "-o", "root", "-g", "wheel", "-m", "0555", "/root/mailaudit-apply", PLACE)
    with lab.host.path("/etc/doas.conf").open("a") as doas:
        doas.write(f"permit nopass {USER} as root cmd {PLACE}\n")
    return lab


@pytest.fixture
def spoiled(host: Lab) -> Iterator[Lab]:
    with host.under(SPOILED):
        path, mode = OPEN
        host.host.do("chmod", mode, path)
        yield host


def state(lab: Lab) -> str:
    """Names, modes, owners and content of the configuration."""
    places = ["/etc/mail", "/etc/dovecot", "/etc/rspamd", "/etc/pf.conf", "/usr/local/lib/dovecot/sieve"]
    return lab.host.do("sh", "-c", "find \"$@\" -type f -printf '%p %m %u:%g ' -exec sha256sum {} \\; | sort", "state", *places)


@dataclass
class Mail:
    """What the correspondent has told so far."""

    lab: Lab

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lab.space.log("correspondent").splitlines() if line.endswith("}")]

    def accepted(self) -> dict[int, float]:
        return {each["sent"]: each["at"] for each in self.told() if each.get("code") == 250}

    def seen(self) -> set[int]:
        return {number for each in self.told() for number in each.get("read") or ()}

    def flows(self) -> float:
        """Wait for a message that is written from now on, accepted and read; tells when that was."""
        before = max((each["sent"] for each in self.told() if "sent" in each), default=0)
        self._until(lambda: any(number > before + 1 and number in self.seen() for number in self.accepted()))
        return time.monotonic()

    def none_lost(self) -> None:
        """Wait until all that was accepted so far has arrived."""
        accepted = set(self.accepted())
        self._until(lambda: accepted <= self.seen())

    def _until(self, holds: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until, (self.troubles()[-20:], self.lab.space.log("correspondent")[-2000:])
            time.sleep(0.2)

    def troubles(self) -> list[dict[str, Any]]:
        """The tries that were in vain."""
        return [each for each in self.told() if each.get("code", 250) != 250 or each.get("read", ()) is None]

    def gaps(self, since: float) -> tuple[float, float]:
        """The longest time without an accepted message, and without a look at the INBOX."""
        sent = [each["at"] for each in self.told() if each.get("code") == 250 and each["at"] > since]
        read = [each["at"] for each in self.told() if each.get("read") is not None and each["at"] > since]
        first, second = (max(after - before for before, after in pairwise(times)) for times in (sent, read))
        return first, second


@contextmanager
def correspondence(lab: Lab) -> Iterator[Mail]:
    (lab.space.logs / "correspondent").unlink(missing_ok=True)
    words = (sys.executable, str(CORRESPONDENT), str(lab.home), PASSWORD)
    lab.space.start("correspondent", *words, where=AUDITOR, env={"PYTHONPATH": str(CORRESPONDENT.parents[1])})
    try:
        yield Mail(lab)
    finally:
        lab.space.stop("correspondent")


def test_a_host_is_mended_while_it_serves(spoiled: Lab) -> None:
    """Written, told, proved by a new scan, taken back; what was accepted in the meantime has all arrived."""
    lab, before = spoiled, state(spoiled)
    with correspondence(lab) as mail:
        start = mail.flows()
        done = lab.mailaudit("fix", NAME, *FIX)
        assert (done.code, done.errors) == (0, ""), done.out + done.errors
        told = [line.strip() for line in done.out.splitlines()]
        for daemon in ("pf", "rspamd", "dovecot", "smtpd"):
            assert f"{daemon} accepts the files" in told
        assert [each for each in told if "pfctl -f" in each or "rcctl" in each] == [
            "done: pfctl -f /etc/pf.conf",
            "done: rcctl restart rspamd",
            "done: rcctl reload dovecot",
            "done: rcctl restart smtpd",
        ]
        assert lab.scan().failures == []
        for path in (SMTPD, DOVECOT, PF, RSPAMD):
            new = lab.host.path(path).read_text()
            assert all(old.splitlines()[0] in new for old, _ in SPOILED.edits[path])
        as_it_was = {line.split()[0]: line.split()[1:3] for line in before.splitlines()} | {SMTPD: ["600", "root:wheel"]}
        after = state(lab)
        assert {line.split()[0]: line.split()[1:3] for line in after.splitlines()} == as_it_was
        mail.flows()
        (run,) = json.loads(lab.mailaudit("history", NAME, "--format", "json").out)["runs"]
        assert (run["run"], run["end"], run["files"]) == (1, "kept", sorted([SMTPD, DOVECOT, PF, RSPAMD]))
        back = lab.mailaudit("rollback", NAME)
        assert (back.code, back.out) == (0, "run 1 was taken back: everything is as it was before it (rolled back)\n")
        assert state(lab) == before
        mail.flows()
        mail.none_lost()
    assert max(mail.gaps(start)) < QUIET, mail.troubles()
    assert lab.host.path("/var/log/pfctl").read_text().splitlines() == [
        "/var/mailaudit/runs/1/tree/etc/pf.conf",
        PF,
        PF,
    ]


def test_a_checker_refuses_and_nothing_is_changed(host: Lab) -> None:
    """The real smtpd reads the copy; the daemon that runs never hears of it."""
    broken = host.host.path(SMTPD).read_bytes() + b'match from any for any action "nowhere"\n'
    before, pid = state(host), host.host.do("pgrep", "-o", "^smtpd")
    old = sha256(host.host.path(SMTPD).read_bytes()).hexdigest()
    line = f"file {old} 0600 {len(broken)} {SMTPD}"
    plan = f"mailaudit 1\nwait 20 20\n{line}\n{broken.decode()}\nrun rcctl restart smtpd\nend\n"
    said = host.run("ssh", *SSH, NAME, "doas", "-n", PLACE, "run", text=plan)
    assert "end refused smtpd refuses the changed files: /etc/mail/smtpd.conf:" in said.out, said.out + said.errors
    assert (state(host), host.host.do("pgrep", "-o", "^smtpd")) == (before, pid)


def test_a_ruleset_that_shuts_out_is_taken_back_by_the_hosts_timer(host: Lab) -> None:
    """The ruleset is right as far as its file tells; that nobody gets in is seen when it is loaded."""
    spoiled = Variant("", edits={PF: SPOILED.edits[PF]}, files={"/var/lab/shuts": "set loginterface egress\n"})
    with host.under(spoiled), correspondence(host) as mail:
        before = state(host)
        mail.flows()
        done = host.mailaudit("fix", NAME, *FIX, "--select", "PF051", "--timeout", "10")
        assert done.code == 5, done.out + done.errors
        assert "no new connection came within 10 seconds" in done.errors
        assert "everything was restored" in done.errors
        assert state(host) == before
        mail.flows()
        mail.none_lost()
    assert host.host.path("/var/log/pfctl").read_text().splitlines()[-2:] == [f"/var/mailaudit/runs/{last(host)}/tree{PF}", PF]
    journal = host.host.path(f"/var/mailaudit/runs/{last(host)}/journal").read_text()
    assert "step trial" in journal
    assert "step s0" not in journal  # the file was not written
    assert host.mailaudit("doctor", NAME).code == 0


def test_the_connection_is_cut_while_daemons_restart(host: Lab) -> None:
    """Not a packet of port 22 passes any more, in the middle; the host restores by itself, its daemons run with the old files."""
    spoiled = Variant("", edits={each: SPOILED.edits[each] for each in (SMTPD, DOVECOT)})
    with host.under(spoiled), correspondence(host) as mail:
        before, number = state(host), last(host) + 1
        start = mail.flows()
        found: list[Scan] = []
        words = ("fix", NAME, *FIX, "--select", "SMTPD023", "--select", "DOVECOT", "--timeout", "10")
        mending = threading.Thread(target=lambda: found.append(host.mailaudit(*words)))
        mending.start()
        try:
            until(host, number, "run rcctl")
            host.space.do(
                "nft",
                "add table inet cut; add chain inet cut in { type filter hook input priority 0; };"
                "add rule inet cut in iifname vio0 tcp dport 22 drop",
            )
            until(host, number, "end restored")
            assert state(host) == before
            mail.flows()
        finally:
            host.space.do("nft", "delete table inet cut", check=False)
            mending.join()
        (done,) = found
        assert done.code == 5, done.out + done.errors
        assert "everything was restored" in done.errors
        mail.none_lost()
    assert max(mail.gaps(start)) < QUIET, mail.troubles()


def last(lab: Lab) -> int:
    """The number of the last run; 0 for none."""
    places = lab.host.path("/var/mailaudit/runs")
    return max((int(each.name) for each in places.iterdir()), default=0) if places.exists() else 0


def until(lab: Lab, number: int, words: str) -> None:
    """Wait until a run's journal has these words."""
    journal = lab.host.path(f"/var/mailaudit/runs/{number}/journal")
    end = time.monotonic() + PATIENCE
    while not (journal.exists() and words in journal.read_text()):
        assert time.monotonic() < end, journal.read_text() if journal.exists() else "no run"
        time.sleep(0.05)
