"""The mail host of the lab: its root, made of the example's tree over this machine's /usr, and the daemons that run in it."""

from __future__ import annotations

import shlex
import shutil
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from daemons import NEWER as TRIXIE

from lab.space import Space
from lab.tree import NEWER

START = 90.0  # seconds until a daemon must listen
COMPILED = TRIXIE.parent / "rspamd"
"""What rspamd compiles of its expressions when it first starts, which takes it ten seconds and more."""


@dataclass(frozen=True)
class Service:
    """A daemon: its command in the host's root, in the foreground, and the ports on which it listens when it is up."""

    words: tuple[str, ...]
    ports: tuple[int, ...]
    user: str = ""

    def within(self, root: str) -> tuple[str, ...]:
        """What chroot(8) is told."""
        return (*((f"--userspec={self.user}",) if self.user else ()), root, *self.words)


SERVICES = {
    "redis": Service(("/usr/local/sbin/redis-server", "/etc/redis/redis.conf", "--daemonize", "no"), (6379,), "_redis:_redis"),
    "rspamd": Service(("/usr/bin/rspamd", "-f", "-u", "_rspamd", "-g", "_rspamd"), (11332, 11333, 11334)),
    "dovecot": Service(("/usr/local/sbin/dovecot", "-F"), (993, 4190)),
    "smtpd": Service(("/usr/sbin/smtpd", "-d"), (25, 465, 587)),
    "httpd": Service(("/usr/sbin/httpd",), (80,)),
    "sshd": Service(("/usr/sbin/sshd", "-D", "-e"), (22,)),
}
"""The daemons, in the order in which they start."""
_MOUNTS = """
set -e
root=$1 tree=$2 trixie=$3 newer=$4 compiled=$5
mkdir -p "$root" "$root-usr/up" "$root-usr/work" "$root-newer/up" "$root-newer/work"
cp -a "$tree/." "$root/"
mv "$root/usr" "$root-usr/tree"; cp -a "$root-usr/tree/." "$root-usr/up/"; rm -rf "$root-usr/tree"
mkdir -p "$root/usr" "$root/proc" "$root/dev" "$root/run/sshd" "$root/run/rspamd" "$root/tmp" "$root/home" "$root$newer"
chmod 1777 "$root/tmp"
for name in bin sbin lib lib64; do ln -s "usr/$name" "$root/$name"; done
mount -t overlay lab -o "lowerdir=/usr,upperdir=$root-usr/up,workdir=$root-usr/work" "$root/usr"
mount -t proc proc "$root/proc"
cp -a /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty "$root/dev/"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /run "$root/var/run"
mkdir -p "$root/run/dovecot"
mount --bind "$root/var/dovecot" "$root/run/dovecot"
if [ -d "$compiled" ]; then
	mkdir -p "$root-compiled/up" "$root-compiled/work"; chown --reference="$root/var/lib/rspamd" "$root-compiled/up"
	mount -t overlay lab -o "lowerdir=$compiled,upperdir=$root-compiled/up,workdir=$root-compiled/work" "$root/var/lib/rspamd"
fi
mkdir -p "$root-newer/up/usr/local/libexec"
ln -s /usr/libexec/opensmtpd "$root-newer/up/usr/local/libexec/smtpd"
mount -t overlay lab -o "lowerdir=$trixie,upperdir=$root-newer/up,workdir=$root-newer/work" "$root$newer"
for top in etc home run dev proc; do mount --bind "$root/$top" "$root$newer/$top"; done
mount --bind "$root/var" "$root$newer/var"
mount --bind "$root/var/dovecot" "$root$newer/run/dovecot"
chroot "$root$newer" chgrp opensmtpq /usr/sbin/smtpctl
chroot "$root$newer" chmod 2555 /usr/sbin/smtpctl
for script in "$root"/usr/local/lib/dovecot/sieve/*.sieve; do chroot "$root" sievec "${script#"$root"}"; done
"""


@dataclass
class MailHost:
    """The host in the `world` of a space. Its root is `root`, as the namespaces see it."""

    space: Space
    tree: Path

    @property
    def root(self) -> str:
        """The folder that is its file system."""
        return f"{self.space.room}/host"

    def mount(self) -> None:
        """Make its root; nothing runs in it yet."""
        self.space.do("sh", "-c", _MOUNTS, "mounts", self.root, str(self.tree), str(TRIXIE), NEWER, str(COMPILED))
        for name, service in SERVICES.items():  # where the stand-in of rcctl looks
            place = self.path(f"/var/lab/rc/{name}")
            place.parent.mkdir(exist_ok=True)
            place.write_text(shlex.join(["exec", "chroot", *service.within("/")]))

    def path(self, name: str) -> Path:
        """A file of the host, as it is reached from outside."""
        return self.space.seen(f"{self.root}{name}")

    def do(self, *command: str, check: bool = True, text: str | None = None, timeout: float = 60) -> str:
        """What root's command on the host prints."""
        done = self.space.do("chroot", self.root, *command, check=check, text=text, timeout=timeout)
        return done.stdout + done.stderr

    def start(self, names: Sequence[str]) -> None:
        """Start daemons in their order, and wait until all of them listen."""
        wanted = [name for name in SERVICES if name in names]
        for name in wanted:
            self.space.start(name, "chroot", *SERVICES[name].within(self.root))
        for name in wanted:
            self._await(name, SERVICES[name].ports)
        if "rspamd" in wanted and not COMPILED.is_dir():
            self._keep_compiled()

    def _keep_compiled(self) -> None:
        made = Path(tempfile.mkdtemp(prefix="rspamd.", dir=COMPILED.parent))
        for each in self.path("/var/lib/rspamd").glob("*.hs*"):
            shutil.copy(each, made)
        made.chmod(0o755)
        try:
            made.rename(COMPILED)
        except OSError:  # another lab was quicker
            shutil.rmtree(made)

    def stop(self, names: Sequence[str]) -> None:
        """End daemons, in the other order."""
        for name in reversed([name for name in SERVICES if name in names]):
            process = self.space.services.get(name)
            if process is not None and process.poll() is not None:  # rcctl has started it again
                self.do("rcctl", "stop", name, check=False)
            self.space.stop(name)

    def _await(self, name: str, ports: Sequence[int]) -> None:
        until = time.monotonic() + START
        while not set(ports) <= listening(self.space):
            if self.space.services[name].poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"{name} does not listen on {ports}: {self.space.log(name)[-2000:]}")
            time.sleep(0.01)


def listening(space: Space) -> set[int]:
    """The TCP ports of the world on which something listens, other than name servers."""
    found = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/{space.pid}/net/{table}").read_text().splitlines()[1:]:
                _, local, _, state, *_ = line.split()
                if state == "0A":
                    found.add(int(local.rpartition(":")[2], 16))
    return found
