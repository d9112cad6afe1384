"""Writes a shell's script where that shell looks for it; what somebody else wrote there stays."""

from __future__ import annotations

import os
from pathlib import Path

from mailaudit import output
from mailaudit.choices import Shell
from mailaudit.commands.new_folder import writable
from mailaudit.commands.telling import UsageError

MARK = "made by `mailaudit completion "  # in a line at the head of every script of ours
_HEAD = 512  # bytes in which it stands


def place(shell: Shell, script: str) -> str:
    """Write the script, and say where it is and what is left to do. Raises `UsageError` where something else lies there."""
    where = home(shell)
    named = f"--install: {where}"
    data = script.encode()
    with writable(named):
        there = _present(where, named)
        if there == data:
            done = f"{where} is up to date."
        else:
            where.parent.mkdir(parents=True, exist_ok=True)
            failure = output.deliver(script, where)
            if failure:
                raise UsageError(f"--install: {failure}")
            done = f"{where} is {'written' if there is None else 'brought up to date'}."
    return f"{done}\n{_left(shell, where)}\n"


def home(shell: Shell) -> Path:
    """Where the scripts of one user lie, as each shell's manual has it; of ksh, a place of our own."""
    data = _folder("XDG_DATA_HOME", ".local/share")
    config = _folder("XDG_CONFIG_HOME", ".config")
    match shell:
        case Shell.BASH:
            return _folder("BASH_COMPLETION_USER_DIR", data / "bash-completion") / "completions" / "mailaudit"
        case Shell.ZSH:
            return _folder("ZDOTDIR", "") / ".zfunc" / "_mailaudit"
        case Shell.FISH:
            return config / "fish" / "completions" / "mailaudit.fish"
        case Shell.KSH:
            return config / "mailaudit" / "completion.ksh"


def _folder(variable: str, otherwise: str | Path) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else Path.home() / otherwise


def _present(where: Path, named: str) -> bytes | None:
    """What is there of ours; None if nothing is."""
    if where.is_symlink() or (where.exists() and not where.is_file()):
        raise UsageError(f"{named} is no plain file; it is left as it is")
    if not where.exists():
        return None
    data = where.read_bytes()
    if MARK.encode() not in data[:_HEAD]:
        raise UsageError(f"{named} was not made by mailaudit; it is left as it is", "move it away, and try again")
    return data


def _left(shell: Shell, where: Path) -> str:
    match shell:
        case Shell.BASH:
            return f"bash reads it where bash-completion is installed; where it is not, add to ~/.bashrc:\n  . {where}"
        case Shell.ZSH:
            lines = (f"fpath=({where.parent} $fpath)", "autoload -Uz compinit; compinit")
            return "\n  ".join(("Unless fpath has that folder, add to ~/.zshrc:", *lines))
        case Shell.FISH:
            return "fish reads it by itself."
        case Shell.KSH:
            return f"Add to the file that ENV names (ENV=$HOME/.kshrc in ~/.profile):\n  . {where}"
