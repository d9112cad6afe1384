"""A mail host of real daemons in namespaces of its own: nsd and unbound, OpenSMTPD, Dovecot with Pigeonhole.

Run as a program: `unshare -mnpf --kill-child python lab_host.py` with {"root": folder with OpenSMTPD 7 and Dovecot 2.4, or ""
for this machine's own OpenSMTPD alone, "room": a folder with cert.pem, key.pem, and zones by name, "commands": [[word, ...],
...]} on standard input. Prints a list of [status, standard output, standard error]. What it started and wrote below /run ends
with this process.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ADDRESSES = ("203.0.113.9/32", "2001:db8::9/128", "203.0.113.53/32", "203.0.113.54/32")
HOSTS = ("203.0.113.9", "2001:db8::9")
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
START = 15.0  # seconds
OFFERS = (
    "tls pki mail hostname host7.example.com",
    "port 587 tls-require pki mail auth hostname host7.example.com",
    "smtps pki mail auth hostname host7.example.com",
)
SMTPD = "".join(
    [
        'pki mail cert "/run/cert.pem"\npki mail key "/run/key.pem"\n',
        *(f"listen on {host} {offer}\n" for host in HOSTS for offer in OFFERS),
        'action "in" mbox\nmatch from any for domain "example.com" action "in"\n',
    ]
)
DOVECOT = """\
dovecot_config_version = 2.4.1
dovecot_storage_version = 2.4.1
base_dir = /run/dovecot
state_dir = /run/dovecot
log_path = /run/dovecot.log
protocols = imap sieve
listen = 203.0.113.9, 2001:db8::9
ssl = required
ssl_server_cert_file = /run/cert.pem
ssl_server_key_file = /run/key.pem
auth_allow_cleartext = no
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = 993
    ssl = yes
  }
}
service managesieve-login {
  inet_listener sieve {
    port = 4190
  }
}
passdb static {
  password = made-up
}
"""


def run(*command: str) -> None:
    """Run a command of the system."""
    subprocess.run(command, check=True, capture_output=True, timeout=30, env=PATH)


def start(*command: str) -> None:
    """Start a daemon that stays in the foreground."""
    subprocess.Popen(command, env=PATH, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def await_(address: str, port: int) -> None:
    """Wait until a daemon listens."""
    until = time.monotonic() + START
    while time.monotonic() < until:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as tried:
            if tried.connect_ex((address, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens at {address} port {port}")


def dns(room: Path) -> None:
    """The zones on 203.0.113.53, a resolver of them alone on 203.0.113.54."""
    zones = {path.name.removesuffix(".zone"): path for path in sorted(room.glob("*.zone"))}
    (room / "nsd.conf").write_text(
        f'server:\n ip-address: 203.0.113.53\n username: ""\n zonesdir: "{room}"\n database: ""\n pidfile: "{room}/nsd.pid"\n'
        f' xfrdfile: "{room}/xfrd.state"\n zonelistfile: "{room}/zone.list"\nremote-control:\n control-enable: no\n'
        + "".join(f'zone:\n name: "{name}"\n zonefile: "{path}"\n' for name, path in zones.items())
    )
    (room / "unbound.conf").write_text(
        f'server:\n interface: 203.0.113.54\n access-control: 0.0.0.0/0 allow\n username: ""\n chroot: ""\n directory: "{room}"\n'
        ' pidfile: ""\n use-syslog: no\n num-threads: 1\n module-config: "iterator"\n'
        ' local-zone: "113.0.203.in-addr.arpa." nodefault\n local-zone: "8.b.d.0.1.0.0.2.ip6.arpa." nodefault\n'
        "remote-control:\n control-enable: no\n"
        + "".join(f'stub-zone:\n name: "{name}"\n stub-addr: 203.0.113.53\n' for name in zones)
    )
    start("nsd", "-d", "-c", f"{room}/nsd.conf")
    start("unbound", "-d", "-c", f"{room}/unbound.conf")
    await_("203.0.113.53", 53)
    await_("203.0.113.54", 53)


def mail(root: str, room: Path) -> None:
    """OpenSMTPD and Dovecot in their root; without one this machine's OpenSMTPD."""
    for path in ("/var/spool", "/run"):
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "none", f"{root}{path}")
    if root:
        run("mount", "--bind", "/etc/ssl", f"{root}/etc/ssl")
    run("install", "-d", "-m", "0711", f"{root}/var/spool/smtpd")
    for name in ("cert.pem", "key.pem"):
        shutil.copy(room / name, f"{root}/run/{name}")
        Path(f"{root}/run/{name}").chmod(0o600)
    for name, text in (("smtpd.conf", SMTPD), ("dovecot.conf", DOVECOT)):
        Path(f"{root}/run/{name}").write_text(text)
    start(*(("chroot", root) if root else ()), "smtpd", "-d", "-f", "/run/smtpd.conf")
    if root:
        start("chroot", root, "dovecot", "-F", "-c", "/run/dovecot.conf")
    for host in HOSTS:
        for port in (25, 465, 587, *((993, 4190) if root else ())):
            await_(host, port)


def main(job: dict[str, Any]) -> list[tuple[int, str, str]]:
    """What the commands said."""
    run("ip", "link", "set", "lo", "up")
    for address in ADDRESSES:
        run("ip", "address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
    room = Path(job["room"])
    dns(room)
    mail(job["root"], room)
    told = []
    for command in job["commands"]:
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        told.append((done.returncode, done.stdout, done.stderr))
    return told


if __name__ == "__main__":
    json.dump(main(json.load(sys.stdin)), sys.stdout)
