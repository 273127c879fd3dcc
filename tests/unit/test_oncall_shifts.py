"""Shifts and gaps tile every interval, say what is said for each instant, and are as few as they can be."""

import sys
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.clock import DAY, HOUR, MINUTE
from app.oncall.resolve import next_change, on_call
from app.oncall.rota import ByLayer, ByOverride, Duty, Era, Rota, Shift
from app.oncall.schedule import BadRange, OverrideId, Schedule
from app.oncall.shifts import MAX_RANGE, Gap, gaps, shifts
from app.oncall.walltime import walls, zone
from tests.harness.rotas import (
    ANA,
    BEN,
    CLEO,
    DAN,
    NIGHTS_OF_CHANGE,
    SAT,
    SUN,
    ZONES,
    around_the_clock,
    at,
    daily,
    override,
    rotas,
    schedules,
    situations,
    weekly,
    window,
)

WEEKLY = Schedule("Europe/Berlin", (weekly("primary", "2026-01-05", "10:00", ANA, BEN, CLEO),))


def turn(starts_at, ends_at, person, layer, number):
    return Shift(at(starts_at), at(ends_at), person, ByLayer(layer, number))


def stand_in(starts_at, ends_at, person, number, replaces=None):
    return Shift(at(starts_at), at(ends_at), person, ByOverride(OverrideId(number), replaces))


def test_a_weekly_rota_over_both_changes_of_the_clocks():
    spring = shifts(Rota.of(WEEKLY), at("2026-03-25T00:00:00Z"), at("2026-04-08T00:00:00Z"))
    assert spring == (
        turn("2026-03-25T00:00:00Z", "2026-03-30T08:00:00Z", CLEO, "primary", 12),
        turn("2026-03-30T08:00:00Z", "2026-04-06T08:00:00Z", ANA, "primary", 13),
        turn("2026-04-06T08:00:00Z", "2026-04-08T00:00:00Z", BEN, "primary", 14),
    )
    autumn = shifts(Rota.of(WEEKLY), at("2026-10-19T08:00:00Z"), at("2026-11-02T09:00:00Z"))
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
    assert shifts(Rota.of(rota, *overrides), at("2026-01-08T00:00:00Z"), at("2026-01-13T00:00:00Z")) == (
        turn("2026-01-08T00:00:00Z", "2026-01-09T20:00:00Z", ANA, "primary", 1),
        stand_in("2026-01-09T20:00:00Z", "2026-01-10T08:00:00Z", DAN, 1),
        turn("2026-01-10T08:00:00Z", "2026-01-12T00:00:00Z", CLEO, "weekend", 1),
        turn("2026-01-12T00:00:00Z", "2026-01-12T10:00:00Z", ANA, "primary", 1),
        turn("2026-01-12T10:00:00Z", "2026-01-13T00:00:00Z", BEN, "primary", 2),
    )


