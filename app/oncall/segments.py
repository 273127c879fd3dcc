"""One schedule's on-call through an interval, in segments: cut at every instant at which anything may change.

Until the schedule is settled the record says who was on call; from there on the layers of each era, with the overrides laid
over them. What shifts, gaps and the next change are read from. Pure: must never know the database or what time it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import assert_never

from app.clock import Micros
from app.oncall.layers import Span, once, stack
from app.oncall.rota import ByCalendar, ByLayer, ByOverride, Duty, Rota, Why
from app.oncall.schedule import PRIMARY, Override


@dataclass(frozen=True, slots=True)
class Segment:
    """An interval through which the same people are on call for the same reasons."""

    starts_at: Micros
    ends_at: Micros
    people: tuple[Duty, ...]


def segments(rota: Rota, start: Micros, end: Micros) -> Iterator[Segment]:
    """Tiles the interval, in order."""
    at = min(max(rota.settled_until, start), end)
    if start < at:
        yield from _recorded(rota, start, at)
    for index, era in enumerate(rota.eras):
        since, until = max(era.starts_at, at), end if era.ends_at is None else min(era.ends_at, end)
        if since < until:
            if at < since:
                yield Segment(at, since, ())
            yield from _computed(rota, index, since, until)
            at = until
    if at < end:
        yield Segment(at, end, ())


def overridden(base: tuple[Duty, ...], active: Sequence[Override], main_role: str = PRIMARY) -> tuple[Duty, ...]:
    """The duties after the overrides in force, in the order they were made: each sees what those before it made.

    `main_role` is the role of somebody who is on call instead of everybody.
    """
    duties = base
    for override in active:
        why = ByOverride(override.id, override.replaces)
        if override.replaces is not None:
            duties = tuple(_covered(override, d) if _is_meant(override, d) else d for d in duties)
        elif override.role is not None:
            others = (duty for duty in duties if duty.role != override.role)
            duties = (*others, Duty(override.person, why, override.role))
        else:
            duties = (Duty(override.person, why, main_role),)
    return once(duties) if active and len(duties) > 1 else duties


def _covered(override: Override, duty: Duty) -> Duty:
    return Duty(override.person, ByOverride(override.id, override.replaces, _shift_of(duty.why)), duty.role)


def _shift_of(why: Why) -> str:
    match why:
        case ByLayer(layer=layer):
            return layer
        case ByCalendar(layer=layer, event=event):
            return f"{layer}: {event}"
        case ByOverride(override=override, beneath=beneath):
            return f"{override}, {beneath}"
        case _:
            assert_never(why)


def _is_meant(override: Override, duty: Duty) -> bool:
    return duty.person == override.replaces and override.role in (None, duty.role)


def _recorded(rota: Rota, start: Micros, end: Micros) -> Iterator[Segment]:
    """What was written down."""
    spans = [
        Span(max(shift.starts_at, start), min(shift.ends_at, end), (Duty(shift.person, shift.why, shift.role),))
        for shift in rota.record
        if shift.starts_at < end and start < shift.ends_at
    ]
    cursor = _Cursor(sorted(spans, key=lambda span: span.starts_at))
    edges = {start, end} | {edge for span in spans for edge in (span.starts_at, span.ends_at)}
    for since, until in pairwise(sorted(edges)):
        yield Segment(since, until, cursor.at(since))


def _computed(rota: Rota, index: int, start: Micros, end: Micros) -> Iterator[Segment]:
    """What follows from the layers of one era, and the overrides."""
    layers = stack(rota, index)
    laid = layers.spans(start, end)
    waiting = sorted((o for o in rota.overrides if o.starts_at < end and o.ends_at > start), key=lambda o: -o.starts_at)
    edges = {start, end} | {edge for _, spans in laid for span in spans for edge in (span.starts_at, span.ends_at)}
    edges |= {max(start, override.starts_at) for override in waiting} | {min(end, o.ends_at) for o in waiting}
    cursors = [(roles, _Cursor(spans)) for roles, spans in laid]
    active: list[Override] = []
    for since, until in pairwise(sorted(edges)):
        while waiting and waiting[-1].starts_at <= since:
            active.append(waiting.pop())
        if active:
            active = sorted((override for override in active if override.ends_at > since), key=lambda o: o.id)
        said = [(roles, duties) for roles, cursor in cursors if (duties := cursor.at(since))]
        base = layers.stacked(said) if said else ()
        yield Segment(since, until, overridden(base, active, layers.main_role) if active else base)


class _Cursor:
    """Walks along the spans of one layer, which are in order of their starts and may overlap."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._ahead = list(reversed(spans))
        self._on: list[Span] = []

    def at(self, at: Micros) -> tuple[Duty, ...]:
        """Who is on call by the layer at the instant, which must not be before the one asked last."""
        if self._on and any(span.ends_at <= at for span in self._on):
            self._on = [span for span in self._on if span.ends_at > at]
        while self._ahead and self._ahead[-1].starts_at <= at:
            span = self._ahead.pop()
            if span.ends_at > at:
                self._on.append(span)
        if len(self._on) == 1:
            return self._on[0].duties
        return once(duty for span in self._on for duty in span.duties)
