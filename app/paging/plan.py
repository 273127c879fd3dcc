"""Who is told at one level of a policy, by which way and when. Pure: facts in, planned pages out.

Nobody is told twice on one level, whatever ways lead to them. What can't be reached says why: a level that reaches
nobody is never a silent one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from app.people.person import ContactMethod, Person, Urgency, steps


@dataclass(frozen=True, slots=True)
class Reached:
    """Somebody a target led to. Exactly one of `person` and `channel` is set."""

    id: int
    name: str
    reason: str
    """Why them: "on call in Primary (layer weekly, turn 12)"."""
    person: Person | None = None
    channel: ContactMethod | None = None
    schedule_id: int | None = None


@dataclass(frozen=True, slots=True)
class Missed:
    """A target that led to nobody, and why."""

    reason: str
    person_id: int | None = None
    """Who would have been told, where that is somebody."""


@dataclass(frozen=True, slots=True)
class PlannedPage:
    """One page to be written. `fallback` waits until the one before it for the same person has failed."""

    person_id: int | None
    channel_id: int | None
    method_id: str
    notifier: str
    recipient: str
    reason: str
    delay_s: int
    fallback: bool
    schedule_id: int | None
    label: str = ""
    """What its person calls the contact method."""


@dataclass(frozen=True, slots=True)
class LevelPlan:
    """What a level comes to."""

    pages: tuple[PlannedPage, ...]
    missed: tuple[Missed, ...]


def plan_level(found: Iterable[Reached | Missed], urgency: Urgency) -> LevelPlan:
    """The pages of one level, in the order of its targets."""
    pages: list[PlannedPage] = []
    missed: list[Missed] = []
    told: set[int] = set()
    for one in found:
        if isinstance(one, Missed):
            missed.append(one)
        elif one.id not in told:
            told.add(one.id)
            planned = _pages_of(one, urgency)
            pages += planned
            if not planned:
                person_id = one.id if one.person else None
                missed.append(Missed(f"{one.name} has no contact method that is enabled", person_id))
    return LevelPlan(tuple(pages), tuple(missed))


def _pages_of(one: Reached, urgency: Urgency) -> list[PlannedPage]:
    if one.channel is not None:
        return [_page(one, one.channel, 0, fallback=False)]
    assert one.person is not None
    return [_page(one, step.method, step.delay_s, fallback=step.fallback) for step in steps(one.person, urgency)]


def _page(one: Reached, method: ContactMethod, delay_s: int, *, fallback: bool) -> PlannedPage:
    return PlannedPage(
        person_id=one.id if one.person else None,
        channel_id=one.id if one.channel and one.id else None,
        method_id=method.id,
        notifier=method.kind,
        recipient=one.name,
        reason=one.reason,
        delay_s=delay_s,
        fallback=fallback,
        schedule_id=one.schedule_id,
        label=method.label,
    )


@dataclass(frozen=True, slots=True)
class Position:
    """Where an escalation stands: `level` counts the levels told in this round, `round` from 0."""

    level: int
    round: int


def next_position(at: Position, levels: int, repeat: int) -> Position | None:
    """The level to be told next, or None when the policy has ended."""
    if at.level < levels:
        return at
    return Position(0, at.round + 1) if at.round < repeat else None
