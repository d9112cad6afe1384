"""Mends hosts of others and pages' mistakes all in one host, at each level; 1 if a correction does what none may."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from bench.mending import LEVELS, Mended, combined, failing, hosts, mended

CORPORA = Path(__file__).parents[3] / "shared" / "corpora"
SEEDS = 6
PARTS = 2


def others(part: int) -> list[tuple[int, int, list[str]]]:
    """Findings before, those mended, and what is wrong, for each host of others in one part and level."""
    named = list(hosts(CORPORA)) if CORPORA.is_dir() else []
    return [_told(mended(name, world, level)) for name, world in named[part::PARTS] for level in LEVELS]


def mistakes(part: int) -> list[tuple[int, int, list[str]]]:
    """The same for hosts that have many pages' mistakes."""
    return [_told(mended(f"seed {seed}", combined(seed)[1], level)) for seed in range(part, SEEDS, PARTS) for level in LEVELS]


def _told(done: Mended) -> tuple[int, int, list[str]]:
    return len(failing(done.plan.before)), len(done.plan.mended), [f"{done.name}, {done.level}: {each}" for each in done.wrong]


def main(write: Callable[[str], object] = print) -> int:
    """Print the table."""
    bad = 0
    with ProcessPoolExecutor(PARTS) as pool:
        for what, job in (("hosts of others", others), ("many mistakes at once", mistakes)):
            start = time.monotonic()
            found = [each for part in pool.map(job, range(PARTS)) for each in part]
            wrong = [line for *_, lines in found for line in lines]
            bad += len(wrong)
            before, gone = sum(each for each, *_ in found), sum(each for _, each, _ in found)
            took = time.monotonic() - start
            write(f"{what:<24}{len(found):>5} plans{before:>7} findings{gone:>7} mended{len(wrong):>5} wrong{took:>8.0f} s")
            for line in wrong:
                write(f"    {line}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
