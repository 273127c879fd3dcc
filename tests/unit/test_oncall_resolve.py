"""Who is on call at an instant, as tables of facts about rotas that teams really have."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings

from app.clock import DAY, HOUR
from app.oncall.resolve import MAX_STEPS, NOBODY, ByLayer, ByOverride, Duty, OnCall, next_change, on_call
from app.oncall.schedule import Layer, Override, OverrideId, Schedule
from tests.harness.rotas import (
    ANA,
    BEN,
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
    situations,
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
    assert on_call(WEEKLY, (), at(moment)) == expected


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
    assert on_call(OFFICE, (), at(moment)) == expected


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
    assert on_call(WEEKEND, (), at(moment)) == expected


@pytest.mark.parametrize(
    ("zone", "handoff", "handed_over_at"),
    [
        ("Europe/Berlin", "02:30", "2026-03-29T01:00:00Z"),
        ("Europe/Berlin", "02:30", "2026-10-25T00:30:00Z"),
        ("America/New_York", "02:30", "2026-03-08T07:00:00Z"),
        ("America/New_York", "01:30", "2026-11-01T05:30:00Z"),
        ("Australia/Lord_Howe", "02:15", "2026-10-03T15:30:00Z"),
        ("Australia/Lord_Howe", "01:45", "2026-04-04T14:45:00Z"),
        ("Asia/Beirut", "00:30", "2023-03-25T22:00:00Z"),
        ("Asia/Beirut", "23:30", "2023-10-28T20:30:00Z"),
        ("Asia/Beirut", "09:00", "2023-03-26T06:00:00Z"),
        ("America/St_Johns", "00:00", "2010-11-07T02:30:00Z"),
    ],
)
def test_a_daily_rota_hands_over_once_on_the_day_of_a_change_of_the_clocks(zone, handoff, handed_over_at):
    rota = Schedule(zone, (daily("daily", "2010-01-01", handoff, ANA, BEN, CLEO),))
    moment = at(handed_over_at)
    (before,), (after,) = on_call(rota, (), moment - 1).people, on_call(rota, (), moment).people
    assert after.why.turn == before.why.turn + 1
    # And no second time: the next handoff is a day of wall time later.
    following = next_change(rota, (), moment)
    assert following is not None
    assert 22 * HOUR <= following - moment <= 26 * HOUR


def test_a_day_that_never_was_still_has_its_turn_until_the_next_handoff():
    """Apia had no 2011-12-30: its turn starts when the clock jumps, and lasts till nine o'clock on the 31st."""
    rota = Schedule("Pacific/Apia", (daily("daily", "2011-12-29", "09:00", ANA, BEN, CLEO),))
    assert on_call(rota, (), at("2011-12-29T23:59:59-10:00")) == turn(ANA, "daily", 1)
    assert on_call(rota, (), at("2011-12-31T00:00:00+14:00")) == turn(BEN, "daily", 2)
    assert on_call(rota, (), at("2011-12-31T09:00:00+14:00")) == turn(CLEO, "daily", 3)


def test_a_midnight_handoff_on_a_day_that_never_was_skips_its_turn():
    rota = Schedule("Pacific/Apia", (daily("daily", "2011-12-29", "00:00", ANA, BEN, CLEO),))
    assert on_call(rota, (), at("2011-12-29T23:59:59-10:00")) == turn(ANA, "daily", 1)
    assert on_call(rota, (), at("2011-12-31T00:00:00+14:00")) == turn(CLEO, "daily", 3)


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
    assert on_call(rota, (), at(moment)).people[0].person == (BEN if active else ANA)


def test_a_window_inside_a_missing_hour_does_not_open_that_night():
    rota = Schedule("Europe/Berlin", (daily("a", "2026-01-01", "00:00", ANA, only=(window("02:15", "02:45"),)),))
    assert next_change(rota, (), at("2026-03-28T12:00:00Z")) == at("2026-03-30T02:15:00+02:00")


def test_a_round_has_as_many_turns_as_participants_and_a_turn_as_many_units_as_its_length():
    fortnight = Layer("a", (ANA, BEN, ANA), "week", 2, WEEKLY.layers[0].start_date, WEEKLY.layers[0].handoff)
    rota = Schedule("Europe/Berlin", (fortnight,))
    mondays = [at("2026-01-05T10:00:00+01:00") + week * 7 * DAY for week in range(8)]
    assert [on_call(rota, (), monday).people[0].person for monday in mondays] == [ANA, ANA, BEN, BEN] + [ANA] * 4


NOBODY_CASES = [
    (Schedule("UTC", ()), "no_layers"),
    (Schedule("UTC", (daily("a", "2026-01-01", "00:00"),)), "no_participants"),
    (Schedule("UTC", (replace(daily("a", "2026-01-01", "00:00", ANA), ends_at=at("2026-06-01T00:00:00Z")),)), "ended"),
    (Schedule("UTC", (daily("a", "2026-06-02", "00:00", ANA),)), "not_started"),
    (
        Schedule("UTC", (replace(daily("a", "2026-01-01", "00:00", ANA), starts_at=at("2026-07-01T00:00:00Z")),)),
        "not_started",
    ),
    (
        Schedule("UTC", (daily("a", "2026-01-01", "00:00", ANA, only=(window("09:00", "17:00"),)),)),
        "outside_restrictions",
    ),
]


