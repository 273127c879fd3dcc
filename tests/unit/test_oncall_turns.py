"""What happens to a turn whose owner is away: who takes it, who owes it, how it is paid back. As tables of weeks."""

from dataclasses import replace

import pytest

from app.clock import DAY, HOUR, iso
from app.ids import PersonId
from app.oncall.resolve import on_call, standings
from app.oncall.rota import Away, ByLayer, Debt, Era, Rota, Standing
from app.oncall.schedule import Limits, Schedule
from app.oncall.shifts import shifts
from tests.harness.rotas import (
    ANA,
    BEN,
    CLEO,
    DAN,
    EVA,
    FRI,
    MON,
    THU,
    TUE,
    WED,
    at,
    away,
    daily,
    turning,
    weekly,
    window,
)

FOUR = weekly("primary", "2026-01-05", "10:00", ANA, BEN, CLEO, DAN)
"""Turn 1, Ana's, is the week of 5 January; Ben's is that of the 12th, Cleo's of the 19th, Dan's of the 26th."""


def monday(turn):
    return at("2026-01-05T10:00:00Z") + (turn - 1) * 7 * DAY


def rota(layer, *absences, **limits):
    return Rota.of(Schedule("UTC", (layer,), Limits(**limits)), away=absences)


def plan(of, turns, layer="primary"):
    """Who has each turn, as "A" by the rotation, "B for A" and "A back to B" otherwise; days, where it is taken in parts."""
    names = dict(zip((ANA, BEN, CLEO, DAN, EVA), "ABCDE", strict=True))
    told = []
    for turn in turns:
        parts = []
        for day in range(7):
            (duty,) = on_call(of, monday(turn) + day * DAY + HOUR).people
            why = duty.why
            assert (why.layer, why.turn) == (layer, turn)
            owner = names.get(why.instead_of, "")
            name = names[duty.person]
            shown = {
                "turn": name,
                "stands_in": f"{name} for {owner}",
                "pays_back": f"{name} back to {owner}",
                "nobody_else": f"{name} all the same",
            }
            if parts and parts[-1][1] == shown[why.how]:
                parts[-1][0] += 1
            else:
                parts.append([1, shown[why.how]])
        told.append(parts[0][1] if len(parts) == 1 else ", ".join(f"{days} {who}" for days, who in parts))
    return told


WEEK_1 = ("2026-01-05T00:00:00Z", "2026-01-12T10:00:00Z")


def test_the_next_takes_a_missed_turn_and_gets_theirs_taken_in_return():
    """The rotation moves on to Ben and owes him his week; nobody else notices anything."""
    of = rota(FOUR, away(ANA, *WEEK_1))
    assert plan(of, range(1, 9)) == ["B for A", "A back to B", "C", "D", "A", "B", "C", "D"]
    (first,) = on_call(of, monday(1)).people
    assert first.why == ByLayer("primary", 1, "stands_in", ANA, "on leave")
    (second,) = on_call(of, monday(2)).people
    assert second.why == ByLayer("primary", 2, "pays_back", BEN, "turn 1")
    assert standings(of, monday(1) + 1) == {"primary": Standing(1)}
    owed = standings(of, monday(2))["primary"]
    assert (owed.turn, owed.debts) == (2, (Debt(ANA, BEN, 1, 7, whole=True),))
    assert standings(of, monday(3))["primary"].debts == ()


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        ("2026-01-05T10:00:00Z", ["A", "B", "C", "D", "A"]),
        ("2026-01-05T10:00:01Z", ["1 C for A, 6 A", "B", "1 A back to C, 6 C", "D", "A"]),
        ("2026-01-08T10:00:00Z", ["3 C for A, 4 A", "B", "3 A back to C, 4 C", "D", "A"]),
        ("2026-01-08T10:00:01Z", ["B for A", "A back to B", "C", "D", "A"]),
    ],
)
def test_days_are_handed_over_if_less_than_half_of_the_turn_is_missed_and_else_all_of_it(until, expected):
    """Days go to Cleo rather than Ben, who would have all of his own week after them."""
    assert plan(rota(FOUR, away(ANA, "2026-01-01T00:00:00Z", until)), range(1, 6)) == expected


