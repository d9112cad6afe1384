"""A set of answers about one host at one time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from mailaudit.questions import (
    CHECKERS,
    LIVE,
    Absent,
    Answer,
    CommandOutput,
    Failed,
    Found,
    ListFiles,
    Question,
    ReadFile,
    Reason,
    RunCommand,
    Stat,
    StatFile,
)


@dataclass(frozen=True)
class Snapshot:
    """All answers so far.

    `recorded` says that an `answers.json` tells what was asked, so that a file that is not there was not simply left out of a
    repository; `online` that the network may be asked.
    """

    host: str
    target: str
    answers: Mapping[Question, Answer] = field(default_factory=dict)
    recorded: bool = False
    online: bool = False
    taken: str | None = None

    def answer(self, question: Question) -> Answer | None:
        """The answer, or None if it was never asked."""
        return self.answers.get(question)

    def ask(self, question: Question) -> Answer | None:
        """The same; of what is at hand, the answer is looked up."""
        return self.answer(question)

    def with_answers(self, more: Mapping[Question, Answer]) -> Snapshot:
        """A snapshot with more answers."""
        return Snapshot(self.host, self.target, {**self.answers, **more}, self.recorded, self.online, self.taken)

    def with_files(self, files: Mapping[str, bytes]) -> Snapshot:
        """The same host after files were written; what was not there is then a file, of a mode that is not known yet."""
        more: dict[Question, Answer] = {ReadFile(path): Found(data) for path, data in files.items()}
        for path, data in files.items():
            if Absent in (type(self.answer(StatFile(path))), type(self.answer(ReadFile(path)))):
                more[StatFile(path)] = Found(Stat("file", size=len(data)))
        for question, answer in self.answers.items():
            if isinstance(question, ListFiles) and isinstance(answer, Found) and isinstance(answer.value, tuple):
                listed = {*answer.value, *(path for path in files if is_listed(path, question.pattern))}
                if len(listed) > len(answer.value):
                    more[question] = Found(tuple(sorted(listed)))
        for checker in map(RunCommand, CHECKERS):
            said = self.answer(checker)
            if isinstance(said, Found) and isinstance(said.value, CommandOutput):
                refused = Failed(Reason.NOT_RECORDED, "what it said was of the files before they were written")
                more[checker] = refused if said.value.status else Found(replace(said.value, of_before=True))
        return self.with_answers(more)


@dataclass(frozen=True)
class AtHand(Snapshot):
    """A snapshot of what lies here: `look` answers what was never asked, at once, and the answer is kept."""

    look: Callable[[Question], Answer] = lambda question: unanswered(question, online=False)
    _new: dict[Question, Answer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._new.update(self.answers)
        object.__setattr__(self, "answers", self._new)

    def ask(self, question: Question) -> Answer | None:
        """The answer."""
        answer = self.answer(question)
        if answer is None:
            answer = self._new[question] = self.look(question)
        return answer


def is_listed(path: str, pattern: str) -> bool:
    """True if a path is one that a glob lists: name by name, a leading dot only where the pattern has one."""
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(
        fnmatchcase(name, each) and (not name.startswith(".") or each.startswith("."))
        for name, each in zip(names, patterns, strict=True)
    )


def unanswered(question: Question, online: bool) -> Failed:
    """What a world says that was never told: offline for what needs the network, else not recorded."""
    if isinstance(question, LIVE) and not online:
        return Failed(Reason.OFFLINE, "the network was not asked")
    return Failed(Reason.NOT_RECORDED, f"{question} was not recorded")
