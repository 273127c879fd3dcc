"""The deed of escalation: one level of an incident's policy is told, and the next one gets its time.

The job stays one row for the whole escalation: after each level it is put back, due when the next level is to be told.
A level's timer starts when the first try to send one of its pages started, not when it was planned, so that a stall of
ours never makes levels follow each other faster than the policy says.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select

from app.clock import SECOND, Micros
from app.incidents import ledger
from app.incidents.incident import Entry, Incident
from app.incidents.service import Service
from app.paging.plan import LevelPlan, Missed, PlannedPage, Position, Reached, next_position, plan_level
from app.paging.policy import Policy
from app.paging.recipients import LAST_RESORT, UNCONFIGURED, console, find
from app.paging.tables import attempts, pages
from app.store import jobs, resources
from app.store.database import Writing

CLAIMED_AT_ONCE = 4
"""Pages of a level that the same worker sends at once; the rest is for whoever has a hand free."""
NOT_STARTED_PAUSE = 2 * SECOND
"""How long to look away while no try of the level before has started."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The policy that is followed, as it is now; None: nothing is configured."""

    policy: Policy | None
    id: int | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Escalated:
    """What one run of the job did, for logs and metrics."""

    pages: int = 0
    undelivered: bool = False
    claimed: tuple[jobs.Job, ...] = ()
    """Pages due at once that this worker has taken already."""


async def escalate(tx: Writing, job: jobs.Job, lease: Micros) -> Escalated:
    """Tells the next level, waits for it, or ends. Raises LeaseLost when another worker has the job."""
    await jobs.hold(tx, job)
    incident = (await ledger.load(tx, [job.subject], lock=True)).get(job.subject)
    if incident is None or incident.epoch != job.payload["epoch"] or incident.state != "triggered":
        await jobs.finish(tx, job)
        return Escalated()
    rules = await _rules(tx, incident)
    wait_until = await _level_before_ends(tx, incident, rules)
    if wait_until is not None and wait_until > tx.now:
        await jobs.put_back(tx, job, wait_until)
        return Escalated()
    return await _tell(tx, job, incident, rules, lease)


async def _rules(tx: Writing, incident: Incident) -> Rules:
    if incident.service_id is None:
        return Rules(None)
    found = (await resources.load(tx, "service", [incident.service_id])).get(incident.service_id)
    policy_id = Service.model_validate(found.document).policy_id if found else None
    if policy_id is None:
        return Rules(None)
    policy = (await resources.load(tx, "policy", [int(policy_id)])).get(int(policy_id))
    return Rules(Policy.model_validate(policy.document), policy.id, policy.version) if policy else Rules(None)


async def _level_before_ends(tx: Writing, incident: Incident, rules: Rules) -> Micros | None:
    """When the level told last has had its time; None when there was none, or all of its pages have failed."""
    if incident.escalation != "running" or incident.level == 0 or rules.policy is None:
        return None
    told = incident.level - 1
    if told >= len(rules.policy.levels):
        return None
    of_level = (
        pages.c.incident_id == incident.id,
        pages.c.epoch == incident.epoch,
        pages.c.round == incident.round,
        pages.c.level == told,
    )
    open_pages = (
        await tx.conn.execute(
            select(func.count()).where(*of_level, pages.c.state.in_(("waiting", "sent")), pages.c.fallback.is_(False))
        )
    ).scalar_one()
    # A fallback that is on its way after a failure counts as open too: it has a try, or is due.
    rescue = (
        await tx.conn.execute(
            select(func.count()).where(
                *of_level, pages.c.fallback.is_(True), pages.c.state.in_(("waiting", "sent")), pages.c.due_at > 0
            )
        )
    ).scalar_one()
    if not open_pages and not rescue:
        return None
    first = (
        await tx.conn.execute(
            select(func.min(attempts.c.started_at)).join(pages, pages.c.id == attempts.c.page_id).where(*of_level)
        )
    ).scalar()
    if first is None:
        return tx.now + NOT_STARTED_PAUSE
    return int(first) + rules.policy.levels[told].delay_s * SECOND


async def _tell(tx: Writing, job: jobs.Job, incident: Incident, rules: Rules, lease: Micros) -> Escalated:
    """Tells the next level that reaches somebody. Levels that reach nobody are named and passed over at once."""
    if rules.policy is None:
        return await _unconfigured(tx, job, incident, lease)
    passed = 0
    while True:
        position = next_position(
            Position(incident.level, incident.round), len(rules.policy.levels), rules.policy.repeat
        )
        if position is None or passed >= len(rules.policy.levels):
            return await _exhausted(tx, job, incident, reached_nobody=passed >= len(rules.policy.levels))
        incident.level, incident.round = position.level, position.round
        plan = plan_level(await find(tx, rules.policy, position.level), "high" if incident.urgency == "high" else "low")
        incident.policy_id, incident.policy_version = rules.id, rules.version
        claimed = await _write_level(tx, incident, plan, rules, lease)
        incident.level += 1
        incident.escalation = "running"
        if plan.pages:
            break
        passed += 1
    await ledger.save(tx, [incident])
    await jobs.put_back(tx, job, tx.now + rules.policy.levels[position.level].delay_s * SECOND)
    return Escalated(pages=len(plan.pages), claimed=tuple(claimed))


