"""What is told of a gap ahead, and when: a week and a day ahead, each once, and again only of another gap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import DAY, HOUR, MINUTE, SECOND
from app.rota.ahead import APART, times
from app.rota.gap_plan import Kept, Known, Stage, daily_look, next_look, recognized, to_tell
from app.rota.reach import Finding, FindingKind
from tests.harness.clock import START

WEEK = 7 * DAY


def gap(starts_in: int, kind: FindingKind = "nobody", told: Stage = "") -> Known:
    return Known(Finding(kind, START + starts_in, START + starts_in + HOUR, ("why",)), told)


@pytest.mark.parametrize(
    ("known", "stage"),
    [
        (gap(WEEK + 1), ""),
        (gap(WEEK), "week"),
        (gap(DAY + 1), "week"),
        (gap(DAY), "day"),
        (gap(0), "day"),
        (gap(-HOUR), "day"),
        (gap(DAY + 1, told="week"), ""),
        (gap(DAY, told="week"), "day"),
        (gap(DAY, told="day"), ""),
        (gap(WEEK, "unverified"), "week"),
        (gap(DAY, "unverified", "week"), "day"),
        (gap(WEEK, "same_person"), "week"),
        (gap(HOUR, "same_person"), "week"),
        (gap(DAY, "same_person", "week"), ""),
    ],
)
def test_a_week_ahead_and_a_day_ahead_each_once(known, stage):
    assert to_tell(known, START) == stage


@pytest.mark.parametrize(
    ("known", "look_in"),
    [
        ((), DAY // 2),
        ((gap(WEEK + HOUR),), HOUR),
        ((gap(DAY + MINUTE, told="week"), gap(WEEK + HOUR)), MINUTE),
        ((gap(HOUR, told="day"),), DAY // 2),
        ((gap(20 * DAY),), DAY // 2),
    ],
)
def test_the_next_look_is_when_there_is_something_to_tell_or_the_daily_one(known, look_in):
    assert next_look(known, START, START + DAY // 2) == START + look_in


def test_a_gap_that_a_look_finds_again_is_the_same_and_another_is_not():
    kept = [Kept("nobody", START + DAY, START + DAY + HOUR, "week")]
    (same,) = recognized(kept, [gap(DAY).finding], START)
    assert same.told == "week"
    for other in (gap(DAY + MINUTE), gap(DAY, "unverified")):
        assert recognized(kept, [other.finding], START)[0].told == ""


def test_a_gap_that_is_on_keeps_its_beginning_as_long_as_it_goes_on():
    kept = [Kept("nobody", START - DAY, START + HOUR, "day"), Kept("nobody", START + WEEK, START + WEEK + HOUR, "")]
    (known,) = recognized(kept, [gap(0).finding], START)
    assert (known.finding.starts_at, known.told) == (START - DAY, "day")
    over = [Kept("nobody", START - DAY, START - 1, "day")]
    (new,) = recognized(over, [gap(0).finding], START)
    assert (new.finding.starts_at, new.told) == (START, "")


@given(st.integers(0, 2**63 - 1), st.integers(0, 2**52))
def test_the_daily_look_is_within_a_day_at_the_same_time_of_each(policy, now):
    first = daily_look(policy, now)
    assert 0 < first - now <= DAY
    assert daily_look(policy, first) == first + DAY


def test_daily_looks_are_spread_over_the_day():
    ids = [7_000_000_000_000_000 + step * 4096 for step in range(1_000)]
    spots = sorted((daily_look(policy, START) - START) // HOUR for policy in ids)
    assert all(20 <= spots.count(hour) <= 65 for hour in range(24))


def test_many_policies_are_looked_at_one_after_the_other_and_not_all_the_time():
    few, many = list(range(10)), list(range(1_000))
    assert times(few, dict.fromkeys(few, START), START) == {place: START + place * APART for place in few}
    first = times(many, {}, START)
    assert sorted(first.values()) == [START + place * APART for place in many]
    again = times(many, first, START + 10 * SECOND)
    assert all(again[policy] - first[policy] >= 2 * len(many) * APART for policy in many)
