"""When cron runs a job: its five fields as sets of numbers, and how long it may be from one run to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise, product

from mailaudit.parsers.crontab import FIELDS, Range, ranges

_DAY = 24 * 60
_FIRST = date(2024, 1, 1)
_DAYS = 4 * 366 + 40  # over a leap year
_MOST = 400  # combinations of random days that are gone through
_SPECIAL = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """The fields as written, by their kinds; none of them for a job that runs at boot alone."""

    fields: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, fields: Mapping[str, str]) -> Schedule:
        """The schedule of a job's fields, or of its `when`."""
        when = fields.get("when")
        if when is not None:
            words = _SPECIAL.get(when, "").split()
            return cls(tuple(zip(FIELDS, words, strict=False)))
        return cls(tuple((kind, fields[kind]) for kind in FIELDS))

    @property
    def longest_gap(self) -> int | None:
        """The minutes from one run to the next, at worst: of random times the worst that can come.

        None if it cannot be told, and if the job may not run twice in four years.
        """
        return _longest_gap(self.fields) or None

    def at_least_every(self, minutes: int) -> bool | None:
        """True if no more than so many minutes pass between two runs; None if it cannot be told."""
        gap = _longest_gap(self.fields)
        return None if gap is None else 0 < gap <= minutes


def _choices(kind: str, written: str) -> Iterator[frozenset[int]]:
    """The sets of numbers that a field may mean: one, or one for each number that cron may draw.

    Of several random elements the first is drawn and the others are left out, which can only lengthen the time between runs.
    """
    elements = ranges(kind, written) or ()
    fixed = frozenset(number for each in elements if not each.random for number in range(each.low, each.high + 1, each.step))
    drawn = next((each for each in elements if each.random), None)
    if drawn is None:
        yield fixed
        return
    yield from (fixed | numbers for numbers in _drawn(drawn))


def _drawn(drawn: Range) -> Iterator[frozenset[int]]:
    if drawn.step == 1:
        yield from (frozenset({number}) for number in range(drawn.low, drawn.high + 1))
        return
    for offset in range(max(min(drawn.step, drawn.high - drawn.low), 1)):
        yield frozenset(range(drawn.low + offset, drawn.high + 1, drawn.step))


@lru_cache(maxsize=256)
def _longest_gap(fields: tuple[tuple[str, str], ...]) -> int | None:
    """The minutes; 0 for a job that may not run twice in four years, None if there are too many draws to go through."""
    given = dict(fields)
    if not given:
        return 0
    times = [_time_gaps(minutes, hours) for minutes in _some(given, "minute") for hours in _some(given, "hour")]
    within = max(gap for gap, _ in times)
    overnight = max(rest for _, rest in times)
    star = any(given[kind].startswith("*") for kind in ("monthday", "weekday"))
    days = list(product(*(_some(given, kind) for kind in ("monthday", "month", "weekday"))))
    if len(days) > _MOST:
        return None
    gaps = [_day_gap(monthdays, months, weekdays, star) for monthdays, months, weekdays in days]
    worst = [gap for gap in gaps if gap is not None]
    if len(worst) < len(gaps):
        return 0
    return max(within, max(worst) * _DAY + overnight)


def _some(given: Mapping[str, str], kind: str) -> list[frozenset[int]]:
    return list(_choices(kind, given[kind]))


def _time_gaps(minutes: frozenset[int], hours: frozenset[int]) -> tuple[int, int]:
    """The longest time between two runs of one day, and what is added to whole days from the last run to the next day's first."""
    times = sorted(hour * 60 + minute for hour in hours for minute in minutes)
    return max((after - before for before, after in pairwise(times)), default=0), times[0] - times[-1]


@lru_cache(maxsize=1024)
def _day_gap(monthdays: frozenset[int], months: frozenset[int], weekdays: frozenset[int], star: bool) -> int | None:
    """The most days from one run to the next, or None where there are not two runs in four years."""
    week = frozenset(number % 7 for number in weekdays)
    last: date | None = None
    longest: int | None = None
    for number in range(_DAYS):
        day = _FIRST + timedelta(days=number)
        by_month, by_week = day.day in monthdays, day.isoweekday() % 7 in week
        if day.month not in months or not ((by_month and by_week) if star else (by_month or by_week)):
            continue
        if last is not None:
            longest = max(longest or 0, (day - last).days)
        last = day
    return longest
