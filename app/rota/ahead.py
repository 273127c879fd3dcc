"""Looks ahead at whom policies reach, remembers what was found, and has it told in time. Deeds.

    a policy changes ────── look_at ──────────────────────────────────────────────┐
    a schedule changes ──── look_again_of ──> one job `reach_of` a schedule ──────┤
    anything else changes ─ look_again ─────> one job `reach_all`, for all policies ──> one job `reach` a policy
    reach ── begin, facts ──> laid out in a thread, outside any transaction ── keep ──> findings, notices, the next look

All of them a little later, so that many edits are one look. Each policy is looked at daily, and whenever there is something
to tell of it. Must never know how what is found is found
(reach.py), nor who runs the thread (watching.py).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import case, delete, insert, select, update

from app.clock import DAY, MINUTE, SECOND, Micros
from app.paging.notices import tell
from app.rota.gap_notices import notices_of, schedules_in
from app.rota.gap_plan import Kept, Known, daily_look, next_look, recognized, to_tell
from app.rota.gap_words import sentence
from app.rota.reach import KINDS, Facts, Finding
from app.rota.reach_facts import facts_of
from app.rota.tables import findings, reach_looks
from app.store import bulk, jobs, resources
from app.store.bulk import Rows
from app.store.database import Reading, Writing
from app.store.jobs import Job, LeaseLost, NewJob
from app.store.resources import Resource
from app.store.tables import jobs as stored_jobs
from app.store.tables import resources as stored

EVERYTHING, OF_SCHEDULE, ONE = "reach_all", "reach_of", "reach"
"""The kinds of job."""
AHEAD: Micros = 30 * DAY
"""How far ahead policies are looked at."""
GATHER: Micros = 5 * SECOND
"""Edits within so long are one look."""
APART: Micros = 100_000
"""Between the looks at two policies (0.1 s), of which each takes some 15 ms: a page must not wait behind a thousand."""
LOOKING_TIME: Micros = 10 * MINUTE
"""How long a look may take before somebody else begins it anew."""
MOST_KEPT = 500
"""Findings of one policy that are remembered: the first ones."""
_AT_ONCE = 1_000
"""Ids of one statement."""


@dataclass(frozen=True, slots=True)
class Look:
    """A look that has begun."""

    job: Job
    policy: Resource
    again_at: Micros
    """When somebody else begins it anew; earlier if something changed meanwhile."""


async def look_again(tx: Writing) -> None:
    """Something changed that may change who is reached: everything is looked at anew soon."""
    await jobs.add(tx, [NewJob(EVERYTHING, 0, tx.now + GATHER, once=EVERYTHING)])


async def look_again_of(tx: Writing, schedules: Iterable[int]) -> None:
    """Who is on call in these schedules changed: the policies that lead to them are looked at anew soon."""
    at = tx.now + GATHER
    wanted = sorted(set(schedules))
    await jobs.add(tx, [NewJob(OF_SCHEDULE, item, at, once=f"{OF_SCHEDULE}:{item}") for item in wanted])


async def look_at(tx: Writing, policies: Iterable[int]) -> None:
    """These policies changed, or are gone: they are looked at anew soon."""
    at = tx.now + GATHER
    await jobs.add(tx, [NewJob(ONE, item, at, once=f"{ONE}:{item}") for item in sorted(set(policies))])


async def leading_to(view: Reading, schedule_id: int) -> list[int]:
    """The policies that lead to a schedule."""
    return [one.id for one in await resources.listed(view, "policy") if schedule_id in schedules_in(one)]


async def plan_all(tx: Writing, job: Job) -> int:
    """Gives every policy its look, and answers how many there are. Raises LeaseLost.

    What is known of policies that are gone is forgotten.
    """
    await jobs.hold(tx, job)
    there = select(stored.c.id).where(stored.c.kind == "policy", stored.c.deleted_at.is_(None)).order_by(stored.c.id)
    policies = list((await tx.conn.execute(there)).scalars())
    looked = {row[0]: row[1] for row in await tx.conn.execute(select(reach_looks.c.policy_id, reach_looks.c.looked_at))}
    await forget(tx, looked.keys() - set(policies))
    await _pull(tx, times(policies, looked, tx.now))
    await jobs.finish(tx, job)
    return len(policies)


async def plan(tx: Writing, job: Job, policies: Sequence[int]) -> None:
    """Gives these policies their looks. Raises LeaseLost."""
    await jobs.hold(tx, job)
    await _pull(tx, {policy: tx.now + place * APART for place, policy in enumerate(policies)})
    await jobs.finish(tx, job)


def times(policies: Sequence[int], looked: dict[int, Micros], now: Micros) -> dict[int, Micros]:
    """When each policy is looked at: apart, and none twice within twice the time that all of them take. Pure."""
    pause = 2 * APART * len(policies)
    return {
        policy: max(now + place * APART, looked.get(policy, 0) + pause if pause > GATHER else 0)
        for place, policy in enumerate(policies)
    }


async def _pull(tx: Writing, due: dict[int, Micros]) -> None:
    """Has each of these policies looked at by then, in few statements however many they are."""
    names = {f"{ONE}:{policy}": (policy, at) for policy, at in due.items()}
    shape = Rows(("wanted", "at"), ("text", "bigint"))
    there: set[str] = set()
    for some in _parts(list(names)):
        found = await tx.conn.execute(select(stored_jobs.c.once).where(stored_jobs.c.once.in_(some)))
        there |= set(found.scalars())
    sooner = "UPDATE jobs SET due_at = t.at FROM t WHERE jobs.once = t.wanted AND jobs.due_at > t.at"
    await bulk.write(tx, shape, sooner, [(name, names[name][1]) for name in sorted(there)])
    new = [
        {"id": tx.new_id(), "kind": ONE, "subject": policy, "payload": "{}", "due_at": at, "once": name}
        for name, (policy, at) in names.items()
        if name not in there
    ]
    await bulk.insert(tx, stored_jobs, new)
    tx.due.extend(due.values())


async def forget(tx: Writing, policies: Iterable[int]) -> None:
    """Policies that are gone have no findings and are not looked at any more."""
    for some in _parts(sorted(policies)):
        await tx.conn.execute(delete(findings).where(findings.c.policy_id.in_(some)))
        await tx.conn.execute(delete(reach_looks).where(reach_looks.c.policy_id.in_(some)))
        names = [f"{ONE}:{policy}" for policy in some]
        await tx.conn.execute(delete(stored_jobs).where(stored_jobs.c.once.in_(names)))


async def begin(tx: Writing, job: Job) -> Look | None:
    """Begins a look; None, and no more looks, when the policy was deleted. Raises LeaseLost."""
    again_at = tx.now + LOOKING_TIME
    await jobs.put_back(tx, job, again_at)
    policy = (await resources.load(tx, "policy", [job.subject])).get(job.subject)
    if policy is None:
        await forget(tx, [job.subject])
        return None
    return Look(job, policy, again_at)


async def facts(view: Reading, policy: Resource, notifiers: Container[str]) -> tuple[Facts, Micros]:
    """What is needed to look at a policy, and from when it looks: AHEAD from now."""
    return (await facts_of(view, [policy], view.now, view.now + AHEAD, notifiers))[policy.id], view.now


async def keep(tx: Writing, look: Look, facts: Facts, found: Sequence[Finding], since: Micros) -> int:
    """Writes down what a look that began `since` found, and tells what is to be told. Raises LeaseLost.

    Answers how many findings were told of.
    """
    policy, zone, until = look.policy, facts.zone, since + AHEAD
    before = await kept(tx, policy.id)
    known = recognized(before, found[:MOST_KEPT], since)
    staged = [(one, to_tell(one, tx.now)) for one in known]
    worst_first = sorted((one.finding for one, stage in staged if stage), key=lambda one: KINDS.index(one.kind))
    due = [(one.kind, one.starts_at, sentence(one, zone, until)) for one in worst_first]
    notices = await notices_of(tx, policy, due, zone) if due else []
    await tell(tx, notices)
    if notices:
        known = tuple(Known(one.finding, stage or one.told) for one, stage in staged)
    if before:
        await tx.conn.execute(delete(findings).where(findings.c.policy_id == policy.id))
    await _write(tx, policy.id, known, zone, since)
    await _look_next(tx, look, next_look(known, tx.now, daily_look(policy.id, tx.now)))
    return len(due) if notices else 0


async def kept(view: Reading, policy_id: int) -> list[Kept]:
    """What the look before left behind, in order."""
    columns = findings.c
    question = (
        select(columns.kind, columns.starts_at, columns.ends_at, columns.told)
        .where(columns.policy_id == policy_id)
        .order_by(columns.starts_at, columns.id)
    )
    return [Kept(*row) for row in await view.conn.execute(question)]


async def _write(tx: Writing, policy_id: int, known: Sequence[Known], zone: str, since: Micros) -> None:
    until = since + AHEAD
    rows = [
        {
            "id": tx.new_id(),
            "policy_id": policy_id,
            "kind": one.finding.kind,
            "starts_at": one.finding.starts_at,
            "ends_at": one.finding.ends_at,
            "reason": sentence(one.finding, zone, until),
            "found_at": since,
            "told": one.told,
        }
        for one in known
    ]
    await bulk.insert(tx, findings, rows)
    look = {"looked_at": since, "until": until}
    again = await tx.conn.execute(update(reach_looks).where(reach_looks.c.policy_id == policy_id).values(look))
    if not again.rowcount:
        await tx.conn.execute(insert(reach_looks).values(policy_id=policy_id, **look))


async def _look_next(tx: Writing, look: Look, at: Micros) -> None:
    """The next look, unless something changed meanwhile and it is wanted earlier. Raises LeaseLost."""
    columns = stored_jobs.c
    unless = case((columns.due_at == look.again_at, at), else_=columns.due_at)
    mine = columns.id == look.job.id, columns.fence == look.job.fence
    if not (await tx.conn.execute(update(stored_jobs).where(*mine).values(due_at=unless))).rowcount:
        raise LeaseLost(f"policy {look.policy.id} is looked at by another worker")
    tx.due.append(at)


def _parts(items: list[int] | list[str]) -> Iterable[list[int] | list[str]]:
    return (items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE))
