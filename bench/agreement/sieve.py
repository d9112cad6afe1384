"""Sieve scripts: accepted or refused, and where, as Pigeonhole's `sievec` does, asked live."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.agreement import Row, sieve_running
from mailaudit.models.sieve.refusals import refusals
from mailaudit.models.sieve.regex import Dialect
from mailaudit.models.sieve.words import DEFAULT, ONLY_NEW, ONLY_OLD, OPTIONAL, PLUGINS
from mailaudit.parsers.sieve import parse
from mailaudit.parsers.tree import Problem, nothing
from mailaudit.text import Text

PROJECT = Path(__file__).resolve().parents[2]
FIXTURES = PROJECT / "tests" / "fixtures" / "configs" / "sieve"
EXAMPLES = PROJECT / "examples" / "corrected" / "usr" / "local" / "lib" / "dovecot" / "sieve"
_ALL = DEFAULT | OPTIONAL | frozenset().union(*PLUGINS.values())
AVAILABLE = _ALL - ONLY_NEW
"""What dovecot-2.3.conf of the fixtures turns on."""
MUTANTS = 3_000
RUNS = 1_000
_ERROR = re.compile(r"line (\d+): error: (.*)")
_PIECE = re.compile(rb'"(?:[^"\\]|\\.)*"|[A-Za-z_]+|:[a-z]+|\d+[KMG]?|\s+|.', re.DOTALL)
_INSERTED = (
    b'"',
    b"{",
    b"}",
    b";",
    b"(",
    b")",
    b"[",
    b"]",
    b",",
    b":x ",
    b"5 ",
    b"\0",
    b"\r",
    b"/*",
    b"#",
    b'"a" ',
    b"not ",
    b"text:\n",
)
_ELSEWHERE = ("include: personal location", "include: global location", "included personal script", "included global script")
_REQUIRED = sorted(_ALL - ONLY_OLD - ONLY_NEW - {"spamtestplus", "vnd.dovecot.imapsieve"})


@dataclass(frozen=True, slots=True)
class Pigeonhole:
    """What a release has by the configuration of the fixtures: extensions, and who compiles regular expressions."""

    available: frozenset[str]
    by: Dialect
    is_new: bool = True


OLD = Pigeonhole(AVAILABLE, Dialect.GLIBC, is_new=False)
NEW = Pigeonhole(_ALL - ONLY_OLD, Dialect.GLIBC)
NEWEST = Pigeonhole(_ALL - ONLY_OLD, Dialect.PCRE)
"""2.3, up to 2.4.1, and since 2.4.2."""
Judge = Callable[[bytes], tuple[bool, str]]
"""Gives the verdict of a `sievec` on a script, and all that it said."""


def real(corpora: Path) -> list[Path]:
    """The real scripts."""
    named = (path for path in corpora.rglob("*.sieve") if path.is_file())
    return sorted({*named, *(path for path in corpora.rglob("sieve-before") if path.is_file())})


def words() -> list[bytes]:
    """Scripts of one command each, which require everything."""
    required = ", ".join(f'"{name}"' for name in _REQUIRED)
    lines = (FIXTURES / "words.txt").read_text("utf-8").splitlines()[1:]
    return [f"require [{required}];\n{line}\n".encode() for line in lines]


def mutants(count: int, seed: int = 0) -> Iterator[bytes]:
    """Single faults in whole scripts."""
    rng = random.Random(seed)
    paths = sorted((*FIXTURES.glob("*.sieve"), *EXAMPLES.glob("*.sieve")))
    whole = [_PIECE.findall(path.read_bytes()) for path in paths if path.stem != "broken"]
    for _ in range(count):
        pieces = list(rng.choice(whole))
        at = rng.randrange(len(pieces))
        change = rng.randrange(5)
        if change == 0:
            del pieces[at]
        elif change == 1:
            pieces.insert(at, pieces[at])
        elif change == 2:
            pieces[at] = rng.choice(pieces)
        elif change == 3:
            pieces.insert(at, rng.choice(_INSERTED))
        else:
            del pieces[at:]
        yield b"".join(pieces)


def ours(data: bytes, of: Pigeonhole = OLD) -> list[Problem]:
    """What mailaudit says that sievec refuses."""
    return list(refusals(parse(Text("/script.sieve", data), nothing), of.available, is_new=of.is_new, by=(of.by,)))


def lines_of(problem: Problem) -> range:
    """The lines on which a problem may be noticed: those it stands on, and that of the next word."""
    text = problem.span.text
    after = re.compile(r"(?:\s|#[^\n]*)*").match(text.chars, problem.span.end)
    return range(problem.span.line, text.position(after.end() if after else problem.span.end)[0] + 1)


def difference(data: bytes, judge: Judge, of: Pigeonhole = OLD) -> tuple[str, str]:
    """`("", "")` if both agree; else what differs, and why that is out of our reach, if it is."""
    problems = ours(data, of)
    is_right, said = judge(data)
    errors = [(int(line), message) for line, message in _ERROR.findall(said)]
    is_right = is_right and not errors  # of some faults it tells and compiles the script all the same
    if is_right != (not problems):
        why = "a script that it includes is not there" if any(message.startswith(_ELSEWHERE) for _, message in errors) else ""
        return f"{'accepted' if is_right else errors or said} by sievec; ours: {[p.message for p in problems[:2]]}", why
    if not errors or any(errors[0][0] in lines_of(problem) for problem in problems):
        return "", ""
    line, message = errors[0]
    why = "it names the end of the file, we what is not closed" if "end of file" in message else ""
    return f"line {line} by sievec ({message}); ours: {[(p.span.line, p.message) for p in problems[:2]]}", why


def compare(subject: str, scripts: Iterable[bytes], judge: Judge, release: Pigeonhole = OLD) -> Row:
    """One comparison. A place that is told better than sievec does counts as agreement on the verdict and is explained."""
    agree = of = 0
    explained: list[str] = []
    wrong: list[str] = []
    for data in scripts:
        of += 1
        found, why = difference(data, judge, release)
        agree += not found
        if found:
            (explained if why else wrong).append(f"{found}: {why or data!r}"[:600])
    return Row(subject, agree, of, tuple(explained), tuple(wrong))


def installed(folder: Path) -> Judge:
    """The `sievec` of this machine."""

    def judge(data: bytes) -> tuple[bool, str]:
        script = folder / "script.sieve"
        script.write_bytes(data)
        command = ("sievec", "-c", str(FIXTURES / "dovecot-2.3.conf"), str(script), str(folder / "script.svbin"))
        done = subprocess.run(command, capture_output=True, text=True, errors="surrogateescape", check=False)
        return done.returncode == 0, done.stderr

    return judge


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """All comparisons: the real scripts; and with `sievec`, where it is installed, these, single commands, and mutants."""
    paths = real(corpora)
    read = [path for path in paths if not ours(path.read_bytes())]
    yield Row("sieve: real scripts are read", len(read), len(paths), (), tuple(str(path) for path in paths if path not in read))
    if shutil.which("sievec") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        judge = installed(Path(folder))
        yield compare("sieve: sievec on real scripts", (path.read_bytes() for path in paths), judge)
        yield compare("sieve: sievec on single commands", words()[:limit], judge)
        if shutil.which("sieve-test") is not None:
            Path(folder).chmod(0o755)  # sieve-test gives up root's rights
            yield sieve_running.row(sieve_running.Place(Path(folder), folder), RUNS if limit is None else limit)
        yield compare(
            "sieve: sievec on single faults in scripts, with the line", mutants(MUTANTS if limit is None else limit), judge
        )
