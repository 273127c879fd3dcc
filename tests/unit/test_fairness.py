"""Who had how much of being on call: against numbers worked out by hand, and properties that hold for any rota."""

from __future__ import annotations

import re
import time as machine
from datetime import date, time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from app.api.shares import COLUMNS
from app.clock import DAY, HOUR, MINUTE, Micros
from app.ids import PersonId
from app.oncall.fairness import Account, Call, Facts, Line, account, evenness, together
from app.oncall.hours import Almanac, Home
from app.oncall.pay import Pay, amount
from app.oncall.rota import Away, Booking, ByCalendar, ByLayer, Debt, Era, Rota, Shift
from app.oncall.schedule import CalendarId, CalendarLayer, Layer, Override, OverrideId, Restriction, Schedule
from app.oncall.shifts import shifts
from tests.harness.rotas import ANA, BEN, CLEO, DAN, EVA, NIGHTS_OF_CHANGE, ZONES, at

BERLIN = "Europe/Berlin"


def weekly(name: str, *people: PersonId, **more: Any) -> Layer:
    """Hands over on Mondays at 10:00, first on 2026-01-05."""
    return Layer(name, people, "week", (1,), date(2026, 1, 5), time(10), **more)


def facts(rota: Rota, start: str, end: str, **more: Any) -> Facts:
    since, until = at(start), at(end)
    return Facts(since, until, shifts(rota, since, until), rota.eras, rota.bookings, **more)


def line(found: Account, person: PersonId) -> Line:
    return next(one for one in found.lines if one.person == person)


def hours(found: Account, person: PersonId) -> dict[str, float]:
    measured = line(found, person).hours
    paid = {kind: length / HOUR for kind, length in measured.paid_as.items()}
    overlapping = {"night_hours": measured.night, "weekend_hours": measured.weekend, "holiday_hours": measured.holiday}
    return paid | {name: length / HOUR for name, length in overlapping.items()}


@pytest.fixture(scope="module")
def fortnight() -> Account:
    """Two weeks in Berlin by hand: the clocks go forward on Sunday 29 March; 3 and 6 April are public holidays.

    Ana has the first week and Ben the second, who lives in Germany; Cleo takes 12 hours of Ben's Saturday; Dan is always
    the second to be called.
    """
    schedule = Schedule(BERLIN, (weekly("first", BEN, ANA), weekly("second", DAN, roles=("secondary",))))
    cover = Override(OverrideId(1), at("2026-04-04T08:00:00+02:00"), at("2026-04-04T20:00:00+02:00"), CLEO, BEN)
    calls = (
        Call(ANA, at("2026-03-24T12:00:00+01:00")),
        Call(ANA, at("2026-03-24T22:00:00+01:00")),
        Call(ANA, at("2026-03-25T06:00:00+01:00")),
        Call(DAN, at("2026-03-29T03:00:00+02:00")),
    )
    start, end = "2026-03-23T10:00:00+01:00", "2026-04-06T10:00:00+02:00"
    homes = {BEN: Home(BERLIN, "DE")}
    return account(facts(Rota.of(schedule, cover), start, end, homes=homes, calls=calls, debts=(Debt(BEN, ANA, 3, 7),)))


def test_each_hour_is_of_one_paid_kind_and_of_every_kind_that_it_is(fortnight: Account) -> None:
    ana = {"day": 80, "night": 40, "weekend": 47, "holiday": 0}
    assert hours(fortnight, ANA) == ana | {"night_hours": 55, "weekend_hours": 47, "holiday_hours": 0}
    ben = {"day": 60, "night": 26, "weekend": 36, "holiday": 34}
    assert hours(fortnight, BEN) == ben | {"night_hours": 56, "weekend_hours": 36, "holiday_hours": 34}
    cleo = {"day": 0, "night": 0, "weekend": 12, "holiday": 0}
    assert hours(fortnight, CLEO) == cleo | {"night_hours": 0, "weekend_hours": 12, "holiday_hours": 0}
    dan = {"day": 160, "night": 80, "weekend": 95, "holiday": 0}
    assert hours(fortnight, DAN) == dan | {"night_hours": 111, "weekend_hours": 95, "holiday_hours": 0}


