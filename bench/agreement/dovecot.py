"""Dovecot: verdicts, lines of errors, and effective settings beside what doveconf 2.3.19 and 2.4.4 said of the same files."""

from __future__ import annotations

import fnmatch
import json
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.agreement import Row
from bench.agreement.dovecot_dumps import differences
from mailaudit.models.dovecot.config import DovecotConfig, read_dovecot
from mailaudit.models.dovecot.settings import NEW, OLD
from mailaudit.models.sources import Known
from mailaudit.questions import Absent, Answer, Command, CommandOutput, Found, ListFiles, Question, ReadFile, RunCommand
from mailaudit.snapshot import Snapshot
from mailaudit.survey import learned

FOLDER = "/etc/dovecot"
MAIN = f"{FOLDER}/dovecot.conf"
CASE = f"{FOLDER}/case.conf"
VERSIONS = b"dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"
INSTALLED = {OLD: "2.3.19.1", NEW: "2.4.4"}
_LINE = re.compile(r" line (\d+)(?::|$)")
_VERSION = re.compile(rb"^\s*dovecot_config_version", re.MULTILINE)
_ABSOLUTE = re.compile(rb"^\s*!include\w*\s+/etc/dovecot/", re.MULTILINE)
STOCK = Path("/usr/share/dovecot")
"""Where Debian's package keeps the files that it puts into /etc/dovecot; the recorded hosts without a main file had these."""
_OF_THE_HOST = "reads it at start"  # doveconf -n does not look for the files that settings name


def model_of(files: Mapping[str, bytes], family: str) -> DovecotConfig:
    """The model of a host that has these files and no others, and a Dovecot of a family."""
    snapshot = Snapshot("host", "host", {RunCommand(Command.DOVECOT_VERSION): Found(CommandOutput(0, INSTALLED[family]))})
    slot = learned(snapshot, lambda wave: {question: _answer(question, files) for question in wave}, read_dovecot)
    assert isinstance(slot, Known)
    return slot.value


def _answer(question: Question, files: Mapping[str, bytes]) -> Answer:
    if isinstance(question, ReadFile) and question.path in files:
        return Found(files[question.path])
    if isinstance(question, ListFiles):
        return Found(tuple(sorted(path for path in files if _matches(path, question.pattern))))
    return Absent()


def _matches(path: str, pattern: str) -> bool:
    """True if a glob matches; a star takes no slash."""
    return path.count("/") == pattern.count("/") and fnmatch.fnmatchcase(path, pattern)


@dataclass(frozen=True, slots=True)
class Case:
    """A file, or a tree of them, and what a doveconf said: whether it takes it, its errors, and its print if it does."""

    name: str
    files: Mapping[str, bytes]
    family: str
    ok: bool
    errors: tuple[str, ...] = ()
    printed: str | None = None

    @property
    def line(self) -> int | None:
        """The line of the first error, if it has one."""
        match = _LINE.search(self.errors[0]) if self.errors else None
        return int(match[1]) if match else None


def _with_stock(files: dict[str, bytes], *, ok: bool) -> dict[str, bytes]:
    """The files, with the package's own where an absolute path names those: the recording machine had them."""
    if ok and any(_ABSOLUTE.search(data) for data in files.values()):
        return {**{path: data for path, data in _stock() if path != MAIN}, **files}
    return files


def alone(name: str, data: bytes, family: str, ok: bool, errors: tuple[str, ...], printed: str | None = None) -> Case:  # noqa: PLR0913, PLR0917  a record
    """A case of one file; one of 2.4 that has no version gets it from a file that includes it."""
    if family == OLD or _VERSION.search(data):
        return Case(name, _with_stock({MAIN: data}, ok=ok) if family == OLD else {MAIN: data}, family, ok, errors, printed)
    return Case(name, {MAIN: VERSIONS + b"!include case.conf\n", CASE: data}, family, ok, errors, printed)


def vectors(corpora: Path) -> Iterator[Case]:
    """The small hand-made cases."""
    for line in (corpora / "dovecot" / "vectors.jsonl").read_text("utf-8").splitlines():
        vector = json.loads(line)
        for family, mark in ((OLD, "23"), (NEW, "24")):
            name = f"{vector['name']} ({family})"
            errors, ok = tuple(vector[f"err{mark}"]), vector[f"ok{mark}"]
            printed = "\n".join(vector[f"out{mark}"] or ()) if ok else None
            yield alone(name, vector["text"].encode(), family, ok, errors, printed)


