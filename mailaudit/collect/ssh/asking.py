"""A wave of questions as a script for sh(1)."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from importlib.resources import files
from itertools import groupby

from mailaudit.collect.directory import MAX_FILE
from mailaudit.collect.ssh.commands import COMMANDS, holds_passwords, is_readable
from mailaudit.collect.ssh.output import Asked
from mailaudit.questions import Failed, ListFiles, PublicKey, Question, ReadFile, Reason, RunCommand, StatFile

BECOMES = ("none", "doas", "sudo", "auto")
AT_ONCE = 100  # paths, which are words of one command of the host


def collector(become: str, key: str, known: Asked | None = None) -> bytes:
    """The collector's own words, which a shell is given once, before all waves.

    `known` is what an earlier shell told of who asks, so that this one need not find it out.
    """
    assert become in BECOMES
    known = known or Asked()
    rights = f"{known.become} -n" if known.become in BECOMES else ""
    lines = [
        f"BECOME={become} KEY={shlex.quote(key)} MAX={MAX_FILE}",
        f"WHO={shlex.quote(known.user)} SYSTEM={shlex.quote(known.system)} FLAVOUR={known.flavour} B={shlex.quote(rights)}",
        files(__package__).joinpath("collector.sh").read_text("ascii"),
    ]
    return _words(lines)


def wave(numbered: Mapping[int, Question], mark: str) -> bytes:
    """A wave of questions for a shell that has the collector; it has read them all before it does anything.

    `mark`, letters and digits that nobody else knows, begins each heading of what it prints.
    """
    lines = ["collect() {", "collect_begin"]
    for word, group in groupby(numbered.items(), lambda each: _together(each[1])):
        calls = [*group]
        if word is None:
            lines += [_call(number, question) for number, question in calls]
            continue
        for at in range(0, len(calls), AT_ONCE):
            some = calls[at : at + AT_ONCE]
            lines.append(f"{word} {some[0][0]} {shlex.join(_path(each) for _, each in some)}")
    return _words([*lines, "head_ 0 done 0 -", "}", f"MARK={mark}; collect 4>&1 </dev/null", ""])


def last_words(mark: str) -> bytes:
    """What the answers to a wave end with."""
    return f"\n@{mark} 0 done 0 -\n".encode("ascii")


def _words(lines: list[str]) -> bytes:
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def _together(question: Question) -> str | None:
    """The collector's word for questions of this kind that it answers many at once; None for those asked one by one."""
    if "\n" in _path(question):
        return None
    match question:
        case ListFiles():
            return "lists"
        case StatFile():
            return "stats"
        case ReadFile(path) if not holds_passwords(path):
            return "files"
    return None


def _path(question: Question) -> str:
    return str(getattr(question, "pattern", getattr(question, "path", "")))


def _call(number: int, question: Question) -> str:
    match question:
        case ReadFile(path):
            return f"fetch {number} {shlex.quote(path)} {'1' if holds_passwords(path) else shlex.quote('')}"
        case StatFile(path):
            return f"look {number} {shlex.quote(path)}"
        case ListFiles(pattern):
            return f"list {number} {shlex.quote(pattern)}"
        case PublicKey(path):
            return f"public {number} {shlex.quote(path)}"
        case RunCommand(command):
            words = COMMANDS[command]
            return f"command_ {number} {'root' if words.root else 'user'} {shlex.join(words.words)}"
    raise TypeError(f"{question} is not asked of a host")


def refusal(question: Question) -> Failed | None:
    """Why a question is not put to the host at all, or None."""
    path = question.pattern if isinstance(question, ListFiles) else getattr(question, "path", "/")
    if not path.startswith("/") or "\0" in path or ".." in path.split("/"):
        return Failed(Reason.UNREADABLE, f"{path!r} is no path that is asked of a host")
    if isinstance(question, ReadFile) and not is_readable(path):
        return Failed(Reason.UNREADABLE, f"{path} is not one of the files that mailaudit reads on a host")
    return None


def numbered(wave: Collection[Question]) -> dict[int, Question]:
    """The questions of a wave by number, from 1; those that are asked together have consecutive ones."""
    return dict(enumerate(sorted(wave, key=lambda each: _together(each) or ""), 1))
