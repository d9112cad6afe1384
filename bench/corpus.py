"""How real files are read, and how far that agrees with their daemons, as one table."""

from __future__ import annotations

import argparse
import importlib
import os
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from bench import judged, laws
from bench.agreement import CORPORA, Row
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.choosing import language_of
from mailaudit.text import Text

FOLDERS: dict[str, tuple[str, ...]] = {
    "pf": ("pf/real/*.conf",),
    "smtpd": ("smtpd/new/*", "smtpd/old/*"),
    "dovecot": ("dovecot/23/*", "dovecot/24/*", "dovecot/trees/*/**/*.conf", "dovecot/trees/*/**/*.conf.ext"),
    "acme": ("acme/plain/*",),
    "httpd": ("httpd/plain/*",),
    "aliases": ("tables/aliases/*",),
    "virtuals": ("tables/virtuals/*",),
    "table": ("tables/domains/*", "tables/maps/*"),
    "credentials": ("tables/credentials/*",),
    "ucl": ("rspamd/local.d/*", "rspamd/override.d/*", "rspamd/libucl_tests/tests/basic/*.in"),
    "sieve": ("dovecot/trees/*/**/*.sieve", "dovecot/trees/*/**/sieve-before"),
    "login": ("tables/login_conf/*",),
    "rc": ("tables/rc_conf_local/*",),
}
"""Where each language's real files lie; those of whole hosts tell their language by their path."""
AGREEMENTS = (
    "pf",
    "smtpd",
    "dovecot",
    "dovecot_conversion",
    "acme",
    "httpd",
    "ucl",
    "tables",
    "system",
    "administration",
    "sieve",
    "zone",
    "editing",
)
MUTANTS = 200_000
LARGEST = 32 << 10  # bytes of a file that mutants are made of: a longer one would only take the others' time
STUCK = 20  # seconds of one text; the longest real one takes a tenth


@dataclass
class Reading:
    """How the real files of one language are read."""

    language: str
    files: int = 0
    lossless: int = 0
    statements: int = 0
    refused: int = 0
    unread: int = 0
    lines: int = 0
    seconds: float = 0.0

    def add(self, path: Path) -> None:
        """Read one more file."""
        text = Text(f"/etc/{path.name}", path.read_bytes())
        start = time.process_time()
        try:
            tree = laws.check(LANGUAGES[self.language], text.data, text.path)
        except laws.LawError:
            self.files += 1
            return
        self.seconds += time.process_time() - start
        self.files += 1
        self.lossless += 1
        self.lines += text.lines
        self.statements += sum(1 for _ in tree.walk())
        problems = [statement.problem for statement in tree.unread() if statement.problem is not None]
        self.refused += sum(problem.refused for problem in problems)
        self.unread += sum(not problem.refused for problem in problems)


def files(language: str) -> Iterator[Path]:
    """The real files of a language, those of whole hosts left out."""
    for pattern in FOLDERS.get(language, ()):
        yield from (
            path for path in sorted(CORPORA.glob(pattern)) if path.is_file() and path.suffix not in {".tsv", ".jsonl", ".md"}
        )


def host_files() -> Iterator[tuple[str, Path]]:
    """The files of whole hosts whose path tells their language."""
    for host in sorted(path for path in (CORPORA / "hosts").iterdir() if path.is_dir()):
        for path in sorted(host.rglob("*")):
            found = language_of(f"/{path.relative_to(host)}") if path.is_file() else None
            if found is not None and found[1] is not None:
                yield found[0].name, path


def readings() -> tuple[list[Reading], list[Reading]]:
    """How each language's files are read: those of the collections, and those of whole hosts."""
    single = {name: Reading(name) for name in LANGUAGES}
    hosts = {name: Reading(name) for name in LANGUAGES}
    for language in FOLDERS:
        for path in files(language) if language in LANGUAGES else ():
            single[language].add(path)
    for language, path in host_files():
        hosts[language].add(path)
    return [each for each in single.values() if each.files], [each for each in hosts.values() if each.files]


def _stuck(_signal: int, _frame: FrameType | None) -> None:
    raise TimeoutError


