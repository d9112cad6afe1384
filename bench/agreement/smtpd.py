"""smtpd.conf: accepted or refused, and where, as OpenSMTPD 6.8 and 7.8 did; the file before 6.4 named as that."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.agreement import Row, smtpd_dumps
from mailaudit.models.services import read_services
from mailaudit.models.smtpd.config import PATH, SmtpdConfig, read_smtpd
from mailaudit.models.sources import Known, Sources
from mailaudit.questions import Answer, Command, CommandOutput, Found, Question, ReadFile, RunCommand
from mailaudit.snapshot import Snapshot

VERSIONS = ("6.8", "7.8")


@dataclass(frozen=True, slots=True)
class Case:
    """A configuration and what one version of smtpd said of it; `conf` is its dump of what it understood, if there is one."""

    name: str
    data: bytes
    ok: bool
    errors: tuple[str, ...]
    conf: dict[str, Any] | None = None

    @property
    def lines(self) -> list[int]:
        """The lines that smtpd named, in the order it did."""
        return [int(each.split(":")[1]) for each in self.errors if each.count(":") > 1 and each.split(":")[1].isdigit()]


def cases(corpora: Path, version: str) -> Iterator[Case]:
    """All recorded cases of one version."""
    short = version.replace(".", "")
    with (corpora / "smtpd" / "vectors.jsonl").open(encoding="utf-8") as lines:
        for each in map(json.loads, lines):
            conf = each.get("conf") if version == "7.8" else None
            yield Case(each["name"], each["text"].encode(), each[f"ok{short}"], tuple(each[f"err{short}"]), conf)
    with (corpora / "smtpd" / "verdicts.jsonl").open(encoding="utf-8") as lines:
        for each in map(json.loads, lines):
            if each["bin"] == version:
                dump = corpora / "smtpd" / "dumps" / f"{Path(each['file']).name}.json"
                conf = json.loads(dump.read_text("utf-8")) if version == "7.8" and dump.exists() else None
                yield Case(each["file"], (corpora / each["file"]).read_bytes(), each["ok"], tuple(each["errors"]), conf)


def model(data: bytes, version: str = "7.8", files: Mapping[str, bytes] | None = None) -> SmtpdConfig:
    """The model of a configuration, read as a host of this OpenBSD release reads it."""
    answers: dict[Question, Answer] = {
        ReadFile(PATH): Found(data),
        RunCommand(Command.UNAME): Found(CommandOutput(0, f"OpenBSD {version} amd64\n")),
    }
    answers |= {ReadFile(path): Found(content) for path, content in (files or {}).items()}
    sources = Sources(Snapshot("host", "target", answers))
    slot = read_smtpd(sources, read_services(sources))
    if not isinstance(slot, Known):
        raise TypeError(slot)
    return slot.value


def differs(case: Case, version: str) -> str:
    """How mailaudit's reading differs from what smtpd said; empty if it does not."""
    refusals = model(case.data, version).refusals
    ours = min((problem.span.line for problem in refusals), default=None)
    theirs = case.lines[0] if case.lines else None
    if case.ok is bool(refusals):
        said = "accepts" if case.ok else f"refuses ({'; '.join(case.errors[:2])})"
        return f"{case.name}: smtpd {version} {said}, mailaudit finds {[problem.message for problem in refusals[:2]]}"
    if refusals and theirs not in (None, ours):
        return f"{case.name}: smtpd {version} names line {theirs}, mailaudit line {ours}"
    return ""


def compare(corpora: Path, version: str, limit: int | None = None) -> Row:
    """How many cases agree on accept or reject and on the first line that is refused."""
    known = list(cases(corpora, version))
    if limit is not None:
        known = random.Random(64).sample(known, min(limit, len(known)))
    wrong = tuple(filter(None, (differs(case, version) for case in known)))
    return Row(f"smtpd.conf, OpenSMTPD {version}", len(known) - len(wrong), len(known), (), wrong)


def old_files(corpora: Path, limit: int | None = None) -> Row:
    """How many files of the grammar before 6.4 get one finding that names it, and of the later grammar none."""
    known = [case for case in cases(corpora, "7.8") if case.name.startswith(("smtpd/old/", "smtpd/new/"))]
    if limit is not None:
        known = random.Random(64).sample(known, min(limit, len(known)))
    wrong: list[str] = []
    for case in known:
        smtpd = model(case.data)
        named = ["before 6.4" in problem.message for problem in smtpd.refusals]
        if named != [True] if case.name.startswith("smtpd/old/") else any(named):
            wrong.append(f"{case.name}: {[problem.message for problem in smtpd.refusals[:2]]}")
    return Row("smtpd.conf, the grammar before 6.4 told from later ones", len(known) - len(wrong), len(known), (), tuple(wrong))


def meanings(corpora: Path, limit: int | None = None) -> Row:
    """For how many accepted cases the model says what smtpd's dump says."""
    known = [case for case in cases(corpora, "7.8") if case.ok and case.conf is not None]
    if limit is not None:
        known = random.Random(64).sample(known, min(limit, len(known)))
    wrong: list[str] = []
    for case in known:
        theirs, ours = smtpd_dumps.theirs(case.conf or {}), smtpd_dumps.ours(model(case.data))
        if theirs != ours:
            only = f"only smtpd: {list(theirs - ours)[:2]}; only mailaudit: {list(ours - theirs)[:2]}"
            wrong.append(f"{case.name}: {only}")
    return Row("smtpd.conf, meaning, OpenSMTPD 7.8", len(known) - len(wrong), len(known), (), tuple(wrong))


def hosts(corpora: Path) -> Row:
    """For how many whole hosts the verdicts of both versions agree, and the meaning where there is a dump; includes are read."""
    wrong: list[str] = []
    count = 0
    for each in map(json.loads, (corpora / "hosts" / "verdicts.jsonl").read_text("utf-8").splitlines()):
        root = corpora / "hosts" / each["host"]
        files = {f"/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for version in VERSIONS:
            said = each.get(f"smtpd-{version}")
            data = files.get(f"/{said['file']}") if said is not None else None
            if said is not None and data is not None:
                count += 1
                others = {path: content for path, content in files.items() if path != PATH}
                wrong += _host_differs(
                    corpora, each["host"], Case(each["host"], data, said["ok"], tuple(said["errors"])), version, others
                )
    return Row("smtpd.conf of whole hosts, verdicts and meaning", count - len(wrong), count, (), tuple(wrong))


def _host_differs(corpora: Path, host: str, case: Case, version: str, files: Mapping[str, bytes]) -> list[str]:
    smtpd = model(case.data, version, files)
    missing = [problem for problem in smtpd.refusals if "is not there" in problem.message]
    if case.ok is bool([problem for problem in smtpd.refusals if problem not in missing]):
        return [f"{host}, {version}: {case.errors[:1]}, mailaudit finds {[problem.message for problem in smtpd.refusals[:2]]}"]
    dump = corpora / "hosts" / f"{host}.smtpd.json"
    if (
        version == "7.8"
        and case.ok
        and dump.exists()
        and smtpd_dumps.theirs(json.loads(dump.read_text("utf-8"))) != smtpd_dumps.ours(smtpd)
    ):
        return [f"{host}: not what the dump says"]
    return []


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """One row a version, and one for the meaning, one for the grammar before 6.4."""
    for version in VERSIONS:
        yield compare(corpora, version, limit)
    yield meanings(corpora, limit)
    yield hosts(corpora)
    yield old_files(corpora, limit)
