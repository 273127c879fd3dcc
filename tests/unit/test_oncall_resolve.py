"""Who is on call at an instant, as tables of facts about rotas that teams really have."""

from dataclasses import replace
from itertools import pairwise

import pytest

from app.clock import DAY, HOUR
from app.oncall.resolve import NOBODY, OnCall, next_change, on_call
from app.oncall.rota import Booking, ByCalendar, ByLayer, ByOverride, Duty, Era, Rota, Shift
from app.oncall.schedule import CalendarLayer, OverrideId, Schedule
from tests.harness.rotas import (
    ANA,
    BEN,
    CALENDAR,
    CLEO,
    DAN,
    EVA,
    FRI,
    MON,
    SAT,
    SUN,
    THU,
    TUE,
    WED,
    at,
    daily,
    override,
    turning,
    weekly,
    window,
)


def turn(person, layer, number):
    return OnCall((Duty(person, ByLayer(layer, number)),), None)


def stand_in(person, number, replaces=None):
    return OnCall((Duty(person, ByOverride(OverrideId(number), replaces)),), None)


def nobody(reason):
    return OnCall((), reason)


WEEKLY = Schedule("Europe/Berlin", (weekly("primary", "2026-01-05", "10:00", ANA, BEN, CLEO),))


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-05T09:59:59+01:00", nobody("not_started")),
        ("2026-01-05T10:00:00+01:00", turn(ANA, "primary", 1)),
        ("2026-01-12T09:59:59+01:00", turn(ANA, "primary", 1)),
        ("2026-01-12T10:00:00+01:00", turn(BEN, "primary", 2)),
        ("2026-01-19T10:00:00+01:00", turn(CLEO, "primary", 3)),
        ("2026-01-26T10:00:00+01:00", turn(ANA, "primary", 4)),
        # The clocks go forward on 29 March: the handoff stays at ten o'clock.
        ("2026-03-30T09:59:59+02:00", turn(CLEO, "primary", 12)),
        ("2026-03-30T10:00:00+02:00", turn(ANA, "primary", 13)),
        ("2026-10-26T09:59:59+01:00", turn(CLEO, "primary", 42)),
        ("2026-10-26T10:00:00+01:00", turn(ANA, "primary", 43)),
        ("2046-01-08T10:00:00+01:00", turn(ANA, "primary", 1045)),
    ],
)
def test_a_weekly_rota_hands_over_on_the_weekday_of_its_first_date_at_the_same_wall_time(moment, expected):
    assert on_call(Rota.of(WEEKLY), at(moment)) == expected


OFFICE = Schedule(
    "Europe/London",
    (
        weekly("night", "2026-01-05", "08:00", CLEO, DAN, only=(window("20:00", "08:00"),)),
        weekly("day", "2026-01-05", "08:00", ANA, BEN, only=(window("08:00", "20:00"),)),
    ),
)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-05T08:00:00Z", turn(ANA, "day", 1)),
        ("2026-01-05T19:59:59Z", turn(ANA, "day", 1)),
        ("2026-01-05T20:00:00Z", turn(CLEO, "night", 1)),
        ("2026-01-06T07:59:59Z", turn(CLEO, "night", 1)),
        ("2026-01-06T08:00:00Z", turn(ANA, "day", 1)),
        # The night of Sunday runs on to Monday 08:00, when both layers hand over.
        ("2026-01-12T07:59:59Z", turn(CLEO, "night", 1)),
        ("2026-01-12T08:00:00Z", turn(BEN, "day", 2)),
        ("2026-01-12T20:00:00Z", turn(DAN, "night", 2)),
        # In summer the day starts at 08:00 British Summer Time.
        ("2026-06-01T06:59:59Z", turn(CLEO, "night", 21)),
        ("2026-06-01T07:00:00Z", turn(BEN, "day", 22)),
    ],
)
def test_a_night_layer_passes_midnight_and_meets_the_day_layer(moment, expected):
    assert on_call(Rota.of(OFFICE), at(moment)) == expected


