"""A plan as the applier of a live host takes it: what each file held, its new content, and of the commands those that it runs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files

from mailaudit.apply.folder import NEW_FILE, ApplyError, with_secrets
from mailaudit.questions import Absent, Answer, Found, ReadFile, Stat, StatFile
from mailaudit.repair import Plan
from mailaudit.snapshot import Snapshot
from mailaudit.text import encode
from mailaudit.worklist import Deed, Kind

MASK = b"{{masked:"
PRIVATE = 0o600
LOOKED_AT = ("/etc/", "/usr/local/", "/var/nsd/", "/var/unbound/etc/", "/var/cron/tabs/")
"""Where files lie on whose content a plan may hang; what daemons write themselves changes at any time."""
_PATH = r"((?:/[A-Za-z0-9_.,:@%+=~-]+)+)"
_WHOLE = re.compile(_PATH)
_MODE = re.compile(r"[01]?[0-7]{3}")
_WHO = re.compile(r"([a-z_][a-z0-9_-]*)?(?::([a-z_][a-z0-9_-]*))?")
_MADE = re.compile(rf"newaliases|cap_mkdb /etc/login\.conf|(?:makemap|sievec) {_PATH}|rcctl (?:enable|disable) [A-Za-z0-9_]+")
_TAKEN_UP = re.compile(
    r"rcctl (?:reload|restart|start) [A-Za-z0-9_]+|pfctl -f /etc/pf\.conf|smtpctl update table [A-Za-z0-9_.:-]+"
)
_CLOSED = re.compile(r"/\.\.?(?:/|$)|/private/|shadow|master\.passwd")
_LOAD = "pfctl -f /etc/pf.conf"


def applier() -> bytes:
    """The program that runs as root on the host."""
    return files(__package__).joinpath("applier.pl").read_bytes()


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long the host waits for a new connection, and then for the word that all is as it should be."""

    reached: int = 60
    kept: int = 300


@dataclass(frozen=True, slots=True)
class Transaction:
    """What the applier is given: the lines, the commands among them that it runs, and those that are left for a person.

    `files` are the paths that it writes or removes. Nothing at all is to be done where there are no steps.
    """

    plan: bytes
    files: tuple[str, ...]
    steps: int
    done: tuple[Deed, ...]
    by_hand: tuple[Deed, ...]


def transaction(plan: Plan, known: Snapshot, by: str, seconds: Seconds, *, reload: bool) -> Transaction:
    """The transaction of a plan whose host was read as in `known`; daemons are told only with `reload`.

    Raises `ApplyError` for a file that cannot be written this way, by name.
    """
    made = _Steps(known)
    for path, chars in sorted(plan.files.items()):
        made.file(path, encode(chars), plan.read.get(path))
    written = tuple(sorted(plan.files))
    for deed in plan.todo:
        made.deed(deed, reload=reload)
    head = [f"by {_printable(by)}", f"wait {seconds.reached} {seconds.kept}"]
    head += ["trial"] if "/etc/pf.conf" in plan.files and _LOAD in made.words else []
    head += list(_read(known, made.paths))
    lines = [b"mailaudit 1", *(line.encode() for line in head), *made.lines, b"end", b""]
    return Transaction(b"\n".join(lines), written, len(made.lines), tuple(made.done), tuple(made.by_hand))


