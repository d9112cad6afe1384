"""Namespaces of this machine alone: `world` with the addresses of a mail host and of name servers, `auditor`, a link between."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from daemons import NEWER

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
WORLD, AUDITOR = "world", "auditor"
HOST = ("203.0.113.9", "2001:db8::9")
"""The mail host's addresses, as the corrected example has them."""
SERVERS = ("198.51.100.53", "198.51.100.54", "2001:db8:53::53", "2001:db8:53::54")
"""The name servers' addresses: ns1 and ns2 of exampleregistrar.com."""
RESOLVER = "192.0.2.53"
SPARE = ("192.0.2.66", "192.0.2.67", "198.51.100.66", "2001:db8:53::66")
"""Addresses of the world on which nothing listens, for stand-ins of variants: two resolvers, a name server of both families."""
LOOKER = ("192.0.2.77", "2001:db8:77::77")
"""Where the auditor comes from; it has the mail host's gateway too."""
_WIRE = Path(__file__).with_name("wire.py")
_FIRST = """
read -r pid rest </proc/self/stat
set -e
mount -t proc proc /proc
hostname host7.example.com
mount -t tmpfs -o mode=755 lab /run
mount -t tmpfs -o mode=755 lab "$1"
ip netns add auditor
echo "$pid"
exec perl -e '$SIG{CHLD} = q(IGNORE); 1 while <STDIN>'
"""


PROGRAMS = (
    "unshare", "nsenter", "setpriv", "ip", "ss", "nft", "perl", "nsd", "unbound", "ldns-signzone", "sshd", "doas", "dovecot",
    "sievec", "rspamd", "redis-server", "pgrep", "setsid",
)  # fmt: skip


def missing() -> str | None:
    """Why no lab can be made here, or None."""
    if os.geteuid() != 0:
        return "only root can make namespaces"
    lacking = next((program for program in PROGRAMS if shutil.which(program, path=PATH) is None), None)
    if lacking is not None:
        return f"{lacking} is not installed"
    if not (NEWER / "usr/sbin/smtpd").exists():
        return "Debian 13's daemons are not there: make newer"
    alone = ["unshare", "-mnupf", "--kill-child", "mount", "-t", "tmpfs", "lab", "/run"]
    done = subprocess.run(alone, check=False, capture_output=True)
    return "namespaces of its own are not allowed here" if done.returncode else None


