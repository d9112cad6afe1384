"""Starts smtpd where nobody else hears it, speaks SMTP to it as told, and prints what it answered.

Run as a program: `unshare -mnpf --kill-child python smtpd_session.py` with a JSON list of jobs on standard input. A job is
{"root": folder or "", "conf": text, "files": {path below /run: [mode, text]}, "talks": [{"source": address, "port": 25,
"lines": [...]}]}; the stranger's address is added to the host after smtpd started, so that it is none of its own. Prints a
list with, for each job, {"log": text, "ended": status or null, "talks": [[reply, ...], ...]}; the first reply is the greeting.
The namespaces end with this process, and with them smtpd, its files, its queue and its socket.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

HOST = "203.0.113.9"
HOST6 = "2001:db8::9"
STRANGER = "198.51.100.7"
START = 10.0  # seconds
SETTLED = 2.0  # seconds after which what does not end stays


def run(*command: str, check: bool = True) -> None:
    """Run a command of the system."""
    subprocess.run(command, check=check, capture_output=True, timeout=30)


def fresh(root: str) -> None:
    """An empty queue and an empty /run, seen by nobody else."""
    for path in ("/var/spool", "/run"):
        run("umount", f"{root}{path}", check=False)  # the last job's
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "none", f"{root}{path}")
    if root:  # smtpd 7 wants the authorities' certificates
        run("umount", f"{root}/etc/ssl", check=False)
        run("mount", "--bind", "/etc/ssl", f"{root}/etc/ssl")
    run("install", "-d", "-m", "0711", f"{root}/var/spool/smtpd")


class Talk:
    """One SMTP session."""

    def __init__(self, source: str, port: int) -> None:
        self.socket: socket.socket = socket.create_connection((HOST, port), timeout=10, source_address=(source, 0))

    def wrap(self) -> None:
        """Begin TLS."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.socket = context.wrap_socket(self.socket)

    def reply(self) -> str:
        """One reply, all its lines; what there is of it if the other side hangs up."""
        data = b""
        with contextlib.suppress(OSError):
            while not data.endswith(b"\n") or data.rsplit(b"\n", 2)[-2][3:4] == b"-":
                more = self.socket.recv(4096)
                if not more:
                    break
                data += more
        return data.decode("latin-1")

    def say(self, line: str) -> str:
        """The reply to a line; after STARTTLS all is said in TLS."""
        with contextlib.suppress(OSError):
            self.socket.sendall(f"{line}\r\n".encode())
        answer = self.reply()
        if line.upper() == "STARTTLS" and answer.startswith("220"):
            self.wrap()
        return answer


def talked(talk: dict[str, Any]) -> list[str]:
    """The replies to one session's lines."""
    try:
        one = Talk(talk.get("source", STRANGER), talk.get("port", 25))
        return [one.reply(), *(one.say(line) for line in talk["lines"])]
    except OSError as error:
        return [str(error)]


def waits(process: subprocess.Popen[bytes], port: int) -> bool:
    """True when smtpd takes connections, False if it ended before."""
    end = time.monotonic() + START
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return True
        time.sleep(0.02)
    return False


def done(job: dict[str, Any]) -> dict[str, object]:
    """One job."""
    root: str = job["root"]
    fresh(root)
    run("ip", "addr", "del", f"{STRANGER}/32", "dev", "lo", check=False)
    for path, (mode, text) in {**job.get("files", {}), "/run/smtpd.conf": [0o600, job["conf"]]}.items():
        file = Path(root + path)
        file.write_text(text)
        file.chmod(mode)
    talks: list[list[str]] = []
    log = Path(f"{root}/run/log")
    with log.open("wb") as out:
        command = [*(["chroot", root] if root else []), "smtpd", "-d", "-f", "/run/smtpd.conf"]
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        if waits(process, 25):
            run("ip", "addr", "add", f"{STRANGER}/32", "dev", "lo")
            talks = [talked(talk) for talk in job["talks"]]
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0 if talks else SETTLED)
        ended = process.poll()
        process.terminate()
        process.wait(10)
    return {"log": log.read_text("utf-8", "replace"), "talks": talks, "ended": ended}


def main() -> None:
    """Do the jobs on standard input."""
    run("mount", "--make-rprivate", "/")
    run("ip", "link", "set", "lo", "up")
    run("ip", "addr", "add", f"{HOST}/32", "dev", "lo")
    run("ip", "-6", "addr", "add", f"{HOST6}/128", "dev", "lo", "nodad")
    jobs = json.load(sys.stdin)
    json.dump([done(job) for job in jobs], sys.stdout)


if __name__ == "__main__":
    main()
