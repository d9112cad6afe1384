"""The lab's DNS: zones signed from a root of its own, nsd that serves them, unbound that validates."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.space import HOST, LOOKER, PATH, RESOLVER, SERVERS

CORRECTED = Path(__file__).parents[2] / "examples" / "corrected"
ZONES = (
    "example.com.",
    "exampleregistrar.com.",
    "example.org.",
    "com.",
    "org.",
    "113.0.203.in-addr.arpa.",
    "2.0.192.in-addr.arpa.",
    "8.b.d.0.1.0.0.2.ip6.arpa.",
    "in-addr.arpa.",
    "ip6.arpa.",
    "arpa.",
    ".",
)
"""Children before their parents, which sign for them."""
NS = ("ns1.exampleregistrar.com.", "ns2.exampleregistrar.com.")
OUTSIDE = {
    "ns1.exampleregistrar.com. AAAA": (SERVERS[2],),
    "ns2.exampleregistrar.com. AAAA": (SERVERS[3],),
    "example.org. MX": ("0 mx.example.org.",),
    "example.org. TXT": (f'"v=spf1 ip4:{LOOKER[0]} ip6:{LOOKER[1]} -all"',),
    "_dmarc.example.org. TXT": ('"v=DMARC1; p=none"',),
    "mx.example.org. A": (LOOKER[0],),
    "mx.example.org. AAAA": (LOOKER[1],),
    "77.2.0.192.in-addr.arpa. PTR": ("mx.example.org.",),
    "7.7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.7.7.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR": ("mx.example.org.",),
}
"""What the corrected example's record does not have: whoever writes to it from outside."""
Records = Mapping[str, tuple[str, ...]]
"""Data by `owner TYPE`, as in answers.json."""


def base_records(dkim: bytes) -> dict[str, tuple[str, ...]]:
    """The corrected example's zones as its record shows them, with this public key (DER) for DKIM."""
    recorded = json.loads((CORRECTED / "answers.json").read_text("utf-8"))["dns"]
    found = {
        question: tuple(answer["records"])
        for question, answer in recorded.items()
        if answer.get("records") and question.split()[1] not in ("SOA", "NS", "DS") and not answer.get("cname")
    }
    return {**found, "selector0._domainkey.example.com. TXT": (dkim_text(dkim),), **OUTSIDE}


def dkim_text(public: bytes) -> str:
    """The TXT record's strings for a public key."""
    return strings(f"v=DKIM1;k=rsa;p={base64.b64encode(public).decode()}")


def strings(whole: str) -> str:
    """A TXT record's data: strings of up to 255 octets."""
    return " ".join(f'"{whole[at : at + 255]}"' for at in range(0, len(whole), 255))


def zone_of(owner: str) -> str:
    """The lab's zone in which a name is."""
    return next(zone for zone in ZONES if zone in (".", owner) or owner.endswith(f".{zone}"))


def _parent(zone: str) -> str:
    return zone_of(zone.split(".", 1)[1] or ".")


@dataclass
class Signer:
    """The zones' keys, and what was signed with them: made once for a test session."""

    folder: Path
    ds: dict[str, str] = field(default_factory=dict)
    _keys: dict[str, str] = field(default_factory=dict)
    _signed: dict[tuple[str, str], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for zone in ZONES:
            self._keys[zone] = self._run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", zone)
            self.ds[zone] = self._run("ldns-key2ds", "-n", "-2", f"{self._keys[zone]}.key")

    @property
    def anchor(self) -> str:
        """The root's DS record, as `--trust-anchor` and unbound take it."""
        return f". 300 IN DS {self.ds['.'].split('DS', 1)[1].strip()}\n"

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=True, env={"PATH": PATH})
        return done.stdout.strip()

    def zones(self, records: Records, bogus: Iterable[str] = ()) -> dict[str, str]:
        """The text of each zone's signed file. Those of `bogus` are changed after they were signed."""
        lines: dict[str, list[str]] = {zone: [] for zone in ZONES}
        for question, data in records.items():
            owner, type_ = question.split()
            lines[zone_of(owner)] += [f"{owner} 300 IN {type_} {each}" for each in data]
        glue = [f"{name} 300 IN {kind} {each}" for name in NS for kind in ("A", "AAAA") for each in records[f"{name} {kind}"]]
        for zone in ZONES:
            if zone != ".":
                lines[_parent(zone)] += [*(f"{zone} 300 IN NS {each}" for each in NS), self.ds[zone]]
        lines["com."] += glue
        lines["."] += glue
        return {zone: self._text(zone, text, spoilt=zone in set(bogus)) for zone, text in lines.items()}

    def _text(self, zone: str, lines: list[str], *, spoilt: bool) -> str:
        own = any(line.startswith(f"{zone} 300 IN NS ") for line in lines)
        head = [f"{zone} 300 IN SOA {NS[0]} hostmaster.exampleregistrar.com. 2026112004 3600 900 1209600 300"]
        head += [] if own else [f"{zone} 300 IN NS {each}" for each in NS]
        signed = self._sign(zone, "".join(f"{line}\n" for line in [*head, *lines]))
        return signed.replace("2026112004 3600", "2026112005 3600").replace(HOST[0], "203.0.113.10") if spoilt else signed

    def _sign(self, zone: str, text: str) -> str:
        if (zone, text) not in self._signed:
            plain = self.folder / "zone"
            plain.write_text(text)
            self._run("ldns-signzone", "-o", zone, "-f", "signed", "zone", self._keys[zone])
            self._signed[zone, text] = (self.folder / "signed").read_text()
        return self._signed[zone, text]


def write_zones(folder: Path, inside: str, zones: Mapping[str, str], anchor: str, addresses: Sequence[str]) -> None:
    """Zone files and the configuration of nsd, at some addresses, and of unbound in a folder, which they see as `inside`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {zone: f"{zone.strip('.') or 'root'}.zone" for zone in zones}
    for zone, text in zones.items():
        (folder / names[zone]).write_text(text)
    (folder / "nsd.conf").write_text(
        "server:\n"
        + "".join(f" ip-address: {each}\n" for each in addresses)
        + f' username: ""\n zonesdir: "{inside}"\n database: ""\n pidfile: "{inside}/nsd.pid"\n xfrdfile: "{inside}/xfrd.state"\n'
        f' zonelistfile: "{inside}/zone.list"\n server-count: 1\nremote-control:\n control-enable: no\n'
        + "".join(f'zone:\n name: "{zone}"\n zonefile: "{name}"\n' for zone, name in names.items())
    )
    known = zip(NS, SERVERS[:2], SERVERS[2:], strict=True)
    hints = (f". 300 IN NS {name}\n{name} 300 IN A {v4}\n{name} 300 IN AAAA {v6}\n" for name, v4, v6 in known)
    (folder / "hints").write_text("".join(hints))
    (folder / "anchor").write_text(anchor)
    reverse = [each for each in ZONES if each.count(".") > 3]
    (folder / "unbound.conf").write_text(
        f'server:\n interface: {RESOLVER}\n access-control: 0.0.0.0/0 allow\n username: ""\n chroot: ""\n directory: "{inside}"\n'
        f' pidfile: ""\n use-syslog: no\n num-threads: 1\n root-hints: "{inside}/hints"\n trust-anchor-file: "{inside}/anchor"\n'
        + "".join(f' local-zone: "{each}" nodefault\n' for each in reverse)
        + "remote-control:\n control-enable: no\n"
    )
