"""Shifts and gaps tile every interval, say what is said for each instant, and are as few as they can be."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings

from app.clock import DAY, HOUR, MINUTE
from app.oncall.resolve import ByLayer, ByOverride, Duty, next_change, on_call
from app.oncall.schedule import BadRange, OverrideId, Schedule
from app.oncall.shifts import MAX_RANGE, Gap, Shift, gaps, shifts
from tests.harness.rotas import ANA, BEN, CLEO, DAN, SAT, SUN, at, daily, override, situations, weekly, window

WEEKLY = Schedule("Europe/Berlin", (weekly("primary", "2026-01-05", "10:00", ANA, BEN, CLEO),))


def turn(starts_at, ends_at, person, layer, number):
    return Shift(at(starts_at), at(ends_at), person, ByLayer(layer, number))


def stand_in(starts_at, ends_at, person, number, replaces=None):
    return Shift(at(starts_at), at(ends_at), person, ByOverride(OverrideId(number), replaces))


def test_a_weekly_rota_over_both_changes_of_the_clocks():
    spring = shifts(WEEKLY, (), at("2026-03-25T00:00:00Z"), at("2026-04-08T00:00:00Z"))
    assert spring == (
        turn("2026-03-25T00:00:00Z", "2026-03-30T08:00:00Z", CLEO, "primary", 12),
        turn("2026-03-30T08:00:00Z", "2026-04-06T08:00:00Z", ANA, "primary", 13),
        turn("2026-04-06T08:00:00Z", "2026-04-08T00:00:00Z", BEN, "primary", 14),
    )
    autumn = shifts(WEEKLY, (), at("2026-10-19T08:00:00Z"), at("2026-11-02T09:00:00Z"))
    assert autumn == (
        turn("2026-10-19T08:00:00Z", "2026-10-26T09:00:00Z", CLEO, "primary", 42),
        turn("2026-10-26T09:00:00Z", "2026-11-02T09:00:00Z", ANA, "primary", 43),
    )
    assert autumn[0].ends_at - autumn[0].starts_at == 7 * DAY + HOUR


def test_a_weekend_layer_cuts_the_shift_below_and_an_override_cuts_both():
    rota = Schedule(
        "UTC",
        (
            weekly("primary", "2026-01-05", "10:00", ANA, BEN),
            weekly("weekend", "2026-01-05", "10:00", CLEO, only=(window("00:00", "00:00", SAT, SUN),)),
        ),
    )
    overrides = (override(1, "2026-01-09T20:00:00Z", "2026-01-10T08:00:00Z", DAN),)
    assert shifts(rota, overrides, at("2026-01-08T00:00:00Z"), at("2026-01-13T00:00:00Z")) == (
        turn("2026-01-08T00:00:00Z", "2026-01-09T20:00:00Z", ANA, "primary", 1),
        stand_in("2026-01-09T20:00:00Z", "2026-01-10T08:00:00Z", DAN, 1),
        turn("2026-01-10T08:00:00Z", "2026-01-12T00:00:00Z", CLEO, "weekend", 1),
        turn("2026-01-12T00:00:00Z", "2026-01-12T10:00:00Z", ANA, "primary", 1),
        turn("2026-01-12T10:00:00Z", "2026-01-13T00:00:00Z", BEN, "primary", 2),
    )


def test_an_override_over_a_handoff_in_place_of_one_person_ends_with_their_turn():
    overrides = (override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", DAN, BEN),)
    assert shifts(WEEKLY, overrides, at("2026-01-09T00:00:00Z"), at("2026-01-21T00:00:00Z")) == (
        turn("2026-01-09T00:00:00Z", "2026-01-12T09:00:00Z", ANA, "primary", 1),
        stand_in("2026-01-12T09:00:00Z", "2026-01-19T09:00:00Z", DAN, 1, BEN),
        turn("2026-01-19T09:00:00Z", "2026-01-21T00:00:00Z", CLEO, "primary", 3),
    )


def test_turns_in_a_row_of_one_person_are_one_shift_under_the_first_turn():
    rota = Schedule("UTC", (daily("a", "2026-01-01", "09:00", ANA, ANA, BEN),))
    assert shifts(rota, (), at("2026-01-01T09:00:00Z"), at("2026-01-05T09:00:00Z")) == (
        turn("2026-01-01T09:00:00Z", "2026-01-03T09:00:00Z", ANA, "a", 1),
        turn("2026-01-03T09:00:00Z", "2026-01-04T09:00:00Z", BEN, "a", 3),
        turn("2026-01-04T09:00:00Z", "2026-01-05T09:00:00Z", ANA, "a", 4),
    )


def test_two_overrides_of_one_person_in_a_row_stay_two_shifts():
    overrides = (
        override(1, "2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z", DAN),
        override(2, "2026-01-07T00:00:00Z", "2026-01-08T00:00:00Z", DAN),
    )
    found = shifts(WEEKLY, overrides, at("2026-01-06T00:00:00Z"), at("2026-01-08T00:00:00Z"))
    assert [shift.why for shift in found] == [ByOverride(OverrideId(1), None), ByOverride(OverrideId(2), None)]


def test_a_gap_says_why_nobody_is_on_call():
    rota = Schedule("Europe/Berlin", (daily("office", "2026-01-05", "00:00", ANA, only=(window("09:00", "17:00"),)),))
    assert gaps(rota, (), at("2026-01-04T00:00:00Z"), at("2026-01-06T00:00:00Z")) == (
        Gap(at("2026-01-04T00:00:00Z"), at("2026-01-05T08:00:00Z"), "not_started"),
        Gap(at("2026-01-05T16:00:00Z"), at("2026-01-06T00:00:00Z"), "outside_restrictions"),
    )
    empty = Schedule("UTC", ())
    assert gaps(empty, (), 0, MAX_RANGE) == (Gap(0, MAX_RANGE, "no_layers"),)
    assert shifts(empty, (), 0, MAX_RANGE) == ()


def test_a_window_that_is_open_when_the_first_turn_starts_begins_with_that_turn():
    rota = Schedule("UTC", (daily("a", "2026-01-05", "23:00", ANA, BEN, only=(window("22:00", "06:00"),)),))
    assert shifts(rota, (), at("2026-01-01T00:00:00Z"), at("2026-01-06T12:00:00Z")) == (
        turn("2026-01-05T23:00:00Z", "2026-01-06T06:00:00Z", ANA, "a", 1),
    )


def test_a_day_and_a_night_that_meet_leave_no_gap_when_they_meet_in_a_missing_or_repeated_hour():
    """The fault of others: windows kept as offsets slide apart on the night of a change."""
    for zone, nights in (
        ("Europe/Berlin", ("2026-03-28", "2026-10-24")),
        ("Asia/Beirut", ("2023-03-25", "2023-10-28")),
    ):
        for meet in ("00:00", "00:30", "02:00", "02:30", "02:59", "23:30"):
            day = daily("day", "2023-01-01", meet, ANA, only=(window(meet, "12:00"),))
            night = daily("night", "2023-01-01", meet, BEN, only=(window("12:00", meet),))
            for date in nights:
                start = at(f"{date}T00:00:00Z")
                assert gaps(Schedule(zone, (day, night)), (), start, start + 3 * DAY) == ()
                turns = shifts(Schedule(zone, (day, night)), (), start, start + 3 * DAY)
                assert {a.person for a in turns[::2]} | {b.person for b in turns[1::2]} == {ANA, BEN}
                assert all(a.person != b.person for a, b in pairwise(turns))


def test_a_shift_reaches_to_the_end_of_an_interval_that_ends_in_the_second_of_a_repeated_hour():
    rota = Schedule("Europe/Berlin", (daily("a", "2026-01-01", "09:00", ANA),))
    end = at("2026-10-25T01:30:00Z")
    assert shifts(rota, (), end - DAY, end)[-1].ends_at == end


def test_an_empty_interval_has_no_shifts_and_a_wrong_one_is_refused():
    start = at("2026-01-06T00:00:00Z")
    assert shifts(WEEKLY, (), start, start) == gaps(WEEKLY, (), start, start) == ()
    for end in (start - 1, start + MAX_RANGE + 1):
        for lay_out in (shifts, gaps):
            with pytest.raises(BadRange, match="within 1830 days"):
                lay_out(WEEKLY, (), start, end)


@given(situations())
@settings(max_examples=200, deadline=None)
def test_shifts_and_gaps_tile_the_interval(situation):
    rota, overrides, start, end = situation
    parts = [*shifts(rota, overrides, start, end), *gaps(rota, overrides, start, end)]
    parts.sort(key=lambda part: part.starts_at)
    assert all(part.starts_at < part.ends_at for part in parts)
    assert [part.starts_at for part in parts] + [end] == [start] + [part.ends_at for part in parts]


@given(situations())
@settings(max_examples=200, deadline=None)
def test_shifts_say_what_is_said_for_each_instant(situation):
    rota, overrides, start, end = situation
    laid_out = shifts(rota, overrides, start, end)
    edges = {edge for shift in laid_out for edge in (shift.starts_at, shift.ends_at)}
    edges |= {edge for override in overrides for edge in (override.starts_at, override.ends_at)}
    sampled = {moment for edge in edges for moment in (edge - 1, edge)} | set(range(start, end, 97 * MINUTE))
    for moment in (moment for moment in sampled if start <= moment < end):
        said = [duty.source for duty in on_call(rota, overrides, moment).people]
        shown = [shift for shift in laid_out if shift.starts_at <= moment < shift.ends_at]
        assert [Duty(shift.person, shift.why).source for shift in shown] == said
        for shift in shown:
            assert on_call(rota, overrides, shift.starts_at).people == (Duty(shift.person, shift.why),)


@given(situations())
@settings(max_examples=200, deadline=None)
def test_a_shift_ends_exactly_at_the_next_change(situation):
    """So there is no border at which nothing changes, and none is missing."""
    rota, overrides, start, end = situation
    for part in (*shifts(rota, overrides, start, end), *gaps(rota, overrides, start, end)):
        change = next_change(rota, overrides, part.starts_at)
        assert part.ends_at == (end if change is None else min(change, end))


@given(situations())
@settings(max_examples=100, deadline=None)
def test_the_border_of_an_override_for_anybody_is_the_border_of_a_shift(situation):
    rota, overrides, start, end = situation
    newest = max(overrides, key=lambda made: made.id, default=None)
    if newest is None:
        return
    newest = replace(newest, replaces=None)
    others = tuple(made for made in overrides if made.id != newest.id)
    since, until = max(newest.starts_at, start), min(newest.ends_at, end)
    if since < until:
        expected = Shift(since, until, newest.person, ByOverride(newest.id, None))
        assert expected in shifts(rota, (*others, newest), start, end)


@given(situations())
@settings(max_examples=100, deadline=None)
def test_an_interval_in_two_parts_says_the_same_as_in_one(situation):
    rota, overrides, start, end = situation
    middle = (start + end) // 2
    parts = [*shifts(rota, overrides, start, middle), *shifts(rota, overrides, middle, end)]
    whole = shifts(rota, overrides, start, end)
    for shift in whole:
        inside = [part for part in parts if shift.starts_at <= part.starts_at < shift.ends_at]
        assert inside[0].starts_at == shift.starts_at
        assert inside[-1].ends_at == shift.ends_at
        assert len(inside) == (2 if shift.starts_at < middle < shift.ends_at else 1)