def test_nights_shifts_and_hours_in_the_place_of_others_are_counted(fortnight: Account) -> None:
    counted = {
        one.person: (one.shifts, one.hours.nights, one.covered / HOUR, one.handed / HOUR) for one in fortnight.lines
    }
    assert counted == {ANA: (1, 7, 0, 0), BEN: (2, 7, 0, 12), CLEO: (1, 0, 12, 0), DAN: (1, 14, 0, 0)}


def test_calls_count_at_night_from_22_until_6(fortnight: Account) -> None:
    assert [(one.person, one.pages, one.pages_at_night) for one in fortnight.lines] == [
        (ANA, 3, 1),
        (BEN, 0, 0),
        (CLEO, 0, 0),
        (DAN, 1, 1),
    ]


def test_turns_owed_are_of_the_debtor_and_to_the_creditor(fortnight: Account) -> None:
    assert [(one.owes, one.is_owed) for one in fortnight.lines] == [(0, 1), (1, 0), (0, 0), (0, 0)]


def test_the_expected_share_is_that_of_the_rotation_and_no_cover_changes_it(fortnight: Account) -> None:
    shares = {one.person: fortnight.share(one) for one in fortnight.lines}
    assert {person: share.expected for person, share in shares.items()} == {
        ANA: Fraction(1, 4),
        BEN: Fraction(1, 4),
        CLEO: 0,
        DAN: Fraction(1, 2),
    }
    assert {person: share.difference / HOUR for person, share in shares.items()} == {
        ANA: Fraction(-1, 2),
        BEN: Fraction(-23, 2),
        CLEO: 12,
        DAN: 0,
    }
    assert shares[BEN].actual == Fraction(156, 670)


def test_scores_by_hand(fortnight: Account) -> None:
    score = fortnight.score
    assert score.hours == 100 * (1 - Fraction(12, 670))
    assert score.nights == 100
    assert score.weekends == 100 * (1 - Fraction(12, 190))
    assert score.pages == 50  # Ana had 3 of 4 instead of 1, Dan 1 instead of 2, Ben none instead of 1
    assert score.mean == (score.hours + 100 + score.weekends + 50) / 4


def test_pay_by_hand(fortnight: Account) -> None:
    pay = Pay(currency="EUR", day="2", night="5", weekend="7.50", holiday="10", per_page="3")
    paid = {one.person: amount(pay, one.hours.paid_as, one.pages).text() for one in fortnight.lines}
    assert paid == {ANA: "721.50", BEN: "860.00", CLEO: "90.00", DAN: "1435.50"}


@pytest.mark.parametrize(
    ("currency", "rate", "minutes", "text"),
    [
        ("EUR", "0.01", 30, "0.01"),  # half a cent is rounded up
        ("EUR", "0.01", 29, "0.00"),
        ("JPY", "1", 30, "1"),
        ("KWD", "0.001", 30, "0.001"),
        ("EUR", "999999999.9999", 366 * 24 * 60, "8783999999999.12"),
    ],
)
def test_amounts_are_rounded_half_up_to_what_the_currency_has(
    currency: str, rate: str, minutes: int, text: str
) -> None:
    assert amount(Pay(currency=currency, day=rate), {"day": minutes * MINUTE}, 0).text() == text


def test_money_is_never_a_binary_fraction() -> None:
    """A tenth of a cent, a thousand times, is a euro."""
    assert amount(Pay(currency="EUR", per_page="0.001"), {}, 1_000).value == Decimal("1.00")


@pytest.mark.parametrize(
    "document",
    [
        {"currency": "eur"},
        {"currency": "EURO"},
        {"currency": "EUR", "day": "-1"},
        {"currency": "EUR", "day": "1e9"},
        {"currency": "EUR", "day": "1,50"},
        {"currency": "EUR", "day": 1.5},
        {"currency": "EUR", "day": "1.00001"},
        {"currency": "EUR", "evening": "1"},
        {},
    ],
)
def test_rates_that_are_no_decimal_text_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Pay.model_validate(document)


def test_hours_in_two_roles_at_once_count_in_both() -> None:
    schedule = Schedule("UTC", (weekly("first", ANA, BEN), weekly("second", ANA, roles=("secondary",))))
    found = account(facts(Rota.of(schedule), "2026-01-05T10:00:00Z", "2026-01-06T10:00:00Z"))
    assert line(found, ANA).hours.total == 2 * DAY
    assert line(found, ANA).hours.nights == 2
    assert line(found, ANA).shifts == 2


