"""The course of an escalation: which rules it follows, how long what was told last has, and who is told next. Reads only.

What `escalate.py` does and what `ahead.py` foretells is decided here, so that they can't differ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy import and_, case, func, select

from app.clock import SECOND, Micros
from app.incidents.incident import Incident
from app.incidents.service import Service
from app.paging.plan import LevelPlan, Position, Reached, next_position, plan_level
from app.paging.policy import Policy
from app.paging.recipients import find
from app.paging.tables import attempts, pages
from app.people.person import Urgency
from app.store import resources
from app.store.database import Reading

FALLBACK_DELAY_S = 300
"""For how long the fallback may answer where no policy says any more how long a level may."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy that is followed, as it is now; None: nothing is configured."""

    policy: Policy | None
    id: int | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """A level whose turn it is, and what it comes to."""

    position: Position
    plan: LevelPlan


@dataclass(frozen=True, slots=True)
class LastTold:
    """What became of the pages of what was told last."""

    delay_s: int
    """How long it has, from its first try."""
    alive: bool
    """A page of it was sent, or may still be."""
    first_try: Micros | None
    """When the first try to send one of its pages began."""
    first_due: Micros | None
    """When the first of its pages was due, or will be."""


async def rules_of(view: Reading, service_id: int | None) -> Rules:
    """The rules for incidents of a service, as they are now."""
    if service_id is None:
        return Rules(None)
    found = (await resources.load(view, "service", [service_id])).get(service_id)
    policy_id = Service.model_validate(found.document).policy_id if found else None
    if policy_id is None:
        return Rules(None)
    policy = (await resources.load(view, "policy", [int(policy_id)])).get(int(policy_id))
    return Rules(Policy.model_validate(policy.document), policy.id, policy.version) if policy else Rules(None)


async def last_told(view: Reading, incident: Incident, rules: Rules) -> LastTold | None:
    """What became of what was told last; None when nothing was told since paging began anew."""
    known = _told_last(incident, rules)
    if known is None:
        return None
    told, delay_s = known
    of_level = (
        pages.c.incident_id == incident.id,
        pages.c.epoch == incident.epoch,
        pages.c.round == incident.round,
        pages.c.level == told,
    )
    # A fallback counts once it is on its way after a failure: until then it has no time.
    planned = pages.c.due_at > 0
    counted = select(
        func.sum(case((and_(planned, pages.c.state.in_(("waiting", "sent"))), 1), else_=0)),
        func.min(case((planned, pages.c.due_at))),
    ).where(*of_level)
    alive, due = (await view.conn.execute(counted)).one()
    first = (
        await view.conn.execute(
            select(func.min(attempts.c.started_at)).join(pages, pages.c.id == attempts.c.page_id).where(*of_level)
        )
    ).scalar()
    return LastTold(delay_s, bool(alive), first, due)


def _told_last(incident: Incident, rules: Rules) -> tuple[int, int] | None:
    """As which level the pages of what was told last are written, and how many seconds it has."""
    if incident.escalation == "fallback":
        return incident.level, rules.policy.levels[-1].delay_s if rules.policy else FALLBACK_DELAY_S
    if incident.escalation != "running" or incident.level == 0 or rules.policy is None:
        return None
    told = incident.level - 1
    return (told, rules.policy.levels[told].delay_s) if told < len(rules.policy.levels) else None


async def reached_anybody(view: Reading, incident: Incident) -> bool:
    """Whether a page was sent since paging began anew."""
    sent = select(func.count()).where(
        pages.c.incident_id == incident.id, pages.c.epoch == incident.epoch, pages.c.state == "sent"
    )
    return bool((await view.conn.execute(sent)).scalar_one())


async def turns(view: Reading, policy: Policy, at: Position, urgency: Urgency) -> list[Turn]:
    """Whose turn it is: levels that reach nobody, and after them the first that reaches somebody, where there is one.

    Each level is asked once: where none of them reaches anybody, more rounds would not either.
    """
    found: list[Turn] = []
    while len(found) < len(policy.levels):
        position = next_position(at, len(policy.levels), policy.repeat)
        if position is None:
            break
        found.append(Turn(position, plan_level(await find(view, policy.levels[position.level].targets), urgency)))
        if found[-1].plan.pages:
            break
        at = Position(position.level + 1, position.round)
    return found


async def fallback_plan(view: Reading, policy: Policy, urgency: Urgency) -> LevelPlan:
    """What the policy's fallback comes to; each of its pages says that it is one."""
    found = [
        replace(one, reason=f"{one.reason}, because nobody else could be reached") if isinstance(one, Reached) else one
        for one in await find(view, policy.fallback)
    ]
    return plan_level(found, urgency)


def ends_at(told: LastTold) -> Micros | None:
    """When what was told last has had its time; None while no try of it has begun."""
    return None if told.first_try is None else told.first_try + told.delay_s * SECOND


def urgency_of(incident: Incident) -> Urgency:
    """The urgency by which people's own rules are chosen."""
    return "high" if incident.urgency == "high" else "low"
