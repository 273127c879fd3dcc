"""Paging held back: after a restore, or in an emergency, nobody is paged until somebody says that it may go on.

Ingest goes on, incidents open, and what would page waits far in the future: a held job's due time is moved by `AWAY`, and
moved back when the hold is released, so that what is sent then says by how much it is late. The hold is one row, which
every process reads before it pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import orjson
from sqlalchemy import func, select, update

from app.clock import MINUTE, SECOND, Micros
from app.store.database import Reading, Writing
from app.store.jobs import Job, LeaseLost
from app.store.tables import jobs
from app.watch.marks import mark, marked, unmark

MARK = "paging_hold"
AWAY: Micros = 10**17
"""About 3,000 years: no job of ours is due there by itself."""
HELD = "held"
"""The mark in the payload of a job that was held back."""
LOUD_AFTER: Micros = 15 * MINUTE
"""A hold that lasts this long is an error in the log, each minute, and not only a warning."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Paging is held back."""

    since: Micros
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Held:
    """How paging stands."""

    hold: Hold | None
    waiting: int
    """Jobs that are held back."""


async def hold_of(view: Reading, *, share: bool = False) -> Hold | None:
    """The hold, if there is one. With `share` it is not released until the transaction ends."""
    said = await marked(view, MARK, share=share)
    return None if said is None else Hold(**orjson.loads(said))


async def held(view: Reading) -> Held:
    """How paging stands."""
    waiting = select(func.count()).where(jobs.c.due_at >= AWAY)
    return Held(await hold_of(view), int((await view.conn.execute(waiting)).scalar_one()))


async def begin(tx: Writing, by: str, why: str) -> Hold:
    """Holds paging back; a hold that is there stays as it is."""
    known = await hold_of(tx)
    if known is not None:
        return known
    hold = Hold(tx.now, by, why)
    await mark(tx, MARK, orjson.dumps(asdict(hold)).decode())
    return hold


async def release(tx: Writing) -> Held:
    """Lets paging go on: everything that was held back is due when it was. Answers how it stood."""
    # The row first: whoever is about to hold a job back reads it, and waits or is waited for.
    said = await unmark(tx, MARK)
    back = await let_go(tx)
    return Held(None if said is None else Hold(**orjson.loads(said)), back)


async def let_go(tx: Writing) -> int:
    """Jobs that are held back are due again; answers how many there were."""
    done = await tx.conn.execute(update(jobs).where(jobs.c.due_at >= AWAY).values(due_at=jobs.c.due_at - AWAY))
    if done.rowcount:
        tx.due.append(tx.now)
    return done.rowcount


async def keep_back(tx: Writing, job: Job) -> bool:
    """Puts a job away while paging is held; False when it is not. Raises LeaseLost."""
    if await hold_of(tx, share=True) is None:
        return False
    payload: Mapping[str, object] = {**job.payload, HELD: True}
    done = await tx.conn.execute(
        update(jobs)
        .where(jobs.c.id == job.id, jobs.c.fence == job.fence)
        .values(due_at=job.due_at + AWAY, lease_until=0, payload=payload)
    )
    if not done.rowcount:
        raise LeaseLost(f"job {job.id} ({job.kind}) was claimed by another worker")
    return True


def minutes_held(hold: Hold, now: Micros) -> float:
    """For how long paging has been held."""
    return max(0, now - hold.since) / SECOND / 60
