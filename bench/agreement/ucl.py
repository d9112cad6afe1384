"""UCL: what libucl and rspamd made of vectors, of real files, and of libucl's own cases."""

from __future__ import annotations

import glob
import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from math import isfinite
from pathlib import Path
from typing import Any

from bench.agreement import Row
from mailaudit.models.rspamd.config import RspamdConfig, read_rspamd
from mailaudit.models.sources import Known
from mailaudit.models.ucl.document import Evaluation
from mailaudit.models.ucl.values import Json, as_json
from mailaudit.parsers import ucl
from mailaudit.parsers.tree import Tree, nothing
from mailaudit.questions import Absent, Answer, Found, ListFiles, Question, ReadFile
from mailaudit.snapshot import Snapshot
from mailaudit.survey import learned
from mailaudit.text import Text

NEWER = {  # libucl's own repository is newer than the libucl in rspamd 3.4, which does what we do (asked live)
    "19": "libucl, and rspamd 4.1.5, print all of an array that stands twice; 3.4 prints the first",
}


class Disk:
    """Includes as files of this machine."""

    def tree(self, path: str) -> Tree | str:
        """A file's tree."""
        text = self.text(path)
        return "absent" if text is None else ucl.parse(text, nothing)

    def text(self, path: str) -> Text | None:
        """A file's text."""
        file = Path(path)
        return Text(str(file.resolve()), file.read_bytes()) if file.is_file() else None

    def matches(self, pattern: str) -> tuple[str, ...]:
        """Files that match a glob."""
        return tuple(sorted(glob.glob(pattern)))  # noqa: PTH207  the pattern is an absolute one


def read(text: Text, variables: Mapping[str, str] | None = None) -> tuple[Evaluation, list[str]]:
    """What a text comes to, and what is wrong with it."""
    tree = ucl.parse(text, nothing)
    evaluation = Evaluation(Disk(), variables or {})
    evaluation.run(tree)
    trees = evaluation.trees.values()
    problems = [statement.problem for each in trees for statement in each.unread() if statement.problem is not None]
    return evaluation, [f"line {p.span.line}: {p.message}" for p in (*problems, *evaluation.problems) if p.refused]


def same(ours: Json, theirs: Any) -> bool:
    """True if two values are alike; an empty object and an empty array are one to Lua, and so are 1 and 1.0."""
    if isinstance(ours, dict | list) or isinstance(theirs, dict | list):
        return _same_container(ours, theirs)
    if isinstance(ours, bool) or isinstance(theirs, bool):
        return ours is theirs
    if isinstance(ours, float) and isinstance(theirs, int | float):
        if not isfinite(ours):
            return repr(ours) == repr(float(theirs))
        return abs(ours - theirs) <= 1e-6 * max(1.0, abs(theirs))
    return bool(ours == theirs)


def _same_container(ours: Json, theirs: Any) -> bool:
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(same(ours[key], theirs[key]) for key in theirs)
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    return not ours and not theirs and isinstance(ours, dict | list) and isinstance(theirs, dict | list)


def _differs(record: Mapping[str, Any], text: Text) -> str | None:
    """What is unlike in a record that holds libucl's and rspamd's answers."""
    evaluation, wrong = read(text)
    if bool(wrong) == record["ucl_ok"]:
        return f"accepted: {record['ucl_ok']}, but {wrong or 'we accept'}"
    if wrong:
        return None
    emitted = _emitted(record["ucl"])
    if not same(as_json(evaluation.root, emitted=True), emitted):
        return "what libucl prints is not what we have"
    if record["rspamd_ok"] and not same(as_json(evaluation.root), record["rspamd"]):
        return "what rspamd makes of it is not what we have"
    return None