def test_an_override_over_a_handoff_in_place_of_one_person_ends_with_their_turn():
    overrides = (override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", DAN, BEN),)
    assert shifts(Rota.of(WEEKLY, *overrides), at("2026-01-09T00:00:00Z"), at("2026-01-21T00:00:00Z")) == (
        turn("2026-01-09T00:00:00Z", "2026-01-12T09:00:00Z", ANA, "primary", 1),
        stand_in("2026-01-12T09:00:00Z", "2026-01-19T09:00:00Z", DAN, 1, BEN),
        turn("2026-01-19T09:00:00Z", "2026-01-21T00:00:00Z", CLEO, "primary", 3),
    )


def test_turns_in_a_row_of_one_person_are_one_shift_under_the_first_turn():
    rota = Schedule("UTC", (daily("a", "2026-01-01", "09:00", ANA, ANA, BEN),))
    assert shifts(Rota.of(rota), at("2026-01-01T09:00:00Z"), at("2026-01-05T09:00:00Z")) == (
        turn("2026-01-01T09:00:00Z", "2026-01-03T09:00:00Z", ANA, "a", 1),
        turn("2026-01-03T09:00:00Z", "2026-01-04T09:00:00Z", BEN, "a", 3),
        turn("2026-01-04T09:00:00Z", "2026-01-05T09:00:00Z", ANA, "a", 4),
    )


def test_two_overrides_of_one_person_in_a_row_stay_two_shifts():
    overrides = (
        override(1, "2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z", DAN),
        override(2, "2026-01-07T00:00:00Z", "2026-01-08T00:00:00Z", DAN),
    )
    found = shifts(Rota.of(WEEKLY, *overrides), at("2026-01-06T00:00:00Z"), at("2026-01-08T00:00:00Z"))
    assert [shift.why for shift in found] == [ByOverride(OverrideId(1), None), ByOverride(OverrideId(2), None)]


def test_a_gap_says_why_nobody_is_on_call():
    rota = Schedule("Europe/Berlin", (daily("office", "2026-01-05", "00:00", ANA, only=(window("09:00", "17:00"),)),))
    assert gaps(Rota.of(rota), at("2026-01-04T00:00:00Z"), at("2026-01-06T00:00:00Z")) == (
        Gap(at("2026-01-04T00:00:00Z"), at("2026-01-05T08:00:00Z"), "not_started"),
        Gap(at("2026-01-05T16:00:00Z"), at("2026-01-06T00:00:00Z"), "outside_restrictions"),
    )
    empty = Schedule("UTC", ())
    assert gaps(Rota.of(empty), 0, MAX_RANGE) == (Gap(0, MAX_RANGE, "no_layers"),)
    assert shifts(Rota.of(empty), 0, MAX_RANGE) == ()


def test_a_window_that_is_open_when_the_first_turn_starts_begins_with_that_turn():
    rota = Schedule("UTC", (daily("a", "2026-01-05", "23:00", ANA, BEN, only=(window("22:00", "06:00"),)),))
    assert shifts(Rota.of(rota), at("2026-01-01T00:00:00Z"), at("2026-01-06T12:00:00Z")) == (
        turn("2026-01-05T23:00:00Z", "2026-01-06T06:00:00Z", ANA, "a", 1),
    )


def test_a_day_and_a_night_that_meet_leave_no_gap_when_they_meet_in_a_missing_or_repeated_hour():
    """The fault of others: windows kept as offsets slide apart on the night of a change."""
    for zone_name, nights in (
        ("Europe/Berlin", ("2026-03-28", "2026-10-24")),
        ("Asia/Beirut", ("2023-03-25", "2023-10-28")),
    ):
        for meet in ("00:00", "00:30", "02:00", "02:30", "02:59", "23:30"):
            day = daily("day", "2023-01-01", meet, ANA, only=(window(meet, "12:00"),))
            night = daily("night", "2023-01-01", meet, BEN, only=(window("12:00", meet),))
            for date in nights:
                start = at(f"{date}T00:00:00Z")
                rota = Rota.of(Schedule(zone_name, (day, night)))
                assert gaps(rota, start, start + 3 * DAY) == ()
                turns = shifts(rota, start, start + 3 * DAY)
                assert {a.person for a in turns[::2]} | {b.person for b in turns[1::2]} == {ANA, BEN}
                assert all(a.person != b.person for a, b in pairwise(turns))


def test_two_turns_that_meet_in_a_repeated_hour_overlap_by_it():
    rota = Rota.of(Schedule("Europe/Berlin", (daily("a", "2026-10-01", "02:30", ANA, BEN),)))
    found = shifts(rota, at("2026-10-24T00:30:00Z"), at("2026-10-26T01:30:00Z"))
    assert found == (
        turn("2026-10-24T00:30:00Z", "2026-10-25T01:30:00Z", BEN, "a", 24),
        turn("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z", ANA, "a", 25),
    )


def test_an_interval_that_starts_or_ends_inside_an_overlap_shows_both():
    rota = Rota.of(Schedule("Europe/Berlin", (daily("a", "2026-10-01", "02:15", ANA, BEN),)))
    begins, ends = at("2026-10-25T00:15:00Z"), at("2026-10-25T01:15:00Z")
    for since, until in ((begins, ends), (begins + 1, ends - 1), (ends - 2, ends - 1), (begins, begins + 1)):
        assert [(one.starts_at, one.ends_at, one.person) for one in shifts(rota, since, until)] == [
            (since, until, ANA),
            (since, until, BEN),
        ]
    assert [shift.person for shift in shifts(rota, begins - 2, begins)] == [BEN]
    assert [shift.person for shift in shifts(rota, ends, ends + 2)] == [ANA]


def test_turns_of_one_person_that_overlap_are_one_shift():
    rota = Rota.of(Schedule("Europe/Berlin", (daily("a", "2026-10-24", "02:30", ANA, ANA, BEN),)))
    start, end = "2026-10-24T00:30:00Z", "2026-10-26T01:30:00Z"
    assert shifts(rota, at(start), at(end)) == (turn(start, end, ANA, "a", 1),)


def test_a_shift_reaches_to_the_end_of_an_interval_that_ends_in_the_second_of_a_repeated_hour():
    rota = Schedule("Europe/Berlin", (daily("a", "2026-01-01", "09:00", ANA),))
    end = at("2026-10-25T01:30:00Z")
    assert shifts(Rota.of(rota), end - DAY, end)[-1].ends_at == end


def test_an_empty_interval_has_no_shifts_and_a_wrong_one_is_refused():
    start = at("2026-01-06T00:00:00Z")
    assert shifts(Rota.of(WEEKLY), start, start) == gaps(Rota.of(WEEKLY), start, start) == ()
    for end in (start - 1, start + MAX_RANGE + 1):
        for lay_out in (shifts, gaps):
            with pytest.raises(BadRange, match="within 1830 days"):
                lay_out(Rota.of(WEEKLY), start, end)


def test_a_shift_goes_on_over_a_new_version_that_changes_nothing_of_it():
    change = at("2026-01-14T00:00:00Z")
    eras = (Era(0, change, WEEKLY, 1), Era(change, None, WEEKLY, 2))
    assert shifts(Rota(eras), at("2026-01-13T00:00:00Z"), at("2026-01-15T00:00:00Z")) == (
        turn("2026-01-13T00:00:00Z", "2026-01-15T00:00:00Z", BEN, "primary", 2),
    )
    gone = Rota((Era(0, change, WEEKLY, 1),))
    assert gaps(gone, at("2026-01-13T00:00:00Z"), at("2026-01-15T00:00:00Z")) == (
        Gap(change, at("2026-01-15T00:00:00Z"), "not_existing"),
    )


def test_the_record_comes_first_and_a_shift_goes_on_from_it():
    """What was settled is told as it was written down, whatever follows from the schedule of today."""
    until = at("2026-01-14T00:00:00Z")
    written = (
        Shift(at("2026-01-05T09:00:00Z"), at("2026-01-11T00:00:00Z"), DAN, ByLayer("primary", 1)),
        Shift(at("2026-01-12T00:00:00Z"), until, BEN, ByLayer("primary", 2)),
    )
    rota = replace(Rota.of(WEEKLY), settled_until=until, record=written)
    assert shifts(rota, at("2026-01-06T00:00:00Z"), at("2026-01-20T00:00:00Z")) == (
        turn("2026-01-06T00:00:00Z", "2026-01-11T00:00:00Z", DAN, "primary", 1),
        turn("2026-01-12T00:00:00Z", "2026-01-19T09:00:00Z", BEN, "primary", 2),
        turn("2026-01-19T09:00:00Z", "2026-01-20T00:00:00Z", CLEO, "primary", 3),
    )
    assert gaps(rota, at("2026-01-06T00:00:00Z"), at("2026-01-20T00:00:00Z")) == (
        Gap(at("2026-01-11T00:00:00Z"), at("2026-01-12T00:00:00Z"), "not_recorded"),
    )


def test_a_rotation_that_is_twenty_years_old_costs_what_a_new_one_costs():
    """Counted in calls, which no other process can disturb."""
    calls = []
    for start in ("2006-01-02", "2026-01-05"):
        rota = Rota.of(Schedule("Europe/Berlin", (weekly("a", start, "10:00", ANA, BEN, CLEO),)))
        counted = 0

        def count(frame, event, _):
            nonlocal counted
            counted += event == "call"

        profiler = sys.getprofile()
        sys.setprofile(count)
        try:
            on_call(rota, at("2026-06-01T00:00:00Z"))
            shifts(rota, at("2026-06-01T00:00:00Z"), at("2026-07-01T00:00:00Z"))
        finally:
            sys.setprofile(profiler)
        calls.append(counted)
    assert calls[0] == calls[1]


def source(shift):
    return Duty(shift.person, shift.why, shift.role).source


def they_cover_the_interval_and_never_meet(rota, start, end):
    found, empty = shifts(rota, start, end), gaps(rota, start, end)
    assert all(start <= part.starts_at < part.ends_at <= end for part in (*found, *empty))
    covered = start
    for part in sorted((*found, *empty), key=lambda part: part.starts_at):
        assert part.starts_at <= covered
        if isinstance(part, Gap):
            assert part.starts_at == covered
        covered = max(covered, part.ends_at)
    assert covered == end
    for gap in empty:
        assert not any(shift.starts_at < gap.ends_at and gap.starts_at < shift.ends_at for shift in found)


def nobody_is_on_call_twice_in_one_role(rota, start, end):
    """No two shifts of one person in one role overlap, and two for the same reason do not even touch."""
    of_each = {}
    for shift in shifts(rota, start, end):
        of_each.setdefault((shift.person, shift.role), []).append(shift)
    for theirs in of_each.values():
        for one, following in pairwise(theirs):
            assert one.ends_at <= following.starts_at
            assert one.ends_at < following.starts_at or source(one) != source(following)


def shifts_say_what_is_said_for_each_instant(rota, start, end):
    laid_out = shifts(rota, start, end)
    edges = {edge for shift in laid_out for edge in (shift.starts_at, shift.ends_at)}
    edges |= {edge for override in rota.overrides for edge in (override.starts_at, override.ends_at)}
    edges |= {edge for absence in rota.away for edge in (absence.starts_at, absence.ends_at)}
    sampled = {moment for edge in edges for moment in (edge - 1, edge)} | set(range(start, end, 197 * MINUTE))
    for moment in (moment for moment in sampled if start <= moment < end):
        answer = on_call(rota, moment)
        shown = {source(shift) for shift in laid_out if shift.starts_at <= moment < shift.ends_at}
        assert {duty.source for duty in answer.people} == shown
        assert len(answer.people) == len(shown)
        assert (answer.nobody is None) == bool(shown)
    for shift in laid_out:
        assert Duty(shift.person, shift.why, shift.role) in on_call(rota, shift.starts_at).people


def each_border_of_a_shift_is_a_change_and_there_is_no_other(rota, start, end):
    borders = sorted({edge for part in shifts(rota, start, end) for edge in (part.starts_at, part.ends_at)} - {start})
    moment = start
    for border in borders[:30]:
        if border < end:
            assert next_change(rota, moment) == border
            moment = border
    if len(borders) <= 30:
        following = next_change(rota, moment)
        assert following is None or start == end or following >= end


@given(situations())
@settings(max_examples=400, deadline=None)
def test_of_any_rota_shifts_gaps_and_instants_say_the_same(situation):
    """What each check is called is what it promises. In one test, because a rota is dearer to think of than to check."""
    they_cover_the_interval_and_never_meet(*situation)
    nobody_is_on_call_twice_in_one_role(*situation)
    shifts_say_what_is_said_for_each_instant(*situation)
    each_border_of_a_shift_is_a_change_and_there_is_no_other(*situation)


@given(situations())
@settings(max_examples=100, deadline=None)
def test_the_border_of_an_override_for_everybody_is_the_border_of_a_shift(situation):
    rota, start, end = situation
    newest = max(rota.overrides, key=lambda made: made.id, default=None)
    if newest is None:
        return
    newest = replace(newest, replaces=None, role=None)
    others = tuple(made for made in rota.overrides if made.id != newest.id)
    for era in rota.eras:
        since = max(newest.starts_at, start, era.starts_at)
        until = min(newest.ends_at, end, era.ends_at or end)
        if since < until:
            found = shifts(replace(rota, overrides=(*others, newest)), since, until)
            role = next(iter(era.schedule.roles()), "primary")
            assert found == (Shift(since, until, newest.person, ByOverride(newest.id, None), role),)


@given(situations())
@settings(max_examples=100, deadline=None)
def test_an_interval_in_two_parts_says_the_same_as_in_one(situation):
    rota, start, end = situation
    middle = (start + end) // 2
    parts = [*shifts(rota, start, middle), *shifts(rota, middle, end)]
    for shift in shifts(rota, start, end):
        inside = [part for part in parts if source(part) == source(shift)]
        inside = [part for part in inside if shift.starts_at <= part.starts_at < shift.ends_at]
        assert inside[0].starts_at == shift.starts_at
        assert inside[-1].ends_at == shift.ends_at
        assert len(inside) == (2 if shift.starts_at < middle < shift.ends_at else 1)


@given(
    st.sampled_from(NIGHTS_OF_CHANGE).flatmap(
        lambda around: st.tuples(st.just(around), rotas(around), schedules(around))
    )
)
@settings(max_examples=100, deadline=None)
def test_a_new_version_never_changes_what_lies_before_it(drawn):
    around, rota, schedule = drawn
    if not rota.eras or not rota.eras[-1].starts_at < around:
        return
    kept = (*rota.eras[:-1], replace(rota.eras[-1], ends_at=around))
    kept = tuple(era for era in kept if era.starts_at < around)
    edited = replace(rota, eras=(*kept[:-1], replace(kept[-1], ends_at=around), Era(around, None, schedule, 9)))
    until = min(around, rota.eras[-1].ends_at or around)
    assert shifts(edited, around - 8 * DAY, until) == shifts(rota, around - 8 * DAY, until)
    assert gaps(edited, around - 8 * DAY, until) == gaps(rota, around - 8 * DAY, until)


@given(
    st.sampled_from(NIGHTS_OF_CHANGE).flatmap(
        lambda around: st.tuples(st.just(around), st.sampled_from(ZONES), around_the_clock(around))
    )
)
@settings(max_examples=200, deadline=None)
def test_a_layer_that_is_always_active_has_all_of_its_roles_taken_at_every_instant(drawn):
    """By different people; by more than one in a role only in a repeated hour."""
    around, zone_name, (layer, absent) = drawn
    rota = Rota.of(Schedule(zone_name, (layer,)), away=absent)
    start, end = around - 3 * DAY, around + 4 * DAY
    assert gaps(rota, start, end) == ()
    for moment in range(start, end, 61 * MINUTE):
        people = on_call(rota, moment).people
        roles = Counter(duty.role for duty in people)
        last, first = walls(zone(zone_name), moment)
        if last == first:
            assert roles == Counter(layer.roles)
            assert len({duty.person for duty in people}) == len(layer.roles)
        else:
            assert all(roles[role] >= 1 for role in layer.roles)