def test_half_of_a_turn_is_enough():
    of = rota(
        turning("primary", "day", (2,), "2026-01-05", "10:00", ANA, BEN, CLEO),
        away(ANA, *WEEK_1[:1], "2026-01-05T12:00:00Z"),
    )
    assert {on_call(of, monday(1) + hours * HOUR).people[0].person for hours in range(0, 48, 3)} == {BEN}


def test_each_run_of_missed_days_is_handed_over_by_itself():
    of = rota(
        FOUR,
        away(ANA, "2026-01-06T12:00:00Z", "2026-01-06T13:00:00Z"),
        away(ANA, "2026-01-09T12:00:00Z", "2026-01-10T12:00:00Z"),
        away(CLEO, "2026-01-09T12:00:00Z", "2026-01-10T12:00:00Z"),
    )
    assert plan(of, (1,)) == ["1 A, 1 C for A, 2 A, 2 D for A, 1 A"]
    assert standings(of, monday(2))["primary"].debts == (Debt(ANA, CLEO, 1, 1), Debt(ANA, DAN, 1, 2))
    assert plan(of, range(2, 6)) == ["B", "1 A back to C, 6 C", "2 A back to D, 5 D", "A"]


def test_two_runs_of_days_that_one_person_takes_are_owed_together():
    tuesday = away(ANA, "2026-01-06T12:00:00Z", "2026-01-06T13:00:00Z")
    friday = away(ANA, "2026-01-09T12:00:00Z", "2026-01-09T13:00:00Z")
    of = rota(FOUR, tuesday, friday)
    assert plan(of, (1, 3)) == ["1 A, 1 C for A, 2 A, 1 C for A, 2 A", "2 A back to C, 5 C"]
    assert standings(of, monday(2))["primary"].debts == (Debt(ANA, CLEO, 1, 2),)


def test_who_can_take_all_of_it_is_asked_before_who_can_take_some():
    """Dan, although he had the week before: Cleo is not there on Wednesday."""
    leave = ("2026-02-01T00:00:00Z", "2026-02-14T00:00:00Z")
    some = away(CLEO, "2026-02-04T10:00:00Z", "2026-02-05T10:00:00Z")
    assert plan(rota(FOUR, away(ANA, *leave), away(BEN, *leave), some), (5,)) == ["D for A"]


def test_who_missed_a_whole_turn_did_not_have_it_even_if_the_layer_sleeps_at_weekends():
    """Ana comes back from a long leave in the middle of turn 1: Ben's turn 2 may well be hers."""
    hours = window("09:00", "17:00", MON, TUE, WED, THU, FRI)
    office = replace(FOUR, participants=(ANA, BEN, CLEO), handoff=hours.start, restrictions=(hours,))
    leave = away(ANA, "2025-11-01T00:00:00Z", "2026-01-08T00:00:00Z")
    of = rota(office, leave, away(BEN, "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"))
    assert [on_call(of, monday(turn)).people[0].person for turn in (1, 2)] == [CLEO, ANA]


def test_somebody_who_would_have_two_weeks_in_a_row_is_passed_over():
    """Ana is away for two weeks: she can't pay Ben back at once. Dan had the week before. So it is Cleo's."""
    of = rota(FOUR, away(ANA, "2026-02-01T00:00:00Z", "2026-02-14T00:00:00Z"))
    assert plan(of, range(4, 10)) == ["D", "C for A", "B", "A back to C", "D", "A"]


