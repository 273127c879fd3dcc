"""The oracle: turns and windows laid out one by one by another library (`whenever`), around every change of the clocks.

Nothing of app/oncall/walltime.py, rotation.py, layers.py or segments.py is used to say what is right: the oracle knows only
dates, local times and whenever's own earlier, later and calendar arithmetic. 12 zones, each change of the clocks 2005 to
2037, all of SHAPES, with and without overrides. The test command takes a sample of the changes for every shape; `make
oracle` (TEST_ORACLE=full) takes all of them.
"""

import os
from bisect import bisect_left
from collections import Counter
from dataclasses import replace
from functools import cache
from importlib.resources import files
from itertools import pairwise

import pytest
import whenever

from app.clock import DAY, HOUR, MINUTE
from app.oncall.resolve import on_call
from app.oncall.rota import ByLayer, ByOverride, Rota
from app.oncall.schedule import Override, OverrideId, Schedule
from app.oncall.shifts import gaps, shifts
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
    ZONES,
    at,
    clock,
    turning,
    window,
)

FIRST_YEAR, LAST_YEAR = 2005, 2037
FULL = os.environ.get("TEST_ORACLE") == "full"
SAMPLE = 11
"""Of so many changes the test command takes one, another one for each shape."""

FIVE = (ANA, BEN, CLEO, DAN, EVA)
TWO = ("primary", "secondary")
NIGHT, LATE = window("22:00", "06:00"), window("23:30", "01:45")
OFFICE = window("09:00", "17:00", MON, TUE, WED, THU, FRI)
WEEKEND = (window("18:00", "00:00", FRI), window("00:00", "00:00", SAT), window("00:00", "08:00", SUN))
JAN = "2004-01-01"


def one(unit, lengths, start, handoff, *people, name="one", **more):
    return turning(name, unit, lengths, start, handoff, *(people or FIVE), **more)


def bounded(layer, starts_at=None, ends_at=None):
    """The layer, in force between two instants, in minutes from the change that is looked at."""
    return (layer, starts_at, ends_at)


