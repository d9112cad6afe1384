"""A signed root, two registries and some zones below them on nsd, and unbound as the resolver; all on loopback, on odd ports."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("nsd", "unbound", "ldns-keygen", "ldns-signzone", "ldns-key2ds")
SOA = "@ 300 IN SOA ns.test. hostmaster.test. 1 3600 900 1209600 300\n@ 300 IN NS ns.test.\n"
MAIL = """\
@ 300 IN A 203.0.113.9
@ 300 IN MX 0 mail
@ 300 IN TXT "v=spf1 a -all"
mail 300 IN A 203.0.113.9
mail 300 IN AAAA 2001:db8::9
alias 300 IN CNAME mail
long._domainkey 300 IN TXT {long}
_domainkey 300 IN TXT "o=-"
inside 300 IN A 10.1.2.3
""".format(long=" ".join(f'"{letter * 250}"' for letter in "abcdefgh"))
TIMES = {"over": ("-i", "20250101", "-e", "20250201"), "early": ("-i", "20990101", "-e", "20990201")}
WILD = MAIL + "* 300 IN CNAME @\n"


@dataclass(frozen=True)
class Zone:
    """A zone of the lab. `nsec3` and `opt_out` say how it denies.

    `spoilt` is what is wrong: a record `changed` after it was signed, signatures that are `over`, `early` or of which one is
    `missing`, `no keys` where there is a DS record, or `other keys` than those of the DS record.
    """

    name: str
    text: str
    signed: bool = True
    nsec3: bool = False
    opt_out: bool = False
    spoilt: str = ""


ZONES = (
    Zone("signed.test.", WILD),
    Zone("hashed.test.", MAIL, nsec3=True),
    Zone("plain.test.", MAIL, signed=False),
    Zone("broken.test.", MAIL, spoilt="changed"),
    Zone("over.test.", MAIL, spoilt="over"),
    Zone("early.test.", MAIL, spoilt="early"),
    Zone("missing.test.", MAIL, spoilt="missing"),
    Zone("keyless.test.", MAIL, spoilt="no keys"),
    Zone("rekeyed.test.", MAIL, spoilt="other keys"),
    Zone("signed.opt.", MAIL),
    Zone("plain.opt.", MAIL, signed=False),
    Zone("test.", "ns 300 IN A 127.0.0.1\n"),
    Zone("opt.", "", nsec3=True, opt_out=True),
    Zone(".", ""),
)


@dataclass(frozen=True)
class Lab:
    """Where it runs. `anchor` is the DS record of the root's key."""

    room: Path
    authority: int
    resolver: int
    anchor: str


def missing() -> str | None:
    """A program that is not installed."""
    return next((name for name in PROGRAMS if shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin") is None), None)


def free_port() -> int:
    """A port on loopback that is free for UDP and TCP."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
            udp.bind(("127.0.0.1", 0))
            try:
                tcp.bind(("127.0.0.1", udp.getsockname()[1]))
            except OSError:
                continue
            return int(udp.getsockname()[1])


def _run(room: Path, *command: str) -> str:
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    done = subprocess.run(command, cwd=room, capture_output=True, text=True, check=True, env=path)
    return done.stdout.strip()


def _make(room: Path) -> tuple[dict[str, Path], str]:
    """The zones' files by name, and the root's DS record. Children come first, so that parents can sign for them."""
    files: dict[str, Path] = {}
    ds: dict[str, str] = {}
    for zone in ZONES:
        delegated = [child for child in ZONES if child.name != zone.name and _parent(child.name) == zone.name]
        text = f"$ORIGIN {zone.name}\n{SOA}{zone.text}"
        text += "".join(f"{child.name} 300 IN NS ns.test.\n{ds.get(child.name, '')}\n" for child in delegated)
        plain = room / f"{zone.name.strip('.') or 'root'}.zone"
        plain.write_text(text)
        files[zone.name] = plain
        if zone.signed:
            key = signing = _run(room, "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone.name)
            if zone.spoilt == "other keys":
                signing = _run(room, "ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone.name)
            options = ["-n", *(["-p"] if zone.opt_out else []), "-t", "0"] if zone.nsec3 else []
            options += TIMES.get(zone.spoilt, ())
            _run(room, "ldns-signzone", *options, "-o", zone.name, plain.name, signing)
            files[zone.name] = room / f"{plain.name}.signed" if zone.spoilt != "no keys" else plain
            ds[zone.name] = _run(room, "ldns-key2ds", "-n", "-2", f"{key}.key")
        signed = files[zone.name].read_text()
        if zone.spoilt == "changed":
            files[zone.name].write_text(signed.replace("1 3600 900", "2 3600 900").replace("203.0.113.9", "203.0.113.10"))
        if zone.spoilt == "missing":
            files[zone.name].write_text("".join(each for each in signed.splitlines(keepends=True) if "RRSIG\tSOA" not in each))
    return files, ds["."].split("DS", 1)[1].strip()


def _parent(name: str) -> str:
    return "." if name == "." else name.split(".", 1)[1] or "."


@contextmanager
def running(room: Path) -> Iterator[Lab]:
    """The lab, as long as it is used."""
    files, anchor = _make(room)
    authority, resolver = free_port(), free_port()
    (room / "nsd.conf").write_text(
        f'server:\n port: {authority}\n ip-address: 127.0.0.1\n username: ""\n zonesdir: "{room}"\n database: ""\n'
        f' pidfile: "{room}/nsd.pid"\n xfrdfile: "{room}/xfrd.state"\n zonelistfile: "{room}/zone.list"\n'
        "remote-control:\n control-enable: no\n"
        + "".join(f'zone:\n name: "{name}"\n zonefile: "{path}"\n' for name, path in files.items())
    )
    (room / "unbound.conf").write_text(
        f'server:\n port: {resolver}\n interface: 127.0.0.1\n username: ""\n chroot: ""\n directory: "{room}"\n pidfile: ""\n'
        f' use-syslog: no\n do-not-query-localhost: no\n trust-anchor: ". DS {anchor}"\n do-ip6: no\n num-threads: 1\n'
        ' local-zone: "test." nodefault\n'
        "remote-control:\n control-enable: no\n"
        + "".join(f'stub-zone:\n name: "{zone.name}"\n stub-addr: 127.0.0.1@{authority}\n' for zone in ZONES)
    )
    path = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    daemons = [
        subprocess.Popen(command, cwd=room, env=path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for command in (["nsd", "-d", "-c", f"{room}/nsd.conf"], ["unbound", "-d", "-c", f"{room}/unbound.conf"])
    ]
    try:
        for port in (authority, resolver):
            _await(port)
        yield Lab(room, authority, resolver, anchor)
    finally:
        for daemon in daemons:
            daemon.terminate()
        for daemon in daemons:
            daemon.wait(10)


def _await(port: int) -> None:
    for _ in range(100):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"nothing listens on port {port}")
