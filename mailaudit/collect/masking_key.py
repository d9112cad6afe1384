"""The key of the digests in masks: kept with the user's settings, so that masks of two snapshots compare."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

_KEY = re.compile(r"[0-9a-f]{64}\n?")


def masking_key() -> str:
    """The key, made when it is first needed; one for this run alone where it cannot be kept."""
    folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mailaudit"
    path = folder / "masking.key"
    made = secrets.token_hex(32)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
            file.write(f"{made}\n")
    except FileExistsError:
        return _kept(path) or made
    except (OSError, RuntimeError):
        pass
    return made


def _kept(path: Path) -> str:
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
    return text.strip() if _KEY.fullmatch(text) else ""
