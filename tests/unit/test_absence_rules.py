"""The pure rules of absences and of rest: which instants a day has, what a night is, what can be entered."""

from __future__ import annotations

from datetime import date, datetime

import pytest

from app.clock import DAY, HOUR, Micros, from_datetime, iso
from app.oncall.schedule import BadField
from app.rota.absences import LONGEST, Days, check, span_of
from app.rota.rest import last_night, next_morning

NOW: Micros = 1_767_571_200_000_000
"""2026-01-05T00:00:00Z."""


def at(text: str) -> Micros:
    return from_datetime(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("first", "last", "zone", "start", "end"),
    [
        ("2026-01-05", "2026-01-05", "UTC", "2026-01-05T00:00:00.000Z", "2026-01-06T00:00:00.000Z"),
        ("2026-01-05", "2026-01-09", "Asia/Tokyo", "2026-01-04T15:00:00.000Z", "2026-01-09T15:00:00.000Z"),
        # 23 hours: the clocks go forward on that day.
        ("2026-03-29", "2026-03-29", "Europe/Berlin", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"),
        # 25 hours: they go back.
        ("2026-10-25", "2026-10-25", "Europe/Berlin", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"),
        # Midnight is missing: the day begins when the clock jumps over it.
        ("2018-11-04", "2018-11-04", "America/Sao_Paulo", "2018-11-04T03:00:00.000Z", "2018-11-05T02:00:00.000Z"),
    ],
)
def test_days_are_from_midnight_to_midnight_where_the_person_lives(
    first: str, last: str, zone: str, start: str, end: str
) -> None:
    found = span_of(Days(date.fromisoformat(first), date.fromisoformat(last)), zone)
    assert tuple(map(iso, found)) == (start, end)


def test_days_in_the_wrong_order_and_days_nowhere_are_refused() -> None:
    with pytest.raises(BadField, match="to must not be before from"):
        span_of(Days(date(2026, 1, 2), date(2026, 1, 1)), "UTC")
    with pytest.raises(BadField, match="use starts_at"):
        span_of(Days(date(2026, 1, 1), date(2026, 1, 1)), "No/Where")


@pytest.mark.parametrize(
    ("start", "end", "fits"),
    [
        (NOW, NOW + 1, True),
        (NOW - DAY, NOW + 1, True),
        (NOW, NOW, False),
        (NOW + 2, NOW + 1, False),
        (NOW - DAY, NOW, False),
        (NOW, NOW + LONGEST, True),
        (NOW, NOW + LONGEST + 1, False),
    ],
)
def test_an_absence_ends_after_it_starts_and_after_now_and_within_two_years(
    start: Micros, end: Micros, fits: bool
) -> None:
    if fits:
        check(start, end, NOW)
        return
    with pytest.raises(BadField, match="ends_at"):
        check(start, end, NOW)


@pytest.mark.parametrize(
    ("zone", "now", "evening", "morning"),
    [
        ("UTC", "2026-01-06T06:00:00Z", "2026-01-05T22:00:00.000Z", "2026-01-06T06:00:00.000Z"),
        ("UTC", "2026-01-06T05:59:59Z", "2026-01-04T22:00:00.000Z", "2026-01-05T06:00:00.000Z"),
        ("UTC", "2026-01-06T23:00:00Z", "2026-01-05T22:00:00.000Z", "2026-01-06T06:00:00.000Z"),
        ("Asia/Tokyo", "2026-01-06T00:00:00Z", "2026-01-05T13:00:00.000Z", "2026-01-05T21:00:00.000Z"),
        # Seven hours and nine: the nights in which the clocks change.
        ("Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T21:00:00.000Z", "2026-03-29T04:00:00.000Z"),
        ("Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T20:00:00.000Z", "2026-10-25T05:00:00.000Z"),
    ],
)
def test_a_night_is_from_22_to_6_on_the_clock_and_the_last_one_is_over(
    zone: str, now: str, evening: str, morning: str
) -> None:
    assert tuple(map(iso, last_night(zone, at(now)))) == (evening, morning)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia"])
def test_the_next_morning_is_the_end_of_the_night_that_is_not_over_yet(zone: str) -> None:
    for hours in range(0, 24 * 365, 7):
        now = NOW + hours * HOUR
        morning = next_morning(zone, now)
        assert now < morning <= now + 25 * HOUR
        assert last_night(zone, morning)[1] == morning
        assert last_night(zone, morning - 1)[1] <= now
