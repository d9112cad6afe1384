"""`make bench-live`: a whole scan of the lab's host beside a bare script and other tools; near, far, stalled, fifty times.

What bounds a figure is printed with it: the lab's host, its daemons and name servers share this machine's processors with whoever
asks, so beside a time stands what the asker and what everything together took of them. Times are medians; a machine that does
anything else meanwhile tells nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from lab import Kit, Lab, Scan, Variant, missing, running  # noqa: E402  the lab is a package of the tests

HERE = Path(__file__).parent
PEERS = ROOT / ".bench" / "peers"
TOOLS = ("checkdmarc==6.0.4", "sslyze==6.3.1", "ssh-audit==3.9.0")
NAME = "mail.example.com"
OTHERS = (
    ("checkdmarc", "--check-mx-tls", "example.com"),
    ("sslyze", "--certinfo_ca_file=ca.pem", "--starttls=smtp", f"{NAME}:25"),
    ("sslyze", "--certinfo_ca_file=ca.pem", "--starttls=smtp", f"{NAME}:587"),
    ("sslyze", "--certinfo_ca_file=ca.pem", f"{NAME}:993"),
    ("ssh-audit", NAME),
)
"""The other tools as one types them: all that sslyze and ssh-audit look at, checkdmarc with its look at the exchanger's TLS.

They are told of the lab's authority, as mailaudit is: nobody stops at a certificate that the world would trust. sslyze ends with
1 where a server takes more than Mozilla advises, ssh-audit with 3 where it warns; all of them look to the end.
"""
DELAY = 0.05  # seconds each way
NEAR = 0.0025  # the same, of a host in the same town
RUNS = 5
HOSTS = 50
PATH = re.compile(r"critical path: (\d+) round trips?")

STALLS = (
    Variant("a tarpit on port 25", ports={25: "silent"}),
    Variant("one byte a second on port 25", ports={25: "drip"}),
    Variant("endless lines on port 25", ports={25: "endless"}),
    Variant("packets to port 587 dropped", ports={587: "drop"}),
    Variant("one resolver of two dead", resolvers=("192.0.2.66", "192.0.2.53"), servers={"192.0.2.66": "silent"}),
    Variant("the only resolver dead", resolvers=("192.0.2.66",), servers={"192.0.2.66": "silent"}),
    Variant("a resolver that takes two seconds", resolvers=("192.0.2.66",), servers={"192.0.2.66": "slow:2"}),
    Variant("the resolver says SERVFAIL", resolvers=("192.0.2.66",), servers={"192.0.2.66": "servfail"}),
    Variant("a lame name server", servers={"198.51.100.54": "refused"}),
    Variant("a name server that is silent", servers={"198.51.100.54": "silent"}),
)


def scanned(lab: Lab, *arguments: str, timeout: float = 300) -> Scan:
    """A whole scan as a user types it."""
    return lab.scan(*arguments, timeout=timeout)


def median(scans: Sequence[Scan]) -> float:
    """The median of some runs, in seconds."""
    return statistics.median(each.seconds for each in scans)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a run took: seconds by the clock, and of processors what the asker had and what everything on this machine had."""

    scan: Scan
    asker: float
    everything: float

    def __str__(self) -> str:
        had = self.scan.seconds * (os.cpu_count() or 1)
        return f"processors: the asker {self.asker:.2f} s, everything {self.everything:.2f} s of {had:.2f} s"


