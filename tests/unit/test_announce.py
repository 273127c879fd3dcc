"""Who is told what of coming on call, and when to look again: tables over the pure decision."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import DAY, HOUR, MINUTE, SECOND, Micros, from_datetime
from app.ids import PersonId
from app.oncall.rota import ByLayer, ByOverride, Shift
from app.oncall.schedule import OverrideId
from app.rota.announce import BACK, DRILL_LATE, LATE, Facts, Plan, Settings, Stint, decide, drill_at, stints, window

ANA, BEN, CLEO = PersonId(1), PersonId(2), PersonId(3)
NOON = from_datetime(datetime(2026, 1, 7, 12, tzinfo=UTC))
"""A Wednesday."""
TELLING = Settings(before=HOUR, at_handoff=True, drill=False)


def shift(person: PersonId, start: float, end: float, role: str = "primary", *, layer: str = "daily") -> Shift:
    """From and until so many hours from noon."""
    return Shift(_at(start), _at(end), person, ByLayer(layer, 1), role)


def stood_in(person: PersonId, start: float, end: float, replaces: PersonId) -> Shift:
    return Shift(_at(start), _at(end), person, ByOverride(OverrideId(9), replaces), "primary")


def _at(hours: float) -> Micros:
    return NOON + round(hours * HOUR)


def plan(*shifts: Shift, now: float = 0, settings: Settings = TELLING, **more: dict) -> Plan:
    at = _at(now)
    since, until = window(settings, at)
    cut = [
        Shift(max(one.starts_at, since), min(one.ends_at, until), one.person, one.why, one.role)
        for one in shifts
        if one.starts_at < until and one.ends_at > since
    ]
    return decide(Facts(settings, since, until, tuple(cut), more.get("zones", {}), more.get("drilled", {})), at)


def told(found: Plan) -> list[tuple[str, int, tuple[int, ...]]]:
    before = [("before", int(one.stint.person), tuple(map(int, one.handing_over))) for one in found.before]
    at = [
        ("late" if one.late else "now", int(one.stint.person), tuple(map(int, one.handing_over)))
        for one in found.handoffs
    ]
    return before + at


DAYS = (shift(ANA, -24, 0), shift(BEN, 0, 24), shift(CLEO, 24, 48), shift(ANA, 48, 72))


@pytest.mark.parametrize(
    ("now", "expected", "next_look"),
    [
        (-1.5, [("late", ANA, ())], -1),
        (-1, [("before", BEN, (ANA,)), ("late", ANA, ())], 0),
        (-0.5, [("before", BEN, (ANA,)), ("late", ANA, ())], 0),
        (0, [("now", BEN, (ANA,))], 23),
        (0.5, [("now", BEN, (ANA,))], 23),
        (0.51, [("late", BEN, (ANA,))], 23),
        (12, [("late", BEN, (ANA,))], 23),
        (23, [("before", CLEO, (BEN,)), ("late", BEN, (ANA,))], 24),
        (24, [("now", CLEO, (BEN,))], 47),
    ],
)
def test_a_daily_rotation_through_its_day(now: float, expected: list, next_look: float) -> None:
    found = plan(*DAYS, now=now)
    assert told(found) == expected
    assert found.look_at == _at(next_look)


def test_whoever_goes_on_in_the_same_role_is_not_announced_again() -> None:
    """For another reason, by another layer or in the next version of the schedule: it is one stint."""
    found = plan(shift(ANA, -20, -1), stood_in(ANA, -1, 0, BEN), shift(ANA, 0, 20, layer="new"), now=0)
    assert [one.stint.starts_at for one in found.handoffs] == [_at(-20)]
    assert found.before == ()


def test_a_stand_in_that_begins_and_the_return_after_it_are_announced() -> None:
    week = (shift(ANA, -30, 1), stood_in(BEN, 1, 3, ANA), shift(ANA, 3, 90))
    assert told(plan(*week, now=0)) == [("before", BEN, (ANA,)), ("late", ANA, ())]
    assert told(plan(*week, now=1)) == [("now", BEN, (ANA,))]
    assert told(plan(*week, now=2)) == [("before", ANA, (BEN,)), ("late", BEN, (ANA,))]
    assert told(plan(*week, now=3)) == [("now", ANA, (BEN,))]


def test_roles_are_apart() -> None:
    both = (
        shift(ANA, -24, 0), shift(BEN, 0, 24),
        shift(BEN, -24, 0, "secondary"), shift(ANA, 0, 24, "secondary"),
    )  # fmt: skip
    found = plan(*both, now=0)
    assert [(one.stint.person, one.stint.role, one.handing_over) for one in found.handoffs] == [
        (BEN, "primary", (ANA,)),
        (ANA, "secondary", (BEN,)),
    ]


def test_several_at_once_hand_over_to_those_who_come() -> None:
    found = plan(shift(ANA, -9, 0), shift(BEN, -9, 9), shift(CLEO, 0, 9), now=0)
    assert ("now", CLEO, (ANA,)) in told(found)


def test_who_stays_through_an_hour_that_comes_twice_hands_over() -> None:
    assert told(plan(shift(ANA, -9, 1), shift(BEN, 0, 9), now=0))[-1] == ("now", BEN, (ANA,))


def test_after_a_gap_nobody_hands_over() -> None:
    assert told(plan(shift(ANA, -9, -1), shift(BEN, 0, 9), now=0)) == [("now", BEN, ())]


def test_what_is_over_is_never_announced_after_a_stop_of_the_server() -> None:
    """Only who is on call now, and as late."""
    hours = [shift(PersonId(10 + hour), hour, hour + 1) for hour in range(-30, 30)]
    found = plan(*hours, now=0.75)
    assert told(found) == [("before", 11, (10,)), ("late", 10, (9,))]


def test_who_began_longer_ago_than_is_looked_is_no_news() -> None:
    assert told(plan(shift(ANA, -BACK // HOUR, 90), now=0)) == []
    assert told(plan(shift(ANA, -900, 90), now=0)) == []


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(None, at_handoff=True, drill=False), []),
        (Settings(2 * HOUR, at_handoff=True, drill=False), [("before", BEN, (ANA,))]),
        (
            Settings(3 * DAY, at_handoff=False, drill=False),
            [("before", BEN, (ANA,)), ("before", CLEO, (BEN,)), ("before", ANA, (CLEO,))],
        ),
    ],
)
def test_settings_say_who_is_told_ahead(settings: Settings, expected: list) -> None:
    assert [one for one in told(plan(*DAYS, now=-1.5, settings=settings)) if one[0] == "before"] == expected


def test_nothing_is_told_at_the_handoff_when_it_is_switched_off() -> None:
    found = plan(*DAYS, now=0, settings=Settings(None, at_handoff=False, drill=False))
    assert told(found) == []
    assert found.look_at == _at(24)


def test_what_begins_in_a_moment_is_told_at_the_handoff_only() -> None:
    found = plan(*DAYS, now=-1 / 60)
    assert [one for one in told(found) if one[0] == "before"] == []
    assert found.look_at == _at(0)


def test_an_empty_schedule_is_looked_at_daily() -> None:
    found = plan(now=0)
    assert (told(found), found.look_at) == ([], NOON + DAY)


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ANA, BEN, CLEO]), st.integers(-60, 60), st.integers(1, 40), st.sampled_from(["a", "b"])
        ),
        max_size=12,
    ),
    st.integers(-3_000, 3_000),
)
def test_the_next_look_is_ahead_and_never_skips_an_announcement(rows: list, minutes: int) -> None:
    """Nothing becomes due between two looks: looking later finds only what the look at its instant would find."""
    shifts = [shift(person, start, start + length, role) for person, start, length, role in rows]
    settings = Settings(before=3 * HOUR, at_handoff=True, drill=True)
    now = minutes / 60
    found = plan(*shifts, now=now, settings=settings)
    assert NOON + minutes * MINUTE < found.look_at <= NOON + minutes * MINUTE + DAY
    just_before = (found.look_at - SECOND - NOON) / HOUR
    names = {(one.stint.person, one.stint.role, one.stint.starts_at) for one in (*found.before, *found.handoffs)}
    later = plan(*shifts, now=just_before, settings=settings)
    assert {
        (one.stint.person, one.stint.role, one.stint.starts_at) for one in (*later.before, *later.handoffs)
    } <= names


# Drills.

TRYING = Settings(before=None, at_handoff=False, drill=True)


def tried(*shifts: Shift, now: float, zone: str = "UTC", drilled: dict | None = None) -> tuple[list[int], Micros]:
    found = plan(*shifts, now=now, settings=TRYING, zones={ANA: zone, BEN: zone}, drilled=drilled or {})
    return [int(one.person) for one in found.drills], found.look_at


@pytest.mark.parametrize(
    ("start", "end", "zone", "expected"),
    [
        (0, 24, "UTC", 0),
        (-3, 24, "UTC", -3),
        (-3.01, 24, "UTC", -3),
        (8, 30, "UTC", 21),
        (7.99, 30, "UTC", 7.99),
        (12, 24, "UTC", 21),
        (12, 21, "UTC", 12),
        (12, 20, "UTC", 12),
        (0, 24, "America/Los_Angeles", 5),
        (0, 24, "Asia/Tokyo", 12),
        (0, 24, "Nowhere/AtAll", 0),
    ],
)
def test_a_drill_comes_by_day_unless_the_shift_has_none(start: float, end: float, zone: str, expected: float) -> None:
    """Hours from noon UTC on a Wednesday; 09:00 is three before."""
    assert drill_at(Stint(_at(start), _at(end), shift(ANA, start, end)), zone) == _at(expected)


def test_whoever_comes_on_call_by_day_is_tried_out_at_once() -> None:
    assert tried(*DAYS, now=0)[0] == [BEN]


def test_who_comes_on_call_at_night_is_tried_out_in_the_morning() -> None:
    night = (shift(ANA, -12, 12), shift(BEN, 12, 36))
    assert tried(*night, now=12) == ([], _at(21))
    assert tried(*night, now=21)[0] == [BEN]


def test_nobody_is_tried_out_twice_in_twenty_hours() -> None:
    assert tried(*DAYS, now=0, drilled={BEN: _at(-19)})[0] == []
    assert tried(*DAYS, now=0, drilled={BEN: _at(-20)})[0] == [BEN]
    assert tried(*DAYS, now=0, drilled={ANA: _at(-1)})[0] == [BEN]


def test_a_stint_that_was_not_drilled_because_of_another_stays_so() -> None:
    """Twenty hours after the earlier drill it is not made up for."""
    assert tried(shift(ANA, 0, 40), now=3, drilled={ANA: _at(-18)})[0] == []


def test_a_drill_that_could_not_be_sent_in_time_is_made_up_for_within_hours_and_by_day_only() -> None:
    assert tried(*DAYS, now=DRILL_LATE / HOUR)[0] == [BEN]
    assert tried(*DAYS, now=DRILL_LATE / HOUR + 0.1)[0] == []
    evening = (shift(BEN, 7, 30),)
    assert tried(*evening, now=7.9)[0] == [BEN]
    assert tried(*evening, now=8.1)[0] == []
    night = (shift(BEN, 12, 20),)
    assert tried(*night, now=12 + LATE / HOUR)[0] == [BEN]
    assert tried(*night, now=12.6)[0] == []


def test_a_person_in_two_roles_is_tried_out_once() -> None:
    assert tried(shift(ANA, 0, 9), shift(ANA, 0, 9, "secondary"), now=0)[0] == [ANA]


def test_nobody_is_tried_out_where_drills_are_off() -> None:
    assert plan(*DAYS, now=0).drills == ()


def test_stints_are_joined_across_touching_and_overlapping_shifts() -> None:
    found = stints([shift(ANA, 0, 2), shift(ANA, 2, 5), shift(ANA, 4, 6), shift(ANA, 7, 8), shift(BEN, 1, 3)])
    assert [(one.person, one.starts_at, one.ends_at) for one in found] == [
        (ANA, _at(0), _at(6)),
        (BEN, _at(1), _at(3)),
        (ANA, _at(7), _at(8)),
    ]
