"""What the programs of one kind of record have in common: cases with a verdict, error lines and a dump of what was understood."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.agreement import Row
from mailaudit.parsers.tree import Problem


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration, and what its daemon said of it."""

    name: str
    data: bytes
    ok: bool
    errors: tuple[str, ...]
    dump: tuple[str, ...]

    @property
    def line(self) -> int | None:
        """The first line that an error names; None for one past the end, where a brace is never closed."""
        lines = [error.split(":")[1] for error in self.errors if error.count(":") > 1]
        line = next((int(line) for line in lines if line.isdigit()), None)
        return line if line is not None and line <= self.data.count(b"\n") + 1 else None

    @property
    def elsewhere(self) -> str:
        """The error in an included file that was not collected, if that is all there is; else nothing."""
        absent = next((error for error in self.errors if error.startswith("pushfile: ")), "")
        if absent:
            return absent
        own = self.name.rpartition("/")[2]
        foreign = [error for error in self.errors if error.startswith("/") and not error.startswith(own)]
        return foreign[0] if foreign and len(foreign) == len([e for e in self.errors if ":" in e]) else ""


def cases(corpora: Path, folder: str, limit: int | None = None) -> list[Case]:
    """The cases of a folder, hand-made ones first; a sample of them that is always the same."""
    vectors = map(json.loads, (corpora / folder / "vectors.jsonl").read_text("utf-8").splitlines())
    found = [Case(each["name"], each["text"].encode(), each["ok"], tuple(each["err"]), tuple(each["dump"])) for each in vectors]
    for each in map(json.loads, (corpora / folder / "verdicts.jsonl").read_text("utf-8").splitlines()):
        data = (corpora / each["file"]).read_bytes()
        found.append(Case(each["file"], data, each["ok"], tuple(each["errors"]), tuple(each["dump"])))
    return found if limit is None else random.Random(64).sample(found, min(limit, len(found)))


def host_cases(corpora: Path, daemon: str, path: str) -> Iterator[tuple[Case, dict[str, bytes]]]:
    """What a daemon said of its file on whole hosts, and all files of each."""
    for each in map(json.loads, (corpora / "hosts" / "verdicts.jsonl").read_text("utf-8").splitlines()):
        root = corpora / "hosts" / each["host"]
        file = root / path[1:]
        if each.get(daemon) is not None and file.is_file():
            files = {f"/{found.relative_to(root)}": found.read_bytes() for found in root.rglob("*") if found.is_file()}
            yield Case(each["host"], file.read_bytes(), each[daemon]["ok"], tuple(each[daemon]["errors"]), ()), files


def verdicts(subject: str, known: Iterable[Case], refusals: Callable[[Case], Iterable[Problem]]) -> Row:
    """How many cases agree on accept or reject and on the first line that is refused."""
    agree, wrong, explained = 0, list[str](), list[str]()
    count = 0
    for case in known:
        count += 1
        found = tuple(refusals(case))
        ours = min((problem.span.line for problem in found), default=None)
        if case.elsewhere:
            explained.append(f"{case.name}: the fault lies in an included file that was not collected: {case.elsewhere}")
        elif case.ok is bool(found):
            said = "accepts it" if case.ok else f"refuses it: {case.errors[0]}"
            wrong.append(f"{case.name}: the daemon {said}, mailaudit finds {[problem.message for problem in found[:2]]}")
        elif found and case.line not in (None, ours):
            wrong.append(f"{case.name}: {case.errors[0]}, mailaudit names line {ours}: {found[0].message}")
        else:
            agree += 1
    return Row(subject, agree, count, tuple(explained), tuple(wrong))


def dumps(subject: str, known: Iterable[Case], understood: Callable[[Case], tuple[set[str], set[str]]]) -> Row:
    """For how many accepted cases the model says what the daemon's dump says; the two sets that are to be equal."""
    agree, count, wrong = 0, 0, list[str]()
    for case in known:
        if case.ok and not case.elsewhere:
            count += 1
            theirs, ours = understood(case)
            if theirs == ours:
                agree += 1
            else:
                wrong.append(
                    f"{case.name}: only the daemon: {sorted(theirs - ours)[:3]}; only mailaudit: {sorted(ours - theirs)[:3]}"
                )
    return Row(subject, agree, count, (), tuple(wrong))