def costing(run: Callable[[], Scan]) -> Cost:
    """A run with its cost."""
    before, own = _busy(), _children()
    scan = run()
    return Cost(scan, _children() - own, _busy() - before)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _busy() -> float:
    """Seconds that all processors have worked so far: user, nice, system, interrupts (proc(5))."""
    user, nice, system, _idle, _waiting, *interrupts = map(int, Path("/proc/stat").read_text().split("\n")[0].split()[1:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def cheapest(costs: Sequence[Cost]) -> Cost:
    """The run that took everything together the least: whatever else this machine did is not of the others' cost."""
    return min(costs, key=lambda each: each.everything)


def known(scan: Scan) -> str:
    """How many rules were told, and how many could not be."""
    if not scan.out:
        return scan.errors.strip()
    verdicts = list(scan.verdicts.values())
    left = sum(each == "unknown" for each in verdicts)
    return f"{len(verdicts) - left} told, {left} unknown"


def record(lab: Lab) -> Path:
    """What a scan sends, where the auditor finds it."""
    file = lab.home / "asked.json"
    asked = ("-m", "bench.live.asked", str(file), "scan", NAME, "--config", "mailaudit.toml", "--trust-anchor", "anchor")
    done = lab.run("env", f"PYTHONPATH={ROOT}", sys.executable, *asked, "--format", "json")
    if done.code not in (0, 1, 4):
        raise SystemExit(f"the scan that is watched failed ({done.code}): {done.errors[-2000:]}")
    return file


def peers() -> Path | None:
    """The other tools, each in an environment of its own below this folder; None where they cannot be had."""
    for tool in TOOLS:
        place = PEERS / tool.partition("==")[0]
        if (place / "installed").exists():
            continue
        venv.create(place, with_pip=True, clear=True)
        if subprocess.run([place / "bin" / "pip", "install", "-q", tool], check=False).returncode:
            print(f"{tool} cannot be installed here; mailaudit is compared with the bare script alone")
            return None
        (place / "installed").touch()
    return PEERS


def beside_bare(lab: Lab, file: Path, runs: int) -> tuple[list[Cost], list[Cost]]:
    """A cold scan and the bare script, turn by turn."""
    scans, scripts = [], []
    for _ in range(runs):
        scripts.append(costing(lambda: lab.run(sys.executable, str(HERE / "bare.py"), str(file), NAME)))
        if scripts[-1].scan.code:
            raise SystemExit(f"the bare script failed: {scripts[-1].scan.errors[-2000:]}")
        scans.append(costing(lambda: scanned(lab)))
    return scans, scripts


def without_delay(lab: Lab, runs: int) -> None:
    """A cold scan beside the bare script and the other tools."""
    file = record(lab)
    asked = json.loads(lab.space.seen(file).read_text())
    print(f"asked: {', '.join(f'{len(each)} {kind}' for kind, each in asked.items())}")
    scans, scripts = beside_bare(lab, file, runs)
    ours, bare = (median([each.scan for each in costs]) for costs in (scans, scripts))
    print(f"whole scan, cold        {ours:7.2f} s   {cheapest(scans)}")
    print(f"bare script             {bare:7.2f} s   {cheapest(scripts)}; scan = {ours / bare:.2f} x (bound 3)")
    total = others(lab, runs)
    if total is None:
        return
    print(f"other tools in turn     {total:7.2f} s   = {total / ours:.1f} x a scan (bound 8)")
    print(f"what bounds it: 8 x faster would be {total / 8:.2f} s; the bare script, which only asks, takes {bare:.2f} s")


def others(lab: Lab, runs: int) -> float | None:
    """What the other tools take in turn, in seconds; None where they cannot be had."""
    tools = peers()
    if tools is None:
        return None
    total = 0.0
    for program, *rest in OTHERS:
        words = ("env", "SSL_CERT_FILE=ca.pem", str(tools / program / "bin" / program), *rest)
        took = [lab.run(*words, timeout=300) for _ in range(runs)]
        total += median(took)
        print(f"{program + ' ' + rest[-1]:32}{median(took):7.2f} s   (code {took[-1].code})")
    return total


def with_delay(lab: Lab, runs: int) -> None:
    """The scan when every packet takes its time, beside the longest chain of round trips that wait for each other."""
    scans = [lab.mailaudit("scan", NAME, "-v", "--config", "mailaudit.toml", "--trust-anchor", "anchor") for _ in range(runs)]
    told = [PATH.search(each.errors) for each in scans]
    ours = median(scans)
    if not all(told):
        raise SystemExit(f"-v tells no critical path: {scans[0].errors[-2000:]}")
    trips = statistics.median(int(each[1]) for each in told if each)
    path = trips * 2 * DELAY
    print(f"whole scan, {DELAY * 1000:.0f} ms each way {ours:7.2f} s")
    print(f"critical path           {path:7.2f} s   ({trips:.0f} round trips) scan = {ours / path:.2f} x (bound 1.5)")
    beside_others(lab, ours)


def near(lab: Lab, runs: int) -> None:
    """The scan beside the other tools when packets take as long as in one town."""
    ours = median([scanned(lab) for _ in range(runs)])
    print(f"whole scan, {NEAR * 1000:.1f} ms each way{ours:7.2f} s")
    beside_others(lab, ours)


def beside_others(lab: Lab, ours: float) -> None:
    """What the other tools take on the same line."""
    total = others(lab, 1)
    if total is not None:
        print(f"other tools in turn     {total:7.2f} s   = {total / ours:.1f} x a scan")


def stalled(lab: Lab) -> None:
    """What stalls costs time, but no verdict that can be had."""
    base = scanned(lab)
    print(f"{'nothing stalls':45}{base.seconds:7.2f} s   {known(base)}")
    for variant in STALLS:
        with lab.under(variant):
            scan = scanned(lab)
        print(f"{variant.name:45}{scan.seconds:7.2f} s   code {scan.code}   {known(scan)}")


def many(lab: Lab) -> None:
    """One host and fifty at once; all are the lab's one host by other names, so it shares the processors with the auditor."""
    names = [f"host{number}" for number in range(HOSTS)]
    crowd = Variant(
        "many logins at once",
        edits={"/etc/ssh/sshd_config": (("PermitRootLogin no\n", "PermitRootLogin no\nMaxStartups 200\n"),)},
    )
    config = lab.space.seen(lab.home) / ".ssh/config"
    before = config.read_text()
    config.write_text(f"{before}Host host*\n  User auditor\n  HostName {NAME}\n  HostKeyAlias {NAME}\n")
    try:
        with lab.under(crowd):
            one = costing(lambda: lab.scan(target=names[0]))
            arguments = (*names[1:], "-j", str(HOSTS), "--timeout", "300")
            all_ = costing(lambda: lab.scan(*arguments, target=names[0], timeout=600))
    finally:
        config.write_text(before)
    hosts, took = json.loads(all_.scan.out)["hosts"], all_.scan.seconds
    print(f"one host                {one.scan.seconds:7.2f} s   {one}")
    ratio = f"{took / one.scan.seconds:.1f} x one"
    print(f"{len(hosts)} hosts at -j {HOSTS}       {took:7.2f} s   {all_}; = {ratio} (bound 3, code {all_.scan.code})")
    asker, other = all_.asker / len(hosts), (all_.everything - all_.asker) / len(hosts)
    print(f"what bounds it: processors: for each host {asker:.2f} s of the asker's and {other:.2f} s of its own, also here")


def main() -> int:
    """Print all figures side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--only", choices=("plain", "near", "delay", "stalls", "many"))
    chosen = parser.parse_args()
    why = missing()
    if why:
        print(f"there is no lab here: {why}")
        return 0
    with tempfile.TemporaryDirectory(prefix="mailaudit-bench-") as name:
        kit = Kit(Path(name) / "kit")
        with running(kit, Path(name) / "plain") as lab:
            if chosen.only in (None, "plain"):
                without_delay(lab, chosen.runs)
            if chosen.only in (None, "many"):
                many(lab)
            if chosen.only in (None, "stalls"):
                stalled(lab)
        for what, delay, measure in (("near", NEAR, near), ("delay", DELAY, with_delay)):
            if chosen.only in (None, what):
                with running(kit, Path(name) / what, delay=delay) as lab:
                    measure(lab, chosen.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