def mutate(job: tuple[str, tuple[str, ...], int, int]) -> list[str]:
    """Check the law on so many seeded mutants of a language's files; what went wrong, in words."""
    language, paths, count, seed = job
    rng = random.Random(f"{language} {seed}")
    texts = [Path(path).read_bytes() for path in paths]
    texts = [text for text in texts if 0 < len(text) <= LARGEST]
    lines = [line + b"\n" for text in rng.sample(texts, min(len(texts), 20)) for line in text.splitlines()[:40]]
    signal.signal(signal.SIGALRM, _stuck)
    wrong = []
    for _ in range(count if texts else 0):
        data = laws.mutant(rng.choice(texts), rng, lines)
        signal.alarm(STUCK)
        try:
            laws.check(LANGUAGES[language], data)
        except Exception as error:  # noqa: BLE001  whatever parse raises is what is looked for
            wrong.append(f"{language}: {type(error).__name__} {error} in {data!r}"[:2000])
        finally:
            signal.alarm(0)
    return wrong


def mutant_jobs(count: int, parts: int) -> list[tuple[str, tuple[str, ...], int, int]]:
    """The jobs of `mutate` for so many mutants in all, the same number of each language that has real files."""
    paths: dict[str, list[str]] = {language: [str(path) for path in files(language)] for language in LANGUAGES}
    for language, path in host_files():
        paths[language].append(str(path))
    some = {language: found for language, found in paths.items() if found}
    return [
        (language, tuple(found), share(share(count, len(some), number), parts, part), part)
        for number, (language, found) in enumerate(some.items())
        for part in range(parts)
    ]


def share(count: int, parts: int, part: int) -> int:
    """The size of one part of so many that make up a count."""
    return count * (part + 1) // parts - count * part // parts


def agreements() -> Iterator[Row]:
    """The rows of each comparison with what the real programs said."""
    for name in AGREEMENTS:
        yield from importlib.import_module(f"bench.agreement.{name}").rows(CORPORA)


def table(readings_: list[Reading], title: str, write: Callable[[str], object]) -> None:
    """Print how files were read."""
    write(f"{title:<24}{'files':>7}{'lossless':>10}{'statements':>12}{'refused':>9}{'unread':>8}{'lines/s':>10}")
    for each in readings_:
        counts = f"{each.files:>7,}{each.lossless:>10,}{each.statements:>12,}{each.refused:>9,}{each.unread:>8,}"
        write(f"  {each.language:<22}{counts}{each.lines / max(each.seconds, 1e-9):>10,.0f}")


def main(write: Callable[[str], object] = print) -> int:
    """Print the table; 1 if a text was not given back, or a statement or an answer is not as its daemon has it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mutants", type=int, default=MUTANTS)
    options.add_argument("-v", "--verbose", action="store_true", help="each difference and its reason")
    chosen = options.parse_args()
    if not CORPORA.is_dir():
        write("skipped: the collection of real files is not beside this checkout")
        return 0
    single, hosts = readings()
    table(single, "real files", write)
    table(hosts, "files of whole hosts", write)
    bad = sum(each.files - each.lossless + each.unread for each in single)
    statements, unread = sum(each.statements for each in hosts), sum(each.unread for each in hosts)
    share_of = 100 * unread / max(statements, 1)
    write(f"  {'unread on whole hosts':<22}{unread:,} of {statements:,} statements: {share_of:.2f} % (below 1 %)")
    bad += 100 * unread >= statements

    write(f"\n{'agreement':<64}{'agree':>10}{'of':>11}{'in doubt':>10}{'explained':>11}{'wrong':>7}")
    for row in agreements():
        wrong = row.of - row.agree - row.in_doubt - len(row.explained)
        bad += wrong > 0
        write(f"  {row.subject:<62}{row.agree:>10,}{row.of:>11,}{row.in_doubt:>10,}{len(row.explained):>11,}{wrong:>7,}")
        for line in (*row.explained, *row.wrong) if chosen.verbose else row.wrong:
            write(f"      {line}")

    write("")
    bad += judged.compare(write)

    parts = os.cpu_count() or 1
    start = time.perf_counter()
    with ProcessPoolExecutor(parts) as pool:
        spoilt = [line for lines in pool.map(mutate, mutant_jobs(chosen.mutants, parts)) for line in lines]
    write(f"\n{chosen.mutants:,} seeded mutants in {time.perf_counter() - start:.0f} s: {len(spoilt)} broke the law")
    for line in spoilt[:20]:
        write(f"  {line}")
    return 1 if bad or spoilt else 0


if __name__ == "__main__":
    sys.exit(main())