WEEKEND = Schedule(
    "America/New_York",
    (
        weekly("weekdays", "2026-01-05", "09:00", ANA, BEN),
        weekly(
            "weekend",
            "2026-01-09",
            "18:00",
            CLEO,
            DAN,
            only=(window("18:00", "00:00", FRI), window("00:00", "00:00", SAT, SUN), window("00:00", "09:00", MON)),
        ),
    ),
)


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-01-09T17:59:59-05:00", turn(ANA, "weekdays", 1)),
        ("2026-01-09T18:00:00-05:00", turn(CLEO, "weekend", 1)),
        ("2026-01-10T00:00:00-05:00", turn(CLEO, "weekend", 1)),
        ("2026-01-11T23:59:59-05:00", turn(CLEO, "weekend", 1)),
        ("2026-01-12T08:59:59-05:00", turn(CLEO, "weekend", 1)),
        ("2026-01-12T09:00:00-05:00", turn(BEN, "weekdays", 2)),
        ("2026-01-16T18:00:00-05:00", turn(DAN, "weekend", 2)),
    ],
)
def test_a_later_layer_covers_the_ones_before_it_only_while_it_is_active(moment, expected):
    assert on_call(Rota.of(WEEKEND), at(moment)) == expected


@pytest.mark.parametrize(
    ("zone", "handoff", "begins", "ended"),
    [
        ("Europe/Berlin", "02:30", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "02:30", "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"),
        ("Europe/Berlin", "02:00", "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
        ("Europe/Berlin", "03:00", "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"),
        ("America/New_York", "02:30", "2026-03-08T07:00:00Z", "2026-03-08T07:00:00Z"),
        ("America/New_York", "01:30", "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"),
        ("Australia/Lord_Howe", "02:15", "2026-10-03T15:30:00Z", "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", "01:45", "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"),
        ("Asia/Beirut", "00:30", "2023-03-25T22:00:00Z", "2023-03-25T22:00:00Z"),
        ("Asia/Beirut", "23:30", "2023-10-28T20:30:00Z", "2023-10-28T21:30:00Z"),
        ("Asia/Beirut", "09:00", "2023-03-26T06:00:00Z", "2023-03-26T06:00:00Z"),
        ("America/St_Johns", "00:00", "2010-11-07T02:30:00Z", "2010-11-07T03:30:00Z"),
    ],
)
def test_a_handoff_in_a_missing_hour_moves_on_and_in_a_repeated_one_overlaps(zone, handoff, begins, ended):
    """The incoming turn begins at the first occurrence, the outgoing one ends at the last: both are on call between."""
    rota = Rota.of(Schedule(zone, (daily("daily", "2010-01-01", handoff, ANA, BEN, CLEO),)))
    (outgoing,) = on_call(rota, at(begins) - 1).people
    (incoming,) = on_call(rota, at(ended)).people
    assert incoming.why.turn == outgoing.why.turn + 1
    for moment in {at(begins), (at(begins) + at(ended)) // 2, at(ended) - 1}:
        if moment < at(ended) and moment >= at(begins):
            assert on_call(rota, moment).people == (outgoing, incoming)
    # And no second time: the next handoff is a day of wall time later.
    following = next_change(rota, at(ended))
    assert following is not None
    assert 22 * HOUR <= following - at(ended) <= 26 * HOUR


def test_in_a_repeated_hour_nobody_is_listed_twice_by_one_layer():
    """Ana hands over to herself at 02:30, and to Ben a day later."""
    rota = Rota.of(Schedule("Europe/Berlin", (daily("daily", "2026-10-24", "02:30", ANA, ANA, BEN),)))
    assert on_call(rota, at("2026-10-25T01:00:00Z")) == turn(ANA, "daily", 1)
    assert on_call(rota, at("2026-10-25T01:30:00Z")) == turn(ANA, "daily", 2)


def test_a_day_that_never_was_still_has_its_turn_until_the_next_handoff():
    """Apia had no 2011-12-30: its turn starts when the clock jumps, and lasts till nine o'clock on the 31st."""
    rota = Schedule("Pacific/Apia", (daily("daily", "2011-12-29", "09:00", ANA, BEN, CLEO),))
    assert on_call(Rota.of(rota), at("2011-12-29T23:59:59-10:00")) == turn(ANA, "daily", 1)
    assert on_call(Rota.of(rota), at("2011-12-31T00:00:00+14:00")) == turn(BEN, "daily", 2)
    assert on_call(Rota.of(rota), at("2011-12-31T09:00:00+14:00")) == turn(CLEO, "daily", 3)


def test_a_midnight_handoff_on_a_day_that_never_was_skips_its_turn():
    rota = Schedule("Pacific/Apia", (daily("daily", "2011-12-29", "00:00", ANA, BEN, CLEO),))
    assert on_call(Rota.of(rota), at("2011-12-29T23:59:59-10:00")) == turn(ANA, "daily", 1)
    assert on_call(Rota.of(rota), at("2011-12-31T00:00:00+14:00")) == turn(CLEO, "daily", 3)


SHIFTED = Schedule("Europe/Berlin", (daily("base", "2026-01-01", "09:00", ANA),))


@pytest.mark.parametrize(
    ("moment", "active"),
    [
        ("2026-03-29T00:59:59Z", False),
        ("2026-03-29T01:00:00Z", True),
        ("2026-03-29T01:59:59Z", True),
        ("2026-03-29T02:00:00Z", False),
        ("2026-10-25T00:14:59Z", False),
        ("2026-10-25T00:15:00Z", True),
        ("2026-10-25T01:14:59Z", True),
        ("2026-10-25T01:15:00Z", True),
        ("2026-10-25T02:59:59Z", True),
        ("2026-10-25T03:00:00Z", False),
    ],
)
def test_a_window_that_starts_in_a_missing_or_repeated_hour_opens_once(moment, active):
    """02:15 to 04:00 in Berlin: from 03:00 on in spring, from the first 02:15 without a break in autumn."""
    rota = replace(
        SHIFTED, layers=(*SHIFTED.layers, daily("early", "2026-01-01", "00:00", BEN, only=(window("02:15", "04:00"),)))
    )
    assert on_call(Rota.of(rota), at(moment)).people[0].person == (BEN if active else ANA)


def test_a_window_inside_a_missing_hour_does_not_open_that_night():
    rota = Schedule("Europe/Berlin", (daily("a", "2026-01-01", "00:00", ANA, only=(window("02:15", "02:45"),)),))
    assert next_change(Rota.of(rota), at("2026-03-28T12:00:00Z")) == at("2026-03-30T02:15:00+02:00")


def test_a_window_inside_a_repeated_hour_is_open_from_its_first_start_to_its_last_end():
    rota = Rota.of(
        Schedule("Europe/Berlin", (daily("a", "2026-01-01", "00:00", ANA, only=(window("02:15", "02:45"),)),))
    )
    assert next_change(rota, at("2026-10-24T12:00:00Z")) == at("2026-10-25T00:15:00Z")
    assert next_change(rota, at("2026-10-25T00:15:00Z")) == at("2026-10-25T01:45:00Z")


def people_at(rota, moments):
    return [tuple(duty.person for duty in on_call(rota, at(moment)).people) for moment in moments]


def test_a_round_has_as_many_turns_as_participants_and_a_turn_as_many_units_as_its_length():
    rota = Rota.of(Schedule("Europe/Berlin", (turning("a", "week", (2,), "2026-01-05", "10:00", ANA, BEN, ANA),)))
    mondays = [at("2026-01-05T10:00:00+01:00") + week * 7 * DAY for week in range(8)]
    assert [on_call(rota, monday).people[0].person for monday in mondays] == [ANA, ANA, BEN, BEN] + [ANA] * 4


def test_turns_of_several_lengths_follow_one_another_round_and_round():
    """Four days, then three: Monday to Thursday, Friday to Sunday."""
    rota = Rota.of(Schedule("UTC", (turning("a", "day", (4, 3), "2026-01-05", "08:00", ANA, BEN, CLEO),)))
    days = [on_call(rota, at("2026-01-05T08:00:00Z") + day * DAY).people[0] for day in range(21)]
    assert [duty.why.turn for duty in days] == [1] * 4 + [2] * 3 + [3] * 4 + [4] * 3 + [5] * 4 + [6] * 3
    assert [duty.person for duty in days[::4]] == [ANA, BEN, CLEO] * 2


def test_a_monthly_turn_changes_on_the_day_of_the_month_or_on_the_last_one_and_never_drifts():
    rota = Rota.of(Schedule("UTC", (turning("a", "month", (1,), "2026-01-31", "09:00", ANA, BEN, CLEO),)))
    handoffs, moment = [], at("2026-01-31T09:00:00Z")
    for _ in range(6):
        moment = next_change(rota, moment)
        handoffs.append(moment)
    days = ("2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30", "2026-07-31")
    assert handoffs == [at(f"{day}T09:00:00Z") for day in days]
    assert on_call(rota, at("2028-02-29T08:59:59Z")).people[0].why.turn == 25
    assert on_call(rota, at("2028-02-29T09:00:00Z")).people[0].why.turn == 26


def test_an_hourly_turn_is_counted_on_the_wall_clock():
    """Eight hours each: in spring one lasts seven, and the next still starts at six o'clock."""
    layer = turning("a", "hour", (8,), "2026-03-28", "06:00", ANA, BEN, CLEO)
    rota = Rota.of(Schedule("Europe/Berlin", (layer,)))
    assert next_change(rota, at("2026-03-28T22:00:00+01:00")) == at("2026-03-29T06:00:00+02:00")
    assert on_call(rota, at("2026-03-29T06:00:00+02:00")) == turn(ANA, "a", 4)


def test_several_people_at_once_are_the_ones_whose_turns_come_next():
    layer = turning("a", "week", (1,), "2026-01-05", "10:00", ANA, BEN, CLEO, roles=("primary", "secondary"))
    rota = Rota.of(Schedule("UTC", (layer,)))
    assert on_call(rota, at("2026-01-12T10:00:00Z")).people == (
        Duty(BEN, ByLayer("a", 2), "primary"),
        Duty(CLEO, ByLayer("a", 2), "secondary"),
    )
    mondays = ("2026-01-05T10:00:00Z", "2026-01-12T10:00:00Z", "2026-01-19T10:00:00Z", "2026-01-26T10:00:00Z")
    assert people_at(rota, mondays) == [(ANA, BEN), (BEN, CLEO), (CLEO, ANA), (ANA, BEN)]


def test_a_rotation_of_pairs_moves_on_by_two():
    people, roles = (ANA, BEN, CLEO, DAN), ("primary", "primary")
    layer = turning("a", "day", (1,), "2026-01-05", "00:00", *people, roles=roles, advance=2)
    rota = Rota.of(Schedule("UTC", (layer,)))
    assert people_at(rota, ("2026-01-05T00:00:00Z", "2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z")) == [
        (ANA, BEN),
        (CLEO, DAN),
        (ANA, BEN),
    ]


def test_somebody_who_stands_twice_in_a_rotation_never_has_two_roles_of_one_turn():
    layer = turning("a", "day", (1,), "2026-01-05", "00:00", ANA, ANA, BEN, CLEO, roles=("primary", "secondary"))
    rota = Rota.of(Schedule("UTC", (layer,)))
    days = [f"2026-01-{day:02}T00:00:00Z" for day in range(5, 9)]
    assert people_at(rota, days) == [(ANA, BEN), (ANA, BEN), (BEN, CLEO), (CLEO, ANA)]


def test_a_layer_covers_those_before_it_role_by_role():
    """At the weekend Dan is primary in place of the week's; who is secondary stays."""
    both = turning("week", "week", (1,), "2026-01-05", "10:00", ANA, BEN, CLEO, roles=("primary", "secondary"))
    weekend = weekly("weekend", "2026-01-05", "10:00", DAN, only=(window("00:00", "00:00", SAT, SUN),))
    rota = Rota.of(Schedule("UTC", (both, weekend)))
    assert people_at(rota, ("2026-01-09T12:00:00Z", "2026-01-10T12:00:00Z")) == [(ANA, BEN), (DAN, BEN)]
    expert = replace(weekend, roles=("expert",))
    assert people_at(Rota.of(Schedule("UTC", (both, expert))), ("2026-01-10T12:00:00Z",)) == [(ANA, BEN, DAN)]


WIKI = CalendarLayer("wiki", CALENDAR, "expert")


def test_a_layer_of_a_calendar_is_active_while_an_event_is_on():
    base = weekly("week", "2026-01-05", "10:00", ANA)
    booked = (
        Booking(CALENDAR, at("2026-01-06T08:00:00Z"), at("2026-01-06T16:00:00Z"), BEN, "Duty: Ben"),
        Booking(CALENDAR, at("2026-01-06T12:00:00Z"), at("2026-01-06T20:00:00Z"), CLEO, "Duty: Cleo"),
        Booking(CALENDAR, at("2026-01-06T13:00:00Z"), at("2026-01-06T14:00:00Z"), BEN, "Ben, too"),
        Booking(CALENDAR, at("2026-01-06T14:00:00Z"), at("2026-01-06T14:00:00Z"), DAN, "no time at all"),
        Booking(CALENDAR + 1, at("2026-01-01T00:00:00Z"), at("2026-02-01T00:00:00Z"), EVA, "another calendar"),
    )
    rota = replace(Rota.of(Schedule("UTC", (base, WIKI))), bookings=booked)
    assert people_at(rota, ("2026-01-06T07:59:59Z", "2026-01-06T08:00:00Z")) == [(ANA,), (ANA, BEN)]
    assert people_at(rota, ("2026-01-06T14:00:00Z", "2026-01-06T16:00:00Z")) == [(ANA, BEN, CLEO), (ANA, CLEO)]
    assert on_call(rota, at("2026-01-06T13:30:00Z")).people[1] == Duty(BEN, ByCalendar("wiki", "Duty: Ben"), "expert")
    alone = replace(Rota.of(Schedule("UTC", (WIKI,))), bookings=booked)
    assert on_call(alone, at("2026-01-06T07:00:00Z")) == nobody("no_event")
    until = replace(WIKI, ends_at=at("2026-01-06T09:00:00Z"), role="primary")
    ended = replace(Rota.of(Schedule("UTC", (base, until))), bookings=booked)
    assert people_at(ended, ("2026-01-06T08:59:59Z", "2026-01-06T09:00:00Z")) == [(BEN,), (ANA,)]


NOBODY_CASES = [
    (Schedule("UTC", ()), "no_layers"),
    (Schedule("UTC", (daily("a", "2026-01-01", "00:00"),)), "no_participants"),
    (Schedule("UTC", (replace(daily("a", "2026-01-01", "00:00", ANA), ends_at=at("2026-06-01T00:00:00Z")),)), "ended"),
    (Schedule("UTC", (daily("a", "2026-06-02", "00:00", ANA),)), "not_started"),
    (
        Schedule("UTC", (replace(daily("a", "2026-01-01", "00:00", ANA), starts_at=at("2026-07-01T00:00:00Z")),)),
        "not_started",
    ),
    (Schedule("UTC", (replace(WIKI, name="a"),)), "no_event"),
    (
        Schedule("UTC", (daily("a", "2026-01-01", "00:00", ANA, only=(window("09:00", "17:00"),)),)),
        "outside_restrictions",
    ),
]


@pytest.mark.parametrize(("rota", "reason"), NOBODY_CASES)
def test_when_nobody_is_on_call_the_reason_is_named(rota, reason):
    moment = at("2026-06-01T00:00:00Z")
    assert on_call(Rota.of(rota), moment) == nobody(reason)
    assert reason in NOBODY


@pytest.mark.parametrize(("lower", "upper"), list(pairwise(NOBODY_CASES[:4] + NOBODY_CASES[5:])))
def test_of_several_reasons_the_one_nearest_to_having_somebody_is_named(lower, upper):
    renamed = tuple(replace(layer, name="b") for layer in lower[0].layers)
    for layers in (renamed + upper[0].layers, upper[0].layers + renamed):
        assert on_call(Rota.of(Schedule("UTC", layers)), at("2026-06-01T00:00:00Z")) == nobody(upper[1])


def test_only_the_version_in_force_counts():
    """And before, between and after the versions the schedule does not exist, whatever overrides say."""
    old, new = (Schedule("UTC", (daily("a", "2026-01-01", "00:00", person),)) for person in (ANA, BEN))
    eras = (
        Era(at("2026-02-01T00:00:00Z"), at("2026-03-01T00:00:00Z"), old, 1),
        Era(at("2026-03-01T00:00:00Z"), at("2026-04-01T00:00:00Z"), new, 2),
        Era(at("2026-05-01T00:00:00Z"), None, old, 3),
    )
    rota = Rota(eras, (override(1, "2026-04-10T00:00:00Z", "2026-04-20T00:00:00Z", DAN),))
    for moment in ("2026-01-31T23:59:59Z", "2026-04-01T00:00:00Z", "2026-04-15T00:00:00Z"):
        assert on_call(rota, at(moment)) == nobody("not_existing")
    moments = ("2026-02-01T00:00:00Z", "2026-02-28T23:59:59Z", "2026-03-01T00:00:00Z", "2026-05-01T00:00:00Z")
    assert people_at(rota, moments) == [(ANA,), (ANA,), (BEN,), (ANA,)]
    assert on_call(Rota(()), 0) == nobody("not_existing")


def test_until_it_is_settled_the_record_says_who_was_on_call():
    """Whatever would be computed now."""
    until = at("2026-01-14T00:00:00Z")
    written = (
        Shift(at("2026-01-05T09:00:00Z"), at("2026-01-12T12:00:00Z"), EVA, ByLayer("primary", 1)),
        Shift(at("2026-01-13T00:00:00Z"), until, ANA, ByOverride(OverrideId(3), None), "backup"),
    )
    rota = replace(Rota.of(WEEKLY), settled_until=until, record=written)
    assert on_call(rota, at("2026-01-06T00:00:00Z")) == turn(EVA, "primary", 1)
    assert on_call(rota, until - 1).people == (Duty(ANA, ByOverride(OverrideId(3), None), "backup"),)
    assert on_call(rota, at("2026-01-12T12:00:00Z")) == nobody("not_recorded")
    assert on_call(rota, at("2026-01-01T12:00:00Z")) == nobody("not_started")
    assert on_call(rota, until) == turn(BEN, "primary", 2)
    assert next_change(rota, at("2026-01-13T12:00:00Z")) == until


def test_a_layer_hands_its_place_to_the_next_at_a_set_instant_in_the_middle_of_a_turn():
    """How a rota is changed without rewriting the past: the old layer ends, the new one starts."""
    change = at("2026-02-04T12:34:56.789Z")
    old = replace(weekly("old", "2026-01-05", "10:00", ANA, BEN), ends_at=change)
    new = replace(weekly("new", "2026-01-05", "10:00", CLEO, DAN, EVA), starts_at=change)
    rota = Schedule("Europe/Berlin", (old, new))
    assert on_call(Rota.of(rota), change - 1) == turn(ANA, "old", 5)
    assert on_call(Rota.of(rota), change) == turn(DAN, "new", 5)


SWAP = "2026-01-14T12:00:00Z"  # Ben's week, the second


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        pytest.param([], turn(BEN, "primary", 2), id="none"),
        pytest.param(
            [override(1, "2026-01-14T12:00:00Z", "2026-01-14T13:00:00Z", DAN)], stand_in(DAN, 1), id="starts now"
        ),
        pytest.param(
            [override(1, "2026-01-14T11:00:00Z", "2026-01-14T12:00:00Z", DAN)], turn(BEN, "primary", 2), id="ends now"
        ),
        pytest.param(
            [override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", DAN)], stand_in(DAN, 1), id="over three turns"
        ),
        pytest.param(
            [override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", DAN, BEN)],
            stand_in(DAN, 1, BEN),
            id="in place of Ben",
        ),
        pytest.param(
            [override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", DAN, ANA)],
            turn(BEN, "primary", 2),
            id="in place of Ana, who is not on call: not an addition",
        ),
        pytest.param(
            [
                override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", DAN),
                override(2, "2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z", EVA),
            ],
            stand_in(EVA, 2),
            id="of two, the one made later",
        ),
        pytest.param(
            [
                override(2, "2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z", EVA),
                override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", DAN),
            ],
            stand_in(EVA, 2),
            id="whatever their order in the list",
        ),
        pytest.param(
            [
                override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", DAN, BEN),
                override(2, "2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z", EVA, DAN),
            ],
            stand_in(EVA, 2, DAN),
            id="an override of an override",
        ),
        pytest.param(
            [
                override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", DAN, BEN),
                override(2, "2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z", BEN, DAN),
            ],
            stand_in(BEN, 2, DAN),
            id="taken back for a day",
        ),
        pytest.param(
            [
                override(1, "2026-01-10T00:00:00Z", "2026-01-20T00:00:00Z", EVA, DAN),
                override(2, "2026-01-14T00:00:00Z", "2026-01-15T00:00:00Z", DAN),
            ],
            stand_in(DAN, 2),
            id="the later word that Dan takes it stands over the earlier that Eva does for him",
        ),
    ],
)
def test_overrides_lie_over_the_layers_in_the_order_they_were_made(overrides, expected):
    assert on_call(Rota.of(WEEKLY, *overrides), at(SWAP)) == expected


PAIR = Schedule(
    "UTC",
    (turning("pair", "week", (1,), "2026-01-05", "10:00", ANA, BEN, CLEO, roles=("first", "second")),),
)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({}, [(DAN, "first")]),
        ({"replaces": ANA}, [(DAN, "first"), (BEN, "second")]),
        ({"replaces": BEN}, [(ANA, "first"), (DAN, "second")]),
        ({"replaces": BEN, "role": "second"}, [(ANA, "first"), (DAN, "second")]),
        ({"replaces": BEN, "role": "first"}, [(ANA, "first"), (BEN, "second")]),
        ({"role": "second"}, [(ANA, "first"), (DAN, "second")]),
        ({"role": "expert"}, [(ANA, "first"), (BEN, "second"), (DAN, "expert")]),
        ({"replaces": CLEO}, [(ANA, "first"), (BEN, "second")]),
    ],
)
def test_an_override_is_for_everybody_or_for_a_person_or_for_a_role_or_for_a_person_in_a_role(made, expected):
    laid = replace(override(1, "2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z", DAN), **made)
    found = on_call(Rota.of(PAIR, laid), at("2026-01-06T12:00:00Z")).people
    assert [(duty.person, duty.role) for duty in found] == expected


def test_an_override_for_a_role_fills_a_gap_in_it():
    laid = replace(override(1, "2025-12-01T00:00:00Z", "2025-12-02T00:00:00Z", DAN), role="second")
    found = on_call(Rota.of(PAIR, laid), at("2025-12-01T12:00:00Z")).people
    assert found == (Duty(DAN, ByOverride(OverrideId(1), None), "second"),)


def test_somebody_who_stands_in_for_the_other_of_their_pair_has_both_roles_but_none_twice():
    laid = override(1, "2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z", ANA, BEN)
    both = on_call(Rota.of(PAIR, laid), at("2026-01-06T12:00:00Z")).people
    assert [(duty.person, duty.role) for duty in both] == [(ANA, "first"), (ANA, "second")]
    equals = Schedule("UTC", (replace(PAIR.layers[0], roles=("primary", "primary")),))
    assert on_call(Rota.of(equals, laid), at("2026-01-06T12:00:00Z")) == turn(ANA, "pair", 1)


def test_an_override_fills_a_gap_but_one_in_place_of_somebody_does_not():
    filled = override(1, "2025-12-01T00:00:00Z", "2025-12-02T00:00:00Z", DAN)
    assert on_call(Rota.of(WEEKLY, filled), at("2025-12-01T12:00:00Z")) == stand_in(DAN, 1)
    in_place = replace(filled, replaces=ANA)
    assert on_call(Rota.of(WEEKLY, in_place), at("2025-12-01T12:00:00Z")) == nobody("not_started")


@pytest.mark.parametrize(
    ("rota", "overrides", "moment", "expected"),
    [
        (WEEKLY, [], "2025-01-07T00:00:00Z", "2026-01-05T10:00:00+01:00"),
        (WEEKLY, [], "2026-01-05T10:00:00+01:00", "2026-01-12T10:00:00+01:00"),
        (WEEKLY, [], "2026-03-23T10:00:00+01:00", "2026-03-30T10:00:00+02:00"),
        (
            WEEKLY,
            [override(1, "2026-01-07T00:00:00Z", "2026-01-08T00:00:00Z", DAN)],
            "2026-01-06T00:00:00Z",
            "2026-01-07T00:00:00Z",
        ),
        (
            WEEKLY,
            [override(1, "2026-01-07T00:00:00Z", "2026-01-08T00:00:00Z", DAN)],
            "2026-01-07T00:00:00Z",
            "2026-01-08T00:00:00Z",
        ),
        # An override in place of somebody who is not on call changes nothing.
        (
            WEEKLY,
            [override(1, "2026-01-07T00:00:00Z", "2026-01-08T00:00:00Z", DAN, EVA)],
            "2026-01-06T00:00:00Z",
            "2026-01-12T10:00:00+01:00",
        ),
        # Under an override for everybody the layers' handoffs do not show.
        (
            WEEKLY,
            [override(1, "2026-01-07T00:00:00Z", "2027-01-06T00:00:00Z", DAN)],
            "2026-01-07T00:00:00Z",
            "2027-01-06T00:00:00Z",
        ),
        (OFFICE, [], "2026-01-05T08:00:00Z", "2026-01-05T20:00:00Z"),
        (WEEKEND, [], "2026-01-09T18:00:00-05:00", "2026-01-12T09:00:00-05:00"),
        # What is further off than a year is not looked for.
        (
            Schedule("UTC", (daily("a", "2026-01-01", "00:00", ANA, BEN),)),
            [override(1, "2026-01-07T00:00:00Z", "2036-01-07T00:00:00Z", DAN)],
            "2026-01-07T00:00:00Z",
            None,
        ),
        # Before the first turn, also of one person alone.
        (
            Schedule("UTC", (daily("a", "2026-01-01", "09:00", ANA),)),
            [],
            "2025-01-06T00:00:00Z",
            "2026-01-01T09:00:00Z",
        ),
        # One person alone at all hours, or a rota that is over: never.
        (Schedule("UTC", (daily("a", "2026-01-01", "00:00", ANA, ANA),)), [], "2026-01-06T00:00:00Z", None),
        (
            Schedule("UTC", (daily("a", "2026-01-01", "00:00", ANA, only=(window("00:00", "00:00"),)),)),
            [],
            "2026-01-06T00:00:00Z",
            None,
        ),
        (
            Schedule("UTC", (replace(daily("a", "2026-01-01", "00:00", ANA), ends_at=at("2026-02-01T00:00:00Z")),)),
            [],
            "2026-02-06T00:00:00Z",
            None,
        ),
        (
            Schedule("UTC", (replace(daily("a", "2026-01-01", "00:00", ANA), ends_at=at("2026-02-01T00:00:00Z")),)),
            [],
            "2026-01-06T00:00:00Z",
            "2026-02-01T00:00:00Z",
        ),
        (
            Schedule("UTC", (replace(daily("a", "2026-01-01", "00:00", ANA), starts_at=at("2026-02-01T00:00:00Z")),)),
            [],
            "2026-01-06T00:00:00Z",
            "2026-02-01T00:00:00Z",
        ),
        (Schedule("UTC", (daily("a", "2026-01-01", "00:00"),)), [], "2026-01-06T00:00:00Z", None),
        (Schedule("UTC", ()), [], "2026-01-06T00:00:00Z", None),
        # A layer that hides a daily one for ever hides its handoffs too.
        (
            Schedule("UTC", (daily("a", "2026-01-01", "00:00", ANA, BEN), daily("b", "2026-01-01", "00:00", CLEO))),
            [],
            "2026-01-06T00:00:00Z",
            None,
        ),
        (
            Schedule(
                "UTC",
                (daily("a", "2026-01-01", "00:00", ANA, only=(window("10:00", "11:00", MON, TUE, WED, THU, FRI),)),),
            ),
            [],
            "2026-01-09T11:00:00Z",
            "2026-01-12T10:00:00Z",
        ),
    ],
)
def test_the_next_change_is_the_first_instant_at_which_somebody_else_is_on_call(rota, overrides, moment, expected):
    assert next_change(Rota.of(rota, *overrides), at(moment)) == (None if expected is None else at(expected))


def test_two_overrides_of_one_person_meet_in_a_change_because_they_are_two_reasons():
    made = (
        override(1, "2026-01-06T00:00:00Z", "2026-01-07T00:00:00Z", DAN),
        override(2, "2026-01-07T00:00:00Z", "2026-01-08T00:00:00Z", DAN),
    )
    assert next_change(Rota.of(WEEKLY, *made), at("2026-01-06T00:00:00Z")) == at("2026-01-07T00:00:00Z")