SHAPES = {
    # Hours, on the wall clock.
    "every hour": (one("hour", (1,), "2004-12-01", "00:00"),),
    "every hour at half past": (one("hour", (1,), "2004-12-01", "00:30", ANA, BEN, CLEO),),
    "six hours": (one("hour", (6,), JAN, "02:30"),),
    "eight hours": (one("hour", (8,), JAN, "06:00", ANA, BEN, CLEO),),
    "twelve hours from half past one": (one("hour", (12,), JAN, "01:30", ANA, BEN),),
    "thirty-six hours": (one("hour", (36,), JAN, "02:15", ANA, BEN, CLEO),),
    "hours of several lengths": (one("hour", (5, 7, 1), JAN, "02:00", ANA, BEN, CLEO, DAN),),
    # Days.
    "daily at midnight": (one("day", (1,), JAN, "00:00"),),
    "daily at half past midnight": (one("day", (1,), JAN, "00:30", ANA, BEN, CLEO),),
    "daily at one": (one("day", (1,), JAN, "01:00", ANA, BEN),),
    "daily at two": (one("day", (1,), JAN, "02:00", ANA, BEN, CLEO),),
    "daily at half past two": (one("day", (1,), JAN, "02:30"),),
    "daily at three": (one("day", (1,), JAN, "03:00", ANA, BEN),),
    "daily at a quarter to midnight": (one("day", (1,), JAN, "23:45", ANA, BEN, CLEO),),
    "daily, somebody twice in a row": (one("day", (1,), JAN, "02:30", ANA, ANA, BEN, CLEO, BEN),),
    "two days": (one("day", (2,), JAN, "23:45", ANA, BEN),),
    "four days and three": (one("day", (4, 3), "2004-01-05", "01:15", ANA, BEN, CLEO),),
    "two, two, three": (one("day", (2, 2, 3), "2004-01-05", "02:45", ANA, BEN),),
    # Weeks.
    "weekly on Monday": (one("week", (1,), "2004-01-05", "10:00", ANA, BEN, CLEO),),
    "weekly in the night of Sunday": (one("week", (1,), "2004-01-04", "02:00", ANA, BEN),),
    "weekly in the night of Saturday": (one("week", (1,), "2004-01-03", "23:30", ANA, BEN, CLEO),),
    "two weeks": (one("week", (2,), "2004-01-04", "02:30", ANA, BEN, CLEO, DAN),),
    "one week and two": (one("week", (1, 2), "2004-01-04", "01:30", ANA, BEN, CLEO),),
    # Months.
    "monthly on the first": (one("month", (1,), JAN, "00:00", ANA, BEN, CLEO),),
    "monthly on the 29th": (one("month", (1,), "2004-01-29", "02:30", ANA, BEN, CLEO),),
    "monthly on the 30th": (one("month", (1,), "2004-01-30", "01:30", ANA, BEN, CLEO),),
    "monthly on the 31st": (one("month", (1,), "2004-01-31", "02:15", ANA, BEN, CLEO),),
    "a quarter": (one("month", (3,), "2004-01-30", "00:00", ANA, BEN),),
    "one month and two": (one("month", (1, 2), "2004-03-31", "23:30", ANA, BEN, CLEO),),
    # Several at once.
    "two at once": (one("day", (1,), JAN, "02:30", roles=TWO),),
    "pairs": (one("day", (1,), JAN, "00:30", ANA, BEN, CLEO, DAN, roles=("primary", "primary"), advance=2),),
    "three at once, on by two": (one("week", (1,), "2004-01-04", "02:15", roles=(*TWO, "expert"), advance=2),),
    "two at once, somebody twice": (one("hour", (8,), JAN, "02:00", ANA, ANA, BEN, CLEO, roles=TWO),),
    "on by three": (one("day", (1,), JAN, "01:45", advance=3),),
    # Restrictions.
    "nights": (one("day", (1,), JAN, "22:00", only=(NIGHT,)),),
    "nights, handed over in them": (one("day", (1,), JAN, "02:30", ANA, BEN, CLEO, only=(NIGHT,)),),
    "a window that ends at the handoff": (one("day", (1,), JAN, "02:30", ANA, BEN, only=(window("23:00", "02:30"),)),),
    "a window that starts at the handoff": (
        one("day", (1,), JAN, "02:30", ANA, BEN, only=(window("02:30", "06:00"),)),
    ),
    "windows that meet": (one("day", (1,), JAN, "00:15", only=(window("22:00", "02:15"), window("02:15", "06:00"))),),
    "windows with a gap": (one("day", (1,), JAN, "00:15", only=(window("22:00", "02:15"), window("03:15", "06:00"))),),
    "a window of half an hour": (one("day", (1,), JAN, "12:00", ANA, BEN, only=(window("02:15", "02:45"),)),),
    "a window of a minute at midnight": (one("day", (1,), JAN, "12:00", ANA, BEN, only=(window("23:59", "00:00"),)),),
    "office hours": (one("week", (1,), "2004-01-05", "09:00", ANA, BEN, CLEO, only=(OFFICE,)),),
    "weekends": (one("week", (1,), "2004-01-02", "18:00", ANA, BEN, CLEO, only=WEEKEND),),
    "Sunday nights and Monday mornings": (
        one(
            "week",
            (1,),
            "2004-01-04",
            "01:30",
            CLEO,
            DAN,
            only=(window("23:00", "02:30", SAT, SUN), window("00:00", "00:30", MON)),
        ),
    ),
    # Layers.
    "nights over weeks": (
        one("week", (1,), "2004-01-05", "10:00", ANA, BEN, CLEO),
        one("day", (1,), JAN, "00:15", DAN, EVA, name="two", only=(LATE,)),
    ),
    "three layers": (
        one("week", (1,), "2004-01-05", "10:00", ANA, BEN, CLEO, roles=TWO),
        one("day", (1,), JAN, "02:15", DAN, EVA, name="two", only=(NIGHT,)),
        one("week", (1,), "2004-01-02", "18:00", EVA, ANA, name="three", only=WEEKEND),
    ),
    "role by role": (
        one("day", (1,), JAN, "02:30", ANA, BEN, CLEO, roles=TWO),
        one("day", (1,), JAN, "01:30", DAN, EVA, name="two", only=(window("01:30", "02:30"),), roles=("secondary",)),
        one("hour", (8,), JAN, "02:00", BEN, EVA, name="three", only=(window("02:45", "12:00"),), roles=("expert",)),
    ),
    "following the sun": (
        one("week", (1,), "2004-01-05", "00:00", ANA, BEN, only=(window("00:00", "08:00"),)),
        one("week", (1,), "2004-01-05", "08:00", CLEO, name="two", only=(window("08:00", "16:00"),)),
        one("week", (1,), "2004-01-05", "16:00", DAN, EVA, name="three", only=(window("16:00", "00:00"),)),
    ),
    # Validity: relative to the change, in minutes.
    "from within the change on": (bounded(one("day", (1,), JAN, "02:30", ANA, BEN), -20, None),),
    "until within the change": (
        one("week", (1,), "2004-01-05", "10:00", CLEO, DAN),
        bounded(one("hour", (1,), "2004-12-01", "00:30", ANA, BEN, name="two"), -1500, 25),
    ),
}


