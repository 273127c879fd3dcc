"""Who is on call through an interval: the schedule laid out as shifts and gaps, layers and overrides already resolved.

For calendars, reports and "who is next": paging asks resolve.py for the instant instead. Both say the same at every
instant. Pure: must never know the database or what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from zoneinfo import ZoneInfo

from app.clock import DAY, Micros
from app.ids import PersonId
from app.oncall.resolve import ByLayer, Duty, Nobody, Why, on_call, overridden
from app.oncall.rotation import participant, pieces
from app.oncall.schedule import BadRange, Layer, Override, Schedule
from app.oncall.walltime import instant, wall, zone

MAX_RANGE: Micros = 5 * 366 * DAY
"""The longest interval that is laid out at once."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One person on call without a break, by one layer or one override; cut at the ends of the asked interval."""

    starts_at: Micros
    ends_at: Micros
    """Exclusive."""
    person: PersonId
    why: Why
    """For several turns in a row of one person: the first of them."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody on call; cut at the ends of the asked interval."""

    starts_at: Micros
    ends_at: Micros
    nobody: Nobody
    """Why, at the start of the gap."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """An interval through which the same people are on call for the same reasons."""

    starts_at: Micros
    ends_at: Micros
    people: tuple[Duty, ...]


@dataclass(frozen=True, slots=True)
class _Span:
    """An interval through which one layer, by itself, puts one person on call."""

    starts_at: Micros
    ends_at: Micros
    duty: Duty


def shifts(schedule: Schedule, overrides: Sequence[Override], start: Micros, end: Micros) -> tuple[Shift, ...]:
    """All shifts of [start, end) in order; with `gaps` they tile it. Raises BadRange (see MAX_RANGE)."""
    done: list[Shift] = []
    running: dict[object, Shift] = {}
    for segment in _segments(schedule, overrides, start, end):
        going: dict[object, Shift] = {}
        for duty in segment.people:
            shift = running.pop(duty.source, None)
            going[duty.source] = (
                Shift(segment.starts_at, segment.ends_at, duty.person, duty.why)
                if shift is None
                else replace(shift, ends_at=segment.ends_at)
            )
        done += running.values()
        running = going
    return tuple(sorted([*done, *running.values()], key=lambda shift: (shift.starts_at, shift.person)))


def gaps(schedule: Schedule, overrides: Sequence[Override], start: Micros, end: Micros) -> tuple[Gap, ...]:
    """All intervals of [start, end) in which nobody is on call, in order. Raises BadRange (see MAX_RANGE)."""
    found: list[Gap] = []
    for segment in _segments(schedule, overrides, start, end):
        if segment.people:
            continue
        if found and found[-1].ends_at == segment.starts_at:
            found[-1] = replace(found[-1], ends_at=segment.ends_at)
        elif nobody := on_call(schedule, overrides, segment.starts_at).nobody:
            found.append(Gap(segment.starts_at, segment.ends_at, nobody))
    return tuple(found)


def _segments(schedule: Schedule, overrides: Sequence[Override], start: Micros, end: Micros) -> Iterator[_Segment]:
    """Tiles the interval at every edge of a layer's span or of an override."""
    if not start <= end <= start + MAX_RANGE:
        raise BadRange(f"the interval must end after it starts, and within {MAX_RANGE // DAY} days")
    rules = zone(schedule.time_zone)
    layers = [_cut(_spans(layer, rules, start, end), start, end) for layer in schedule.layers]
    waiting = sorted((o for o in overrides if o.starts_at < end and o.ends_at > start), key=lambda o: -o.starts_at)
    edges = {start, end} | {edge for spans in layers for span in spans for edge in (span.starts_at, span.ends_at)}
    edges |= {max(start, override.starts_at) for override in waiting} | {min(end, o.ends_at) for o in waiting}
    cursors = [_Cursor(spans) for spans in reversed(layers)]
    active: list[Override] = []
    for since, until in pairwise(sorted(edges)):
        while waiting and waiting[-1].starts_at <= since:
            active.append(waiting.pop())
        active = sorted((override for override in active if override.ends_at > since), key=lambda o: o.id)
        duty = next((found for cursor in cursors if (found := cursor.at(since))), None)
        yield _Segment(since, until, overridden((duty,) if duty else (), active))


class _Cursor:
    """Walks along the spans of one layer."""

    def __init__(self, spans: list[_Span]) -> None:
        self._ahead = spans[::-1]

    def at(self, at: Micros) -> Duty | None:
        """The layer's own duty at the instant, which must not be before the one asked last."""
        while self._ahead and self._ahead[-1].ends_at <= at:
            self._ahead.pop()
        if self._ahead and self._ahead[-1].starts_at <= at:
            return self._ahead[-1].duty
        return None


def _spans(layer: Layer, rules: ZoneInfo, start: Micros, end: Micros) -> Iterator[_Span]:
    """What the layer says by itself from `start` or before until `end` or after, in order."""
    # A day more, because the clock of walltime.py may stand still at `end`.
    for piece in pieces(layer, wall(rules, start), wall(rules, end + DAY)):
        duty = Duty(participant(layer, piece.turn), ByLayer(layer.name, piece.turn))
        since, until = instant(rules, piece.start), instant(rules, piece.end)
        yield _Span(
            since if layer.starts_at is None else max(since, layer.starts_at),
            until if layer.ends_at is None else min(until, layer.ends_at),
            duty,
        )


def _cut(spans: Iterable[_Span], start: Micros, end: Micros) -> list[_Span]:
    """The spans inside the interval; those that a missing hour or the layer's validity left empty are gone."""
    cut = (replace(s, starts_at=max(s.starts_at, start), ends_at=min(s.ends_at, end)) for s in spans)
    return [span for span in cut if span.starts_at < span.ends_at]
