"""Work that is due at an instant, as rows: the only way one part of Tocsin hands over to another.

A job is claimed for a while (a lease with an end) and carries a fencing number that each claim raises. Whoever finishes
a job names the number of its claim; if another claimed it meanwhile, the finisher's transaction writes nothing.
Knows no kind of job.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import orjson
from sqlalchemy import ColumnElement, Executable, bindparam, delete, func, insert, select, text, update

from app.clock import Micros
from app.store import claims
from app.store.database import Reading, Writing
from app.store.tables import QUARANTINED, jobs


@dataclass(frozen=True, slots=True)
class NewJob:
    """Work to be done at `due_at`. `once`: at most one job of that name waits at a time.

    Of what is due, a lower `rank` goes first (0 to claims.RANKS - 1).
    """

    kind: str
    subject: int
    due_at: Micros
    payload: dict[str, Any] = field(default_factory=dict)
    once: str | None = None
    rank: int = 1


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job. `fence` is the number of this claim; `failures`: how often it failed so far."""

    id: int
    kind: str
    subject: int
    payload: dict[str, Any]
    """Empty when what stands in the row can't be read: whoever works on it will fail, and its neighbours don't."""
    due_at: Micros
    fence: int
    failures: int
    rank: int = 1
    once: str | None = None


class LeaseLost(Exception):
    """Another worker claimed the job since; what this one was about to write must not be written."""


async def add_claimed(tx: Writing, new: Sequence[NewJob], lease: Micros) -> list[Job]:
    """Adds jobs that the caller will work on itself as soon as this commits: one look for due work less before a page."""
    taken = [Job(tx.new_id(), job.kind, job.subject, job.payload, job.due_at, 1, 0, job.rank, job.once) for job in new]
    rows = [
        {
            "id": job.id,
            "kind": job.kind,
            "subject": job.subject,
            "payload": job.payload,
            "due_at": job.due_at,
            "lease_until": tx.now + lease,
            "fence": job.fence,
            "rank": job.rank,
            "once": job.once,
        }
        for job in taken
    ]
    if rows:
        await tx.conn.execute(insert(jobs), rows)
        tx.due.append(tx.now + lease)
    return taken


async def add(tx: Writing, new: Iterable[NewJob]) -> None:
    """Adds jobs. One with a `once` that already waits only moves it earlier, never later."""
    new = list(new)
    rows = [
        {
            "id": tx.new_id(),
            "kind": job.kind,
            "subject": job.subject,
            "payload": job.payload,
            "due_at": job.due_at,
            "rank": job.rank,
            "once": job.once,
        }
        for job in new
    ]
    tx.due.extend(job.due_at for job in new)
    if plain := [row for row in rows if row["once"] is None]:
        await tx.conn.execute(insert(jobs), plain)
    for row in rows:
        if row["once"] is not None:
            await _add_once(tx, row)


def _earlier(least: Callable[..., ColumnElement[Any]]) -> Executable:
    sooner = least(jobs.c.due_at, bindparam("sooner", type_=jobs.c.due_at.type))
    return update(jobs).where(jobs.c.once == bindparam("called")).values(due_at=sooner)


_EARLIER = {True: _earlier(func.least), False: _earlier(func.min)}
"""By whether it is PostgreSQL."""


async def _add_once(tx: Writing, row: dict[str, Any]) -> None:
    moved = await tx.conn.execute(_EARLIER[tx.postgres], {"called": row["once"], "sooner": row["due_at"]})
    if not moved.rowcount:
        await tx.conn.execute(insert(jobs), row)


Order = Literal["rank", "first rank", "age"]


async def claim(tx: Writing, limit: int, lease: Micros, order: Order = "rank") -> list[Job]:
    """Takes up to `limit` due jobs nobody holds, for `lease` microseconds.

    `order`: those of the first rank before the second and so on, in each the oldest due first; only those of the first
    rank; or the oldest due first, whatever their rank.
    """
    statement = {"rank": claims.BY_RANK, "first rank": claims.FIRST_RANK, "age": claims.BY_AGE}[order]
    taken = await tx.conn.execute(statement, {"now": tx.now, "limit": limit, "until": tx.now + lease})
    return sorted((_job(row) for row in taken), key=lambda job: (0 if order == "age" else job.rank, job.due_at, job.id))


def _job(row: Any) -> Job:
    try:
        payload = orjson.loads(row.payload)
    except ValueError:
        payload = None
    read = payload if isinstance(payload, dict) else {}
    return Job(row.id, row.kind, row.subject, read, row.due_at, row.fence, row.failures, row.rank, row.once)


_CLAIMED = (jobs.c.id == bindparam("job"), jobs.c.fence == bindparam("claim"))
_FINISH = delete(jobs).where(*_CLAIMED)
_HOLD = update(jobs).where(*_CLAIMED).values(fence=jobs.c.fence)
_PUT_BACK = (
    update(jobs)
    .where(*_CLAIMED)
    .values(due_at=bindparam("due"), lease_until=0, failures=bindparam("failed"), rank=bindparam("to_rank"))
)