def test_but_not_if_nobody_else_is_left():
    of = rota(
        FOUR,
        away(ANA, "2026-01-26T00:00:00Z", "2026-02-14T00:00:00Z"),
        away(CLEO, *("2026-02-01T00:00:00Z",) * 1, "2026-02-10T00:00:00Z"),
    )
    assert plan(of, (5, 6)) == ["B for A", "B"]
    assert standings(of, monday(7))["primary"].debts == (Debt(ANA, BEN, 5, 7, whole=True),)
    assert plan(of, (10,)) == ["A back to B"]


def test_a_turn_that_somebody_who_owes_it_takes_is_not_in_a_row():
    """Ben may take Ana's turn 5 before his own turn 6, because Cleo owes him a turn and takes that one."""
    leave = away(ANA, "2026-02-01T00:00:00Z", "2026-02-14T00:00:00Z")
    owed = Standing(5, (Debt(CLEO, BEN, 3, 7, whole=True),))
    of = replace(rota(FOUR, leave), settled_until=monday(5), standings={"primary": owed})
    assert plan(of, (5, 6)) == ["B for A", "C back to B"]
    assert plan(replace(of, standings={}), (5, 6)) == ["C for A", "B"]


def test_a_debtor_who_is_away_pays_back_in_the_turn_after():
    of = rota(FOUR, away(ANA, *WEEK_1), away(ANA, "2026-01-13T00:00:00Z", "2026-01-13T12:00:00Z"))
    assert plan(of, range(1, 11)) == ["B for A", "B", "C", "D", "A", "A back to B", "C", "D", "A", "B"]
    for turn in range(2, 7):
        assert standings(of, monday(turn))["primary"].debts == (Debt(ANA, BEN, 1, 7, whole=True),)


def test_the_oldest_debt_is_paid_first_and_a_turn_is_paid_once():
    """Ana and Dan both owe Ben a week."""
    debts = (Debt(DAN, BEN, 0, 7, whole=True), Debt(ANA, BEN, 1, 7, whole=True))
    of = replace(rota(FOUR), settled_until=monday(2), standings={"primary": Standing(2, debts)})
    assert plan(of, (2, 6, 10)) == ["D back to B", "A back to B", "B"]


def test_days_that_several_owe_are_paid_one_after_the_other_and_what_does_not_fit_stays_owed():
    debts = (Debt(DAN, BEN, 0, 3), Debt(ANA, BEN, 1, 2), Debt(CLEO, BEN, 0, 4))
    of = replace(rota(FOUR), settled_until=monday(2), standings={"primary": Standing(2, debts)})
    assert plan(of, (2, 6, 10)) == ["3 D back to B, 2 A back to B, 2 C back to B", "2 C back to B, 5 B", "B"]
    assert standings(of, monday(3))["primary"].debts == (Debt(CLEO, BEN, 0, 2),)


def test_a_missed_turn_that_is_owed_anyway_is_taken_by_who_owes_it():
    """Ana was to pay Ben back in his second turn, in which he is away: nothing new is owed."""
    of = rota(FOUR, away(ANA, *WEEK_1), away(BEN, "2026-01-12T10:00:00Z", "2026-01-19T10:00:00Z"))
    assert plan(of, range(1, 7)) == ["B for A", "A back to B", "C", "D", "A", "B"]


@pytest.mark.parametrize(("days", "owed"), [(31, True), (32, False)])
def test_turns_missed_in_a_long_leave_are_not_owed(days, owed):
    leave = Away(ANA, monday(1) - DAY, monday(1) - DAY + days * DAY, "on leave")
    of = rota(FOUR, leave)
    assert plan(of, (1,)) == ["C for A"]
    assert bool(standings(of, monday(2))["primary"].debts) == owed
    assert plan(of, (7,)) == ["A back to C" if owed else "C"]


def test_nobody_owes_more_than_four_turns():
    layer = turning("primary", "day", (1,), "2026-01-05", "10:00", ANA, BEN, CLEO, DAN)
    leave = Away(ANA, monday(1), monday(1) + 30 * DAY, "on leave")
    debts = standings(rota(layer, leave), monday(1) + 30 * DAY)["primary"].debts
    assert [debt.turn for debt in debts] == [1, 5, 9, 13]


