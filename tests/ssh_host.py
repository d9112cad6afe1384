"""A host for tests: the real sshd on loopback, in a mount namespace of its own whose /etc, /usr, /var and /root are overlaid.

What only OpenBSD has (pfctl, rcctl, pkg_info, ...) are stand-ins that print what a record says: they prove the plumbing alone.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailaudit.collect.ssh.commands import COMMANDS

USER = "auditor"
KEPT = ("passwd", "group", "master.passwd.linux")  # this machine's own, for sshd needs them

_SETUP = """
set -e
mount -t tmpfs none {room}
for top in etc usr var root; do
	mkdir -p {room}/$top {room}/work-$top
	[ ! -d {tree}/$top ] || cp -a {tree}/$top/. {room}/$top/
done
mkdir -p {room}/usr/sbin; cp /usr/sbin/sshd {room}/usr/sbin/sshd-itself  # a stand-in may take its name
chown -R 0:0 {room}/etc {room}/root; chmod 755 {room}/etc
chmod 700 {room}/root
for top in etc usr var root; do
	mount -t overlay none -o lowerdir=/$top,upperdir={room}/$top,workdir={room}/work-$top /$top
done
mount -t tmpfs none /run; mkdir -p /run/sshd; chmod 755 /run/sshd; cp {authorized} /run/sshd/authorized
echo '{user}:x:4242:4242::/var/empty:/bin/sh' >> /etc/passwd
echo '{user}:*:19000:0:99999:7:::' >> /etc/shadow
mkdir -p /var/empty
{more}
exec /usr/sbin/sshd-itself -D -e -f {config}
"""


@dataclass
class SshHost:
    """A running host: its port, the folder of the client's home, and the tree laid over the machine's own."""

    port: int
    home: Path
    process: subprocess.Popen[bytes]
    log: Path
    host_key: Path
    target: str = field(init=False)

    def __post_init__(self) -> None:
        self.target = f"ssh://{USER}@127.0.0.1:{self.port}"


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port: int = server.getsockname()[1]
        return port


def need_sshd() -> None:
    """Skip, saying why, where no such host can be made."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a mount namespace")
    for program in ("sshd", "ssh-keygen", "unshare", "doas"):
        if shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
            pytest.skip(f"{program} is not installed")
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mount namespaces are not allowed here")


def stand_ins(tree: Path, record: Path) -> None:
    """Programs that print what a record's commands printed."""
    commands = json.loads(record.read_text())["commands"]
    said: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for command, words in COMMANDS.items():
        if str(command) in commands:
            said.setdefault(words.words[0], []).append((" ".join(words.words[1:]), commands[str(command)]))
    for program, outputs in said.items():
        lines = ["#!/bin/sh", 'case "$*" in']
        for arguments, output in outputs:
            lines.append(f"{shlex.quote(arguments)}) printf %s {shlex.quote(output['stdout'])}; exit {output['status']} ;;")
        lines += ["-s) echo Linux ;;", "*) exit 64 ;;", "esac", ""]
        path = "/usr" + program if program.startswith(("/bin", "/sbin")) else program
        where = tree / path.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text("\n".join(lines))
        where.chmod(0o755)


@contextmanager
def running(
    tmp_path: Path, tree: Path, *, more: str = "", config: str = "", before: Callable[[Path], None] | None = None
) -> Iterator[SshHost]:
    """The host, with a tree over the machine's own.

    `more` is shell that runs in it before sshd starts, `config` goes into sshd_config, `before` is called when the keys are made.
    """
    need_sshd()
    home, room = tmp_path / "home", tmp_path / "room"
    (home / ".ssh").mkdir(parents=True)
    room.mkdir()
    key, host_key = home / ".ssh" / "id_ed25519", tmp_path / "host_key"
    for path in (key, host_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)
    shutil.copy(f"{key}.pub", tmp_path / "authorized")
    if before is not None:
        before(tmp_path)
    port = free_port()
    (tmp_path / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {host_key}\nUsePAM no\nStrictModes no\nPidFile none\n"
        f"PasswordAuthentication no\nKbdInteractiveAuthentication no\nAuthorizedKeysFile /run/sshd/authorized\n{config}"
    )
    public = Path(f"{host_key}.pub").read_text().split()
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{port} {public[0]} {public[1]}\n")
    setup = _SETUP.format(
        room=room, tree=tree, user=USER, config=tmp_path / "sshd_config", more=more, authorized=tmp_path / "authorized"
    )
    log = tmp_path / "sshd.log"
    with log.open("wb") as out:
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", setup], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            _wait(port, process, log)
            yield SshHost(port, home, process, log, host_key)
        finally:
            process.terminate()
            process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(100):
        if process.poll() is not None:
            pytest.skip(f"sshd does not start here: {log.read_text()[-300:]}")
        try:
            with socket.create_connection(("127.0.0.1", port), 0.2):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())
