"""Single files that the user named, and the files of the same root that they include."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from mailaudit.collect.directory import RefusedError, read
from mailaudit.collect.folder import FolderDirectory
from mailaudit.collect.world import Layers
from mailaudit.settings.tables import SettingsError


def named_file(path: str) -> bytes | None:
    """The bytes of a file, links to it followed; None if it is not there. Raises `RefusedError` if it is none to read."""
    try:
        whole = Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise RefusedError(f"{path} cannot be read: {_why(error)}") from error
    spot, data = read(FolderDirectory.at(Path("/")), str(whole))
    return None if spot.stat is None else data


def absolute(path: str) -> str:
    """A path from the root on, without `..`, links not followed; as it is where the working directory is gone."""
    with suppress(OSError):
        return os.path.abspath(path)  # noqa: PTH100  pathlib does not take ".." away without following links
    return path


def _why(error: Exception) -> str:
    return (
        "its links lead in a circle"
        if isinstance(error, RuntimeError)
        else str(getattr(error, "strerror", None) or error).lower()
    )


def named_settings(path: str) -> Layers:
    """The settings that the user named, alone. Raises `SettingsError` where they cannot be read."""
    try:
        data = named_file(path)
    except RefusedError as error:
        said = str(error) if str(error).startswith(path) else f"{path} cannot be read: {error}"
        raise SettingsError(f"--config {said}") from error
    if data is None:
        raise SettingsError(f"--config {path}: there is no such file")
    return ((path, data),)


def file_below(root: str, path: str) -> bytes | None:
    """The bytes of a host's file by its path on the host, below a root; None if it is not there or none to read."""
    try:
        spot, data = read(FolderDirectory.at(Path(root or "/")), path)
    except RefusedError:
        return None
    return None if spot.stat is None else data
