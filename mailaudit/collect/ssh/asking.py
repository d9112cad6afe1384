"""A wave of questions as a script for sh(1)."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Mapping
from importlib.resources import files

from mailaudit.collect.directory import MAX_FILE
from mailaudit.collect.ssh.commands import COMMANDS, holds_passwords, is_readable
from mailaudit.questions import Failed, ListFiles, PublicKey, Question, ReadFile, Reason, RunCommand, StatFile

BECOMES = ("none", "doas", "sudo", "auto")


def script(numbered: Mapping[int, Question], become: str, key: str) -> bytes:
    """The collector with a wave of questions at its end; the shell has read it all before it does anything."""
    assert become in BECOMES
    lines = [
        f"BECOME={become} KEY={shlex.quote(key)} MAX={MAX_FILE}",
        files(__package__).joinpath("collector.sh").read_text("ascii"),
    ]
    lines += ["collect() {", "exec 4>&1 </dev/null", "collect_begin"]
    lines += [_call(number, question) for number, question in numbered.items()]
    lines += ['echo "@ 0 done 0 -" >&4', "}", "collect; exit", ""]
    return "\n".join(lines).encode("utf-8", "surrogateescape")


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
    """The questions of a wave by number, from 1."""
    return dict(enumerate(wave, 1))
