"""The course of an escalation: which rules it follows, how long what was told last has, and who is told next. Reads only.

What `escalate.py` does and what `ahead.py` foretells is decided here, so that they can't differ.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from sqlalchemy import and_, bindparam, func, or_, select
from sqlalchemy import case as when

from app.clock import SECOND, Micros
from app.incidents.incident import Assigned, Incident
from app.incidents.service import Case, Service
from app.paging.plan import LevelPlan, Position, Reached, next_position, plan_level
from app.paging.policy import Level, Policy, Target
from app.paging.recipients import Drawn, find
from app.paging.tables import ASKED, attempts, pages
from app.people.person import Urgency
from app.store import resources
from app.store.database import Reading

DELAY_S = 300
"""How long a level has where no policy says so."""
EACH = "each of you must acknowledge"
MOST_GIVEN = 10
"""People that an incident is given to at once."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy that is followed, as it is now; None: nothing is configured."""

    policy: Policy | None
    id: int | None = None
    version: int | None = None
    urgency: Urgency = "high"
    """By this people's own rules are chosen."""
    because: str = ""
    """Why these and not the service's usual ones."""
    waits_until: Micros | None = None
    """Nobody is told before."""
    given_by: str = ""
    """Who gave it to the people of the first level, which is not the policy's then."""


NOTHING = Rules(None)
"""No policy is configured."""


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


async def rules_of(view: Reading, incident: Incident) -> Rules:
    """The rules for an incident, as they are now."""
    service = await _service(view, incident.service_id)
    case = service.case_at(incident.priority, view.now) if service else None
    assigned = incident.assigned or {}
    wanted = (assigned.get("policy_id"), case.policy_id if case else None, service.policy_id if service else None)
    ids = [int(one) for one in wanted if one]
    there = await resources.load(view, "policy", ids)
    # One that was deleted meanwhile leaves its place to the next.
    policy = next((there[one] for one in ids if one in there), None)
    rules = (
        Rules(policy.as_a(Policy), policy.id, policy.version, urgency_of(incident))
        if policy
        else Rules(None, urgency=urgency_of(incident))
    )
    if service and case:
        rules = _in_case(service, case, rules, incident.priority, view.now)
    return given_to(rules, assigned)


async def _service(view: Reading, service_id: int | None) -> Service | None:
    if service_id is None:
        return None
    found = (await resources.load(view, "service", [service_id])).get(service_id)
    return found.as_a(Service) if found else None


def _in_case(service: Service, case: Case, rules: Rules, priority: str, now: Micros) -> Rules:
    urgency = case.urgency or rules.urgency
    hours = {"any": "", "support": "in support hours", "outside": "outside support hours"}[case.hours]
    of = f"for {priority}" if case.priorities else ""
    because = " ".join(part for part in (of, hours) if part) or "for all incidents"
    until = service.opens_at(now) if case.wait and urgency == "low" else None
    return replace(rules, urgency=urgency, because=because, waits_until=until)


def given_to(rules: Rules, assigned: Assigned) -> Rules:
    """The rules for an incident that somebody gave to others, or wants told now: nothing waits. Pure.

    People that it was given to are told before the first level of the policy.
    """
    if assigned:
        rules = replace(rules, waits_until=None)
    people = assigned.get("people")
    if not people:
        return rules
    first = Level(
        targets=tuple(Target(kind="person", id=one) for one in people[:MOST_GIVEN]),
        delay_s=rules.policy.levels[0].delay_s if rules.policy else DELAY_S,
    )
    by = assigned.get("by", "somebody")
    if rules.policy is None:
        return replace(rules, policy=Policy(name="given", levels=(first,), repeat=2), given_by=by)
    return replace(rules, policy=rules.policy.model_copy(update={"levels": (first, *rules.policy.levels)}), given_by=by)


def follows_another(incident: Incident, rules: Rules) -> bool:
    """Whether the level that was told last was another policy's: the new one is to begin with its first level. Pure."""
    return incident.escalation == "running" and incident.policy_id != rules.id


# Made once: making a statement costs more than running it, and these run for each level.
_OF_LEVEL = (
    pages.c.incident_id == bindparam("incident"),
    pages.c.epoch == bindparam("epoch"),
    pages.c.round == bindparam("round"),
    pages.c.level == bindparam("level"),
)
# A fallback counts once it is on its way after a failure: until then it has no time.
_PLANNED = pages.c.due_at > 0
_COUNTED = select(
    func.sum(when((and_(_PLANNED, pages.c.state.in_(("waiting", "sent"))), 1), else_=0)),
    func.min(when((_PLANNED, pages.c.due_at))),
).where(*_OF_LEVEL)
_FIRST_TRY = select(func.min(attempts.c.started_at)).join(pages, pages.c.id == attempts.c.page_id).where(*_OF_LEVEL)


async def last_told(view: Reading, incident: Incident) -> LastTold | None:
    """What became of what was told last; None when nothing was told since paging began anew."""
    told = _told_last(incident)
    if told is None:
        return None
    level = {"incident": incident.id, "epoch": incident.epoch, "round": incident.round, "level": told}
    alive, due = (await view.conn.execute(_COUNTED, level)).one()
    first = (await view.conn.execute(_FIRST_TRY, level)).scalar()
    return LastTold(incident.told_s or DELAY_S, bool(alive), first, due)


def _told_last(incident: Incident) -> int | None:
    """As which level the pages of what was told last are written."""
    if incident.escalation == "fallback":
        return incident.level
    return incident.level - 1 if incident.escalation == "running" and incident.level else None


async def reached_anybody(view: Reading, incident: Incident) -> bool:
    """Whether a page was sent to somebody since paging began anew; the console, told as the last resort, is nobody."""
    return await _has_pages(view, incident, ("sent",))


async def repeats_itself(view: Reading, incident: Incident) -> bool:
    """Whether a round has reached nobody yet, and goes on trying: another one would only plan the same pages again."""
    return await _has_pages(view, incident, ("blocked", "quarantined")) and not await reached_anybody(view, incident)


async def _has_pages(view: Reading, incident: Incident, states: tuple[str, ...]) -> bool:
    there = select(func.count()).where(
        pages.c.incident_id == incident.id,
        pages.c.epoch == incident.epoch,
        pages.c.state.in_(states),
        pages.c.level != ASKED,
        or_(pages.c.person_id.is_not(None), pages.c.channel_id.is_not(None)),
    )
    return bool((await view.conn.execute(there)).scalar_one())


async def turns(
    view: Reading, rules: Rules, at: Position, have: Collection[int] = (), drawn: Drawn | None = None
) -> list[Turn]:
    """Whose turn it is: levels that reach nobody, and after them the first that reaches somebody, where there is one.

    Each level is asked once: where none of them reaches anybody, more rounds would not either. Who is in `have` has
    acknowledged, and is not told again.
    """
    found: list[Turn] = []
    policy = rules.policy
    while policy is not None and len(found) < len(policy.levels):
        position = next_position(at, len(policy.levels), policy.repeat)
        if position is None:
            break
        given = f"given to them by {rules.given_by}" if rules.given_by and not position.level else ""
        targets = await find(view, policy.levels[position.level].targets, drawn, given)
        plan = plan_level(targets, rules.urgency, have)
        if policy.levels[position.level].ack == "all" and len(plan.people) > 1:
            plan = replace(plan, pages=tuple(replace(one, reason=f"{one.reason}; {EACH}") for one in plan.pages))
        found.append(Turn(position, plan))
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
