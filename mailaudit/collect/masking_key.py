"""The key of the digests in masks: kept with the user's settings, so that masks of two snapshots compare."""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

_KEY = re.compile(r"[0-9a-f]{64}\n?")


def masking_key() -> str:
    """The key, made when it is first needed; one for this run alone where it cannot be kept."""
    made = secrets.token_hex(32)
    try:
        folder = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "mailaudit"
        path = folder / "masking.key"
        if os.path.lexists(path):
            return _kept(path) or made
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = folder / f".masking.{made[:16]}"
        try:
            with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "w") as file:
                file.write(f"{made}\n")
            beside.replace(path)  # a run that is cut off, or a full disk, leaves no half of a key
        finally:
            beside.unlink(missing_ok=True)
    except (OSError, RuntimeError):  # the latter of a user who has no account here, as in a container
        pass
    return made


def _kept(path: Path) -> str:
    try:
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return ""
    return text.strip() if _KEY.fullmatch(text) else ""
