"""The whole of it as a table: rewrites, single faults, evidence that is lost; 1 if a rule says otherwise than it should."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from bench.metamorphic.evidence import losses, probed, silent, used_by
from bench.metamorphic.families import FAMILIES, NOT_COVERED, WAYS
from bench.metamorphic.faults import faults
from bench.metamorphic.host import BOOK, Bench
from bench.metamorphic.identity import flapping, moved, wrongs
from bench.metamorphic.rewrites import rewrites, spoilt
from mailaudit.findings import HostReport

REWRITES = 400
FAULTS = 500
SEED = 20261122
PARTS = os.cpu_count() or 1
LIVE = {"D", "P", "T"}  # evidence of the network: what is wrong there is no fault of a file


@cache
def bench() -> tuple[Bench, HostReport]:
    """The example, read once in each process, and its report."""
    made = Bench()
    return made, made.judge(made.base)


def rewritten(part: int) -> tuple[int, list[str]]:
    """How many rewrites were judged in one part, and what was said of them."""
    known, base = bench()
    said, count = [], 0
    for number, each in enumerate(rewrites(known, WAYS, REWRITES, SEED)):
        if number % PARTS == part:
            count += 1
            said += [f"{each}: {line}" for line in spoilt(base, known.judge(each.host))]
    return count, said


def spoiled(part: int) -> tuple[int, list[str]]:
    """How many faults were judged in one part, and which were not found."""
    known, _ = bench()
    said, count = [], 0
    for number, fault in enumerate(faults(known.base, FAMILIES, FAULTS, SEED)):
        if number % PARTS == part:
            count += 1
            why = fault.found(known.judge(fault.host))
            said += [f"{fault.family.rule} ({fault.family.what}): {why}"] if why else []
    return count, said


def robbed(part: int) -> tuple[int, list[str]]:
    """How many losses of evidence were judged in one part, and which rules pass all the same."""
    known, base = bench()
    used = used_by(known, FAMILIES)
    for question, rules in probed(known, part, PARTS).items():
        used[question] = {**rules, **used.get(question, {})}
    said, count = [], 0
    for number, loss in enumerate(losses(known)):
        if number // 2 % PARTS == part:
            count += 1
            said += silent(base, used, loss, known.judge(loss.host))
    return count, said


def known_again(part: int) -> tuple[int, list[str]]:
    """How many pages' wrong hosts were written otherwise, or lost an answer, and whose findings are then others."""
    mine = [wrong for number, wrong in enumerate(wrongs()) if number % PARTS == part]
    return len(mine), [line for wrong in mine for line in (*moved(wrong, SEED), *flapping(wrong))]


def uncovered() -> list[str]:
    """The rules that no family of faults is about, but for those that none can be about."""
    about = {family.rule for family in FAMILIES}
    return [rule for rule, page in BOOK.pages.items() if not set(page.evidence) & LIVE and rule not in about | set(NOT_COVERED)]


def main(write: Callable[[str], object] = print) -> int:
    """Print the table."""
    bad = 0
    with ProcessPoolExecutor(PARTS) as pool:
        jobs = (
            ("rewrites", rewritten),
            ("single faults", spoiled),
            ("pieces of evidence lost", robbed),
            ("findings known again", known_again),
        )
        for what, job in jobs:
            start = time.perf_counter()
            counts, said = zip(*pool.map(job, range(PARTS)), strict=True)
            lines = [line for each in said for line in each]
            bad += len(lines)
            write(f"{what:<26}{sum(counts):>6} in {time.perf_counter() - start:4.0f} s: {len(lines)} wrong")
            _tell(lines, write)
    write(f"{'rules that no fault is about':<32}{len(NOT_COVERED):>3}")
    _tell((f"{rule}: {why}" for rule, why in NOT_COVERED.items()), write)
    missing = uncovered()
    _tell((f"{rule}: no family is about it" for rule in missing), write)
    return 1 if bad or missing else 0


def _tell(lines: Iterable[str], write: Callable[[str], object]) -> None:
    for line in lines:
        write(f"  {line}")


if __name__ == "__main__":
    sys.exit(main())
