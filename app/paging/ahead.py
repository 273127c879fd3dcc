"""What an escalation will do if nobody stops it: level after level until the policy has ended. Reads only.

Each level is asked at the instant at which it would be told: who is on call then, by what is known now. It is taken for
granted that each page can be sent; one that can't be only makes the next way or level come sooner.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from app.clock import SECOND, Micros
from app.incidents.incident import Incident
from app.paging.course import (
    Rules,
    ends_at,
    fallback_plan,
    last_told,
    reached_anybody,
    turns,
    urgency_of,
)
from app.paging.plan import LevelPlan, Position, plan_level
from app.paging.recipients import LAST_RESORT, UNCONFIGURED, console
from app.people.person import Urgency
from app.store.database import Reading

MOST_STEPS = 60
"""Levels that are laid out at most; a policy may have 20 of them, ten times over."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is told at an instant, or reaches nobody then."""

    kind: Literal["level", "fallback", "console"]
    at: Micros
    position: Position
    plan: LevelPlan
    delay_s: int = 0
    """How long it has, from its first try."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What will happen."""

    rules: Rules
    steps: tuple[Step, ...]
    ends_at: Micros | None
    """When the policy has ended and nobody else will be told. None: `cut`, or there is no policy that could end."""
    reached: bool
    """Somebody is told, or was already."""
    cut: bool = False
    """There is more than `MOST_STEPS`."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where an escalation goes on, and when."""

    position: Position
    at: Micros
    reached: bool = False
    fallback_told: bool = False


async def start_of(view: Reading, incident: Incident, rules: Rules) -> Start | None:
    """Where an incident's escalation goes on if nobody does anything; None when it does not."""
    begin = Position(0, 0)
    if incident.state == "acknowledged" and incident.ack_until is not None:
        return Start(begin, max(view.now, incident.ack_until))
    if incident.state != "triggered" or incident.escalation not in ("waiting", "running", "fallback"):
        return None
    told = await last_told(view, incident, rules)
    at = view.now
    if told is not None and told.alive:
        at = max(at, ends_at(told) or (told.first_due or at) + told.delay_s * SECOND)
    return Start(
        Position(incident.level, incident.round),
        at,
        await reached_anybody(view, incident) or bool(told and told.alive),
        incident.escalation == "fallback",
    )


async def ahead_of(view: Reading, incident: Incident, rules: Rules) -> Ahead | None:
    """What an incident's escalation will do if nobody does anything; None when it will do nothing."""
    start = await start_of(view, incident, rules)
    return None if start is None else await ahead(view, rules, urgency_of(incident), start)


async def ahead(view: Reading, rules: Rules, urgency: Urgency, start: Start) -> Ahead:
    """What an escalation will do from `start` on."""
    if rules.policy is None:
        told = Step("console", start.at, start.position, plan_level([console(UNCONFIGURED)], "high"))
        return Ahead(rules, (told,), None, reached=True)
    if start.fallback_told:
        return Ahead(rules, (), start.at, reached=start.reached)
    steps: list[Step] = []
    at, position, reached = start.at, start.position, start.reached
    while len(steps) < MOST_STEPS:
        found = await turns(_at(view, at), rules.policy, position, urgency)
        for turn in found:
            delay_s = rules.policy.levels[turn.position.level].delay_s
            steps.append(Step("level", at, turn.position, turn.plan, delay_s))
        if not found or not found[-1].plan.pages:
            return await _ended(view, Ahead(rules, tuple(steps), at, reached), urgency)
        last = steps[-1]
        at, reached = _until(last), True
        position = Position(last.position.level + 1, last.position.round)
    return Ahead(rules, tuple(steps), None, reached, cut=True)


async def _ended(view: Reading, known: Ahead, urgency: Urgency) -> Ahead:
    """Adds who is told rather than nobody, where it comes to that."""
    policy, at = known.rules.policy, known.ends_at
    assert policy is not None
    assert at is not None
    if known.reached:
        return known
    beyond = Position(len(policy.levels), 0)
    if policy.fallback:
        plan = await fallback_plan(_at(view, at), policy, urgency)
        step = Step("fallback", at, beyond, plan, policy.levels[-1].delay_s)
        known = replace(known, steps=(*known.steps, step))
        if plan.pages:
            return replace(known, ends_at=_until(step), reached=True)
    last_resort = Step("console", at, beyond, plan_level([console(LAST_RESORT)], "high"))
    return replace(known, steps=(*known.steps, last_resort))


def _until(step: Step) -> Micros:
    """When a step that is told has had its time: that begins with its first try."""
    first_s = min(page.delay_s for page in step.plan.pages if not page.fallback)
    return step.at + (first_s + step.delay_s) * SECOND


def _at(view: Reading, at: Micros) -> Reading:
    """The same view, asked what will be at another instant."""
    return Reading(view.conn, at, view.postgres)