@pytest.fixture(autouse=True, scope="module")
def _same_rules_for_both():
    """The library would read the machine's own files, which may be of another year."""
    whenever.reset_tzpath([str(files("tzdata").joinpath("zoneinfo"))])
    whenever.clear_tzcache()
    yield
    whenever.reset_tzpath()
    whenever.clear_tzcache()


def micros(moment):
    return moment.to_instant().timestamp(unit="nanosecond") // 1_000


@cache
def first_and_last(zone, wall):
    """When the clock of the zone first and last shows this, or has jumped over it; as whenever says."""
    shown = whenever.PlainDateTime(wall.year, wall.month, wall.day, wall.hour, wall.minute)
    try:
        only = micros(shown.assume_tz(zone, disambiguation="raise"))
    except whenever.RepeatedTime:
        both = (shown.assume_tz(zone, disambiguation=which) for which in ("earlier", "later"))
        return tuple(micros(moment) for moment in both)
    except whenever.SkippedTime:
        # "earlier" is read by the offset after the jump, so it lies before the jump: the next transition is the jump.
        jump = micros(shown.assume_tz(zone, disambiguation="earlier").next_transition())
        return jump, jump
    return only, only


def changes_of_the_clocks(zone):
    """The instants at which the offset of the zone changed, as whenever says."""
    moment = whenever.ZonedDateTime(FIRST_YEAR, 1, 1, tz=zone)
    while (following := moment.next_transition()) is not None and following.year <= LAST_YEAR:
        if following.offset != following.subtract(seconds=1).offset:
            yield micros(following)
        moment = following


@cache
def all_changes():
    return [(zone, change) for zone in ZONES for change in changes_of_the_clocks(zone)]


@cache
def turns_one_by_one(layer):
    """The wall time at which each turn of the layer starts, from its first until after the last year."""
    day, clock = layer.start_date, layer.handoff
    first = whenever.PlainDateTime(day.year, day.month, day.day, clock.hour, clock.minute)
    starts, units = [], 0
    while not starts or starts[-1].year < LAST_YEAR + 2:
        # On a clock that nobody turns: an hour is an hour there.
        starts.append(first.add(**{f"{layer.unit}s": units}, naive_arithmetic_ok=True).to_stdlib())
        units += layer.lengths[(len(starts) - 1) % len(layer.lengths)]
    return starts


def people_of(layer, turn):
    """Who has the turn: one after another from the one whose turn it is, nobody twice."""
    place = (turn - 1) * layer.advance
    line = [layer.participants[(place + step) % len(layer.participants)] for step in range(60)]
    chosen = []
    for role in range(len(layer.roles)):
        chosen.append(next(person for person in line[role:] if person not in chosen))
    return chosen


def windows_one_by_one(layer, start, end):
    """Each opening of each window of the layer between two days, in wall time; all of it for a layer without windows."""
    if not layer.restrictions:
        return [(whenever.PlainDateTime(start.year, start.month, start.day).to_stdlib(), wall_of(end, layer.handoff))]
    found, day = [], start
    while day <= end:
        for restriction in layer.restrictions:
            if day.day_of_week().value - 1 in restriction.weekdays:
                closing_day = day if restriction.end > restriction.start else day.add(days=1)
                found.append((wall_of(day, restriction.start), wall_of(closing_day, restriction.end)))
        day = day.add(days=1)
    return found


