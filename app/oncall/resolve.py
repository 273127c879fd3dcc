"""Who is on call at an instant, why, and until when: layers over layers, overrides over them.

By arithmetic on the asked instant alone; nothing is laid out, so an instant ten years ahead costs what this one costs.
Pure: a rota (rota.py) and an instant in, a named answer out. Must never know the database or what time it is, nor whether
a person still exists or can be reached (the caller asks that of each person at each step).
"""

from __future__ import annotations

from dataclasses import dataclass

from app.clock import DAY, Micros
from app.oncall.layers import NOBODY, Nobody, once, stack
from app.oncall.rota import Duty, Rota
from app.oncall.segments import overridden, segments
from app.oncall.turns import standings

__all__ = ["LOOK_AHEAD", "NOBODY", "Nobody", "OnCall", "next_change", "on_call", "standings"]

LOOK_AHEAD: Micros = 366 * DAY
"""As far as `next_change` looks."""

_PIECES: tuple[Micros, ...] = (DAY // 2, 2 * DAY, 16 * DAY, 96 * DAY, LOOK_AHEAD)


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call at an instant. Either `people` is not empty, or `nobody` says why it is."""

    people: tuple[Duty, ...]
    """In the order of the schedule's roles, as its layers first name them."""
    nobody: Nobody | None


def on_call(rota: Rota, at: Micros) -> OnCall:
    """Who is on call at the instant: by the record before `rota.settled_until`, computed from there on."""
    if at < rota.settled_until:
        return _recorded(rota, at)
    return _computed(rota, at)


def next_change(rota: Rota, at: Micros) -> Micros | None:
    """The first instant after `at` at which somebody else is on call, for another reason, or nobody.

    None: nothing changes within LOOK_AHEAD.
    """
    before = None
    since = at
    for ahead in _PIECES:
        for segment in segments(rota, since, at + ahead):
            sources = frozenset(duty.source for duty in segment.people)
            if before is None:
                before = sources
            elif sources != before:
                return segment.starts_at
        since = at + ahead
    return None


def _recorded(rota: Rota, at: Micros) -> OnCall:
    people = once(
        Duty(shift.person, shift.why, shift.role) for shift in rota.record if shift.starts_at <= at < shift.ends_at
    )
    return OnCall(people, None if people else _computed(rota, at).nobody or "not_recorded")


def _computed(rota: Rota, at: Micros) -> OnCall:
    for index, era in enumerate(rota.eras):
        if era.starts_at <= at and (era.ends_at is None or at < era.ends_at):
            layers = stack(rota, index)
            found = layers.at(at)
            active = [override for override in rota.overrides if override.starts_at <= at < override.ends_at]
            if not active:
                return OnCall((), found) if isinstance(found, str) else OnCall(found, None)
            active.sort(key=lambda override: override.id)
            people = overridden(() if isinstance(found, str) else found, active, layers.main_role)
            return OnCall(people, found if isinstance(found, str) and not people else None)
    return OnCall((), "not_existing")
