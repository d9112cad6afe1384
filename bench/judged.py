"""Whether the findings on whole hosts are those that a person has judged: docs/judged-hosts.md beside a scan of today."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.agreement import CORPORA
from mailaudit.audit import audit
from mailaudit.auditor import Options
from mailaudit.findings import Evidence, Result, Verdict

LIST = Path(__file__).resolve().parents[1] / "docs" / "judged-hosts.md"
HOSTS = CORPORA / "hosts"
VERDICTS = ("true", "unhelpful", "said twice", "false")
_ROW = re.compile(
    r"\| (?P<rule>[A-Z]+\d+) \| (?P<path>\S+?)(?::(?P<lines>\d+(?:, \d+)*))? \| (?P<verdict>[a-z ]+) \| (?P<why>.+) \|"
)


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """A finding as the list names it: the host by its folder, the rule, and where its first place is; line 0 of what has none."""

    host: str
    rule: str
    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.host}: {self.rule} {self.path}{f':{self.line}' if self.line else ''}"


def listed(text: str) -> Iterator[tuple[Key, str]]:
    """Each finding of the list with the judge's verdict; a row names several lines of one file where the same is said of each."""
    host = ""
    for line in text.splitlines():
        if line.startswith("## "):
            host = line.removeprefix("## ")
        elif match := _ROW.fullmatch(line):
            for number in (match["lines"] or "0").split(", "):
                yield Key(host, match["rule"], match["path"], int(number)), match["verdict"]


def _key(host: str, result: Result) -> Key:
    place = result.places[0]
    if isinstance(place, Evidence):
        return Key(host, result.rule, place.question.split()[-1], 0)
    return Key(host, result.rule, place.path, place.corners()[0])


def found(root: Path) -> list[Key]:
    """What a scan of one host finds today."""
    report = audit([str(root)], Options())
    return [_key(root.name, each) for host in report.hosts for each in host.results if each.verdict is Verdict.FAIL]


def compare(write: Callable[[str], object] = print) -> int:
    """Print how many findings are judged, and each that is new, gone or false; how many of these there are."""
    if not HOSTS.is_dir():
        write("skipped: the collection of real hosts is not beside this checkout")
        return 0
    rows = list(listed(LIST.read_text()))
    judged = Counter(key for key, _ in rows)
    with ProcessPoolExecutor() as pool:
        today = Counter(
            key for keys in pool.map(found, sorted(each for each in HOSTS.iterdir() if each.is_dir())) for key in keys
        )
    count = Counter(verdict for _, verdict in rows)
    said = ", ".join(f"{count[verdict]} {verdict}" for verdict in VERDICTS)
    write(f"{today.total():,} findings on whole hosts; of the list's: {said}")
    bad = 0
    for word, keys in (("not judged yet", today - judged), ("judged, and gone", judged - today)):
        for key in sorted(keys.elements()):
            bad += 1
            write(f"  {word}: {key}")
    for key, verdict in rows:
        if verdict not in VERDICTS or (verdict == "false" and key in today):
            bad += 1
            write(f"  {verdict}: {key}")
    return bad


if __name__ == "__main__":
    sys.exit(1 if compare() else 0)
