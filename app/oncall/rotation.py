"""What one layer says by itself, in the wall time of its schedule: whose turn, whether active, until when.

Pure calendar arithmetic on datetimes without a zone (walltime.py turns them into instants), so a change of the clocks can
never shift a turn. Must never know instants, other layers or overrides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from app.ids import PersonId
from app.oncall.schedule import Layer, Restriction

_DAY = timedelta(days=1)
_LOOK_AHEAD = timedelta(days=9)
"""Restrictions repeat each week: what holds for more than a week and a day holds for ever."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of wall time in which a layer is active and one turn lasts."""

    start: datetime
    end: datetime
    turn: int


def turn_at(layer: Layer, wall: datetime) -> int:
    """The number of the turn that is on at this wall time: 1 is the first; 0 and below are before it."""
    return (wall - layer.first_turn) // _period(layer) + 1


def turn_start(layer: Layer, turn: int) -> datetime:
    """The wall time at which the turn starts, which is when the one before it ends."""
    return layer.first_turn + (turn - 1) * _period(layer)


def participant(layer: Layer, turn: int) -> PersonId:
    """Whose turn it is; the layer must have participants."""
    return layer.participants[(turn - 1) % len(layer.participants)]


def covered(restrictions: tuple[Restriction, ...], wall: datetime) -> bool:
    """Whether the layer is active at this wall time, as far as its restrictions say."""
    return not restrictions or any(_covers(restriction, wall) for restriction in restrictions)


def next_edge(layer: Layer, wall: datetime) -> datetime | None:
    """The next wall time at which another person's turn starts or the layer becomes active or inactive; None: never."""
    if not layer.participants:
        return None
    if wall < layer.first_turn:
        return layer.first_turn
    edges = (_next_person(layer, wall), _next_border(layer.restrictions, wall))
    return min((edge for edge in edges if edge is not None), default=None)


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


def _period(layer: Layer) -> timedelta:
    match layer.unit:
        case "day":
            return timedelta(days=layer.length)
        case "week":
            return timedelta(weeks=layer.length)
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


def _next_person(layer: Layer, wall: datetime) -> datetime | None:
    turn = turn_at(layer, wall)
    person = participant(layer, turn)
    for later in range(turn + 1, turn + len(layer.participants)):
        if participant(layer, later) != person:
            return turn_start(layer, later)
    return None


def _next_border(restrictions: tuple[Restriction, ...], wall: datetime) -> datetime | None:
    if not restrictions:
        return None
    horizon = wall + _LOOK_AHEAD
    opens, closes = active_stretches(restrictions, wall, horizon)[0]
    if opens > wall:
        return opens
    return closes if closes < horizon else None
