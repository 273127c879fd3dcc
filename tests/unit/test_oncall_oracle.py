"""The oracle: turns and windows laid out one by one by another library (`whenever`), around every change of the clocks.

Nothing of app/oncall/walltime.py, rotation.py or shifts.py is used to say what is right: the oracle knows only dates,
local times and whenever's own answers to "which instant is that". 12 zones, 2005 to 2037, five rotas: no difference.
"""

from bisect import bisect_right
from datetime import date, timedelta
from functools import cache
from importlib.resources import files
from itertools import pairwise

import pytest
import whenever

from app.clock import DAY, HOUR, to_datetime
from app.oncall.resolve import ByLayer, ByOverride, on_call
from app.oncall.schedule import Layer, Override, OverrideId, Schedule
from app.oncall.shifts import shifts
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
    ZONES,
    clock,
    daily,
    weekly,
    window,
)

FIRST_YEAR, LAST_YEAR = 2005, 2037
START = "2004-01-01"

ROTAS = {
    # Turns that change inside every hour that any of the zones skips or repeats.
    "daily in the night": (
        daily("one", START, "02:30", ANA, BEN, CLEO),
        daily("two", START, "00:15", DAN, EVA, only=(window("23:30", "01:45"),)),
    ),
    "daily at midnight": (daily("one", START, "00:00", ANA, BEN, CLEO, DAN, EVA),),
    "weekly with nights and weekends": (
        weekly("primary", "2004-01-05", "10:00", ANA, BEN, CLEO),
        daily("nights", START, "02:15", DAN, EVA, only=(window("22:00", "02:15"), window("03:15", "06:00"))),
        weekly(
            "weekend",
            "2004-01-02",
            "18:00",
            EVA,
            ANA,
            only=(window("18:00", "00:00", FRI), window("00:00", "00:00", SAT)),
        ),
    ),
    "weekly handed over in the night of Sunday": (
        weekly("primary", "2004-01-04", "02:00", ANA, BEN),
        weekly(
            "second",
            "2004-01-04",
            "01:30",
            CLEO,
            DAN,
            only=(window("23:00", "02:30", SAT, SUN), window("00:00", "00:30", MON)),
        ),
    ),
    "two days, three days": (
        Layer("two", (ANA, BEN), "day", 2, date(2004, 1, 1), clock("23:45")),
        Layer("three", (CLEO, DAN, EVA), "day", 3, date(2004, 1, 1), clock("01:00"), (window("00:30", "02:45"),)),
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
def first_instant(zone, day, at):
    """When the clock of the zone first shows this, or has jumped over it; as whenever says."""
    shown = whenever.PlainDateTime(day.year, day.month, day.day, at.hour, at.minute)
    try:
        return micros(shown.assume_tz(zone, disambiguation="raise"))
    except whenever.RepeatedTime:
        return micros(shown.assume_tz(zone, disambiguation="earlier"))
    except whenever.SkippedTime:
        # "earlier" is read by the offset after the jump, so it lies before the jump: the next transition is the jump.
        return micros(shown.assume_tz(zone, disambiguation="earlier").next_transition())


def changes_of_the_clocks(zone):
    """The instants at which the offset of the zone changed, as whenever says."""
    moment = whenever.ZonedDateTime(FIRST_YEAR, 1, 1, tz=zone)
    while (following := moment.next_transition()) is not None and following.year <= LAST_YEAR:
        if following.offset != following.subtract(seconds=1).offset:
            yield micros(following)
        moment = following


@cache
def turns_one_by_one(zone, layer):
    """The instant at which each turn of the layer starts, from its first until after the last year."""
    step = timedelta(days=layer.length if layer.unit == "day" else 7 * layer.length)
    days = range((date(LAST_YEAR + 1, 2, 1) - layer.start_date) // step)
    return [first_instant(zone, layer.start_date + count * step, layer.handoff) for count in days]


def windows_one_by_one(zone, layer, first_day, last_day):
    """Each opening of each window of the layer."""
    day = first_day
    while day <= last_day:
        for restriction in layer.restrictions:
            if day.weekday() in restriction.weekdays:
                closing_day = day if restriction.end > restriction.start else day + timedelta(days=1)
                yield first_instant(zone, day, restriction.start), first_instant(zone, closing_day, restriction.end)
        day += timedelta(days=1)


def expected_shifts(zone, layers, overrides, start, end):
    """(start, end, person, source) of each shift, found by asking every layer between all instants where anything starts."""
    first_day, last_day = (to_datetime(at).date() for at in (start - 3 * DAY, end + 3 * DAY))
    turns = [turns_one_by_one(zone, layer) for layer in layers]
    open_windows = [list(windows_one_by_one(zone, layer, first_day, last_day)) for layer in layers]
    borders = {start, end}
    borders |= {at for starts in turns for at in starts[bisect_right(starts, start) : bisect_right(starts, end)]}
    borders |= {at for windows in open_windows for window in windows for at in window}
    borders |= {at for override in overrides for at in (override.starts_at, override.ends_at)}

    def said(moment):
        answer = None
        for layer, starts, windows in zip(layers, turns, open_windows, strict=True):
            if not layer.restrictions or any(opens <= moment < closes for opens, closes in windows):
                turn = bisect_right(starts, moment)
                answer = (layer.participants[(turn - 1) % len(layer.participants)], (layer.name, turn))
        for override in overrides:
            in_force = override.starts_at <= moment < override.ends_at
            if in_force and (override.replaces is None or (answer and answer[0] == override.replaces)):
                answer = (override.person, override.id)
        return answer

    found = []
    for since, until in pairwise(sorted(at for at in borders if start <= at <= end)):
        if (answer := said(since)) is None:
            continue
        if found and found[-1][1] == since and same_shift(found[-1][2], answer):
            found[-1] = (found[-1][0], until, found[-1][2])
        else:
            found.append((since, until, answer))
    return found


def same_shift(one, other):
    """The same person by the same override or the same layer, whatever the turn."""
    sources = [source[0] if isinstance(source, tuple) else source for _, source in (one, other)]
    return one[0] == other[0] and sources[0] == sources[1]


def shown(person, why):
    match why:
        case ByLayer(layer=layer, turn=turn):
            return (person, (layer, turn))
        case ByOverride(override=override):
            return (person, override)


def overrides_near(change):
    """One for anybody over the change, one in place of Ana for days, one that ends at the very change."""
    return (
        Override(OverrideId(1), change - 60 * HOUR, change + 60 * HOUR, BEN, ANA),
        Override(OverrideId(2), change - HOUR // 2, change + HOUR // 3, EVA),
        Override(OverrideId(3), change - 20 * HOUR, change, CLEO, BEN),
    )


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("rota", ROTAS)
def test_around_every_change_of_the_clocks_each_shift_is_where_another_library_puts_it(zone, rota):
    layers = ROTAS[rota]
    schedule = Schedule(zone, layers)
    changes = list(changes_of_the_clocks(zone))
    assert changes, "a zone without any change would prove nothing"
    for number, change in enumerate(changes):
        overrides = overrides_near(change) if number % 2 else ()
        start, end = change - 2 * DAY, change + 2 * DAY
        expected = expected_shifts(zone, layers, overrides, start, end)
        found = shifts(schedule, overrides, start, end)
        assert [(shift.starts_at, shift.ends_at, shown(shift.person, shift.why)) for shift in found] == expected
        for since, until, answer in expected:
            (first,) = on_call(schedule, overrides, since).people
            (last,) = on_call(schedule, overrides, until - 1).people
            assert shown(first.person, first.why) == answer
            assert same_shift(shown(last.person, last.why), answer)
