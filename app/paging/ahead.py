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
    NOTHING,
    Rules,
    ends_at,
    fallback_plan,
    last_told,
    reached_anybody,
    rules_of,
    turns,
)
from app.paging.joint import have_it
from app.paging.plan import LevelPlan, Position, plan_level
from app.paging.recipients import LAST_RESORT, UNCONFIGURED, console
from app.routing.quiet import Quiet
from app.routing.quieting import quiet_of, read_book
from app.store.database import Reading

MOST_STEPS = 60
"""Levels that are laid out at most; a policy may have 20 of them, ten times over."""


@dataclass(frozen=True, slots=True)
class Step:
    """What is told at an instant, or reaches nobody then, or is waited for."""

    kind: Literal["level", "fallback", "console", "wait"]
    at: Micros
    position: Position
    plan: LevelPlan
    delay_s: int = 0
    """How long it has, from its first try."""
    rules: Rules = NOTHING
    until: Micros = 0
    """Of `wait`: nobody is told before."""
    each: bool = False
    """Each of its people must acknowledge."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What will happen."""

    rules: Rules
    """Those that are followed at first."""
    steps: tuple[Step, ...]
    ends_at: Micros | None
    """When the policy has ended and nobody else will be told. None: `cut`, or there is no policy that could end."""
    reached: bool
    """Somebody is told, or was already."""
    cut: bool = False
    """There is more than `MOST_STEPS`."""
    quiet: Quiet | None = None
    """Why it does not page now; what is ahead begins when that ends."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where an escalation goes on, and when."""

    position: Position
    at: Micros
    reached: bool = False
    fallback_told: bool = False
    policy_id: int | None = None
    """The policy whose level was told last."""
    have: frozenset[int] = frozenset()
    """Who has acknowledged for themselves."""
    quiet: Quiet | None = None


BEGIN = Position(0, 0)


async def start_of(view: Reading, incident: Incident) -> Start | None:
    """Where an incident's escalation goes on if nobody does anything; None when it does not."""
    if incident.state == "acknowledged" and incident.ack_until is not None:
        return Start(BEGIN, max(view.now, incident.ack_until))
    if incident.state != "triggered" or incident.escalation not in ("waiting", "held", "running", "fallback"):
        return None
    told = await last_told(view, incident)
    quiet = await quiet_of(view, await read_book(view), incident)
    at = view.now if quiet is None else quiet.until
    if told is not None and told.alive:
        at = max(at, ends_at(told) or (told.first_due or at) + told.delay_s * SECOND)
    return Start(
        Position(incident.level, incident.round),
        at,
        await reached_anybody(view, incident) or bool(told and told.alive),
        incident.escalation == "fallback",
        incident.policy_id if incident.escalation == "running" else None,
        await have_it(view, incident),
        quiet,
    )


async def ahead_of(view: Reading, incident: Incident) -> Ahead | None:
    """What an incident's escalation will do if nobody does anything; None when it will do nothing."""
    start = await start_of(view, incident)
    if start is None:
        return None
    return replace(await ahead(view, incident, start), quiet=start.quiet)


async def ahead(view: Reading, incident: Incident, start: Start) -> Ahead:
    """What an escalation will do from `start` on."""
    first = await rules_of(_at(view, start.at), incident)
    if start.fallback_told:
        return Ahead(first, (), start.at, reached=start.reached)
    steps: list[Step] = []
    at, position, reached, policy_id = start.at, start.position, start.reached, start.policy_id
    drawn: dict[int, list[int]] = {}
    while len(steps) < MOST_STEPS:
        rules = await rules_of(_at(view, at), incident)
        if policy_id is not None and rules.id != policy_id:
            position, reached = BEGIN, False
        policy_id = rules.id
        if rules.waits_until is not None and rules.waits_until > at:
            steps.append(Step("wait", at, position, LevelPlan((), ()), rules=rules, until=rules.waits_until))
            at = rules.waits_until
            continue
        if rules.policy is None:
            told = Step("console", at, position, plan_level([console(UNCONFIGURED)], "high"), rules=rules)
            return Ahead(first, (*steps, told), None, reached=True)
        found = await turns(_at(view, at), rules, position, start.have, drawn)
        for turn in found:
            level = rules.policy.levels[turn.position.level]
            each = level.ack == "all" and len(turn.plan.people) > 1
            steps.append(Step("level", at, turn.position, turn.plan, level.delay_s, rules, each=each))
            for team_id, person_id in turn.plan.turns:
                drawn.setdefault(team_id, []).append(person_id)
        if not found or not found[-1].plan.pages:
            return await _ended(view, Ahead(first, tuple(steps), at, reached), rules)
        last = steps[-1]
        at, reached = _until(last), True
        position = Position(last.position.level + 1, last.position.round)
    return Ahead(first, tuple(steps), None, reached, cut=True)


async def _ended(view: Reading, known: Ahead, rules: Rules) -> Ahead:
    """Adds who is told rather than nobody, where it comes to that."""
    policy, at = rules.policy, known.ends_at
    assert policy is not None
    assert at is not None
    if known.reached:
        return known
    beyond = Position(len(policy.levels), 0)
    if policy.fallback:
        plan = await fallback_plan(_at(view, at), policy, rules.urgency)
        step = Step("fallback", at, beyond, plan, policy.levels[-1].delay_s, rules)
        known = replace(known, steps=(*known.steps, step))
        if plan.pages:
            return replace(known, ends_at=_until(step), reached=True)
    last_resort = Step("console", at, beyond, plan_level([console(LAST_RESORT)], "high"), rules=rules)
    return replace(known, steps=(*known.steps, last_resort))


def _until(step: Step) -> Micros:
    """When a step that is told has had its time: that begins with its first try."""
    first_s = min(page.delay_s for page in step.plan.pages if not page.fallback)
    return step.at + (first_s + step.delay_s) * SECOND


def _at(view: Reading, at: Micros) -> Reading:
    """The same view, asked what will be at another instant."""
    return Reading(view.conn, at, view.postgres)