@pytest.mark.parametrize(("rota", "reason"), NOBODY_CASES)
def test_when_nobody_is_on_call_the_reason_is_named(rota, reason):
    moment = at("2026-06-01T00:00:00Z")
    assert on_call(rota, (), moment) == nobody(reason)
    assert reason in NOBODY


@pytest.mark.parametrize(("lower", "upper"), list(pairwise(NOBODY_CASES[:4] + NOBODY_CASES[5:])))
def test_of_several_reasons_the_one_nearest_to_having_somebody_is_named(lower, upper):
    renamed = tuple(replace(layer, name="b") for layer in lower[0].layers)
    for layers in (renamed + upper[0].layers, upper[0].layers + renamed):
        assert on_call(Schedule("UTC", layers), (), at("2026-06-01T00:00:00Z")) == nobody(upper[1])


def test_a_layer_hands_its_place_to_the_next_at_a_set_instant_in_the_middle_of_a_turn():
    """How a rota is changed without rewriting the past: the old layer ends, the new one starts."""
    change = at("2026-02-04T12:34:56.789Z")
    old = replace(weekly("old", "2026-01-05", "10:00", ANA, BEN), ends_at=change)
    new = replace(weekly("new", "2026-01-05", "10:00", CLEO, DAN, EVA), starts_at=change)
    rota = Schedule("Europe/Berlin", (old, new))
    assert on_call(rota, (), change - 1) == turn(ANA, "old", 5)
    assert on_call(rota, (), change) == turn(DAN, "new", 5)


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
    assert on_call(WEEKLY, overrides, at(SWAP)) == expected


def test_an_override_fills_a_gap_but_one_in_place_of_somebody_does_not():
    filled = override(1, "2025-12-01T00:00:00Z", "2025-12-02T00:00:00Z", DAN)
    assert on_call(WEEKLY, [filled], at("2025-12-01T12:00:00Z")) == stand_in(DAN, 1)
    in_place = replace(filled, replaces=ANA)
    assert on_call(WEEKLY, [in_place], at("2025-12-01T12:00:00Z")) == nobody("not_started")


@pytest.mark.parametrize(
    ("rota", "overrides", "moment", "expected"),
    [
        (WEEKLY, [], "2025-01-01T00:00:00Z", "2026-01-05T10:00:00+01:00"),
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
            [override(1, "2026-01-07T00:00:00Z", "2027-01-08T00:00:00Z", DAN)],
            "2026-01-07T00:00:00Z",
            "2027-01-08T00:00:00Z",
        ),
        (OFFICE, [], "2026-01-05T08:00:00Z", "2026-01-05T20:00:00Z"),
        (WEEKEND, [], "2026-01-09T18:00:00-05:00", "2026-01-12T09:00:00-05:00"),
        # However many handoffs it hides.
        (
            Schedule("UTC", (daily("a", "2026-01-01", "00:00", ANA, BEN),)),
            [override(1, "2026-01-07T00:00:00Z", "2036-01-07T00:00:00Z", DAN)],
            "2026-01-07T00:00:00Z",
            "2036-01-07T00:00:00Z",
        ),
        # Before the first turn, also of one person alone.
        (
            Schedule("UTC", (daily("a", "2026-01-01", "09:00", ANA),)),
            [],
            "2020-01-06T00:00:00Z",
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
    assert next_change(rota, overrides, at(moment)) == (None if expected is None else at(expected))


def test_the_search_for_the_next_change_ends_and_can_be_taken_up_again():
    """Eva stands in for both people of a daily rota through one override over another: nothing ever shows of the turns."""
    rota = Schedule("UTC", (daily("a", "2026-01-01", "00:00", ANA, BEN),))
    start, end = at("2026-01-01T00:00:00Z"), at("2032-01-01T00:00:00Z")
    overrides = [Override(OverrideId(1), start, end, BEN, ANA), Override(OverrideId(2), start, end, EVA, BEN)]
    paused = next_change(rota, overrides, start)
    assert paused == start + MAX_STEPS * DAY
    while paused < end:
        assert on_call(rota, overrides, paused).people[0].person == EVA
        paused = next_change(rota, overrides, paused)
    assert paused == end


@given(situations())
@settings(max_examples=150, deadline=None)
def test_between_an_instant_and_its_next_change_nothing_changes(situation):
    rota, overrides, start, end = situation
    change = next_change(rota, overrides, start)
    sources = [duty.source for duty in on_call(rota, overrides, start).people]
    last = min(end, change) if change is not None else end
    for step in range(20):
        moment = start + (last - 1 - start) * step // 19 if last > start else start
        assert [duty.source for duty in on_call(rota, overrides, moment).people] == sources
    if change is not None:
        assert [duty.source for duty in on_call(rota, overrides, change).people] != sources
