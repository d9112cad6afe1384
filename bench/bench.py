"""Speed and memory of mailaudit as ratios in one run: each figure stands beside what it is measured against."""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOSTS = 100  # of a large site
MAILAUDIT = [sys.executable, "-m", "mailaudit"]
BARE_HELP = """
import typer
app = typer.Typer()
@app.command()
def scan(target: str): "Audit a target."
@app.command()
def fix(target: str): "Mend a target."
app()
"""
EFFECTIVE = """
import sys
from pathlib import Path
from mailaudit.models.dovecot.config import read_dovecot
from mailaudit.models.sources import Known, Sources
from mailaudit.questions import Found, ReadFile
from mailaudit.snapshot import Snapshot
answers = {ReadFile("/etc/dovecot/dovecot.conf"): Found(Path(sys.argv[1]).read_bytes())}
found = read_dovecot(Sources(Snapshot("host", "host", answers, False, False, None)))
assert isinstance(found, Known) and len(found.value.trees) == 1
"""


def timed(command: Sequence[str], runs: int) -> float:
    """The median wall time of a command in seconds."""
    taken = []
    for _ in range(runs):
        start = time.perf_counter()
        subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def alternating(a: Sequence[str], b: Sequence[str], runs: int) -> tuple[float, float]:
    """Medians of two commands whose runs alternate, so that both see the same machine."""
    pairs = [(timed(a, 1), timed(b, 1)) for _ in range(runs)]
    return statistics.median(p[0] for p in pairs), statistics.median(p[1] for p in pairs)


def rules(count: int) -> str:
    """A pf.conf of `count` rules, no two of one text, in the shapes of real ones."""
    lines = ['tcp_in = "{ ssh smtp http submission imaps }"', "set skip on lo", "block log all"]
    for n in range(count - 1):
        a, b, c = n // 65536 % 256, n // 256 % 256, n % 256
        lines.append(
            (
                f"pass in quick on egress inet proto tcp from 10.{a}.{b}.{c} to any port {1 + n % 60000}",
                f"block in log on em0 proto {{ tcp udp }} from 172.{a}.{b}.{c}/32 to port {1 + n % 60000}:60001",
                f"pass out on egress proto udp to 192.{a}.{b}.{c} port domain keep state",
                f"pass in on egress proto tcp from 11.{a}.{b}.{c} to port $tcp_in",
            )[n % 4]
        )
    return "\n".join(lines) + "\n"


def scan_memory(path: Path) -> tuple[float, float, int]:
    """Seconds, peak MiB and exit code of a whole scan."""
    start = time.perf_counter()
    process = subprocess.Popen([*MAILAUDIT, "scan", str(path), "--format", "json"], cwd=ROOT, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    return time.perf_counter() - start, usage.ru_maxrss / 1024, os.waitstatus_to_exitcode(status)


def ratio(ours: float, bare: float) -> str:
    """Two times and what one is of the other."""
    return f"{ours * 1000:.0f} / {bare * 1000:.0f} ms = {ours / bare:.2f}"


def row(name: str, figure: str, bound: str) -> None:
    print(f"{name:<58} {figure:>34}   {bound}")


def starting(figures: dict[str, float], runs: int) -> None:
    """How long a command takes to start, beside what it cannot do without."""
    python = sys.executable
    ours, bare = alternating([*MAILAUDIT, "--help"], [python, "-c", BARE_HELP, "--help"], runs)
    figures["help"] = ours / bare
    row("mailaudit --help / bare typer+rich --help", ratio(ours, bare), "at most 1.5")
    imports = [python, "-c", "import typer, rich.console, pyparsing, cryptography.x509"]
    ours, bare = alternating([*MAILAUDIT, "scan", "examples/corrected"], imports, runs)
    figures["scan"] = ours / bare
    row("scan examples/corrected / importing its packages", ratio(ours, bare), "at most 3.5")


def scanning(figures: dict[str, float], folder: Path) -> None:
    """How a whole scan grows with the rules of pf.conf, and what memory it needs."""
    times: dict[int, float] = {}
    for count in (10_000, 100_000):
        root = folder / str(count)
        (root / "etc").mkdir(parents=True)
        (root / "etc" / "pf.conf").write_text(rules(count))
        times[count], memory, code = scan_memory(root)
        figures[f"scan_{count}_mib"] = memory
        row(f"scan {count:,} pf rules (exit code {code})", f"{times[count]:.2f} s, {memory:.0f} MiB", "under 1024 MiB")
    figures["scan_growth"] = times[100_000] / times[10_000]
    row("whole scan: time for 100,000 / time for 10,000", f"{figures['scan_growth']:.1f}", "at most 12")


def repositories(figures: dict[str, float], folder: Path) -> None:
    """How a scan grows with the hosts of a repository: snapshots of the corrected example, each a host of its own."""
    for count in (1, 10, HOSTS):
        for number in range(count):
            shutil.copytree(ROOT / "examples" / "corrected", folder / f"{count}" / f"mx{number}")
    scan_memory(folder / "1")
    one, few, many = (scan_memory(folder / str(count)) for count in (1, 10, HOSTS))
    each, later = (few[0] - one[0]) / 9, (many[0] - few[0]) / (HOSTS - 10)
    figures |= {"hosts_seconds": many[0], "hosts_growth": later / each, "hosts_mib": (many[1] - few[1]) / (HOSTS - 10)}
    row(f"scan {HOSTS} snapshots (exit code {many[2]})", f"{many[0]:.1f} s, {many[1]:.0f} MiB", "under 10 s")
    row("a host more: among 100 / among 10", f"{later * 1000:.0f} / {each * 1000:.0f} ms = {later / each:.2f}", "at most 1.3")
    row("a host more, memory", f"{figures['hosts_mib']:.1f} MiB", "at most 3")


def dovecot(figures: dict[str, float], folder: Path) -> None:
    """A file of 10,000 settings: a whole process of ours to their effective values, beside `doveconf -n`."""
    if shutil.which("doveconf") is None:
        row("Dovecot, 10,000 settings", "doveconf is not installed", "")
        return
    path = folder / "dovecot.conf"
    path.write_text("plugin {\n" + "".join(f"  setting_{n} = value {n}\n" for n in range(10_000)) + "}\n")
    ours, theirs = alternating([sys.executable, "-c", EFFECTIVE, str(path)], ["doveconf", "-n", "-c", str(path)], 3)
    figures["dovecot"] = ours / theirs
    row("Dovecot, 10,000 settings, to effective values / doveconf -n", ratio(ours, theirs), "below 1")


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--runs", type=int, default=9)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    figures: dict[str, float] = {}
    starting(figures, chosen.runs)
    with tempfile.TemporaryDirectory() as folder:
        scanning(figures, Path(folder))
        dovecot(figures, Path(folder))
        repositories(figures, Path(folder))
    row("peak of this script", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB", "")
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