@dataclass
class Space:
    """The namespaces, as long as this process lives: the first process in them ends when its input does.

    `room` is a folder that a fresh tmpfs covers, seen by what runs in here alone. `delay` is seconds each way between auditor
    and world; 0 is a plain pair of interfaces.
    """

    room: Path
    delay: float = 0.0
    services: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    logs: Path = field(init=False)
    pid: int = field(init=False)
    _first: subprocess.Popen[str] = field(init=False)

    def __post_init__(self) -> None:
        self.room.mkdir(parents=True, exist_ok=True)
        self.logs = self.room.with_name(f"{self.room.name}-logs")
        self.logs.mkdir(exist_ok=True)
        alone = ["unshare", "-mnupf", "--kill-child", "sh", "-c", _FIRST, "lab", str(self.room)]
        self._first = subprocess.Popen(alone, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._first.stdout is not None
        told = self._first.stdout.readline()
        if not told.strip():
            self._first.kill()
            self._first.wait()
            raise RuntimeError("the namespaces could not be made")
        self.pid = int(told)
        try:
            self._link()
        except BaseException:
            self.close()
            raise

    def _link(self) -> None:
        if self.delay:
            self.start("wire", sys.executable, str(_WIRE), str(self.delay), "vio0", "/run/netns/auditor", "aud0")
            self._until_there("vio0")
        else:
            self.do("ip", "link", "add", "vio0", "type", "veth", "peer", "name", "aud0", "netns", "auditor")
        batch = ["link set lo up", "link set vio0 up"]
        batch += [_add(each, "vio0") for each in (f"{HOST[0]}/24", f"{HOST[1]}/64")]
        batch += [_add(each, "lo") for each in (*SERVERS, RESOLVER, *SPARE)]
        batch += ["route add default dev vio0 via 203.0.113.1 onlink", "route add ::/0 dev vio0 via 2001:db8::1 onlink"]
        self._batch(WORLD, batch)
        batch = ["link set lo up", "link set aud0 up"]
        batch += [_add(each, "lo") for each in LOOKER] + [_add(each, "aud0") for each in ("203.0.113.1/24", "2001:db8::1/64")]
        batch += [f"route add default dev aud0 via 203.0.113.9 onlink src {LOOKER[0]}"]
        batch += [f"route add ::/0 dev aud0 via 2001:db8::9 onlink src {LOOKER[1]}"]
        batch += [
            f"route replace 203.0.113.9/32 dev aud0 src {LOOKER[0]}",
            f"route replace 2001:db8::9/128 dev aud0 src {LOOKER[1]}",
        ]
        self._batch(AUDITOR, batch)

    def _until_there(self, interface: str) -> None:
        for _ in range(200):
            ends = {WORLD: interface, AUDITOR: "aud0"}
            if not any(self.do("ip", "link", "show", name, where=end, check=False).returncode for end, name in ends.items()):
                return
            time.sleep(0.02)
        raise RuntimeError(f"the delaying wire did not come up: {self.log('wire')}")

    def _batch(self, where: str, lines: Sequence[str]) -> None:
        self.do("ip", "-batch", "-", where=where, text="".join(f"{line}\n" for line in lines))

    def words(self, where: str, command: Sequence[str], folder: str = "/") -> list[str]:
        """The command that enters the namespaces and there runs a command in a folder. It dies with whoever started it."""
        net = f"/proc/{self.pid}/ns/net" if where == WORLD else f"/proc/{self.pid}/root/run/netns/auditor"
        enter = ["nsenter", "-t", str(self.pid), "-m", "-u", "-p", f"--net={net}", f"--wdns={folder}"]
        return [*enter, "--", "setpriv", "--pdeathsig", "KILL", *command]

    def do(
        self,
        *command: str,
        where: str = WORLD,
        text: str | None = None,
        check: bool = True,
        env: Mapping[str, str] | None = None,
        cwd: str | Path = "/",
        timeout: float = 60,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in here, in the machine's own file system."""
        environment = {"PATH": PATH, "LC_ALL": "C.UTF-8", **(env or {})}
        done = subprocess.run(
            self.words(where, command, str(cwd)),
            input=text if text is not None else "",
            capture_output=True,
            text=True,
            errors="surrogateescape",
            check=False,
            env=environment,
            timeout=timeout,
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def start(self, name: str, *command: str, where: str = WORLD, env: Mapping[str, str] | None = None) -> None:
        """Start a daemon that stays in the foreground; what it writes is `log(name)`."""
        with (self.logs / name).open("ab") as log:
            self.services[name] = subprocess.Popen(
                self.words(where, command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": PATH, "LC_ALL": "C.UTF-8", **(env or {})},
                start_new_session=True,
            )

    def stop(self, name: str) -> None:
        """End a daemon, and what it leaves running."""
        process = self.services.pop(name, None)
        if process is None:
            return
        for child in _children(process.pid):  # the one that entered ends with it
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(5)
        for _ in range(500):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            process.poll()
            time.sleep(0.01)

    def log(self, name: str) -> str:
        """What a daemon wrote."""
        with suppress(FileNotFoundError):
            return (self.logs / name).read_text("utf-8", "replace")
        return ""

    def seen(self, path: str | Path) -> Path:
        """A path of the namespaces, as it is reached from outside."""
        return Path(f"/proc/{self.pid}/root{path}")

    def close(self) -> None:
        """End all of it; the mounts go with it."""
        self._first.kill()
        self._first.communicate()
        for process in self.services.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def _children(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _add(address: str, interface: str) -> str:
    """A line for ip(8); duplicates are not looked for, which takes time."""
    return f"address add {address} dev {interface}{' nodad' if ':' in address else ''}"
