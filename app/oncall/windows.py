"""Windows of local time that come back each week, such as support hours: whether an instant is in one, and when that changes.

They are read on the clock of one zone (walltime.py): in a night in which the clocks change a window may last an hour more or
less, but it never leaves a gap. Pure: must never know whose windows they are, nor read a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.clock import DAY, Micros
from app.oncall.codec import WEEKDAYS, read_clock
from app.oncall.holidays import holiday_spans
from app.oncall.schedule import Restriction
from app.oncall.walltime import UnknownZone, instant, last_instant, wall, zone

AHEAD = 15
"""Days that are looked at: holidays may join two weekends, and no calendar has more off in a row."""
_ONE_DAY = timedelta(days=1)

Span = tuple[Micros, Micros]


@dataclass(frozen=True, slots=True)
class Windows:
    """Open while any of the restrictions is, and not on the public holidays of a country, where one is named."""

    time_zone: str
    restrictions: tuple[Restriction, ...]
    country: str = ""
    subdivision: str = ""


def restriction(weekdays: Iterable[str], start: str, end: str) -> Restriction:
    """A window as documents say it: "mon", "08:00", "18:00"."""
    days = frozenset(WEEKDAYS.index(day) for day in weekdays)
    return Restriction(days, read_clock("start", start), read_clock("end", end))


def is_open(windows: Windows, at: Micros) -> bool:
    """Whether an instant is in a window."""
    return any(start <= at < end for start, end in _spans(windows, at))


def opens_at(windows: Windows, at: Micros) -> Micros | None:
    """The first instant from `at` on that is in a window; None: there is none within two weeks."""
    return next((max(start, at) for start, end in _spans(windows, at) if end > at), None)


def closes_at(windows: Windows, at: Micros) -> Micros | None:
    """The first instant from `at` on that is in no window; None: there is none within two weeks."""
    closed = next((end for start, end in _spans(windows, at) if start <= at < end), at)
    return closed if closed < at + (AHEAD - 1) * DAY else None


def _spans(windows: Windows, at: Micros) -> Sequence[Span]:
    """The windows around an instant, in order; those that meet are one."""
    merged: list[Span] = []
    for start, end in sorted(_each(windows, at)):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], end)
        else:
            merged.append((start, end))
    if not windows.country or not merged:
        return merged
    off = holiday_spans(windows.country, windows.subdivision, windows.time_zone, merged[0][0], merged[-1][1])
    for since, until, _ in off:
        merged = [piece for span in merged for piece in _without(span, since, until)]
    return merged


def _each(windows: Windows, at: Micros) -> Iterator[Span]:
    try:
        rules = zone(windows.time_zone)
    except UnknownZone:  # dropped by a newer tzdata: a page is not to fail for it
        rules = zone("UTC")
    today = wall(rules, at).date()
    for day in (today + _ONE_DAY * offset for offset in range(-2, AHEAD + 1)):
        for one in windows.restrictions:
            if day.weekday() in one.weekdays:
                last = day if one.end > one.start else day + _ONE_DAY
                start = instant(rules, datetime.combine(day, one.start))
                end = last_instant(rules, datetime.combine(last, one.end))
                if start < end:
                    yield start, end


def _without(span: Span, since: Micros, until: Micros) -> Iterator[Span]:
    if since >= span[1] or until <= span[0]:
        yield span
        return
    if span[0] < since:
        yield span[0], since
    if until < span[1]:
        yield until, span[1]
