"""The certificates' lifetimes on a line of time, around the time that they were judged at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from mailaudit.findings import Lifetime
from mailaudit.reports.html.hops import Shape
from mailaudit.reports.html.marks import color, worded
from mailaudit.reports.html.markup import NOTHING, Html, joined, tag
from mailaudit.reports.view import View
from mailaudit.wording import number_of

MANY = 8  # names or places of one certificate that are named
BACK, AHEAD = timedelta(days=120), timedelta(days=400)  # as far as the line reaches at most
SOON = 0.2  # the share of a lifetime that is left when it should have been renewed
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
LEAST = 0.6  # percent: a bar that can be seen


def lifetimes(view: View) -> Html:
    """All certificates of a host, the first to end first, each once."""
    host = view.host
    alike: dict[str, list[Lifetime]] = {}
    for each in host.certificates:
        alike.setdefault(each.digest, []).append(each)
    if not alike:
        return NOTHING
    now = host.now or max(each.not_before for each in host.certificates)
    rows = sorted(alike.values(), key=lambda each: (each[0].not_after, each[0].digest))
    line = _Line(now, [each[0] for each in rows])
    drawn = [tag("li", _words(view, each, now), line.bar(each[0])) for each in rows]
    judged = tag("p", f"Judged at {_day(now)} {now.hour:02}:{now.minute:02} UTC.", class_="soft")
    return joined(judged, line.axis(), tag("ol", drawn, class_="lifetimes"))


def _words(view: View, places: Sequence[Lifetime], now: datetime) -> Html:
    first = places[0]
    names = _some([view.clean(each) for each in first.names])
    dates = f"{_day(first.not_before)} to {_day(first.not_after)}"
    shape, word = _standing(first, now)
    return joined(
        tag("p", tag("b", names), " ", worded(shape, word)),
        tag("p", dates, ", at ", _some([view.clean(each.at) for each in places]), class_="soft"),
    )


def _standing(lifetime: Lifetime, now: datetime) -> tuple[Shape, str]:
    days = (lifetime.not_after - now).days
    if now > lifetime.not_after:
        return Shape.CRITICAL, f"expired {number_of((now - lifetime.not_after).days, 'day')} ago"
    if now < lifetime.not_before:
        return Shape.CRITICAL, f"not valid before {_day(lifetime.not_before)}"
    if lifetime.not_after - now < SOON * (lifetime.not_after - lifetime.not_before):
        return Shape.MEDIUM, f"ends in {number_of(days, 'day')}"
    return Shape.FINE, f"{number_of(days, 'day')} left"


class _Line:
    """A line of time, from the first beginning to the last end, as far as that is near; places on it are in percent."""

    def __init__(self, now: datetime, told: Sequence[Lifetime]) -> None:
        earliest = datetime.min.replace(tzinfo=UTC) + BACK
        latest = datetime.max.replace(tzinfo=UTC) - AHEAD
        near = min(max(now, earliest), latest)
        pad = timedelta(days=14)
        self.now = near
        self.begin = max(near - BACK, min(near - pad, *(each.not_before for each in told)))
        self.end = min(near + AHEAD, max(near + pad, *(each.not_after for each in told)))

    def at(self, time: datetime) -> float:
        """Where a time is on it, at most at its ends."""
        share = (time - self.begin) / (self.end - self.begin)
        return round(100 * min(max(share, 0.0), 1.0), 2)

    def months(self) -> Iterator[datetime]:
        """The first days of its months; of many months some."""
        step = max(1, round((self.end - self.begin).days / 30 / 6))
        year, month = self.begin.year, self.begin.month
        while True:
            year, month = year + (month - 1 + step) // 12, (month - 1 + step) % 12 + 1
            time = datetime(year, month, 1, tzinfo=UTC)
            if time >= self.end:
                return
            yield time

    def axis(self) -> Html:
        """Its months and the time of the audit."""
        shown = [time for time in self.months() if self.at(time) < 90]
        words = [
            MONTHS[time.month - 1] + (f" {time.year}" if not number or time.month <= 2 else "")
            for number, time in enumerate(shown)
        ]
        marks = [tag("text", word, x=f"{self.at(time)}%", y=12, class_="small") for word, time in zip(words, shown, strict=True)]
        now = tag("text", "now", x=f"{self.at(self.now)}%", y=28, class_="small now", text_anchor="middle")
        return tag("svg", marks, now, class_="axis", height=32, aria_hidden="true")

    def bar(self, lifetime: Lifetime) -> Html:
        """One certificate's."""
        start, end = self.at(lifetime.not_before), self.at(lifetime.not_after)
        width = max(round(end - start, 2), LEAST)
        shape = _standing(lifetime, self.now)[0]
        ticks = [tag("line", x1=f"{x}%", x2=f"{x}%", y1=0, y2=16, class_="tick") for x in map(self.at, self.months())]
        left = f"{min(start, 100 - width)}%"
        whole = tag("rect", x=left, y=4, width=f"{width}%", height=8, rx=2, class_=f"bar {color(shape)}")
        now = self.at(self.now)
        line = tag("line", x1=f"{now}%", x2=f"{now}%", y1=0, y2=16, class_="now")
        return tag("svg", ticks, whole, line, class_="life", height=16, aria_hidden="true")


def _day(time: datetime) -> str:
    return f"{time.year:04}-{time.month:02}-{time.day:02}"


def _some(words: list[str]) -> str:
    return ", ".join(words[:MANY]) + (f" and {len(words) - MANY} more" if len(words) > MANY else "")
