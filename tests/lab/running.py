"""A lab that runs: DNS, the mail host, the auditor beside them; and how a variant is laid over it and taken away."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.certificates import pem_key, rsa_key
from lab.host import SERVICES, MailHost, listening
from lab.kit import Kit
from lab.space import AUDITOR, PATH, RESOLVER, SERVERS, Space
from lab.tree import USER
from lab.variants import BASE, Variant
from lab.zones import write_zones

NAME = "mail.example.com"
SETTINGS = """\
[site]
domains = ["example.com"]
mail_host = "mail.example.com"
host_name = "host7.example.com"
selectors = { "example.com" = "selector0" }
ca_file = "ca.pem"
managesieve = "public"
backup_days = 7
"""
"""The auditor's mailaudit.toml: the corrected example's, without addresses, which are looked up."""
_ROOT = Path(__file__).parents[2]
SETTLED = 4.0  # seconds between a file and a daemon
_FAULTS = Path(__file__).with_name("faults.py")
_READERS = {
    "/etc/mail/dkim/": ("rspamd",),
    "/etc/mail/": ("smtpd",),
    "/etc/dovecot/": ("dovecot",),
    "/etc/ssl/": ("smtpd", "dovecot"),
    "/etc/rspamd/": ("rspamd",),
    "/etc/redis/": ("redis", "rspamd"),
    "/etc/ssh/": ("sshd",),
}
"""Who is started again when a file changes."""


@dataclass
class Scan:
    """What a run of mailaudit gave."""

    code: int
    out: str
    errors: str
    seconds: float

    @property
    def report(self) -> dict[str, Any]:
        """The host's report."""
        hosts = json.loads(self.out)["hosts"]
        return hosts[0] if hosts else {"results": []}

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdict of each rule."""
        return {each["rule"]: each["verdict"] for each in self.report["results"]}

    @property
    def failures(self) -> list[tuple[str, ...]]:
        """What was not passed."""
        return [each for each in self.results if each[1] not in ("pass", "not-applicable")]

    @property
    def results(self) -> list[tuple[str, ...]]:
        """All that was judged: rule, verdict, message, reason."""
        return [(each["rule"], each["verdict"], each["message"], each.get("reason", "")) for each in self.report["results"]]


@dataclass
class Lab:
    """A lab as it runs; `close` ends it. `services` are the host's daemons that it has."""

    kit: Kit
    space: Space
    services: tuple[str, ...] = tuple(SERVICES)
    host: MailHost = field(init=False)

    def __post_init__(self) -> None:
        self.host = MailHost(self.space, self.kit.tree)
        try:
            self.host.mount()
            self._auditor()
            self._dns(BASE)
            self.host.start(self.services)
        except BaseException:
            self.close()
            raise

    @property
    def home(self) -> Path:
        """The auditor's home, as the namespaces see it; it is where mailaudit runs."""
        return self.space.room / "auditor"

    def close(self) -> None:
        """End it."""
        self.space.close()

    # --- the auditor

    def _auditor(self) -> None:
        home = self.space.seen(self.home)
        (home / ".ssh").mkdir(parents=True)
        (home / ".ssh").chmod(0o700)
        shutil.copy(self.kit.folder / "client", home / ".ssh/id_ed25519")
        (home / ".ssh/config").write_text(f"Host {NAME}\n  User {USER}\n")
        (home / "mailaudit.toml").write_text(SETTINGS)
        (home / "ca.pem").write_bytes(self.kit.authority.root)
        (home / "anchor").write_text(self.kit.signer.anchor)
        (home / "resolv.conf").write_text("")
        self.space.do("mount", "--bind", str(self.home / "resolv.conf"), "/etc/resolv.conf")
        self._look(BASE)

    def _look(self, variant: Variant) -> None:
        home = self.space.seen(self.home)
        key = " ".join((self.kit.folder / "host.pub").read_text().split()[:2])
        (home / ".ssh/known_hosts").write_text(variant.known_hosts.replace("{key}", key))
        (home / "resolv.conf").write_text("".join(f"nameserver {each}\n" for each in variant.resolvers))

    def run(self, *command: str, timeout: float = 120, text: str | None = None) -> Scan:
        """Run a command as the auditor."""
        env = {"HOME": str(self.home), "PATH": PATH, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(_ROOT)}
        start = time.monotonic()
        done = self.space.do(*command, where=AUDITOR, env=env, cwd=self.home, check=False, timeout=timeout, text=text)
        return Scan(done.returncode, done.stdout, done.stderr, time.monotonic() - start)

    def mailaudit(self, *arguments: str, timeout: float = 120) -> Scan:
        """Run mailaudit as the auditor."""
        return self.run(sys.executable, "-m", "mailaudit", *arguments, timeout=timeout)

    def scan(self, *arguments: str, target: str = NAME, timeout: float = 120) -> Scan:
        """`mailaudit scan` of the mail host, or of another target, as JSON."""
        live = [] if "/" in target else ["--trust-anchor", "anchor"]
        return self.mailaudit("scan", target, *live, "--format", "json", *arguments, timeout=timeout)

    # --- the world

    def _dns(self, variant: Variant) -> None:
        """Serve the zones as a variant has them."""
        for name in [name for name in self.space.services if name in ("nsd", "unbound") or name.startswith("dns ")]:
            self.space.stop(name)
        records = {question: data for question, data in {**self.kit.records, **variant.records}.items() if data}
        folder = self.space.room / "dns"
        own = [each for each in SERVERS if each not in variant.servers]
        zones = self.kit.signer.zones(records, variant.bogus)
        write_zones(self.space.seen(folder), str(folder), zones, self.kit.signer.anchor, own)
        if own:
            self.space.start("nsd", "nsd", "-d", "-c", f"{folder}/nsd.conf")
        if RESOLVER not in variant.servers:
            self.space.start("unbound", "unbound", "-d", "-c", f"{folder}/unbound.conf")
        for address, how in variant.servers.items():
            self.space.start(f"dns {address}", sys.executable, str(_FAULTS), "dns", address, how)
        self._await_dns({*SERVERS, RESOLVER, *variant.servers})

    def _await_dns(self, addresses: set[str]) -> None:
        until = time.monotonic() + 20
        while not addresses <= _on_port_53(self.space):
            if time.monotonic() > until:
                raise RuntimeError(f"no name server on {addresses}: {self.space.log('nsd')}{self.space.log('unbound')}")
            time.sleep(0.01)

    # --- variants

    @contextmanager
    def under(self, variant: Variant) -> Iterator[Lab]:
        """The lab as a variant has it; afterwards it is as before."""
        with ExitStack() as back:
            back.callback(self._look, BASE)
            self._look(variant)
            if variant.records or variant.bogus or variant.servers:
                back.callback(self._dns, BASE)
                self._dns(variant)
            files = self._files(variant)
            again = _readers(files) & set(self.services) if variant.restart else set()
            back.callback(self._again, again | set(variant.stopped))
            for number, (path, data) in enumerate(files.items()):
                back.callback(self._put_back, path, self._kept(path, number))
                self._write(path, data, age=SETTLED if variant.restart else 0)
            self.host.stop([*again, *variant.stopped])
            self.host.start(sorted(again - set(variant.stopped)))
            back.callback(self._mend, variant)
            self._faults(variant)
            yield self

    def _again(self, services: set[str]) -> None:
        self.host.stop(sorted(services))
        self.host.start(sorted(services))

    def _files(self, variant: Variant) -> dict[str, bytes | None]:
        """The host's files that are otherwise."""
        new: dict[str, bytes | None] = {path: text if text is None else text.encode() for path, text in variant.files.items()}
        for path, edits in variant.edits.items():
            text = self.host.path(path).read_text()
            for old, other in edits:
                assert old in text, f"{variant.name}: {old!r} is not in {path}"
                text = text.replace(old, other)
            new[path] = text.encode()
        if variant.certificate is not None:
            new["/etc/ssl/mail.example.com.pem"] = self.kit.authority.sign(variant.certificate, self.kit.tls)
        if variant.other_key:
            new["/etc/ssl/private/mail.example.com.key"] = pem_key(rsa_key())
        return new

    def _kept(self, path: str, number: int) -> Path | None:
        """A copy of a file, owner and times included; None where there is none."""
        place, copy = self.host.path(path), self.space.seen(self.space.room / f"kept-{number}")
        if not place.exists():
            return None
        subprocess.run(["cp", "-a", str(place), str(copy)], check=True)
        return copy

    def _write(self, path: str, data: bytes | None, age: float) -> None:
        """Content alone: owner and mode stay. It is as old as that, for ps(1) may be a second wrong about when a daemon began."""
        place = self.host.path(path)
        if data is None:
            place.unlink(missing_ok=True)
            return
        if not age:
            time.sleep(SETTLED)
        place.write_bytes(data)
        os.utime(place, (time.time() - age,) * 2)

    def _put_back(self, path: str, copy: Path | None) -> None:
        if copy is None:
            self.host.path(path).unlink(missing_ok=True)
        else:
            subprocess.run(["cp", "-a", "--remove-destination", str(copy), str(self.host.path(path))], check=True)

    def _faults(self, variant: Variant) -> None:
        rules = []
        for port, how in variant.ports.items():
            if how == "drop":
                rules.append(f"iifname vio0 tcp dport {port} drop")
                continue
            self.space.start(f"port {port}", sys.executable, str(_FAULTS), "tcp", str(20000 + port), how)
            rules.append(f"iifname vio0 tcp dport {port} redirect to :{20000 + port}")
        redirects, drops = [rule for rule in rules if "redirect" in rule], [rule for rule in rules if "drop" in rule]
        if rules:
            first = ["table inet faults {", "chain pre {", "type nat hook prerouting priority -100", *redirects, "}"]
            then = ["chain in {", "type filter hook input priority 0", *drops, "}", "}", ""]
            self.space.do("nft", "-f", "-", text="\n".join([*first, *then]))
        for number, words in enumerate(variant.beside):
            self.space.start(f"beside {number}", "chroot", self.host.root, *words)
        until = time.monotonic() + 20
        while not {20000 + port for port, how in variant.ports.items() if how != "drop"} <= listening(self.space):
            if time.monotonic() > until:
                raise RuntimeError(f"{variant.name}: the stand-ins do not listen")
            time.sleep(0.01)

    def _mend(self, variant: Variant) -> None:
        for name in [name for name in self.space.services if name.startswith(("port ", "beside "))]:
            self.space.stop(name)
        if variant.ports:
            self.space.do("nft", "delete table inet faults", check=False)