def _emitted(printed: Any) -> Any:
    """What libucl printed. Strings with odd bytes make its JSON none; it is UCL still."""
    if not isinstance(printed, str):
        return printed
    try:
        return json.loads(printed)
    except ValueError:
        return as_json(read(Text.of("/printed", printed))[0].root)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    for line in path.read_text("utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def _vectors(corpora: Path, limit: int | None) -> Row:
    wrong = []
    count = 0
    for record in islice(_records(corpora / "rspamd/vectors.jsonl"), limit):
        count += 1
        found = _differs(record, Text.of("/vector", record["text"]))
        if found:
            wrong.append(f"{record['name']}: {found}")
    return Row("UCL vectors", count - len(wrong), count, wrong=tuple(wrong))


def _real(corpora: Path, limit: int | None) -> Row:
    wrong = []
    count = 0
    for record in islice(_records(corpora / "rspamd/verdicts.jsonl"), limit):
        count += 1
        path = corpora / record["file"]
        found = _differs(record, Text(f"/etc/{path.name}", path.read_bytes()))
        if found:
            wrong.append(f"{record['file']}: {found}")
    return Row("rspamd files", count - len(wrong), count, wrong=tuple(wrong))


def host(folder: Path) -> RspamdConfig | None:
    """The model of a host's tree; None if there is nothing of rspamd in it."""
    nothing = Snapshot("host", "target", recorded=True)
    slot = learned(nothing, lambda wave: {question: _answer(folder, question) for question in wave}, read_rspamd)
    return slot.value if isinstance(slot, Known) else None


def _answer(folder: Path, question: Question) -> Answer:
    if isinstance(question, ListFiles):
        return Found(tuple(sorted(path.removeprefix(str(folder)) for path in glob.glob(f"{folder}{question.pattern}"))))  # noqa: PTH207
    assert isinstance(question, ReadFile)
    path = Path(f"{folder}{question.path}")
    return Found(path.read_bytes()) if path.is_file() else Absent()


def _hosts(corpora: Path, limit: int | None) -> Row:
    """`rspamadm configdump dkim_signing` of whole hosts."""
    wrong: list[str] = []
    count = 0
    for path in islice(sorted((corpora / "hosts").glob("*.rspamd-dkim.json")), limit):
        count += 1
        folder = path.with_name(path.name.removesuffix(".rspamd-dkim.json"))
        model = host(folder)
        section = model.section("dkim_signing") if model is not None else None
        printed = path.read_text("utf-8")
        if not printed.startswith("{"):  # configdump's words about a file that rspamd refuses
            refused = model is not None and bool(model.refusals)
            wrong += [] if refused else [f"{folder.name}: rspamd refuses it ({printed.splitlines()[-1:]})"]
            continue
        dumped = json.loads(printed)
        if section is None or not same(as_json(section, emitted=True), dumped):
            wrong.append(f"{folder.name}: {json.dumps(as_json(section)) if section else 'no section'}")
    return Row("hosts' DKIM settings", count - len(wrong), count, wrong=tuple(wrong))


def _verdicts(corpora: Path, limit: int | None) -> Row:
    """`rspamadm configtest` of whole hosts; a user or a folder that only the host has is no matter of its files."""
    wrong: list[str] = []
    explained: list[str] = []
    count = 0
    records = (record for record in _records(corpora / "hosts/verdicts.jsonl") if "rspamd" in record)
    for record in islice(records, limit):
        count += 1
        model = host(corpora / "hosts" / record["host"])
        refused = [] if model is None else [f"line {p.span.line}: {p.message}" for p in model.refusals]
        verdict = record["rspamd"]
        lines = {int(found) for line in verdict["out"] for found in re.findall(r"line: (\d+)", line)}
        if verdict["ok"] != bool(refused) and (not lines or model is None or model.refusals[0].span.line in lines):
            continue
        if not refused and any("bad user" in line for line in verdict["out"]):
            explained.append(f"{record['host']}: {verdict['out'][0]}, which the host that asked does not have")
        else:
            wrong.append(f"{record['host']}: {verdict['out'][:2]}, but {refused or 'we accept'}")
    return Row("hosts' rspamd", count - len(wrong) - len(explained), count, tuple(explained), tuple(wrong))


def _lower(value: Json) -> Json:
    """The value with its keys in lower case, as libucl's test program has them."""
    if isinstance(value, dict):
        return {key.lower(): _lower(each) for key, each in value.items()}
    return [_lower(each) for each in value] if isinstance(value, list) else value


def _own_cases(corpora: Path, limit: int | None) -> Row:
    """libucl's own cases: what its emitter printed is UCL itself, and must come to the same as what was read."""
    folder = corpora / "rspamd/libucl_tests/tests/basic"
    variables = {"CURDIR": str(folder), "ABI": "unknown"}
    explained: list[str] = []
    wrong: list[str] = []
    count = 0
    for path in islice(sorted(folder.glob("*.in")), limit):
        result = path.with_suffix(".res")
        if not result.exists():
            continue
        count += 1
        evaluation, refused = read(Text(str(path), path.read_bytes()), variables)
        printed = result.read_text("utf-8", "surrogateescape")
        accepted = not printed.startswith(("Error occurred", "error"))
        theirs = as_json(read(Text.of("/r", printed))[0].root)
        if accepted != bool(refused) and (not accepted or same(_lower(as_json(evaluation.root, emitted=True)), _lower(theirs))):
            continue
        if path.stem in NEWER:
            explained.append(f"{path.name}: {NEWER[path.stem]}")
        else:
            wrong.append(f"{path.name}: {refused or 'what libucl prints is not what we have'}")
    return Row("libucl's own cases", count - len(wrong) - len(explained), count, tuple(explained), tuple(wrong))


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """All comparisons; of each the first `limit` cases."""
    yield _vectors(corpora, limit)
    yield _real(corpora, limit)
    yield _own_cases(corpora, limit)
    yield _hosts(corpora, limit)
    yield _verdicts(corpora, limit)
