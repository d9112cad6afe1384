"""What the command line chose, as an audit takes it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from mailaudit.audit import Options
from mailaudit.choices import Common
from mailaudit.commands.telling import UsageError
from mailaudit.findings import Severity
from mailaudit.reports.terminal.report import Detail
from mailaudit.settings import values


def chosen_targets(named: Sequence[str], targets_file: str | None) -> list[str]:
    """All targets that are named, on the command line and in a file."""
    targets = [*named, *(_listed(targets_file) if targets_file is not None else ())]
    if not targets:
        raise UsageError("no TARGET is named", "mailaudit scan DIRECTORY")
    for target in targets:
        if not _is_path(target):
            raise UsageError(f"{target}: no such file or directory; this version scans no live hosts")
    return targets


def _is_path(target: str) -> bool:
    return "/" in target or target.startswith(".") or os.path.lexists(target)


def _listed(path: str) -> list[str]:
    try:
        lines = Path(path).read_text("utf-8", "surrogateescape").splitlines()
    except OSError as error:
        raise UsageError(f"-T {path}: {(error.strerror or str(error)).lower()}") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def detail(common: Common) -> Detail:
    """How much is told."""
    return Detail.QUIET if common.quiet else Detail.VERBOSE if common.verbose else Detail.NORMAL


def options(common: Common) -> Options:
    """What an audit needs to know of the command line."""
    return Options(
        profile=common.profile,
        select=_split(common.select),
        ignore=_split(common.ignore),
        fail_on=Severity[common.fail_on.upper()],
        config=common.config,
        domain=tuple(map(_domain, common.domain or ())),
        now=_time(common.now),
        inline_ignores=not common.no_inline_ignores,
        strict_waivers=common.strict_waivers,
        exit_zero=common.exit_zero,
        allow_incomplete=common.allow_incomplete,
    )


def _split(selectors: Sequence[str] | None) -> tuple[str, ...]:
    return tuple(each.strip() for selector in selectors or () for each in selector.split(",") if each.strip())


def _domain(written: str) -> str:
    try:
        return values.domain(written)
    except ValueError as error:
        raise UsageError(f"--domain {written}: expected a domain like example.com") from error


def _time(written: str | None) -> datetime | None:
    if written is None:
        return None
    try:
        time = datetime.fromisoformat(written)
    except ValueError as error:
        raise UsageError(f"--now {written}: expected a time such as 2026-11-22T12:00:00Z") from error
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
