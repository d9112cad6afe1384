"""A record of a host: answers.json as text, and what it says (contract, section 6).

Beside the fields of the contract it holds `files`, for files whose bytes could not be had (the bytes of the others lie beside
it), and `lists`, for globs. `null` means that it is not there, `{"error": REASON, "detail": "..."}` that it could not be told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mailaudit.questions import NOT_ASKED, Absent, Answer, Failed, Found, ListFiles, Question, ReadFile, Reason, Stat, StatFile
from mailaudit.recording.reading import Extra, Reader, RecordingError, read_document
from mailaudit.recording.sections import SECTIONS, Section, normal
from mailaudit.snapshot import Snapshot, is_listed, unanswered

__all__ = ["ANSWERS", "FORMAT", "Recording", "RecordingError", "parse_answers", "save_answers", "saved_files"]

ANSWERS = "answers.json"
FORMAT = "mailaudit.snapshot/1"
_WIDTH = 160


@dataclass(frozen=True)
class Recording:
    """A record: the answers by question, and the unknown fields, which are kept for saving."""

    host: str | None = None
    taken: str | None = None
    answers: Mapping[Question, Answer] = field(default_factory=dict)
    extra: tuple[Extra, ...] = ()

    def answer(self, question: Question) -> Answer | None:
        """What was recorded, or None."""
        return self.answers.get(normal(question))

    def missing(self, question: ReadFile | StatFile) -> Answer:
        """What the record says of a path at which nothing lies beside it."""
        known = self.answers.get(question)
        if known is not None:
            return known
        path = question.path
        stat = self.answers.get(StatFile(path))
        if isinstance(stat, Found) and isinstance(stat.value, Stat):
            if stat.value.type in ("file", "symlink"):
                return Failed(Reason.NOT_RECORDED, f"{path} is there, but its content was not recorded")
            return Failed(Reason.UNREADABLE, f"{path} is a {stat.value.type}; mailaudit reads regular files only")
        if isinstance(stat, Failed):
            return stat
        parents = (path[:at] for at, mark in enumerate(path) if mark == "/" and at)
        if any(isinstance(self.answers.get(StatFile(parent)), Absent) for parent in parents):
            return Absent()
        return unanswered(question, online=False)

    def listed(self, pattern: str, found: tuple[str, ...]) -> Answer:
        """The paths that match a glob: those recorded, and those that lie beside the record.

        A record without any `lists` was written by hand: what lies beside it, or is said to be there, is all there is.
        """
        found = tuple(sorted({*found, *self._told(pattern)}))
        known = self.answers.get(ListFiles(pattern))
        if isinstance(known, Found):
            assert isinstance(known.value, tuple)
            return Found(tuple(sorted({*known.value, *found})))
        if known is not None:
            return known
        if any(isinstance(question, ListFiles) for question in self.answers):
            return unanswered(ListFiles(pattern), online=False)
        return Found(found)

    def _told(self, pattern: str) -> Iterator[str]:
        """The paths that match a glob and are said to be there."""
        for question, answer in self.answers.items():
            if isinstance(question, StatFile) and isinstance(answer, Found) and is_listed(question.path, pattern):
                yield question.path


def parse_answers(data: bytes, origin: str = ANSWERS) -> Recording:
    """Read an answers.json. Raises `RecordingError`, which names the origin and the place, for what is not as it must be."""
    extra: list[Extra] = []
    top = Reader(origin, (), read_document(data, origin), extra)
    fields = top.fields("format", "taken", "host", *(section.name for section in SECTIONS))
    if "format" in fields and fields["format"].value != FORMAT:
        raise fields["format"].wrong(f'"{FORMAT}"')
    answers: dict[Question, Answer] = {}
    for section in SECTIONS:
        for entry in fields[section.name].entries().values() if section.name in fields else ():
            question = section.question(entry)
            if question is None:
                extra.append((entry.keys, entry.value))
            elif question in answers and section.kind is not ReadFile:
                raise RecordingError(f"{entry.place}: it stands there twice, in another spelling")
            else:
                answers[question] = _answer(entry, section)
                if isinstance(question, StatFile) and entry.value is None:
                    answers[ReadFile(question.path)] = Absent()
    host = top.optional(fields, "host", lambda each: each.text('"host7.example.com"'))
    return Recording(host, top.optional(fields, "taken", Reader.time), answers, tuple(sorted(extra, key=lambda each: each[0])))


def _answer(entry: Reader, section: Section) -> Answer:
    if entry.value is None and section.nullable:
        return Absent()
    if isinstance(entry.value, dict) and "error" in entry.value:
        fields = entry.fields("error", "detail")
        reason = Reason(fields["error"].choice([str(reason) for reason in Reason]))
        return Failed(reason, entry.optional(fields, "detail", Reader.any_text) or "")
    return Found(section.value(entry))


def saved_files(snapshot: Snapshot) -> dict[str, bytes]:
    """The bytes of the files of a snapshot by path on the host; they are saved beside answers.json."""
    found = {}
    for question, answer in snapshot.answers.items():
        if isinstance(question, ReadFile) and isinstance(answer, Found):
            assert isinstance(answer.value, bytes)
            found[question.path] = answer.value
    return found


def save_answers(snapshot: Snapshot, extra: Iterable[Extra] = ()) -> str:
    """The answers.json of a snapshot: same answers, same text.

    What was never asked (offline, not recorded) is left out, so that a later scan may ask it.
    """
    document: dict[str, Any] = {"format": FORMAT}
    if snapshot.taken is not None:
        document["taken"] = snapshot.taken
    document["host"] = snapshot.host
    for section in SECTIONS:
        entries = {
            section.key(normal(question)): _entry(section, answer)
            for question, answer in snapshot.answers.items()
            if isinstance(question, section.kind) and _is_saved(question, answer, snapshot)
        }
        if entries:
            document[section.name] = dict(sorted(entries.items()))
    for keys, value in extra:
        _restore(document, keys, value)
    return _escaped(_layout(document)) + "\n"


def _is_saved(question: Question, answer: Answer, snapshot: Snapshot) -> bool:
    if isinstance(answer, Failed):
        return answer.reason not in NOT_ASKED
    if isinstance(question, ReadFile):  # bytes lie beside it; `stat` says already what is absent
        return isinstance(answer, Absent) and not isinstance(snapshot.answer(StatFile(question.path)), Absent)
    return True


def _entry(section: Section, answer: Answer) -> Any:
    match answer:
        case Found(value):
            return section.entry(value)
        case Failed(reason, detail):
            return {"error": str(reason), "detail": detail} if detail else {"error": str(reason)}
        case Absent():
            return None


def _restore(document: dict[str, Any], keys: tuple[str, ...], value: Any) -> None:
    """Put an unknown field back, if what it belongs to is still there. Unknown sections and commands always are."""
    at: Any = document
    for depth, key in enumerate(keys[:-1]):
        if depth == 0:
            at = at.setdefault(key, {})
        elif isinstance(at, dict) and isinstance(at.get(key), dict):
            at = at[key]
        else:
            return
    if isinstance(at, dict):
        at.setdefault(keys[-1], value)


def _layout(value: Any, depth: int = 0, before: int = 0) -> str:
    """JSON with one entry a line, and no more lines than needed; `before` counts the characters before it on its line."""
    compact = json.dumps(value, ensure_ascii=False)
    fits = depth > 1 and before + len(compact) < _WIDTH
    if fits or not isinstance(value, dict | list) or not value:
        return compact
    deeper = "  " * (depth + 1)
    if isinstance(value, list):
        lines = [deeper + _layout(each, depth + 1, len(deeper)) for each in value]
    else:
        starts = {name: f"{deeper}{json.dumps(name, ensure_ascii=False)}: " for name in value}
        lines = [start + _layout(value[name], depth + 1, len(start)) for name, start in starts.items()]
    joined = ",\n".join(lines)
    left, right = "{}" if isinstance(value, dict) else "[]"
    return f"{left}\n{joined}\n{'  ' * depth}{right}"


def _escaped(text: str) -> str:
    """JSON with everything escaped that UTF-8 cannot hold or that a terminal would obey."""
    return re.sub("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]", lambda m: f"\\u{ord(m[0]):04x}", text)
