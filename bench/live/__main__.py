"""`make bench-live`: a whole scan of the lab's host beside a bare script and other tools; delayed, stalled, fifty times."""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from lab import Kit, Lab, Scan, Variant, missing, running  # noqa: E402  the lab is a package of the tests

HERE = Path(__file__).parent
PEERS = ROOT / ".bench" / "peers"
TOOLS = ("checkdmarc==6.0.4", "sslyze==6.3.1", "ssh-audit==3.9.0")
NAME = "mail.example.com"
DELAY = 0.05  # seconds each way
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


def beside_bare(lab: Lab, file: Path, runs: int) -> tuple[float, float]:
    """Medians of a cold scan and of the bare script, turn by turn."""
    pairs = []
    for _ in range(runs):
        bare = lab.run(sys.executable, str(HERE / "bare.py"), str(file), NAME)
        if bare.code:
            raise SystemExit(f"the bare script failed: {bare.errors[-2000:]}")
        pairs.append((scanned(lab).seconds, bare.seconds))
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def without_delay(lab: Lab, runs: int) -> None:
    """A cold scan beside the bare script and the other tools."""
    file = record(lab)
    asked = json.loads(lab.space.seen(file).read_text())
    print(f"asked: {', '.join(f'{len(each)} {kind}' for kind, each in asked.items())}")
    ours, bare = beside_bare(lab, file, runs)
    print(f"whole scan, cold        {ours:7.2f} s")
    print(f"bare script             {bare:7.2f} s   scan = {ours / bare:.2f} x (bound 3)")
    tools = peers()
    if tools is None:
        return
    words = [
        ("checkdmarc", "example.com", "--check-mx-tls"),
        ("sslyze", "--starttls=smtp", f"{NAME}:25"),
        ("sslyze", "--starttls=smtp", f"{NAME}:587"),
        ("sslyze", f"{NAME}:993"),
        ("ssh-audit", NAME),
    ]
    total = 0.0
    for program, *rest in words:
        took = lab.run(str(tools / program / "bin" / program), *rest, timeout=300)
        total += took.seconds
        print(f"{program + ' ' + rest[-1]:32}{took.seconds:7.2f} s   (code {took.code})")
    print(f"other tools in turn     {total:7.2f} s   = {total / ours:.1f} x a scan (bound 8)")


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
            one = lab.scan(target=names[0])
            all_ = lab.scan(*names[1:], "-j", str(HOSTS), "--timeout", "300", target=names[0], timeout=600)
    finally:
        config.write_text(before)
    hosts = json.loads(all_.out)["hosts"]
    print(f"one host                {one.seconds:7.2f} s")
    ratio = f"{all_.seconds / one.seconds:.1f} x one"
    print(f"{len(hosts)} hosts at -j {HOSTS}       {all_.seconds:7.2f} s   = {ratio} (code {all_.code})")


def main() -> int:
    """Print all figures side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--only", choices=("plain", "delay", "stalls", "many"))
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
        if chosen.only in (None, "delay"):
            with running(kit, Path(name) / "delayed", delay=DELAY) as lab:
                with_delay(lab, chosen.runs)
    return 0


if __name__ == "__main__":
    sys.exit(main())
