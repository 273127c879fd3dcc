"""Windows of local time: open or not, and when that changes, also where the clocks change and on holidays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import DAY, HOUR, MINUTE
from app.oncall.windows import Windows, closes_at, is_open, opens_at, restriction
from tests.harness.rotas import at

WORK = ("mon", "tue", "wed", "thu", "fri")
ALL = (*WORK, "sat", "sun")
OFFICE = Windows("Europe/Berlin", (restriction(WORK, "09:00", "17:00"),))
NIGHT = Windows("Europe/Berlin", (restriction(ALL, "22:00", "07:00"),))


@pytest.mark.parametrize(
    ("instant", "open_", "opens", "closes"),
    [
        ("2026-03-27T07:59:59Z", False, "2026-03-27T08:00:00Z", "2026-03-27T07:59:59Z"),
        ("2026-03-27T08:00:00Z", True, "2026-03-27T08:00:00Z", "2026-03-27T16:00:00Z"),
        ("2026-03-27T16:00:00Z", False, "2026-03-30T07:00:00Z", "2026-03-27T16:00:00Z"),
    ],
    ids=["just before", "from the minute on", "over a weekend in which the clocks change"],
)
def test_office_hours_are_those_of_the_wall(instant: str, open_: bool, opens: str, closes: str) -> None:
    now = at(instant)
    assert is_open(OFFICE, now) is open_
    assert opens_at(OFFICE, now) == at(opens)
    assert closes_at(OFFICE, now) == at(closes)


def test_a_night_in_which_the_clocks_change_is_one_window_of_another_length() -> None:
    for evening, morning in (
        ("2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z"),
        ("2026-10-24T20:00:00Z", "2026-10-25T06:00:00Z"),
    ):
        assert closes_at(NIGHT, at(evening)) == at(morning)


def test_a_public_holiday_is_outside() -> None:
    there = Windows("Europe/Berlin", OFFICE.restrictions, "DE")
    assert opens_at(there, at("2026-04-02T16:00:00Z")) == at("2026-04-07T07:00:00Z"), "Good Friday to Easter Monday"


def test_what_is_always_open_never_closes_and_a_zone_nobody_knows_is_utc() -> None:
    always = Windows("No/Where", (restriction(ALL, "00:00", "00:00"),))
    assert is_open(always, at("2026-03-29T01:30:00Z"))
    assert closes_at(always, at("2026-03-29T01:30:00Z")) is None


@given(st.integers(0, 364 * 24 * 60), st.sampled_from([OFFICE, NIGHT]))
def test_between_now_and_the_next_change_nothing_changes(minutes: int, windows: Windows) -> None:
    now = at("2026-01-01T00:00:00Z") + minutes * MINUTE
    if is_open(windows, now):
        until = closes_at(windows, now)
        assert until is not None
        assert now < until <= now + 11 * HOUR
        assert is_open(windows, until - 1)
        assert not is_open(windows, until)
    else:
        until = opens_at(windows, now)
        assert until is not None
        assert now < until <= now + 4 * DAY
        assert not is_open(windows, until - 1)
        assert is_open(windows, until)