def test_if_all_are_away_the_owner_keeps_the_turn_and_nothing_is_owed():
    everybody = [away(person, *WEEK_1) for person in (ANA, BEN, CLEO, DAN)]
    of = rota(FOUR, *everybody)
    assert plan(of, (1, 2)) == ["A all the same", "B"]
    assert on_call(of, monday(1)).people[0].why == ByLayer("primary", 1, "nobody_else", None, "on leave")
    assert standings(of, monday(2))["primary"].debts == ()


def test_several_share_a_turn_that_nobody_can_take_alone_and_who_is_there_takes_every_day():
    of = rota(
        FOUR,
        away(ANA, *WEEK_1),
        away(BEN, "2026-01-07T10:00:00Z", "2026-01-12T10:00:00Z"),
        away(CLEO, "2026-01-05T10:00:00Z", "2026-01-08T10:00:00Z"),
        away(CLEO, "2026-01-09T10:00:00Z", "2026-01-12T10:00:00Z"),
        away(DAN, *WEEK_1),
    )
    assert plan(of, (1,)) == ["2 B for A, 1 A all the same, 1 C for A, 3 A all the same"]


def test_only_hours_in_which_the_layer_is_active_can_be_missed():
    """Office hours: a weekend away is none, and three days of five are more than half."""
    office = replace(FOUR, restrictions=(window("09:00", "17:00", MON, TUE, WED, THU, FRI),))
    weekend = away(ANA, "2026-01-09T17:00:00Z", "2026-01-12T09:00:00Z")
    night = away(ANA, "2026-01-06T17:00:00Z", "2026-01-07T09:00:00Z")
    assert on_call(rota(office, weekend, night), at("2026-01-09T16:00:00Z")).people[0].why.how == "turn"
    assert standings(rota(office, weekend, night), monday(2))["primary"].debts == ()
    most = rota(office, away(ANA, "2026-01-06T16:00:00Z", "2026-01-09T16:00:00Z"))
    assert on_call(most, at("2026-01-05T12:00:00Z")).people[0].person == BEN


def test_days_after_the_end_of_a_layer_are_no_part_of_its_turn():
    """Of the two days that are left of turn 1 Ana misses one: half of it."""
    ended = replace(FOUR, ends_at=monday(3), starts_at=monday(1) + 5 * DAY)
    of = rota(ended, away(ANA, "2026-01-10T10:00:00Z", "2026-01-11T10:00:00Z"))
    assert [on_call(of, monday(1) + day * DAY).people[0].why.how for day in (5, 6)] == ["stands_in", "stands_in"]
    of = rota(replace(FOUR, ends_at=monday(1) + 2 * DAY), away(ANA, "2026-01-05T10:00:00Z", "2026-01-06T10:00:00Z"))
    assert [on_call(of, monday(1) + day * DAY).people[0].why.how for day in (0, 1)] == ["stands_in", "stands_in"]


def test_a_turn_of_hours_is_handed_over_whole():
    layer = turning("primary", "hour", (12,), "2026-01-05", "08:00", ANA, BEN, CLEO, DAN)
    of = rota(layer, away(ANA, "2026-01-05T19:00:00Z", "2026-01-05T19:30:00Z"))
    found = [on_call(of, at("2026-01-05T08:00:00Z") + 12 * HOUR * turn).people[0] for turn in range(5)]
    assert [(duty.person, duty.why.how) for duty in found] == [
        (BEN, "stands_in"),
        (ANA, "pays_back"),
        (CLEO, "turn"),
        (DAN, "turn"),
        (ANA, "turn"),
    ]


