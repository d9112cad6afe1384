"""DNS zones: accepted or refused, and where, as BIND's `named-checkzone` does, asked live."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.agreement import Row
from mailaudit.models.zone import Zone, read_zone
from mailaudit.parsers.tree import Problem
from mailaudit.parsers.zone import parse
from mailaudit.text import Text

FIXTURES = Path(__file__).resolve().parents[2] / "tests" / "fixtures" / "configs" / "zone"
ORIGIN = "example.com"
AROUND = b"$TTL 300\n@ IN SOA ns1.x. h.x. 1 2 3 4 5\n@ IN NS ns1.x.\n$INCLUDE part\n"
"""What a part of a zone is included by, since a server wants SOA and NS."""
MUTANTS = 2_000
_ERROR = re.compile(r"\bpart:(\d+): (.*)")
_HARMLESS = re.compile(r"warning|ignoring|TTL set|check-names|no TTL|MAXTTL|end with newline")
_WHOLE = re.compile(r"has no NS records|has no address records|has 0 SOA|is a CNAME \(illegal\)")
_PIECE = re.compile(rb'"(?:[^"\\\n]|\\.)*"|[A-Za-z0-9_.]+|\n|[ \t\r]+|.', re.DOTALL)
_INSERTED = (b'"', b"(", b")", b";", b" x ", b" 5 ", b"\0", b"..", b"$", b"\\", b"\n", b" IN ", b"@")
_REASONS: tuple[tuple[str, str, str], ...] = (
    # what we say, what it says, why it is so
    ("this parenthesis has no other half", "", "it reads on to the end of the file, we name the parenthesis"),
    ("a name that is an alias", "CNAME and other data", "it names the last record, we the first that does not fit"),
    ("no value for TLSA", "", "dnspython knows how long a digest is"),
    ("a zone holds no NUL", "", "what a NUL is within depends on the field"),
    ("", "extra input text", "a directive that ends with the file and not with its line"),
)

Judge = Callable[[bytes], tuple[bool, str]]
"""Gives the verdict of a name server's checker on a part of a zone (or a whole one), and all that it said."""


def lines() -> list[bytes]:
    """Parts of a zone, one a line, `\\n` written out."""
    written = (FIXTURES / "entries.txt").read_text("utf-8").splitlines()[1:]
    return [re.sub(r"\\([ntr])", lambda match: {"n": "\n", "t": "\t", "r": "\r"}[match[1]], line).encode() for line in written]


def mutants(count: int, seed: int = 0) -> Iterator[bytes]:
    """Single faults in whole files."""
    rng = random.Random(seed)
    whole = [_PIECE.findall(path.read_bytes()) for path in sorted(FIXTURES.glob("*.zone")) if path.stem not in ("broken", "crlf")]
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


def ours(data: bytes) -> Zone:
    """The zone as mailaudit reads it."""
    if b"SOA" in data:
        return read_zone(parse(Text("/part", data), lambda _path: None), ORIGIN)
    tree = parse(Text("/zone", AROUND), lambda path: Text(path, data) if path == "/part" else None)
    return read_zone(tree, ORIGIN)


def lines_of(problem: Problem) -> range:
    """The lines that a problem stands on."""
    return range(problem.span.line, problem.span.text.position(problem.span.end)[0] + 1)


def difference(data: bytes, judge: Judge) -> tuple[str, str]:
    """`("", "")` if both agree; else what differs, and why that is out of our reach, if it is."""
    problems = ours(data).refusals
    is_right, said = judge(data)
    errors = [(int(line), message) for line, message in _ERROR.findall(said) if not _HARMLESS.search(message)]
    if not errors and _WHOLE.search(said):
        is_right = True  # a fault of the zone as a whole, which text that is put into one cannot have
    named = {line for line, _ in errors}
    if is_right == (not problems) and (is_right or not named or any(named & set(lines_of(each)) for each in problems)):
        return "", ""
    mine, theirs = [each.message for each in problems], [message for _, message in errors]
    for our_words, their_words, why in _REASONS:
        is_ours = any(our_words in each for each in mine) if our_words else not mine
        if is_ours and any(their_words in each for each in theirs or [""]):
            return f"ours: {mine[:2]}; BIND: {theirs[:2]}", why
    if b"\\" in data and any("IPv" in each or "number" in each for each in theirs):
        return f"BIND: {theirs[:2]}", "dnspython takes escapes within numbers and addresses"
    return f"ours: {[(p.span.line, p.message) for p in problems[:2]]}; BIND: {errors[:2] or said}", ""


def compare(subject: str, parts: Iterable[bytes], judge: Judge) -> Row:
    """One comparison."""
    agree = of = 0
    explained: list[str] = []
    wrong: list[str] = []
    for data in parts:
        of += 1
        found, why = difference(data, judge)
        agree += not found
        if found:
            (explained if why else wrong).append(f"{found}: {why or data!r}"[:600])
    return Row(subject, agree, of, tuple(explained), tuple(wrong))


def installed(folder: Path) -> Judge:
    """The `named-checkzone` of this machine."""
    (folder / "zone").write_bytes(AROUND)

    def judge(data: bytes) -> tuple[bool, str]:
        (folder / "part").write_bytes(data)
        name = "part" if b"SOA" in data else "zone"
        command = ("named-checkzone", "-i", "none", ORIGIN, name)
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="surrogateescape", check=False)
        return done.returncode == 0, done.stdout + done.stderr

    return judge


def rows(_corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """All comparisons, where `named-checkzone` is installed; the collection holds no zones."""
    if shutil.which("named-checkzone") is None:
        return
    with tempfile.TemporaryDirectory() as folder:
        judge = installed(Path(folder))
        yield compare("zone: named-checkzone on single entries", lines()[:limit], judge)
        yield compare(
            "zone: named-checkzone on single faults in files, with the line", mutants(MUTANTS if limit is None else limit), judge
        )
