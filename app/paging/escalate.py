"""The deed of escalation: one level of an incident's policy is told, and the next one gets its time.

The job stays one row for the whole escalation: after each level it is put back, due when the next level is to be told.
A level's timer starts when the first try to send one of its pages started, not when it was planned, so that a stall of
ours never makes levels follow each other faster than the policy says. A round in which nobody was reached is not repeated
while its pages are still tried: they are the repeat, and when one of them comes through the policy goes on.

Where the policy has ended and nothing of it could be sent, its fallback is told, once, as if it were a level after the last:

    running ── a page was sent ─────────────────> exhausted
       └────── none, and there is a fallback ──> fallback ── a page was sent ──> exhausted
       ^ └──── none, nor a fallback ──┐              └────── none ──> exhausted and undelivered: the console is told
       │                              └───────────────────────────────────────────^   │
       └───────────────────── a page that was tried on came through ──────────────────┘
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select, update

from app.clock import SECOND, Micros, spoken
from app.incidents import ledger, turn
from app.incidents.incident import Entry, Incident, begin_anew, keep_quiet, unquiet
from app.paging import joint
from app.paging.course import (
    DELAY_S,
    NOTHING,
    Rules,
    ends_at,
    fallback_plan,
    follows_another,
    last_told,
    reached_anybody,
    repeats_itself,
    rules_of,
    turns,
)
from app.paging.plan import LevelPlan, Missed, PlannedPage, Position, Reached, plan_level
from app.paging.recipients import LAST_RESORT, UNCONFIGURED, console, take_turns
from app.paging.tables import pages
from app.routing.quiet import ended
from app.routing.quieting import Quieting, note_silenced, quiet_of
from app.store import jobs, resources
from app.store.database import Writing

CLAIMED_AT_ONCE = 4
"""Pages of a level that the same worker sends at once; the rest is for whoever has a hand free."""
NOT_STARTED_PAUSE = 2 * SECOND
"""How long to look away while no try of the level before has started, though one is due."""
WORTH_SAYING = 10 * SECOND
"""Planned less late than this, a page is called in time."""
UNDER_WAY_PAUSE = 15 * SECOND
"""How long to look away while pages of the fallback are still being tried: only when all have failed is nobody reached."""


@dataclass(frozen=True, slots=True)
class Escalated:
    """What one run of the job did, for logs and metrics."""

    pages: int = 0
    undelivered: bool = False
    claimed: tuple[jobs.Job, ...] = ()
    """Pages due at once that this worker has taken already."""


async def escalate(tx: Writing, job: jobs.Job, lease: Micros, quieting: Quieting) -> Escalated:
    """Tells the next level, waits for it, stays quiet, or ends. Raises LeaseLost when another worker has the job."""
    incident = (await ledger.load(tx, [job.subject], lock=True)).get(job.subject)
    await jobs.hold(tx, job)
    if incident is None or incident.epoch != job.payload["epoch"] or incident.state != "triggered":
        await jobs.finish(tx, job)
        return Escalated()
    wait_until = await _level_before_ends(tx, incident)
    if wait_until is not None and wait_until > tx.now:
        await jobs.put_back(tx, job, wait_until)
        return Escalated()
    if "asked" not in job.payload and await _stays_quiet(tx, job, incident, quieting):
        return Escalated()
    if incident.escalation == "fallback":
        return await _exhausted(
            tx, job, incident, "the fallback was told too and nobody acknowledged", "nor did the fallback"
        )
    if incident.awaiting and await joint.settle(tx, incident):
        await jobs.finish(tx, job)
        return Escalated()
    rules = await rules_of(tx, incident)
    if follows_another(incident, rules):
        return await _by_another(tx, job, incident, rules)
    if rules.waits_until is not None and rules.waits_until > tx.now:
        return await _hold(tx, job, incident, rules, rules.waits_until)
    done = await _tell(tx, job, incident, rules, lease)
    await _mark_late(tx, incident, tx.now - job.due_at)
    return done


async def _stays_quiet(tx: Writing, job: jobs.Job, incident: Incident, quieting: Quieting) -> bool:
    """Whether all of its alerts have a reason not to page now: then it is asked again when the first of them ends."""
    book = await quieting.book(tx)
    found = await quiet_of(tx, book, incident)
    # A silence that is ended at this moment must find the incident quiet, or not be found by it.
    if found is not None and await resources.config_held(tx) != book.version:
        found = await quiet_of(tx, await quieting.book(tx), incident)
    if found is None:
        if incident.quiet_until is not None:
            said = ended(incident.open_alerts, incident.alerts)
            await ledger.record(tx, [(incident.id, unquiet(incident, said))])
            await ledger.save(tx, [incident])
        return False
    entry = keep_quiet(incident, found.until, found.inhibitor, found.says, found.detail)
    if entry is not None:
        await ledger.record(tx, [(incident.id, entry)])
    await note_silenced(tx, incident.id, found)
    await ledger.save(tx, [incident])
    await jobs.put_back(tx, job, found.until)
    return True


async def _mark_late(tx: Writing, incident: Incident, late: Micros) -> None:
    """Pages that were planned late were due when they should have been planned: each says by how much it is late.

    When they are sent is left as it is: a person's ways follow each other by the person's own delays, however late.
    """
    if late < WORTH_SAYING:
        return
    planned_now = (pages.c.incident_id == incident.id, pages.c.created_at == tx.now, pages.c.due_at > 0)
    await tx.conn.execute(update(pages).where(*planned_now).values(due_at=pages.c.due_at - late))


async def goes_on(tx: Writing, some: Mapping[int, Incident]) -> None:
    """A page came through that counts as failed: where a policy has ended and had reached nobody, it goes on with its next round.

    Asked before that page is called sent. The incidents are locked; they are saved.
    """
    for incident in some.values():
        if (incident.state, incident.escalation) != ("triggered", "exhausted") or await reached_anybody(tx, incident):
            continue
        at = tx.now + (incident.told_s or DELAY_S) * SECOND
        incident.escalation = "running"
        said = f"a page came through after all: the policy goes on at {spoken(at)}"
        await ledger.record(tx, [(incident.id, Entry("policy_goes_on", "tocsin", said))])
        await ledger.save(tx, [incident])
        await jobs.add(tx, [jobs.NewJob("escalate", incident.id, at, {"epoch": incident.epoch}, rank=turn.REPEAT)])


async def _by_another(tx: Writing, job: jobs.Job, incident: Incident, rules: Rules) -> Escalated:
    """Another policy is followed than before: from its first level."""
    name = rules.policy.name if rules.policy else "no policy"
    why = f", {rules.because}" if rules.because else ""
    entry = Entry("policy_changed", "tocsin", f"from here on {name} is followed{why}: paging begins anew")
    await ledger.record(tx, [(incident.id, entry)])
    await jobs.finish(tx, job)
    await begin_again(tx, incident, asked="asked" in job.payload)
    return Escalated()


async def begin_again(tx: Writing, incident: Incident, *, asked: bool = False) -> None:
    """Paging begins anew from the first level. The incident is saved."""
    begin_anew(incident)
    await page_now(tx, incident, asked=asked)
    await ledger.save(tx, [incident])


async def page_now(tx: Writing, incident: Incident, *, asked: bool = False) -> None:
    """Adds the job of an escalation that begins anew; of the one before there may be one that will do nothing.

    `asked`: somebody wants people told, whatever keeps the incident quiet.
    """
    payload = {"epoch": incident.epoch} | ({"asked": True} if asked else {})
    await jobs.add(tx, [jobs.NewJob("escalate", incident.id, tx.now, payload, rank=turn.FIRST)])


async def _hold(tx: Writing, job: jobs.Job, incident: Incident, rules: Rules, until: Micros) -> Escalated:
    """Nobody is told before support hours begin. Said once, however often it is looked at."""
    if incident.held_until != until:
        why = f"urgency is low and this is {rules.because}" if rules.because else "urgency is low"
        entry = Entry("paging_waits", "tocsin", f"nobody is told before {spoken(until)}: {why}", {"until": until})
        await ledger.record(tx, [(incident.id, entry)])
        incident.held_until = until
        if incident.escalation == "waiting":
            incident.escalation = "held"
        await ledger.save(tx, [incident])
    await jobs.put_back(tx, job, until)
    return Escalated()


async def _level_before_ends(tx: Writing, incident: Incident) -> Micros | None:
    """When what was told last has had its time; None when that was nothing, or all of its pages have failed."""
    told = await last_told(tx, incident)
    if told is None or not told.alive:
        return None
    until = ends_at(told)
    if until is None:
        # Nothing starts before the first of its pages is due; until then nobody looks.
        return max(tx.now, told.first_due or 0) + NOT_STARTED_PAUSE
    if until <= tx.now and incident.escalation == "fallback" and not await reached_anybody(tx, incident):
        return tx.now + UNDER_WAY_PAUSE
    return until


async def _tell(tx: Writing, job: jobs.Job, incident: Incident, rules: Rules, lease: Micros) -> Escalated:
    """Tells the next level that reaches somebody. Levels that reach nobody are named and passed over at once."""
    if rules.policy is None:
        return await _unconfigured(tx, job, incident, lease)
    claimed: list[jobs.Job] = []
    have = await joint.have_it(tx, incident)
    told = await turns(tx, rules, Position(incident.level, incident.round), have)
    if told and told[0].position.round > incident.round and await repeats_itself(tx, incident):
        told = []
    for each in told:
        incident.level, incident.round = each.position.level, each.position.round
        incident.policy_id, incident.policy_version = rules.id, rules.version
        level = rules.policy.levels[each.position.level]
        incident.told_s = level.delay_s
        claimed = await _write_level(tx, incident, each.plan, rules, lease, _crowd(job))
        await take_turns(tx, each.plan.turns)
        if level.ack == "all" and (incident.awaiting or len(each.plan.people) > 1):
            await joint.ask_all(tx, incident, each.plan.people)
        incident.level += 1
        incident.escalation = "running"
    if not told or not told[-1].plan.pages:
        return await _ended(tx, job, incident, rules, lease)
    await ledger.save(tx, [incident])
    following = turn.rank(turn.REPEAT if incident.round else turn.NEXT, _crowd(job))
    await jobs.put_back(tx, job, tx.now + incident.told_s * SECOND, rank=following)
    return Escalated(pages=len(told[-1].plan.pages), claimed=tuple(claimed))


def _crowd(job: jobs.Job) -> int:
    """How crowded its service was when the incident was opened."""
    return int(job.payload.get("crowd", 0))


async def _write_level(
    tx: Writing, incident: Incident, plan: LevelPlan, rules: Rules, lease: Micros, crowd: int = 0
) -> list[jobs.Job]:
    claimed = await write_pages(tx, incident, plan.pages, rules, lease, crowd)
    told = ", ".join(dict.fromkeys(page.recipient for page in plan.pages)) or "nobody"
    level = f"level {incident.level + 1}" + (f", round {incident.round + 1}" if incident.round else "")
    missed = "".join(f"; {one.reason}" for one in plan.missed)
    entry = Entry(
        "level_told" if plan.pages else "level_reached_nobody",
        "tocsin",
        f"{level}: {told}{missed}",
        {
            "level": incident.level,
            "round": incident.round,
            "policy_id": None if rules.id is None else str(rules.id),
            "policy_version": rules.version,
            "missed": _missed(plan),
            "delay_s": incident.told_s,
            "because": rules.because,
            "given_by": rules.given_by,
        },
    )
    await ledger.record(tx, [(incident.id, entry)])
    return claimed


def _missed(plan: LevelPlan) -> list[dict[str, str | None]]:
    """Who was not told and why, for whoever asks later."""
    return [
        {"reason": one.reason, "person_id": None if one.person_id is None else str(one.person_id)}
        for one in plan.missed
    ]


async def write_pages(
    tx: Writing,
    incident: Incident,
    planned: tuple[PlannedPage, ...],
    rules: Rules,
    lease: Micros,
    crowd: int = 0,
    level: int | None = None,
) -> list[jobs.Job]:
    """Writes pages and the jobs that send them, as the incident's level or another; answers the jobs that are claimed.

    A lease of 0 claims none for the caller.
    """
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
            "level": incident.level if level is None else level,
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
            "urgency": rules.urgency,
            # A fallback has no time of its own: it gets one when the page before it fails.
            "due_at": 0 if page.fallback else tx.now + page.delay_s * SECOND,
            "state": "waiting",
            "created_at": tx.now,
        }
        for place, page in enumerate(planned, start=1)
    ]
    await tx.conn.execute(insert(pages), rows)
    rank = turn.rank(turn.of(max(0, rows[0]["level"]), incident.round), crowd)
    due = [deliver_job(incident.id, row["id"], row["due_at"], rank) for row in rows if not row["fallback"]]
    at_once = [one for one in due if one.due_at <= tx.now][: CLAIMED_AT_ONCE if lease else 0]
    await jobs.add(tx, [one for one in due if one not in at_once])
    return await jobs.add_claimed(tx, at_once, lease)


async def _pages_before(tx: Writing, incident: Incident) -> int:
    # Nothing was told yet, and nothing has changed it since: somebody may be asked to join before its first level is told.
    if incident.epoch == 1 and incident.escalation == "waiting" and incident.updated_at == incident.opened_at:
        return 0
    count = select(func.count()).where(pages.c.incident_id == incident.id)
    return int((await tx.conn.execute(count)).scalar_one())


def deliver_job(incident_id: int, page_id: int, due_at: Micros, rank: int = turn.NEXT) -> jobs.NewJob:
    """The job that sends one page; there is never more than one."""
    return jobs.NewJob("deliver", incident_id, due_at, {"page": page_id}, once=f"page:{page_id}", rank=rank)


async def _unconfigured(tx: Writing, job: jobs.Job, incident: Incident, lease: Micros) -> Escalated:
    plan = plan_level([console(UNCONFIGURED)], "high")
    claimed = await _write_level(tx, incident, plan, NOTHING, lease, _crowd(job))
    incident.level, incident.escalation = 1, "exhausted"
    await ledger.save(tx, [incident])
    await jobs.finish(tx, job)
    return Escalated(pages=1, claimed=tuple(claimed))


async def _ended(tx: Writing, job: jobs.Job, incident: Incident, rules: Rules, lease: Micros) -> Escalated:
    """All levels were told or passed over: whoever is to be told rather than nobody comes next, if it comes to that."""
    if rules.policy is not None and rules.policy.fallback and not await reached_anybody(tx, incident):
        told = await _tell_fallback(tx, job, incident, rules, lease)
        if told is not None:
            return told
    return await _exhausted(tx, job, incident, "all levels were told and nobody acknowledged", "")


async def _tell_fallback(
    tx: Writing, job: jobs.Job, incident: Incident, rules: Rules, lease: Micros
) -> Escalated | None:
    """Tells the policy's fallback; None when it leads to nobody either."""
    assert rules.policy is not None
    plan = await fallback_plan(tx, rules.policy, rules.urgency)
    incident.policy_id, incident.policy_version = rules.id, rules.version
    missed = "; ".join(one.reason for one in plan.missed)
    detail = {"policy_id": str(rules.id), "policy_version": rules.version, "missed": _missed(plan)}
    if not plan.pages:
        said = f"nobody could be reached, and the fallback leads to nobody: {missed}"
        await ledger.record(tx, [(incident.id, Entry("fallback_reached_nobody", "tocsin", said, detail))])
        return None
    told = ", ".join(dict.fromkeys(page.recipient for page in plan.pages))
    said = f"nobody could be reached, so the fallback is told: {told}" + (f"; {missed}" if missed else "")
    entry = Entry("fallback_told", "tocsin", said, detail)
    # The entry first: a story that is read in order says why before it says who.
    await ledger.record(tx, [(incident.id, entry)])
    claimed = await write_pages(tx, incident, plan.pages, rules, lease, _crowd(job))
    incident.escalation, incident.told_s = "fallback", rules.policy.levels[-1].delay_s
    await ledger.save(tx, [incident])
    await jobs.put_back(tx, job, tx.now + incident.told_s * SECOND)
    return Escalated(pages=len(plan.pages), claimed=tuple(claimed))


async def _exhausted(tx: Writing, job: jobs.Job, incident: Incident, told: str, nor: str) -> Escalated:
    """The policy has ended and nobody has it: said loudly, and the console is told when nobody was reached at all."""
    undelivered = not await reached_anybody(tx, incident)
    found: list[Reached | Missed] = [console(LAST_RESORT)] if undelivered else []
    if found:
        await write_pages(tx, incident, plan_level(found, "high").pages, NOTHING, lease=0)
    why = f"no level reached anybody{', ' + nor if nor else ''}" if undelivered else told
    kind = "undelivered" if undelivered else "policy_exhausted"
    await ledger.record(tx, [(incident.id, Entry(kind, "tocsin", f"the policy has ended: {why}"))])
    incident.escalation = "exhausted"
    await ledger.save(tx, [incident])
    await jobs.finish(tx, job)
    return Escalated(pages=len(found), undelivered=undelivered)