@dataclass
class _Steps:
    """The lines so far, the paths whose content they look after, and what became of the commands."""

    known: Snapshot
    lines: list[bytes] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    waits: bool = False
    asked: set[str] = field(default_factory=set)  # why a certificate is to be got by hand
    done: list[Deed] = field(default_factory=list)
    by_hand: list[Deed] = field(default_factory=list)

    def file(self, path: str, data: bytes, old: bytes | None, mode: int | None = None) -> None:
        """A file's new content; `old` is what it held when it was read."""
        if not _WHOLE.fullmatch(path):
            raise ApplyError(f"{path!r} has characters that are not written to a live host; nothing was changed")
        if not may_write(path):
            raise ApplyError(f"{path} is none of the files that are written to a live host; nothing was changed")
        if old is not None and MASK in old:
            raise ApplyError(f"{path} holds masked values; such a file is never written; nothing was changed")
        whole = with_secrets(path, data)
        default = PRIVATE if whole != data else NEW_FILE
        before = "-" if old is None else sha256(old).hexdigest()
        self.lines.append(f"file {before} {default if mode is None else mode:04o} {len(whole)} {path}\n".encode() + whole)
        self.paths.add(path)

    def deed(self, deed: Deed, *, reload: bool) -> None:
        """A command, if it is one of those that the applier runs; else it is left for a person, and what has to wait for one."""
        self.waits = self.waits or deed.kind is Kind.WAIT
        late = bool(self.asked.intersection(deed.because))  # a daemon is told of the new certificate once it is there
        lines = self._lines(deed.text, reload=reload and not self.waits) if deed.kind is Kind.COMMAND else None
        if lines is None or late:
            self.by_hand.append(deed)
        if lines is None and deed.text.startswith("acme-client "):
            self.asked.update(deed.because)
        if lines is None or (late and self.asked.issuperset(deed.because)):
            return
        self.lines += lines
        self.words.add(deed.text)
        self.done.append(deed)

    def _lines(self, text: str, *, reload: bool) -> list[bytes] | None:
        made = _MADE.fullmatch(text)
        if (made and (made[1] is None or may_write(made[1]))) or (reload and _TAKEN_UP.fullmatch(text)):
            return [f"run {text}".encode()]
        try:
            return self._of_words(shlex.split(text))
        except ValueError:
            return None

    def _of_words(self, words: list[str]) -> list[bytes] | None:
        found: list[bytes] | None = None
        match words:
            case ["chmod", mode, *paths] if _MODE.fullmatch(mode) and self._are_there(paths):
                found = [f"mode {mode} = = {path}".encode() for path in paths]
            case ["chown", who, *paths] if (owner := self._owner(who)) and self._are_there(paths):
                found = [f"mode = {owner} {path}".encode() for path in paths]
            case ["install", "-d", "-o", user, "-g", group, "-m", mode, path] if self._are_sound(user, group, mode, path):
                self.paths.add(path)
                found = [f"dir {mode} {user} {group} {path}".encode()]
            case ["install", "-o", user, "-g", group, "-m", mode, "/dev/null", path] if self._are_sound(user, group, mode, path):
                found = self._empty(path, mode, user, group)
            case ["rm", path] if may_write(path):
                found = self._removed(path)
        return found

    def _are_there(self, paths: list[str]) -> bool:
        """True if all of them may get another mode, and are there or made by what comes before."""
        return bool(paths) and all(may_own(path) and (path in self.paths or self._is_there(path)) for path in paths)

    def _is_there(self, path: str) -> bool:
        return any(isinstance(self.known.answer(each), Found) for each in (StatFile(path), ReadFile(path)))

    def _owner(self, who: str) -> str:
        """`user group` of chown's first word, `=` for what stays; empty for what is no name, or nobody's on that host."""
        found = _WHO.fullmatch(who)
        if found is None or who in ("", ":"):
            return ""
        known = (self._are_known("/etc/passwd", found[1]), self._are_known("/etc/group", found[2]))
        return f"{found[1] or '='} {found[2] or '='}" if all(known) else ""

    def _are_known(self, path: str, name: str | None) -> bool:
        answer = self.known.answer(ReadFile(path))
        if name is None or not isinstance(answer, Found) or not isinstance(answer.value, bytes):
            return True
        return any(line.startswith(name.encode() + b":") for line in answer.value.splitlines())

    def _are_sound(self, user: str, group: str, mode: str, path: str) -> bool:
        return bool(self._owner(f"{user}:{group}") and _MODE.fullmatch(mode) and may_own(path))

    def _empty(self, path: str, mode: str, user: str, group: str) -> list[bytes] | None:
        if not may_write(path) or self.known.answer(StatFile(path)) != Absent() or path in self.paths:
            return None
        self.paths.add(path)
        return [f"file - {int(mode, 8):04o} 0 {path}\n".encode(), f"mode = {user} {group} {path}".encode()]

    def _removed(self, path: str) -> list[bytes] | None:
        answer = self.known.answer(ReadFile(path))
        if path in self.paths or not isinstance(answer, Found) or not isinstance(answer.value, bytes) or MASK in answer.value:
            return None
        self.paths.add(path)
        return [f"remove {sha256(answer.value).hexdigest()} {path}".encode()]


@cache
def _lists() -> dict[str, re.Pattern[str]]:
    """The applier's own lists of paths, from its text: WRITE, OWN, NEVER."""
    found = re.findall(r"^my \$(WRITE|OWN|NEVER) = qr\{(.*?)\}x;$", applier().decode("ascii"), re.DOTALL | re.MULTILINE)
    return {name: re.compile(pattern, re.VERBOSE) for name, pattern in found}


def may_write(path: str) -> bool:
    """True for a file that the applier writes."""
    return _is_listed(path, "WRITE")


def may_own(path: str) -> bool:
    """True for what the applier gives a mode and an owner."""
    return _is_listed(path, "OWN")


def _is_listed(path: str, name: str) -> bool:
    lists = _lists()
    clean = _WHOLE.fullmatch(path) is not None and not re.search(r"/\.\.?(?:/|$)", path)
    return clean and lists[name].search(path) is not None and lists["NEVER"].search(path) is None


def _printable(text: str) -> str:
    return re.sub(r"[^\x20-\x7e]", "?", text)[:100] or "?"


def _read(known: Snapshot, written: set[str]) -> Iterator[str]:
    """What each other file of the configuration held when the plan was made; of masked ones their size and time."""
    for question, answer in known.answers.items():
        if not isinstance(question, ReadFile) or question.path in written or not _is_looked_at(question.path):
            continue
        if isinstance(answer, Absent):
            yield f"read - {question.path}"
        elif isinstance(answer, Found) and isinstance(answer.value, bytes):
            if MASK not in answer.value:
                yield f"read {sha256(answer.value).hexdigest()} {question.path}"
            else:
                yield from _seen(question.path, known.answer(StatFile(question.path)))


def _seen(path: str, stat: Answer | None) -> Iterator[str]:
    if isinstance(stat, Found) and isinstance(stat.value, Stat) and stat.value.type == "file" and stat.value.mtime:
        time = datetime.fromisoformat(stat.value.mtime)
        yield f"seen {stat.value.size} {int(time.timestamp())} {path}"


def _is_looked_at(path: str) -> bool:
    return path.startswith(LOOKED_AT) and _WHOLE.fullmatch(path) is not None and not _CLOSED.search(path)
