"""Who is on call at an instant, why, and until when: layers over layers, overrides over them.

By arithmetic on the asked instant alone; nothing is laid out, so an instant ten years ahead costs what this one costs.
Pure: a schedule, its overrides and an instant in, a named answer out. Must never know the database or what time it is,
nor whether a person still exists or can be reached (the caller asks that of each person at each step).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

from app.clock import Micros
from app.ids import PersonId
from app.oncall.rotation import covered, next_edge, participant, turn_at
from app.oncall.schedule import Layer, Override, OverrideId, Schedule
from app.oncall.walltime import instant, wall, zone

MAX_STEPS = 1_000
"""Borders that `next_change` looks at before it gives up; they are borders that change nothing, so this is never near."""

Nobody = Literal["no_layers", "no_participants", "ended", "not_started", "outside_restrictions"]
"""Why nobody is on call. Of several layers the reason named is the one furthest to the right."""

NOBODY: dict[Nobody, str] = {
    "no_layers": "the schedule has no layers",
    "no_participants": "no layer in force has participants",
    "ended": "every layer with participants has ended",
    "not_started": "no layer has started yet",
    "outside_restrictions": "no layer is active at this hour",
}
"""Each reason as people read it, from the emptiest schedule to the one nearest to having somebody."""


@dataclass(frozen=True, slots=True)
class ByLayer:
    """On call because it is their turn. Turn 1 is the layer's first."""

    layer: str
    turn: int


@dataclass(frozen=True, slots=True)
class ByOverride:
    """On call because of an override; `replaces` is who they stand in for, None when for anybody."""

    override: OverrideId
    replaces: PersonId | None


Why = ByLayer | ByOverride


@dataclass(frozen=True, slots=True)
class Duty:
    """One person on call, and why."""

    person: PersonId
    why: Why

    @property
    def source(self) -> tuple[PersonId, str | OverrideId]:
        """What makes two duties one shift: the same person by the same layer or override, whatever the turn."""
        match self.why:
            case ByLayer(layer=layer):
                return (self.person, layer)
            case ByOverride(override=override):
                return (self.person, override)
            case _:
                assert_never(self.why)


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call at an instant. Either `people` is not empty, or `nobody` says why it is."""

    people: tuple[Duty, ...]
    nobody: Nobody | None


def on_call(schedule: Schedule, overrides: Iterable[Override], at: Micros) -> OnCall:
    """Who is on call at the instant. `overrides` may hold any of the schedule's, in any order; others count nothing."""
    _, found = _by_layers(schedule, at)
    base = (found,) if isinstance(found, Duty) else ()
    people = overridden(base, sorted(_active(overrides, at), key=_made))
    if people:
        return OnCall(people, None)
    assert not isinstance(found, Duty)  # an override gives a duty to somebody, it takes none away
    return OnCall((), found)


def next_change(schedule: Schedule, overrides: Sequence[Override], at: Micros) -> Micros | None:
    """The first instant after `at` at which another person, layer or override is on call, or nobody; None: never.

    After MAX_STEPS borders at which nothing changed it answers the last of them: asking again from there goes on.
    """
    before = _sources(on_call(schedule, overrides, at))
    border: Micros = at
    for _ in range(MAX_STEPS):
        following = _next_border(schedule, overrides, border)
        if following is None:
            return None
        border = following
        if _sources(on_call(schedule, overrides, border)) != before:
            return border
    return border


def overridden(base: tuple[Duty, ...], active: Sequence[Override]) -> tuple[Duty, ...]:
    """The duties after the overrides in force, in the order they were made: each sees what those before it made."""
    duties = base
    for override in active:
        stand_in = Duty(override.person, ByOverride(override.id, override.replaces))
        if override.replaces is None:
            duties = (stand_in,)
        else:
            duties = tuple(stand_in if duty.person == override.replaces else duty for duty in duties)
    return duties


def _active(overrides: Iterable[Override], at: Micros) -> list[Override]:
    return [override for override in overrides if override.starts_at <= at < override.ends_at]


def _made(override: Override) -> OverrideId:
    return override.id


def _sources(answer: OnCall) -> list[tuple[PersonId, str | OverrideId]]:
    return [duty.source for duty in answer.people]


def _by_layers(schedule: Schedule, at: Micros) -> tuple[int, Duty | Nobody]:
    """The last layer that is active and its duty; or 0 and why no layer is, so that any of them may become so."""
    clock = wall(zone(schedule.time_zone), at)
    reasons: set[Nobody] = {"no_layers"}
    for index in range(len(schedule.layers) - 1, -1, -1):
        layer = schedule.layers[index]
        if reason := _inactive(layer, at):
            reasons.add(reason)
        elif (turn := turn_at(layer, clock)) < 1:
            reasons.add("not_started")
        elif not covered(layer.restrictions, clock):
            reasons.add("outside_restrictions")
        else:
            return index, Duty(participant(layer, turn), ByLayer(layer.name, turn))
    return 0, max(reasons, key=list(NOBODY).index)


def _inactive(layer: Layer, at: Micros) -> Nobody | None:
    """Why the layer is not in force at the instant, before its clock is looked at."""
    if not layer.participants:
        return "no_participants"
    if layer.starts_at is not None and at < layer.starts_at:
        return "not_started"
    if layer.ends_at is not None and at >= layer.ends_at:
        return "ended"
    return None


def _next_border(schedule: Schedule, overrides: Sequence[Override], at: Micros) -> Micros | None:
    """The next instant at which the answer may change: an edge of an override, or of a layer that is not covered."""
    borders = [edge for override in overrides for edge in (override.starts_at, override.ends_at) if edge > at]
    if all(override.replaces is not None for override in _active(overrides, at)):
        uncovered, _ = _by_layers(schedule, at)
        for layer in schedule.layers[uncovered:]:
            border = _layer_border(layer, zone(schedule.time_zone), at)
            if border is not None:
                borders.append(border)
    return min(borders, default=None)


def _layer_border(layer: Layer, rules: ZoneInfo, at: Micros) -> Micros | None:
    """The next instant at which what the layer says by itself may change."""
    reason = _inactive(layer, at)
    if reason == "not_started":
        return layer.starts_at
    if reason is not None:
        return None
    edge = next_edge(layer, wall(rules, at))
    ends = [] if layer.ends_at is None else [layer.ends_at]
    return min([*ends, instant(rules, edge)] if edge is not None else ends, default=None)
