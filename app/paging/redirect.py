"""Who is told instead: escalate now to a level there is, give the incident to people or to another policy. Deeds."""

from __future__ import annotations

from collections.abc import Sequence

from app.incidents import incident as moves
from app.incidents import ledger, respond
from app.incidents.incident import Assigned, Entry, Incident
from app.paging.course import rules_of
from app.paging.escalate import page_now
from app.paging.joining import open_incident, reachable
from app.paging.policy import Policy
from app.store import resources
from app.store.database import Writing
from app.store.resources import Refused


async def escalate(tx: Writing, number: int, actor: str, level: int | None = None) -> Incident:
    """The next level, or the one given (from 0), is told at once; after the last one the first.

    Raises NoSuchIncident, Refused (`no_such_level`).
    """
    incident = await open_incident(tx, number, "escalate")
    policy = (await rules_of(tx, incident)).policy
    levels = len(policy.levels) if policy else 0
    if level is not None and level >= levels:
        has = f"{policy.name!r} has {levels}" if policy else "no escalation policy is configured"
        raise Refused("no_such_level", f"there is no level {level + 1}: {has}")
    if level is None and incident.level >= levels:
        level = 0
    return await respond.escalate(tx, number, actor, level)


async def to_people(tx: Writing, number: int, actor: str, people: Sequence[int]) -> Incident:
    """These people are told now; the service's policy follows if none of them acknowledges.

    Raises NoSuchIncident, Refused (`reaches_nobody`).
    """
    incident = await open_incident(tx, number, "be given to others")
    plan = await reachable(tx, people, "")
    return await _give(
        tx, incident, actor, {"people": [str(one) for one in plan.people]}, ", ".join(plan.people.values())
    )


async def to_policy(tx: Writing, number: int, actor: str, policy_id: int) -> Incident:
    """Another policy is followed from now on, from its first level. Raises NoSuchIncident, Refused(`no_such_policy`)."""
    incident = await open_incident(tx, number, "be given to others")
    found = (await resources.load(tx, "policy", [policy_id])).get(policy_id)
    if found is None:
        raise Refused("no_such_policy", f"there is no policy with the id {policy_id}")
    name = found.as_a(Policy).name
    return await _give(tx, incident, actor, {"policy_id": str(policy_id)}, f"the policy {name}")


async def _give(tx: Writing, incident: Incident, actor: str, assigned: Assigned, to: str) -> Incident:
    entry: Entry = moves.reassign(incident, actor, assigned, to)
    await page_now(tx, incident, asked=True)
    await ledger.save(tx, [incident])
    await ledger.record(tx, [(incident.id, entry)])
    return incident