async def _write_level(tx: Writing, incident: Incident, plan: LevelPlan, rules: Rules, lease: Micros) -> list[jobs.Job]:
    claimed = await _write_pages(tx, incident, plan.pages, rules, lease)
    told = ", ".join(dict.fromkeys(page.recipient for page in plan.pages)) or "nobody"
    level = f"level {incident.level + 1}" + (f", round {incident.round + 1}" if incident.round else "")
    missed = "".join(f"; {one.reason}" for one in plan.missed)
    entry = Entry(
        "level_told" if plan.pages else "level_reached_nobody",
        "tocsin",
        f"{level}: {told}{missed}",
        {"level": incident.level, "round": incident.round, "policy_version": rules.version},
    )
    await ledger.record(tx, [(incident.id, entry)])
    return claimed


async def _write_pages(
    tx: Writing, incident: Incident, planned: tuple[PlannedPage, ...], rules: Rules, lease: Micros
) -> list[jobs.Job]:
    if not planned:
        return []
    before = await _pages_before(tx, incident)
    rows: list[dict[str, Any]] = [
        {
            "id": tx.new_id(),
            "incident_id": incident.id,
            "number": before + place,
            "epoch": incident.epoch,
            "round": incident.round,
            "level": incident.level,
            "person_id": page.person_id,
            "channel_id": page.channel_id,
            "method_id": page.method_id,
            "notifier": page.notifier,
            "recipient": page.recipient,
            "reason": page.reason,
            "policy_id": rules.id,
            "policy_version": rules.version,
            "schedule_id": page.schedule_id,
            "fallback": page.fallback,
            # A fallback has no time of its own: it gets one when the page before it fails.
            "due_at": 0 if page.fallback else tx.now + page.delay_s * SECOND,
            "state": "waiting",
            "created_at": tx.now,
        }
        for place, page in enumerate(planned, start=1)
    ]
    await tx.conn.execute(insert(pages), rows)
    due = [deliver_job(incident.id, row["id"], row["due_at"]) for row in rows if not row["fallback"]]
    at_once = [one for one in due if one.due_at <= tx.now][:CLAIMED_AT_ONCE]
    await jobs.add(tx, [one for one in due if one not in at_once])
    return await jobs.add_claimed(tx, at_once, lease)


async def _pages_before(tx: Writing, incident: Incident) -> int:
    if incident.epoch == 1 and incident.escalation == "waiting":
        return 0
    count = select(func.count()).where(pages.c.incident_id == incident.id)
    return int((await tx.conn.execute(count)).scalar_one())


def deliver_job(incident_id: int, page_id: int, due_at: Micros) -> jobs.NewJob:
    """The job that sends one page; there is never more than one."""
    return jobs.NewJob("deliver", incident_id, due_at, {"page": page_id}, once=f"page:{page_id}")


async def _unconfigured(tx: Writing, job: jobs.Job, incident: Incident, lease: Micros) -> Escalated:
    plan = plan_level([console(UNCONFIGURED)], "high")
    claimed = await _write_level(tx, incident, plan, Rules(None), lease)
    incident.level, incident.escalation = 1, "exhausted"
    await ledger.save(tx, [incident])
    await jobs.finish(tx, job)
    return Escalated(pages=1, claimed=tuple(claimed))


async def _exhausted(tx: Writing, job: jobs.Job, incident: Incident, *, reached_nobody: bool) -> Escalated:
    """The policy has ended and nobody has it: said loudly, and the console is told when nobody was reached at all."""
    sent = select(func.count()).where(
        pages.c.incident_id == incident.id, pages.c.epoch == incident.epoch, pages.c.state == "sent"
    )
    undelivered = not (await tx.conn.execute(sent)).scalar_one()
    found: list[Reached | Missed] = [console(LAST_RESORT)] if undelivered else []
    if found:
        await _write_pages(tx, incident, plan_level(found, "high").pages, Rules(None), lease=0)
    why = "no level reached anybody" if reached_nobody else "all levels were told and nobody acknowledged"
    kind = "undelivered" if undelivered else "policy_exhausted"
    await ledger.record(tx, [(incident.id, Entry(kind, "tocsin", f"the policy has ended: {why}"))])
    incident.escalation = "exhausted"
    await ledger.save(tx, [incident])
    await jobs.finish(tx, job)
    return Escalated(pages=len(found), undelivered=undelivered)
