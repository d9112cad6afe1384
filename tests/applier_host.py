"""A host for tests of the applier: a mount namespace whose /etc, /usr and /var are overlaid; the applier runs as root in it.

Where only OpenBSD has a program (pfctl, rcctl, httpd, ...), a stand-in of that name takes its place: it notes that it ran, and
does as a file in /var/say tells it to. Those prove the plumbing alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

APPLIER = Path(__file__).parents[1] / "mailaudit" / "apply" / "applier.pl"
ONLY_THERE = (
    "/sbin/pfctl",
    "/usr/sbin/rcctl",
    "/usr/sbin/httpd",
    "/usr/sbin/acme-client",
    "/usr/bin/cap_mkdb",
    "/usr/bin/newaliases",
)
_STAND_IN = """#!/bin/sh
name=${0##*/}
echo "$name $*" >> /var/say/ran
if [ -e "/var/say/$name" ]; then . "/var/say/$name"; fi
exit 0
"""
_SETUP = """
set -e
mount -t tmpfs none {room}
for top in etc usr var; do
	mkdir -p {room}/$top {room}/work-$top
	mount -t overlay none -o lowerdir=/$top,upperdir={room}/$top,workdir={room}/work-$top /$top
done
mkdir -p /var/say /usr/local/bin /usr/local/lib/dovecot/sieve
chown root:root /usr/local /usr/local/bin /usr/local/lib; chmod 755 /usr/local /usr/local/bin /usr/local/lib
for program in {programs}; do cp {stand_in} /usr$program 2>/dev/null || cp {stand_in} $program; done
for program in doveconf rspamadm sievec; do [ ! -x /usr/bin/$program ] || ln -sf /usr/bin/$program /usr/local/bin/$program; done
{more}
echo ready
exec sleep 1000
"""


def need_namespaces() -> None:
    """Skip, saying why, where no such host can be made."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a mount namespace")
    for program in ("perl", "unshare", "nsenter"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("mount namespaces are not allowed here")
    if subprocess.run(["perl", "-MDigest::SHA", "-e", "1"], check=False, capture_output=True).returncode:
        pytest.skip("perl has no Digest::SHA (package perl)")


@dataclass
class Run:
    """What the applier said: its lines, and the last of them, which says how it ended."""

    lines: list[str]

    @property
    def end(self) -> str:
        return next((line for line in reversed(self.lines) if line.startswith("end ")), "")

    def __contains__(self, text: str) -> bool:
        return any(text in line for line in self.lines)


@dataclass
class Host:
    """A namespace, held by a process that sleeps in it."""

    holder: subprocess.Popen[str]

    def popen(self, *words: str) -> subprocess.Popen[bytes]:
        inside = ["nsenter", "-t", str(self.holder.pid), "-m", *words]
        return subprocess.Popen(
            inside, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def sh(self, script: str) -> str:
        """What a script printed that must succeed."""
        process = self.popen("sh", "-ec", script)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err.decode()
        return out.decode("utf-8", "surrogateescape")

    def start(self, *words: str, plan: bytes = b"", perl: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        """The applier, begun and not waited for."""
        process = self.popen("perl", "-T", *perl, str(APPLIER), *words)
        assert process.stdin is not None
        try:
            process.stdin.write(plan)
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.stdin = None
        return process

    def apply(self, *words: str, plan: bytes = b"", perl: tuple[str, ...] = ()) -> Run:
        """All that the applier said."""
        process = self.start(*words, plan=plan, perl=perl)
        out, err = process.communicate(timeout=120)
        assert err == b"", err.decode()
        return Run(out.decode().splitlines())

    def put(self, files: Mapping[str, bytes | str]) -> None:
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            process = self.popen("sh", "-ec", 'mkdir -p "${1%/*}"; cat > "$1"', "sh", path)
            _, err = process.communicate(data, timeout=60)
            assert process.returncode == 0, err.decode()

    def state(self, *roots: str) -> str:
        """Name, mode, owner, size and digest of all below some paths; what a test compares before and after."""
        paths = " ".join(roots)
        files = "-type f -printf '%p %m %u:%g %s ' -exec sha256sum {} \\;"
        return self.sh(f"find {paths} \\( {files} \\) -o -printf '%p %y %m %u:%g\\n' | sort")


@contextmanager
def host(tmp_path: Path, more: str = "") -> Iterator[Host]:
    """A host; `more` is shell that runs in it first."""
    need_namespaces()
    room = tmp_path / "room"
    room.mkdir()
    stand_in = tmp_path / "stand-in"
    stand_in.write_text(_STAND_IN)
    stand_in.chmod(0o755)
    setup = _SETUP.format(room=room, stand_in=stand_in, programs=" ".join(ONLY_THERE), more=more)
    with subprocess.Popen(
        ["unshare", "-m", "sh", "-c", setup], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as holder:
        try:
            assert holder.stdout is not None
            said = []
            while (line := holder.stdout.readline()) not in ("ready\n", ""):
                said.append(line)
            if line != "ready\n":
                pytest.skip(f"no such host can be made here: {''.join(said)[-300:]}")
            yield Host(holder)
        finally:
            holder.kill()


def digest(data: bytes | str) -> str:
    return sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def plan(*steps: bytes | str, wait: str = "wait 20 20") -> bytes:
    """A plan of these lines."""
    lines = [step.encode() if isinstance(step, str) else step for step in steps]
    return b"\n".join([b"mailaudit 1", b"by a test", wait.encode(), *lines, b"end", b""])


def file(path: str, new: str, old: str | None, mode: str = "0644") -> bytes:
    """The line of a file, with its content."""
    data = new.encode()
    return f"file {'-' if old is None else digest(old)} {mode} {len(data)} {path}\n".encode() + data
