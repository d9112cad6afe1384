"""OpenBSD's releases as far as they are known here, and which of them still got fixes at a given day."""

from __future__ import annotations

from datetime import date, timedelta

from mailaudit.models.release import Number

AS_OF = date(2026, 8, 31)  # what came out later is not in the table
RELEASED: dict[Number, date] = {
    (7, 0): date(2021, 10, 14),
    (7, 1): date(2022, 4, 21),
    (7, 2): date(2022, 10, 20),
    (7, 3): date(2023, 4, 10),
    (7, 4): date(2023, 10, 16),
    (7, 5): date(2024, 4, 5),
    (7, 6): date(2024, 10, 7),
    (7, 7): date(2025, 4, 28),
    (7, 8): date(2025, 10, 22),
    (7, 9): date(2026, 5, 19),
}
"""The day of each release (openbsd.org): the two newest get fixes."""
SHORTEST = timedelta(days=150)  # releases come half a year apart, none of these nearer to the next than this


def is_supported(release: Number, day: date) -> bool | None:
    """True if a release is one of the two newest of a day; None if that depends on releases that are not in the table."""
    known = sorted(number for number, released in RELEASED.items() if released <= day)
    if release not in RELEASED:
        return False if known and release < min(RELEASED) else None
    newer = sum(number > release for number in known)
    if newer > 1:
        return False
    newest = RELEASED[max(RELEASED)]
    most_since = max(0, (day - newest) // SHORTEST) if day > AS_OF else 0
    return True if newer + most_since <= 1 else None
