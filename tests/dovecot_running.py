"""A Dovecot that runs on a configuration of a test's own and answers where a user's mail lies; no port is opened."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from daemons import Root

AROUND = """
base_dir = {room}/run
state_dir = {room}/run
log_path = {room}/log
ssl = no
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
first_valid_uid = 1
service stats {{
  unix_listener stats-writer {{
    mode = 0
  }}
}}
"""
PROTOCOLS = {"2.3": "protocols = none\n", "2.4": "protocols =\n"}
VERSIONS = {"2.3": "", "2.4": "dovecot_config_version = 2.4.1\ndovecot_storage_version = 2.4.1\n"}


class Running:
    """A running Dovecot."""

    def __init__(self, root: Root, config: str) -> None:
        self.root, self.config = root, config

    def field(self, user: str) -> dict[str, str]:
        """What `doveadm user` says of a user, empty for one that does not exist."""
        done = self.root.run("doveadm", "-c", self.config, "user", user)
        lines = [line.partition("\t") for line in done.stdout.splitlines() if line.count("\t")]
        return {name: value for name, _, value in lines if name != "field"} if done.returncode == 0 else {}

    def path(self, user: str, mailbox: str) -> str | None:
        """The directory of a user's mailbox."""
        done = self.root.run("doveadm", "-c", self.config, "mailbox", "path", "-u", user, mailbox)
        return done.stdout.strip() if done.returncode == 0 else None


@contextmanager
def running(root: Root, family: str, settings: str, users: str) -> Iterator[Running]:
    """Run Dovecot with these settings; `USERS` in them is the path of a passwd-file that holds the users."""
    base = Path(root.path or "/") / "tmp"
    room = Path(tempfile.mkdtemp(prefix="dv", dir=base))
    process = None
    try:
        room.chmod(0o755)
        (room / "run").mkdir()
        (room / "users").write_text(users)
        (room / "users").chmod(0o644)
        inside = root.inside(room)
        text = VERSIONS[family] + AROUND.format(room=inside) + PROTOCOLS[family] + settings.replace("USERS", f"{inside}/users")
        (room / "dovecot.conf").write_text(text)
        enter = [] if root.path is None else ["chroot", str(root.path)]
        command = [*enter, "dovecot", "-F", "-c", f"{inside}/dovecot.conf"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        _wait(process, room / "run" / "auth-userdb")
        yield Running(root, f"{inside}/dovecot.conf")
    finally:
        if process is not None and process.poll() is None:
            process.terminate()
            process.communicate(timeout=10)
        shutil.rmtree(room)


def _wait(process: subprocess.Popen[str], socket: Path) -> None:
    until = time.monotonic() + 10
    while not socket.exists():
        if process.poll() is not None:
            assert process.stderr is not None
            raise RuntimeError(f"dovecot did not start: {process.stderr.read()}")
        if time.monotonic() > until:
            raise TimeoutError("dovecot has no socket yet")
        time.sleep(0.05)
