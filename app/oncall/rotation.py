"""What one layer says by itself, in the wall time of its schedule: whose turn, whether active, until when.

Pure calendar arithmetic on datetimes without a zone (walltime.py turns them into instants), so a change of the clocks can
never shift a turn, and a rotation that is twenty years old costs what a new one costs. Must never know instants, absences
(turns.py), other layers or overrides.
"""

from __future__ import annotations

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import accumulate
from math import gcd
from typing import assert_never

from app.ids import PersonId
from app.oncall.schedule import Layer, Restriction

_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of wall time in which a layer is active and one turn lasts."""

    start: datetime
    end: datetime
    turn: int


def turn_at(layer: Layer, wall: datetime) -> int:
    """The number of the turn that is on at this wall time: 1 is the first; 0 and below are before it."""
    units = _units_until(layer, wall)
    if len(layer.lengths) == 1:
        return units // layer.lengths[0] + 1
    ends = list(accumulate(layer.lengths))
    rounds, rest = divmod(units, ends[-1])
    return rounds * len(ends) + bisect_right(ends, rest) + 1


def turn_start(layer: Layer, turn: int) -> datetime:
    """The wall time at which the turn starts, which is when the one before it ends."""
    if len(layer.lengths) == 1:
        return _unit_start(layer, (turn - 1) * layer.lengths[0])
    rounds, place = divmod(turn - 1, len(layer.lengths))
    return _unit_start(layer, rounds * sum(layer.lengths) + sum(layer.lengths[:place]))


def owners(layer: Layer, turn: int) -> tuple[PersonId, ...]:
    """Whose turn it is, one for each role of the layer, all different; the layer must have participants."""
    people, first = layer.participants, (turn - 1) * layer.advance
    if len(layer.roles) == 1:
        return (people[first % len(people)],)
    chosen: list[PersonId] = []
    for role in range(len(layer.roles)):
        place = first + role
        while people[place % len(people)] in chosen:  # Ends: there are as many different people as roles.
            place += 1
        chosen.append(people[place % len(people)])
    return tuple(chosen)


def turns_in_a_round(layer: Layer) -> int:
    """After how many turns the same people have the same roles again."""
    people = len(layer.participants)
    return people // gcd(people, layer.advance)


def covered(restrictions: tuple[Restriction, ...], wall: datetime) -> bool:
    """Whether the layer is active at this wall time, as far as its restrictions say."""
    return not restrictions or any(_covers(restriction, wall) for restriction in restrictions)


def pieces(layer: Layer, start: datetime, end: datetime) -> Iterator[Piece]:
    """All stretches between two wall times in which the layer is active, in order, one for each turn they touch."""
    start = max(start, layer.first_turn)
    if not layer.participants or start >= end:
        return
    for opens, closes in active_stretches(layer.restrictions, start, end):
        turn, since = turn_at(layer, opens), opens
        while since < closes:
            until = min(turn_start(layer, turn + 1), closes)
            yield Piece(since, until, turn)
            turn, since = turn + 1, until


def active_stretches(
    restrictions: tuple[Restriction, ...], start: datetime, end: datetime
) -> list[tuple[datetime, datetime]]:
    """The times between two wall times in which any restriction is active: in order, apart, windows that meet joined."""
    if not restrictions:
        return [(start, end)]
    stretches: list[tuple[datetime, datetime]] = []
    for opens, closes in sorted(_windows(restrictions, start, end)):
        if stretches and opens <= stretches[-1][1]:
            stretches[-1] = (stretches[-1][0], max(stretches[-1][1], closes))
        else:
            stretches.append((opens, closes))
    return stretches


def _units_until(layer: Layer, wall: datetime) -> int:
    """How many whole units have passed since the first turn started; below 0 before it."""
    match layer.unit:
        case "hour":
            return (wall - layer.first_turn) // _HOUR
        case "day":
            return (wall - layer.first_turn) // _DAY
        case "week":
            return (wall - layer.first_turn) // _WEEK
        case "month":
            months = (wall.year - layer.start_date.year) * 12 + wall.month - layer.start_date.month
            return months - (wall < _unit_start(layer, months))
        case _:
            assert_never(layer.unit)


def _unit_start(layer: Layer, units: int) -> datetime:
    """The wall time at which so many units have passed since the first turn started."""
    match layer.unit:
        case "hour":
            return layer.first_turn + units * _HOUR
        case "day":
            return layer.first_turn + units * _DAY
        case "week":
            return layer.first_turn + units * _WEEK
        case "month":
            # Counted from the start each time: the 31st is the 28th in February and the 31st again in March.
            years, month = divmod(layer.start_date.month - 1 + units, 12)
            year = layer.start_date.year + years
            day = min(layer.start_date.day, monthrange(year, month + 1)[1])
            return datetime.combine(date(year, month + 1, day), layer.handoff)
        case _:
            assert_never(layer.unit)


def _covers(restriction: Restriction, wall: datetime) -> bool:
    clock, weekday = wall.time(), wall.weekday()
    if restriction.start < restriction.end:
        return weekday in restriction.weekdays and restriction.start <= clock < restriction.end
    begun_today = clock >= restriction.start and weekday in restriction.weekdays
    begun_yesterday = clock < restriction.end and (weekday - 1) % 7 in restriction.weekdays
    return begun_today or begun_yesterday


def _windows(
    restrictions: tuple[Restriction, ...], start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """Each window that touches the interval, cut to it."""
    day = start.date() - _DAY
    while day <= end.date():
        for restriction in restrictions:
            if day.weekday() in restriction.weekdays:
                opens = datetime.combine(day, restriction.start)
                closes = datetime.combine(day, restriction.end)
                if restriction.end <= restriction.start:
                    closes += _DAY
                if opens < end and closes > start:
                    yield max(opens, start), min(closes, end)
        day += _DAY
