"""pf.conf of generated rules: parsed and expanded, beside a hand-written tokeniser over the same text; what it lets through."""

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


REACH = """
import resource, sys, time
from pathlib import Path
from bench.agreement.pf import TRIED_ON, read
from mailaudit.models.interfaces import Interfaces
from mailaudit.models.pf.reachable import reachable
ruleset = read(Path(sys.argv[1]).read_bytes(), TRIED_ON if sys.argv[2:] else Interfaces())
assert not ruleset.faults
start = time.perf_counter()
regions = sum(1 for _ in reachable(ruleset))
print(time.perf_counter() - start, regions, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
SHADOWED = """
import sys, time
from pathlib import Path
from bench.agreement.pf import read
from mailaudit.models.pf.shadow import shadowed
ruleset = read(Path(sys.argv[1]).read_bytes())
assert not ruleset.faults
start = time.process_time()
found = sum(1 for _ in shadowed(ruleset))
print(time.process_time() - start, found)
"""
REACHED = 10_000
COMPARED = (2_000, 8_000)


def real_rules(count: int) -> str:
    """A pf.conf of `count` rules such as hosts and routers have: tables, networks in networks, tags, users, translation."""
    lines = [
        'ext = "em0"',
        'tcp_in = "{ ssh smtp http https submission submissions imaps sieve }"',
        "table <abusers> persist",
        "table <office> const { 198.51.100.0/24 2001:db8:5::/48 !198.51.100.66 }",
        f"table <spammers> {{ {' '.join(f'45.{n // 256}.{n % 256}.0/24' for n in range(500))} }}",
        "set skip on lo",
        "match in all scrub (no-df random-id)",
        "match out on egress inet from !(egress:network) to any nat-to (egress:0)",
        "antispoof quick for { lo $ext }",
        "block return log",
        "block in quick on egress from { <abusers> <spammers> }",
        "block in quick from urpf-failed",
    ]
    for n in range(count - 6):
        a, b, c = n // 65536 % 256, n // 256 % 256, n % 256
        port = 1 + n % 60000
        shapes = (
            f"pass in on egress proto tcp from 11.{a}.{b}.{c} to (egress) port $tcp_in keep state (max-src-conn-rate 30/60)",
            f"pass in on em0 inet proto udp from 172.{16 + a}.{b}.0/24 to port {port}:{port + 9}",
            f"block in quick on egress from {{ 20.{b}.{c}.0/24 20.{b}.{c}.64/26 }}",
            f"pass in on egress inet6 proto tcp from 2001:db8:{n:x}::/48 to port {{ ssh {port} }}",
            f"pass out on egress proto tcp to 192.{a}.{b}.{c} port smtp user _smtpd",
            f"block out log on egress proto {{ tcp udp }} to 30.{a}.{b}.{c} port {port}",
            f"pass in on em1 proto tcp from em1:network to 10.{a}.{b}.{c} port {{ {port} {port + 1} }} tag T{n % 7}",
            f"pass out on egress to 40.{a}.{b}.{c} tagged T{n % 7}",
            f"pass in on egress inet proto icmp from 50.{a}.{b}.{c} icmp-type {{ echoreq unreach }}",
            f"pass in on egress proto tcp from <office> port > 1023 to 203.0.{b}.{c} port {1024 + port}",
        )
        lines.append(shapes[n % len(shapes)])
    return "\n".join(lines) + "\n"


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


def measured(code: str, path: Path, *more: str) -> list[float]:
    """What a script prints of a file: figures."""
    done = subprocess.run([sys.executable, "-c", code, str(path), *more], cwd=ROOT, capture_output=True, text=True, check=True)
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


def reaching(figures: dict[str, float], folder: Path) -> None:
    """Rows of what a large ruleset lets through, on a host whose interfaces are recorded and on one whose are not."""
    path = folder / "reach.conf"
    path.write_text(real_rules(REACHED))
    for more in ((), ("recorded",)):
        seconds, regions, peak = measured(REACH, path, *more)
        figures["reach_recorded" if more else "reach"] = seconds
        figures["reach_mib"] = max(figures.get("reach_mib", 0), peak / 1024)
        name = f"reachable() of {REACHED:,} real rules" + (", interfaces recorded" if more else "")
        row(name, f"{seconds:.2f} s, {regions:,.0f} regions, {peak / 1024:.0f} MiB", "about 10 s, under 1024 MiB")


def own_sources(count: int, tail: str = "pass out\n") -> str:
    """A pf.conf of `count` rules, each with a source of its own; behind them the `tail`."""
    return (
        "block all\n"
        + "".join(f"pass in proto tcp from 11.{n >> 8 & 255}.{n & 255}.1 to port smtp\n" for n in range(count))
        + tail
    )


def crossing(count: int) -> str:
    """A pf.conf of `count` rules, half with a source and half with a target of their own, each of which meets half of all."""
    own = ((n % 2, f"{n >> 8 & 255}.{n & 255}.1") for n in range(count))
    ends = (f"from any to 11.{each}" if is_odd else f"from 12.{each} to any" for is_odd, each in own)
    return "".join(f"pass in proto tcp {each}\n" for each in ends) + "block all\n"


def members(count: int) -> str:
    """Addresses, parted by blanks."""
    return " ".join(f"45.{n >> 15}.{n >> 7 & 255}.{n * 2 & 255}" for n in range(count))


def shadowing(figures: dict[str, float], folder: Path) -> None:
    """Rows of which rules never decide: how the time grows with the rules, and with addresses in a table or list."""
    few, many = COMPARED
    path = folder / "shadow.conf"

    def row_of(key: str, name: str, one: str, other: str, expected: str) -> None:
        seconds = []
        for source in (one, other):
            path.write_text(source)
            seconds.append(measured(SHADOWED, path)[0])
        figures[key] = seconds[1] / seconds[0]
        row(name, f"{seconds[1]:.2f} / {seconds[0]:.2f} s = {figures[key]:.1f}", expected)

    grown = f"time for {many:,} / time for {few:,}"
    row_of("shadow_real", f"shadowed(), real rules: {grown}", real_rules(few), real_rules(many), "about 4, at most 8")
    row_of("shadow_own", f"shadowed(), own sources: {grown}", own_sources(few), own_sources(many), "about 4")
    dead = own_sources(few, "block all\n"), own_sources(many, "block all\n")
    row_of("shadow_dead", f"shadowed(), none decides: {grown}", *dead, "about 4")
    row_of("shadow_crossing", f"shadowed(), each meets half: {grown}", crossing(few), crossing(many), "about 4")
    tail = "block in quick from {}\npass out\n"
    table = f"table <bad> {{ {members(100_000)} }}\n" + own_sources(few, tail.format("<bad>"))
    listed = own_sources(few, tail.format(f"{{ {members(100_000)} }}"))
    bare = own_sources(few, tail.format("192.0.2.1"))
    row_of("shadow_table", "shadowed(), 100,000 addresses in a table / one address", bare, table, "at most 4")
    row_of("shadow_list", "shadowed(), 100,000 addresses in a list / one address", bare, listed, "at most 4")


def main() -> None:
    """Print the rows."""
    with tempfile.TemporaryDirectory() as folder:
        pf_speed({}, Path(folder))
        reaching({}, Path(folder))
        shadowing({}, Path(folder))


if __name__ == "__main__":
    main()
