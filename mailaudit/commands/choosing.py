"""What the command line chose, as an audit takes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from mailaudit.auditor import Options
from mailaudit.choices import Common, Looking
from mailaudit.collect.login import Login
from mailaudit.commands.looking import login
from mailaudit.commands.telling import UsageError
from mailaudit.findings import Severity
from mailaudit.reports.terminal.report import Detail
from mailaudit.settings import values


def detail(common: Common) -> Detail:
    """How much is told."""
    return Detail.QUIET if common.quiet else Detail.VERBOSE if common.verbose else Detail.NORMAL


def options(common: Common, looking: Looking | None = None, way: Login | None = None) -> Options:
    """What an audit needs to know of the command line; `way` is how it looks at hosts, where that is known already."""
    if looking is not None and way is None:
        way = login(looking)
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
        outside=way.outside if way is not None and looking is not None and looking.online else None,
        login=way or Login(),
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
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError) as error:  # an hour before the first year, in a zone of its own
        raise UsageError(f"--now {written}: expected a time such as 2026-11-22T12:00:00Z") from error