def test_a_public_holiday_is_that_of_the_person_on_their_own_clock() -> None:
    """On 3 July 2026, when Independence Day is observed, only she who lives in New York is on call on a holiday."""
    schedule = Schedule("UTC", (weekly("first", ANA, roles=("primary",)), weekly("second", BEN, roles=("secondary",))))
    homes = {ANA: Home("America/New_York", "US"), BEN: Home(BERLIN, "DE")}
    found = account(facts(Rota.of(schedule), "2026-07-03T00:00:00Z", "2026-07-04T00:00:00Z", homes=homes))
    assert (hours(found, ANA)["holiday"], hours(found, BEN)["holiday"]) == (20, 0)


def test_a_stand_in_for_somebody_away_covers_and_paying_back_takes_it_away_again() -> None:
    def shift(day: int, person: PersonId, how: Any, owner: PersonId | None) -> Shift:
        return Shift(day * DAY, (day + 1) * DAY, person, ByLayer("first", day + 1, how, owner))

    taken = (shift(0, BEN, "stands_in", ANA), shift(1, ANA, "pays_back", BEN), shift(2, ANA, "nobody_else", None))
    found = account(Facts(0, 3 * DAY, taken, (Era(0, None, Schedule("UTC", ())),)))
    assert [(one.person, one.covered, one.handed) for one in found.lines] == [(ANA, DAY, DAY), (BEN, DAY, DAY)]


def test_leave_changes_what_is_actual_and_never_what_is_expected() -> None:
    schedule = Schedule("UTC", (weekly("first", ANA, BEN),))
    start, end = at("2026-01-05T10:00:00Z"), at("2026-02-02T10:00:00Z")
    rota = Rota.of(schedule, away=(Away(ANA, start, end, "on leave"),))
    found = account(facts(rota, "2026-01-05T10:00:00Z", "2026-02-02T10:00:00Z"))
    assert line(found, ANA).hours.total == 0
    assert found.share(line(found, ANA)).expected == Fraction(1, 2)
    assert line(found, BEN).covered == line(found, ANA).handed == 14 * DAY
    assert found.score.hours == 50


def test_each_version_of_the_schedule_counts_while_it_is_in_force() -> None:
    """Cleo joins after the first of two weeks, in which she was not expected to take anything."""
    start, joins, end = (at(f"2026-01-{day}T10:00:00Z") for day in ("05", "12", "19"))
    eras = (
        Era(start, joins, Schedule("UTC", (weekly("first", ANA, BEN),)), 1),
        Era(joins, None, Schedule("UTC", (weekly("first", CLEO, ANA, BEN),)), 2),
    )
    rota = Rota(eras)
    found = account(Facts(start, end, shifts(rota, start, end), eras))
    expected = {one.person: found.share(one).expected for one in found.lines}
    assert expected == {ANA: Fraction(5, 12), BEN: Fraction(5, 12), CLEO: Fraction(1, 6)}


def test_somebody_named_twice_is_expected_to_take_twice_as_much() -> None:
    schedule = Schedule("UTC", (weekly("first", ANA, BEN, ANA),))
    found = account(facts(Rota.of(schedule), "2026-01-05T10:00:00Z", "2026-01-26T10:00:00Z"))
    assert found.share(line(found, ANA)).expected == Fraction(2, 3)
    assert found.score.hours == 100


def test_a_layer_is_expected_only_while_it_is_seen() -> None:
    """Nights by others on top: the people of the days are expected to take the days."""
    schedule = Schedule(
        "UTC",
        (
            Layer("days", (ANA,), "day", (1,), date(2026, 1, 5), time(6)),
            Layer(
                "nights",
                (BEN,),
                "day",
                (1,),
                date(2026, 1, 5),
                time(22),
                (Restriction(frozenset(range(7)), time(22), time(6)),),
            ),
        ),
    )
    found = account(facts(Rota.of(schedule), "2026-01-05T22:00:00Z", "2026-01-12T22:00:00Z"))
    assert found.share(line(found, ANA)).expected == Fraction(2, 3)
    assert found.score.nights == 100


