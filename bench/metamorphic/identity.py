"""The rule pages' wrong hosts written otherwise: each finding keeps its fingerprint, which holds no address and no secret."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from mailaudit import rulebook, settings
from mailaudit.auditor import Auditor, Options
from mailaudit.collect.folder import FolderWorld
from mailaudit.findings import HostReport, Verdict
from mailaudit.recording import ANSWERS
from mailaudit.rulebook import Page

BOOK = rulebook.load()
PUBLISHED = Path(__file__).resolve().parents[2] / "examples" / "as-published"
NAME, OTHER = "host7.example.com", "h9.example.com"
_COMMENTED = re.compile(r"/etc/(?:pf|acme-client|httpd|doas)\.conf|/etc/mail/smtpd\.conf|/etc/(?:dovecot|rspamd)/.*")
ABOUT_ADDRESSES = ("DNS018", "SMTPD027")  # what is wrong there is wrong for that address alone
_SETTING = re.compile(r"[a-z_]+ = [^\s{][^{]*")
Files = Mapping[str, str]


@dataclass(frozen=True)
class Wrong:
    """A wrong host of a rule's page."""

    page: Page
    number: int
    files: Files

    def __str__(self) -> str:
        return f"{self.page.id}, wrong {self.number}"


def wrongs() -> list[Wrong]:
    """All of them."""
    return [
        Wrong(page, number, case.files)
        for page in BOOK.pages.values()
        for number, case in enumerate(case for case in page.cases if case.wrong)
    ]


def published() -> Files:
    """The published example, which has many findings; a file that is no text is left out."""
    files = {f"/{path.relative_to(PUBLISHED).as_posix()}": path for path in sorted(PUBLISHED.rglob("*")) if path.is_file()}
    return {path.removeprefix("/") if path.count("/") == 1 else path: file.read_text("utf-8") for path, file in files.items()}


def judged(page: Page | None, files: Files, name: str = "a", later: timedelta = timedelta()) -> HostReport:
    """The report of a page's rule, or of all, on a host of these files, judged at its own time or later."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / name
        for path, text in files.items():
            file = root / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(text.encode())
        (root / "etc").mkdir(exist_ok=True)
        world = FolderWorld(root)
        taken = datetime.fromisoformat(world.taken) if world.taken and later else None
        options = Options(now=taken + later if taken is not None else None)
        rules = tuple(BOOK.pages) if page is None else (page.id,)
        auditor = Auditor(world, BOOK, settings.load(world.settings), options, rules)
        return auditor.examine(*auditor.learn())


def prints(report: HostReport) -> list[str]:
    """What the findings are known by."""
    return sorted(result.fingerprint for result in report.results if result.verdict is Verdict.FAIL)


def noted(files: Files, rng: random.Random) -> Files:
    """With comments and blank lines."""
    return {path: _noted(text, rng) if _COMMENTED.fullmatch(path) else text for path, text in files.items()}


def _noted(text: str, rng: random.Random) -> str:
    out: list[str] = []
    for line in text.split("\n"):
        is_free = not line.startswith((" ", "\t", ")")) and not (out and out[-1].endswith("\\"))
        if is_free and rng.random() < 0.5:
            out += rng.choice((["# a note"], ["", ""], ["# one", "", "# other"]))
        out.append(line)
    return "\n".join(out)


def bared(files: Files, _rng: random.Random) -> Files:
    """Without the comments and blank lines that are there."""
    return {path: _bared(text) if _COMMENTED.fullmatch(path) else text for path, text in files.items()}


def _bared(text: str) -> str:
    if "mailaudit:" in text:
        return text
    lines = text.split("\n")
    kept = [
        line
        for number, line in enumerate(lines)
        if (line.strip() and not line.lstrip().startswith("#")) or (number and lines[number - 1].endswith("\\"))
    ]
    return "\n".join(kept) + "\n"


def renamed(files: Files, _rng: random.Random) -> Files:
    """Of a host that is called otherwise."""
    return {path.replace(NAME, OTHER): text.replace(NAME, OTHER) for path, text in files.items()}


def readdressed(files: Files, _rng: random.Random) -> Files:
    """With other addresses in what is recorded."""
    pairs = (("203.0.113.9", "203.0.113.77"), ("9.113.0.203.", "77.113.0.203."))
    found = dict(files)
    for old, new in pairs:
        found = {path: text.replace(old, new) for path, text in found.items()}
    return found


def reordered(files: Files, rng: random.Random) -> Files:
    """With Dovecot's settings that stand one below the other in another order."""
    return {path: _reordered(text, rng) if path.startswith("/etc/dovecot/") else text for path, text in files.items()}


def _reordered(text: str, rng: random.Random) -> str:
    lines = text.split("\n")
    numbers = [n for n, line in enumerate(lines) if _SETTING.fullmatch(line) and not line.endswith("\\")]
    names = [lines[n].split(" ")[0] for n in numbers]
    run = [n for n, name in zip(numbers, names, strict=True) if names.count(name) == 1 and "$" not in lines[n]]
    if text.count("{") or "dovecot_config_version" in text or len(run) < 2:
        return text
    order = run[:]
    rng.shuffle(order)
    moved = dict(zip(run, [lines[n] for n in order], strict=True))
    return "\n".join(moved.get(n, line) for n, line in enumerate(lines))


WAYS: Mapping[str, Callable[[Files, random.Random], Files]] = {
    "comments and blank lines added": noted,
    "comments and blank lines taken out": bared,
    "another host name": renamed,
    "another address": readdressed,
    "settings in another order": reordered,
}


def moved(wrong: Wrong, seed: int) -> Iterator[str]:
    """The ways of writing a wrong host otherwise after which its findings are known by something else."""
    before = prints(judged(wrong.page, wrong.files))
    for what, way in WAYS.items():
        if way is readdressed and wrong.page.id in ABOUT_ADDRESSES:
            continue
        files = way(wrong.files, random.Random(f"{wrong} {seed} {what}"))
        if files != wrong.files and prints(judged(wrong.page, files, "another")) != before:
            yield f"{wrong}: {what}"
    if _is_dated(wrong.files) and prints(judged(wrong.page, wrong.files, later=timedelta(hours=1))) != before:
        yield f"{wrong}: another time"


def flapping(wrong: Wrong) -> Iterator[str]:
    """The answers of the network without which a wrong host has a finding that it does not have with them."""
    record = json.loads(wrong.files[ANSWERS]) if ANSWERS in wrong.files else {}
    before: set[str] | None = None
    for kind in ("dns", "endpoints", "commands"):
        for asked in record.get(kind, {}):
            before = set(prints(judged(wrong.page, wrong.files))) if before is None else before
            lost = {**record, kind: {**record[kind], asked: {"error": "timeout"}}}
            after = set(prints(judged(wrong.page, {**wrong.files, ANSWERS: json.dumps(lost)})))
            if after - before:
                yield f"{wrong}: {asked} timed out"


def _is_dated(files: Files) -> bool:
    return "taken" in json.loads(files[ANSWERS]) if ANSWERS in files else False
