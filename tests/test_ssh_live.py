"""Live hosts: the real sshd on loopback, ssh_config and known_hosts, doas; what a snapshot holds and what it must not."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ssh_host import SshHost, free_port, running, stand_ins

from mailaudit.collect.loop import Loop, wait_for
from mailaudit.collect.ssh.connection import Connection
from mailaudit.collect.ssh.host import HostWorld
from mailaudit.collect.ssh.target import Address, is_path, read_address
from mailaudit.collect.world import TargetError
from mailaudit.questions import Absent, Command, Failed, Found, ListFiles, Question, ReadFile, Reason, RunCommand, StatFile

ROOT = Path(__file__).parents[1]
CORRECTED = ROOT / "examples" / "corrected"
CANARIES = {
    "etc/mail/credentials": "u@example.com:$2b$10$canaryHASHcanaryHASHcanrO" + "j" * 28 + ":2000:2000::/var/vmail/u::\n",
    "etc/mail/secrets": "relay relayuser:canaryRELAYpassword\n",
    "etc/redis/redis.conf": "bind 127.0.0.1\nrequirepass canaryREDISpassword\n",
    "etc/rspamd/local.d/redis.conf": 'password = "canaryREDISpassword";\n',
}
SHELLS = [each for each in ("bash", "csh", "fish", "ksh", "tcsh", "zsh") if shutil.which(each)]
NO_SHELLS = {"nologin": "/usr/sbin/nologin", "restricted": "/bin/rbash"}
DOAS = "permit nopass auditor as root cmd /bin/cat args /etc/mail/credentials\n"

daemon = pytest.mark.daemon


def tree_of(folder: Path) -> Path:
    """The corrected example, without the accounts, which sshd needs as they are here."""
    tree = Path(shutil.copytree(CORRECTED, folder / "tree"))
    for name in ("passwd", "group"):
        (tree / "etc" / name).unlink()
    stand_ins(tree, CORRECTED / "answers.json")
    return tree


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshHost]:
    folder = tmp_path_factory.mktemp("live")
    tree = tree_of(folder)
    for name, content in CANARIES.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content)
    smtpd = tree / "etc/mail/smtpd.conf"
    smtpd.write_text(re.sub(r"(?m)^queue encryption .*$", "queue encryption 00ca0a4700ca0a4700ca0a4700ca0a47", smtpd.read_text()))
    more = (
        "chmod 600 /etc/mail/credentials /etc/master.passwd; mkdir -p /etc/ssl/private; chmod 700 /etc/ssl/private;"
        "openssl genrsa -out /etc/ssl/private/mail.example.com.key 2048 2>/dev/null;"
        f"printf '%s' '{DOAS}' > /etc/doas.conf\n"
    )
    for name, path in (*((each, shutil.which(each)) for each in SHELLS), *NO_SHELLS.items()):  # the same user with another shell
        more += f"echo 'in_{name}:x:4242:4242::/var/empty:{path}' >> /etc/passwd; echo 'in_{name}:*:19000::::::' >> /etc/shadow\n"
    with running(folder, tree, more=more) as made:
        yield made


def world(host: SshHost, monkeypatch: pytest.MonkeyPatch, become: str = "auto") -> HostWorld:
    monkeypatch.setenv("HOME", str(host.home))
    return HostWorld(read_address(host.target), host.target, "k", become)


def mailaudit(home: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "HOME": str(home), "XDG_CONFIG_HOME": str(home / ".config")}
    words = [sys.executable, "-m", "mailaudit", *map(str, arguments)]
    return subprocess.run(words, env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@daemon
def test_a_wave_is_answered_and_the_line_of_doas_conf_is_named(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    live = world(host, monkeypatch)
    live.connect()
    try:
        wave: list[Question] = [
            ReadFile("/etc/pf.conf"),
            ReadFile("/etc/mail/credentials"),
            ReadFile("/etc/master.passwd"),
            ReadFile("/etc/none.conf"),
            ReadFile("/home/somebody/diary"),
            StatFile("/etc/pf.conf"),
            ListFiles("/etc/dovecot/conf.d/*.conf"),
            RunCommand(Command.PFCTL_INFO),
            RunCommand(Command.UNAME),
        ]
        found = live.ask(wave)
    finally:
        live.close()
    assert set(found) == set(wave)
    assert found[wave[0]] == Found((CORRECTED / "etc/pf.conf").read_bytes())
    credentials = found[wave[1]]
    assert isinstance(credentials, Found)
    assert isinstance(credentials.value, bytes)
    assert re.fullmatch(
        rb"u@example\.com:\{\{masked:bcrypt-10:60:[0-9a-f]{16}\}\}:2000:2000::/var/vmail/u::\n", credentials.value
    )
    closed = found[wave[2]]
    assert isinstance(closed, Failed)
    assert closed.reason is Reason.UNREADABLE
    assert "permit nopass auditor as root cmd /bin/cat args /etc/master.passwd" in closed.detail
    assert found[wave[3]] == Absent()
    assert isinstance(found[wave[4]], Failed)
    refused = found[wave[7]]
    assert isinstance(refused, Failed)
    assert refused.detail.endswith("permit nopass auditor as root cmd /sbin/pfctl args -si")
    assert isinstance(found[wave[8]], Found)


@daemon
@pytest.mark.parametrize("shell", SHELLS)
def test_the_login_shell_does_not_count(host: SshHost, monkeypatch: pytest.MonkeyPatch, shell: str) -> None:
    wave: list[Question] = [
        ReadFile("/etc/pf.conf"),
        ReadFile("/etc/mail/credentials"),
        ReadFile("/etc/none.conf"),
        ListFiles("/etc/dovecot/conf.d/*.conf"),
        RunCommand(Command.UNAME),
    ]
    found = []
    for target in (host.target, host.target.replace("auditor@", f"in_{shell}@")):
        monkeypatch.setenv("HOME", str(host.home))
        live = HostWorld(read_address(target), target, "k", "auto")
        live.connect()
        try:
            found.append(live.ask(wave))
        finally:
            live.close()
    assert found[0] == found[1]


@daemon
@pytest.mark.parametrize(
    ("shell", "said"), [("nologin", 'the host says "This account is currently not available."'), ("restricted", "")]
)
def test_a_login_that_leads_to_no_shell_is_told(host: SshHost, monkeypatch: pytest.MonkeyPatch, shell: str, said: str) -> None:
    monkeypatch.setenv("HOME", str(host.home))
    target = host.target.replace("auditor@", f"in_{shell}@")
    live = HostWorld(read_address(target), target, "k", "auto")
    with pytest.raises(TargetError) as refused:
        live.connect()
    assert "the account's login shell has to run `exec /bin/sh`, as sh, ksh and csh do" in refused.value.message
    assert said in refused.value.message


@daemon
def test_a_wave_is_one_round_trip(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """The shells of the first wave wait for the next: nobody pays for another channel."""
    live = world(host, monkeypatch)
    live.connect()
    try:
        lengths = []
        for number in range(4):
            assert live.ask([ReadFile("/etc/pf.conf"), StatFile(f"/etc/{number}")])[StatFile(f"/etc/{number}")] == Absent()
            lengths.append(len(live.journey.chain))
    finally:
        live.close()
    assert lengths == [lengths[0], *(lengths[0] + each for each in (1, 2, 3))]
    assert live.journey.chain[-7:] == ("channel", "shell", *["answers"] * 5)


@daemon
def test_become_none_asks_nobody(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    live = world(host, monkeypatch, "none")
    live.connect()
    found = live.ask([ReadFile("/etc/mail/credentials")])
    live.close()
    [answer] = found.values()
    assert isinstance(answer, Failed)
    assert "ermission denied" in answer.detail
    assert live.means == ""


@daemon
def test_a_host_that_is_lost_on_the_way_is_a_timeout(host: SshHost, monkeypatch: pytest.MonkeyPatch) -> None:
    live = world(host, monkeypatch)
    live.connect()
    assert live._opening is not None  # noqa: SLF001  as a network breaks off
    connection = live._opening[0]  # noqa: SLF001  as above
    assert isinstance(connection, Connection)
    wait_for(connection.close_rudely())
    [answer] = live.ask([StatFile("/etc")]).values()
    assert isinstance(answer, Failed)
    assert answer.reason is Reason.TIMEOUT


@daemon
def test_an_unknown_key_and_a_changed_one_are_named(host: SshHost, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(host.home, home)
    known = home / ".ssh" / "known_hosts"
    said = subprocess.run(["ssh-keygen", "-lf", f"{host.host_key}.pub"], capture_output=True, text=True, check=True).stdout
    fingerprint = said.split()[1]
    known.write_text("")
    unknown = mailaudit(home, "scan", host.target, "--offline")
    assert unknown.returncode == 4
    assert fingerprint in unknown.stderr
    assert "is not known" in unknown.stderr
    assert f"ssh-keyscan -p {host.port} 127.0.0.1" in unknown.stderr
    other = (home / ".ssh" / "id_ed25519.pub").read_text().split()
    known.write_text(f"[127.0.0.1]:{host.port} {other[0]} {other[1]}\n")
    changed = mailaudit(home, "scan", host.target, "--offline")
    assert changed.returncode == 4
    assert "has changed" in changed.stderr
    assert fingerprint in changed.stderr
    known.unlink()
    for line in ("UserKnownHostsFile none", "StrictHostKeyChecking no", "UserKnownHostsFile /dev/null"):
        (home / ".ssh" / "config").write_text(f"{line}\n")
        accepted = mailaudit(home, "scan", host.target, "--offline")
        assert (accepted.returncode, "is not known" in accepted.stderr) == (4, True), line


@daemon
def test_the_ways_of_ssh_config_are_gone(host: SshHost, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(host.home, home)
    public = Path(f"{host.host_key}.pub").read_text().split()
    (home / ".ssh" / "known_hosts").write_text(
        f"* {public[0]} {public[1]}\n"  # the same sshd is the jump host and the host behind it
    )
    (home / ".ssh" / "config").write_text(
        f"Host front\n  HostName 127.0.0.1\n  Port {host.port}\n  User auditor\n"
        f"Host behind\n  HostName 127.0.0.1\n  Port {host.port}\n  User auditor\n  ProxyJump front\n"
    )
    for name in ("front", "behind"):
        done = mailaudit(home, "scan", name, "--offline", "-q")
        assert "findings" in done.stdout, done.stderr


@daemon
def test_one_session_at_a_time_is_enough(tmp_path: Path) -> None:
    with running(tmp_path, tree_of(tmp_path), config="MaxSessions 1\n") as host:
        done = mailaudit(host.home, "scan", host.target, "--offline", "--format", "json")
        [told] = json.loads(done.stdout)["hosts"]
        assert not [each for each in told["results"] if each.get("reason") == "timeout"]


@daemon
def test_a_command_that_hangs_is_ended_and_harms_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """sshd counts a session as long as its shell runs, also where nobody listens to it any more."""
    tree, seconds = tree_of(tmp_path), f"6{os.getpid()}"
    hanging = tree / "usr/sbin/rcctl"
    hanging.write_text(f"#!/bin/sh\nsleep {seconds}\n")
    with running(tmp_path, tree, config="MaxSessions 1\n") as host:
        live = world(host, monkeypatch)
        live.timeout = 6.0
        live.connect()
        try:
            files: list[Question] = [ReadFile("/etc/pf.conf"), StatFile("/etc")]
            found = live.ask([RunCommand(Command.RCCTL_LS_ON)]) | live.ask(files)
            assert running_with(seconds) == []
            later = live.later([RunCommand(Command.RCCTL_ORDER)])
            while not running_with(seconds) and not all(each.done() for each in later):
                time.sleep(0.02)
        finally:
            live.close()
    assert [type(each) for each in found.values()] == [Failed, Found, Found]
    assert [each.cancelled() for each in later] == [True]
    for _ in range(40):
        if not running_with(seconds):
            return
        time.sleep(0.05)
    pytest.fail("it runs on")


def running_with(word: str) -> list[str]:
    """The processes that have a word on their command line."""
    listed = subprocess.run(["ps", "-axww", "-o", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return [each for each in listed if word in each.split()]


@daemon
def test_a_certificate_authority_of_hosts_is_trusted(tmp_path: Path) -> None:
    folder = tmp_path / "ca"
    folder.mkdir()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "ca")], check=True)
    with running(tmp_path, tree_of(tmp_path), config=f"HostCertificate {tmp_path}/host_key-cert.pub\n", before=_sign) as host:
        authority = (folder / "ca.pub").read_text().split()
        (host.home / ".ssh" / "known_hosts").write_text(f"@cert-authority * {authority[0]} {authority[1]}\n")
        done = mailaudit(host.home, "scan", host.target, "--offline", "-q")
        assert "findings" in done.stdout, done.stderr


def _sign(folder: Path) -> None:
    words = ["ssh-keygen", "-q", "-s", "ca/ca", "-I", "host", "-h", "-n", "127.0.0.1", "host_key.pub"]
    subprocess.run(words, cwd=folder, check=True)


@daemon
def test_a_snapshot_is_judged_like_the_host_and_holds_no_secret(host: SshHost, tmp_path: Path) -> None:
    place = tmp_path / "snapshot"
    taken = mailaudit(host.home, "snapshot", host.target, "--offline", "-o", place)
    assert taken.returncode == 4, taken.stderr  # doas allows one file only
    assert "not to be had: /etc/master.passwd" in taken.stdout
    live = mailaudit(host.home, "scan", host.target, "--offline", "--format", "json")
    saved = mailaudit(host.home, "scan", place, "--format", "json")
    assert _judged(live.stdout) == _judged(saved.stdout)
    assert live.returncode == saved.returncode == 4
    everything = b"".join(path.read_bytes() for path in place.rglob("*") if path.is_file())
    for canary in (b"canary", b"00ca0a47", b"PRIVATE KEY", b"$2b$"):
        assert canary not in everything
    redis = (place / "etc/redis/redis.conf").read_text().split()[-1]
    assert redis in (place / "etc/rspamd/local.d/redis.conf").read_text()
    assert place.stat().st_mode & 0o077 == 0
    told = mailaudit(host.home, "scan", host.target, "--offline", "--select", "PF")
    assert f"mailaudit fix {host.target}" not in told.stdout
    assert "canary" not in live.stdout + saved.stdout + taken.stdout
    again = mailaudit(host.home, "snapshot", host.target, "--offline", "-o", place)
    assert (again.returncode, again.stdout) == (2, "")


def _judged(text: str) -> list[tuple[str, ...]]:
    [told] = json.loads(text)["hosts"]
    return [(each["rule"], each["verdict"], each["message"], each.get("reason", "")) for each in told["results"]]


def test_hosts_that_are_opened_at_once_share_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a loop for each thread, a connection that one made could not be used on the other."""
    made: list[asyncio.AbstractEventLoop] = []

    def slow() -> asyncio.AbstractEventLoop:
        time.sleep(0.05)
        made.append(asyncio.SelectorEventLoop())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", slow)
    loop = Loop()
    with ThreadPoolExecutor(2) as pool:
        running = list(pool.map(lambda _: loop.running(), range(2)))
    assert running == [*made, *made]
    made[0].call_soon_threadsafe(made[0].stop)
    while made[0].is_running():
        time.sleep(0.001)
    made[0].close()