def test_a_month_is_paid_back_by_a_month_however_many_days_it_has():
    layer = turning("primary", "month", (1,), "2026-01-01", "10:00", ANA, BEN, CLEO)
    of = rota(layer, Away(ANA, at("2026-01-05T00:00:00Z"), at("2026-01-25T00:00:00Z"), "on leave"))
    found = shifts(of, at("2026-01-01T10:00:00Z"), at("2026-04-01T10:00:00Z"))
    assert [(iso(shift.starts_at)[:10], shift.person) for shift in found] == [
        ("2026-01-01", BEN),
        ("2026-02-01", ANA),
        ("2026-03-01", CLEO),
    ]


# Wishes.


def test_who_should_rest_hands_over_to_somebody_rested_and_owes_nothing():
    tired = away(ANA, "2026-01-07T10:00:00Z", "2026-01-08T09:00:00Z", "rest after a night with pages", soft=True)
    of = rota(FOUR, tired)
    assert plan(of, range(1, 5)) == ["2 A, 1 C for A, 4 A", "B", "C", "D"]
    assert standings(of, monday(2))["primary"].debts == ()
    all_tired = [replace(tired, person=person) for person in (ANA, BEN, CLEO, DAN)]
    assert plan(rota(FOUR, *all_tired), (1,)) == ["A"]


def test_who_should_rest_is_asked_before_nobody_but_after_everybody_else():
    absences = [away(person, *WEEK_1) for person in (ANA, BEN, CLEO)]
    tired = away(DAN, *WEEK_1, soft=True)
    assert plan(rota(FOUR, *absences, tired), (1,)) == ["D for A"]
    assert plan(rota(FOUR, away(ANA, *WEEK_1), replace(tired, person=BEN)), (1,)) == ["C for A"]


def test_who_should_rest_does_not_pay_back_in_that_turn():
    of = rota(FOUR, away(ANA, *WEEK_1), away(ANA, "2026-01-12T10:00:00Z", "2026-01-12T12:00:00Z", soft=True))
    assert plan(of, (1, 2, 6)) == ["B for A", "B", "A back to B"]


def test_who_would_have_too_many_nights_is_passed_over():
    """Cleo has the nights of the 8th and the 11th; that of the 5th would be her third in seven days."""
    layer = daily("primary", "2026-01-05", "10:00", ANA, CLEO, BEN, CLEO, DAN)
    missed = away(ANA, "2026-01-05T10:00:00Z", "2026-01-05T20:00:00Z")
    for limit, stand_in in ((None, CLEO), (3, CLEO), (2, BEN), (0, CLEO)):
        of = rota(layer, missed, nights_in_7_days=limit)
        assert on_call(of, at("2026-01-05T20:00:00Z")).people[0].person == stand_in
    by_day = replace(layer, restrictions=(window("08:00", "20:00"),))
    assert on_call(rota(by_day, missed, nights_in_7_days=2), at("2026-01-05T12:00:00Z")).people[0].person == CLEO


# Several at once.

PAIRS = turning("primary", "week", (1,), "2026-01-05", "10:00", ANA, BEN, CLEO, DAN, roles=("first", "second"))


def pairs(of, turns):
    return [tuple(duty.person for duty in on_call(of, monday(turn)).people) for turn in turns]


def test_a_stand_in_never_has_another_role_of_the_same_turn():
    """Ana and Ben have the first week. Who stands in for Ana is Cleo, because Ben is on call already."""
    of = rota(PAIRS, away(ANA, *WEEK_1))
    assert pairs(of, range(1, 5)) == [(CLEO, BEN), (BEN, ANA), (CLEO, DAN), (DAN, ANA)]
    both = rota(PAIRS, away(ANA, *WEEK_1), away(BEN, *WEEK_1))
    assert pairs(both, (1,)) == [(CLEO, DAN)]


def test_who_has_a_turn_next_themselves_will_not_take_that_of_their_stand_in():
    """Ben and Cleo have the second week: Cleo would have two in a row if she took Ben's first, so it is Dan's."""
    assert pairs(rota(PAIRS, away(BEN, *WEEK_1)), (1, 2)) == [(ANA, DAN), (BEN, CLEO)]


