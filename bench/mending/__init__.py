"""Mending in earnest: hosts of others, and pages' mistakes all in one host; what the corrections may never do."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from random import Random
from typing import Any, cast

from mailaudit import rulebook
from mailaudit.auditor import Auditor, Options, auditor_for
from mailaudit.collect.memory import MemoryDirectory, MemoryWorld
from mailaudit.collect.roots import find_worlds
from mailaudit.collect.world import World
from mailaudit.edits import Safety
from mailaudit.findings import HostReport, Place, Result, Verdict
from mailaudit.models.sources import Shelf
from mailaudit.questions import Answer, Question
from mailaudit.repair import Plan, plan
from mailaudit.snapshot import Snapshot
from mailaudit.text import encode

BOOK = rulebook.load()
SAFE = frozenset({Safety.SAFE})
ALL = frozenset({Safety.SAFE, Safety.UNSAFE})
LEVELS = {"safe": SAFE, "all": ALL}
PARTS = 24  # pages whose mistakes one combined host has
ANSWERS = "answers.json"
BESIDE = 1  # lines: what a list or a block of one item leaves
STRANGE = 3  # lines of a file that change without a finding about them: the end of a block, a rule whose list holds the same port


@dataclass(frozen=True, slots=True, eq=False)
class Mended:
    """A host, what was planned for it, and what is wrong with that, one sentence each."""

    name: str
    level: str
    auditor: Auditor
    plan: Plan
    wrong: tuple[str, ...]

    @property
    def files(self) -> dict[str, bytes]:
        """All files that were read, as they are then."""
        before = {path: text.data for path, text in self.plan.before.texts.items()}
        return {**before, **{path: encode(chars) for path, chars in self.plan.files.items()}}


def mended(name: str, world: World, level: str) -> Mended:
    """Plan everything of a level for a host, and judge the plan."""
    auditor = auditor_for(world, BOOK, Options(profile="strict"))
    done = plan(auditor, LEVELS[level])
    return Mended(name, level, auditor, done, tuple(_wrong(auditor, done, level)))


def _wrong(auditor: Auditor, done: Plan, level: str) -> Iterator[str]:
    if auditor.crashes:
        yield f"a rule crashes: {auditor.crashes[0]}"
    if not done.converged:
        yield "the corrections come to no end"
    known = Counter(result.rule for result in failing(done.before))
    for rule, count in Counter(result.rule for result in failing(done.report)).items():
        if count > known[rule]:
            yield f"{rule} has {count - known[rule]} findings more"
    unread = {file.path: len(file.unread) for file in done.before.files}
    for file in done.report.files:
        if len(file.unread) > unread.get(file.path, 0):
            yield f"{file.path} is not read whole any more"
    yield from touched(done)
    again = plan(_after(auditor, done), LEVELS[level])
    if again.files:
        yield f"done again, it changes {', '.join(sorted(again.files))}"


def _after(auditor: Auditor, done: Plan) -> Auditor:
    """The same host once the plan was written."""
    files = {path: encode(chars) for path, chars in done.files.items()}
    return replace(auditor, world=cast("World", _Written(auditor.world, files)), shelf=Shelf(), crashes=[])


@dataclass(frozen=True)
class _Written:
    """A world in which a plan was carried out."""

    world: World
    files: Mapping[str, bytes]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.world, name)

    def ask(self, questions: Sequence[Question]) -> dict[Question, Answer]:
        """Answers, those about the written files as they are then."""
        answers = Snapshot("", "", self.world.ask(questions)).with_files(self.files).answers
        return {question: answers[question] for question in questions}


def touched(done: Plan) -> Iterator[str]:
    """What a plan changes without need."""
    for path in done.files:
        yield from _bytes(path, done)


def _bytes(path: str, done: Plan) -> Iterator[str]:
    """Comments stay, and hardly a line goes or changes that no finding is about."""
    old = (done.read[path] or b"").decode("utf-8", "surrogateescape").split("\n")
    new = done.files[path].split("\n")
    for line in old:
        if line.lstrip().startswith("#") and line not in new and not any(line.strip() in each for each in new):
            yield f"{path} loses a comment: {line.strip()[:60]}"
    about = _about(path, done)
    parts = [each[:3] for each in SequenceMatcher(None, old, new, autojunk=False).get_opcodes()]
    gone = [number for tag, start, end in parts if tag in ("replace", "delete") for number in range(start + 1, end + 1)]
    strange = [
        number for number in gone if old[number - 1].strip() and not about & set(range(number - BESIDE, number + BESIDE + 1))
    ]
    if len(strange) > STRANGE:
        yield f"{path}: the lines {', '.join(map(str, strange))} change, and no finding is about them"


def _about(path: str, done: Plan) -> set[int]:
    """The lines of a file that findings are about, the first or a further place of them."""
    places = [each for result in failing(done.before) for each in result.places if isinstance(each, Place)]
    spans = [each.corners() for each in places if each.path == path and each.span is not None]
    return {line for first, _, last, _ in spans for line in range(first, last + 1)}


def failing(report: HostReport) -> list[Result]:
    """The findings of a report."""
    return [result for result in report.results if result.verdict is Verdict.FAIL]


def hosts(corpora: Path) -> Iterator[tuple[str, World]]:
    """The hosts of others, by name."""
    for folder in sorted(path for path in (corpora / "hosts").iterdir() if path.is_dir()):
        for number, world in enumerate(find_worlds(str(folder))):
            yield folder.name + (f" ({number + 1})" if number else ""), world


def combined(seed: int, parts: int = PARTS) -> tuple[list[str], World]:
    """The pages whose mistakes one host has, and the host: of each file the first page's, of the record all that fit together."""
    random = Random(seed)
    cases = [(page.id, case) for page in BOOK.pages.values() for case in page.cases if case.wrong]
    files: dict[str, str] = {}
    record: dict[str, dict[str, object]] = {}
    chosen: list[str] = []
    random.shuffle(cases)
    for identity, case in cases:
        own = {path for path in case.files if path.startswith("/")}
        if len(chosen) == parts:
            break
        if own & set(files) or identity in chosen or _clash(record, _answers(case.files)):
            continue
        chosen.append(identity)
        files |= {path: case.files[path] for path in own}
        for section, answers in _answers(case.files).items():
            if isinstance(answers, dict):
                record.setdefault(section, {}).update(answers)
    held = {path: text.encode() for path, text in files.items()}
    held["/mailaudit.toml"] = _SITE.encode()
    held[f"/{ANSWERS}"] = json.dumps({"format": "mailaudit.snapshot/1", "taken": "2026-11-22T12:00:00Z", **record}).encode()
    return chosen, MemoryWorld(MemoryDirectory.of({"/etc/x": b"", **held}), "host", f"seed {seed}")


_SITE = """\
[site]
domains = ["example.com"]
mail_host = "mail.example.com"
host_name = "host7.example.com"
ipv4 = ["203.0.113.9"]
ipv6 = ["2001:db8::9"]
selectors = { "example.com" = "selector0" }
"""


def _answers(files: Mapping[str, str]) -> dict[str, object]:
    found = json.loads(files.get(ANSWERS, "{}"))
    return {key: value for key, value in found.items() if key not in ("format", "taken", "host")}


def _clash(record: Mapping[str, Mapping[str, object]], more: Mapping[str, object]) -> bool:
    return any(
        isinstance(answers, dict) and any(record.get(section, {}).get(key, answer) != answer for key, answer in answers.items())
        for section, answers in more.items()
    )