def test_a_calendar_says_what_is_actual_and_expected() -> None:
    schedule = Schedule("UTC", (CalendarLayer("from the calendar", CalendarId(9)),))
    booked = (Booking(CalendarId(9), 0, DAY, ANA, "Ana"), Booking(CalendarId(9), DAY, 3 * DAY, BEN, "Ben"))
    rota = Rota((Era(0, None, schedule),), bookings=booked)
    been = (Shift(0, DAY, ANA, ByCalendar("c", "Ana")), Shift(DAY, 3 * DAY, BEN, ByCalendar("c", "Ben")))
    found = account(Facts(0, 3 * DAY, been, rota.eras, booked))
    assert [found.share(one).expected for one in found.lines] == [Fraction(1, 3), Fraction(2, 3)]
    assert found.score.hours == 100


def test_nobody_on_call_has_no_score() -> None:
    found = account(Facts(0, DAY, (), (Era(0, None, Schedule("UTC", ())),)))
    assert found.lines == ()
    assert found.score.mean is None
    assert together([found, found]).score.hours is None


def test_people_who_only_stood_in_are_shown_without_an_expectation() -> None:
    found = account(Facts(0, DAY, (Shift(0, DAY, ANA, ByLayer("gone", 1)),), ()))
    share = found.share(line(found, ANA))
    assert (share.expected, share.actual, found.score.hours) == (None, 1, None)


@pytest.mark.parametrize(
    ("pairs", "score"),
    [
        ([(10, 10), (10, 10)], 100),
        ([(20, 10), (0, 10)], 50),
        ([(20, 0), (0, 10)], 0),
        ([(3, 1), (1, 1), (0, 2)], 50),
        ([(0, 1), (0, 1)], None),
        ([(1, 0), (1, 0)], None),
        ([], None),
    ],
)
def test_the_score_is_100_less_the_part_that_would_have_to_change_hands(
    pairs: list[tuple[int, int]], score: int | None
) -> None:
    assert evenness([(have, Fraction(should)) for have, should in pairs]) == score


@pytest.mark.parametrize(
    ("zone", "start", "end", "night", "nights"),
    [
        (BERLIN, "2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00", 7, 1),
        (BERLIN, "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00", 9, 1),
        ("Australia/Lord_Howe", "2026-10-03T22:00:00+10:30", "2026-10-04T06:00:00+11:00", 7.5, 1),
        # The middle of the night itself is missing: at 01:00 UTC the clock goes from 01:00 to 03:00.
        ("Antarctica/Troll", "2026-03-28T22:00:00+00:00", "2026-03-29T06:00:00+02:00", 6, 1),
        # 30 December 2011 was left out: the night from the 29th to the 31st is one.
        ("Pacific/Apia", "2011-12-29T22:00:00-10:00", "2011-12-31T06:00:00+14:00", 8, 1),
    ],
)
def test_a_night_in_which_the_clocks_change_is_as_long_as_it_is(
    zone: str, start: str, end: str, night: float, nights: int
) -> None:
    eras = (Era(0, None, Schedule(zone, ())),)
    measured = Almanac(eras, at(start) - DAY, at(end) + DAY).measure(at(start), at(end), Home())
    assert (measured.night / HOUR, measured.nights) == (night, nights)


@st.composite
def rotas(draw: st.DrawFn) -> tuple[Rota, Micros, Micros, dict[PersonId, Home]]:
    """A rotation around the clock near a change of the clocks, with people standing in."""
    around = draw(st.sampled_from(NIGHTS_OF_CHANGE))
    people = draw(st.lists(st.sampled_from((ANA, BEN, CLEO, DAN)), min_size=1, max_size=5))
    length = draw(st.integers(1, 3))
    handoff = time(draw(st.integers(0, 23)), draw(st.sampled_from((0, 30))))
    layer = Layer("all", tuple(people), draw(st.sampled_from(("day", "week"))), (length,), date(2001, 1, 1), handoff)
    made = []
    for number in range(draw(st.integers(0, 3))):
        since = around + draw(st.integers(-72 * 60, 72 * 60)) * MINUTE
        until = since + draw(st.integers(1, 48 * 60)) * MINUTE
        made.append(Override(OverrideId(number), since, until, EVA, draw(st.none() | st.sampled_from((ANA, BEN)))))
    start = around - draw(st.integers(0, 10 * 24 * 60)) * MINUTE - draw(st.integers(0, 999))
    end = start + draw(st.integers(1, 20 * 24 * 60)) * MINUTE + draw(st.integers(0, 999))
    home = st.sampled_from((Home(), Home(BERLIN, "DE"), Home("Pacific/Apia", "WS"), Home("America/New_York", "US")))
    homes = {person: draw(home) for person in (ANA, BEN, CLEO, DAN, EVA)}
    return Rota.of(Schedule(draw(st.sampled_from(ZONES)), (layer,)), *made), start, end, homes


