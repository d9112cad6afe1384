"""Writes a folder that was not there: all of it or nothing."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from mailaudit.commands.telling import UsageError
from mailaudit.wording import why_not


@contextmanager
def writable(named: str) -> Iterator[None]:
    """What the system refuses at a place that the command line names is no defect: a `UsageError` with the option and place."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{named}: it cannot be written: {why_not(error)}") from error


def vacant(out: str, option: str = "-o") -> None:
    """Raise `UsageError`, which names the option, unless a new folder can be made there."""
    place = Path(out)
    with writable(f"{option} {out}"):
        if place.is_symlink() or (place.exists() and (not place.is_dir() or any(place.iterdir()))):
            raise UsageError(f"{option} {out}: it is there already; name a folder that is new or empty")
        if not place.absolute().parent.is_dir():
            raise UsageError(f"{option} {out}: there is no {place.absolute().parent}")


def write_new(place: Path, files: Mapping[str, bytes]) -> None:
    """Write files by their paths in the folder. It is moved to its place when it is whole; none but its owner may read it."""
    made = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.absolute().parent))
    try:
        (made / "etc").mkdir(mode=0o700)
        for path, data in files.items():
            file = made / path
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.write_bytes(data)
            file.chmod(0o600)
        with suppress(FileNotFoundError):
            place.rmdir()
        made.rename(place)
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
