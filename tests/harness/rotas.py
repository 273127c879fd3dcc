"""Builders of schedules as people write them, and of any schedule at all for properties."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from hypothesis import strategies as st

from app.clock import HOUR, MINUTE, Micros, from_datetime, to_datetime
from app.ids import PersonId
from app.oncall.rota import Away, Booking, Era, Rota
from app.oncall.schedule import (
    CalendarId,
    CalendarLayer,
    Layer,
    Limits,
    Override,
    OverrideId,
    Restriction,
    Schedule,
    Unit,
)

ANA, BEN, CLEO, DAN, EVA = (PersonId(number) for number in range(1, 6))

MON, TUE, WED, THU, FRI, SAT, SUN = range(7)
EVERY_DAY = frozenset(range(7))
ROLES = ("primary", "secondary")

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
    return turning(name, "week", (1,), start, handoff, *people, only=only)


def daily(name: str, start: str, handoff: str, *people: PersonId, only: tuple[Restriction, ...] = ()) -> Layer:
    return turning(name, "day", (1,), start, handoff, *people, only=only)


def turning(
    name: str,
    unit: Unit,
    lengths: tuple[int, ...],
    start: str,
    handoff: str,
    *people: PersonId,
    only: tuple[Restriction, ...] = (),
    roles: tuple[str, ...] = ("primary",),
    advance: int = 1,
) -> Layer:
    """Any rotation."""
    day = date.fromisoformat(start)
    return Layer(name, people, unit, lengths, day, clock(handoff), only, roles=roles, advance=advance)


def away(person: PersonId, starts_at: str, ends_at: str, why: str = "on leave", *, soft: bool = False) -> Away:
    return Away(person, at(starts_at), at(ends_at), why, soft)


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


_lengths = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)
CALENDAR = CalendarId(77)


@st.composite
def layers(draw: st.DrawFn, name: str, around: Micros) -> Layer:
    """A layer that is mostly under way at `around`, sometimes bounded close to it."""
    today = to_datetime(around).date()
    bound = st.none() | st.integers(-72, 72).map(lambda hours: around + hours * HOUR)
    starts_at, ends_at = draw(bound), draw(bound)
    if starts_at is not None and ends_at is not None and ends_at <= starts_at:
        starts_at = None
    people = tuple(draw(st.lists(_people, max_size=5)))
    at_once = draw(st.integers(1, min(3, max(1, len(set(people))))))
    return Layer(
        name,
        people,
        draw(st.sampled_from(("day", "day", "week", "month", "hour"))),
        draw(_lengths),
        today + timedelta(days=draw(st.integers(-3, 3) | st.integers(-500, 0))),
        draw(_clocks),
        tuple(draw(st.lists(_restrictions, max_size=3))),
        starts_at,
        ends_at,
        tuple(draw(st.sampled_from(ROLES)) for _ in range(at_once)),
        draw(st.integers(1, 3)),
    )


@st.composite
def calendar_layers(draw: st.DrawFn, name: str, around: Micros) -> CalendarLayer:
    starts_at = draw(st.none() | st.integers(-72, 72).map(lambda hours: around + hours * HOUR))
    return CalendarLayer(name, CALENDAR, draw(st.sampled_from(ROLES)), starts_at)


@st.composite
def schedules(draw: st.DrawFn, around: Micros) -> Schedule:
    """Up to three layers, now and then one of them read from a calendar."""
    made: list[Layer | CalendarLayer] = []
    for number in range(draw(st.integers(0, 3))):
        kind = calendar_layers if draw(st.integers(0, 5)) == 5 else layers
        made.append(draw(kind(f"layer {number}", around)))
    limits = Limits(draw(st.none() | st.integers(0, 4)))
    return Schedule(draw(st.sampled_from(ZONES)), tuple(made), limits)


@st.composite
def override_sets(draw: st.DrawFn, around: Micros) -> tuple[Override, ...]:
    made = []
    for number in draw(st.permutations(range(draw(st.integers(0, 5))))):
        starts_at = around + draw(st.integers(-72 * 60, 72 * 60)) * MINUTE
        person = draw(_people)
        replaces = draw(st.none() | _people.filter(lambda other, person=person: other != person))
        role = draw(st.none() | st.sampled_from(ROLES))
        length = draw(st.integers(1, 48 * 60)) * MINUTE
        made.append(Override(OverrideId(number), starts_at, starts_at + length, person, replaces, role))
    return tuple(made)


@st.composite
def absences(draw: st.DrawFn, around: Micros, reach_h: int = 240) -> tuple[Away, ...]:
    """Absences of hours, days or months, near `around`; some of them wishes."""
    made = []
    for _ in range(draw(st.integers(0, 5))):
        starts_at = around + draw(st.integers(-reach_h, reach_h)) * HOUR
        length = draw(st.sampled_from((2, 9, 24, 24, 60, 168, 168, 400, 1000))) * HOUR
        why = draw(st.sampled_from(("on leave", "ill")))
        made.append(Away(draw(_people), starts_at, starts_at + length, why, draw(st.integers(0, 3)) == 3))
    return tuple(made)


@st.composite
def around_the_clock(draw: st.DrawFn, around: Micros) -> tuple[Layer, tuple[Away, ...]]:
    """A layer with participants that has long begun and is always active, and absences of its people."""
    people = tuple(draw(st.lists(_people, min_size=1, max_size=5)))
    roles = [draw(st.sampled_from(ROLES)) for _ in range(draw(st.integers(1, len(set(people)))))]
    layer = Layer(
        "around the clock",
        people,
        draw(st.sampled_from(("hour", "day", "week", "month"))),
        draw(_lengths),
        to_datetime(around).date() - timedelta(days=draw(st.integers(100, 4000))),
        draw(_clocks),
        roles=tuple(roles),
        advance=draw(st.integers(1, 3)),
    )
    return layer, draw(absences(around))


@st.composite
def bookings(draw: st.DrawFn, around: Micros) -> tuple[Booking, ...]:
    made = []
    for _ in range(draw(st.integers(0, 4))):
        starts_at = around + draw(st.integers(-72, 72)) * HOUR
        ends_at = starts_at + draw(st.integers(0, 48)) * HOUR
        event = draw(st.sampled_from(("duty", "on call")))
        made.append(Booking(CALENDAR, starts_at, ends_at, draw(_people), event))
    return tuple(made)


@st.composite
def rotas(draw: st.DrawFn, around: Micros) -> Rota:
    """Up to three versions of a schedule, mostly one of them; never settled."""
    eras: list[Era] = []
    starts_at: Micros = 0 if draw(st.booleans()) else around - draw(st.integers(-24, 96)) * HOUR
    for version in range(draw(st.sampled_from((1, 1, 1, 2, 3)))):
        ends_at = max(around, starts_at) + draw(st.integers(1, 60)) * HOUR
        eras.append(Era(starts_at, ends_at, draw(schedules(around)), version + 1))
        starts_at = ends_at + (0 if draw(st.booleans()) else 5 * HOUR)
    if eras and draw(st.booleans()):
        eras[-1] = Era(eras[-1].starts_at, None, eras[-1].schedule, eras[-1].version)
    return Rota(tuple(eras), draw(override_sets(around)), draw(absences(around)), draw(bookings(around)))


@st.composite
def situations(draw: st.DrawFn) -> tuple[Rota, Micros, Micros]:
    """A rota, and an interval of up to eight days near a change of the clocks."""
    around = draw(st.sampled_from(NIGHTS_OF_CHANGE))
    start = around - draw(st.integers(0, 96 * 60)) * MINUTE
    end = start + draw(st.integers(0, 192 * 60)) * MINUTE
    return draw(rotas(around)), start, end