def wall_of(day, clock):
    return whenever.PlainDateTime(day.year, day.month, day.day, clock.hour, clock.minute).to_stdlib()


def pieces_one_by_one(zone, layer, bounds, start, end):
    """(from, until, turn) of each turn in each window near the interval: from the first to the last showing of its ends."""
    first_day, last_day = (
        whenever.Instant.from_timestamp(moment // 1_000_000).to_tz(zone).date().add(days=days)
        for moment, days in ((start, -2), (end, 3))
    )
    starts = turns_one_by_one(layer)
    low, high = wall_of(first_day, layer.handoff), wall_of(last_day, layer.handoff)
    near = range(max(1, bisect_left(starts, low) - 1), bisect_left(starts, high) + 1)
    found = []
    for opens, closes in windows_one_by_one(layer, first_day, last_day):
        for turn in near:
            since, until = max(opens, starts[turn - 1]), min(closes, starts[turn])
            if since < until:
                begins, ends = first_and_last(zone, since)[0], first_and_last(zone, until)[1]
                begins = begins if bounds[0] is None else max(begins, bounds[0])
                ends = ends if bounds[1] is None else min(ends, bounds[1])
                if begins < ends:
                    found.append((begins, ends, turn))
    return sorted(found)


def said_by_layers(laid, moment):
    """(person, role, (layer, turn)) of everybody on call: each layer covers the roles it has of those before it."""
    answer = []
    for layer, pieces in laid:
        on = [turn for begins, ends, turn in pieces if begins <= moment < ends]
        if not on:
            continue
        answer = [known for known in answer if known[1] not in layer.roles]
        mine = {}
        for turn in on:
            for person, role in zip(people_of(layer, turn), layer.roles, strict=True):
                mine.setdefault((person, role), (person, role, (layer.name, turn)))
        answer += mine.values()
    return answer


def overridden(answer, overrides, moment):
    """The same after the overrides: for somebody, for a role, or for all."""
    for override in overrides:
        if not override.starts_at <= moment < override.ends_at:
            continue
        if override.replaces is not None:
            meant = [a for a in answer if a[0] == override.replaces and override.role in (None, a[1])]
            answer = [(override.person, a[1], (override.id, beneath(a[2]))) if a in meant else a for a in answer]
        else:
            answer = [a for a in answer if override.role is not None and a[1] != override.role]
            answer.append((override.person, override.role or "primary", (override.id, "")))
        seen = {}
        for known in answer:
            seen.setdefault(known[:2], known)
        answer = list(seen.values())
    return answer


def beneath(why):
    """Which shift an override covers: two that meet stay two."""
    return why[0] if isinstance(why[0], str) else f"{why[0]}, {why[1]}"


def source(known):
    """What makes two answers one shift: person, role, and the same layer, or the same override of the same shift."""
    person, role, why = known
    return person, role, beneath(why)


def expected(laid, overrides, start, end):
    """What is said between all instants at which anything begins or ends, and the shifts that this makes."""
    borders = {start, end} | {edge for _, pieces in laid for begins, ends, _ in pieces for edge in (begins, ends)}
    borders |= {edge for override in overrides for edge in (override.starts_at, override.ends_at)}
    parts, running, made = [], {}, []
    for since, until in pairwise(sorted(edge for edge in borders if start <= edge <= end)):
        answer = overridden(said_by_layers(laid, since), overrides, since)
        parts.append((since, until, answer))
        going = {}
        for known in answer:
            begun, first = running.pop(source(known), (since, known))
            going[source(known)] = (begun, first)
        made += [(begun, since, *first) for begun, first in running.values()]
        running = going
    made += [(begun, end, *first) for begun, first in running.values()]
    return parts, sorted(made, key=repr)


def shown(person, role, why):
    match why:
        case ByLayer(layer=layer, turn=turn):
            return (person, role, (layer, turn))
        case ByOverride(override=override, beneath=covered):
            return (person, role, (override, covered))


def overrides_near(change, number):
    """None; or one for all over the change, one in place of Ana for days, one that ends at the very change; or by role."""
    if number % 3 == 0:
        return ()
    if number % 3 == 1:
        return (
            Override(OverrideId(1), change - 60 * HOUR, change + 60 * HOUR, BEN, ANA),
            Override(OverrideId(2), change - HOUR // 2, change + HOUR // 3, EVA),
            Override(OverrideId(3), change - 20 * HOUR, change, CLEO, BEN),
        )
    return (
        Override(OverrideId(1), change - 30 * HOUR, change + HOUR // 4, DAN, None, "secondary"),
        Override(OverrideId(2), change - 50 * MINUTE, change + 30 * HOUR, EVA, ANA, "primary"),
        Override(OverrideId(3), change - 10 * MINUTE, change + 70 * MINUTE, CLEO, None, "primary"),
    )


def agree(zone, shape, change, number):
    """Looks at four days around one change; how many instants and shifts were compared."""
    start, end = change - 2 * DAY, change + 2 * DAY
    layers, laid = [], []
    for entry in shape:
        layer, *bounds = entry if isinstance(entry, tuple) else (entry, None, None)
        bounds = [None if minutes is None else change + minutes * MINUTE for minutes in bounds]
        layers.append(replace(layer, starts_at=bounds[0], ends_at=bounds[1]))
        laid.append((layer, pieces_one_by_one(zone, layer, bounds, start, end)))
    overrides = overrides_near(change, number)
    rota = Rota.of(Schedule(zone, tuple(layers)), *overrides)
    parts, made = expected(laid, overrides, start, end)
    found = shifts(rota, start, end)
    assert sorted(((s.starts_at, s.ends_at, *shown(s.person, s.role, s.why)) for s in found), key=repr) == made
    for since, until, answer in parts:
        for moment in (since, (since + until) // 2, until - 1):
            people = [shown(duty.person, duty.role, duty.why) for duty in on_call(rota, moment).people]
            assert Counter(people) == Counter(answer)
    empty = [(since, until) for since, until, answer in parts if not answer]
    assert not empty or not always_active(shape)
    assert sum(until - since for since, until in empty) == sum(
        gap.ends_at - gap.starts_at for gap in gaps(rota, start, end)
    )
    return 3 * len(parts), len(made)


def always_active(shape):
    """Whether the lowest layer is one that can never leave a gap."""
    return not isinstance(shape[0], tuple) and not shape[0].restrictions


@pytest.mark.parametrize("shape", SHAPES)
def test_around_every_change_of_the_clocks_all_is_as_another_library_says(shape, record_property):
    place = list(SHAPES).index(shape)
    numbered = list(enumerate(all_changes()))
    chosen = numbered if FULL else numbered[(place * 7) % SAMPLE :: SAMPLE]
    assert len({zone for _, (zone, _) in chosen}) >= len(ZONES) - 2
    instants = compared = 0
    for number, (zone, change) in chosen:
        looked_at, laid_out = agree(zone, SHAPES[shape], change, number + place)
        instants, compared = instants + looked_at, compared + laid_out
    assert instants > 3 * len(chosen)
    assert compared >= 1
    record_property("changes", len(chosen))
    record_property("instants", instants)
    record_property("shifts", compared)


def test_there_are_enough_shapes_and_changes_to_prove_anything():
    assert len(SHAPES) >= 40
    assert Counter(zone for zone, _ in all_changes()).keys() == set(ZONES)
    assert len(all_changes()) > 600
    units = {entry.unit for shape in SHAPES.values() for entry in shape if not isinstance(entry, tuple)}
    assert units == {"hour", "day", "week", "month"}


def test_the_oracle_knows_a_repeated_hour_from_a_missing_one():
    """02:30 in Berlin: twice in October, never in March, once on any other day."""
    assert first_and_last("Europe/Berlin", wall_of(whenever.Date(2026, 10, 25), clock("02:30"))) == (
        at("2026-10-25T00:30:00Z"),
        at("2026-10-25T01:30:00Z"),
    )
    assert first_and_last("Europe/Berlin", wall_of(whenever.Date(2026, 3, 29), clock("02:30"))) == (
        at("2026-03-29T01:00:00Z"),
        at("2026-03-29T01:00:00Z"),
    )
    assert len(set(first_and_last("Europe/Berlin", wall_of(whenever.Date(2026, 5, 1), clock("02:30"))))) == 1
