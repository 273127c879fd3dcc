"""Who is on call through an interval: the rota laid out as shifts and gaps, layers and overrides already resolved.

For calendars, reports and "who is next": paging asks resolve.py for the instant instead. Both say the same at every
instant. Pure: must never know the database or what time it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from app.clock import DAY, Micros
from app.oncall.layers import Nobody
from app.oncall.resolve import on_call
from app.oncall.rota import Rota, Shift
from app.oncall.schedule import BadRange
from app.oncall.segments import Segment, segments

MAX_RANGE: Micros = 5 * 366 * DAY
"""The longest interval that is laid out at once."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Nobody on call; cut at the ends of the asked interval."""

    starts_at: Micros
    ends_at: Micros
    nobody: Nobody
    """Why, at the start of the gap."""


@dataclass(frozen=True, slots=True)
class Roster:
    """An interval laid out: shifts and gaps together cover it."""

    shifts: tuple[Shift, ...]
    gaps: tuple[Gap, ...]


def shifts(rota: Rota, start: Micros, end: Micros) -> tuple[Shift, ...]:
    """All shifts of [start, end), in order. Raises BadRange (see MAX_RANGE)."""
    return _joined(_segments(rota, start, end))


def gaps(rota: Rota, start: Micros, end: Micros) -> tuple[Gap, ...]:
    """All intervals of [start, end) in which nobody at all is on call, in order. Raises BadRange (see MAX_RANGE)."""
    return _empty(rota, _segments(rota, start, end))


def roster(rota: Rota, start: Micros, end: Micros) -> Roster:
    """Both at the cost of one. Raises BadRange (see MAX_RANGE)."""
    laid_out = list(_segments(rota, start, end))
    return Roster(_joined(laid_out), _empty(rota, laid_out))


def _joined(laid_out: Iterable[Segment]) -> tuple[Shift, ...]:
    """Segments of the same person for the same reason, one after the other, are one shift."""
    done: list[Shift] = []
    running: dict[object, Shift] = {}
    for segment in laid_out:
        going: dict[object, Shift] = {}
        for duty in segment.people:
            source = duty.source
            shift = running.pop(source, None)
            since, why = (segment.starts_at, duty.why) if shift is None else (shift.starts_at, shift.why)
            going[source] = Shift(since, segment.ends_at, duty.person, why, duty.role)
        done += running.values()
        running = going
    return tuple(sorted([*done, *running.values()], key=lambda shift: (shift.starts_at, shift.role, shift.person)))


def _empty(rota: Rota, laid_out: Iterable[Segment]) -> tuple[Gap, ...]:
    found: list[Gap] = []
    for segment in laid_out:
        if segment.people:
            continue
        if found and found[-1].ends_at == segment.starts_at:
            found[-1] = replace(found[-1], ends_at=segment.ends_at)
        elif nobody := on_call(rota, segment.starts_at).nobody:
            found.append(Gap(segment.starts_at, segment.ends_at, nobody))
    return tuple(found)


def _segments(rota: Rota, start: Micros, end: Micros) -> Iterator[Segment]:
    if not start <= end <= start + MAX_RANGE:
        raise BadRange(f"the interval must end after it starts, and within {MAX_RANGE // DAY} days")
    return segments(rota, start, end)
