"""pf.conf of 100,000 generated rules, parsed and expanded, beside a hand-written tokeniser over the same text."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.bench import ROOT, row, rules

COUNTS = (10_000, 100_000, 500_000)
BESIDE = 100_000  # where the tokeniser stands beside it
TOKEN = re.compile(
    r"""
    [ \t]+
  | (?P<newline>\n)
  | (?P<comment>\#[^\n]*)
  | (?P<string>"(?:[^"\\]|\\.)*")
  | (?P<macro>\$\w+)
  | (?P<number>-?\d+(?=[\s),/}=]|\Z))
  | (?P<word>[A-Za-z0-9:_][^\s(){}<>!=/\#,]*)
  | (?P<operator>!=|<=|>=|<>|><|[(){}<>!=/,-])
  | (?P<bad>.)
    """,
    re.VERBOSE,
)
TOKENISE = """
import sys, time
from pathlib import Path
from bench.pf_speed import hand_tokens
chars = Path(sys.argv[1]).read_text()
start = time.process_time()
tokens = hand_tokens(chars)
print(time.process_time() - start, len(tokens))
"""
READ = """
import resource, sys, time
from pathlib import Path
from mailaudit.models.interfaces import Interfaces
from mailaudit.models.pf.expand import Expander
from mailaudit.models.pf.reader import RulesReader
from mailaudit.models.pf.resolve import Resolver
from mailaudit.models.services import Services, _stock
from mailaudit.parsers.pf import parse
from mailaudit.parsers.tree import nothing
from mailaudit.text import Text
text = Text("/etc/pf.conf", Path(sys.argv[1]).read_bytes())
services = Services(ports=_stock())
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
start = time.process_time()
tree = parse(text, nothing)
parsed, after = time.process_time(), peak()
found = RulesReader(services, Interfaces()).read(tree)
read, held = time.process_time(), peak()
made = 0
for each in Expander(Resolver(Interfaces())).all(found.entries):
    made += 1
expanded = time.process_time()
assert not found.faults and not tree.unread()
print(parsed - start, read - parsed, expanded - read, made, before, after, held)
"""


def hand_tokens(chars: str) -> list[tuple[str, str, int, int]]:
    """What a competent programmer would write in an hour: kind, text, line and column of every token, comments left out."""
    tokens: list[tuple[str, str, int, int]] = []
    line, begin = 1, 0
    for match in TOKEN.finditer(chars):
        kind = match.lastgroup
        if kind is None or kind == "comment":
            continue
        start = match.start()
        tokens.append((kind, match.group(), line, start - begin + 1))
        if kind == "newline":
            line += 1
            begin = start + 1
    return tokens


def measured(code: str, path: Path) -> list[float]:
    """What a script prints of a file: figures."""
    done = subprocess.run([sys.executable, "-c", code, str(path)], cwd=ROOT, capture_output=True, text=True, check=True)
    return [float(word) for word in done.stdout.split()]


def pf_speed(figures: dict[str, float], folder: Path) -> None:
    """Rows of pf.conf: parse, read and expand, beside the tokeniser in runs that alternate; growth; memory."""
    whole: dict[int, float] = {}
    for count in COUNTS:
        path = folder / f"{count}.conf"
        path.write_text(rules(count))
        runs, bare = [], []
        for _ in range(3 if count == BESIDE else 1):
            runs.append(measured(READ, path))
            bare.append(measured(TOKENISE, path)[0] if count == BESIDE else 0.0)
        parse, read, expand, made, before, after, held = sorted(runs, key=lambda run: sum(run[:3]))[len(runs) // 2]
        whole[count] = parse + read + expand
        name = f"{count:,} pf rules"
        grown = (after - before) / 1024
        row(f"parse {name}", f"{parse:.2f} s, {count / parse:,.0f} lines/s, +{grown:.0f} MiB", f"peak {after / 1024:.0f} MiB")
        grown = (held - after) / 1024
        row(f"expand {name} to {made:,.0f}", f"{read + expand:.2f} s, +{grown:.0f} MiB", f"peak {held / 1024:.0f} MiB")
        row(f"parse and expand {name}", f"{whole[count]:.2f} s, {count / whole[count]:,.0f} lines/s", "at least 12,000 lines/s")
        if count == BESIDE:
            hand = statistics.median(bare)
            figures["pf_tokeniser"] = whole[count] / hand
            figures["pf_lines"] = count / whole[count]
            figures["pf_parse_mib"] = after / 1024
            row(
                "parse and expand / hand-written tokeniser",
                f"{whole[count]:.2f} / {hand:.2f} s = {whole[count] / hand:.1f}",
                "at most 6",
            )
    figures["pf_growth"] = whole[COUNTS[-1]] / whole[BESIDE]
    row(f"time for {COUNTS[-1]:,} / time for {BESIDE:,}", f"{figures['pf_growth']:.1f}", "about 5")


def main() -> None:
    """Print the rows."""
    with tempfile.TemporaryDirectory() as folder:
        pf_speed({}, Path(folder))


if __name__ == "__main__":
    main()
