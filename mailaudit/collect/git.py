"""Asks git what a folder held at a revision: the one place that runs git, which may run nothing itself (decision 20).

Nothing but commits and trees is asked for. The work tree, the index and the attributes, where git runs what a repository's own
configuration names (filters, textconv, fsmonitor, hooks), are not for git to look at.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL
from threading import Timer

from mailaudit.collect.world import TargetError
from mailaudit.wording import why_not

SECONDS = 60.0  # for one answer of git
MOST_LISTED = 16 * 1024 * 1024  # bytes of a listing
_HARMLESS = (
    "--no-pager",
    "--no-replace-objects",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.commitGraph=false",
    "-c",
    "core.alternateRefsCommand=",
    "-c",
    "protocol.allow=never",
    "-c",
    "safe.bareRepository=explicit",
)
_SURROUNDINGS = {
    "GIT_ALLOW_PROTOCOL": "none",  # what a partial clone lacks is not fetched: its remote may be a command
    "GIT_NO_LAZY_FETCH": "1",  # the same, where git knows of it
    "GIT_GRAFT_FILE": os.devnull,
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_SSH_COMMAND": "false",
    "GIT_ASKPASS": "false",
    "LC_ALL": "C",
}
_ENTRY = re.compile(rb"([0-7]{6}) (?:blob|commit) ([0-9a-f]{40}|[0-9a-f]{64})\t(.+)", re.DOTALL)
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class RevisionError(TargetError):
    """A revision that cannot be compared with; a usage error, before anything is scanned. The hints say what helps."""

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message, 2)
        self.hints = hints


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of a commit: its mode as git writes it (`100644`, `120000` a link, `160000` a submodule), and its object's name."""

    mode: str
    name: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a folder held at a commit: its files by their paths in the folder."""

    commit: str
    files: Mapping[str, Entry]


def held_since(folder: Path, revision: str) -> Held:
    """What a folder held where the present branch left the history of a revision, as `git diff REVISION...` takes it.

    Raises `RevisionError` with what is wrong: the revision, the repository, that there is none, or no git.
    """
    if not revision or revision.startswith("-") or _CONTROL.search(revision):
        raise RevisionError(f"--since {revision}: expected a revision of git", "a branch, a tag or a commit: --since origin/main")
    git = _Git(_program(revision), folder, revision)
    within, shallow = git.ask("rev-parse", "--is-inside-work-tree", "--is-shallow-repository").split()[:2]
    if within != "true":
        raise RevisionError(f"--since {revision}: {folder} is no work tree of git")
    if not git.is_at_home():
        raise RevisionError(f"--since {revision}: the repository is set up for files elsewhere (core.worktree)")
    more = ("get the whole history: git fetch --unshallow", "GitHub: actions/checkout with fetch-depth: 0; GitLab: GIT_DEPTH: 0")
    hints = more if shallow == "true" else ()
    cut = " in what this shallow clone has of the history" if hints else ""
    commit = git.commit(f"{revision}^{{commit}}")
    if not commit:
        raise RevisionError(f"--since {revision}: git knows no such revision{cut or f' in {folder}'}", *hints)
    head = git.commit("HEAD^{commit}")
    if not head:
        raise RevisionError(f"--since {revision}: the branch that is checked out in {folder} has no commit yet")
    base = git.ask("merge-base", commit, head, may_fail=True).split()
    if not base:
        raise RevisionError(f"--since {revision}: it has no commit in common with the one that is checked out{cut}", *hints)
    return Held(base[0], _entries(git.listing("ls-tree", "-r", "-z", base[0]), revision))


def _program(revision: str) -> str:
    """The git that is found by absolute directories alone: a relative one would be looked up in the repository."""
    program = shutil.which("git", path=_path())
    if program is None:
        raise RevisionError(f"--since {revision}: git is not installed, or not in PATH")
    return program


def _path() -> str:
    return os.pathsep.join(each for each in os.get_exec_path() if Path(each).is_absolute())


def _environment() -> dict[str, str]:
    """The user's own, with nothing in it that names another repository, as in a hook of git."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_") or name.startswith("GIT_CONFIG")}
    return kept | _SURROUNDINGS | {"PATH": _path()}


