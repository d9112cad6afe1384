"""What the collector said, as answers; of what is not to be had, the line of doas.conf that would allow it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from mailaudit.collect.directory import MAX_FILE
from mailaudit.collect.ssh.commands import COMMANDS, STAT_WORDS, Words, root_line
from mailaudit.collect.ssh.output import Asked, Said, stat_of
from mailaudit.models.certificates import NotReadError, read_public_key
from mailaudit.questions import (
    LATE,
    Absent,
    Answer,
    CommandOutput,
    Failed,
    Found,
    ListFiles,
    PublicKey,
    Question,
    ReadFile,
    Reason,
    RunCommand,
    Stat,
    StatFile,
    allowing,
)
from mailaudit.snapshot import is_listed
from mailaudit.text import Text

MAX_OUTPUT = 4 * 1024 * 1024  # bytes of one command
LEVELS = 2  # of a closed directory are listed, each by a command of its own
_NOT_RUN = (126, 127)  # what a shell ends with that cannot run or find a program: sh(1)
_REFUSES = re.compile(r"^(?:doas|sudo): |^Sorry, user |is not in the sudoers file", re.MULTILINE)
_GONE = ("no such file or directory", "not a directory")


def answers(question: Question, asked: Asked, number: int) -> dict[Question, Answer]:
    """The answer to a question, and what was learned of the same path on the way: one consistent reading."""
    said = asked.said.get(number, ())
    reading = _Reading(question, asked, said)
    found = {question: reading.answer()}
    metadata = next((each for each in said if each.kind == "stat"), None)
    if isinstance(question, ReadFile | PublicKey) and metadata is not None:
        found[StatFile(question.path)] = reading.stat(metadata, question.path)
    return found


@dataclass(frozen=True, slots=True)
class _Reading:
    question: Question
    asked: Asked
    said: tuple[Said, ...]

    def last(self, kind: str) -> Said | None:
        return next((each for each in reversed(self.said) if each.kind == kind), None)

    def answer(self) -> Answer:
        if not self.said:
            return self.cut_off()
        match self.question:
            case StatFile(path):
                return self.stat(self.said[0], path)
            case ReadFile(path):
                return self.file(path)
            case ListFiles(pattern):
                return self.listing(pattern)
            case PublicKey(path):
                return self.key(path)
            case RunCommand(command):
                return self.output(COMMANDS[command])
        raise TypeError(self.question)

    def cut_off(self) -> Failed:
        return Failed(Reason.TIMEOUT, f"{LATE}: {self.question}")

    def refused(self, why: str) -> Failed:
        return Failed(Reason.UNREADABLE, why)

    def denied(self, complaint: str, *words: str) -> Failed:
        """That a path or a command is not to be had, and the line of doas.conf or sudoers that would change it."""
        said = " ".join(_said(complaint).split())[:200] or "permission denied"
        line = allowing(*root_line(self.asked.become, self.asked.user or "USER", *words))
        return self.refused(f"{self.question}: {said}{line}")

    def stat(self, said: Said, path: str) -> Answer:
        if said.status == 0:
            found = stat_of(said.text)
            return Found(found) if found else Failed(Reason.PROTOCOL, f"stat {path}: the host's stat says {said.text[:60]!r}")
        return Absent() if _is_gone(said) else self.denied(said.text, *STAT_WORDS, "--", path)

    def there(self, path: str) -> Answer:
        """The metadata of what a path leads to."""
        metadata = self.last("real") or self.last("stat")
        return self.cut_off() if metadata is None else self.stat(metadata, path)

    def printed(self, *words: str) -> bytes | Absent | Failed:
        """What a command printed that needs to succeed, given as doas.conf would name it."""
        content, end = self.last("out"), self.last("end")
        if content is None or end is None:
            return self.cut_off()
        if end.status == 0:
            return content.data
        return Absent() if _is_gone(end) else self.denied(end.text, *words)

    def file(self, path: str) -> Answer:
        stat = self.there(path)
        if not isinstance(stat, Found):
            return stat
        assert isinstance(stat.value, Stat)
        refused = self.not_read(path, stat.value)
        if refused is not None:
            return refused
        printed = self.printed("/bin/cat", path)
        if isinstance(printed, Absent):
            return self.refused(f"{path} was there, and gone when it was to be read")
        return Found(printed) if isinstance(printed, bytes) else printed

    def not_read(self, path: str, stat: Stat) -> Failed | None:
        """Why a file that is there was not read."""
        told = {
            "key": f"{path} holds a private key, which mailaudit never reads",
            "changed": f"{path} changed while it was read, twice",
            "link": f"{path} is a symbolic link, which is not followed with another user's rights",
        }
        why = next((told[kind] for kind in told if self.last(kind) is not None), "")
        if not why and stat.type != "file":
            why = f"{path} is a {stat.type}; mailaudit reads regular files only"
        if not why and (stat.size or 0) > MAX_FILE:
            why = f"{path} is over {MAX_FILE // 1024**2} MiB, the most that mailaudit reads"
        return self.refused(why) if why else None

    def listing(self, pattern: str) -> Answer:
        directory = re.split(r"[*?\[]", pattern, maxsplit=1)[0].rpartition("/")[0] or "/"
        stat = self.there(directory)
        if not isinstance(stat, Found):
            return Found(()) if isinstance(stat, Absent) else stat
        end = self.last("end")
        below = re.search(r"\nin (/.*)\Z", end.text) if end is not None else None
        printed = self.printed("/bin/ls", "-1a", below[1] if below else directory)
        if not isinstance(printed, bytes):
            return Found(()) if isinstance(printed, Absent) else printed
        lines = printed.decode("utf-8", "surrogateescape").split("\n")
        if self.last("names") is not None:
            if pattern.count("/") > directory.rstrip("/").count("/") + LEVELS:
                return self.refused(f"{pattern}: {directory} and what is below it can be listed by root only")
            lines = [f"{directory.rstrip('/')}/{name}" for name in lines if name.rpartition("/")[2] not in ("", ".", "..")]
        return Found(tuple(sorted({each for each in lines if is_listed(each, pattern)})))

    def key(self, path: str) -> Answer:
        stat = self.there(path)
        if not isinstance(stat, Found):
            return stat
        words = ("/usr/bin/openssl", "pkey", "-in", path, "-pubout")
        output, end = self.last("out"), self.last("end")
        if output is None or end is None:
            return self.cut_off()
        if _is_refused(end) or "permission denied" in end.text.lower():
            return self.denied(end.text if end.become else "", *words)  # openssl's own words have numbers of this one run
        try:
            return Found(read_public_key(Text(path, output.data)))
        except NotReadError as error:
            return self.refused(f"the public half of {path} could not be computed on the host: {error}")

    def output(self, command: Words) -> Answer:
        words = command.words
        if self.last("none") is not None:
            return Absent()
        output, end = self.last("out"), self.last("end")
        if output is None or end is None:
            return self.cut_off()
        if len(output.data) > MAX_OUTPUT:
            return Failed(Reason.UNREADABLE, f"{' '.join(words)} printed more than {MAX_OUTPUT // 1024**2} MiB")
        if end.status != 0 and (_is_refused(end) or (command.root and not end.become and self.asked.user != "root")):
            return self.denied(end.text, *words)
        if command.complains and end.status != 0:
            return Found(CommandOutput(end.status, f"{end.text}\n"))
        return Found(CommandOutput(end.status, output.data.decode("utf-8", "surrogateescape")))


def _is_refused(end: Said) -> bool:
    """True if doas or sudo refused or is not there, not the command."""
    text = _said(end.text)
    return end.become and (end.status in _NOT_RUN or bool(_REFUSES.search(text)) or "permission denied" in text.lower())


def _is_gone(said: Said) -> bool:
    """True if what was asked for is not there; what doas says of its own files is another matter."""
    text = _said(said.text)
    return not _REFUSES.search(text) and any(each in text.lower() for each in _GONE)


def _said(text: str) -> str:
    """What is said, without that sudo does not know its own host's name, which keeps it from nothing."""
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith("sudo: unable to resolve host "))
