"""Builders of schedules as people write them, and of any schedule at all for properties."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from hypothesis import strategies as st

from app.clock import HOUR, MINUTE, Micros, from_datetime, to_datetime
from app.ids import PersonId
from app.oncall.schedule import Layer, Override, OverrideId, Restriction, Schedule

ANA, BEN, CLEO, DAN, EVA = (PersonId(number) for number in range(1, 6))

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
EVERY_DAY = frozenset(range(7))

ZONES = (
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # turns by 30 minutes
    "Asia/Beirut",  # turns at midnight: 00:00 is missing in spring, 23:00 to 24:00 comes twice in autumn
    "Pacific/Apia",  # had no 2011-12-30
    "America/Santiago",  # turns at midnight, in the other half of the year
    "Africa/Casablanca",  # turned back for Ramadan, each year on another date
    "Antarctica/Troll",  # turns by two hours
    "America/St_Johns",  # turned at 00:01 until 2011: the repeated hour reached back into the day before
    "Atlantic/Azores",
    "Asia/Tehran",  # gave summer time up in 2022
    "America/Caracas",  # half an hour, twice, for good
)


def at(text: str) -> Micros:
    """The instant written as RFC 3339."""
    return from_datetime(datetime.fromisoformat(text))


def clock(text: str) -> time:
    return time.fromisoformat(text)


def window(start: str, end: str, *weekdays: int) -> Restriction:
    """From `start` to `end`, on the given weekdays or on every day."""
    return Restriction(frozenset(weekdays) or EVERY_DAY, clock(start), clock(end))


def weekly(name: str, start: str, handoff: str, *people: PersonId, only: tuple[Restriction, ...] = ()) -> Layer:
    return Layer(name, people, "week", 1, date.fromisoformat(start), clock(handoff), only)


def daily(name: str, start: str, handoff: str, *people: PersonId, only: tuple[Restriction, ...] = ()) -> Layer:
    return Layer(name, people, "day", 1, date.fromisoformat(start), clock(handoff), only)


def override(number: int, starts_at: str, ends_at: str, person: PersonId, replaces: PersonId | None = None) -> Override:
    return Override(OverrideId(number), at(starts_at), at(ends_at), person, replaces)


NIGHTS_OF_CHANGE = (
    at("2011-12-30T10:00:00Z"),  # Apia skips a day
    at("2023-03-25T22:00:00Z"),  # Beirut, the spring whose law changed twice
    at("2026-03-29T01:00:00Z"),  # Berlin, the Azores, Troll
    at("2026-10-25T01:00:00Z"),
    at("2026-10-03T15:30:00Z"),  # Lord Howe
    at("2010-11-07T02:31:00Z"),  # St John's, back over midnight
)

_people = st.sampled_from((ANA, BEN, CLEO, DAN, EVA))
_clocks = st.builds(time, st.integers(0, 23), st.sampled_from((0, 1, 15, 30, 45, 59)))
_restrictions = st.builds(Restriction, st.frozensets(st.integers(0, 6), min_size=1), _clocks, _clocks)


@st.composite
def layers(draw: st.DrawFn, name: str, around: Micros) -> Layer:
    """A layer that is mostly under way at `around`, sometimes bounded close to it."""
    today = to_datetime(around).date()
    bound = st.none() | st.integers(-72, 72).map(lambda hours: around + hours * HOUR)
    starts_at, ends_at = draw(bound), draw(bound)
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        starts_at = None
    return Layer(
        name,
        tuple(draw(st.lists(_people, max_size=4))),
        draw(st.sampled_from(("day", "week"))),
        draw(st.integers(1, 3)),
        today + timedelta(days=draw(st.integers(-3, 3) | st.integers(-500, 0))),
        draw(_clocks),
        tuple(draw(st.lists(_restrictions, max_size=3))),
        starts_at,
        ends_at,
    )


@st.composite
def schedules(draw: st.DrawFn, around: Micros) -> Schedule:
    count = draw(st.integers(0, 3))
    return Schedule(draw(st.sampled_from(ZONES)), tuple(draw(layers(f"layer {n}", around)) for n in range(count)))


@st.composite
def override_sets(draw: st.DrawFn, around: Micros) -> tuple[Override, ...]:
    made = []
    for number in draw(st.permutations(range(draw(st.integers(0, 5))))):
        starts_at = around + draw(st.integers(-72 * 60, 72 * 60)) * MINUTE
        person = draw(_people)
        replaces = draw(st.none() | _people.filter(lambda other, person=person: other != person))
        length = draw(st.integers(1, 48 * 60)) * MINUTE
        made.append(Override(OverrideId(number), starts_at, starts_at + length, person, replaces))
    return tuple(made)


@st.composite
def situations(draw: st.DrawFn) -> tuple[Schedule, tuple[Override, ...], Micros, Micros]:
    """A schedule, its overrides, and an interval of up to eight days near a change of the clocks."""
    around = draw(st.sampled_from(NIGHTS_OF_CHANGE))
    start = around - draw(st.integers(0, 96 * 60)) * MINUTE
    end = start + draw(st.integers(0, 192 * 60)) * MINUTE
    return draw(schedules(around)), draw(override_sets(around)), start, end