@settings(max_examples=150, deadline=None)
@given(rotas())
def test_hours_of_all_are_the_interval_and_the_kinds_of_each_are_their_hours(
    made: tuple[Rota, Micros, Micros, dict[PersonId, Home]],
) -> None:
    """To the microsecond, whatever the clocks do; and every score is between 0 and 100."""
    rota, start, end, homes = made
    found = account(Facts(start, end, shifts(rota, start, end), rota.eras, homes=homes))
    assert sum(one.hours.total for one in found.lines) == end - start
    assert sum(one.covered for one in found.lines) == sum(one.handed for one in found.lines)
    assert sum(one.due.time for one in found.lines) == end - start
    assert sum(found.share(one).difference for one in found.lines) == 0
    for one in found.lines:
        paid = one.hours.paid_as
        assert sum(paid.values()) == one.hours.total
        assert min(paid.values()) >= 0
        assert paid["night"] <= one.hours.night <= one.hours.total
        assert paid["weekend"] <= one.hours.weekend <= one.hours.total
    scores = (found.score.hours, found.score.nights, found.score.weekends, found.score.mean)
    assert all(score is None or 0 <= score <= 100 for score in scores)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 6), st.integers(1, 3), st.integers(1, 3))
def test_whole_rounds_of_a_rotation_score_100(people: int, days: int, rounds: int) -> None:
    """In UTC, where all days are equally long. Weekends are even only by chance and asked no more of."""
    layer = Layer("all", tuple(map(PersonId, range(1, people + 1))), "day", (days,), date(2026, 1, 5), time(0))
    start = at("2026-01-05T00:00:00Z")
    end = start + people * days * rounds * DAY
    rota = Rota.of(Schedule("UTC", (layer,)))
    found = account(Facts(start, end, shifts(rota, start, end), rota.eras))
    assert (found.score.hours, found.score.nights) == (100, 100)


def test_the_account_of_a_team_is_the_sum_of_its_schedules(fortnight: Account) -> None:
    both = together([fortnight, fortnight])
    assert [one.hours.total for one in both.lines] == [2 * one.hours.total for one in fortnight.lines]
    assert [one.pages for one in both.lines] == [6, 0, 0, 2]
    assert both.score == fortnight.score


def test_schedules_that_even_each_other_out_are_fair_together() -> None:
    """Ana has the week of one schedule and Ben that of the other."""
    start, end = "2026-01-05T10:00:00Z", "2026-01-12T10:00:00Z"
    each = [
        account(facts(Rota.of(Schedule("UTC", (weekly("first", *people),))), start, end))
        for people in ((ANA, BEN), (BEN, ANA))
    ]
    assert [one.score.hours for one in each] == [50, 50]
    assert together(each).score.hours == 100


def test_a_thousand_shifts_cost_little() -> None:
    """A year of three hand-overs a day: well under what anybody waits for."""
    layer = Layer("all", (ANA, BEN, CLEO), "hour", (8,), date(2026, 1, 1), time(0))
    rota = Rota.of(Schedule(BERLIN, (layer,)))
    start, end = at("2026-01-01T00:00:00Z"), at("2026-12-31T00:00:00Z")
    homes = dict.fromkeys((ANA, BEN, CLEO), Home(BERLIN, "DE", "BY"))
    laid_out = shifts(rota, start, end)
    assert len(laid_out) > 1_000
    began = machine.process_time()
    account(Facts(start, end, laid_out, rota.eras, homes=homes))
    assert machine.process_time() - began < 1


def test_every_column_of_the_table_is_told_in_order() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "fairness.md").read_text("utf-8")
    rows = [row.split("|")[1] for row in page.split("## The CSV")[1].splitlines() if row.startswith("| `")]
    assert re.findall(r"`(\w+)`", " ".join(rows)) == list(COLUMNS)