async def _as_claimed(tx: Writing, statement: Executable, job: Job, **values: int) -> None:
    done = await tx.conn.execute(statement, {"job": job.id, "claim": job.fence, **values})
    if not done.rowcount:
        raise LeaseLost(f"job {job.id} ({job.kind}) was claimed by another worker")


async def finish(tx: Writing, job: Job) -> None:
    """Removes a job that is done. Raises LeaseLost when another worker has claimed it since."""
    await _as_claimed(tx, _FINISH, job)


async def hold(tx: Writing, job: Job) -> None:
    """Checks that the claim is still ours and keeps it so until the transaction ends. Raises LeaseLost."""
    await _as_claimed(tx, _HOLD, job)


async def put_back(tx: Writing, job: Job, due_at: Micros, *, failures: int = 0, rank: int | None = None) -> None:
    """Gives a job back, due again at `due_at`, having failed so often in a row; with another rank or its own.

    Raises LeaseLost.
    """
    await _as_claimed(tx, _PUT_BACK, job, due=due_at, failed=failures, to_rank=job.rank if rank is None else rank)
    tx.due.append(due_at)


_HELD = (
    select(jobs.c.id, jobs.c.fence)
    .where(jobs.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(jobs.c.id)
    .with_for_update()
)
_FINISH_ALL = delete(jobs).where(jobs.c.id.in_(bindparam("ids", expanding=True)))


async def still_held(tx: Writing, claimed: Sequence[Job]) -> dict[int, Job]:
    """Those of these jobs whose claim is still ours, by id; it is kept so until the transaction ends."""
    found = await tx.conn.execute(_HELD, {"ids": [job.id for job in claimed]}) if claimed else ()
    fences = {row.id: row.fence for row in found}
    return {job.id: job for job in claimed if fences.get(job.id) == job.fence}


async def finish_held(tx: Writing, held: Sequence[Job]) -> None:
    """Removes jobs that are done, of which `still_held` said in this transaction that they are ours."""
    await tx.conn.execute(_FINISH_ALL, {"ids": [job.id for job in held]})


_PULL = (
    update(jobs)
    .where(
        jobs.c.subject == bindparam("of"),
        jobs.c.kind.in_(bindparam("kinds", expanding=True)),
        jobs.c.due_at > bindparam("due"),
    )
    .values(due_at=bindparam("due"))
)


async def pull(tx: Writing, subject: int, kinds: Sequence[str], due_at: Micros) -> int:
    """Makes the waiting jobs of `subject` due by `due_at`; answers how many there were."""
    moved = await tx.conn.execute(_PULL, {"of": subject, "kinds": list(kinds), "due": due_at})
    if moved.rowcount:
        tx.due.append(due_at)
    return moved.rowcount


async def next_due(view: Reading, *, first_rank: bool = False) -> Micros | None:
    """When the first job (of the first rank) falls due, or the lease on a due one ends; None when nothing waits."""
    question = claims.SOONEST_OF_FIRST_RANK if first_rank else claims.SOONEST
    found = (await view.conn.execute(question, {"now": view.now})).one()
    return min((at for at in found if at is not None), default=None)


MAX_COUNTED = 10_000
"""Due jobs are counted up to here: nobody needs to know by how many more, and a million would take seconds to count."""


QUARANTINE_AFTER = 5
"""A job that failed so often in a row is in quarantine (the index of tables.QUARANTINED)."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """How far behind the workers are. Both are at most MAX_COUNTED."""

    due: int
    oldest_due_at: Micros | None
    quarantined: int = 0


_WAITED = select(jobs.c.due_at).where(jobs.c.due_at <= claims.NOW, claims.FREE).order_by(jobs.c.due_at)
_OLDEST = _WAITED.limit(1)
_COUNT = select(func.count()).select_from(_WAITED.limit(MAX_COUNTED).subquery())
_COUNT_QUARANTINED = select(func.count()).select_from(
    select(jobs.c.id).where(text(QUARANTINED)).limit(MAX_COUNTED).subquery()
)


async def backlog(view: Reading) -> Backlog:
    """Jobs that are due and not held by anybody."""
    quarantined = (await view.conn.execute(_COUNT_QUARANTINED)).scalar_one()
    oldest = (await view.conn.execute(_OLDEST, {"now": view.now})).scalar()
    if oldest is None:
        return Backlog(0, None, quarantined)
    return Backlog((await view.conn.execute(_COUNT, {"now": view.now})).scalar_one(), oldest, quarantined)


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A job that fails again and again."""

    id: int
    kind: str
    subject: int
    failures: int


_QUARANTINED_NOW = (
    select(jobs.c.id, jobs.c.kind, jobs.c.subject, jobs.c.failures).where(text(QUARANTINED)).order_by(jobs.c.id)
)


async def quarantined(view: Reading, limit: int) -> list[Quarantined]:
    """Jobs that fail again and again, oldest first."""
    found = await view.conn.execute(_QUARANTINED_NOW.limit(limit))
    return [Quarantined(*row) for row in found]