def real_files(corpora: Path) -> Iterator[Case]:
    """The real files, each read alone."""
    for line in (corpora / "dovecot" / "verdicts.jsonl").read_text("utf-8").splitlines():
        verdict = json.loads(line)
        name = verdict["file"].removeprefix("dovecot/")
        dump = corpora / "dovecot" / "doveconf_n" / f"{name.replace('/', '__')}.{verdict['ver']}.txt"
        printed = dump.read_text("utf-8", "surrogateescape") if verdict["ok"] and dump.is_file() else None
        data = (corpora / "dovecot" / name).read_bytes()
        yield alone(name, data, verdict["ver"], verdict["ok"], tuple(verdict["errors"]), printed)


def hosts(corpora: Path) -> Iterator[Case]:
    """Whole hosts whose Dovecot was asked; those without a main file only where the package's own files are at hand."""
    for line in (corpora / "hosts" / "verdicts.jsonl").read_text("utf-8").splitlines():
        said = json.loads(line)
        verdict, root = said.get("dovecot"), corpora / "hosts" / said["host"]
        if not verdict:
            continue
        files = {f"/{path.relative_to(root)}": path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}
        if MAIN not in files and not (STOCK / "dovecot.conf").is_file():
            continue
        if MAIN not in files:
            files = {**dict(_stock()), **files}
        dump = root.with_name(f"{said['host']}.doveconf-n.txt")
        printed = dump.read_text("utf-8", "surrogateescape") if verdict["ok"] and dump.is_file() else None
        yield Case(said["host"], files, verdict["ver"], verdict["ok"], tuple(verdict["errors"]), printed)


def _stock() -> Iterator[tuple[str, bytes]]:
    for path in STOCK.rglob("*"):
        if path.is_file():
            yield (f"{FOLDER}/{path.relative_to(STOCK)}" if path.suffix != ".protocol" else str(path)), path.read_bytes()


def refused_lines(model: DovecotConfig) -> list[tuple[int, str]]:
    """What the model says that doveconf refuses."""
    return [(problem.span.line, problem.message) for problem in model.refusals if _OF_THE_HOST not in problem.message]


def verdicts(case: Case, model: DovecotConfig) -> str:
    """How the verdicts differ, or empty."""
    ours = refused_lines(model)
    if case.ok:
        return f"{case.name}: doveconf takes it, and mailaudit refuses line {ours[0][0]}: {ours[0][1]}" if ours else ""
    if not ours and not model.unknown:
        return f"{case.name}: doveconf refuses it ({case.errors[0][:400]}), and mailaudit takes it"
    if case.line is not None and case.line not in _logical(case, [line for line, _ in ours]):
        return f"{case.name}: doveconf refuses line {case.line} ({case.errors[0][:120]}), mailaudit {ours[:3]}"
    return ""


def _logical(case: Case, lines: list[int]) -> set[int]:
    """Lines, and those that they go on in: doveconf counts the last one."""
    written = list(case.files.values())[-1].split(b"\n")
    found = set(lines)
    for line in lines:
        at = line
        while at <= len(written) and re.search(rb"\\[ \t]*(?:#.*)?$", written[at - 1].rstrip(b"\r")):
            at += 1
            found.add(at)
    return found


def _sample(cases: Iterator[Case], limit: int | None) -> list[Case]:
    every = list(cases)
    return every if limit is None or limit >= len(every) else random.Random(3).sample(every, limit)


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """All comparisons; `limit` is how many cases of each kind are looked at."""
    for subject, source in (("vectors", vectors), ("real files", real_files), ("hosts", hosts)):
        cases = _sample(source(corpora), limit)
        models = [(case, model_of(case.files, case.family)) for case in cases]
        for family in (OLD, NEW):
            mine = [each for each in models if each[0].family == family]
            if not mine:
                continue
            wrong = [text for case, model in mine if (text := verdicts(case, model))]
            yield _row(f"Dovecot {family} {subject}: verdicts and lines", len(mine), wrong)
            printed = [each for each in mine if each[0].printed is not None]
            wrong = [text for case, model in printed if (text := _differs(case, model))]
            yield _row(f"Dovecot {family} {subject}: effective settings", len(printed), wrong)


def _differs(case: Case, model: DovecotConfig) -> str:
    assert case.printed is not None
    found = differences(model, case.printed)
    return f"{case.name}: {'; '.join(found[:4])}" if found else ""


_EXPLAINED = {
    "substring_search": "the recording doveconf was built without the flatcurve plugin, whose setting it is",
    "'sdbox:~/Mail'": "its absolute include took in files of the machine that recorded it",
}
"""What marks a difference whose reason lies outside our reach, and the reason."""


def _row(subject: str, of: int, wrong: list[str]) -> Row:
    explained = [f"{text.split(':')[0]}: {why}" for text in wrong for name, why in _EXPLAINED.items() if name in text]
    faults = [text for text in wrong if not any(name in text for name in _EXPLAINED)]
    return Row(subject, of - len(wrong), of, tuple(explained), tuple(faults))