@dataclass(frozen=True, slots=True)
class _Git:
    program: str
    folder: Path
    revision: str

    def commit(self, wanted: str) -> str:
        """The full name of a commit, or nothing."""
        found = self.ask("rev-parse", "--verify", "--quiet", "--end-of-options", wanted, may_fail=True).strip()
        return found if _COMMIT.fullmatch(found) else ""

    def is_at_home(self) -> bool:
        """True if the work tree is where the repository lies: what is compared is told from there."""
        return Path(os.fsdecode(self.listing("rev-parse", "--show-toplevel")[:-1])) == self._top()

    def ask(self, *words: str, may_fail: bool = False) -> str:
        """What git answers in a few words; with `may_fail`, nothing where it says no."""
        return self.listing(*words, may_fail=may_fail).decode("utf-8", "replace")

    def listing(self, *words: str, may_fail: bool = False) -> bytes:
        """All that git prints, up to a bound."""
        with tempfile.TemporaryFile() as said:
            command = (self.program, *_HARMLESS, *words)
            try:
                process = subprocess.Popen(  # noqa: S603  an absolute path and words of ours; a revision is none of its options
                    command,
                    cwd=self.folder,
                    env=_environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=said,
                )
            except OSError as error:
                raise self._wrong(f"git cannot be run: {why_not(error)}") from error
            with process:
                assert process.stdout is not None
                late = Timer(SECONDS, process.kill)
                late.start()
                try:
                    found = process.stdout.read(MOST_LISTED + 1)
                    if len(found) > MOST_LISTED:
                        process.kill()
                    process.wait()
                except BaseException:  # an interrupt waits for nobody
                    process.kill()
                    raise
                finally:
                    late.cancel()
            said.seek(0)
            told = said.read(4096).decode("utf-8", "replace")
        if len(found) > MOST_LISTED:
            raise self._wrong(f"it holds more than mailaudit compares ({MOST_LISTED // 1024 // 1024} MiB of names)")
        no = process.returncode == 1 or (process.returncode > 0 and not told)
        if process.returncode and not (may_fail and no):
            raise self._failed(told, process.returncode)
        return found

    def _failed(self, told: str, code: int) -> RevisionError:
        if code == -SIGKILL:
            return self._wrong(f"git gave no answer in {SECONDS:g} seconds")
        first = next((line for line in told.splitlines() if line.startswith(("fatal: ", "error: "))), "")
        why = first.partition(": ")[2]
        if "not a git repository" in why:
            return self._wrong(f"{self.folder} is in no git repository")
        if "dubious ownership" in why:
            trusted = self._top()
            hint = f"if you trust it: git config --global --add safe.directory {trusted}"
            return self._wrong(f"git does not look into {trusted}, which belongs to another user", hint)
        if "safe.bareRepository" in told:
            return self._wrong(f"{self.folder} is no work tree of git, but holds a repository")
        if "promisor" in told or "could not read" in told.lower() or "could not fetch" in told:
            hint = "a clone without --filter has them"
            return self._wrong("this clone lacks objects of its history, and nothing is fetched here", hint)
        return self._wrong(f"git failed: {why or f'it ended with {code}'}")

    def _top(self) -> Path:
        """The folder of the repository."""
        return next((each for each in (self.folder, *self.folder.parents) if (each / ".git").exists()), self.folder)

    def _wrong(self, why: str, *hints: str) -> RevisionError:
        return RevisionError(f"--since {self.revision}: {why}", *hints)


def _entries(listing: bytes, revision: str) -> dict[str, Entry]:
    """The files of a listing by path. Names are whatever bytes they are."""
    found = {}
    for each in listing.split(b"\0")[:-1]:
        match = _ENTRY.fullmatch(each)
        if match is None:
            raise RevisionError(f"--since {revision}: git listed what cannot be read")
        found[os.fsdecode(match[3])] = Entry(match[1].decode(), match[2].decode())
    return found
