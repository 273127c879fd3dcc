"""Shifts as a calendar: what is in it, that it keeps still while nothing changes, and that it reads back the same."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import icalendar
import pytest
from hypothesis import given, settings

from app.clock import DAY, HOUR, SECOND, Micros
from app.ids import PersonId
from app.oncall.ical import Laid, of_person, of_schedule, tag_of, written
from app.oncall.ical_people import Match
from app.oncall.ical_read import read
from app.oncall.rota import Rota
from app.oncall.schedule import Schedule
from app.oncall.shifts import shifts
from tests.harness.rotas import ANA, BEN, CLEO, DAN, EVA, at, override, situations, turning, weekly

NAMES = {1: "Ana", 2: "Ben", 3: "Cleo", 4: "Dan", 5: "Eva"}
SHOP = 77


def laid(rota: Rota, start: Micros, end: Micros, name: str = "Shop") -> Laid:
    return Laid.of(SHOP, name, rota, shifts(rota, start, end), start)


def a_rota(zone: str = "Europe/Berlin") -> Rota:
    return Rota.of(Schedule(zone, (weekly("primary", "2026-01-05", "10:00", ANA, BEN, CLEO),)))


START, END = at("2026-03-01T00:00:00Z"), at("2026-05-01T00:00:00Z")


def test_an_event_says_who_where_and_why() -> None:
    entries = of_schedule(laid(a_rota(), START, END), NAMES)
    calendar = icalendar.Calendar.from_ical(written("Shop on call", entries))
    assert calendar["X-WR-CALNAME"] == "Shop on call"
    assert calendar["REFRESH-INTERVAL"].to_ical() == b"PT15M"
    event = calendar.walk("VEVENT")[1]
    assert event["SUMMARY"] == "Cleo: Shop on call"
    assert event["DESCRIPTION"] == "on call in Shop (layer primary, turn 9)"
    assert event["DTSTART"].to_ical() == b"20260302T090000Z"
    assert event["DTEND"].to_ical() == b"20260309T090000Z"
    assert event["DTSTAMP"].to_ical() == b"20260302T090000Z"
    assert event["TRANSP"] == "TRANSPARENT"


def test_the_role_is_told_where_there_are_several() -> None:
    both = turning("both", "week", (1,), "2026-01-05", "10:00", ANA, BEN, roles=("primary", "secondary"))
    there = laid(Rota.of(Schedule("Europe/Berlin", (both,))), START, END)
    assert {entry.title for entry in of_schedule(there, NAMES)} == {
        "Ana: Shop on call (primary)",
        "Ben: Shop on call (secondary)",
        "Ben: Shop on call (primary)",
        "Ana: Shop on call (secondary)",
    }
    assert {entry.title for entry in of_person(ANA, [there], NAMES)} == {
        "On call: Shop (primary)",
        "On call: Shop (secondary)",
    }


def test_a_persons_calendar_has_their_shifts_in_all_schedules() -> None:
    other = replace(laid(a_rota("America/New_York"), START, END, "Bank"), schedule_id=78)
    entries = of_person(BEN, [laid(a_rota(), START, END), other], NAMES)
    assert {entry.person for entry in entries} == {BEN}
    assert {entry.title for entry in entries} == {"On call: Shop", "On call: Bank"}
    assert len({entry.uid for entry in entries}) == len(entries) == 8


def test_ids_stay_while_shifts_stay() -> None:
    """A program updates what it has: the id holds when the end of a shift moves, and when the interval does."""
    before = of_schedule(laid(a_rota(), START, END), NAMES)
    moved = override(1, "2026-03-08T00:00:00Z", "2026-03-09T09:00:00Z", DAN)
    rota = replace(a_rota(), overrides=(moved,))
    after = {entry.uid: entry for entry in of_schedule(laid(rota, START, END), NAMES)}
    kept = before[1]
    assert after[kept.uid].starts_at == kept.starts_at
    assert after[kept.uid].ends_at < kept.ends_at
    later = {entry.uid for entry in of_schedule(laid(a_rota(), START + DAY // 2, END), NAMES)}
    assert {entry.uid for entry in before} == later


def test_the_tag_stands_for_the_whole_file() -> None:
    entries = of_schedule(laid(a_rota(), START, END), NAMES)
    again = of_schedule(laid(a_rota(), START, END), NAMES)
    assert tag_of("Shop", entries) == tag_of("Shop", again)
    assert written("Shop", entries) == written("Shop", again)
    renamed = of_schedule(laid(a_rota(), START, END), {**NAMES, 1: "Anna"})
    assert len({tag_of("Shop", entries), tag_of("Shop", renamed), tag_of("Store", entries)}) == 3


def test_somebody_on_call_for_years_is_one_event() -> None:
    """It begins where the interval does, and keeps its id from day to day."""
    alone = Rota.of(Schedule("UTC", (weekly("alone", "2020-01-06", "10:00", ANA),)))
    (today,) = of_schedule(laid(alone, START, END), NAMES)
    (tomorrow,) = of_schedule(laid(alone, START + DAY, END + DAY), NAMES)
    assert today.uid == tomorrow.uid


def test_shifts_of_less_than_a_second_are_left_out_and_ids_are_apart() -> None:
    short = replace(
        a_rota(),
        overrides=(
            replace(
                override(1, "2026-03-03T00:00:00Z", "2026-03-03T00:00:01Z", DAN), ends_at=at("2026-03-03T00:00:00.5Z")
            ),
        ),
    )
    entries = of_schedule(laid(short, START, END), NAMES)
    assert DAN not in {entry.person for entry in entries}
    assert len({entry.uid for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    "name",
    [
        "Ana\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:forged",
        "Ana\rX-FORGED:1",
        "A;n,a:\\n\\",
        "\x00\x1b[2J\u2028\ud800Ana",
        "\u00e4" * 5_000,
        "",
    ],
)
def test_names_stay_text(name: str) -> None:
    """Whatever people and schedules are called: as many events as shifts, and no line of theirs."""
    there = laid(a_rota(), START, END, name)
    entries = of_schedule(there, {**NAMES, 1: name})
    body = written(name, entries)
    assert b"X-FORGED" not in body.replace(b"X-FORGED:1: ", b"").split(b"\r\n")
    calendar = icalendar.Calendar.from_ical(body)
    assert len(calendar.walk("VEVENT")) == len(entries)
    assert not [event for event in calendar.walk("VEVENT") if event.errors or event["SUMMARY"] == "forged"]


PEOPLE = tuple((PersonId(number), name, "") for number, name in NAMES.items())


@settings(max_examples=150, deadline=None)
@given(situations())
def test_our_own_feed_read_back_gives_the_same_shifts(situation: tuple[Rota, Micros, Micros]) -> None:
    """Over changes of the clocks, in every zone, with overrides, absences and calendars: person, start and end."""
    rota, start, end = situation
    there = laid(rota, start, end)
    body = written("Shop", of_schedule(there, NAMES))
    found = read(body, start, end, "Asia/Tokyo", Match.of(PEOPLE))
    expected = sorted((one.starts_at, one.ends_at, one.person) for one in there.shifts)
    assert sorted((one.starts_at, one.ends_at, *one.people) for one in found.occurrences) == expected
    assert not found.notes


@settings(max_examples=40, deadline=None)
@given(situations())
def test_another_tocsin_reads_it_by_names(situation: tuple[Rota, Micros, Micros]) -> None:
    """Where the ids are unknown the names find the same people."""
    rota, start, end = situation
    there = laid(rota, start, end)
    elsewhere = Match.of((PersonId(person + 1_000), name, email) for person, name, email in PEOPLE)
    found = read(written("Shop", of_schedule(there, NAMES)), start, end, "UTC", elsewhere)
    expected = sorted((one.starts_at, one.ends_at, one.person + 1_000) for one in there.shifts)
    assert sorted((one.starts_at, one.ends_at, *one.people) for one in found.occurrences) == expected


def test_a_name_that_is_part_of_the_schedules_does_not_put_anybody_on_call() -> None:
    """In the schedule "Eva's shop" each shift is still of whom it is."""
    there = laid(a_rota(), START, END, "Eva's shop")
    found = read(written("x", of_schedule(there, NAMES)), START, END, "UTC", Match.of(PEOPLE))
    assert EVA not in {person for one in found.occurrences for person in one.people}
    assert len(found.occurrences) == len(there.shifts)


def test_edges_between_seconds_meet() -> None:
    rota = replace(a_rota(), overrides=(replace(override(1, "2026-03-03T00:00:00.7Z", "2026-03-03T08:00:00.3Z", DAN)),))
    entries = of_schedule(laid(rota, START, END), NAMES)
    edges = [(entry.starts_at, entry.ends_at) for entry in entries]
    assert all(before[1] == after[0] for before, after in pairwise(edges))
    assert all(start % SECOND == 0 and end - start >= HOUR for start, end in edges)