@daemon
def test_a_dead_host_harms_no_other(host: SshHost, tmp_path: Path) -> None:
    dead = f"ssh://auditor@127.0.0.1:{free_port()}"
    (tmp_path / "hosts").write_text(f"# ours\n{dead}\n{host.target}\n")
    done = mailaudit(host.home, "scan", "-T", tmp_path / "hosts", "-j", "2", "--offline", "-q", "--select", "PF001")
    assert done.returncode == 4
    assert "connection refused" in done.stdout
    assert "1 passed" in done.stdout
    twice = mailaudit(host.home, "scan", host.target, host.target, "--offline", "-q", "--select", "PF001")
    assert twice.stdout.count("1 passed") == 1


@daemon
def test_doctor_goes_step_by_step(host: SshHost) -> None:
    done = mailaudit(host.home, "doctor", host.target)
    assert done.returncode == 4
    assert "ok    logged in as auditor" in done.stdout
    assert "permit nopass auditor as root cmd /sbin/pfctl args -si" in done.stdout
    alone = mailaudit(host.home, "doctor", host.target, "--become", "none")
    assert alone.stdout.endswith("note  fix --write could not write there, which no scan needs: auditor cannot become root\n")
    dead = mailaudit(host.home, "doctor", f"ssh://127.0.0.1:{free_port()}")
    assert dead.returncode == 4
    assert dead.stdout.count("cannot be reached") == 1
    assert "cannot be reached: connection refused" in dead.stdout


