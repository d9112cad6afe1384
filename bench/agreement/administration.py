"""doas.conf, crontabs, sshd_config, redis.conf, local scripts of the real hosts: read whole, and as doas and sshd judge them."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from bench.agreement import Row
from mailaudit.models.shell import script_steps
from mailaudit.parsers import LANGUAGES
from mailaudit.parsers.shell import tokens_of
from mailaudit.parsers.tree import Tree, nothing
from mailaudit.text import Text

FILES = {
    "doas": "etc/doas.conf",
    "crontab": "var/cron/tabs/*",
    "crontab-system": "etc/crontab",
    "sshd": "etc/ssh/sshd_config",
    "redis": "etc/redis/redis.conf",
    "shell": "etc/*ly.local",
}
SSHD = Path("/usr/sbin/sshd")
EMPTY = Path("/run/sshd")  # sshd tests nothing where this folder is not


def rows(corpora: Path, limit: int | None = None) -> Iterator[Row]:
    """What was read of each kind of file, and for doas and sshd, where they are installed, whether they judge it alike."""
    for language, pattern in FILES.items():
        files = list(islice(sorted((corpora / "hosts").glob(f"*/{pattern}")), limit))
        if not files:
            continue
        trees = [read(language, file) for file in files]
        names = ["/".join(file.parts[file.parts.index("hosts") + 1 :]) for file in files]
        wrong = [f"{name}: {why}" for name, tree in zip(names, trees, strict=True) for why in unread(language, tree)]
        yield Row(
            f"{language}: files without an unread statement",
            len(files) - len({w.split(":")[0] for w in wrong}),
            len(files),
            (),
            tuple(wrong),
        )
        judge = judges().get(language)
        if judge is not None:
            other = [name for name, tree, file in zip(names, trees, files, strict=True) if judge(file) != (not tree.unread())]
            yield Row(f"{language}: taken or refused alike", len(files) - len(other), len(files), (), tuple(other))


def read(language: str, file: Path) -> Tree:
    """A file's tree."""
    return LANGUAGES[language].parse(Text(f"/{file.name}", file.read_bytes()), nothing)


def unread(language: str, tree: Tree) -> Iterator[str]:
    """What could not be read of a file, the commands in it too."""
    problems = [statement.problem for statement in tree.unread()]
    if language == "shell":
        script_steps(tree.statements)
    if language.startswith("crontab"):
        jobs = [statement for statement in tree.statements if statement.kind == "job"]
        commands = [token for job in jobs for token in job.node.leaves() if token.kind == "command"]
        problems += [tokens_of(command.text, command.start, command.end)[1] for command in commands]
    yield from (f"line {problem.span.line}: {problem.message}" for problem in problems if problem is not None)


def judges() -> dict[str, Callable[[Path], bool]]:
    """The programs that can be asked here whether they take a file."""
    found: dict[str, Callable[[Path], bool]] = {}
    doas, keygen = shutil.which("doas"), shutil.which("ssh-keygen")
    if doas is not None:
        found["doas"] = lambda file: run(doas, "-C", str(file))
    if keygen is not None and SSHD.exists() and EMPTY.is_dir():
        found["sshd"] = lambda file: sshd_takes(keygen, file)
    return found


def sshd_takes(keygen: str, file: Path) -> bool:
    """True if sshd takes a file, its host keys aside."""
    with tempfile.TemporaryDirectory() as folder:
        key = f"{folder}/key"
        run(keygen, "-q", "-t", "ed25519", "-N", "", "-f", key)
        return run(str(SSHD), "-t", "-h", key, "-f", str(file))


def run(*command: str) -> bool:
    """True if a command ends well."""
    return subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL).returncode == 0
