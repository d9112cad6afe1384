"""Reads what earlier runs wrote: reports and baselines, which the command line names."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mailaudit.commands.telling import UsageError
from mailaudit.comparing.baseline import Baseline, read_baseline
from mailaudit.comparing.known import Known, of_data, read_report
from mailaudit.comparing.nodes import ContentError, Node
from mailaudit.findings import Report
from mailaudit.reports import json

MOST = 128 * 1024 * 1024  # bytes: the report of some hundred hosts
Read = TypeVar("Read")


def earlier_report(path: str, option: str) -> Known:
    """A report in a file. Raises `UsageError`, which names the option and the place."""
    return _read(path, option, read_report, "mailaudit scan TARGET --output json:FILE writes one")


def baseline_in(path: str, option: str) -> Baseline:
    """A baseline in a file. Raises `UsageError` as well."""
    return _read(path, option, read_baseline, "mailaudit baseline create TARGET --baseline FILE writes one")


def known(report: Report, origin: str) -> Known:
    """A report that was just made, as its JSON will be read."""
    return of_data(Node(origin, json.as_data(report)))


def is_report(path: str) -> bool:
    """True for a file that begins as JSON does: no archive, no folder."""
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            return file.read(64).lstrip()[:1] in (b"{", b"[", b"")
    except OSError:
        return False


def is_there(path: str) -> bool:
    """True if anything is at a path."""
    return os.path.lexists(path)


def _read(path: str, option: str, read: Callable[[bytes, str], Read], hint: str) -> Read:
    said = f"{option} {path}" if option else path
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise UsageError(f"{said}: it is no regular file", hint)
        with Path(path).open("rb") as file:
            data = file.read(MOST + 1)
    except FileNotFoundError as error:
        raise UsageError(f"{said}: there is no such file", hint) from error
    except (OSError, ValueError) as error:
        why = (getattr(error, "strerror", None) or str(error)).lower()
        raise UsageError(f"{said}: it cannot be read: {why}") from error
    if len(data) > MOST:
        raise UsageError(f"{said}: it is over {MOST // 1024 // 1024} MiB, the most that mailaudit reads")
    try:
        return read(data, path)
    except ContentError as error:
        raise UsageError(f"{option} {error}".strip(), hint) from error
