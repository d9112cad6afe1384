"""A host made of a few files, as models ask for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from mailaudit.models.sources import Sources
from mailaudit.questions import (
    Absent,
    Answer,
    Command,
    CommandOutput,
    Found,
    ListFiles,
    Question,
    ReadFile,
    RunCommand,
    Stat,
    StatFile,
)
from mailaudit.snapshot import Snapshot


@dataclass(frozen=True)
class Files(Snapshot):
    """What is not among the files is not there; commands that are not given were not recorded."""

    files: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[Command, tuple[int, str]] = field(default_factory=dict)
    stats: Mapping[str, Stat] = field(default_factory=dict)

    def answer(self, question: Question) -> Answer | None:
        if question in self.answers:  # one answer, one object
            return self.answers[question]
        answer = self._answer(question)
        if answer is not None:
            assert isinstance(self.answers, dict)
            self.answers[question] = answer
        return answer

    def _answer(self, question: Question) -> Answer | None:
        if isinstance(question, ReadFile):
            found = self.files.get(question.path)
            return Absent() if found is None else Found(found.encode("utf-8", "surrogateescape"))
        if isinstance(question, ListFiles):
            return Found(tuple(sorted(path for path in self.files if fnmatchcase(path, question.pattern))))
        if isinstance(question, StatFile):
            return Found(self.stats[question.path]) if question.path in self.stats else Absent()
        if isinstance(question, RunCommand) and question.command in self.commands:
            return Found(CommandOutput(*self.commands[question.command]))
        return None


def sources(
    files: Mapping[str, str], commands: Mapping[Command, tuple[int, str]] | None = None, stats: Mapping[str, Stat] | None = None
) -> Sources:
    """The sources of such a host."""
    return Sources(Files("host", "target", files=files, commands=commands or {}, stats=stats or {}))