@daemon
def test_a_server_that_never_speaks_ends_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        address = Address("127.0.0.1", "auditor", mute.getsockname()[1])
        with pytest.raises(TargetError, match=r"no connection within 0\.5 seconds") as caught:
            wait_for(Connection(address, 0.5).open())
    assert caught.value.code == 4


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "mx: its address could not be looked up: temporary failure"),
        (socket.gaierror(socket.EAI_NONAME, "Not known"), "mx: no file and no host of that name: not known"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "mx: it cannot be reached: connection refused"),
        (
            OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 22, 0, 0), [Errno 111] Connect call failed"),
            "mx: it cannot be reached: connection refused",
        ),
    ],
)
def test_a_host_that_is_not_reached_is_told_in_words(error: OSError, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("asyncssh.connect", fails)
    monkeypatch.setattr("asyncssh.create_connection", fails)
    with pytest.raises(TargetError) as caught:
        wait_for(Connection(Address("mx"), 0.5).open())
    assert caught.value.message == words


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("mail.example.com", Address("mail.example.com")),
        ("audit@mail.example.com", Address("mail.example.com", "audit")),
        ("ssh://audit@mail.example.com:2222", Address("mail.example.com", "audit", 2222)),
        ("ssh://[2001:db8::9]:2222", Address("2001:db8::9", None, 2222)),
        ("ssh://mail.example.com/", Address("mail.example.com")),
        ("2001:db8::9", Address("2001:db8::9")),
    ],
)
def test_names_of_hosts(written: str, address: Address) -> None:
    assert read_address(written) == address
    assert not is_path(written)


@pytest.mark.parametrize(
    "written", ["", "-oProxyCommand=x", "a b", "ssh://host:0", "ssh://host:99999", "u@-x", "a;b", "u u@h", "h:22"]
)
def test_what_is_no_name_of_a_host(written: str) -> None:
    with pytest.raises(TargetError) as caught:
        read_address(written)
    assert caught.value.code == 2
    assert "ssh://mail.example.com:2222" in caught.value.message
