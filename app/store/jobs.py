"""Work that is due at an instant, as rows: the only way one part of Tocsin hands over to another.

A job is claimed for a while (a lease with an end) and carries a fencing number that each claim raises. Whoever finishes
a job names the number of its claim; if another claimed it meanwhile, the finisher's transaction writes nothing.
Knows no kind of job.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, delete, func, insert, literal_column, select, text, update

from app.clock import Micros
from app.store.database import Reading, Writing
from app.store.tables import jobs


@dataclass(frozen=True, slots=True)
class NewJob:
    """Work to be done at `due_at`. `once`: at most one job of that name waits at a time."""

    kind: str
    subject: int
    due_at: Micros
    payload: dict[str, Any] = field(default_factory=dict)
    once: str | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. `fence` is the number of this claim."""

    id: int
    kind: str
    subject: int
    payload: dict[str, Any]
    due_at: Micros
    fence: int
    failures: int


class LeaseLost(Exception):
    """Another worker claimed the job since; what this one was about to write must not be written."""


async def add_claimed(tx: Writing, new: Sequence[NewJob], lease: Micros) -> list[Job]:
    """Adds jobs that the caller will work on itself as soon as this commits: one look for due work less before a page."""
    taken = [Job(tx.new_id(), job.kind, job.subject, job.payload, job.due_at, 1, 0) for job in new]
    once = [job.once for job in new]
    rows = [
        {
            "id": job.id,
            "kind": job.kind,
            "subject": job.subject,
            "payload": job.payload,
            "due_at": job.due_at,
            "lease_until": tx.now + lease,
            "fence": job.fence,
            "once": name,
        }
        for job, name in zip(taken, once, strict=True)
    ]
    if rows:
        await tx.conn.execute(insert(jobs), rows)
    return taken


async def add(tx: Writing, new: Iterable[NewJob]) -> None:
    """Adds jobs. One with a `once` that already waits only moves it earlier, never later."""
    rows = [
        {
            "id": tx.new_id(),
            "kind": job.kind,
            "subject": job.subject,
            "payload": job.payload,
            "due_at": job.due_at,
            "once": job.once,
        }
        for job in new
    ]
    if plain := [row for row in rows if row["once"] is None]:
        await tx.conn.execute(insert(jobs), plain)
    for row in rows:
        if row["once"] is not None:
            await _add_once(tx, row)


async def _add_once(tx: Writing, row: dict[str, Any]) -> None:
    moved = await tx.conn.execute(
        update(jobs)
        .where(jobs.c.once == row["once"])
        .values(
            due_at=func.min(jobs.c.due_at, row["due_at"])
            if not tx.postgres
            else func.least(jobs.c.due_at, row["due_at"])
        )
    )
    if not moved.rowcount:
        await tx.conn.execute(insert(jobs), row)


def _free(view: Reading) -> ColumnElement[bool]:
    """Held by nobody.

    The sum hides the column from PostgreSQL's statistics: taken while the few jobs there were happened to be held, they say
    that hardly any job is free, and that the whole table must be read to find one.
    """
    return (jobs.c.lease_until + literal_column("0")) <= view.now


async def claim(tx: Writing, limit: int, lease: Micros) -> list[Job]:
    """Takes up to `limit` due jobs nobody holds, oldest due first, for `lease` microseconds."""
    due = (
        select(jobs.c.id)
        .where(jobs.c.due_at <= tx.now, _free(tx))
        .order_by(jobs.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("due")
    )
    taken = await tx.conn.execute(
        update(jobs)
        .where(jobs.c.id.in_(select(due.c.id)))
        .values(lease_until=tx.now + lease, fence=jobs.c.fence + 1)
        .returning(jobs.c.id, jobs.c.kind, jobs.c.subject, jobs.c.payload, jobs.c.due_at, jobs.c.fence, jobs.c.failures)
    )
    return sorted((Job(*row) for row in taken), key=lambda job: (job.due_at, job.id))


async def finish(tx: Writing, job: Job) -> None:
    """Removes a job that is done. Raises LeaseLost when another worker has claimed it since."""
    done = await tx.conn.execute(delete(jobs).where(jobs.c.id == job.id, jobs.c.fence == job.fence))
    if not done.rowcount:
        raise LeaseLost(f"job {job.id} ({job.kind}) was claimed by another worker")


async def hold(tx: Writing, job: Job) -> None:
    """Checks that the claim is still ours and keeps it so until the transaction ends. Raises LeaseLost."""
    held = await tx.conn.execute(
        update(jobs).where(jobs.c.id == job.id, jobs.c.fence == job.fence).values(fence=job.fence)
    )
    if not held.rowcount:
        raise LeaseLost(f"job {job.id} ({job.kind}) was claimed by another worker")


async def put_back(tx: Writing, job: Job, due_at: Micros, *, failed: bool = False) -> None:
    """Gives a job back, due again at `due_at`. Raises LeaseLost."""
    back = await tx.conn.execute(
        update(jobs)
        .where(jobs.c.id == job.id, jobs.c.fence == job.fence)
        .values(due_at=due_at, lease_until=0, failures=job.failures + 1 if failed else job.failures)
    )
    if not back.rowcount:
        raise LeaseLost(f"job {job.id} ({job.kind}) was claimed by another worker")


async def pull(tx: Writing, subject: int, kinds: Sequence[str], due_at: Micros) -> int:
    """Makes the waiting jobs of `subject` due by `due_at`; answers how many there were."""
    moved = await tx.conn.execute(
        update(jobs)
        .where(
            jobs.c.subject == subject,
            jobs.c.kind.in_(list(kinds)),
            jobs.c.due_at > due_at,
        )
        .values(due_at=due_at)
    )
    return moved.rowcount


async def next_due(view: Reading) -> Micros | None:
    """When the first job falls due, or the lease on a due one ends; None when nothing waits."""
    # ORDER BY ... LIMIT 1 and not min(): the first reads one index entry, the second every waiting job.
    free = select(jobs.c.due_at).where(_free(view)).order_by(jobs.c.due_at).limit(1)
    held = (
        select(jobs.c.lease_until)
        .where(text("lease_until > 0"), jobs.c.lease_until > view.now)
        .order_by(jobs.c.lease_until)
        .limit(1)
    )
    found = [(await view.conn.execute(question)).scalar() for question in (free, held)]
    return min((at for at in found if at is not None), default=None)


MAX_COUNTED = 10_000
"""Due jobs are counted up to here: nobody needs to know by how many more, and a million would take seconds to count."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far behind the workers are. `due` is at most MAX_COUNTED."""

    due: int
    oldest_due_at: Micros | None


async def backlog(view: Reading) -> Backlog:
    """Jobs that are due and not held by anybody."""
    due = select(jobs.c.due_at).where(jobs.c.due_at <= view.now, _free(view)).order_by(jobs.c.due_at)
    oldest = (await view.conn.execute(due.limit(1))).scalar()
    if oldest is None:
        return Backlog(0, None)
    counted = select(func.count()).select_from(due.limit(MAX_COUNTED).subquery())
    return Backlog((await view.conn.execute(counted)).scalar_one(), oldest)
