"""The times of senders, as microseconds or not at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import DAY, from_datetime, to_datetime
from app.sources import times

AT = 1_686_558_278_326_000  # 2023-06-12T08:24:38.326Z


@pytest.mark.parametrize(
    "text",
    [
        "2023-06-12T08:24:38.326Z",
        "2023-06-12T08:24:38.326z",
        "2023-06-12T08:24:38.326000999Z",
        "2023-06-12T08:24:38.3260000Z",
        "2023-06-12T10:24:38.326+02:00",
        "2023-06-12T10:24:38.326+0200",
        "2023-06-12T08:24:38.326+0000",
        "2023-06-12T01:54:38.326000-06:30",
        "2023-06-12T08:24:38.326",
        "2023-06-12 08:24:38.326",
        " 2023-06-12T08:24:38.326Z ",
        "1686558278.326",
        "1686558278326",
        "1686558278326000",
        "1686558278326000999",
        1_686_558_278_326,
        1_686_558_278_326_000,
        1_686_558_278_326_000_999,
        1686558278326.0,
    ],
)
def test_one_instant_in_all_its_forms(text):
    assert times.parse(text) == AT


@pytest.mark.parametrize(
    "value",
    [
        *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z", "0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00-12:00"),
        *("0000-00-00T00:00:00Z", "0", 0, 0.0, "", " ", None, True, False, -1, "-5", "1970-01-01T00:00:00Z", 1, "2023"),
        *("soon", "16:30:00", "2026.08.27", "99999-01-01T00:00:00Z", "2023-13-01T00:00:00Z", "9" * 21, 10**30, 1e300),
        *(float("nan"), float("inf"), [], {}, ["2023-06-12T08:24:38Z"], "2023-06-12T08:24:38Z" * 9, "\x00", "١٢"),
    ],
)
def test_what_is_not_set_or_cannot_be_read_is_none(value):
    assert times.parse(value) is None
    assert times.zoned(value) is None


def test_what_is_read_can_be_shown():
    assert to_datetime(times.parse("9999-12-31T23:59:59.999999Z")).year == 9999
    assert times.parse("9999-12-31T23:59:59-14:00") is None


@pytest.mark.parametrize(
    ("number", "micros"),
    [
        (1_686_558_278, 1_686_558_278_000_000),
        ("1686558278", 1_686_558_278_000_000),
        (99_999_999_999, 99_999_999_999_000_000),
    ],
)
def test_below_1e11_means_seconds(number, micros):
    assert times.parse(number) == micros
    assert times.parse(100_000_000_000) == 100_000_000_000_000  # milliseconds: March 1973


@pytest.mark.parametrize("text", ["2023-06-12T08:24:38.326", "2023-06-12 08:24:38", "2023-06-12"])
def test_zoned_does_not_believe_a_date_without_a_zone(text):
    assert times.zoned(text) is None
    assert times.parse(text) is not None


@pytest.mark.parametrize(
    "value", ["2023-06-12T10:24:38.326+02:00", "2023-06-12T08:24:38.326Z", "1686558278.326", 1_686_558_278_326]
)
def test_zoned_believes_offsets_and_epochs(value):
    assert times.zoned(value) == AT


def test_sane_takes_a_clock_that_is_a_day_ahead_and_no_more():
    assert times.sane(AT + DAY, AT) == AT + DAY
    assert times.sane(AT + DAY + 1, AT) is None
    assert times.sane(None, AT) is None
    assert times.sane(5, AT) == 5


@given(
    st.datetimes(min_value=datetime(1974, 1, 1), max_value=datetime(2200, 1, 1)),  # noqa: DTZ001 - the zone is drawn below
    st.integers(min_value=-14 * 60, max_value=14 * 60),
)
def test_any_instant_in_any_zone_comes_back_to_the_microsecond(naive, offset):
    at = naive.replace(tzinfo=timezone(timedelta(minutes=offset)))
    assert times.parse(at.isoformat()) == from_datetime(at)
    assert times.parse(at.astimezone(UTC).isoformat().replace("+00:00", "Z")) == from_datetime(at)


@given(st.one_of(st.text(), st.integers(), st.floats(), st.none(), st.lists(st.text())))
def test_nothing_raises_and_nothing_is_before_1973(value):
    for read in (times.parse, times.zoned):
        at = read(value)
        assert at is None or (at >= 100_000_000_000_000 and to_datetime(at))