def _readers(paths: Mapping[str, object]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        found.update(next((names for prefix, names in _READERS.items() if path.startswith(prefix)), ()))
    return found


def _on_port_53(space: Space) -> set[str]:
    """The addresses of the world on which a name server is bound."""
    done = space.do("ss", "-Hlun", "sport = :53")
    return {line.split()[3].rpartition(":")[0].strip("[]") for line in done.stdout.splitlines()}


@contextmanager
def running(kit: Kit, room: Path, *, delay: float = 0.0, services: tuple[str, ...] = tuple(SERVICES)) -> Iterator[Lab]:
    """A lab, as long as it is used. `delay` is seconds each way between auditor and world."""
    lab = Lab(kit, Space(room, delay), services)
    try:
        yield lab
    finally:
        lab.close()


def check(lab: Lab, base: Mapping[str, str], variant: Variant) -> Scan:
    """Scan under a variant: exactly its expected verdicts differ from the base's, code and budget are as it says."""
    with lab.under(variant):
        scan = lab.scan(*variant.arguments, timeout=variant.budget * 4)
    for said in variant.says:
        assert said in scan.out + scan.errors, scan.errors + scan.out
    assert scan.code == variant.code, (scan.code, scan.errors, scan.failures)
    changed = {rule: now for rule, now in scan.verdicts.items() if base.get(rule) != now and rule not in variant.perhaps}
    if variant.blinds:
        changed = {rule: now for rule, now in changed.items() if now != "unknown" or rule in variant.expected}
    assert changed == dict(variant.expected), [each for each in scan.results if each[0] in {*changed, *variant.expected}]
    assert scan.seconds < variant.budget, scan.seconds
    return scan
