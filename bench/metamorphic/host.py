"""A host in memory that can be changed one thing at a time, and judged quickly after each change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mailaudit import rulebook, settings
from mailaudit.auditor import Auditor, Options, select
from mailaudit.collect.memory import Entry, MemoryDirectory, directory_entry, place
from mailaudit.collect.root import Metadata, RootWorld
from mailaudit.findings import HostReport
from mailaudit.models.facts import Facts
from mailaudit.models.sources import Shelf
from mailaudit.questions import (
    Absent,
    Answer,
    Command,
    CommandOutput,
    Failed,
    Found,
    Question,
    ReadFile,
    Reason,
    RunCommand,
    Stat,
    StatFile,
)
from mailaudit.recording import ANSWERS, Recording, parse_answers
from mailaudit.settings import Settings
from mailaudit.snapshot import Snapshot

CORRECTED = Path(__file__).resolve().parents[2] / "examples" / "corrected"
SETTINGS = "mailaudit.toml"
BOOK = rulebook.load()


@dataclass(frozen=True)
class Host:
    """A host's files by path and what else is recorded of it. Each method gives a host that differs in one thing.

    `barred` are the files that are there and cannot be read, each with the reason.
    """

    files: Mapping[str, bytes]
    record: Recording
    settings: bytes = b""
    barred: Mapping[str, str] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """The characters of a file."""
        return self.files[path].decode("utf-8", "surrogateescape")

    def write(self, path: str, text: str | bytes) -> Host:
        """With a file of this text; what was not there is then a file of root's that all may read."""
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
        host = replace(self, files={**self.files, path: data})
        known = self.record.answers.get(StatFile(path))
        if isinstance(known, Found):
            return host.stat(path, size=len(data))
        mtime = "2026-11-20T07:00:00Z"
        return host.answer(StatFile(path), Found(Stat("file", 0o644, "root", "wheel", len(data), mtime)))

    def edit(self, path: str, old: str, new: str) -> Host:
        """With the one place where these characters stand changed."""
        text = self.text(path)
        if text.count(old) != 1:
            raise ValueError(f"{path} holds {old!r} {text.count(old)} times")
        return self.write(path, text.replace(old, new))

    def delete(self, path: str) -> Host:
        """Without a file, or whatever is at a path, and with that recorded."""
        files = {each: data for each, data in self.files.items() if each != path}
        host = replace(self, files=files)
        return host.answer(StatFile(path), Absent()).answer(ReadFile(path), Absent())

    def stat(self, path: str, **changes: Any) -> Host:
        """With other metadata of a path; what was recorded as absent is then there."""
        known = self.record.answers.get(StatFile(path))
        stat = known.value if isinstance(known, Found) else Stat("file", 0o644, "root", "wheel", 0, "2026-11-20T07:00:00Z")
        assert isinstance(stat, Stat)
        return self.answer(StatFile(path), Found(replace(stat, **changes)))

    def command(self, command: Command, old: str, new: str) -> Host:
        """With another output of a command."""
        known = self.record.answers[RunCommand(command)]
        assert isinstance(known, Found)
        assert isinstance(known.value, CommandOutput)
        if old not in known.value.stdout:
            raise ValueError(f"{command} does not say {old!r}")
        return self.answer(RunCommand(command), Found(replace(known.value, stdout=known.value.stdout.replace(old, new))))

    def answer(self, question: Question, answer: Answer) -> Host:
        """With another answer recorded."""
        return replace(self, record=replace(self.record, answers={**self.record.answers, question: answer}))

    def unanswered(self, question: Question) -> Host:
        """With nothing recorded of a question, and without the file it asks for."""
        answers = {each: answer for each, answer in self.record.answers.items() if each != question}
        files = {path: data for path, data in self.files.items() if ReadFile(path) != question}
        return replace(self, files=files, record=replace(self.record, answers=answers))

    def unreadable(self, question: Question, why: str = "Permission denied") -> Host:
        """With a question that cannot be answered; a file is there all the same."""
        if isinstance(question, ReadFile) and question.path in self.files:
            return replace(self, barred={**self.barred, question.path: why})
        return self.answer(question, Failed(Reason.UNREADABLE, why))

    def with_settings(self, old: str, new: str) -> Host:
        """With other words in mailaudit.toml."""
        text = self.settings.decode()
        if text.count(old) != 1:
            raise ValueError(f"{SETTINGS} holds {old!r} {text.count(old)} times")
        return replace(self, settings=text.replace(old, new).encode())

    def world(self) -> RootWorld:
        """The host as something that can be asked."""
        return RootWorld(
            directory=self._directory(),
            record=self.record,
            host=self.record.host or "host",
            target="example",
            metadata=Metadata.NOTHING,
            settings=((SETTINGS, self.settings),),
        )

    def _directory(self) -> MemoryDirectory:
        root = directory_entry()
        for path, data in self.files.items():
            place(root, path.strip("/").split("/"), Entry(Stat("file", size=len(data)), data, self.barred.get(path, "")))
        return MemoryDirectory(root)


def corrected() -> Host:
    """The corrected example."""
    files = {
        f"/{path.relative_to(CORRECTED).as_posix()}": path.read_bytes() for path in sorted(CORRECTED.rglob("*")) if path.is_file()
    }
    record = parse_answers(files.pop(f"/{ANSWERS}"))
    return Host(files, record, files.pop(f"/{SETTINGS}"))


@dataclass
class Bench:
    """Judges hosts that differ little from one host: what is the same is read once."""

    base: Host = field(default_factory=corrected)
    shelf: Shelf = field(default_factory=Shelf)
    snapshot: Snapshot | None = None

    def __post_init__(self) -> None:
        """Learn the base host."""
        self.snapshot, _ = self._auditor(self.base).learn()

    def _auditor(self, host: Host) -> Auditor:
        loaded: Settings = settings.load(((SETTINGS, host.settings),))
        options = Options(profile="strict")
        return Auditor(host.world(), BOOK, loaded, options, select(BOOK, loaded, options), self.shelf)

    def facts(self, host: Host) -> tuple[Auditor, Snapshot, Facts]:
        """What is learnt of a host, by waves as in an audit."""
        auditor = self._auditor(host)
        assert self.snapshot is not None
        known = {q: a for q, a in auditor.world.ask(self.snapshot.answers).items() if a != self.snapshot.answers[q]}
        begun = replace(self.snapshot.with_answers(known), taken=host.record.taken)
        snapshot, facts = auditor.learn(begun)
        return auditor, snapshot, facts

    def judge(self, host: Host) -> HostReport:
        """The strict profile's report on a host."""
        auditor, snapshot, facts = self.facts(host)
        return auditor.examine(snapshot, facts)