def test_nobody_stands_in_where_everybody_is_on_call_anyway():
    layer = replace(PAIRS, participants=(ANA, BEN))
    of = rota(layer, away(ANA, *WEEK_1))
    assert pairs(of, (1, 2)) == [(ANA, BEN), (BEN, ANA)]
    assert on_call(of, monday(1)).people[0].why.how == "nobody_else"


def test_what_can_never_be_paid_back_is_not_owed():
    """Ben's turns never come: the rotation of pairs moves on by two, from Ana and Ben to Ana and Cleo."""
    layer = replace(PAIRS, participants=(ANA, BEN, ANA, CLEO), advance=2)
    of = rota(layer, away(ANA, *WEEK_1))
    assert pairs(of, (1, 2)) == [(CLEO, BEN), (ANA, CLEO)]
    assert standings(of, monday(2))["primary"].debts == ()


def test_who_stood_in_is_remembered_for_a_week():
    layer = daily("primary", "2026-01-05", "10:00", ANA, BEN, CLEO, DAN)
    of = rota(layer, away(ANA, "2026-01-05T10:00:00Z", "2026-01-05T11:00:00Z"), nights_in_7_days=2)
    kept = [standings(of, at(f"2026-01-{day:02}T12:00:00Z"))["primary"].lately for day in range(5, 15)]
    assert [[(stint.turn, stint.person) for stint in lately] for lately in kept] == [
        [],
        [(1, BEN)],
        *[[(1, BEN), (2, ANA)]] * 6,
        [(2, ANA)],
        [],
    ]


def test_nothing_is_owed_to_somebody_whose_turns_have_no_hours():
    """Seven take days in turn, but only weekdays count: the last two have nothing to give back."""
    hours = window("09:00", "17:00", MON, TUE, WED, THU, FRI)
    layer = daily("primary", "2026-01-05", "00:00", ANA, BEN, CLEO, DAN, EVA, PersonId(6), PersonId(7), only=(hours,))
    of = rota(layer, away(EVA, "2026-01-09T00:00:00Z", "2026-01-10T00:00:00Z"))
    assert on_call(of, at("2026-01-09T12:00:00Z")).people[0].person == 7
    assert standings(of, at("2026-01-11T12:00:00Z"))["primary"].debts == ()


# Versions of the schedule.


def versions(before, after, change, *absences):
    eras = (Era(0, change, Schedule("UTC", (before,)), 1), Era(change, None, Schedule("UTC", (after,)), 2))
    return Rota(eras, away=absences)


MISSED = away(ANA, "2026-01-05T00:00:00Z", "2026-01-13T00:00:00Z")
"""So that Cleo takes turn 1, and Ana owes her turn 3."""


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(FOUR, ["B", "A back to C", "D", "A"], id="nothing"),
        pytest.param(replace(FOUR, name="other"), None, id="another layer owes nothing"),
        pytest.param(
            replace(FOUR, participants=(ANA, BEN, CLEO, EVA)), ["B", "A back to C", "E", "A"], id="others left"
        ),
        pytest.param(replace(FOUR, participants=(EVA, BEN, CLEO, DAN)), ["B", "C", "D", "E"], id="the debtor left"),
        pytest.param(replace(FOUR, participants=(ANA, BEN, EVA, DAN)), ["B", "E", "D", "A"], id="the creditor left"),
        pytest.param(
            replace(FOUR, participants=(BEN, CLEO, DAN, ANA)), ["C", "D", "A", "B", "A back to C"], id="reordered"
        ),
    ],
)
def test_what_is_owed_is_owed_in_the_next_version_too_as_long_as_both_are_in_it(after, expected):
    of = versions(FOUR, after, monday(2), MISSED)
    if expected is None:
        assert plan(of, range(2, 6), "other") == ["B", "C", "D", "A"]
    else:
        assert plan(of, range(2, 2 + len(expected))) == expected


