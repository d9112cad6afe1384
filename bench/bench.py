"""Speed and memory of mailaudit as ratios in one run: each figure stands beside what it is measured against."""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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
PARSE = """
import resource, sys, time
from pathlib import Path
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.tree import nothing
from mailaudit.text import Text
text = Text("/etc/pf.conf", Path(sys.argv[1]).read_bytes())
start = time.process_time()
tree = LANGUAGES["pf"].parse(text, nothing)
print(time.process_time() - start, sum(1 for _ in tree.walk()), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
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


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser()
    options.add_argument("--runs", type=int, default=9)
    options.add_argument("--json", type=Path)
    chosen = options.parse_args()
    python = sys.executable
    figures: dict[str, float] = {}

    ours, bare = alternating([*MAILAUDIT, "--help"], [python, "-c", BARE_HELP, "--help"], chosen.runs)
    figures["help"] = ours / bare
    row(
        "mailaudit --help / bare typer+rich --help",
        f"{ours * 1000:.0f} / {bare * 1000:.0f} ms = {ours / bare:.2f}",
        "at most 1.5",
    )

    imports = [python, "-c", "import typer, rich.console, pyparsing"]
    ours, bare = alternating([*MAILAUDIT, "scan", "examples/corrected"], imports, chosen.runs)
    figures["scan"] = ours / bare
    row(
        "scan examples/corrected / importing its packages",
        f"{ours * 1000:.0f} / {bare * 1000:.0f} ms = {ours / bare:.2f}",
        "at most 3.5",
    )

    with tempfile.TemporaryDirectory() as folder:
        times: dict[int, float] = {}
        for count in (10_000, 100_000):
            root = Path(folder) / str(count)
            (root / "etc").mkdir(parents=True)
            (root / "etc" / "pf.conf").write_text(rules(count))
            done = subprocess.run(
                [python, "-c", PARSE, str(root / "etc" / "pf.conf")], cwd=ROOT, capture_output=True, text=True, check=True
            )
            seconds, statements, peak = done.stdout.split()
            times[count] = float(seconds)
            row(
                f"parse {count:,} pf rules",
                f"{float(seconds):.2f} s, {count / float(seconds):,.0f} lines/s",
                f"{int(peak) / 1024:.0f} MiB",
            )
            wall, memory, code = scan_memory(root)
            times[-count] = wall
            figures[f"scan_{count}_mib"] = memory
            row(f"scan {count:,} pf rules (exit code {code})", f"{wall:.2f} s, {memory:.0f} MiB", "under 1024 MiB")
            assert int(statements) >= count
        figures["parse_growth"] = times[100_000] / times[10_000]
        figures["scan_growth"] = times[-100_000] / times[-10_000]
        row("parse: time for 100,000 / time for 10,000", f"{figures['parse_growth']:.1f}", "at most 12")
        row("whole scan: time for 100,000 / time for 10,000", f"{figures['scan_growth']:.1f}", "at most 12")
    row("peak of this script", f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB", "")
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
