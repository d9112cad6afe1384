"""The real daemons' own checkers: Debian's installed ones, and newer ones in a root beside them, where there are any."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NEWER = Path(__file__).parents[1] / ".lab" / "trixie"
"""A root with Debian 13's daemons, made by `.ci/newer` (`make newer`); only root can enter it."""
NEWEST = NEWER.parent / "sid"
"""A root with the newest daemons, made by hand (`make newest`): what it has changes by the day, so CI does not go by it."""


@dataclass(frozen=True, slots=True)
class Root:
    """A file system with daemons in it. `path` is None for this machine's own."""

    name: str
    path: Path | None

    def has(self, program: str) -> bool:
        """True if the program is installed in it."""
        if self.path is None:
            return shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is not None
        return any((self.path / folder / program).exists() for folder in ("usr/sbin", "usr/bin"))

    def run(self, *command: str, cwd: str | None = None, timeout: float = 30) -> subprocess.CompletedProcess[str]:
        """Run a program in it; its output is text in which odd bytes survive."""
        enter = [] if self.path is None else ["chroot", str(self.path)]
        return subprocess.run(
            [*enter, *command],
            cwd=cwd,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def inside(self, path: Path) -> str:
        """The name of a folder of ours in this root: itself, or where the root's own /tmp has it (see `room`)."""
        return str(path) if self.path is None else "/" + str(path.relative_to(self.path))

    def room(self, tmp_path: Path) -> Path:
        """A fresh folder that programs of this root can see; the caller removes it if it lies in a root of ours."""
        if self.path is None:
            return tmp_path
        room = self.path / "tmp" / f"{tmp_path.parent.name}-{tmp_path.name}"
        room.mkdir(parents=True)
        return room


HERE = Root("installed", None)


def roots() -> list[Root]:
    """This machine's own root, and the newer ones that have been made."""
    return [HERE, *(Root(name, path) for name, path in (("newer", NEWER), ("newest", NEWEST)) if (path / "usr").is_dir())]


def rspamadm(root: Root, *words: str) -> subprocess.CompletedProcess[str]:
    """Run rspamadm in a root. A root without /etc/hosts knows no `localhost`: rspamd is told the number."""
    return root.run("env", "RSPAMD_LOCAL_ADDR=127.0.0.1", "rspamadm", *words, timeout=60)


def need(root: Root, program: str) -> None:
    """Skip, saying why, where a root lacks a program."""
    if not root.has(program):
        pytest.skip(f"{program} is not installed ({root.name} daemons)")