def test_a_version_saved_in_the_middle_of_a_handed_over_turn_goes_on_with_it():
    change = monday(1) + 2 * DAY
    assert plan(versions(FOUR, replace(FOUR, advance=1), change, MISSED), range(1, 5)) == [
        "C for A",
        "B",
        "A back to C",
        "D",
    ]
    of = versions(FOUR, replace(FOUR, participants=(ANA, BEN, CLEO, DAN, EVA)), change, MISSED)
    assert plan(of, range(1, 6)) == ["C for A", "B", "A back to C", "D", "E"]
    assert standings(of, monday(2))["primary"].debts == (Debt(ANA, CLEO, 1, 7, whole=True),)


def test_a_turn_that_the_new_version_gives_to_others_counts_as_done():
    """The old version's turn 1 was Ana's and Cleo took it; from Wednesday on it is Dan's. Ana owes Cleo all the same."""
    change = monday(1) + 2 * DAY
    of = versions(FOUR, replace(FOUR, participants=(DAN, BEN, CLEO, ANA)), change, MISSED)
    assert plan(of, range(2, 5)) == ["B", "A back to C", "A"]
    assert on_call(of, change - 1).people[0].person == CLEO
    assert on_call(of, change).people[0].why == ByLayer("primary", 1)


def test_from_what_is_settled_the_same_follows_whether_the_old_version_is_known_or_not():
    """The version in force before is looked at to know which turn was meant; without it, turns of one number are one."""
    change = monday(1) + 2 * DAY
    of = versions(FOUR, replace(FOUR, participants=(ANA, BEN, CLEO, EVA)), change, MISSED)
    settled = replace(of, settled_until=change, standings=standings(of, change))
    for eras in (of.eras, of.eras[1:]):
        assert plan(replace(settled, eras=eras), range(2, 6)) == ["B", "A back to C", "E", "A"]


def test_what_is_owed_is_owed_even_if_only_the_number_of_the_turn_is_known_to_be_another():
    """The new version counts from the second week on, and the old one is not at hand."""
    anew = Schedule("UTC", (turning("primary", "week", (1,), "2026-01-12", "10:00", BEN, CLEO, DAN, ANA),))
    owed = Standing(3, (Debt(ANA, CLEO, 1, 7, whole=True), Debt(EVA, CLEO, 1, 7, whole=True)))
    of = replace(Rota.of(anew), settled_until=monday(2), standings={"primary": owed})
    assert standings(of, monday(2) + 1)["primary"] == Standing(1, owed.debts[:1])
    assert on_call(of, monday(3)).people[0].why == ByLayer("primary", 2, "pays_back", CLEO, "turn 1")


def test_a_far_instant_costs_no_more_than_a_near_one():
    """Counted in turns that had to be looked at."""
    absences = [
        Away(person, monday(3 * person), monday(3 * person) + 9 * DAY, "on leave") for person in (ANA, BEN, CLEO)
    ]
    looked_at = []
    for turn in (60, 60 + 52 * 30):
        of = rota(FOUR, *absences)
        on_call(of, monday(turn))
        looked_at.append(of.memo["plans", 0]["primary"].turns_looked_at)
    assert looked_at[0] == looked_at[1] < 15


def test_what_an_ended_layer_still_owes_costs_nothing_ever_after():
    """Ana can't pay Ben back in turn 2, and there is no turn 6."""
    ended = replace(FOUR, ends_at=monday(3))
    of = rota(ended, away(ANA, *WEEK_1), away(ANA, "2026-01-13T00:00:00Z", "2026-01-13T12:00:00Z"))
    assert standings(of, monday(1000))["primary"].debts == (Debt(ANA, BEN, 1, 7, whole=True),)
    assert of.memo["plans", 0]["primary"].turns_looked_at <= 3
